// SPDX-License-Identifier: Apache-2.0
// Goal: the merged health of an endpoint is what one shard would have seen of all its attempts, and
// says in time that it is out, hung, slow or back. Method: random attempts split over shards; each
// rule at chosen instants.
#include "policy/health_board.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <vector>

#include "base/rng.h"

namespace leat::policy {
namespace {

constexpr Instant kBegin{7'200'000'000'000};  // two hours after the clock's beginning

HealthSummary failures(std::uint32_t n) {
  HealthSummary s;
  s.failures = n;
  return s;
}

HealthSummary answers(std::uint32_t n, Duration first_token = milliseconds(200)) {
  HealthSummary s;
  s.successes = s.first_tokens = n;
  s.first_token.counts[bucket_of_first_token(first_token)] = static_cast<std::uint16_t>(n);
  return s;
}

HealthSummary overdue(std::int32_t n) {
  HealthSummary s;
  s.waiting_change = s.overdue_change = n;
  return s;
}

EndpointHealth view_of(HealthBoard& board, Instant now) {
  board.refresh(now);
  std::vector<EndpointHealth> views(board.endpoints());
  board.fill_view(0, 1, views);
  return views[0];
}

void expect_same(const EndpointHealth& a, const EndpointHealth& b) {
  EXPECT_EQ(a.breaker, b.breaker);
  EXPECT_EQ(a.recent_outage, b.recent_outage);
  EXPECT_EQ(a.uptime_permille, b.uptime_permille);
  EXPECT_EQ(a.weight_permille, b.weight_permille);
  EXPECT_EQ(a.latency_s, b.latency_s);
  EXPECT_EQ(a.throughput, b.throughput);
}

// One random attempt, told to the ring of one shard and to the ring that sees all.
void attempt(Rng& rng, HealthRing& one, HealthRing& all, Instant now) {
  const Duration took = milliseconds(rng.between(1, 3'000));
  const bool has_token = rng.chance(0.8);
  const Outcome outcome{
      .started = now - took,
      .ended = now,
      .first_token = has_token ? took : Outcome::kNoToken,
      .tokens_per_second = static_cast<float>(rng.between(1, 300)),
      .outcome = has_token ? OutcomeClass::kSuccess : static_cast<OutcomeClass>(rng.between(1, 4)),
  };
  for (HealthRing* ring : {&one, &all}) {
    ring->started(outcome.started);
    if (has_token) ring->first_token_came(outcome.started, now);
    ring->ended(outcome);
  }
}

TEST(HealthBoard, ShardsMergedSayWhatOneShardSeeingAllSays) {
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    Rng rng(seed);
    std::array<HealthRing, 4> shards;
    HealthRing all;
    HealthBoard merged(1);
    HealthBoard alone(1);
    Instant now = kBegin;
    for (int round = 0; round < 400; ++round) {
      now = now + milliseconds(rng.between(100, 2'000));
      for (auto n = rng.below(8); n > 0; --n) attempt(rng, shards[rng.below(4)], all, now);
      HealthSummary together;
      for (HealthRing& shard : shards) together.merge(shard.take(now, seconds(60)));
      merged.merge(0, together, now);
      alone.merge(0, all.take(now, seconds(60)), now);
      expect_same(view_of(merged, now), view_of(alone, now));
    }
    const HealthReport a = merged.report(0, now);
    const HealthReport b = alone.report(0, now);
    EXPECT_EQ(a.latency_s_30m, b.latency_s_30m);
    EXPECT_EQ(a.throughput_30m, b.throughput_30m);
    EXPECT_EQ(a.uptime_permille_1d, b.uptime_permille_1d);
    EXPECT_EQ(a.rate_limited_30m, b.rate_limited_30m);
    EXPECT_GT(a.uptime_permille_1d, 0);
  }
}

TEST(HealthBoard, SummariesMergeInAnyOrder) {
  Rng rng(1);
  HealthRing a;
  HealthRing b;
  HealthRing all;
  for (int i = 0; i < 50; ++i) attempt(rng, i % 3 == 0 ? a : b, all, kBegin);
  const HealthSummary of_a = a.take(kBegin, seconds(1));
  const HealthSummary of_b = b.take(kBegin, seconds(1));
  HealthSummary ab = of_a;
  ab.merge(of_b);
  HealthSummary ba = of_b;
  ba.merge(of_a);
  EXPECT_EQ(ab, ba);
  EXPECT_EQ(ab, all.take(kBegin, seconds(1)));
}

TEST(HealthBoard, AnOutageIsSeenForThirtySeconds) {
  HealthBoard board(1);
  board.merge(0, failures(2), kBegin);
  EXPECT_FALSE(view_of(board, kBegin).recent_outage);
  board.merge(0, failures(1), kBegin);
  EXPECT_TRUE(view_of(board, kBegin).recent_outage);
  EXPECT_TRUE(view_of(board, kBegin + seconds(26)).recent_outage);
  EXPECT_FALSE(view_of(board, kBegin + seconds(30)).recent_outage);
}

TEST(HealthBoard, AFewFailuresAmongManyAnswersAreNoOutage) {
  HealthBoard board(1);
  board.merge(0, answers(100), kBegin);
  board.merge(0, failures(99), kBegin);
  EXPECT_FALSE(view_of(board, kBegin).recent_outage);
  EXPECT_EQ(view_of(board, kBegin).breaker, BreakerState::kClosed);
}

TEST(HealthBoard, LimitsAndTheClientsFaultsAreNoOutage) {
  HealthBoard board(1);
  HealthSummary s;
  s.rate_limited = s.region = s.not_counted = 500;
  board.merge(0, s, kBegin);
  const EndpointHealth view = view_of(board, kBegin);
  EXPECT_FALSE(view.recent_outage);
  EXPECT_EQ(view.breaker, BreakerState::kClosed);
  EXPECT_EQ(view.uptime_permille, EndpointHealth::kUptimeUnknown);
  EXPECT_EQ(board.report(0, kBegin).rate_limited_30m, 500u);
}

TEST(HealthBoard, UptimeNeedsAHundredRequestsAndForgets) {
  HealthBoard board(1);
  board.merge(0, answers(90), kBegin);
  board.merge(0, failures(9), kBegin);
  EXPECT_EQ(view_of(board, kBegin).uptime_permille, EndpointHealth::kUptimeUnknown);
  board.merge(0, failures(1), kBegin);
  EXPECT_EQ(view_of(board, kBegin).uptime_permille, 900);
  const Instant later = kBegin + seconds(301);
  EXPECT_EQ(board.report(0, later).uptime_permille_5m, EndpointHealth::kUptimeUnknown);
  EXPECT_EQ(board.report(0, later).uptime_permille_30m, 900);
  const Instant much_later = kBegin + seconds(1'801);
  EXPECT_EQ(board.report(0, much_later).uptime_permille_30m, EndpointHealth::kUptimeUnknown);
  EXPECT_EQ(board.report(0, much_later).uptime_permille_1d, 900);
  EXPECT_EQ(board.report(0, kBegin + seconds(90'000)).uptime_permille_1d,
            EndpointHealth::kUptimeUnknown);
}

TEST(HealthBoard, PercentilesAreOfTheLastFiveMinutesWithoutNews) {
  HealthBoard board(1);
  board.merge(0, answers(100, milliseconds(800)), kBegin);
  EXPECT_NEAR(view_of(board, kBegin).latency_s[0], 0.8, 0.1);
  Instant now = kBegin + seconds(301);
  // Nothing new: within sixteen refreshes it is seen that the old has left.
  for (int i = 0; i < 16; ++i) board.refresh(now);
  EXPECT_EQ(view_of(board, now).latency_s, Percentiles{});
  EXPECT_NEAR(board.report(0, now).latency_s_30m[3], 0.8, 0.12);
}

TEST(HealthBoard, AHighPercentileOfTheRateIsWhatMostReach) {
  HealthBoard board(1);
  HealthSummary s;
  s.rate.counts[bucket_of_rate(20)] = 10;
  s.rate.counts[bucket_of_rate(100)] = 90;
  board.merge(0, s, kBegin);
  const Percentiles rates = view_of(board, kBegin).throughput;
  EXPECT_NEAR(rates[0], 100, 13);
  EXPECT_NEAR(rates[3], 20, 3);  // 99 % reach no more than this
}

TEST(HealthBoard, AHungEndpointIsOutBeforeItsLimit) {
  HealthBoard board(1);
  for (int i = 0; i < 20; ++i) board.merge(0, answers(5), kBegin);
  EXPECT_EQ(view_of(board, kBegin).breaker, BreakerState::kClosed);
  EXPECT_LT(board.suspect_after(0), seconds(1));
  EXPECT_EQ(board.first_token_limit(0), seconds(10));
  const Instant now = kBegin + seconds(2);
  board.merge(0, overdue(3), now);
  EXPECT_EQ(view_of(board, now).breaker, BreakerState::kOpen);
  EXPECT_TRUE(view_of(board, now).recent_outage);
}

TEST(HealthBoard, SlowRequestsAmongQuickOnesAreNoHang) {
  HealthBoard board(1);
  Instant now = kBegin;
  for (int i = 0; i < 40; ++i) {
    now = now + milliseconds(250);
    HealthSummary s = answers(5);
    s.waiting_change = s.overdue_change = 1;
    board.merge(0, s, now);
    EXPECT_EQ(view_of(board, now).breaker, BreakerState::kClosed);
  }
}

TEST(HealthBoard, WhatHungBeforeARecoveryDoesNotOpenItAgain) {
  HealthBoard board(1);
  board.set_first_token_limits(0, {.min = seconds(1), .max = seconds(1)});
  board.merge(0, overdue(50), kBegin);
  EXPECT_EQ(view_of(board, kBegin).breaker, BreakerState::kOpen);
  Instant now = kBegin + seconds(1);
  EXPECT_EQ(view_of(board, now).breaker, BreakerState::kProbe);
  EXPECT_TRUE(board.begin_probe(0, now));
  board.merge(0, answers(1), now);
  for (int i = 0; i < 40; ++i) {
    EXPECT_EQ(view_of(board, now).breaker, BreakerState::kClosed);
    now = now + milliseconds(250);
  }
}

TEST(HealthBoard, AProbeIsOneShardsAtATimeAndEveryShardsInTurn) {
  HealthBoard board(1);
  board.merge(0, failures(5), kBegin);
  const Instant now = kBegin + seconds(1);
  std::array<int, 3> turns{};
  for (int round = 0; round < 6; ++round) {
    board.refresh(now);
    board.pass_probes();
    int probes = 0;
    for (std::uint32_t shard = 0; shard < 3; ++shard) {
      std::vector<EndpointHealth> views(1);
      board.fill_view(shard, 3, views);
      if (views[0].breaker != BreakerState::kProbe) {
        EXPECT_EQ(views[0].breaker, BreakerState::kHalfOpen);
        continue;
      }
      ++probes;
      ++turns[shard];
    }
    EXPECT_EQ(probes, 1);
  }
  EXPECT_EQ(turns, (std::array<int, 3>{2, 2, 2}));
  EXPECT_TRUE(board.begin_probe(0, now));
  EXPECT_FALSE(board.begin_probe(0, now));
  board.merge(0, failures(1), now);
  EXPECT_EQ(view_of(board, now).breaker, BreakerState::kOpen);
}

TEST(HealthBoard, AProbeThatSucceedsEndsTheOutage) {
  HealthBoard board(1);
  board.merge(0, failures(9), kBegin);
  const Instant now = kBegin + seconds(1);
  EXPECT_TRUE(view_of(board, now).recent_outage);
  EXPECT_TRUE(board.begin_probe(0, now));
  board.merge(0, answers(1), now);
  const EndpointHealth back = view_of(board, now);
  EXPECT_EQ(back.breaker, BreakerState::kClosed);
  EXPECT_FALSE(back.recent_outage);
  EXPECT_EQ(back.weight_permille, 100);
  // What comes after counts as ever.
  board.merge(0, failures(3), now + seconds(1));
  EXPECT_TRUE(view_of(board, now + seconds(1)).recent_outage);
}

TEST(HealthBoard, OnlyWhatWasHeardOfIsKnown) {
  HealthBoard board(4);
  EXPECT_TRUE(board.known().empty());
  board.merge(2, failures(1), kBegin);
  board.limit_until(0, kBegin);
  board.merge(2, failures(1), kBegin);
  EXPECT_EQ(std::vector<EndpointId>(board.known().begin(), board.known().end()),
            (std::vector<EndpointId>{2, 0}));
}

TEST(HealthBoard, TheLaterOfTwoLimitsHolds) {
  HealthBoard board(1);
  board.limit_until(0, kBegin + seconds(9));
  board.limit_until(0, kBegin + seconds(5));
  EXPECT_EQ(view_of(board, kBegin).limited_until, kBegin + seconds(9));
}

TEST(HealthBoard, TheFirstTokenLimitFollowsThirtyMinutes) {
  HealthBoard board(1);
  EXPECT_EQ(board.first_token_limit(0), seconds(120));
  board.merge(0, answers(19, seconds(5)), kBegin);
  board.refresh(kBegin);
  EXPECT_EQ(board.first_token_limit(0), seconds(120));  // too little is known
  board.merge(0, answers(1, seconds(5)), kBegin);
  board.refresh(kBegin);
  EXPECT_NEAR(board.first_token_limit(0).seconds(), 20, 2.5);
}

TEST(HealthBoard, The95thPercentileOfFirstTokensIsOfThirtyMinutes) {
  HealthBoard board(1);
  board.merge(0, answers(18, milliseconds(100)), kBegin);
  board.merge(0, answers(1, seconds(3)), kBegin);
  board.refresh(kBegin);
  EXPECT_EQ(board.first_token_p95(0), Duration{0});  // too little is known
  board.merge(0, answers(31, milliseconds(100)), kBegin);
  board.refresh(kBegin);
  EXPECT_NEAR(board.first_token_p95(0).seconds(), 0.1, 0.025);  // of 50, one is more
  const Instant later = kBegin + seconds(20 * 60);
  board.merge(0, answers(3, seconds(3)), later);
  board.refresh(later);
  EXPECT_NEAR(board.first_token_p95(0).seconds(), 3, 0.7);  // of 53, four are
}

TEST(HealthBoard, AnEndpointThatNothingIsKnownOfIsWell) {
  HealthBoard board(2);
  board.merge(1, failures(9), kBegin);
  const EndpointHealth view = view_of(board, kBegin);
  expect_same(view, EndpointHealth{});
}

}  // namespace
}  // namespace leat::policy
