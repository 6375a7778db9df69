// SPDX-License-Identifier: Apache-2.0
// Goal: a bucket gives its burst at once and its rate after, whole amounts or nothing, and no
// number makes it give more. Method: chosen instants; then random takings held against the law of
// the bucket.
#include "policy/rate_bucket.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "base/rng.h"

namespace leat::policy {
namespace {

constexpr std::int64_t kHuge = std::numeric_limits<std::int64_t>::max();
constexpr Instant kBegin{1'000'000'000'000'000};

TEST(RateBucket, TheBurstAtOnceUnitByUnitOrWhole) {
  for (const std::int64_t limit : {1, 3, 7, 600, 70'000, 199'999}) {
    const Rate rate{.limit = limit, .burst = limit};
    RateBucket single;
    std::int64_t taken = 0;
    while (taken <= limit && single.try_take(rate, 1, kBegin)) ++taken;
    EXPECT_EQ(taken, limit);
    EXPECT_EQ(single.available(rate, kBegin), 0);
    RateBucket whole;
    EXPECT_EQ(whole.available(rate, kBegin), limit);
    EXPECT_FALSE(whole.try_take(rate, limit + 1, kBegin));
    EXPECT_TRUE(whole.try_take(rate, limit, kBegin));
    EXPECT_FALSE(whole.try_take(rate, 1, kBegin)) << limit;
  }
}

TEST(RateBucket, FillsAtItsRate) {
  const Rate rate{.limit = 600, .burst = 100};  // ten a second
  RateBucket bucket;
  EXPECT_TRUE(bucket.try_take(rate, 100, kBegin));
  EXPECT_EQ(bucket.fits_at(rate, 1, kBegin), kBegin + milliseconds(100));
  EXPECT_EQ(bucket.fits_at(rate, 25, kBegin), kBegin + milliseconds(2'500));
  EXPECT_EQ(bucket.full_at(kBegin), kBegin + seconds(10));
  EXPECT_FALSE(bucket.try_take(rate, 1, kBegin + nanoseconds(99'999'999)));
  EXPECT_EQ(bucket.available(rate, kBegin + milliseconds(2'500)), 25);
  EXPECT_FALSE(bucket.try_take(rate, 26, kBegin + milliseconds(2'500)));
  EXPECT_TRUE(bucket.try_take(rate, 25, kBegin + milliseconds(2'500)));
  EXPECT_EQ(bucket.available(rate, kBegin + seconds(3'600)), 100) << "never more than the burst";
}

TEST(RateBucket, GivesBackWhatWasNotUsed) {
  const Rate rate{.limit = 600, .burst = 600};
  RateBucket bucket;
  EXPECT_TRUE(bucket.try_take(rate, 600, kBegin));
  bucket.give_back(rate, 200, kBegin);
  EXPECT_EQ(bucket.available(rate, kBegin), 200);
  bucket.give_back(rate, kHuge, kBegin);
  EXPECT_EQ(bucket.available(rate, kBegin), 600) << "no fuller than full";
  bucket.give_back(rate, -5, kBegin);
  EXPECT_EQ(bucket.available(rate, kBegin), 600);
}

TEST(RateBucket, NothingFitsInNothing) {
  RateBucket bucket;
  const Rate none{};
  EXPECT_FALSE(bucket.try_take(none, 1, kBegin));
  EXPECT_EQ(bucket.available(none, kBegin), 0);
  EXPECT_EQ(bucket.fits_at(none, 1, kBegin), kNever);
  EXPECT_EQ(bucket.fits_at({.limit = 10, .burst = 10}, 11, kBegin), kNever);
  bucket.give_back(none, 1, kBegin);
}

TEST(RateBucket, HugeNumbersDoNotWrap) {
  const Rate rate{.limit = kHuge, .burst = kHuge};
  RateBucket bucket;
  EXPECT_TRUE(bucket.try_take(rate, kHuge / 2, kBegin));
  EXPECT_GE(bucket.available(rate, kBegin), 0);
  const Rate slow{.limit = 1, .window = seconds(86'400 * 365), .burst = kHuge};
  RateBucket old;
  for (int i = 0; i < 10; ++i) old.try_take(slow, kHuge, kBegin);
  EXPECT_GE(old.available(slow, kBegin), 0);
  EXPECT_FALSE(old.try_take(slow, kHuge, kBegin));
}

// Between any two instants no more is given than the burst and what the rate brought.
TEST(RateBucket, KeepsItsLawUnderRandomTakings) {
  Rng rng(3);
  for (int round = 0; round < 100; ++round) {
    const std::int64_t limit = rng.between(1, 5'000);
    const Rate rate{.limit = limit, .burst = rng.between(1, limit)};
    RateBucket bucket;
    std::vector<std::pair<Instant, std::int64_t>> taken;
    Instant now = kBegin;
    for (int i = 0; i < 100; ++i) {
      now = now + milliseconds(rng.between(0, 3'000));
      const std::int64_t amount = rng.between(1, rate.burst);
      const bool fits = bucket.available(rate, now) >= amount;
      ASSERT_EQ(bucket.try_take(rate, amount, now), fits);
      if (fits) taken.emplace_back(now, amount);
    }
    for (std::size_t from = 0; from < taken.size(); ++from) {
      double sum = 0;
      for (std::size_t to = from; to < taken.size(); ++to) {
        sum += static_cast<double>(taken[to].second);
        const double time = (taken[to].first - taken[from].first).seconds();
        const double law = static_cast<double>(rate.burst) + time * static_cast<double>(limit) / 60;
        ASSERT_LE(sum, law + 0.001);
      }
    }
  }
}

}  // namespace
}  // namespace leat::policy
