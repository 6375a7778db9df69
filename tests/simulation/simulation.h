// SPDX-License-Identifier: Apache-2.0
// Simulation: one world from one seed, run to its end: a gateway of one or more shards over SimIo,
// providers, clients, faults - then a calm, a drain, and the oracles. Everything that a process
// would have is made here and gone at the end, so that seeds do not know of each other.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "simulation/fault_plan.h"

namespace leat::sim {

struct SimulationResult {
  std::vector<std::string> violations;  // none: the seed passed
  std::uint64_t trace = 0;
  double simulated_seconds = 0;
  std::uint64_t events = 0;
  std::uint64_t requests = 0;
  std::uint64_t executions = 0;
  std::uint64_t answered = 0;    // whole answers with status 200
  std::uint64_t rescued = 0;     // ... had from another provider than was asked first
  std::uint64_t carried_on = 0;  // streams with a seam
  std::uint64_t hedges = 0;      // second attempts beside one that waited
  std::uint64_t hedges_won = 0;
  std::uint64_t holds = 0;           // how often what a provider sent was held back
  std::uint64_t borrowed = 0;        // connections that a shard had from another
  std::uint64_t records = 0;         // in ledgers
  std::uint64_t kills = 0;           // of gateways
  std::uint64_t streams_asked = 0;   // of clients over HTTP/2
  std::uint64_t streams_served = 0;  // of providers over HTTP/2
  std::uint64_t recovered = 0;       // requests that those cut off
  FaultCounts fault_counts{};
};

// `verbose`: tells on stderr what happens. `all_http2`: every provider and most clients speak it;
// else those of some worlds do.
SimulationResult run_simulation(std::uint64_t seed, bool verbose, bool all_http2);

}  // namespace leat::sim
