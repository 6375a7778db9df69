// SPDX-License-Identifier: Apache-2.0
// Goal: over processes that take over from one another the limits of a key hold as over one: never
// more requests, tokens or money than they let through, nothing lost for good, and what an old
// process still serves counts until it ends. Method: several ShardLimits stand for a process, the
// next one begins with what they say; requests come and end at drawn times at all of them.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <numeric>
#include <vector>

#include "simulation/limit_shards.h"

namespace leat::sim {
namespace {

using gateway::KeyRow;
using gateway::PeerMail;
using policy::AdmissionState;

constexpr std::uint32_t kShards = 3;
// As policy/quantity_home.h grants: no request takes part in a window after that.
constexpr Duration kMinute = seconds(60);

struct Process {
  Process(World& world, const policy::CarriedQuantities& carried) : peers(kShards) {
    for (std::uint32_t i = 0; i < kShards; ++i) {
      shards.push_back(std::make_unique<LimitShard>(
          world, i, peers, std::span<const gateway::RestoredQuantity>{}, carried));
    }
    for (const auto& each : shards) each->start();
    for (const auto& each : shards) each->open(peers);
  }
  ~Process() {
    for (const auto& each : shards) each->stop();
  }
  PeerMail peers;
  std::vector<std::unique_ptr<LimitShard>> shards;
};

struct Taken {
  Taken(World& world, LimitShard& at, std::size_t of) : request(world, at), process(of) {}
  Request request;
  std::size_t process;
  bool is_over = false;
};

class CarriedLimitsTest : public testing::TestWithParam<std::uint64_t> {
 protected:
  void SetUp() override { begin({}); }
  void TearDown() override {
    taken_.clear();
    processes_.clear();
    EXPECT_TRUE(world_.violations().empty());
  }
  void begin(const policy::CarriedQuantities& carried) {
    processes_.push_back(std::make_unique<Process>(world_, carried));
  }
  Process& serving() { return *processes_.back(); }
  void run_for(Duration time) { world_.run_until(world_.now() + time); }

  // As Gateway and Retirement do.
  // `ending`: the part of what runs that ends between one shard's yielding and another's.
  policy::CarriedQuantities yield(Instant ends_by = kNever, double ending = 0) {
    Process& old = serving();
    for (const auto& each : old.shards) {
      for (int i = 0; i < 100 && !each->limits().leave(); ++i) run_for(milliseconds(2));
      each->limits().freeze(ends_by);
      settle_some(ending);
    }
    run_for(milliseconds(1));
    policy::CarriedQuantities all;
    for (const auto& each : old.shards) {
      auto some = each->limits().carry();
      std::ranges::move(some, std::back_inserter(all));
    }
    return all;
  }
  void succeed() {
    // What ends between is told as well.
    const auto carried = yield(kNever, 0.1);
    run_for(milliseconds(5));
    settle_some(0.1);
    begin(carried);
    const auto& old = processes_[processes_.size() - 2];
    for (const auto& each : old->shards) each->limits().pass_on();
    tell_ends();
  }
  // Of all processes before, to the one that serves.
  void tell_ends() {
    for (std::size_t i = 0; i + 1 < processes_.size(); ++i) {
      for (const auto& each : processes_[i]->shards) {
        const auto ends = each->limits().take_ends();
        for (const auto& to : serving().shards) to->limits().settle_carried(ends);
      }
    }
  }

  Taken& ask(const KeyRow& key, const policy::AdmissionAmounts& amounts) {
    auto& shards = serving().shards;
    LimitShard& at = *shards[rng_.below(shards.size())];
    taken_.push_back(std::make_unique<Taken>(world_, at, processes_.size() - 1));
    taken_.back()->request.ask(key, amounts);
    return *taken_.back();
  }
  // Of what runs, a part of its tokens and money.
  void settle_some(double chance) {
    for (const auto& each : taken_) {
      if (each->is_over || !each->request.is_admitted() || !rng_.chance(chance)) continue;
      const auto reserved = each->request.reserved();
      const std::int64_t money = rng_.between(0, reserved.money);
      each->is_over = true;
      spent_ += money;
      each->request.settle({.tokens = rng_.between(0, reserved.tokens), .money = money});
    }
  }
  std::int64_t running() const {
    return std::ranges::count_if(
        taken_, [](const auto& each) { return !each->is_over && each->request.is_admitted(); });
  }
  std::int64_t out() const {
    std::int64_t sum = 0;
    for (const auto& each : taken_) {
      const bool runs = !each->is_over && each->request.is_admitted();
      sum += runs ? each->request.reserved().money : 0;
    }
    return sum;
  }
  // In the minute before now.
  std::int64_t admitted_lately() const {
    return std::ranges::count_if(taken_, [&](const auto& each) {
      const bool was = each->is_over || each->request.is_admitted();
      return was && world_.now() - each->request.decided_at() < kMinute;
    });
  }
  std::size_t admitted(const std::vector<Taken*>& some) const {
    return static_cast<std::size_t>(
        std::ranges::count_if(some, [](Taken* each) { return each->request.is_admitted(); }));
  }
  std::vector<Taken*> ask_often(std::size_t count, const KeyRow& key,
                                const policy::AdmissionAmounts& amounts) {
    std::vector<Taken*> some;
    for (std::size_t i = 0; i < count; ++i) some.push_back(&ask(key, amounts));
    run_for(milliseconds(300));
    return some;
  }

