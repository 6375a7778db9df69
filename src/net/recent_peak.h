// SPDX-License-Identifier: Apache-2.0
// RecentPeak: the most of something that there was at once, within a memory of time. Four slots,
// the oldest forgotten whole: what was once is remembered for three quarters of the memory at
// least, and never longer than it.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "base/instant.h"

namespace leat::net {

class RecentPeak {
 public:
  RecentPeak(Duration memory, Instant now) : slot_(std::max<std::int64_t>(memory.ns / 4, 1)) {
    turn_at_ = now + slot_;
  }

  // There are so many from now on.
  void note(std::uint32_t count, Instant now) {
    advance(now);
    count_ = count;
    most_[at_] = std::max(most_[at_], count);
  }
  // One of what there was at once is somebody else's from now on.
  void forget_one(Instant now) {
    advance(now);
    for (std::uint32_t& each : most_) each = std::max(each, count_ + 1) - 1;
  }
  std::uint32_t most(Instant now) {
    advance(now);
    return *std::ranges::max_element(most_);
  }

 private:
  void advance(Instant now) {
    for (std::size_t i = 0; i < most_.size() && now >= turn_at_; ++i) {
      at_ = (at_ + 1) % most_.size();
      most_[at_] = count_;
      turn_at_ = turn_at_ + slot_;
    }
    // All of it was long ago.
    if (now >= turn_at_) turn_at_ = now + slot_;
  }

  const Duration slot_;
  Instant turn_at_;
  std::array<std::uint32_t, 4> most_{};
  std::size_t at_ = 0;
  std::uint32_t count_ = 0;
};

}  // namespace leat::net
