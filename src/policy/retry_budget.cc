// SPDX-License-Identifier: Apache-2.0
#include "policy/retry_budget.h"

#include <algorithm>

namespace leat::policy {

void RetryBudget::advance(Instant now) {
  const std::int64_t tick = now.ns / kTickNs;
  if (tick_ < 0 || tick - tick_ >= kBuckets) {
    buckets_.fill({});
    requests_ = retries_ = 0;
    tick_ = tick;
    return;
  }
  while (tick_ < tick) {
    ++tick_;
    requests_ -= bucket(tick_ - kRequestTicks + kBuckets).requests;
    retries_ -= bucket(tick_).retries;
    bucket(tick_) = {};
  }
}

void RetryBudget::count_request(Instant now) {
  advance(now);
  ++bucket(tick_).requests;
  ++requests_;
}

std::uint64_t RetryBudget::size() const {
  return std::max(requests_ * percent_max_ / 100, std::uint64_t{floor_per_second_} * kSeconds);
}

bool RetryBudget::has_room(Instant now) {
  advance(now);
  return retries_ < size();
}

bool RetryBudget::has_half(Instant now) {
  advance(now);
  return 2 * retries_ < size();
}

bool RetryBudget::try_retry(Instant now) {
  if (!has_room(now)) return false;
  count_retry(now);
  return true;
}

void RetryBudget::count_retry(Instant now) {
  advance(now);
  ++bucket(tick_).retries;
  ++retries_;
}

}  // namespace leat::policy
