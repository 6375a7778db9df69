// SPDX-License-Identifier: Apache-2.0
// Goal: who asks what the router did is told the truth: each attempt with its own times and reason,
// who could have been asked and who could not, and how the model was found.
// Method: a small catalogue and a plan made by hand; the attempts are told as an exchange tells
// them.
#include "gateway/route_trace.h"

#include <gtest/gtest.h>

#include "policy/catalogue_builder.h"

namespace leat::gateway {
namespace {

constexpr Instant kStart = Instant{} + seconds(100);

Instant at(std::int64_t ms) {
  return kStart + milliseconds(ms);
}

policy::Catalogue make_catalogue() {
  policy::CatalogueBuilder builder;
  for (const auto& [slug, name] : {std::pair{"one", "One"}, {"two", "Two"}, {"three", "Three"}}) {
    policy::Provider provider;
    provider.slug = slug;
    provider.name = name;
    EXPECT_TRUE(builder.add_provider(provider));
  }
  for (const char* id : {"acme/first", "acme/second"}) {
    policy::Model model;
    model.id = id;
    model.name = id;
    model.family = std::string_view(id) == "acme/second" ? "seconds" : "";
    EXPECT_TRUE(builder.add_model(model));
    for (const char* slug : {"one", "two", "three"}) {
      policy::EndpointSpec spec;
      spec.model = id;
      spec.provider = slug;
      spec.upstream_model = "m";
      spec.declared_free = policy::kFreeOfAll;
      EXPECT_TRUE(builder.add_endpoint(spec));
    }
  }
  EXPECT_TRUE(builder.add_alias("acme/nick", "acme/first"));
  auto catalogue = builder.finish();
  EXPECT_TRUE(catalogue);
  return std::move(*catalogue);
}

class RouteTraceTest : public testing::Test {
 protected:
  RouteTraceTest() : plan_(std::make_unique<policy::Plan>()) {}

  policy::EndpointId endpoint(std::string_view model, std::string_view provider) {
    for (std::size_t i = 0; i < catalogue_.endpoints().size(); ++i) {
      const policy::Endpoint& each = catalogue_.endpoint(static_cast<policy::EndpointId>(i));
      if (catalogue_.model(each.model).id == model && each.tag == provider) {
        return static_cast<policy::EndpointId>(i);
      }
    }
    ADD_FAILURE() << model << " at " << provider;
    return policy::kNoId;
  }
  void candidate(std::string_view model, std::string_view provider, std::uint8_t rank = 0) {
    policy::Candidate& made = plan_->candidates_[plan_->candidate_count_++];
    made.endpoint = endpoint(model, provider);
    made.model_rank = rank;
  }
  void exclude(std::string_view model, std::string_view provider, policy::Exclusion reason) {
    plan_->excluded_[plan_->excluded_count_++] = {endpoint(model, provider), 0, reason};
  }
  void plan(std::string_view requested) {
    const dialect::ModelName names[] = {dialect::split_model_name(requested)};
    trace_.note_plan(catalogue_, names, *plan_);
  }
  std::size_t began(std::string_view model, std::string_view provider, Instant now,
                    std::uint8_t rank = 0, policy::ParameterSet dropped = {}) {
    last_ = trace_.began(catalogue_, endpoint(model, provider), model, rank, dropped, now);
    return last_;
  }
  void failed(int status, std::string_view reason, Instant now) {
    trace_.failed(last_, status, reason, now);
  }
  void first_token(Instant now) { trace_.first_token(last_, now); }

