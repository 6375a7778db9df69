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

// How far apart common moments are for who may wait so long: a power of two of milliseconds, so
// that those who wait long meet those who do not; an eighth to a quarter of `most`, which costs a
// stream half of that from its wait. REQUIRES: most >= kHoldMin.
inline Duration hold_apart(Duration most) {
  const auto quarter = static_cast<std::uint64_t>(most.ns / milliseconds(4).ns);
  return milliseconds(static_cast<std::int64_t>(std::bit_floor(quarter)));
}

// The last common moment by which what came until `now` leaves in time, however late it was told of
// and the timer fires.
inline Instant hold_due(Instant now, Duration most, Duration apart) {
  const Instant latest = now + (most - kHoldTick - shard::Shard::kHeldBatchTime);
  return std::max(now, Instant{latest.ns - latest.ns % apart.ns});
}
inline Instant hold_due(Instant now, Duration most) {
  return hold_due(now, most, hold_apart(most));
}

// The same of what is to be read: a tick before the common moment, so that what leaves then has it.
inline Instant hold_read_due(Instant now, Duration most, Duration apart) {
  return std::max(now, hold_due(now + kHoldTick, most, apart) - kHoldTick);
}

// For what many share, each with a time of its own to wait on its way out that is `most` in all: it
// is read before each of the moments at which it may leave.
inline Duration hold_shared(Duration apart) {
  return apart + kHoldTick + shard::Shard::kHeldBatchTime;
}

}  // namespace leat::net
