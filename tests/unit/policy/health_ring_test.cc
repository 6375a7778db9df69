// SPDX-License-Identifier: Apache-2.0
// Goal: what a shard tells of an endpoint is what happened there: the right class, latencies of
// content only, the age of what waits. Method: attempts at chosen instants; percentiles against a
// sort; random attempts against a plain model.
#include "policy/health_ring.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "base/rng.h"

namespace leat::policy {
namespace {

constexpr Instant kBegin{5'000'000'000'000};

TEST(Outcome, WhatCountsAgainstAnEndpoint) {
  for (const int status : {401, 402, 404, 408, 424, 498, 500, 502, 503, 504, 520, 529, 302, 0}) {
    EXPECT_EQ(class_of_status(status), OutcomeClass::kFailure) << status;
  }
  for (const int status : {400, 409, 413, 422, 499}) {
    EXPECT_EQ(class_of_status(status), OutcomeClass::kNotCounted) << status;
  }
  EXPECT_EQ(class_of_status(429), OutcomeClass::kRateLimited);
  EXPECT_EQ(class_of_status(403), OutcomeClass::kRegion);
  EXPECT_EQ(class_of_status(200), OutcomeClass::kSuccess);
  EXPECT_EQ(class_of_status(299), OutcomeClass::kSuccess);
}

TEST(MeasureBuckets, APercentileIsNearTheExactOne) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Rng rng(seed);
    std::vector<double> values;
    MeasureBuckets<std::uint32_t> buckets;
    for (int i = 0; i < 2'000; ++i) {
      const Duration took = milliseconds(rng.between(20, 4'000));
      values.push_back(took.seconds());
      buckets.record(bucket_of_first_token(took));
    }
    std::ranges::sort(values);
    for (const double share : {0.5, 0.75, 0.9, 0.99}) {
      const double exact = values[static_cast<std::size_t>(share * 2'000) - 1];
      EXPECT_NEAR(percentile(buckets, share, kFirstTokenUnit), exact, exact * 0.12) << share;
    }
  }
}

TEST(MeasureBuckets, BucketsRiseWithTheValueAndHoldTheExtremes) {
  std::size_t last = 0;
  for (std::uint64_t v = 0; v < 200'000; v += 1 + v / 64) {
    const std::size_t bucket = measure_bucket(v);
    EXPECT_GE(bucket, last);
    EXPECT_LE(bucket, last + 1);
    last = bucket;
  }
  EXPECT_EQ(last, kMeasureBuckets - 1);
  EXPECT_EQ(bucket_of_first_token(Duration{-5}), 0u);
  EXPECT_EQ(bucket_of_first_token(seconds(100'000)), kMeasureBuckets - 1);
  EXPECT_EQ(bucket_of_rate(1e30f), kMeasureBuckets - 1);
  EXPECT_EQ(bucket_of_rate(-1), 0u);
  EXPECT_EQ(bucket_of_rate(0.0f / 0.0f), 0u);
}

TEST(MeasureBuckets, NothingRecordedIsZero) {
  EXPECT_EQ(percentile({}, 0.99, 1), 0.0);
}

TEST(HealthRing, TellsEachThingOnce) {
  HealthRing ring;
  ring.started(kBegin);
  ring.first_token_came(kBegin, kBegin + milliseconds(300));
  ring.ended({.started = kBegin,
              .ended = kBegin + seconds(2),
              .first_token = milliseconds(300),
              .tokens_per_second = 50,
              .status = 200,
              .outcome = OutcomeClass::kSuccess});
  const HealthSummary told = ring.take(kBegin + seconds(2), seconds(60));
  EXPECT_EQ(told.successes, 1u);
  EXPECT_EQ(told.first_tokens, 1u);
  EXPECT_EQ(told.failures + told.rate_limited + told.region + told.not_counted, 0u);
  EXPECT_EQ(told.first_token.counts[bucket_of_first_token(milliseconds(300))], 1u);
  EXPECT_EQ(told.rate.counts[bucket_of_rate(50)], 1u);
  EXPECT_TRUE(ring.take(kBegin + seconds(2), seconds(60)).is_empty());
}

// The fast refusal: it must never look quick.
TEST(HealthRing, AFailureHasNoLatencyAndNoRate) {
  HealthRing ring;
  for (const OutcomeClass outcome : {OutcomeClass::kFailure, OutcomeClass::kRateLimited,
                                     OutcomeClass::kRegion, OutcomeClass::kNotCounted}) {
    ring.started(kBegin);
    ring.ended({.started = kBegin,
                .ended = kBegin + milliseconds(1),
                .tokens_per_second = 9'999,
                .outcome = outcome});
  }
  const HealthSummary told = ring.take(kBegin + milliseconds(1), seconds(60));
  EXPECT_EQ(told.failures, 1u);
  EXPECT_EQ(told.rate_limited, 1u);
  EXPECT_EQ(told.region, 1u);
  EXPECT_EQ(told.not_counted, 1u);
  EXPECT_EQ(told.first_tokens, 0u);
  EXPECT_EQ(told.waiting_change, 0);
  EXPECT_EQ(told.first_token, MeasureBuckets<std::uint16_t>{});
  EXPECT_EQ(told.rate, MeasureBuckets<std::uint16_t>{});
}

TEST(HealthRing, WhatWaitsTooLongIsToldWhileItWaits) {
  HealthRing ring;
  for (int i = 0; i < 4; ++i) ring.started(kBegin);
  HealthSummary told = ring.take(kBegin + milliseconds(900), seconds(1));
  EXPECT_EQ(told.waiting_change, 4);
  EXPECT_EQ(told.overdue_change, 0);
  told = ring.take(kBegin + milliseconds(1'600), seconds(1));
  EXPECT_EQ(told.waiting_change, 0);
  EXPECT_EQ(told.overdue_change, 4);
  ring.first_token_came(kBegin, kBegin + seconds(2));
  ring.ended({.started = kBegin, .outcome = OutcomeClass::kFailure});
  told = ring.take(kBegin + seconds(2), seconds(1));
  EXPECT_EQ(told.waiting_change, -2);
  EXPECT_EQ(told.overdue_change, -2);
}

TEST(HealthRing, WhatWasCutForAFasterOneStaysOverdue) {
  HealthRing ring;
  const Instant begin{5'000'000'000};
  for (int i = 0; i < 3; ++i) {
    ring.started(begin);
    ring.ended({.started = begin,
                .ended = begin + milliseconds(300),
                .outcome = OutcomeClass::kNotCounted,
                .fault = i < 2 ? Fault::kOutpaced : Fault::kOurs});
  }
  HealthSummary told = ring.take(begin + seconds(1), seconds(60));
  EXPECT_EQ(told.overdue_change, 2) << "and not the one that was itself the faster one's rival";
  EXPECT_EQ(told.waiting_change, 0);
  told = ring.take(begin + seconds(100), seconds(60));
  EXPECT_EQ(told.overdue_change, 0);
}

TEST(HealthRing, AnAnswerWithinTheSameInstantIsAnAnswer) {
  HealthRing ring;
  ring.started(kBegin);
  ring.first_token_came(kBegin, kBegin);
  ring.ended({.started = kBegin, .first_token = {0}, .outcome = OutcomeClass::kSuccess});
  EXPECT_EQ(ring.waiting(), 0u);
  EXPECT_EQ(ring.take(kBegin, seconds(1)).successes, 1u);
}

TEST(HealthRing, KeepsTheLastOutcomesNewestFirst) {
  HealthRing ring;
  EXPECT_EQ(ring.outcomes(), 0u);
  for (std::uint16_t i = 1; i <= 20; ++i) {
    ring.started(kBegin);
    ring.ended({.started = kBegin, .status = i, .outcome = OutcomeClass::kFailure});
  }
  ASSERT_EQ(ring.outcomes(), HealthRing::kOutcomesMax);
  EXPECT_EQ(ring.outcome(0).status, 20);
  EXPECT_EQ(ring.outcome(15).status, 5);
}

// Half a second of doubt: never fewer than those that are older by that much more, never more than
// those that are as old.
TEST(Waiting, AgesAreThoseOfAPlainList) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Rng rng(seed);
    Waiting waiting;
    std::vector<Instant> plain;
    Instant now = kBegin;
    for (int i = 0; i < 2'000; ++i) {
      now = now + milliseconds(rng.between(0, 200));
      if (plain.empty() || rng.chance(0.55)) {
        waiting.add(now);
        plain.push_back(now);
      } else {
        const auto at = static_cast<std::ptrdiff_t>(rng.below(plain.size()));
        waiting.remove(plain[static_cast<std::size_t>(at)]);
        plain.erase(plain.begin() + at);
      }
      const Duration age = milliseconds(rng.between(0, 127'000));
      const auto older = [&](Duration than) {
        return std::ranges::count_if(plain, [&](Instant t) { return t < now - than; });
      };
      const std::uint32_t told = waiting.count_older(now, age);
      ASSERT_LE(told, older(age)) << seed;
      ASSERT_GE(told, older(age + milliseconds(500))) << seed;
      ASSERT_EQ(waiting.count(), plain.size());
    }
  }
}

TEST(Waiting, NothingIsLostOverALongSilence) {
  Waiting waiting;
  waiting.add(kBegin);
  waiting.add(kBegin + seconds(500));
  EXPECT_EQ(waiting.count_older(kBegin + seconds(501), seconds(10)), 1u);
  waiting.remove(kBegin);
  EXPECT_EQ(waiting.count_older(kBegin + seconds(520), seconds(10)), 1u);
  waiting.remove(kBegin + seconds(500));
  EXPECT_EQ(waiting.count(), 0u);
  EXPECT_EQ(waiting.count_older(kBegin + seconds(9'000), seconds(1)), 0u);
}

}  // namespace
}  // namespace leat::policy
