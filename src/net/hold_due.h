// SPDX-License-Identifier: Apache-2.0
// When what is held leaves: at moments that all streams of all shards have in common, so that many
// sends follow each other in one turn: the first of a turn wakes the loop and finds the kernel's
// code cold, those behind it do not (perf/HELD.md).
#pragma once

#include <algorithm>
#include <bit>

#include "base/instant.h"
#include "shard/shard.h"

namespace leat::net {

// A timer fires up to so much late.
inline constexpr Duration kHoldTick = milliseconds(1);
// What may wait less is not held.
inline constexpr Duration kHoldMin = milliseconds(4);

// The last common moment by which what came until `now` leaves in time, however late it was told of
// and the timer fires. Common moments lie a power of two of milliseconds apart, so that those who
// wait long meet those who do not: an eighth to a quarter of `most`, which costs a stream half of
// that from its wait. REQUIRES: most >= kHoldMin.
inline Instant hold_due(Instant now, Duration most) {
  const Instant latest = now + (most - kHoldTick - shard::Shard::kHeldBatchTime);
  const auto quarter = static_cast<std::uint64_t>(most.ns / milliseconds(4).ns);
  const auto apart = static_cast<std::int64_t>(std::bit_floor(quarter)) * milliseconds(1).ns;
  return std::max(now, Instant{latest.ns - latest.ns % apart});
}

}  // namespace leat::net
