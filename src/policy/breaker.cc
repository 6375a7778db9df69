// SPDX-License-Identifier: Apache-2.0
#include "policy/breaker.h"

#include <algorithm>

#include "base/check.h"

namespace leat::policy {

void Breaker::advance(Instant now) {
  const std::int64_t tick = now.ns / kSlotNs;
  if (tick_ < 0 || tick - tick_ >= kSlots) {
    slots_.fill({});
    tick_ = tick;
    return;
  }
  while (tick_ < tick) slots_[static_cast<std::size_t>(++tick_ % kSlots)] = {};
}

bool Breaker::is_starting(Instant now) const {
  return phase_ == Phase::kClosed && has_recovered_ && now - recovered_at_ < limits_.slow_start;
}

void Breaker::open(Instant now) {
  const bool is_again = phase_ == Phase::kHalfOpen || is_starting(now);
  phase_ = Phase::kOpen;
  open_time_ = std::min(is_again ? open_time_ * 2 : limits_.open_first, limits_.open_max);
  open_until_ = now + open_time_;
}

void Breaker::close(Instant now) {
  phase_ = Phase::kClosed;
  has_recovered_ = true;
  recovered_at_ = now;
  slots_.fill({});
  tick_ = -1;
}

void Breaker::record(Instant now, std::uint32_t first_tokens, std::uint32_t failures) {
  if (phase_ == Phase::kHalfOpen) {
    // Older attempts may end now too: a failure among them costs one more open time, no more.
    if (failures > 0) {
      open(now);
    } else if (first_tokens > 0) {
      close(now);
    }
    return;
  }
  if (phase_ == Phase::kOpen) return;
  advance(now);
  Slot& slot = slots_[static_cast<std::size_t>(tick_ % kSlots)];
  slot.first_tokens += first_tokens;
  slot.failures += failures;
  if (failures > 0 && fails_lately()) open(now);
}

// In the last half second, or the last second, or ... the last ten: the busier the endpoint is, the
// sooner is known that it is down, and what went well there before does not hide it.
bool Breaker::fails_lately() const {
  std::uint64_t good = 0;
  std::uint64_t bad = 0;
  for (std::int64_t age = 0; age < kSlots; ++age) {
    const Slot& slot = slots_[static_cast<std::size_t>((tick_ - age + kSlots) % kSlots)];
    good += slot.first_tokens;
    bad += slot.failures;
    if (bad >= limits_.failures && bad >= good) return true;
  }
  return false;
}

void Breaker::trip(Instant now) {
  if (phase_ == Phase::kClosed) open(now);
}

void Breaker::begin_probe(Instant now) {
  LEAT_CHECK(state(now) == BreakerState::kProbe);
  phase_ = Phase::kHalfOpen;
  probe_until_ = now + limits_.probe_max;
}

BreakerState Breaker::state(Instant now) const {
  switch (phase_) {
    case Phase::kClosed:
      return BreakerState::kClosed;
    case Phase::kOpen:
      return now < open_until_ ? BreakerState::kOpen : BreakerState::kProbe;
    case Phase::kHalfOpen:
      return now < probe_until_ ? BreakerState::kHalfOpen : BreakerState::kProbe;
  }
  LEAT_UNREACHABLE("a phase without a case");
}

std::uint16_t Breaker::weight_permille(Instant now) const {
  if (!is_starting(now)) return 1'000;
  const std::int64_t passed = (now - recovered_at_).ns;
  const std::int64_t rest = 1'000 - limits_.start_permille;
  return static_cast<std::uint16_t>(limits_.start_permille +
                                    rest * (passed / 1'000) / limits_.slow_start.us());
}

}  // namespace leat::policy
