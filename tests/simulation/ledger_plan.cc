// SPDX-License-Identifier: Apache-2.0
#include "simulation/ledger_plan.h"

#include <iterator>

namespace leat::sim {

namespace {

constexpr double kShareKept = 0.65;
constexpr double kShareStrict = 0.7;
constexpr double kShareKilled = 0.3;
constexpr double kShareKilledTwice = 0.4;
constexpr double kShareDying = 0.15;
constexpr std::uint64_t kSegmentSizes[] = {ledger::kSegmentBytesMin, 64 * 1024, 256 * 1024};

// As likely early as late: most happens in a world's first events.
std::uint64_t draw_event(Rng& rng, int bits_max) {
  const auto bits = static_cast<unsigned>(rng.between(3, bits_max));
  return (std::uint64_t{1} << bits) + rng.below(std::uint64_t{1} << bits);
}

}  // namespace

LedgerPlan draw_ledger_plan(std::uint64_t seed, const FaultPlan& faults) {
  Rng rng(seed ^ 0x1ed9'e500'0000'0000);
  LedgerPlan plan;
  plan.is_kept = rng.chance(kShareKept);
  if (!plan.is_kept) return plan;
  plan.keeping.mode =
      rng.chance(kShareStrict) ? ledger::LedgerMode::kStrict : ledger::LedgerMode::kGrouped;
  plan.keeping.segment_bytes = kSegmentSizes[rng.below(std::size(kSegmentSizes))];
  if (faults.of(Fault::kDiskFull) > 0) plan.keeping.disk_is_full = 0.9 * rng.unit();
  if (rng.chance(kShareKilled)) {
    plan.kills.push_back(draw_event(rng, 12));
    if (rng.chance(kShareKilledTwice)) plan.kills.push_back(draw_event(rng, 9));
    plan.restart_after =
        rng.chance(0.5) ? microseconds(rng.between(0, 5'000)) : milliseconds(rng.between(0, 3'000));
  } else if (rng.chance(kShareDying)) {
    plan.dies_at = draw_event(rng, 12);
    if (rng.chance(0.6)) plan.mends_after = milliseconds(rng.between(0, 20'000));
  }
  return plan;
}

}  // namespace leat::sim
