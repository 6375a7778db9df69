// SPDX-License-Identifier: Apache-2.0
#include "policy/rate_memory.h"

#include <algorithm>

namespace leat::policy {
namespace {

// The longest wait that is believed: a provider that says "next month" is asked again hourly.
constexpr Duration kWaitMax = seconds(3'600);
// A remaining count without a reset is believed for so long.
constexpr Duration kResetUnknown = seconds(60);
// A 429 that says no time: 1 s, doubled for each in a row, up to 64 s.
constexpr std::uint8_t kDoublingsMax = 6;

}  // namespace

Duration RateMemory::wait_of_refusal(const RateNotice& notice, Instant now) {
  if (notice.retry_after) return *notice.retry_after;
  Duration wait{0};
  for (const RateNotice::Quantity& q : notice.quantities) {
    if (q.remaining == 0u && q.reset) wait = std::max(wait, *q.reset);
  }
  if (wait.ns > 0) return wait;
  // It was asked before the first of them was known: all of that moment count as one.
  if (is_limited(now)) return {};
  wait = seconds(std::int64_t{1} << refusals_);
  refusals_ = std::min<std::uint8_t>(static_cast<std::uint8_t>(refusals_ + 1), kDoublingsMax);
  return wait;
}

void RateMemory::note_reply(int status, const RateNotice& notice, Instant now) {
  Instant until{0};
  for (std::size_t i = 0; i < kRateQuantities; ++i) {
    const RateNotice::Quantity& said = notice.quantities[i];
    if (!said.remaining) continue;
    Quantity& quantity = quantities_[i];
    const Duration reset = said.reset.value_or(kResetUnknown);
    quantity.until = now + reset;
    if (said.limit && *said.limit > 0) {
      quantity.left = static_cast<float>(
          std::min(1.0, static_cast<double>(*said.remaining) / static_cast<double>(*said.limit)));
    } else {
      quantity.left = *said.remaining > 0 ? 1.0f : 0.0f;
    }
    // The answer that took the last of it. Without a reset there is no word of when it is back.
    if (*said.remaining == 0 && said.reset) until = std::max(until, now + reset);
  }
  if (status == 429) {
    until = std::max(until, now + wait_of_refusal(notice, now));
  } else if (status == 503 || status == 529 || status == 498) {
    // Overload is the breaker's matter, except where it says how long.
    if (notice.retry_after) until = std::max(until, now + *notice.retry_after);
  } else if (status >= 200 && status < 300) {
    refusals_ = 0;
  }
  // Never earlier than said before: replies of requests sent earlier arrive later.
  limited_until_ = std::max(limited_until_, std::min(until, now + kWaitMax));
}

double RateMemory::headroom(Instant now) const {
  if (is_limited(now)) return 0;
  float least = 1;
  for (const Quantity& q : quantities_) {
    if (now < q.until) least = std::min(least, q.left);
  }
  return least;
}

}  // namespace leat::policy
