// SPDX-License-Identifier: Apache-2.0
// The scenarios of the ledger: what clients see of a disk that is full or slow, and of a gateway
// that is killed and starts again; and what stands in the files afterwards.
#pragma once

#include <cstdint>

#include "simulation/scenario_list.h"

namespace leat::sim {

// No segment can be made for a while: what runs ends well, what is new is refused with the advice
// to try again, and all is as before once there is room.
void disk_full(std::uint64_t seed, bool verbose, ScenarioResult& result);
// Writes take seconds: the last byte waits for its record, nothing else does and nothing is lost.
void disk_slow(std::uint64_t seed, bool verbose, ScenarioResult& result);
// A kill, and another one while the first is recovered from.
void kill_restart(std::uint64_t seed, bool verbose, ScenarioResult& result);

// One configuration after the other, with providers that come, go and change places, while streams
// run: nobody is refused, nothing breaks, and who is not there any more is not asked.
void reloads(std::uint64_t seed, bool verbose, ScenarioResult& result);

}  // namespace leat::sim
