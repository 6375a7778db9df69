// SPDX-License-Identifier: Apache-2.0
// TurnStats: how many completions a shard's turns brought, and how late they were (LoadMeter). Two
// increments a turn; a member of its shard, read by whoever copies it into counters.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/instant.h"

namespace leat::shard {

// Counts within each bound, and one more beyond all; and what they add up to.
template <class Value, std::size_t kCount>
struct BoundedCounts {
  std::array<std::uint64_t, kCount + 1> counts{};

  void note(const std::array<Value, kCount>& bounds, Value value) {
    ++counts[static_cast<std::size_t>(std::ranges::lower_bound(bounds, value) - bounds.begin())];
  }
};

struct TurnStats {
  static constexpr std::array<std::uint64_t, 8> kCompletionBounds = {0, 1, 2, 4, 8, 16, 64, 256};
  static constexpr std::array<Duration, 8> kLateBounds = {
      Duration{0},     microseconds(100), microseconds(300), milliseconds(1),
      milliseconds(3), milliseconds(10),  milliseconds(30),  milliseconds(100)};

  BoundedCounts<std::uint64_t, 8> completions;
  BoundedCounts<Duration, 8> late;
  std::uint64_t late_us = 0;  // all of them together

  void note(std::uint64_t brought, Duration lateness) {
    completions.note(kCompletionBounds, brought);
    late.note(kLateBounds, lateness);
    late_us += static_cast<std::uint64_t>(lateness.us());
  }
};

}  // namespace leat::shard
