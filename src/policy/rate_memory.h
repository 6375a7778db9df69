// SPDX-License-Identifier: Apache-2.0
// RateMemory: what an endpoint last said of its limits to one key. Owned by the shard that talks to
// it. An endpoint that says it is exhausted is not asked until it says it is back, an hour at the
// longest: limited_until(). No clock, no allocation.
#pragma once

#include <array>
#include <cstdint>

#include "base/instant.h"
#include "policy/rate_headers.h"

namespace leat::policy {

class RateMemory {
 public:
  // A complete reply's head arrived (with 429, Gemini's body too).
  void note_reply(int status, const RateNotice& notice, Instant now);

  // Past: not limited.
  Instant limited_until() const { return limited_until_; }
  bool is_limited(Instant now) const { return now < limited_until_; }
  // What is left of the scarcest quantity, in [0, 1]; 1 where nothing is known, or where what was
  // known has been reset since.
  double headroom(Instant now) const;

 private:
  struct Quantity {
    float left = 1;    // remaining over limit
    Instant until{0};  // when it is whole again
  };
  Duration wait_of_refusal(const RateNotice& notice, Instant now);

  Instant limited_until_{0};
  std::uint8_t refusals_ = 0;  // in a row, without a word of how long
  std::array<Quantity, kRateQuantities> quantities_{};
};

}  // namespace leat::policy
