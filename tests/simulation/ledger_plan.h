// SPDX-License-Identifier: Apache-2.0
// LedgerPlan: whether a random world keeps a ledger, how, and what becomes of its process and its
// disk. Drawn from the seed, apart from everything else.
#pragma once

#include <cstdint>
#include <vector>

#include "simulation/fault_plan.h"
#include "simulation/sim_keeping.h"

namespace leat::sim {

struct LedgerPlan {
  bool is_kept = false;
  SimKeepingOptions keeping;
  // Numbers of events, counted from the start of the gateway that is killed. The second may be
  // while what the first cut off is being recovered.
  std::vector<std::uint64_t> kills;
  Duration restart_after{};
  // The disk takes nothing more, from that event on; kNever of events: it does not happen.
  static constexpr std::uint64_t kNoEvent = UINT64_MAX;
  std::uint64_t dies_at = kNoEvent;
  Duration mends_after = kForEver;  // for so long
  static constexpr Duration kForEver{INT64_MAX};
};

LedgerPlan draw_ledger_plan(std::uint64_t seed, const FaultPlan& faults);

}  // namespace leat::sim
