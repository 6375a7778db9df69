// SPDX-License-Identifier: Apache-2.0
// The scenarios, by name. Each makes a world of its own from the seed, in which the
// figures it stands for must hold.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "simulation/scenario_world.h"

namespace leat::sim {

struct ScenarioResult {
  std::vector<std::string> violations;
  std::vector<std::string> notes;
  double simulated_seconds = 0;
  std::uint64_t requests = 0;
};

struct Scenario {
  const char* name;
  void (*run)(std::uint64_t seed, bool verbose, ScenarioResult& result);
};

std::span<const Scenario> all_scenarios();

}  // namespace leat::sim
