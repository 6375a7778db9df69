// SPDX-License-Identifier: Apache-2.0
// Goal: a shard asks with a key that may be used, tells the board all that happened and nothing
// twice, and never forgets what it knows better than the board. Method: attempts by hand, the news
// read after each.
#include "gateway/shard_health.h"

#include <gtest/gtest.h>

#include <vector>

#include "policy/health_board.h"
#include "small_snapshot.h"

namespace leat::gateway {
namespace {

using policy::BreakerState;
using policy::EndpointId;
using policy::OutcomeClass;

constexpr Instant kBegin{7'200'000'000'000};

class ShardHealthTest : public testing::Test {
 protected:
  static constexpr std::size_t kKeys = 2;

  HealthNews news(Instant now = kBegin) { return *health_.take_news(now); }
  void refuse(std::uint8_t key, Duration wait, EndpointId endpoint = 0) {
    policy::RateNotice notice;
    notice.retry_after = wait;
    const HealthAttempt attempt = health_.began(endpoint, key, true, kBegin);
    health_.note_reply(attempt, 429, notice, kBegin);
    health_.ended(attempt, {.outcome = OutcomeClass::kRateLimited}, wait, kBegin);
  }
  std::optional<std::uint8_t> key(std::uint64_t tried = 0, Instant now = kBegin) {
    return health_.choose_key(0, tried, now, rng_);
  }
  void show(EndpointId endpoint, const policy::EndpointHealth& view) {
    HealthUpdate update;
    update.rows.push_back({.endpoint = endpoint,
                           .view = view,
                           .first_token_limit = seconds(3),
                           .suspect_after = seconds(1),
                           .report = {.waiting = 7}});
    health_.apply(update);
  }