  policy::Catalogue catalogue_ = make_catalogue();
  std::unique_ptr<policy::Plan> plan_;
  RouteTrace trace_{kStart};
  std::size_t last_ = 0;
};

TEST_F(RouteTraceTest, TellsEachAttemptWithItsOwnTimesAndReason) {
  candidate("acme/first", "one");
  candidate("acme/first", "two");
  plan("acme/first");
  began("acme/first", "one", at(3));
  failed(429, "rate_limit", at(20));
  began("acme/first", "two", at(25), 0, {policy::Parameter::kSeed});
  first_token(at(65));
  const dialect::RouterMetadata told = trace_.metadata(at(130));

  ASSERT_EQ(told.attempts.size(), 2U);
  EXPECT_EQ(told.attempts[0].model, "acme/first");
  EXPECT_EQ(told.attempts[0].provider, "One");
  EXPECT_EQ(told.attempts[0].status, 429);
  EXPECT_EQ(told.attempts[0].reason, "rate_limit");
  EXPECT_EQ(told.attempts[0].started_ms, 3);
  EXPECT_EQ(told.attempts[0].duration_ms, 17);
  EXPECT_EQ(told.attempts[0].first_token_ms, dialect::RouterAttempt::kUnknown);
  EXPECT_EQ(told.attempts[1].provider, "Two");
  EXPECT_EQ(told.attempts[1].status, 200);
  EXPECT_EQ(told.attempts[1].reason, "");
  EXPECT_EQ(told.attempts[1].started_ms, 25);
  EXPECT_EQ(told.attempts[1].first_token_ms, 40);
  EXPECT_EQ(told.attempts[1].duration_ms, 105);
  EXPECT_EQ(told.generation_time_ms, 105);
  EXPECT_EQ(told.requested, "acme/first");
  EXPECT_EQ(told.strategy, dialect::RoutingStrategy::kDirect);
  EXPECT_TRUE(told.dropped_parameters.has(dialect::Parameter::kSeed));
}

TEST_F(RouteTraceTest, OnlyTheEndpointThatAnsweredIsSelectedAndItsParametersCount) {
  candidate("acme/first", "one");
  candidate("acme/first", "two");
  candidate("acme/first", "three");
  plan("acme/first");
  began("acme/first", "one", at(0), 0, {policy::Parameter::kSeed});
  failed(0, "provider_unavailable", at(1));
  began("acme/first", "two", at(2));
  const dialect::RouterMetadata told = trace_.metadata(at(9));
  ASSERT_EQ(told.available.size(), 3U);
  EXPECT_FALSE(told.available[0].selected);
  EXPECT_TRUE(told.available[1].selected);
  EXPECT_FALSE(told.available[2].selected);
  EXPECT_EQ(told.available[1].provider, "Two");
  EXPECT_TRUE(told.dropped_parameters.empty());
}

// Of two attempts at once either may answer.
TEST_F(RouteTraceTest, TheOneThatAnsweredIsToldLastWhicheverBeganFirst) {
  candidate("acme/first", "one");
  candidate("acme/first", "two");
  plan("acme/first");
  const std::size_t first = began("acme/first", "one", at(0), 0, {policy::Parameter::kSeed});
  const std::size_t hedge = began("acme/first", "two", at(10));
  trace_.failed(hedge, 0, "hedge_lost", at(30));
  trace_.first_token(first, at(30));
  const dialect::RouterMetadata told = trace_.metadata(at(50));
  ASSERT_EQ(told.attempts.size(), 2U);
  EXPECT_EQ(told.attempts[0].provider, "Two");
  EXPECT_EQ(told.attempts[0].reason, "hedge_lost");
  EXPECT_EQ(told.attempts[0].first_token_ms, dialect::RouterAttempt::kUnknown);
  EXPECT_EQ(told.attempts[0].duration_ms, 20);
  EXPECT_EQ(told.attempts[1].provider, "One");
  EXPECT_EQ(told.attempts[1].status, 200);
  EXPECT_EQ(told.attempts[1].first_token_ms, 30);
  EXPECT_EQ(told.generation_time_ms, 50);
  EXPECT_TRUE(told.available[0].selected);
  EXPECT_FALSE(told.available[1].selected);
  EXPECT_TRUE(told.dropped_parameters.has(dialect::Parameter::kSeed));
}

TEST_F(RouteTraceTest, TellsWhoCouldNotBeAskedAndWhy) {
  candidate("acme/first", "one");
  exclude("acme/first", "two", policy::Exclusion::kRetains);
  exclude("acme/first", "three", policy::Exclusion::kBreakerOpen);
  plan("acme/first");
  began("acme/first", "one", at(0));
  const dialect::RouterMetadata told = trace_.metadata(at(1));
  EXPECT_EQ(told.endpoints_total, 3);
  ASSERT_EQ(told.exclusions.size(), 2U);
  EXPECT_EQ(told.exclusions[0].provider, "two");
  EXPECT_EQ(told.exclusions[0].model, "acme/first");
  EXPECT_EQ(told.exclusions[0].reason, name_of(policy::Exclusion::kRetains));
  EXPECT_EQ(told.exclusions[1].reason, name_of(policy::Exclusion::kBreakerOpen));
}

TEST_F(RouteTraceTest, TheStrategyIsHowTheAnsweringModelWasFound) {
  candidate("acme/first", "one");
  candidate("acme/second", "one", 1);
  plan("acme/nick:nitro");
  began("acme/first", "one", at(0));
  EXPECT_EQ(trace_.metadata(at(1)).strategy, dialect::RoutingStrategy::kAlias);
  failed(500, "server", at(2));
  began("acme/second", "one", at(3), 1);
  EXPECT_EQ(trace_.metadata(at(4)).strategy, dialect::RoutingStrategy::kFallback);
  EXPECT_EQ(trace_.metadata(at(4)).requested, "acme/nick:nitro");

  RouteTrace latest(kStart);
  const dialect::ModelName names[] = {dialect::split_model_name("~acme/seconds-latest")};
  latest.note_plan(catalogue_, names, *plan_);
  EXPECT_EQ(latest.metadata(at(1)).strategy, dialect::RoutingStrategy::kLatest);
}

TEST_F(RouteTraceTest, StickyIsSaidOfTheEndpointThatTheConversationIsAt) {
  candidate("acme/first", "one");
  plan_->candidates_[0].is_sticky = true;
  candidate("acme/first", "two");
  plan("acme/first");
  began("acme/first", "one", at(0));
  EXPECT_TRUE(trace_.metadata(at(1)).is_sticky);
  failed(500, "server", at(2));
  began("acme/first", "two", at(3));
  EXPECT_FALSE(trace_.metadata(at(4)).is_sticky);
}

TEST_F(RouteTraceTest, WhoCarriesABrokenAnswerOnIsTold) {
  candidate("acme/first", "one");
  candidate("acme/first", "two");
  plan("acme/first");
  trace_.first_token(began("acme/first", "one", at(0)), at(3));
  failed(200, "upstream_closed", at(7));
  trace_.continues(began("acme/first", "two", at(8)));
  const dialect::RouterMetadata told = trace_.metadata(at(20));
  ASSERT_EQ(told.attempts.size(), 2U);
  EXPECT_FALSE(told.attempts[0].continues);
  EXPECT_EQ(told.attempts[0].first_token_ms, 3);
  EXPECT_EQ(told.attempts[0].reason, "upstream_closed");
  EXPECT_TRUE(told.attempts[1].continues);
  EXPECT_TRUE(told.attempts[1].reason.empty());
}

// An answer that proves unusable while it is being written is a failed attempt like any other.
TEST_F(RouteTraceTest, WhatWasToldTooEarlyCanStillFail) {
  candidate("acme/first", "one");
  plan("acme/first");
  began("acme/first", "one", at(0));
  EXPECT_EQ(trace_.metadata(at(5)).attempts[0].status, 200);
  failed(0, "upstream_protocol", at(6));
  const dialect::RouterMetadata told = trace_.metadata(at(50));
  EXPECT_EQ(told.attempts[0].reason, "upstream_protocol");
  EXPECT_EQ(told.attempts[0].duration_ms, 6);
}

}  // namespace
}  // namespace leat::gateway
