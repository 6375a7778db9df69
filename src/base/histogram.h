// SPDX-License-Identifier: Apache-2.0
// Histogram: how a quantity was distributed, in fixed memory (36 KiB), for percentiles that can be
// trusted. Log-linear buckets, in the manner of HdrHistogram: values below 128 have a bucket each,
// above that every power of two is cut into 128 equal parts, so that a reported value is within 1 %
// of a recorded one. One owner writes it; it is plain data and may be copied, sent in a message,
// and merged into another. It knows no unit: latencies are recorded in nanoseconds as a rule.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace leat {

class Histogram {
 public:
  // Greater values count as this one: 73 minutes in nanoseconds.
  static constexpr std::uint64_t kValueMax = (std::uint64_t{1} << 42) - 1;

  void record(std::uint64_t value) { record_many(value, 1); }
  void record_many(std::uint64_t value, std::uint64_t times) {
    value = value < kValueMax ? value : kValueMax;
    buckets_[bucket_of(value)] += times;
    count_ += times;
    sum_ += value * times;
    if (times != 0 && value > max_) max_ = value;
  }

  // Adds what the other one recorded.
  void merge(const Histogram& other);

  std::uint64_t count() const { return count_; }
  std::uint64_t sum() const { return sum_; }
  // The greatest recorded value, exactly.
  std::uint64_t max() const { return max_; }
  double mean() const;

  // The smallest value v such that `share` of the recorded ones are <= v, to within 1 %; never
  // above max(). 0 if nothing was recorded. share is clamped to [0, 1]: 0.5 is the median.
  std::uint64_t percentile(double share) const;

  // How many recorded values are <= value, to within the width of value's bucket.
  std::uint64_t count_at_most(std::uint64_t value) const;

 private:
  static constexpr int kPartBits = 7;  // 128 parts: half a bucket's width is 0.4 % of its value
  static constexpr std::size_t kParts = std::size_t{1} << kPartBits;
  static constexpr std::size_t kBuckets = kParts * (42 - kPartBits + 1);

  static std::size_t bucket_of(std::uint64_t value) {
    if (value < kParts) return static_cast<std::size_t>(value);
    const int shift = std::bit_width(value) - 1 - kPartBits;  // value >> shift is in [128, 256)
    return static_cast<std::size_t>(shift) * kParts + static_cast<std::size_t>(value >> shift);
  }
  // The value that stands for a bucket: its middle.
  static std::uint64_t middle_of(std::size_t bucket);

  std::array<std::uint64_t, kBuckets> buckets_{};
  std::uint64_t count_ = 0;
  std::uint64_t sum_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace leat
