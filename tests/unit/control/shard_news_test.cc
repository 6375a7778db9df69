// SPDX-License-Identifier: Apache-2.0
// Goal: every shard hears everything that it is to hear, once and in the order in which keys
// changed, however full its mailbox was meanwhile; and a full one holds up nobody else. Method:
// mailboxes as the test fills and empties them; news that are told apart by a number.
#include "control/shard_news.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace leat::control {
namespace {

using gateway::KeyDelta;

class ShardNewsTest : public testing::Test, private ShardNews::Post {
 protected:
  static KeyDelta delta(std::uint32_t version, std::int64_t used = 0) {
    KeyDelta made;
    made.version = version;
    made.accounts.push_back(
        std::make_shared<const gateway::AccountRow>(gateway::AccountRow{.id = version}));
    if (used != 0) made.used.push_back({.settled = used});
    return made;
  }
  static gateway::LateSettlements late(std::int64_t charged) { return {{.charged = charged}}; }

  // What a shard was told since the last question, in order.
  std::string heard(std::size_t shard) { return std::exchange(heard_[shard], ""); }
  void expect_all(const std::string& text) {
    for (std::size_t i = 0; i < heard_.size(); ++i) EXPECT_EQ(heard(i), text) << i;
  }

  std::set<std::size_t> full_;
  std::vector<std::string> heard_{3};
  ShardNews news_{*this};

 private:
  static std::string text_of(const KeyDelta& delta) {
    std::string text = "v" + std::to_string(delta.version);
    for (const auto& each : delta.accounts) text += " a" + std::to_string(each->id);
    for (const auto& each : delta.used) text += " u" + std::to_string(each.settled);
    return text + ";";
  }
  template <class Owned>
  bool take(std::size_t shard, std::unique_ptr<Owned>& owned, const std::string& text) {
    EXPECT_NE(owned, nullptr);
    if (full_.contains(shard)) return false;
    heard_[shard] += text;
    owned.reset();
    return true;
  }
  std::size_t shards() const override { return heard_.size(); }
  bool post(std::size_t shard, std::unique_ptr<KeyDelta>& delta) override {
    return take(shard, delta, text_of(*delta));
  }
  bool post(std::size_t shard, std::unique_ptr<gateway::DeploymentOrder>& order) override {
    EXPECT_EQ(order->step, gateway::DeploymentOrder::Step::kServe);
    return take(shard, order, "serve " + text_of(order->keys));
  }
  bool post(std::size_t shard, std::unique_ptr<gateway::LateSettlements>& late) override {
    std::string text = "late";
    for (const auto& each : *late) text += " " + std::to_string(each.charged);
    return take(shard, late, text + ";");
  }
  bool post(std::size_t shard, std::unique_ptr<gateway::AccountReply>& reply) override {
    return take(shard, reply, "reply " + std::to_string(reply->ticket) + " " + reply->body + ";");
  }
};

TEST_F(ShardNewsTest, AllHearOfAChangeOnce) {
  news_.tell(delta(1));
  expect_all("");
  EXPECT_TRUE(news_.deliver());
  expect_all("v1 a1;");
  EXPECT_TRUE(news_.deliver());
  expect_all("");
}

TEST_F(ShardNewsTest, AFullOneHearsOfAllChangesAtOnceAndHoldsUpNobody) {
  full_ = {1};
  news_.tell(delta(1, 10));
  EXPECT_FALSE(news_.deliver());
  news_.tell(delta(2, 20));
  EXPECT_FALSE(news_.deliver());
  EXPECT_EQ(heard(0), "v1 a1 u10;v2 a2 u20;");
  EXPECT_EQ(heard(1), "");
  EXPECT_EQ(heard(2), "v1 a1 u10;v2 a2 u20;");
  full_ = {};
  EXPECT_TRUE(news_.deliver());
  EXPECT_EQ(heard(1), "v2 a1 a2 u10 u20;");
  EXPECT_EQ(heard(0), "");
}

TEST_F(ShardNewsTest, AnotherConfigurationHasTheKeysThatWereNotTold) {
  full_ = {1};
  news_.tell(delta(1, 10));
  EXPECT_FALSE(news_.deliver());
  news_.serve(delta(2));
  EXPECT_TRUE(news_.is_behind() && news_.is_behind(0) && !news_.is_behind(3));
  EXPECT_FALSE(news_.deliver());
  EXPECT_TRUE(news_.is_behind() && news_.is_behind(1) && !news_.is_behind(0));
  full_ = {};
  EXPECT_TRUE(news_.deliver());
  EXPECT_FALSE(news_.is_behind());
  EXPECT_EQ(heard(0), "v1 a1 u10;serve v2 a2;");
  EXPECT_EQ(heard(1), "serve v2 a2 u10;") << "all keys, and what had been used of new limits";
}

TEST_F(ShardNewsTest, KeysThatChangeAfterwardsWaitForTheConfiguration) {
  full_ = {2};
  news_.serve(delta(1));
  news_.tell(delta(2));
  EXPECT_FALSE(news_.deliver());
  EXPECT_EQ(heard(2), "");
  full_ = {};
  EXPECT_TRUE(news_.deliver());
  expect_all("serve v1 a1;v2 a2;");
}

TEST_F(ShardNewsTest, ALaterConfigurationTakesThePlaceOfOneThatWasNotTold) {
  full_ = {0};
  news_.serve(delta(1));
  EXPECT_FALSE(news_.deliver());
  news_.serve(delta(2));
  full_ = {};
  EXPECT_TRUE(news_.deliver());
  EXPECT_EQ(heard(0), "serve v2 a2;");
  EXPECT_EQ(heard(1), "serve v1 a1;serve v2 a2;");
}

TEST_F(ShardNewsTest, WhatLateRecordsSettleAddsUp) {
  full_ = {0};
  news_.settle(late(1));
  EXPECT_FALSE(news_.deliver());
  news_.settle(late(2));
  EXPECT_FALSE(news_.deliver());
  full_ = {};
  EXPECT_TRUE(news_.deliver());
  EXPECT_EQ(heard(0), "late 1 2;");
  EXPECT_EQ(heard(1), "late 1;late 2;");
}

TEST_F(ShardNewsTest, RepliesGoToWhoAskedInTheirOrder) {
  full_ = {1};
  news_.reply(1, {.ticket = 1, .status = 200, .body = "one"});
  news_.reply(2, {.ticket = 2, .status = 200, .body = "two"});
  news_.reply(1, {.ticket = 3, .status = 200, .body = "three"});
  EXPECT_FALSE(news_.deliver());
  news_.settle(late(4));
  EXPECT_FALSE(news_.deliver());
  EXPECT_EQ(heard(2), "reply 2 two;late 4;");
  full_ = {};
  EXPECT_TRUE(news_.deliver());
  EXPECT_EQ(heard(1), "reply 1 one;reply 3 three;late 4;");
  EXPECT_EQ(heard(0), "late 4;");
}

TEST_F(ShardNewsTest, WhatIsForgottenIsNotTold) {
  full_ = {0, 1, 2};
  news_.tell(delta(1));
  news_.serve(delta(2));
  news_.tell(delta(3));
  news_.settle(late(1));
  news_.reply(0, {.ticket = 1});
  EXPECT_FALSE(news_.deliver());
  news_.clear();
  full_ = {};
  EXPECT_TRUE(news_.deliver() && !news_.is_behind());
  expect_all("");
}

}  // namespace
}  // namespace leat::control
