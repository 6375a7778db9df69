// SPDX-License-Identifier: Apache-2.0
// Goal: shards that share a limit never let more through than it, get what others have idle, tell
// who waits soon, and rest when nobody wants anything. Method: several ShardLimits in simulated
// time, each in a shard's loop of its own; requests that take of one key at all of them at once.
#include "gateway/shard_limits.h"

#include <gtest/gtest.h>

#include <deque>
#include <memory>

#include "simulation/limit_shards.h"
#include "simulation/sim_io.h"

namespace leat::sim {
namespace {

using gateway::KeyRow;
using gateway::PeerMail;
using gateway::ShardLimits;
using policy::AdmissionState;

class ShardLimitsTest : public testing::TestWithParam<std::uint64_t> {
 protected:
  // `opened`: how many are woken by mail.
  void make(std::uint32_t shards, std::span<const gateway::RestoredQuantity> restored = {},
            std::uint32_t opened = UINT32_MAX) {
    peers_ = std::make_unique<PeerMail>(shards);
    for (std::uint32_t i = 0; i < shards; ++i) {
      shards_.push_back(std::make_unique<LimitShard>(world_, i, *peers_, restored));
    }
    for (const auto& each : shards_) each->start();
    for (std::uint32_t i = 0; i < std::min(opened, shards); ++i) shards_[i]->open(*peers_);
  }
  void TearDown() override {
    for (const auto& each : shards_) each->stop();
    EXPECT_TRUE(world_.violations().empty());
  }
  // So many, at all shards in turn.
  std::deque<Request> ask(std::size_t count, const KeyRow& key,
                          const policy::AdmissionAmounts& amounts) {
    std::deque<Request> all;
    for (std::size_t i = 0; i < count; ++i) {
      all.emplace_back(world_, *shards_[i % shards_.size()]).ask(key, amounts);
    }
    return all;
  }
  void run_for(Duration time) { world_.run_until(world_.now() + time); }
  static std::size_t admitted(const std::deque<Request>& all) {
    return static_cast<std::size_t>(
        std::ranges::count_if(all, [](const Request& each) { return each.is_admitted(); }));
  }
  static bool all_decided(const std::deque<Request>& all) {
    return std::ranges::none_of(
        all, [](const Request& each) { return each.state() == AdmissionState::kWaiting; });
  }

