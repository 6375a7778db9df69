// SPDX-License-Identifier: Apache-2.0
#include "policy/measure_buckets.h"

#include <algorithm>

namespace leat::policy {
namespace {

std::uint64_t lower_bound_of(std::size_t bucket) {
  if (bucket < 8) return bucket;
  const std::size_t shift = bucket / 4 - 1;
  return static_cast<std::uint64_t>(4 + bucket % 4) << shift;
}

}  // namespace

double percentile(const MeasureBuckets<std::uint32_t>& buckets, double share, double unit) {
  const std::uint64_t total = buckets.count();
  if (total == 0) return 0;
  const double rank = std::clamp(share, 0.0, 1.0) * static_cast<double>(total);
  double below = 0;
  double value = 0;
  for (std::size_t i = 0; i < kMeasureBuckets; ++i) {
    const double here = buckets.counts[i];
    if (here == 0) continue;
    const auto low = static_cast<double>(lower_bound_of(i));
    const auto high = static_cast<double>(lower_bound_of(i + 1));
    value = low + (high - low) * std::min(1.0, std::max(0.0, rank - below) / here);
    below += here;
    if (below >= rank) break;
  }
  return value * unit;
}

}  // namespace leat::policy
