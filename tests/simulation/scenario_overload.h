// SPDX-License-Identifier: Apache-2.0
// The scenario of a gateway that is asked for more than it can do.
#pragma once

#include <cstdint>

#include "simulation/scenario_list.h"

namespace leat::sim {

// As Scenario::run.
void overload(std::uint64_t seed, bool verbose, ScenarioResult& result);

}  // namespace leat::sim
