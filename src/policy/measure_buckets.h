// SPDX-License-Identifier: Apache-2.0
// MeasureBuckets: how first-token times or token rates were distributed, in 64 counts, small enough
// for one of each in every window of every endpoint (base/histogram.h is 36 KiB). Four buckets to a
// power of two; a percentile is placed inside its bucket in proportion, so it is within 25 % of the
// exact one at worst and within 12 % where values spread. Plain data: adding two is adding counts,
// so the order in which shards are merged never matters.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "base/instant.h"

namespace leat::policy {

inline constexpr std::size_t kMeasureBuckets = 64;

// The value is in units of the measure; those above 2^17 - 1 count as that.
constexpr std::size_t measure_bucket(std::uint64_t units) {
  constexpr std::uint64_t kUnitsMax = (std::uint64_t{1} << 17) - 1;
  if (units > kUnitsMax) units = kUnitsMax;
  if (units < 4) return static_cast<std::size_t>(units);
  const int shift = std::bit_width(units) - 3;  // units >> shift is in [4, 8)
  return static_cast<std::size_t>(shift) * 4 + static_cast<std::size_t>(units >> shift);
}

// First-token times in units of 1.05 ms (2^20 ns), so up to 137 s, without a division.
constexpr std::size_t bucket_of_first_token(Duration d) {
  return measure_bucket(d.ns <= 0 ? 0 : static_cast<std::uint64_t>(d.ns) >> 20);
}
inline constexpr double kFirstTokenUnit = 1048576e-9;  // seconds

// Token rates in units of 1/8 token a second, so up to 16,384 a second.
constexpr std::size_t bucket_of_rate(float tokens_per_second) {
  if (!(tokens_per_second > 0)) return 0;
  if (tokens_per_second >= 16'384) return kMeasureBuckets - 1;
  return measure_bucket(static_cast<std::uint64_t>(tokens_per_second * 8));
}
inline constexpr double kRateUnit = 0.125;  // tokens a second

template <class Count>
struct MeasureBuckets {
  std::array<Count, kMeasureBuckets> counts{};

  void record(std::size_t bucket) { ++counts[bucket]; }
  template <class Other>
  void merge(const MeasureBuckets<Other>& other) {
    for (std::size_t i = 0; i < kMeasureBuckets; ++i) {
      counts[i] = static_cast<Count>(counts[i] + other.counts[i]);
    }
  }
  std::uint64_t count() const {
    std::uint64_t sum = 0;
    for (const Count n : counts) sum += n;
    return sum;
  }
  bool operator==(const MeasureBuckets&) const = default;
};

// The value, in the measure's own unit times `unit`, that `share` of the recorded ones do not
// exceed; 0 if nothing was recorded. share is in [0, 1].
double percentile(const MeasureBuckets<std::uint32_t>& buckets, double share, double unit);

}  // namespace leat::policy
