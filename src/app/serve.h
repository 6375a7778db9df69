// SPDX-License-Identifier: Apache-2.0
// serve(): the running service: a thread for each shard, and the control shard on the calling one.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "control/surroundings.h"
#include "gateway/routed_catalogue.h"
#include "leat/options.h"

namespace leat::app {

// Where the options came from, to come from there again.
struct ConfigSource {
  std::string file;                // empty: they are the built-in ones
  std::vector<std::string> files;  // all that were read for them
};

// Serves until SIGTERM or SIGINT, then drains. The exit status: 0, or 78 with one line on stderr
// when the machine does not offer what is needed.
// `routed`: the catalogue that was built for these options.
int serve(const Options& options, std::shared_ptr<const gateway::RoutedCatalogue> routed,
          const ConfigSource& source, const control::Surroundings& surroundings);

}  // namespace leat::app
