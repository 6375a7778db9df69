// SPDX-License-Identifier: Apache-2.0
// RetryBudget: bounds the sum of the attempts beyond the first, so that providers in trouble are
// never given a storm on top (threats-and-faults.md 4.1): a share of the requests of the last 10 s,
// or a floor per second if that is more. Not both: where all providers fail for a minute, attempts
// stay within 1.1 times the requests. Pure: time comes in as an argument.
//
// One per provider and shard. A provider's requests are all those that may go to it, wherever they
// are sent first, and each retry is one of all the providers that the request may go to. So what
// the cheapest provider cannot serve finds room at the others, however little they are given while
// it is well; and those that fail together share one budget, not one each. One more holds a shard's
// requests all together, since plans differ: an ejected provider is in none, and comes back with
// its budget unspent.
#pragma once

#include <array>
#include <cstdint>

#include "base/instant.h"

namespace leat::policy {

class RetryBudget {
 public:
  RetryBudget(std::uint32_t percent_max, std::uint32_t floor_per_second)
      : percent_max_(percent_max), floor_per_second_(floor_per_second) {}

  // A request that may go to the provider makes its first attempt, there or elsewhere.
  void count_request(Instant now);
  // Whether one more attempt fits.
  bool has_room(Instant now);
  // Whether half of it is left: hedges leave the rest to failures, which have no other way.
  bool has_half(Instant now);
  // Whether one more attempt fits; if so it is counted.
  bool try_retry(Instant now);
  // Such a request makes one more attempt, elsewhere.
  void count_retry(Instant now);

 private:
  static constexpr std::int64_t kSeconds = 10;
  static constexpr std::int64_t kTickNs = 100'000'000;
  // Retries count for 10 s at least, so that bursts which each take all there is lie that far
  // apart; requests for a little less, or the chance peaks of their number would add up to more
  // than the share.
  static constexpr std::int64_t kBuckets = 101;
  static constexpr std::int64_t kRequestTicks = 95;
  struct Bucket {
    std::uint32_t requests = 0;
    std::uint32_t retries = 0;
  };
  void advance(Instant now);
  std::uint64_t size() const;
  // The oldest one's place is the next one's.
  Bucket& bucket(std::int64_t tick) { return buckets_[static_cast<std::size_t>(tick % kBuckets)]; }

  std::uint32_t percent_max_;
  std::uint32_t floor_per_second_;
  std::int64_t tick_ = -1;  // the newest bucket's
  std::array<Bucket, kBuckets> buckets_{};
  std::uint64_t requests_ = 0;  // of the newest kRequestTicks buckets
  std::uint64_t retries_ = 0;   // of all buckets
};

}  // namespace leat::policy
