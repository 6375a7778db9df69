// SPDX-License-Identifier: Apache-2.0
// EndpointWindows: what all shards together saw of one endpoint, in sliding windows: outcomes of 30
// seconds, outcomes and distributions of 5 and 30 minutes, outcomes of a day. A window is a row of
// slots; the oldest leaves whole, so "5 minutes" is between 4 and 5. Plain data, 6 KiB; time is an
// argument. Part of HealthBoard.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "base/instant.h"
#include "policy/health_ring.h"
#include "policy/health_view.h"
#include "policy/measure_buckets.h"

namespace leat::policy {

// What counts for uptime: successes over successes and failures.
struct Counts {
  std::uint32_t successes = 0;
  std::uint32_t failures = 0;
  std::uint64_t counted() const { return std::uint64_t{successes} + failures; }
  void merge(const Counts& other) {
    successes += other.successes;
    failures += other.failures;
  }
  bool operator==(const Counts&) const = default;
};

struct Distributions {
  Counts counts;
  std::uint32_t rate_limited = 0;
  MeasureBuckets<std::uint32_t> first_token;
  MeasureBuckets<std::uint32_t> rate;
  void merge(const Distributions& other) {
    counts.merge(other.counts);
    rate_limited += other.rate_limited;
    first_token.merge(other.first_token);
    rate.merge(other.rate);
  }
  bool operator==(const Distributions&) const = default;
};

template <class Slot, std::int64_t kSlots, std::int64_t kSlotSeconds>
class SlotWindow {
 public:
  static constexpr std::int64_t kCount = kSlots;
  static constexpr Duration kWidth = leat::seconds(kSlotSeconds);

  // The slot that `at` falls into, or null if that is older than the window.
  Slot* slot_at(Instant at) {
    const std::int64_t number = number_of(at);
    if (newest_ == kNone || number - newest_ >= kSlots) {
      slots_.fill({});
      newest_ = number;
    }
    while (newest_ < number) slots_[index_of(++newest_)] = {};
    return number > newest_ - kSlots ? &slots_[index_of(number)] : nullptr;
  }
  Slot sum(Instant now) const {
    Slot total;
    for_each(now, [&](Instant, const Slot& slot) { total.merge(slot); });
    return total;
  }
  // visit(begin of the slot, slot), oldest first, those within the window at `now`.
  template <class Visit>
  void for_each(Instant now, Visit visit) const {
    if (newest_ == kNone) return;
    const std::int64_t oldest = std::max(number_of(now), newest_) - kSlots + 1;
    for (std::int64_t n = oldest; n <= newest_; ++n) {
      visit(Instant{n * kWidth.ns}, slots_[index_of(n)]);
    }
  }

 private:
  static constexpr std::int64_t kNone = INT64_MIN;
  // Rounds down below zero too: what a restart brings back may lie before the clock's beginning.
  static std::int64_t number_of(Instant at) {
    return at.ns / kWidth.ns - (at.ns % kWidth.ns < 0 ? 1 : 0);
  }
  static std::size_t index_of(std::int64_t number) {
    return static_cast<std::size_t>((number % kSlots + kSlots) % kSlots);
  }

  std::array<Slot, kSlots> slots_{};
  std::int64_t newest_ = kNone;
};

struct EndpointWindows {
  SlotWindow<Counts, 10, 3> half_minute;
  SlotWindow<Distributions, 5, 60> five_minutes;
  SlotWindow<Distributions, 6, 300> half_hour;
  SlotWindow<Counts, 24, 3600> day;

  void merge(const HealthSummary& summary, Instant now);
};

// Successes over what counted, in thousandths; kUptimeUnknown below 100 requests
// (openrouter-api.md 2.6).
std::int16_t uptime_permille(const Counts& counts);
// In seconds.
Percentiles first_token_percentiles(const Distributions& of);
// In tokens a second. kP90 is what nine in ten requests reach: a higher percentile is a lower rate,
// as `preferred_min_throughput` means it.
Percentiles rate_percentiles(const Distributions& of);

}  // namespace leat::policy
