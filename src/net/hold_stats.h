// SPDX-License-Identifier: Apache-2.0
// HoldStats: how long what came was held back in the kernel (Stream::hold), each time from when the
// first of it was told of until it was asked for: the longest that any event of it waited. Of one
// shard.
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