  World world_{GetParam(), {}};
  Rng rng_{GetParam()};
  std::vector<std::unique_ptr<Process>> processes_;
  std::vector<std::unique_ptr<Taken>> taken_;
  std::int64_t spent_ = 0;
};

TEST_P(CarriedLimitsTest, ThreeAMinuteAreThreeInAnyMinute) {
  KeyRow key = key_of(1);
  key.requests_per_minute = 3;
  for (int step = 0; step < 200; ++step) {
    ask(key, {});
    run_for(milliseconds(rng_.between(100, 2'000)));
    EXPECT_LE(admitted_lately(), 3);
    settle_some(0.5);
    if (rng_.chance(0.1)) succeed();
    tell_ends();
  }
  EXPECT_GE(processes_.size(), 3u);
  const auto admitted = std::ranges::count_if(
      taken_, [](const auto& each) { return each->is_over || each->request.is_admitted(); });
  // Three a minute there were, too: a takeover takes nothing away.
  EXPECT_GE(admitted, 3 * (world_.now().ns / kMinute.ns) - 3);
}

TEST_P(CarriedLimitsTest, WhatRunsAtOnceAndMoneyHoldOverAllProcesses) {
  KeyRow key = key_of(2);
  key.concurrency = 5;
  key.budget = 30'000;
  for (int step = 0; step < 300; ++step) {
    ask(key, {.tokens = 10, .money = rng_.between(1, 1'000)});
    run_for(milliseconds(rng_.between(0, 50)));
    EXPECT_LE(running(), 5);
    EXPECT_LE(spent_ + out(), 30'000);
    settle_some(0.15);
    if (rng_.chance(0.05)) succeed();
    if (rng_.chance(0.5)) tell_ends();
  }
  EXPECT_GE(processes_.size(), 3u);
  settle_some(1);
  tell_ends();
  run_for(seconds(2));
  // All is there again that was not spent.
  const std::int64_t left = 30'000 - spent_;
  ASSERT_GT(left, 0) << "or the test shows nothing";
  const auto more = ask_often(2, key, {.money = left});
  EXPECT_EQ(admitted(more), 1u);
}

TEST_P(CarriedLimitsTest, ALargeRateFillsAsIfNothingHadHappened) {
  KeyRow key = key_of(3);
  key.requests_per_minute = 600;
  EXPECT_EQ(admitted(ask_often(500, key, {})), 500u);
  const Instant begin = world_.now();
  for (int i = 0; i < 3; ++i) succeed();
  const auto most = 100 + (world_.now() - begin).ns / 100'000'000 + 10;
  const auto some = ask_often(200, key, {});
  // The rest, and what has come in meanwhile, ten a second.
  EXPECT_GE(admitted(some), 100u);
  EXPECT_LE(admitted(some), static_cast<std::size_t>(most));
}

TEST_P(CarriedLimitsTest, TokensThatWereNotUsedComeBack) {
  for (const std::uint64_t limit : {100u, 1'000u}) {  // one is leased, the other is not
    KeyRow key = key_of(static_cast<std::uint32_t>(limit));
    key.tokens_per_minute = limit;
    const auto tokens = static_cast<std::int64_t>(limit) * 9 / 10;
    Taken& first = ask(key, {.tokens = tokens});
    run_for(milliseconds(50));
    ASSERT_TRUE(first.request.is_admitted());
    succeed();
    const bool is_over = first.is_over;  // by what ended on the way
    if (!is_over) {
      EXPECT_EQ(admitted(ask_often(1, key, {.tokens = tokens})), 0u);
      first.is_over = true;
      first.request.settle({.tokens = 0});
      tell_ends();
      EXPECT_EQ(admitted(ask_often(1, key, {.tokens = tokens})), 1u);
    }
  }
}

TEST_P(CarriedLimitsTest, WhatNobodyTellsOfIsGivenUpInTheEnd) {
  KeyRow key = key_of(4);
  key.concurrency = 1;
  Taken& lost = ask(key, {});
  run_for(milliseconds(50));
  ASSERT_TRUE(lost.request.is_admitted());
  const auto carried = yield(world_.now() + seconds(30));
  begin(carried);
  EXPECT_EQ(admitted(ask_often(1, key, {})), 0u);
  run_for(seconds(32));
  EXPECT_EQ(admitted(ask_often(1, key, {})), 1u);
}

TEST_P(CarriedLimitsTest, WhoGoesOnItselfHasLostNothing) {
  KeyRow key = key_of(5);
  key.requests_per_minute = 3;
  key.concurrency = 2;
  key.budget = 10;
  const auto first = ask_often(2, key, {.money = 4});
  ASSERT_EQ(admitted(first), 2u);
  for (int i = 0; i < 3; ++i) {
    yield();
    if (i == 0) {
      first.front()->is_over = true;
      first.front()->request.settle({.money = 1});
    }
    run_for(milliseconds(20));
    for (const auto& each : serving().shards) each->limits().resume();
    run_for(milliseconds(20));
    for (const auto& each : serving().shards) EXPECT_FALSE(each->limits().has_ends());
  }
  EXPECT_EQ(admitted(ask_often(2, key, {.money = 6})), 0u) << "5 are left of the budget";
  EXPECT_EQ(admitted(ask_often(2, key, {.money = 5})), 1u);
  first.back()->is_over = true;
  first.back()->request.settle({.money = 0});
  run_for(seconds(1));
  EXPECT_EQ(admitted(ask_often(1, key, {.money = 1})), 0u) << "three a minute";
}

INSTANTIATE_TEST_SUITE_P(Seeds, CarriedLimitsTest, testing::Range<std::uint64_t>(1, 41));

}  // namespace
}  // namespace leat::sim