  SmallSnapshot snapshot_{3, kKeys};
  ShardHealth health_{snapshot_.get(), 5};
  Rng rng_{1};
};

// What a provider says of a key that the client brought says nothing of the operator's.
TEST_F(ShardHealthTest, AnOwnKeyTouchesNoKeyOfTheOperators) {
  policy::RateNotice notice;
  notice.retry_after = seconds(60);
  HealthAttempt attempt = health_.began(0, HealthAttempt::kOwnKey, true, kBegin);
  health_.first_token(attempt, kBegin + seconds(1));
  health_.note_reply(attempt, 429, notice, kBegin);
  health_.rest_key(attempt, kBegin);
  health_.ended(attempt, {.outcome = OutcomeClass::kFailure}, seconds(60), kBegin + seconds(1));
  EXPECT_TRUE(key(0b01).has_value());
  EXPECT_TRUE(key(0b10).has_value());
  const HealthNews told = news(kBegin + seconds(1));
  EXPECT_TRUE(told.limits.empty());
  EXPECT_EQ(told.summaries.size(), 1u) << "how the endpoint fared is told all the same";
}

TEST_F(ShardHealthTest, NothingHappenedNothingToTell) {
  EXPECT_TRUE(news().is_empty());
  const HealthAttempt attempt = health_.began(0, 0, true, kBegin);
  health_.ended(attempt, {.outcome = OutcomeClass::kSuccess}, {0}, kBegin);
  EXPECT_FALSE(news().is_empty());
  EXPECT_TRUE(news().is_empty());
}

TEST_F(ShardHealthTest, NewsAreOfThisShardAndOfWhatWasAsked) {
  HealthAttempt attempt = health_.began(2, 1, true, kBegin);
  health_.first_token(attempt, kBegin + milliseconds(300));
  health_.ended(attempt, {.outcome = OutcomeClass::kSuccess}, {0}, kBegin + seconds(2));
  const HealthNews told = news(kBegin + seconds(2));
  EXPECT_EQ(told.shard, 5u);
  ASSERT_EQ(told.summaries.size(), 1u);
  EXPECT_EQ(told.summaries[0].endpoint, 2u);
  const policy::HealthSummary& summary = told.summaries[0].summary;
  EXPECT_EQ(summary.successes, 1u);
  EXPECT_EQ(summary.first_tokens, 1u);
  EXPECT_EQ(summary.waiting_change, 0);
  EXPECT_EQ(summary.first_token.counts[policy::bucket_of_first_token(milliseconds(300))], 1u);
}

TEST_F(ShardHealthTest, WhatWaitsIsToldAsItGrowsOld) {
  const HealthAttempt attempt = health_.began(0, 0, true, kBegin);
  EXPECT_EQ(news().summaries.at(0).summary.waiting_change, 1);
  // Half the first-token limit, 8 s, is still a normal wait.
  EXPECT_TRUE(news(kBegin + seconds(3)).is_empty());
  EXPECT_EQ(news(kBegin + seconds(5)).summaries.at(0).summary.overdue_change, 1);
  EXPECT_TRUE(news(kBegin + seconds(6)).is_empty());
  health_.ended(attempt, {.outcome = OutcomeClass::kFailure}, {0}, kBegin + seconds(8));
  const HealthNews told = news(kBegin + seconds(8));
  EXPECT_EQ(told.summaries.at(0).summary.overdue_change, -1);
  EXPECT_EQ(told.summaries.at(0).summary.waiting_change, -1);
  EXPECT_TRUE(news(kBegin + seconds(9)).is_empty());
}

TEST_F(ShardHealthTest, WhatIsANormalWaitIsTheBoardsToSay) {
  show(0, {});
  EXPECT_EQ(health_.first_token_limit(0), seconds(3));
  EXPECT_EQ(health_.first_token_limit(1), SmallSnapshot::kFirstTokenMax);
  EXPECT_EQ(health_.reports()[0].waiting, 7u);
  health_.began(0, 0, true, kBegin);
  EXPECT_EQ(news(kBegin + seconds(2)).summaries.at(0).summary.overdue_change, 1);
}

TEST_F(ShardHealthTest, AWholeAnswerNeverCountsAsHung) {
  std::vector<HealthAttempt> attempts;
  for (int i = 0; i < 9; ++i) attempts.push_back(health_.began(0, 0, false, kBegin));
  EXPECT_TRUE(news(kBegin + seconds(100)).is_empty());
  for (HealthAttempt& each : attempts) {
    health_.first_token(each, kBegin + seconds(100));
    health_.ended(each, {.outcome = OutcomeClass::kSuccess}, {0}, kBegin + seconds(100));
  }
  const policy::HealthSummary summary = news(kBegin + seconds(100)).summaries.at(0).summary;
  EXPECT_EQ(summary.successes, 9u);
  EXPECT_EQ(summary.first_tokens, 9u);  // signs of life
  EXPECT_EQ(summary.first_token.count(), 0u);
  EXPECT_EQ(summary.waiting_change, 0);
  EXPECT_EQ(summary.overdue_change, 0);
}

TEST_F(ShardHealthTest, AnEndpointIsLimitedWhileAllItsKeysAre) {
  refuse(0, seconds(30));
  EXPECT_TRUE(news().limits.empty());
  EXPECT_EQ(health_.view()[0].limited_until, Instant{0});
  EXPECT_EQ(key(), 1);
  refuse(1, seconds(20));
  const HealthNews told = news();
  ASSERT_EQ(told.limits.size(), 1u);
  EXPECT_EQ(told.limits[0].endpoint, 0u);
  EXPECT_EQ(told.limits[0].until, kBegin + seconds(20));
  EXPECT_EQ(health_.view()[0].limited_until, kBegin + seconds(20));
  EXPECT_EQ(key(), std::nullopt);
  EXPECT_EQ(key(0, kBegin + seconds(21)), 1);
  EXPECT_TRUE(news().limits.empty());
}

TEST_F(ShardHealthTest, LimitsAreOfOneEndpoint) {
  refuse(0, seconds(30), 1);
  refuse(1, seconds(30), 1);
  EXPECT_EQ(news().limits.at(0).endpoint, 1u);
  EXPECT_EQ(health_.view()[0].limited_until, Instant{0});
  EXPECT_NE(key(), std::nullopt);
}

TEST_F(ShardHealthTest, AKeyThatWasTriedIsNotTriedAgain) {
  EXPECT_EQ(health_.key_count(0), kKeys);
  EXPECT_EQ(key(0b01), 1);
  EXPECT_EQ(key(0b10), 0);
  EXPECT_EQ(key(0b11), std::nullopt);
}

TEST_F(ShardHealthTest, ARefusedKeyRestsUnlessItIsTheOnlyOne) {
  health_.rest_key({.endpoint = 0, .key = 1}, kBegin);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(key(), 0);
  EXPECT_TRUE(news().limits.empty());
  health_.rest_key({.endpoint = 0, .key = 0}, kBegin);
  EXPECT_EQ(key(), std::nullopt);
  EXPECT_EQ(news().limits.at(0).until, kBegin + policy::kKeyRest);

  const SmallSnapshot one_key(1);
  ShardHealth alone(one_key.get(), 0);
  alone.rest_key({.endpoint = 0, .key = 0}, kBegin);
  EXPECT_EQ(alone.choose_key(0, 0, kBegin, rng_), 0);
}

// What another configuration's shard health begins with, after this one refused keys of the first
// endpoint: "a" for good, "b" for a minute.
class KeptKeys : public testing::Test {
 protected:
  KeptKeys() {
    health_.rest_key(health_.began(0, 0, true, kBegin), kBegin);
    policy::RateNotice notice;
    notice.retry_after = seconds(60);
    health_.note_reply(health_.began(0, 1, true, kBegin), 429, notice, kBegin);
  }
  // Which may be used, by their places.
  std::vector<bool> usable(const SmallSnapshot& next, EndpointId endpoint, Instant now = kBegin) {
    ShardHealth health(next.get(), 5);
    health.keep_keys(health_, snapshot_.get(), next.get(), now);
    std::vector<bool> all;
    for (std::size_t i = 0; i < health.key_count(endpoint); ++i) {
      all.push_back(health.choose_key(endpoint, ~(1ull << i), now, rng_).has_value());
    }
    limits_ = health.take_news(now)->limits.size();
    return all;
  }

