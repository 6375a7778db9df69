// SPDX-License-Identifier: Apache-2.0
// Goal: a percentile read from a histogram is within 1 % of the one that sorting all values gives,
// at every magnitude, after merging too. Method: edges by hand, random values against a sort.
#include "base/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "base/rng.h"

namespace leat {
namespace {

void expect_within_1_percent(std::uint64_t got, std::uint64_t exact) {
  EXPECT_LE(std::abs(static_cast<double>(got) - static_cast<double>(exact)),
            static_cast<double>(exact) * 0.01)
      << got << " for " << exact;
}

TEST(Histogram, IsEmptyAtFirst) {
  auto h = std::make_unique<Histogram>();
  EXPECT_EQ(h->count(), 0u);
  EXPECT_EQ(h->percentile(0.5), 0u);
  EXPECT_EQ(h->max(), 0u);
  EXPECT_EQ(h->mean(), 0.0);
}

TEST(Histogram, KeepsSmallValuesExactly) {
  auto h = std::make_unique<Histogram>();
  for (std::uint64_t v = 0; v < 128; ++v) h->record(v);
  for (std::uint64_t v = 0; v < 128; ++v) {
    EXPECT_EQ(h->percentile(static_cast<double>(v + 1) / 128), v);
    EXPECT_EQ(h->count_at_most(v), v + 1);
  }
}

TEST(Histogram, IsExactToOnePercentAroundEveryPowerOfTwo) {
  for (int bit = 7; bit < 42; ++bit) {
    for (const std::int64_t offset : {-1, 0, 1}) {
      const auto value = static_cast<std::uint64_t>((std::int64_t{1} << bit) + offset);
      auto h = std::make_unique<Histogram>();
      h->record(value);
      h->record(Histogram::kValueMax);  // else the answer is cut to the exact maximum
      expect_within_1_percent(h->percentile(0.5), value);
      EXPECT_EQ(h->count_at_most(value), 1u + (value == Histogram::kValueMax));
      EXPECT_EQ(h->count_at_most(value - value / 50), 0u);
    }
  }
}

TEST(Histogram, AgreesWithSortingAndWithMergingHalves) {
  Rng rng(42);
  auto whole = std::make_unique<Histogram>();
  auto left = std::make_unique<Histogram>();
  auto right = std::make_unique<Histogram>();
  std::vector<std::uint64_t> values;
  std::uint64_t sum = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::uint64_t value = rng.next() >> rng.between(23, 60);  // every magnitude alike
    values.push_back(value);
    sum += value;
    whole->record(value);
    (i % 3 == 0 ? left : right)->record(value);
  }
  left->merge(*right);
  std::sort(values.begin(), values.end());
  for (const double share : {0.0, 0.01, 0.5, 0.9, 0.99, 0.999, 0.9999, 1.0}) {
    const double rank = std::ceil(share * static_cast<double>(values.size()));
    const std::uint64_t exact = values[static_cast<std::size_t>(std::max(rank, 1.0)) - 1];
    expect_within_1_percent(whole->percentile(share), exact);
    EXPECT_EQ(left->percentile(share), whole->percentile(share));
  }
  EXPECT_EQ(left->count(), values.size());
  EXPECT_EQ(left->sum(), sum);
  EXPECT_EQ(left->max(), values.back());
  EXPECT_DOUBLE_EQ(left->mean(), static_cast<double>(sum) / 20'000);
}

TEST(Histogram, CountsWhatIsTooLargeAsTheLargest) {
  auto h = std::make_unique<Histogram>();
  h->record(UINT64_MAX);
  EXPECT_EQ(h->max(), Histogram::kValueMax);
  expect_within_1_percent(h->percentile(1.0), Histogram::kValueMax);
  EXPECT_EQ(h->count(), 1u);
}

TEST(Histogram, RecordsManyAtOnce) {
  auto h = std::make_unique<Histogram>();
  h->record_many(10, 99);
  h->record_many(50, 1);
  h->record_many(90, 0);
  EXPECT_EQ(h->count(), 100u);
  EXPECT_EQ(h->percentile(0.99), 10u);
  EXPECT_EQ(h->percentile(0.991), 50u);
  EXPECT_EQ(h->max(), 50u);
}

}  // namespace
}  // namespace leat
