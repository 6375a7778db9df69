// SPDX-License-Identifier: Apache-2.0
// HoldStats: how long events were held back, each time the longest that any of them waited: in the
// kernel (Stream::hold), from when the first was told of until it was asked for, or on their way
// out (Stream::hold_sends), from when the first was written until it left. Of one shard.
#pragma once

#include <array>
#include <cstdint>

#include "shard/turn_stats.h"

namespace leat::net {

struct HoldStats {
  static constexpr std::array<Duration, 8> kBounds = {
      milliseconds(1),  milliseconds(2),  milliseconds(5),  milliseconds(10),
      milliseconds(25), milliseconds(50), milliseconds(75), milliseconds(100)};

  shard::BoundedCounts<Duration, 8> held;
  std::uint64_t held_us = 0;  // all of them together

  void note(Duration time) {
    held.note(kBounds, time);
    held_us += static_cast<std::uint64_t>(time.us());
  }
};

}  // namespace leat::net
