// SPDX-License-Identifier: Apache-2.0
#include "policy/retry_budget.h"

#include <algorithm>

namespace leat::policy {

void RetryBudget::advance(Instant now) {
  const std::int64_t second = now.ns / 1'000'000'000;
  if (second_ < 0 || second - second_ >= kBuckets) {
    buckets_.fill({});
    requests_ = retries_ = 0;
    second_ = second;
    return;
  }
  while (second_ < second) {
    ++second_;
    Bucket& oldest = buckets_[static_cast<std::size_t>(second_ % kBuckets)];
    requests_ -= oldest.requests;
    retries_ -= oldest.retries;
    oldest = {};
  }
}

void RetryBudget::count_request(Instant now) {
  advance(now);
  ++buckets_[static_cast<std::size_t>(second_ % kBuckets)].requests;
  ++requests_;
}

bool RetryBudget::has_room(Instant now) {
  advance(now);
  return retries_ <
         std::max(requests_ * percent_max_ / 100, std::uint64_t{floor_per_second_} * kBuckets);
}

bool RetryBudget::try_retry(Instant now) {
  if (!has_room(now)) return false;
  count_retry(now);
  return true;
}

void RetryBudget::count_retry(Instant now) {
  advance(now);
  ++buckets_[static_cast<std::size_t>(second_ % kBuckets)].retries;
  ++retries_;
}

}  // namespace leat::policy
