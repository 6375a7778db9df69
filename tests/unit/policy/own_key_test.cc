// SPDX-License-Identifier: Apache-2.0
// Goal: a workspace's own keys are used where openrouter-api.md 2.13 says, and nowhere that a
// request, the client's key or a data policy forbids. Method: small catalogues whose order without
// own keys is known; the worked example of the reference; a pool with more copies than fit.
#include "policy/own_key.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "plan_fixture.h"

namespace leat::policy {
namespace {

class OwnKeyTest : public PlanFixture {
 protected:
  using EditKey = std::function<void(OwnKeyRule&)>;
  // Two providers of one model, the second three times as dear, in this order.
  void two() {
    endpoint("m", "a", 1);
    endpoint("m", "b", 3);
    finish();
    ask({"m"});
    request_.sort = SortBy::kPrice;
  }
  // The next in order; for all models unless `edit` says otherwise.
  void own(std::uint32_t id, std::string_view provider, const EditKey& edit = {}) {
    OwnKeyRule key{.id = id, .provider = catalogue_.find_provider(provider), .models = 0xffff'ffff};
    if (edit) edit(key);
    own_keys_.push_back(key);
  }
  static void fallback(OwnKeyRule& key) { key.is_fallback = true; }
  static void required(OwnKeyRule& key) { key.is_required = true; }
};

TEST_F(OwnKeyTest, ComesBeforeSharedCapacityWhateverOrderSays) {
  endpoint("m", "bedrock", 1);
  endpoint("m", "vertex", 2);
  finish();
  ask({"m"});
  request_.order = slugs({"bedrock", "vertex"});
  own(7, "vertex");
  EXPECT_EQ(order(), "vertex+7 bedrock vertex");
  request_.order = {};
  request_.sort = SortBy::kPrice;
  EXPECT_EQ(order(), "vertex+7 bedrock vertex");
}

TEST_F(OwnKeyTest, EachKeyIsACopyInItsPlace) {
  two();
  own(5, "b");
  own(3, "a");
  own(4, "b");
  EXPECT_EQ(order(), "b+5 a+3 b+4 a b") << "the list's order, not the ids' and not the price's";
}

TEST_F(OwnKeyTest, AFallbackKeyComesAfterSharedCapacity) {
  two();
  own(1, "b");
  own(2, "a", fallback);
  EXPECT_EQ(order(), "b+1 a b a+2");
}

TEST_F(OwnKeyTest, AFallbackKeyWaitsForWhatIsDemotedToo) {
  endpoint("m", "a", 1);
  endpoint("m", "b", 2);
  endpoint("n", "c", 1);
  finish();
  ask({"m", "n"});
  request_.sort = SortBy::kPrice;
  request_.max_latency_s[0] = 1;
  health("b").latency_s[0] = 2;
  own(1, "a", fallback);
  EXPECT_EQ(order(), "a c b a+1");
}

TEST_F(OwnKeyTest, WhatAnOwnKeyReachesIsNotDemoted) {
  two();
  request_.max_latency_s[0] = 1;
  health("b").latency_s[0] = 2;
  own(1, "b");
  EXPECT_EQ(order(), "b+1 a b");
}

TEST_F(OwnKeyTest, ARequiredKeyTakesSharedCapacityOfItsProviderAway) {
  two();
  own(1, "b", required);
  EXPECT_EQ(order(), "b+1 a");
  EXPECT_EQ(reason("b"), "own_key_required");
  own_keys_.clear();
  own(1, "a");
  own(2, "b", required);
  EXPECT_EQ(order(), "a+1 b+2 a");
}

// Its master key is another, say: the workspace wanted no shared capacity, and gets none.
TEST_F(OwnKeyTest, ARequiredKeyThatCannotBeReadStillTakesSharedCapacityAway) {
  two();
  own(1, "a", [](OwnKeyRule& key) {
    key.is_required = true;
    key.is_readable = false;
  });
  EXPECT_EQ(order(), "b");
  EXPECT_EQ(reason("a"), "own_key_required");
}

TEST_F(OwnKeyTest, IsForTheModelsItAllows) {
  endpoint("m", "a", 1);
  endpoint("n", "a", 1);
  finish();
  ask({"m", "n"});
  own(1, "a", [](OwnKeyRule& key) {
    key.models = 0b10;
    key.is_required = true;
  });
  EXPECT_EQ(order(), "a a+1") << "neither used nor required for the first model";
}

TEST_F(OwnKeyTest, ComesFirstOfItsModelNotBeforeAnother) {
  endpoint("m", "a", 1);
  endpoint("n", "b", 3);
  finish();
  ask({"m", "n"});
  request_.sort = SortBy::kPrice;
  own(1, "b");
  EXPECT_EQ(order(), "a b+1 b");
  request_.partition_none = true;
  EXPECT_EQ(order(), "b+1 a b");
}

TEST_F(OwnKeyTest, WhatIsShutOutHasNoCopies) {
  const auto keeps = [](EndpointSpec& s) { s.facts.data.retention_days = 30; };
  endpoint("m", "a", 1, keeps);
  endpoint("m", "b", 3);
  finish();
  ask({"m"});
  own(1, "a");
  own(2, "a", fallback);
  request_.zdr = true;
  EXPECT_EQ(order(), "b") << "a key of one's own does not make a provider forget";
  EXPECT_EQ(reason("a"), "retains");
  request_.zdr = false;
  request_.ignore = slugs({"a"});
  EXPECT_EQ(order(), "b");
}

TEST_F(OwnKeyTest, ALimitOfTheOperatorsKeysIsNotItsOwn) {
  two();
  health("a").limited_until = now_ + seconds(5);
  own(1, "a");
  EXPECT_EQ(order(), "a+1 b");
  EXPECT_EQ(reason("a"), "rate_limited");
  health("b").limited_until = now_ + seconds(3);
  own_keys_.clear();
  own(1, "a", [](OwnKeyRule& key) { key.is_readable = false; });
  EXPECT_EQ(plan().outcome, PlanOutcome::kAllLimited);
  EXPECT_EQ(plan().retry_at, now_ + seconds(3));
  own_keys_.clear();
  own(1, "a", required);
  EXPECT_EQ(order(), "a+1");
}

// A broken provider is broken for all keys, and the copies do not change how many are spared.
TEST_F(OwnKeyTest, ABreakerIsTheEndpointsForAllItsCopies) {
  two();
  health("a").breaker = BreakerState::kOpen;
  own(1, "a");
  own(2, "a", fallback);
  EXPECT_EQ(order(), "b");
  EXPECT_EQ(reason("a"), "breaker_open");
}

TEST_F(OwnKeyTest, WithoutFallbacksTheFirstIsAll) {
  two();
  own(1, "b");
  request_.allow_fallbacks = false;
  EXPECT_EQ(order(), "b+1");
  request_.order = slugs({"a"});
  EXPECT_EQ(order(), "a") << "a list without fallbacks is all that may be asked";
}

TEST_F(OwnKeyTest, EndpointsOfOneKeyAreBalancedAmongThemselves) {
  endpoint("m", "a/x", 1);
  endpoint("m", "a/y", 1);
  finish();
  ask({"m"});
  own(1, "a");
  std::set<std::string> seen;
  for (int i = 0; i < 50; ++i) seen.insert(order().substr(0, 11));
  EXPECT_EQ(seen, (std::set<std::string>{"a/x+1 a/y+1", "a/y+1 a/x+1"}));
}

TEST_F(OwnKeyTest, MoreCopiesThanFitAreLeftOut) {
  std::vector<std::string> names;
  for (std::size_t m = 0; m < kRouteModelsMax; ++m) {
    names.push_back("m" + std::to_string(m));
    for (std::size_t e = 0; e < 20; ++e) endpoint(names.back(), "a/" + std::to_string(e), 1);
    for (std::size_t e = 0; e < 3; ++e) endpoint(names.back(), "z/" + std::to_string(e), 1);
  }
  finish();
  for (const auto& name : names) models_.push_back(catalogue_.resolve(name));
  request_.models = models_;
  request_.ignore = slugs({"z"});
  for (std::uint32_t id = 1; id <= kOwnKeysMax; ++id) own(id, "a");
  EXPECT_EQ(plan().candidates().size(), kPlanMax);
  EXPECT_EQ(plan().candidates().front().own_key, 1u);
  own_keys_.back().is_required = true;
  request_.allow_fallbacks = false;
  const Plan& made = plan();
  EXPECT_EQ(made.candidates().size(), kRouteModelsMax);
  EXPECT_EQ(made.excluded().size(), kPlanMax) << "as many as there is room for";
}

}  // namespace
}  // namespace leat::policy
