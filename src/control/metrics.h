// SPDX-License-Identifier: Apache-2.0
// The metrics of a node: the shards' counters, summed when somebody asks, as Prometheus text.
// Labels are of fixed sets: reasons and status classes, never a key, a path or an address.
#pragma once

#include <span>
#include <string>

#include "gateway/counters.h"

namespace leat::control {

std::string metrics_text(std::span<const gateway::Counters* const> shards);

}  // namespace leat::control
