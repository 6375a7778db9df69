// SPDX-License-Identifier: Apache-2.0
// Goal: each rule of openrouter-api.md 2 that shuts an endpoint out does so, for its reason, and
// shuts out no other; whatever is asked, every endpoint is a candidate or has a reason, and a
// request never loosens what its key allows. Method: small catalogues, one rule a test; random
// requests over a mixed catalogue for the properties.
#include "policy/plan.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

#include "plan_fixture.h"

namespace leat::policy {
namespace {

class PlanTest : public PlanFixture {};

TEST_F(PlanTest, DisabledEndpointsAreNotAsked) {
  endpoint("m", "a", 1, [](EndpointSpec& s) { s.facts.disabled = true; });
  endpoint("m", "b", 1);
  finish();
  ask({"m"});
  EXPECT_EQ(order(), "b");
  EXPECT_EQ(reason("a"), "disabled");
}

TEST_F(PlanTest, StaticVariantsHaveTheirOwnEndpoints) {
  endpoint("m", "plain", 1, [](EndpointSpec& s) { s.facts.parameters = {Parameter::kSeed}; });
  endpoint("m", "reasons", 2,
           [](EndpointSpec& s) { s.facts.parameters = {Parameter::kReasoning}; });
  endpoint("m", "long", 3, [](EndpointSpec& s) { s.facts.variant = Variant::kExtended; });
  endpoint("m", "batch", 4, [](EndpointSpec& s) { s.facts.variant = Variant::kBatch; });
  endpoint("m", "free", 0, [](EndpointSpec& s) {
    s.facts.variant = Variant::kFree;
    s.declared_free = kFreeOfAll;
  });
  endpoint("m", "gratis", 0, [](EndpointSpec& s) { s.declared_free = kFreeOfAll; });
  finish();
  request_.sort = SortBy::kPrice;
  ask({"m"});
  EXPECT_EQ(order(), "gratis plain reasons");
  EXPECT_EQ(reason("free"), "variant");
  ask({"m:free"});
  EXPECT_EQ(order(), "free gratis");
  EXPECT_EQ(reason("plain"), "variant");
  ask({"m:extended"});
  EXPECT_EQ(order(), "long");
  ask({"m:batch"});
  EXPECT_EQ(order(), "batch");
  ask({"m:thinking"});
  EXPECT_EQ(order(), "gratis reasons") << "an endpoint that states nothing takes everything";
  EXPECT_TRUE(plan_->candidates()[0].reasoning_on);
  ask({"m"});
  order();
  EXPECT_FALSE(plan_->candidates()[0].reasoning_on);
}

TEST_F(PlanTest, PartsThatDoNotExistYetAreNamed) {
  endpoint("m", "a", 1);
  finish();
  ask({"m:online"});
  EXPECT_EQ(plan().outcome, PlanOutcome::kVariantNotServed);
  EXPECT_EQ(plan_->variant_not_served, Variant::kOnline);
  EXPECT_TRUE(plan_->candidates().empty());
  ask({"m:exacto"});
  EXPECT_EQ(plan().outcome, PlanOutcome::kVariantNotServed);
  EXPECT_EQ(plan_->variant_not_served, Variant::kExacto);
  ask({"m"});
  request_.sort = SortBy::kExacto;
  EXPECT_EQ(plan().outcome, PlanOutcome::kVariantNotServed);
}

class TierTest : public PlanFixture {
 protected:
  TierTest() {
    endpoint("m", "a", 4);
    endpoint("m", "a/priority", 8, [](auto& s) { s.facts.tier = ServiceTier::kPriority; });
    endpoint("m", "a/flex", 2, [](auto& s) { s.facts.tier = ServiceTier::kFlex; });
    endpoint("m", "b/flex", 1, [](auto& s) { s.facts.tier = ServiceTier::kFlex; });
    endpoint("m", "b/priority", 9, [](auto& s) { s.facts.tier = ServiceTier::kPriority; });
    finish();
    health("a").throughput = {50};
    health("a/priority").throughput = {90};
    health("b/priority").throughput = {120};
    ask({"m"});
  }
};

TEST_F(TierTest, TiersAreInvisibleUnasked) {
  EXPECT_EQ(order(), "a");
  EXPECT_EQ(reason("a/priority"), "tier_not_asked");
  EXPECT_EQ(reason("b/flex"), "tier_not_asked");
  request_.only = slugs({"a"});
  request_.has_only = true;
  EXPECT_EQ(order(), "a") << "a base slug does not open a tier";
}

TEST_F(TierTest, PriorityIsTriedFirstByThroughputAndFallsBack) {
  request_.tier = RequestTier::kPriority;
  EXPECT_EQ(order(), "b/priority a/priority a");
}

TEST_F(TierTest, FlexStaysInFlexByPrice) {
  request_.tier = RequestTier::kFlex;
  EXPECT_EQ(order(), "b/flex a/flex");
  EXPECT_EQ(reason("a"), "tier_flex_only");
  health("b/flex").recent_outage = true;
  EXPECT_EQ(order(), "b/flex a/flex") << "by price, whatever else";
  request_.ignore = slugs({"a/flex", "b/flex"});
  EXPECT_EQ(order(), "a") << "with no flex endpoint left, routed as any other";
}

TEST_F(TierTest, NitroAndFloorAdmitTheirTier) {
  ask({"m:nitro"});
  EXPECT_EQ(order(), "b/priority a/priority a");
  ask({"m:floor"});
  EXPECT_EQ(order(), "b/flex a/flex a");
  request_.tier = RequestTier::kDefault;
  EXPECT_EQ(order(), "a");
  request_.tier = RequestTier::kUnset;
  request_.order = slugs({"a"});
  EXPECT_EQ(order(), "a");
}

TEST_F(TierTest, AFullSlugOpensItsTier) {
  request_.order = slugs({"a/priority"});
  EXPECT_EQ(order(), "a/priority a");
  request_.order = {};
  request_.only = slugs({"b/flex"});
  request_.has_only = true;
  EXPECT_EQ(order(), "b/flex");
}

class ListsTest : public PlanFixture {
 protected:
  ListsTest() {
    endpoint("m", "a", 1);
    endpoint("m", "a/us-east5", 2);
    endpoint("m", "b", 3);
    endpoint("m", "b/priority", 4, [](auto& s) { s.facts.tier = ServiceTier::kPriority; });
    finish();
    request_.sort = SortBy::kPrice;
    ask({"m"});
  }
};

TEST_F(ListsTest, OnlyAndIgnore) {
  request_.has_only = true;
  request_.only = slugs({"a"});
  EXPECT_EQ(order(), "a a/us-east5");
  EXPECT_EQ(reason("b"), "not_in_only");
  request_.only = slugs({"a/us-east5"});
  EXPECT_EQ(order(), "a/us-east5");
  request_.only = slugs({"nobody"});
  EXPECT_EQ(order(), "");
  EXPECT_EQ(plan_->outcome, PlanOutcome::kNoEndpoints);
  request_.has_only = false;
  request_.ignore = slugs({"a"});
  EXPECT_EQ(order(), "b");
  EXPECT_EQ(reason("a/us-east5"), "ignored");
}

TEST_F(PlanTest, AModelThatIsClosedToTheKeyIsNotAsked) {
  endpoint("m", "a", 1);
  endpoint("n", "b", 1);
  finish();
  ask({"m", "n"});
  models_[0].is_closed = true;
  EXPECT_EQ(order(), "b");
  EXPECT_EQ(reason("a"), name_of(Exclusion::kKeyNotAllowed));
}

TEST_F(ListsTest, TheKeysListsAreACeiling) {
  ceilings_.has_only = true;
  ceilings_.only = slugs({"a"});
  request_.has_only = true;
  request_.only = slugs({"a/us-east5", "b"});
  EXPECT_EQ(order(), "a/us-east5");
  EXPECT_EQ(reason("b"), "key_not_allowed");
  EXPECT_EQ(reason("a"), "not_in_only");
  ceilings_.only = {};
  EXPECT_EQ(order(), "") << "an empty allow list allows nobody";
}

TEST_F(ListsTest, TheKeysIgnoreListShutsTiersOutToo) {
  ceilings_.ignore = slugs({"b"});
  request_.tier = RequestTier::kPriority;
  request_.order = slugs({"b/priority"});
  EXPECT_EQ(order(), "a a/us-east5");
  EXPECT_EQ(reason("b/priority"), "key_ignores");
}

TEST_F(PlanTest, DataPolicy) {
  endpoint("m", "a", 1, [](auto& s) { s.facts.data = {.trains = true, .retention_days = 0}; });
  endpoint("m", "b", 2, [](auto& s) { s.facts.data = {.trains = false, .retention_days = 30}; });
  endpoint("m", "c", 3);
  endpoint("m", "d", 4, [](auto& s) { s.facts.data = {}; });
  finish();
  request_.sort = SortBy::kPrice;
  ask({"m"});
  EXPECT_EQ(order(), "a b c d");
  request_.deny_data_collection = true;
  EXPECT_EQ(order(), "b c");
  EXPECT_EQ(reason("a"), "trains");
  EXPECT_EQ(reason("d"), "trains") << "an unknown policy is the worst";
  request_.deny_data_collection = false;
  request_.zdr = true;
  EXPECT_EQ(order(), "c");
  EXPECT_EQ(reason("b"), "retains");
  request_.zdr = false;
  ceilings_.zdr = true;
  EXPECT_EQ(order(), "c");
  EXPECT_EQ(reason("b"), "key_retains");
  ceilings_.zdr = false;
  ceilings_.deny_data_collection = true;
  EXPECT_EQ(order(), "b c");
  EXPECT_EQ(reason("a"), "key_trains");
}

TEST_F(PlanTest, RegionsOfTheKey) {
  endpoint("m", "a", 1, [](auto& s) { s.region = "eu"; });
  endpoint("m", "b", 2, [](auto& s) { s.region = "us"; });
  endpoint("m", "c", 3);
  finish();
  request_.sort = SortBy::kPrice;
  ask({"m"});
  EXPECT_EQ(order(), "a b c");
  ceilings_.regions = catalogue_.region_bit("eu");
  EXPECT_EQ(order(), "a");
  EXPECT_EQ(reason("b"), "key_region");
  EXPECT_EQ(reason("c"), "key_region") << "nowhere stated is nowhere allowed";
  ceilings_.regions = catalogue_.region_bit("eu") | catalogue_.region_bit("us");
  EXPECT_EQ(order(), "a b");
}

TEST_F(PlanTest, QuantizationsWiden) {
  const auto of = [](Quantization q) { return [q](auto& s) { s.facts.quantization = q; }; };
  endpoint("m", "a", 1, of(Quantization::kMxfp4));
  endpoint("m", "b", 2, of(Quantization::kNvfp4));
  endpoint("m", "c", 3, of(Quantization::kFp4));
  endpoint("m", "d", 4, of(Quantization::kMxfp8));
  endpoint("m", "e", 5, of(Quantization::kFp8));
  endpoint("m", "f", 6);
  finish();
  request_.sort = SortBy::kPrice;
  ask({"m"});
  request_.quantizations = {Quantization::kFp4};
  EXPECT_EQ(order(), "a b c");
  EXPECT_EQ(reason("d"), "quantization");
  request_.quantizations = {Quantization::kMxfp4};
  EXPECT_EQ(order(), "a");
  request_.quantizations = {Quantization::kFp8};
  EXPECT_EQ(order(), "d e");
  request_.quantizations = {Quantization::kUnknown, Quantization::kFp8};
  EXPECT_EQ(order(), "d e f");
}

TEST_F(PlanTest, ModalitiesAndDistillation) {
  model({.id = "text", .input = {Modality::kText}, .output = {Modality::kText}});
  model({.id = "sees",
         .input = {Modality::kText, Modality::kImage},
         .output = {Modality::kText, Modality::kImage},
         .distillable = true});
  endpoint("text", "a", 1);
  endpoint("sees", "b", 2);
  finish();
  ask({"text", "sees"});
  EXPECT_EQ(order(), "a b");
  request_.input = {Modality::kText, Modality::kImage};
  EXPECT_EQ(order(), "b");
  EXPECT_EQ(reason("a"), "input_modality");
  request_.input = {};
  request_.output = {Modality::kImage};
  EXPECT_EQ(order(), "b");
  EXPECT_EQ(reason("a"), "output_modality");
  request_.output = {};
  request_.enforce_distillable_text = true;
  EXPECT_EQ(order(), "b");
  EXPECT_EQ(reason("a"), "not_distillable");
}

TEST_F(PlanTest, ContextAndOutputFit) {
  model({.id = "m", .context = 5'000});
  endpoint("m", "a", 1, [](auto& s) {
    s.facts.context = 10'000;
    s.facts.completion_max = 2'000;
  });
  endpoint("m", "b", 2, [](auto& s) { s.facts.prompt_max = 1'000; });
  finish();
  request_.sort = SortBy::kPrice;
  ask({"m"});
  request_.prompt_tokens = 1'000;
  request_.output_max = 2'000;
  EXPECT_EQ(order(), "a b");
  request_.output_max = 2'001;
  EXPECT_EQ(order(), "b");
  EXPECT_EQ(reason("a"), "output_max");
  request_.output_max = 4'000;
  EXPECT_EQ(order(), "b") << "to the last token";
  request_.output_max = 4'001;
  EXPECT_EQ(order(), "");
  EXPECT_EQ(reason("b"), "context") << "the model's context where the endpoint states none";
  request_.output_max = 0;
  request_.prompt_tokens = 1'001;
  EXPECT_EQ(order(), "a");
  EXPECT_EQ(reason("b"), "context");
  request_.prompt_tokens = 10'001;
  EXPECT_EQ(order(), "");
}

TEST_F(PlanTest, RequireParametersNeedsAllOfThem) {
  endpoint("m", "a", 1, [](auto& s) { s.facts.parameters = {Parameter::kSeed}; });
  endpoint("m", "b", 2, [](auto& s) {
    s.facts.parameters = {Parameter::kSeed, Parameter::kTopK, Parameter::kMaxCompletionTokens};
  });
  finish();
  request_.sort = SortBy::kPrice;
  ask({"m"});
  request_.parameters = {Parameter::kSeed, Parameter::kTopK, Parameter::kMaxTokens,
                         Parameter::kUser};
  EXPECT_EQ(order(), "a b");
  EXPECT_EQ(plan_->candidates()[0].dropped,
            (ParameterSet{Parameter::kTopK, Parameter::kMaxTokens}));
  EXPECT_TRUE(plan_->candidates()[1].dropped.empty()) << "one cap under two names";
  request_.require_parameters = true;
  EXPECT_EQ(order(), "b");
  EXPECT_EQ(reason("a"), "parameters");
}

TEST_F(PlanTest, WhatAProviderRejectsIsDropped) {
  ASSERT_TRUE(
      builder_.add_provider({.slug = "strict", .rejects = {Parameter::kStore, Parameter::kSeed}}));
  endpoint("m", "strict", 1);
  finish();
  ask({"m"});
  request_.parameters = {Parameter::kStore, Parameter::kSeed, Parameter::kUser};
  EXPECT_EQ(order(), "strict");
  EXPECT_EQ(plan_->candidates()[0].dropped, (ParameterSet{Parameter::kStore, Parameter::kSeed}));
}

TEST_F(PlanTest, ToolsAndFormatsArePreferredWhereAnyoneHasThem) {
  endpoint("m", "a", 1, [](auto& s) { s.facts.parameters = {Parameter::kSeed}; });
  endpoint("m", "b", 2, [](auto& s) { s.facts.parameters = {Parameter::kTools}; });
  endpoint("n", "c", 3, [](auto& s) { s.facts.parameters = {Parameter::kSeed}; });
  finish();
  ask({"m", "n"});
  request_.parameters = {Parameter::kTools};
  EXPECT_EQ(order(), "b c") << "nobody serves n with tools: they are dropped, n stays";
  EXPECT_EQ(reason("a"), "soft_parameters");
  EXPECT_EQ(plan_->candidates()[1].dropped, ParameterSet{Parameter::kTools});
  request_.parameters = {Parameter::kSeed};
  EXPECT_EQ(plan().candidates().size(), 3u) << "no preference for the others";
  for (const Parameter p : {Parameter::kResponseFormat, Parameter::kVerbosity}) {
    request_.parameters = {p};
    EXPECT_EQ(plan().candidates().size(), 3u);
  }
  // Two wishes that no endpoint fulfils together leave those of the first.
  request_.parameters = {Parameter::kTools, Parameter::kVerbosity};
  EXPECT_EQ(order(), "b c");
}

TEST_F(PlanTest, ToolChoiceIsPreferredWhereAnyoneKnowsIt) {
  endpoint("m", "a", 1, [](auto& s) { s.facts.tool_choices = {ToolChoice::kAuto}; });
  endpoint("m", "b", 2, [](auto& s) {
    s.facts.tool_choices = {ToolChoice::kAuto, ToolChoice::kRequired};
  });
  endpoint("m", "c", 3, [](auto& s) { s.facts.parameters = {Parameter::kToolChoice}; });
  endpoint("m", "d", 4, [](auto& s) { s.facts.parameters = {Parameter::kTools}; });
  finish();
  request_.sort = SortBy::kPrice;
  ask({"m"});
  request_.tool_choice = {ToolChoice::kRequired};
  EXPECT_EQ(order(), "b c") << "which kinds c knows is not stated";
  EXPECT_EQ(reason("a"), "tool_choice");
  EXPECT_EQ(reason("d"), "tool_choice");
  request_.ignore = slugs({"c"});
  request_.tool_choice = {ToolChoice::kFunction};
  EXPECT_EQ(order(), "a b d") << "where nobody does, it is dropped";
}

TEST_F(PlanTest, MaxPriceIsHardInEachClass) {
  endpoint("m", "a", 1, [](auto& s) {
    s.facts.prices[PriceClass::kRequest] = 500;
    s.facts.prices[PriceClass::kImage] = 700;
    s.facts.prices[PriceClass::kAudio] = 900;
  });
  finish();
  ask({"m"});
  const auto kept_at = [&](Picodollars MaxPrice::*field, Picodollars ceiling) {
    request_.max_price = {};
    request_.max_price.*field = ceiling;
    const bool kept = order() == "a";
    EXPECT_EQ(reason("a"), kept ? "" : "max_price");
    return kept;
  };
  const std::pair<Picodollars MaxPrice::*, Picodollars> prices[] = {
      {&MaxPrice::prompt, kDollar},
      {&MaxPrice::completion, kDollar},
      {&MaxPrice::request, 500},
      {&MaxPrice::image, 700},
      {&MaxPrice::audio, 900}};
  for (const auto& [field, price] : prices) {
    EXPECT_TRUE(kept_at(field, price));
    EXPECT_FALSE(kept_at(field, price - 1));
  }
}

TEST_F(PlanTest, PricesAreThoseOfThisRequestAndHour) {
  PriceOverride night;
  night.utc_start = 0;
  night.utc_end = 60;
  night.prices[PriceClass::kPrompt] = kDollar / 2;
  night.prices[PriceClass::kCompletion] = kDollar / 2;
  PriceOverride large;
  large.has_prompt_condition = true;
  large.prompt_tokens_over = 100;
  large.prices[PriceClass::kPrompt] = 9 * kDollar;
  const PriceOverride both[] = {night, large};
  endpoint("m", "a", 2, [&](auto& s) { s.overrides = both; });
  endpoint("m", "b", 1);
  finish();
  request_.sort = SortBy::kPrice;
  ask({"m"});
  utc_.minute = 59;
  EXPECT_EQ(order(), "a b");
  EXPECT_EQ(plan_->candidates()[0].price, kDollar / 2);
  utc_.minute = 60;
  EXPECT_EQ(order(), "b a");
  request_.max_price.prompt = 3 * kDollar;
  request_.prompt_tokens = 101;
  EXPECT_EQ(order(), "b");
  EXPECT_EQ(reason("a"), "max_price");
}

TEST_F(PlanTest, ALimitedEndpointIsNotAskedUntilItIsBack) {
  endpoint("m", "a", 1);
  endpoint("m", "b", 2);
  finish();
  ask({"m"});
  health("a").limited_until = now_ + seconds(5);
  EXPECT_EQ(order(), "b");
  EXPECT_EQ(reason("a"), "rate_limited");
  health("b").limited_until = now_ + seconds(9);
  EXPECT_EQ(order(), "");
  EXPECT_EQ(plan_->outcome, PlanOutcome::kAllLimited);
  EXPECT_EQ(plan_->retry_at, now_ + seconds(5));
  health("b").limited_until = now_;
  EXPECT_EQ(order(), "b");
  request_.has_only = true;
  EXPECT_EQ(plan().outcome, PlanOutcome::kNoEndpoints) << "nothing of the plan before is left";
}

TEST_F(PlanTest, AtMostHalfAreEjected) {
  for (const auto* tag : {"a", "b", "c"}) endpoint("m", tag, 1);
  endpoint("n", "d", 1);
  finish();
  request_.sort = SortBy::kPrice;
  ask({"m", "n"});
  health("a").breaker = BreakerState::kOpen;
  EXPECT_EQ(order(), "b c d");
  EXPECT_EQ(reason("a"), "breaker_open");
  health("b").breaker = BreakerState::kHalfOpen;
  health("a").uptime_permille = 100;
  health("b").uptime_permille = 200;
  EXPECT_EQ(order(), "c b d") << "one of three goes; the better of the broken is the last resort";
  EXPECT_TRUE(plan_->candidates()[1].is_last_resort);
  health("d").breaker = BreakerState::kOpen;
  EXPECT_EQ(order(), "c b d") << "a model's only endpoint stays";
  health("c").breaker = BreakerState::kProbe;
  EXPECT_EQ(order(), "c b d");
}

TEST_F(PlanTest, AModelThatStandsTwiceIsPlannedOnce) {
  endpoint("m", "a", 1);
  endpoint("n", "b", 1);
  finish();
  ask({"m", "n", "m"});
  EXPECT_EQ(order(), "a b");
}

TEST(Exclusion, EachHasAStableNameAndAText) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < kExclusions; ++i) {
    const auto reason = static_cast<Exclusion>(i);
    EXPECT_TRUE(names.insert(name_of(reason)).second) << name_of(reason);
    EXPECT_FALSE(text_of(reason).empty());
  }
  EXPECT_EQ(name_of(Exclusion::kDisabled), "disabled");
  EXPECT_EQ(name_of(Exclusion::kContext), "context");
  EXPECT_EQ(excluded_by(Exclusion::kRetains), "data_policy:zdr");
  EXPECT_EQ(name_of(Exclusion::kFallbacksDisallowed), "fallbacks_disallowed");
}

// A catalogue with something of everything, and random requests over it.
class PlanPropertyTest : public PlanFixture {
 protected:
  PlanPropertyTest() {
    const char* const models[] = {"m", "n", "o"};
    for (const char* name : models) {
      model({.id = name,
             .context = 8'000,
             .input = some_of<Modality>(3) | ModalitySet{Modality::kText},
             .distillable = dice_.chance(0.5)});
      for (int i = 0; i < 12; ++i) endpoint(name, tag(i), 1 + i, [this](auto& s) { roll(s); });
    }
    finish();
  }
  static std::string tag(int i) {
    return "p" + std::to_string(i % 8) + (i < 8 ? "" : "/x" + std::to_string(i));
  }
  template <class E>
  EnumSet<E> some_of(unsigned bits) {
    return EnumSet<E>::of_bits(dice_.next() & ((1u << bits) - 1));
  }
  void roll(EndpointSpec& s) {
    s.region = dice_.chance(0.5) ? "eu" : dice_.chance(0.5) ? "us" : "";
    s.facts.data = {.trains = dice_.chance(0.3),
                    .retention_days = static_cast<std::int32_t>(dice_.below(2) * 30)};
    s.facts.tier = static_cast<ServiceTier>(dice_.chance(0.7) ? 0 : dice_.below(3));
    s.facts.quantization = static_cast<Quantization>(dice_.below(kQuantizations));
    s.facts.parameters = some_of<Parameter>(26);
    s.facts.completion_max = dice_.chance(0.5) ? 2'000 : 0;
  }
  std::span<const SlugMatch> random_slugs() {
    auto& list = *lists_.emplace_back(std::make_unique<std::vector<SlugMatch>>());
    for (auto n = dice_.below(5); n > 0; --n) {
      list.push_back(catalogue_.find_slug(tag(static_cast<int>(dice_.below(13)))));
    }
    return list;
  }
  void roll_request() {
    lists_.clear();
    request_ = {};
    const std::string_view names[] = {"m", "n:nitro", "o:floor", "n", "m:free"};
    models_.clear();
    for (auto n = 1 + dice_.below(4); n > 0; --n) {
      models_.push_back(catalogue_.resolve(names[dice_.below(5)]));
    }
    request_.models = models_;
    request_.order = random_slugs();
    request_.has_only = dice_.chance(0.2);
    request_.only = random_slugs();
    if (dice_.chance(0.3)) request_.ignore = random_slugs();
    request_.allow_fallbacks = dice_.chance(0.8);
    request_.require_parameters = dice_.chance(0.1);
    request_.zdr = dice_.chance(0.2);
    request_.deny_data_collection = dice_.chance(0.2);
    request_.partition_none = dice_.chance(0.3);
    request_.sort = static_cast<SortBy>(dice_.below(4));
    request_.parameters = some_of<Parameter>(26);
    request_.output_max = dice_.chance(0.3) ? 3'000 : 0;
    request_.tier = static_cast<RequestTier>(dice_.below(4));
    ceilings_ = {};
    ceilings_.zdr = dice_.chance(0.3);
    ceilings_.deny_data_collection = dice_.chance(0.3);
    ceilings_.regions = dice_.chance(0.3) ? catalogue_.region_bit("eu") : 0;
    ceilings_.has_only = dice_.chance(0.3);
    ceilings_.only = random_slugs();
    if (dice_.chance(0.3)) ceilings_.ignore = random_slugs();
    for (EndpointHealth& health : health_) {
      health.breaker = static_cast<BreakerState>(dice_.below(4));
      health.recent_outage = dice_.chance(0.3);
      health.limited_until = dice_.chance(0.2) ? now_ + seconds(1) : Instant{};
    }
  }
  static bool covers(std::span<const SlugMatch> slugs, const Endpoint& endpoint) {
    for (const SlugMatch& slug : slugs) {
      if (slug.provider == endpoint.provider || slug.tag_id == endpoint.tag_id) return true;
    }
    return false;
  }

  Rng dice_{20'261'121};
};

TEST_F(PlanPropertyTest, EveryEndpointIsACandidateOrHasAReason) {
  for (int round = 0; round < 5'000; ++round) {
    roll_request();
    const Plan& made = plan();
    std::map<std::pair<int, EndpointId>, int> seen;
    for (const Candidate& c : made.candidates()) ++seen[{c.model_rank, c.endpoint}];
    for (const Excluded& e : made.excluded()) ++seen[{e.model_rank, e.endpoint}];
    std::size_t expected = 0;
    for (std::size_t rank = 0; rank < models_.size(); ++rank) {
      bool repeated = false;
      for (std::size_t i = 0; i < rank; ++i) {
        repeated |= models_[i].model == models_[rank].model &&
                    models_[i].variants == models_[rank].variants;
      }
      if (repeated) continue;
      const Model& facts = catalogue_.model(models_[rank].model);
      for (EndpointId id = facts.endpoints_begin; id < facts.endpoints_end; ++id, ++expected) {
        ASSERT_EQ((seen[{static_cast<int>(rank), id}]), 1) << "round " << round;
      }
    }
    ASSERT_EQ(seen.size(), expected);
    ASSERT_EQ(made.outcome == PlanOutcome::kPlanned, !made.candidates().empty());
  }
}

TEST_F(PlanPropertyTest, CeilingsAreNeverLoosened) {
  std::size_t candidates = 0;
  for (int round = 0; round < 5'000; ++round) {
    roll_request();
    for (const Candidate& c : plan().candidates()) {
      ++candidates;
      const Endpoint& endpoint = catalogue_.endpoint(c.endpoint);
      ASSERT_FALSE(ceilings_.zdr && !endpoint.data.zero_retention());
      ASSERT_FALSE(ceilings_.deny_data_collection && endpoint.data.collects());
      ASSERT_FALSE(ceilings_.regions != 0 && endpoint.region != "eu");
      ASSERT_FALSE(ceilings_.has_only && !covers(ceilings_.only, endpoint));
      ASSERT_FALSE(covers(ceilings_.ignore, endpoint));
    }
  }
  EXPECT_GT(candidates, 5'000u) << "the requests must not all be empty";
}

}  // namespace
}  // namespace leat::policy