  SmallSnapshot snapshot_{2, {"a", "b", "c"}};
  ShardHealth health_{snapshot_.get(), 5};
  Rng rng_{1};
  std::size_t limits_ = 0;
};

TEST_F(KeptKeys, RestInAnotherConfigurationToo) {
  EXPECT_EQ(usable({2, {"a", "b", "c"}}, 0), (std::vector{false, false, true}));
  EXPECT_EQ(limits_, 0u);
  EXPECT_EQ(usable({2, {"a", "b", "c"}}, 1), (std::vector{true, true, true}));
  // Wherever they stand by now; a new one knows nothing.
  EXPECT_EQ(usable({1, {"d", "b", "a"}}, 0), (std::vector{true, false, false}));
  EXPECT_EQ(usable({2, {"a", "b"}}, 0), (std::vector{false, false}));
  EXPECT_EQ(limits_, 1u) << "the board hears that the endpoint is limited";
  EXPECT_EQ(usable({2, {"a", "b"}}, 0, kBegin + seconds(61)), (std::vector{false, true}));
}

TEST_F(KeptKeys, OfAnotherMachineOrTheOnlyOneDoNotRest) {
  EXPECT_EQ(usable({2, {"a", "b"}, "q.test"}, 0), (std::vector{true, true}));
  EXPECT_EQ(usable({2, {"a"}}, 0), (std::vector{true}));
  EXPECT_EQ(usable({2, {"b"}}, 0), (std::vector{false})) << "its limit is its provider's word";
}

TEST_F(ShardHealthTest, AProbeIsSentAndToldOnce) {
  show(0, {.breaker = BreakerState::kProbe});
  health_.began(0, 0, true, kBegin);
  EXPECT_EQ(health_.view()[0].breaker, BreakerState::kHalfOpen);
  health_.began(0, 0, true, kBegin);
  // The board says it again, not having heard.
  show(0, {.breaker = BreakerState::kProbe});
  EXPECT_EQ(health_.view()[0].breaker, BreakerState::kHalfOpen);
  EXPECT_EQ(news().probes, std::vector<EndpointId>{0});
  EXPECT_TRUE(news().probes.empty());
  // Another one, later.
  show(0, {.breaker = BreakerState::kProbe});
  EXPECT_EQ(health_.view()[0].breaker, BreakerState::kProbe);
}

TEST_F(ShardHealthTest, TheLaterLimitHoldsWhoeverSaidIt) {
  refuse(0, seconds(30));
  refuse(1, seconds(30));
  show(0, {.uptime_permille = 990, .limited_until = kBegin + seconds(10)});
  EXPECT_EQ(health_.view()[0].uptime_permille, 990);
  EXPECT_EQ(health_.view()[0].limited_until, kBegin + seconds(30));
  show(0, {.limited_until = kBegin + seconds(50)});
  EXPECT_EQ(health_.view()[0].limited_until, kBegin + seconds(50));
}

TEST_F(ShardHealthTest, TheLoadOfAKeyEndsWithItsAttempts) {
  // Two draws of two keys compare them: the one with less in flight.
  std::vector<HealthAttempt> attempts;
  for (int i = 0; i < 3; ++i) attempts.push_back(health_.began(0, 0, true, kBegin));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(key(), 1);
  for (const HealthAttempt& each : attempts) {
    health_.ended(each, {.outcome = OutcomeClass::kNotCounted}, {0}, kBegin);
  }
  attempts.clear();
  health_.began(0, 1, true, kBegin);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(key(), 0);
}

}  // namespace
}  // namespace leat::gateway
