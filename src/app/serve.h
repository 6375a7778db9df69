// SPDX-License-Identifier: Apache-2.0
// serve(): the running service: a thread for each shard, and the control shard on the calling one.
#pragma once

#include "control/surroundings.h"
#include "leat/options.h"

namespace leat::app {

// Serves until SIGTERM or SIGINT, then drains. The exit status: 0, or 78 with one line on stderr
// when the machine does not offer what is needed.
int serve(const Options& options, const control::Surroundings& surroundings);

}  // namespace leat::app
