// SPDX-License-Identifier: Apache-2.0
// HealthRing: what one shard saw of one endpoint. It keeps the last outcomes as they were (for
// people), what is waiting for its first token by age, and counts since the last take(). The shard
// that owns it calls started, first_token_came and ended for each attempt (a few nanoseconds each)
// and sends what take() returns to the HealthBoard every 250 ms, as plain bytes. No allocation, no
// clock: time is an argument.
//
//   started --> waiting --> first_token_came --> ended (success, or a failure after content)
//                  `-------------------------------> ended (failure before any content)
//
// A latency enters only by first_token_came: an endpoint that fails fast gains nothing by it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "base/instant.h"
#include "policy/measure_buckets.h"
#include "policy/outcome.h"

namespace leat::policy {

// What happened since the last one: sums, so that merging in any order and any grouping says the
// same. The two gauges travel as changes, whose sum over all shards is the gauge.
struct HealthSummary {
  std::uint32_t successes = 0;
  std::uint32_t failures = 0;
  std::uint32_t rate_limited = 0;
  std::uint32_t region = 0;
  std::uint32_t not_counted = 0;
  std::int32_t waiting_change = 0;  // of attempts without a first token
  // Of those that wait longer than is normal here; those cut for a faster one stay among them.
  std::int32_t overdue_change = 0;
  std::uint32_t first_tokens = 0;  // signs of life: whole answers too
  MeasureBuckets<std::uint16_t> first_token;
  MeasureBuckets<std::uint16_t> rate;

  void merge(const HealthSummary& other);
  bool is_empty() const { return *this == HealthSummary{}; }
  bool operator==(const HealthSummary&) const = default;
};
static_assert(std::is_trivially_copyable_v<HealthSummary>);

// Attempts that wait for their first token, counted by when they began. Exact for every threshold
// up to 127 s, to half a second; those that began before are one count.
class Waiting {
 public:
  void add(Instant started);
  // REQUIRES: added with the same instant before, and not removed since.
  void remove(Instant started);
  // How many began before now - age.
  std::uint32_t count_older(Instant now, Duration age);
  std::uint32_t count() const { return count_; }

 private:
  static constexpr std::int64_t kTickNs = 500'000'000;
  static constexpr std::int64_t kTicks = 256;
  static std::int64_t tick_of(Instant at) { return at.ns / kTickNs; }
  std::uint16_t& slot(std::int64_t tick) {
    return by_tick_[static_cast<std::size_t>(tick) % kTicks];
  }
  void advance(std::int64_t tick);

  std::array<std::uint16_t, kTicks> by_tick_{};
  std::uint32_t old_ = 0;
  std::uint32_t count_ = 0;
  std::int64_t newest_ = 0;
};

class HealthRing {
 public:
  static constexpr std::size_t kOutcomesMax = 16;

  void started(Instant now) {
    waiting_.add(now);
    ++gauge_waiting_;
  }
  // The first content of an attempt that began at `started`. At most once for each.
  void first_token_came(Instant started, Instant now);
  // Once for each started(). outcome.first_token is not kNoToken exactly if
  // first_token_came was called.
  void ended(const Outcome& outcome);
  // The end of an attempt that was never started() here: a whole answer, which shows no first token
  // and may take as long as it takes. Its success is a sign of life as a first token is.
  void ended_unwatched(const Outcome& outcome);

  // What happened since the last call. suspect_after: how long a wait is normal here (from the
  // board's view; see HealthBoard::suspect_after).
  HealthSummary take(Instant now, Duration suspect_after);

  // The last outcomes, newest first: index 0 is the newest. REQUIRES: index < outcomes().
  std::size_t outcomes() const { return outcomes_ < kOutcomesMax ? outcomes_ : kOutcomesMax; }
  const Outcome& outcome(std::size_t index) const;
  std::uint32_t waiting() const { return waiting_.count(); }

 private:
  void count(const Outcome& outcome);

  Waiting waiting_;
  HealthSummary since_;
  std::int32_t gauge_waiting_ = 0;  // change since the last take
  std::uint32_t overdue_told_ = 0;
  // Cut for a faster one, ever: each waited longer than is usual, and nobody will hear how long it
  // would have taken. Without them an endpoint that hangs looks well as long as hedges cover it.
  std::uint32_t outpaced_ = 0;
  std::size_t outcomes_ = 0;  // ever
  std::array<Outcome, kOutcomesMax> ring_{};
};

}  // namespace leat::policy
