// SPDX-License-Identifier: Apache-2.0
// Goal: within one tick after a shard saw something, every shard's view is right, and a shard that
// nothing is new to is left in peace. Method: a desk whose post is a list; the shards' ends are the
// real ShardHealth, so that what is compared is what plans would read.
#include "gateway/health_desk.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "gateway/shard_health.h"
#include "small_snapshot.h"

namespace leat::gateway {
namespace {

using policy::BreakerState;
using policy::EndpointId;

constexpr Instant kBegin{7'200'000'000'000};
constexpr WallTime kWall{1'700'000'000'000'000'000};

class HealthDeskTest : public testing::Test {
 protected:
  static constexpr std::uint32_t kShards = 3;
  static constexpr std::uint32_t kEndpoints = 4;

  HealthDeskTest() {
    for (std::uint32_t i = 0; i < kShards; ++i) shards_.emplace_back(snapshot_.get(), i);
  }

  HealthDesk new_desk() {
    return HealthDesk(snapshot_.get(), kShards,
                      [this](std::uint32_t shard, std::unique_ptr<HealthUpdate>& update) {
                        if (full_[shard]) return false;
                        rows_[shard] += update->rows.size();
                        shards_[shard].apply(*update);
                        update.reset();
                        return true;
                      });
  }
  void tick() {
    now_ = now_ + kHealthInterval;
    desk_.tick(now_);
  }
  // How many rows each shard was given since the last call.
  std::vector<std::size_t> rows_told() {
    std::vector<std::size_t> told(rows_, rows_ + kShards);
    std::fill_n(rows_, kShards, std::size_t{0});
    return told;
  }
  const policy::EndpointHealth& view(std::uint32_t shard, EndpointId endpoint = 0) {
    return shards_[shard].view()[endpoint];
  }
  void end_attempts(std::uint32_t shard, policy::OutcomeClass outcome, int count,
                    EndpointId endpoint = 0) {
    for (int i = 0; i < count; ++i) {
      const Instant end = now_ + milliseconds(100);
      HealthAttempt attempt = shards_[shard].began(endpoint, 0, true, now_);
      if (outcome == policy::OutcomeClass::kSuccess) shards_[shard].first_token(attempt, end);
      shards_[shard].ended(attempt, {.outcome = outcome}, {0}, end);
    }
  }
  void fail(std::uint32_t shard, int count = 5, EndpointId endpoint = 0) {
    end_attempts(shard, policy::OutcomeClass::kFailure, count, endpoint);
  }
  void tell(std::uint32_t shard) { desk_.take(*shards_[shard].take_news(now_), now_); }
  int probing_shard() {
    int found = -1;
    for (std::uint32_t i = 0; i < kShards; ++i) {
      if (view(i).breaker != BreakerState::kProbe) continue;
      EXPECT_EQ(found, -1) << "one probe, two shards";
      found = static_cast<int>(i);
    }
    return found;
  }
  // Opens the breaker and lets its open time pass.
  std::uint32_t wait_for_probe() {
    fail(0);
    tell(0);
    for (int i = 0; i < 5; ++i) tick();
    const int shard = probing_shard();
    EXPECT_GE(shard, 0);
    return static_cast<std::uint32_t>(std::max(shard, 0));
  }