  World world_{GetParam(), {}};
  std::unique_ptr<PeerMail> peers_;
  std::vector<std::unique_ptr<LimitShard>> shards_;
};

TEST_P(ShardLimitsTest, ABudgetForTenAdmitsTenOnAllShardsTogether) {
  make(4);
  KeyRow key = key_of(7);
  key.budget = 10'000;
  auto all = ask(200, key, {.tokens = 50, .money = 1'000});
  run_for(milliseconds(300));
  EXPECT_TRUE(all_decided(all));
  EXPECT_EQ(admitted(all), 10u);
  for (Request& each : all) {
    if (each.is_admitted()) each.settle({.tokens = 50, .money = 1'000});
  }
  run_for(seconds(5));
  auto more = ask(20, key, {.money = 1});
  run_for(milliseconds(300));
  EXPECT_EQ(admitted(more), 0u);
}

TEST_P(ShardLimitsTest, WhatIsNotSpentServesAgainWhereverItIsAsked) {
  make(3);
  KeyRow key = key_of(8);
  key.budget = 6'000;
  auto first = ask(6, key, {.money = 1'000});
  run_for(milliseconds(100));
  ASSERT_EQ(admitted(first), 6u);
  for (Request& each : first) each.settle({.money = 500});
  run_for(milliseconds(10));
  auto second = ask(6, key, {.money = 1'000});
  run_for(milliseconds(300));
  EXPECT_EQ(admitted(second), 3u);
}

TEST_P(ShardLimitsTest, ThreeAMinuteAreThreeAndTheNextComeAMinuteLater) {
  make(4);
  KeyRow key = key_of(9);
  key.requests_per_minute = 3;
  auto first = ask(40, key, {});
  run_for(milliseconds(300));
  EXPECT_EQ(admitted(first), 3u);
  for (Request& each : first) {
    if (each.is_admitted()) each.settle({});
  }
  run_for(seconds(58));
  auto second = ask(8, key, {});
  run_for(milliseconds(300));
  EXPECT_EQ(admitted(second), 0u);
  run_for(seconds(3));
  auto third = ask(8, key, {});
  run_for(milliseconds(300));
  EXPECT_EQ(admitted(third), 3u);
}

TEST_P(ShardLimitsTest, TwoAtATimeAreTwoAndAPlaceThatIsLeftIsFree) {
  make(4);
  KeyRow key = key_of(10);
  key.concurrency = 2;
  auto first = ask(12, key, {});
  run_for(milliseconds(300));
  EXPECT_EQ(admitted(first), 2u);
  for (Request& each : first) {
    if (each.is_admitted()) each.settle({.tokens = 5});
  }
  run_for(milliseconds(20));
  auto second = ask(12, key, {});
  run_for(milliseconds(300));
  EXPECT_EQ(admitted(second), 2u);
}

TEST_P(ShardLimitsTest, LimitsOfTwoKeysAreTwo) {
  make(2);
  KeyRow one = key_of(11);
  one.budget = 3;
  KeyRow other = key_of(12);
  other.budget = 5;
  auto first = ask(10, one, {.money = 1});
  auto second = ask(10, other, {.money = 1});
  run_for(milliseconds(300));
  EXPECT_EQ(admitted(first), 3u);
  EXPECT_EQ(admitted(second), 5u);
}

TEST_P(ShardLimitsTest, ASingleShardDecidesWithinTheTurn) {
  make(1);
  KeyRow key = key_of(13);
  key.budget = 1'000;
  auto all = ask(3, key, {.money = 400});
  const Instant asked = world_.now();
  run_for(milliseconds(10));
  EXPECT_EQ(admitted(all), 2u);
  for (const Request& each : all) EXPECT_LE(each.decided_at() - asked, milliseconds(1));
}

TEST_P(ShardLimitsTest, ARefusalComesWithinTheTimeThatARecallMayTake) {
  make(4);
  KeyRow key = key_of(14);
  key.budget = 1'000;
  auto holders = ask(4, key, {.money = 250});
  run_for(milliseconds(100));
  ASSERT_EQ(admitted(holders), 4u);
  auto late = ask(4, key, {.money = 250});
  run_for(milliseconds(60));
  EXPECT_TRUE(all_decided(late));
  EXPECT_EQ(admitted(late), 0u);
}

TEST_P(ShardLimitsTest, WhatTheLedgerKnewIsSpentAtTheShardThatIsItsHome) {
  KeyRow key = key_of(15);
  key.budget = 1'000;
  gateway::RestoredQuantity known;
  known.id = policy::quantity_id(policy::AccountLevel::kKey, key.id, policy::LimitClass::kMoney,
                                 policy::BudgetPeriod::kNone, false);
  known.terms.limit = key.budget;
  known.settled = 500;
  known.open = 200;
  known.until = world_.now() + seconds(20);
  make(4, std::span(&known, 1));
  auto first = ask(8, key, {.money = 100});
  run_for(milliseconds(300));
  EXPECT_EQ(admitted(first), 3u);
  // What was open then is nobody's any more.
  run_for(seconds(30));
  auto second = ask(8, key, {.money = 100});
  run_for(milliseconds(300));
  EXPECT_EQ(admitted(second), 2u);
}

TEST_P(ShardLimitsTest, RestsWhenNobodyWantsAnything) {
  make(2);
  KeyRow key = key_of(16);
  key.budget = 1'000;
  key.requests_per_minute = 1'000;
  EXPECT_TRUE(shards_[0]->limits().is_resting());
  {
    auto all = ask(4, key, {.money = 100});
    run_for(milliseconds(100));
    EXPECT_EQ(admitted(all), 4u);
    EXPECT_FALSE(shards_[0]->limits().is_resting());
    for (Request& each : all) each.settle({.money = 100});
  }
  run_for(seconds(200));
  for (const auto& each : shards_) {
    EXPECT_TRUE(each->limits().is_resting());
    EXPECT_FALSE(each->limits().admission().is_active());
    EXPECT_EQ(each->limits().admission().accounts(), 0u);
    const std::uint64_t before = each->turns();
    run_for(seconds(60));
    EXPECT_LE(each->turns() - before, 2u);
  }
}

TEST_P(ShardLimitsTest, AFullMailboxLosesNothing) {
  // More batches than a mailbox holds, before anybody can wake the second shard.
  const std::uint32_t keys = 600;
  make(2, {}, 1);
  std::deque<Request> all;
  std::vector<KeyRow> rows;
  for (std::uint32_t i = 0; i < keys; ++i) {
    rows.push_back(key_of(100 + i));
    rows.back().budget = 10;
  }
  for (const KeyRow& row : rows) {
    all.emplace_back(world_, *shards_[0]).ask(row, {.money = 10});
    run_for(microseconds(50));
  }
  const std::size_t before = admitted(all);
  EXPECT_LT(before, keys);
  shards_[1]->open(*peers_);
  // Sooner than anyone would ask again.
  run_for(milliseconds(20));
  EXPECT_EQ(admitted(all), keys);
}

INSTANTIATE_TEST_SUITE_P(Seeds, ShardLimitsTest, testing::Range<std::uint64_t>(1, 6));

}  // namespace
}  // namespace leat::sim
