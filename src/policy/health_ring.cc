// SPDX-License-Identifier: Apache-2.0
#include "policy/health_ring.h"

#include <algorithm>

#include "base/check.h"

namespace leat::policy {

void HealthSummary::merge(const HealthSummary& other) {
  successes += other.successes;
  failures += other.failures;
  rate_limited += other.rate_limited;
  region += other.region;
  not_counted += other.not_counted;
  waiting_change += other.waiting_change;
  overdue_change += other.overdue_change;
  first_tokens += other.first_tokens;
  first_token.merge(other.first_token);
  rate.merge(other.rate);
}

void Waiting::advance(std::int64_t tick) {
  if (tick - newest_ >= kTicks) {
    for (std::uint16_t& n : by_tick_) {
      old_ += n;
      n = 0;
    }
    newest_ = tick;
    return;
  }
  while (newest_ < tick) {
    std::uint16_t& reused = slot(++newest_);
    old_ += reused;
    reused = 0;
  }
}

void Waiting::add(Instant started) {
  const std::int64_t tick = tick_of(started);
  if (tick > newest_) advance(tick);
  ++count_;
  // A count that is full goes to the old ones: overdue early, which at this many it is.
  if (tick <= newest_ - kTicks || slot(tick) == UINT16_MAX) {
    ++old_;
  } else {
    ++slot(tick);
  }
}

void Waiting::remove(Instant started) {
  LEAT_CHECK(count_ > 0);
  --count_;
  const std::int64_t tick = tick_of(started);
  if (tick > newest_ - kTicks && slot(tick) > 0) {
    --slot(tick);
  } else if (old_ > 0) {
    --old_;
  }
}

std::uint32_t Waiting::count_older(Instant now, Duration age) {
  advance(tick_of(now));
  std::uint32_t older = old_;
  const std::int64_t last = std::min(tick_of(now - age) - 1, newest_);
  for (std::int64_t tick = newest_ - kTicks + 1; tick <= last; ++tick) {
    if (tick >= 0) older += slot(tick);
  }
  return older;
}

void HealthRing::first_token_came(Instant started, Instant now) {
  waiting_.remove(started);
  --gauge_waiting_;
  ++since_.first_tokens;
  // 65,535 in one take: more would only make the same percentiles.
  std::uint16_t& n = since_.first_token.counts[bucket_of_first_token(now - started)];
  if (n != UINT16_MAX) ++n;
}

void HealthRing::ended(const Outcome& outcome) {
  if (outcome.first_token == Outcome::kNoToken) {
    waiting_.remove(outcome.started);
    --gauge_waiting_;
  }
  count(outcome);
}

void HealthRing::ended_unwatched(const Outcome& outcome) {
  if (outcome.outcome == OutcomeClass::kSuccess) ++since_.first_tokens;
  count(outcome);
}

void HealthRing::count(const Outcome& outcome) {
  switch (outcome.outcome) {
    case OutcomeClass::kSuccess:
      ++since_.successes;
      break;
    case OutcomeClass::kFailure:
      ++since_.failures;
      break;
    case OutcomeClass::kRateLimited:
      ++since_.rate_limited;
      break;
    case OutcomeClass::kRegion:
      ++since_.region;
      break;
    case OutcomeClass::kNotCounted:
      ++since_.not_counted;
      break;
  }
  if (outcome.outcome == OutcomeClass::kSuccess && outcome.tokens_per_second > 0) {
    std::uint16_t& n = since_.rate.counts[bucket_of_rate(outcome.tokens_per_second)];
    if (n != UINT16_MAX) ++n;
  }
  if (outcome.fault == Fault::kOutpaced) ++outpaced_;
  ring_[outcomes_ % kOutcomesMax] = outcome;
  ++outcomes_;
}

HealthSummary HealthRing::take(Instant now, Duration suspect_after) {
  HealthSummary taken = since_;
  since_ = {};
  taken.waiting_change = gauge_waiting_;
  gauge_waiting_ = 0;
  const std::uint32_t overdue =
      outpaced_ + (waiting_.count() == 0 ? 0 : waiting_.count_older(now, suspect_after));
  taken.overdue_change = static_cast<std::int32_t>(overdue - overdue_told_);
  overdue_told_ = overdue;
  return taken;
}

const Outcome& HealthRing::outcome(std::size_t index) const {
  LEAT_CHECK(index < outcomes());
  return ring_[(outcomes_ - 1 - index) % kOutcomesMax];
}

}  // namespace leat::policy
