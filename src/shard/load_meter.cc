// SPDX-License-Identifier: Apache-2.0
#include "shard/load_meter.h"

#include <algorithm>

namespace leat::shard {

namespace {

// A window holds enough completions to tell the two rates apart, and passes quickly enough for a
// burst to be over before it is taken for load.
constexpr Duration kWindow = milliseconds(16);
// Completions per second. A completion costs 8 to 12 us with the send that answers it (engine.md
// 0), so these are about a fifth and an eighth of a core.
constexpr std::uint64_t kBusyRate = 30'000;
constexpr std::uint64_t kCalmRate = 26'000;

// Lag is taken over one to two spans: long enough for a loop that has room to catch up with a
// hiccup, or with a burst that is better served a little late than refused; short enough to act
// before a backlog has grown by much. A turn may be longer than a span.
constexpr Duration kSpan = milliseconds(50);
constexpr std::uint32_t kSpanTurns = 3;
// Turns this far apart are asked whether they were late, and by such a probe.
constexpr Duration kLongTurn = milliseconds(2);
constexpr Duration kProbe = milliseconds(1);
// A late turn after fewer completions than these counts for as much less: little work waited, and
// who is descheduled with nothing to do is not overloaded.
constexpr std::uint64_t kWorkThatWaits = 8;
// Turns that the time of a completion is a mean of.
constexpr std::int64_t kTimesSmoothed = 16;

}  // namespace

Instant LoadMeter::probe_by() const {
  // In the spans of lag all are asked after a long one: one that was not would be the least.
  const bool asks = counted_at_ - long_at_ < kSpan * 2 && in_turn_ > 1;
  return asks ? counted_at_ + kProbe : kNever;
}

Duration LoadMeter::lateness(Instant now, Duration waited) const {
  if (now <= counted_at_) return late_;
  const Duration late = std::max(now - wake_by_, Duration{});
  const auto weight = static_cast<std::int64_t>(std::min(in_turn_, kWorkThatWaits));
  return std::max(waited, {late.ns / static_cast<std::int64_t>(kWorkThatWaits) * weight});
}

void LoadMeter::note_lateness(Instant now, Duration waited) {
  late_ = lateness(now, waited);
  least_ = std::min(least_, late_);
  ++span_turns_;
  if (span_turns_ < kSpanTurns || now - span_begin_ < kSpan) return;
  least_before_ = least_;
  least_ = kSpanEmpty;
  span_turns_ = 0;
  span_begin_ = now;
}

void LoadMeter::count(Instant now, std::uint64_t completions, Duration waited) {
  note_lateness(now, waited);
  interval_ = now - counted_at_;
  if (completions >= kWorkThatWaits) {
    const Duration each{interval_.ns / static_cast<std::int64_t>(completions)};
    completion_time_.ns += (each - completion_time_).ns / kTimesSmoothed;
  }
  counted_at_ = now;
  if (interval_ >= kLongTurn) long_at_ = now;
  in_turn_ = completions;
  in_window_ += completions;
  const Duration passed = now - window_begin_;
  if (passed < kWindow) return;
  const auto rate = in_window_ * 1'000'000'000 / static_cast<std::uint64_t>(passed.ns);
  is_busy_ = rate >= (is_busy_ ? kCalmRate : kBusyRate);
  window_begin_ = now;
  in_window_ = 0;
}

}  // namespace leat::shard
