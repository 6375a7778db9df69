// SPDX-License-Identifier: Apache-2.0
#include "base/histogram.h"

#include <algorithm>
#include <cmath>
#include <type_traits>

namespace leat {

static_assert(std::is_trivially_copyable_v<Histogram>);

void Histogram::merge(const Histogram& other) {
  for (std::size_t i = 0; i < kBuckets; ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  sum_ += other.sum_;
  max_ = std::max(max_, other.max_);
}

double Histogram::mean() const {
  return count_ == 0 ? 0 : static_cast<double>(sum_) / static_cast<double>(count_);
}

std::uint64_t Histogram::middle_of(std::size_t bucket) {
  if (bucket < kParts) return bucket;
  const std::size_t shift = bucket / kParts - 1;
  const std::uint64_t low = static_cast<std::uint64_t>(bucket - shift * kParts) << shift;
  return low + (std::uint64_t{1} << shift) / 2;
}

std::uint64_t Histogram::percentile(double share) const {
  if (count_ == 0) return 0;
  const double clamped = std::clamp(share, 0.0, 1.0);
  const auto rank = static_cast<std::uint64_t>(std::ceil(clamped * static_cast<double>(count_)));
  const std::uint64_t wanted = std::clamp<std::uint64_t>(rank, 1, count_);
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    seen += buckets_[i];
    if (seen >= wanted) return std::min(middle_of(i), max_);
  }
  return max_;
}

std::uint64_t Histogram::count_at_most(std::uint64_t value) const {
  const std::size_t last = bucket_of(std::min(value, kValueMax));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i <= last; ++i) seen += buckets_[i];
  return seen;
}

}  // namespace leat
