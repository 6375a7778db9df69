// SPDX-License-Identifier: Apache-2.0
// RateBucket: so much in a window, by GCRA in one word: the instant at which all that was taken
// would have come in at the even rate. Owned by one shard; pure, the time is an argument. Over any
// window at most `burst` and what the rate brings are given: where fewer than N in any window is
// the promise, take a SlidingWindow. Bursts are exact to the unit below 200,000 a minute, to one in
// 60,000 above.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/instant.h"

namespace leat::policy {

// `limit` in each `window`, of which `burst` may come at once. A limit of 0 gives nothing.
struct Rate {
  std::int64_t limit = 0;
  Duration window = seconds(60);
  std::int64_t burst = 0;
};

class RateBucket {
 public:
  // Takes `amount` whole or not at all. REQUIRES: amount >= 0.
  bool try_take(const Rate& rate, std::int64_t amount, Instant now) {
    if (fits_at(rate, amount, now) > now) return false;
    full_at_ns_ = std::max(full_at_ns_, now.ns) + time_of(rate, amount);
    return true;
  }
  // What was taken and not used; more than was taken makes it no fuller than full.
  void give_back(const Rate& rate, std::int64_t amount, Instant now) {
    if (rate.limit <= 0 || amount <= 0) return;
    full_at_ns_ = std::max(full_at_ns_ - time_of(rate, amount), now.ns);
  }
  // What may be taken at once.
  std::int64_t available(const Rate& rate, Instant now) const {
    if (rate.limit <= 0) return 0;
    const std::int64_t room_ns = burst_ns(rate) - std::max<std::int64_t>(full_at_ns_ - now.ns, 0);
    if (room_ns <= 0) return 0;
    const Wide units = static_cast<Wide>(room_ns) * rate.limit / rate.window.ns;
    return static_cast<std::int64_t>(std::min<Wide>(units, rate.burst));
  }
  // When `amount` may be taken if nobody else takes any; kNever: it is more than ever fits.
  Instant fits_at(const Rate& rate, std::int64_t amount, Instant now) const {
    if (amount <= 0) return now;
    if (rate.limit <= 0 || amount > rate.burst) return kNever;
    const Wide at =
        static_cast<Wide>(std::max(full_at_ns_, now.ns)) + time_of(rate, amount) - burst_ns(rate);
    return at <= now.ns ? now : Instant{static_cast<std::int64_t>(std::min<Wide>(at, kNever.ns))};
  }
  // When it is whole again. And to go on elsewhere with one that is so then.
  Instant full_at(Instant now) const { return {std::max(full_at_ns_, now.ns)}; }
  void set_full_at(Instant at) { full_at_ns_ = at.ns; }

 private:
  __extension__ using Wide = __int128;
  // A quarter of the clock's range: sums of two of them stay in it.
  static constexpr std::int64_t kTimeMax = INT64_MAX / 4;

  static std::int64_t bounded(Wide ns) {
    return static_cast<std::int64_t>(std::min<Wide>(ns, kTimeMax));
  }
  // Rounded up, so that the rate is never exceeded in the long run.
  static std::int64_t time_of(const Rate& rate, std::int64_t amount) {
    return bounded((static_cast<Wide>(amount) * rate.window.ns + rate.limit - 1) / rate.limit);
  }
  // Of as many single units as the burst has, so that rounding leaves none of them out.
  static std::int64_t burst_ns(const Rate& rate) {
    return bounded(static_cast<Wide>(time_of(rate, 1)) * rate.burst);
  }

  std::int64_t full_at_ns_ = 0;
};
static_assert(sizeof(RateBucket) == sizeof(std::int64_t));

}  // namespace leat::policy
