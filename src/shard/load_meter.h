// SPDX-License-Identifier: Apache-2.0
// LoadMeter: how busy a shard's loop is, told by the rate of completions. The rate does not change
// with the size of the batches that the loop waits for, so the answer does not swing with its own
// effect, as completions per turn would.
//
// A member of its shard; used from the shard's thread only.
#pragma once

#include <cstdint>

#include "base/instant.h"

namespace leat::shard {

class LoadMeter {
 public:
  explicit LoadMeter(Instant now) : window_begin_(now) {}

  // Once a turn: what it brought, and when it ended.
  void count(Instant now, std::uint64_t completions);
  // Latched between two rates, so that a load at the edge does not flicker.
  bool is_busy() const { return is_busy_; }

 private:
  Instant window_begin_;
  std::uint64_t in_window_ = 0;
  bool is_busy_ = false;
};

}  // namespace leat::shard
