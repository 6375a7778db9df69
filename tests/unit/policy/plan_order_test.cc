// SPDX-License-Identifier: Apache-2.0
// Goal: candidates are tried in the order that openrouter-api.md 2.5, 2.7 and 2.12 promise, and the
// balancing draws by 1/price². Method: small catalogues whose order is known; a chi-square test
// over 10^5 draws.
#include "policy/plan_order.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

#include "plan_fixture.h"

namespace leat::policy {
namespace {

class PlanOrderTest : public PlanFixture {
 protected:
  void three() {
    endpoint("m", "a", 1);
    endpoint("m", "b", 2);
    endpoint("m", "c", 3);
    finish();
    ask({"m"});
  }
};

// The worked example of the reference: B has outages.
TEST_F(PlanOrderTest, StableOnesFirstThenThoseWithOutages) {
  three();
  health("b").recent_outage = true;
  int a_first = 0;
  for (int i = 0; i < 1'000; ++i) {
    const std::string made = order();
    ASSERT_TRUE(made == "a c b" || made == "c a b") << made;
    a_first += made.front() == 'a';
  }
  EXPECT_NEAR(a_first, 900, 40) << "nine times likelier";
}

TEST_F(PlanOrderTest, FallbacksAreNotDrawn) {
  three();
  health("a").recent_outage = true;
  health("b").recent_outage = true;
  for (int i = 0; i < 50; ++i) ASSERT_EQ(order(), "c a b");
}

TEST_F(PlanOrderTest, DrawsByTheInverseSquareOfThePrice) {
  const double dollars[] = {1, 1.5, 2, 4, 10, 10.01};
  double total = 0;
  for (int i = 0; i < 6; ++i) endpoint("m", std::string(1, static_cast<char>('a' + i)), dollars[i]);
  for (int i = 0; i < 5; ++i) total += 1 / (dollars[i] * dollars[i]);
  finish();
  ask({"m"});
  constexpr int kDraws = 100'000;
  std::array<int, 6> counts{};
  for (int i = 0; i < kDraws; ++i) ++counts[plan().candidates()[0].endpoint];
  double chi_square = 0;
  for (std::size_t i = 0; i < 5; ++i) {
    const double expected = kDraws / (dollars[i] * dollars[i] * total);
    chi_square += (counts[i] - expected) * (counts[i] - expected) / expected;
  }
  EXPECT_LT(chi_square, 18.47);  // four degrees of freedom, p = 0.001
  EXPECT_EQ(counts[5], 0) << "more than ten times the lowest: a fallback";
}

TEST_F(PlanOrderTest, SlowStartTakesItsShareOfTheWeight) {
  endpoint("m", "a", 1);
  endpoint("m", "b", 1);
  finish();
  ask({"m"});
  health("a").weight_permille = 250;
  int a_first = 0;
  for (int i = 0; i < 10'000; ++i) a_first += order().front() == 'a';
  EXPECT_NEAR(a_first, 2'000, 150);
}

TEST_F(PlanOrderTest, FreeEndpointsShareEvenly) {
  const auto free = [](EndpointSpec& s) { s.declared_free = kFreeOfAll; };
  endpoint("m", "a", 0, free);
  endpoint("m", "b", 0, free);
  endpoint("m", "c", 1);
  finish();
  ask({"m"});
  int a_first = 0;
  for (int i = 0; i < 10'000; ++i) {
    const std::string made = order();
    ASSERT_TRUE(made == "a b c" || made == "b a c") << made;
    a_first += made.front() == 'a';
  }
  EXPECT_NEAR(a_first, 5'000, 200);
}

TEST_F(PlanOrderTest, UptimeDegradesAndDemotes) {
  three();
  health("a").uptime_permille = 799;
  health("b").uptime_permille = 949;
  health("c").uptime_permille = 950;
  for (int i = 0; i < 50; ++i) ASSERT_EQ(order(), "c b a");
  health("c").uptime_permille = 800;
  health("b").uptime_permille = EndpointHealth::kUptimeUnknown;
  EXPECT_EQ(order(), "b c a") << "too few requests to judge is not ill";
}

TEST_F(PlanOrderTest, AProbeIsDrawnAsIfItWereWell) {
  three();
  health("a").uptime_permille = 0;
  health("a").recent_outage = true;
  EXPECT_NE(order().front(), 'a');
  health("a").breaker = BreakerState::kProbe;
  int first = 0;
  for (int i = 0; i < 100; ++i) first += order().front() == 'a';
  EXPECT_GT(first, 50);
}

TEST_F(PlanOrderTest, SortsAreStrict) {
  three();
  health("a").throughput = {10};
  health("b").throughput = {30};
  health("c").latency_s = {0.2f};
  health("b").latency_s = {0.5f};
  health("a").recent_outage = true;
  request_.sort = SortBy::kPrice;
  for (int i = 0; i < 50; ++i) ASSERT_EQ(order(), "a b c") << "no draw, no outage";
  request_.sort = SortBy::kThroughput;
  EXPECT_EQ(order(), "b a c") << "unmeasured comes last";
  request_.sort = SortBy::kLatency;
  EXPECT_EQ(order(), "c b a");
}

TEST_F(PlanOrderTest, VariantsSortUnlessTheRequestDoes) {
  three();
  health("c").throughput = {10};
  ask({"m:nitro"});
  EXPECT_EQ(order(), "c a b");
  request_.sort = SortBy::kPrice;
  EXPECT_EQ(order(), "a b c");
  request_.sort = SortBy::kNone;
  request_.default_sort = SortBy::kThroughput;
  ask({"m:floor"});
  EXPECT_EQ(order(), "a b c");
  ask({"m"});
  EXPECT_EQ(order(), "c a b") << "the operator's default";
}

TEST_F(PlanOrderTest, AListComesFirstAndTheRestByPrice) {
  three();
  health("c").throughput = {10};
  request_.order = slugs({"nobody", "b"});
  for (int i = 0; i < 50; ++i) ASSERT_EQ(order(), "b a c") << "no draw among the rest";
  request_.order = slugs({"c", "b"});
  EXPECT_EQ(order(), "c b a");
  request_.order = slugs({"b"});
  request_.sort = SortBy::kThroughput;
  EXPECT_EQ(order(), "b c a") << "the rest as sorted";
}

TEST_F(PlanOrderTest, ModelsKeepTheirGroupsUnlessPartitionedOtherwise) {
  endpoint("m", "a", 3);
  endpoint("m", "b", 1);
  endpoint("n", "c", 2);
  finish();
  ask({"m", "n"});
  request_.sort = SortBy::kPrice;
  EXPECT_EQ(order(), "b a c");
  EXPECT_EQ(plan_->candidates()[2].model_rank, 1);
  request_.partition_none = true;
  EXPECT_EQ(order(), "b c a");
  request_.partition_none = false;
  request_.order = slugs({"c"});
  EXPECT_EQ(order(), "b a c") << "a list orders within each model";
}

TEST_F(PlanOrderTest, CutoffsMoveToTheEndAndMayLetAFallbackModelWin) {
  endpoint("m", "a", 1);
  endpoint("m", "b", 2);
  endpoint("n", "c", 1);
  finish();
  ask({"m", "n"});
  request_.sort = SortBy::kPrice;
  health("a").throughput = {40, 30, 20, 10};
  health("b").throughput = {90, 80, 70, 60};
  request_.min_throughput = {50, 0, 0, 0};
  EXPECT_EQ(order(), "b c a");
  EXPECT_TRUE(plan_->candidates()[2].is_demoted);
  request_.min_throughput = {40, 0, 21, 0};
  EXPECT_EQ(order(), "b c a") << "all cutoffs given must hold";
  request_.min_throughput = {40, 0, 20, 0};
  EXPECT_EQ(order(), "a b c");
  request_.min_throughput = {};
  health("a").latency_s = {0.5f, 0, 0, 4};
  request_.max_latency_s = {0, 0, 0, 3};
  EXPECT_EQ(order(), "b c a");
  request_.max_latency_s = {0.5f, 0, 0, 4};
  EXPECT_EQ(order(), "a b c");
  request_.max_latency_s = {0, 0, 0, 3};
  request_.order = slugs({"a"});
  EXPECT_EQ(order(), "a b c") << "what the client put first stays there";
}

TEST_F(PlanOrderTest, WithoutFallbacksThePrimaryAlone) {
  three();
  request_.allow_fallbacks = false;
  for (int i = 0; i < 50; ++i) ASSERT_EQ(order(), "a") << "the cheapest, never drawn";
  EXPECT_EQ(reason("b"), "fallbacks_disallowed");
  request_.order = slugs({"c", "a"});
  EXPECT_EQ(order(), "c a");
  EXPECT_EQ(reason("b"), "fallbacks_disallowed");
  request_.order = slugs({"nobody"});
  EXPECT_EQ(order(), "");
  EXPECT_EQ(plan_->outcome, PlanOutcome::kNoEndpoints);
}

TEST_F(PlanOrderTest, WithoutFallbacksEachModelKeepsItsPrimary) {
  endpoint("m", "a", 1);
  endpoint("m", "b", 2);
  endpoint("n", "c", 1);
  endpoint("n", "d", 2);
  finish();
  ask({"m", "n"});
  request_.allow_fallbacks = false;
  EXPECT_EQ(order(), "a c");
  request_.partition_none = true;
  EXPECT_EQ(plan().candidates().size(), 1u);
}

class StickyTest : public PlanFixture {
 protected:
  StickyTest() {
    const auto cached = [](EndpointSpec& s) { s.facts.prices[PriceClass::kInputCacheRead] = 1; };
    endpoint("m", "a", 1, cached);
    endpoint("m", "b", 100, cached);
    endpoint("m", "c", 50);
    endpoint("n", "d", 1, cached);
    finish();
    ask({"m"});
  }
  void stick_to(std::string_view tag) {
    request_.sticky = catalogue_.endpoint(id_of(tag)).identity;
  }
};

TEST_F(StickyTest, AConversationStaysWhereItsPromptIsCached) {
  stick_to("b");
  EXPECT_EQ(order(), "b a c");
  EXPECT_TRUE(plan_->candidates()[0].is_sticky);
  request_.sort = SortBy::kPrice;
  EXPECT_EQ(order(), "b a c") << "before any sort";
  request_.allow_fallbacks = false;
  EXPECT_EQ(order(), "b");
}

TEST_F(StickyTest, NotWhereStayingSavesNothing) {
  stick_to("c");
  EXPECT_EQ(order(), "a c b");
}

TEST_F(StickyTest, AnOrderOrAnOutageEndsIt) {
  stick_to("b");
  request_.order = slugs({"c"});
  EXPECT_EQ(order(), "c a b");
  request_.order = {};
  health("b").recent_outage = true;
  EXPECT_EQ(order(), "a c b");
  health("b").recent_outage = false;
  health("b").breaker = BreakerState::kOpen;
  EXPECT_EQ(order(), "a c");
  health("b").breaker = BreakerState::kClosed;
  health("b").throughput = {1};
  request_.min_throughput = {2};
  EXPECT_EQ(order(), "a c b") << "an asked cutoff comes before a habit";
  EXPECT_FALSE(plan_->candidates()[2].is_sticky);
}

TEST_F(StickyTest, OnlyWithinItsModel) {
  ask({"m", "n"});
  stick_to("d");
  EXPECT_EQ(order(), "a c b d") << "the first model is still the one asked for";
}

TEST(BlendedPrice, ThreePartsPromptOnePartCompletion) {
  Prices prices;
  prices[PriceClass::kPrompt] = 100;
  prices[PriceClass::kCompletion] = 500;
  EXPECT_EQ(blended_price(prices), 200);
  prices[PriceClass::kRequest] = 3'000;
  EXPECT_EQ(blended_price(prices), 203);
  EXPECT_EQ(blended_price(Prices()), 1);
}

}  // namespace
}  // namespace leat::policy