  SmallSnapshot snapshot_{kEndpoints};
  std::vector<ShardHealth> shards_;
  bool full_[kShards] = {};
  std::size_t rows_[kShards] = {};
  HealthDesk desk_ = new_desk();
  Instant now_ = kBegin;
};

TEST_F(HealthDeskTest, WhatOneShardSawAllActOnAfterATick) {
  fail(1);
  tell(1);
  tick();
  for (std::uint32_t i = 0; i < kShards; ++i) {
    EXPECT_EQ(view(i).breaker, BreakerState::kOpen) << i;
    EXPECT_TRUE(view(i).recent_outage) << i;
    EXPECT_EQ(view(i, 1), policy::EndpointHealth{}) << i;
  }
}

TEST_F(HealthDeskTest, FailuresOfSeveralShardsAddUp) {
  for (std::uint32_t i = 0; i < kShards; ++i) {
    fail(i, 2);
    tell(i);
  }
  tick();
  EXPECT_EQ(view(2).breaker, BreakerState::kOpen);
}

TEST_F(HealthDeskTest, OnlyWhatChangedIsTold) {
  tick();
  EXPECT_EQ(rows_told(), (std::vector<std::size_t>{0, 0, 0}));
  end_attempts(0, policy::OutcomeClass::kSuccess, 30, 2);
  tell(0);
  tick();
  EXPECT_EQ(rows_told(), (std::vector<std::size_t>{1, 1, 1}));
  EXPECT_GT(shards_[1].reports()[2].latency_s_5m[0], 0);
  // What few have measured sets the first-token limit of all.
  EXPECT_EQ(shards_[1].first_token_limit(2), SmallSnapshot::kFirstTokenMin);
  EXPECT_EQ(shards_[1].first_token_limit(1), SmallSnapshot::kFirstTokenMax);
  EXPECT_GT(shards_[1].first_token_p95(2), Duration{0});
  EXPECT_EQ(shards_[1].first_token_p95(1), Duration{0});
  for (int i = 0; i < 8; ++i) tick();
  EXPECT_EQ(rows_told(), (std::vector<std::size_t>{0, 0, 0}));
}

TEST_F(HealthDeskTest, AShardThatTakesNothingIsToldLater) {
  full_[1] = true;
  fail(0);
  tell(0);
  tick();
  tick();
  EXPECT_EQ(view(0).breaker, BreakerState::kOpen);
  EXPECT_EQ(view(1).breaker, BreakerState::kClosed);
  full_[1] = false;
  tick();
  EXPECT_EQ(view(1), view(0));
  EXPECT_EQ(shards_[1].reports()[0], shards_[0].reports()[0]);
}

TEST_F(HealthDeskTest, AProbeIsOneShardsAtATimeAndPassesOn) {
  wait_for_probe();
  bool had_it[kShards] = {};
  for (std::uint32_t i = 0; i < kShards; ++i) {
    end_attempts(0, policy::OutcomeClass::kSuccess, 1, 1);  // somebody asks, but not that endpoint
    tell(0);
    tick();
    const int shard = probing_shard();
    ASSERT_GE(shard, 0);
    had_it[shard] = true;
  }
  EXPECT_TRUE(had_it[0] && had_it[1] && had_it[2]);
}

TEST_F(HealthDeskTest, ADueProbeWakesFewWhileNobodyAsks) {
  wait_for_probe();
  rows_told();
  for (int i = 0; i < 16; ++i) tick();
  const auto told = rows_told();
  // It changes hands twice, which two shards hear of each time.
  EXPECT_EQ(told[0] + told[1] + told[2], 4u);
}

TEST_F(HealthDeskTest, TheProbesSuccessBringsTheEndpointBackEverywhere) {
  const std::uint32_t shard = wait_for_probe();
  HealthAttempt probe = shards_[shard].began(0, 0, true, now_);
  EXPECT_EQ(view(shard).breaker, BreakerState::kHalfOpen);
  tell(shard);
  tick();
  EXPECT_EQ(probing_shard(), -1);
  shards_[shard].first_token(probe, now_);
  tell(shard);
  tick();
  for (std::uint32_t i = 0; i < kShards; ++i) {
    EXPECT_EQ(view(i).breaker, BreakerState::kClosed) << i;
    EXPECT_FALSE(view(i).recent_outage) << i;
    EXPECT_LT(view(i).weight_permille, 200) << i;
  }
}

TEST_F(HealthDeskTest, AProbeThatFailedBeforeItWasToldOpensAgain) {
  const std::uint32_t shard = wait_for_probe();
  fail(shard, 1);
  tell(shard);
  tick();
  for (std::uint32_t i = 0; i < kShards; ++i) EXPECT_EQ(view(i).breaker, BreakerState::kOpen) << i;
}

// The shard itself took its probe away; that is not what it was told last.
TEST_F(HealthDeskTest, AShardThatHadTheProbeGetsTheNextOneToo) {
  HealthDesk alone(snapshot_.get(), 1, [this](std::uint32_t, std::unique_ptr<HealthUpdate>& u) {
    if (full_[0]) return false;
    shards_[0].apply(*u);
    return true;
  });
  const auto take = [&] { alone.take(*shards_[0].take_news(now_), now_); };
  const auto wait = [&](Duration time) {
    now_ = now_ + time;
    alone.tick(now_);
  };
  fail(0);
  take();
  wait(kHealthInterval);
  wait(seconds(1));
  ASSERT_EQ(view(0).breaker, BreakerState::kProbe);
  fail(0, 1);
  take();
  full_[0] = true;  // it never hears that its probe's failure opened the breaker
  wait(kHealthInterval);
  wait(seconds(2));
  full_[0] = false;
  wait(kHealthInterval);
  EXPECT_EQ(view(0).breaker, BreakerState::kProbe);
}

TEST_F(HealthDeskTest, LimitsReachTheOtherShards) {
  HealthNews news;
  news.shard = 2;
  news.limits.push_back({3, kBegin + seconds(30)});
  desk_.take(news, now_);
  tick();
  EXPECT_EQ(view(0, 3).limited_until, kBegin + seconds(30));
  EXPECT_EQ(view(1, 3).limited_until, kBegin + seconds(30));
}

TEST_F(HealthDeskTest, ConversationsReachTheOtherShardsOnce) {
  std::vector<std::size_t> told(kShards);
  HealthDesk desk(snapshot_.get(), kShards,
                  [&](std::uint32_t shard, std::unique_ptr<HealthUpdate>& update) {
                    if (full_[shard]) return false;
                    told[shard] += update->conversations.size();
                    return true;
                  });
  HealthNews news;
  news.shard = 1;
  news.conversations.resize(2);
  desk.take(news, now_);
  full_[2] = true;
  desk.tick(now_);
  full_[2] = false;
  desk.tick(now_ + kHealthInterval);
  desk.tick(now_ + kHealthInterval * 2);
  EXPECT_EQ(told, (std::vector<std::size_t>{2, 0, 2}));
}

TEST_F(HealthDeskTest, ReportsFollowTheirWindowsWithoutNews) {
  end_attempts(0, policy::OutcomeClass::kSuccess, 100);
  tell(0);
  tick();
  EXPECT_EQ(shards_[1].reports()[0].uptime_permille_5m, 1'000);
  now_ = now_ + seconds(300);
  for (int i = 0; i < 40; ++i) tick();
  EXPECT_EQ(shards_[1].reports()[0].uptime_permille_5m, policy::EndpointHealth::kUptimeUnknown);
  EXPECT_EQ(shards_[1].reports()[0].uptime_permille_30m, 1'000);
  EXPECT_EQ(view(1).latency_s, policy::Percentiles{});
}

TEST_F(HealthDeskTest, ARestartKnowsWhatWasKnown) {
  fail(0, 90);
  end_attempts(1, policy::OutcomeClass::kSuccess, 60, 1);
  tell(0);
  tell(1);
  tick();
  const auto bytes = desk_.state(now_, kWall);
  shards_.clear();
  for (std::uint32_t i = 0; i < kShards; ++i) shards_.emplace_back(snapshot_.get(), i);
  desk_ = new_desk();
  rows_told();
  ASSERT_TRUE(desk_.restore(bytes, now_, kWall));
  tick();
  EXPECT_EQ(rows_told(), (std::vector<std::size_t>{2, 2, 2}));
  for (std::uint32_t i = 0; i < kShards; ++i) {
    EXPECT_TRUE(view(i).recent_outage) << i;
    EXPECT_GT(view(i, 1).latency_s[0], 0) << i;
    EXPECT_EQ(shards_[i].first_token_limit(1), SmallSnapshot::kFirstTokenMin) << i;
  }
}

TEST_F(HealthDeskTest, DamagedStateIsNone) {
  fail(0, 90);
  tell(0);
  auto bytes = desk_.state(now_, kWall);
  bytes[bytes.size() / 2] ^= 1;
  HealthDesk desk = new_desk();
  EXPECT_EQ(desk.restore(bytes, now_, kWall).error().code, Code::kInvalid);
  desk.tick(now_);
  EXPECT_EQ(rows_told(), (std::vector<std::size_t>{0, 0, 0}));
}

TEST_F(HealthDeskTest, ControlSeesItAsOfNow) {
  fail(0);
  tell(0);
  EXPECT_EQ(desk_.view(now_)[0].breaker, BreakerState::kOpen);
  EXPECT_EQ(desk_.view(now_ + seconds(1))[0].breaker, BreakerState::kProbe);
  EXPECT_EQ(desk_.board().report(0, now_).waiting, 0u);
}

}  // namespace
}  // namespace leat::gateway
