// SPDX-License-Identifier: Apache-2.0
// Goal: every exchange is charged for what it used, to the nano-dollar where the provider says what
// that was, by a fair estimate where it does not, and never for more than it could have used.
// Method: facts as exchanges gather them, sums worked out by hand.
#include "gateway/metering.h"

#include <gtest/gtest.h>

#include "policy/catalogue_builder.h"
#include "small_snapshot.h"

namespace leat::gateway {
namespace {

using dialect::ChatUsage;
using policy::AnswerEnd;
using policy::PriceClass;

constexpr WallTime kNow{1'700'000'000'000'000'000};

// A long answer's facts; each test says what is different.
MeterFacts facts() {
  MeterFacts facts;
  facts.usage = {.prompt = 100, .completion = 20, .total = 120};
  facts.content_events = 18;
  facts.content_bytes = 80;
  facts.prompt_bytes = 400;
  return facts;
}

// $1 a million tokens of prompt, $4 of completion, a tenth for what is cached; or nothing.
policy::Endpoint endpoint(bool priced = true) {
  policy::Endpoint endpoint;
  endpoint.model = 0;
  if (priced) {
    endpoint.prices[PriceClass::kPrompt] = 1'000'000;
    endpoint.prices[PriceClass::kCompletion] = 4'000'000;
    endpoint.prices[PriceClass::kInputCacheRead] = 100'000;
  }
  return endpoint;
}

UsageMeasured measured(const MeterFacts& facts) {
  return measure(facts, endpoint());
}

TEST(Measure, TakesTheProvidersWord) {
  const UsageMeasured out = measured(facts());
  EXPECT_EQ(out.usage, facts().usage);
  EXPECT_FALSE(out.is_estimated);
  EXPECT_FALSE(out.is_clamped);
  MeterFacts empty = facts();
  empty.usage = {.prompt = 0, .completion = 0, .total = 0};
  empty.content_events = empty.content_bytes = 0;
  EXPECT_EQ(measured(empty).usage.prompt, 0) << "an explicit 0 is not missing";
  EXPECT_FALSE(measured(empty).is_estimated);
}

TEST(Measure, EstimatesACutStreamFromWhatPassed) {
  MeterFacts cut = facts();
  cut.usage = {};
  const UsageMeasured out = measured(cut);
  EXPECT_EQ(out.usage.prompt, 100);
  EXPECT_EQ(out.usage.completion, 18) << "an event a token";
  EXPECT_EQ(out.usage.total, 118);
  EXPECT_TRUE(out.is_estimated);
  cut.content_bytes = 18 * 6;
  EXPECT_EQ(measured(cut).usage.completion, 18);
  cut.content_bytes = 18 * 6 + 1;
  EXPECT_EQ(measured(cut).usage.completion, 28) << "several tokens in an event";
  cut.content_bytes = 26;
  EXPECT_EQ(measured(cut).usage.completion, 7) << "an event for each letter";
  cut.content_bytes = 27;
  EXPECT_EQ(measured(cut).usage.completion, 18);
  cut.content_bytes = 0;
  EXPECT_EQ(measured(cut).usage.completion, 18) << "images and the like";
  cut.content_events = 0;
  cut.content_bytes = 4'001;
  EXPECT_EQ(measured(cut).usage.completion, 1'001) << "a whole answer";
  cut.content_bytes = 0;
  EXPECT_EQ(measured(cut).usage.completion, 0);
}

TEST(Measure, FillsWhatIsMissing) {
  MeterFacts partly = facts();
  partly.usage = {.completion = 7};
  EXPECT_EQ(measured(partly).usage.prompt, 100);
  EXPECT_EQ(measured(partly).usage.completion, 7);
  EXPECT_TRUE(measured(partly).is_estimated);
  partly.usage = {.prompt = 7};
  EXPECT_EQ(measured(partly).usage.prompt, 7);
  EXPECT_EQ(measured(partly).usage.completion, 18);
  partly.usage = {.total = 50};
  EXPECT_EQ(measured(partly).usage.completion, 18);
  EXPECT_EQ(measured(partly).usage.prompt, 32);
  EXPECT_EQ(measured(partly).usage.total, 50);
  partly.usage = {.total = 5};
  EXPECT_EQ(measured(partly).usage.completion, 5);
  EXPECT_EQ(measured(partly).usage.prompt, 0);
  partly.usage = {.prompt = 30, .completion = 0, .total = 30};
  EXPECT_EQ(measured(partly).usage.completion, 18) << "nothing, though words passed";
  EXPECT_EQ(measured(partly).usage.total, 48);
  partly.usage = {.prompt = 0, .completion = 0, .total = 0};
  EXPECT_EQ(measured(partly).usage.prompt, 100);
  EXPECT_TRUE(measured(partly).is_estimated);
  MeterFacts vectors = facts();
  vectors.usage = {.prompt = 9, .total = 9};
  vectors.has_completion = false;
  EXPECT_EQ(measured(vectors).usage.completion, 0);
  EXPECT_FALSE(measured(vectors).is_estimated) << "vectors have no completion to be missing";
}

TEST(Measure, NobodyIsChargedForWhatDidNotRun) {
  MeterFacts none = facts();
  none.was_executed = false;
  EXPECT_EQ(measured(none).usage, (ChatUsage{.prompt = 0, .completion = 0, .total = 0}));
  EXPECT_FALSE(measured(none).is_estimated);
}

TEST(Measure, ClampsMoreThanCanBe) {
  MeterFacts absurd = facts();
  absurd.output_max = 15;
  absurd.usage = {.prompt = 10'000, .completion = 200, .total = 10'200, .reasoning = 150};
  UsageMeasured out = measured(absurd);
  EXPECT_EQ(out.usage.completion, 15);
  EXPECT_EQ(out.usage.reasoning, 15);
  EXPECT_EQ(out.usage.prompt, 400 + kTemplateTokensMax);
  EXPECT_EQ(out.usage.total, 15 + 400 + kTemplateTokensMax);
  EXPECT_TRUE(out.is_clamped);
  EXPECT_FALSE(out.is_estimated);
  absurd.answers = 10;
  absurd.has_media = true;
  out = measured(absurd);
  EXPECT_EQ(out.usage.completion, 150) << "each answer has the cap to itself";
  EXPECT_EQ(out.usage.prompt, 10'000) << "bytes say nothing of an image's tokens";
  absurd.answers = INT64_MAX;
  absurd.output_max = INT64_MAX;
  EXPECT_EQ(measured(absurd).usage.completion, 200);
  absurd.output_max = 0;
  EXPECT_EQ(measured(absurd).usage.completion, 0);
}

TEST(Measure, TheEndpointCapsWhatTheRequestDoesNot) {
  policy::Endpoint capped = endpoint();
  capped.context = 10;
  EXPECT_EQ(measure(facts(), capped).usage.completion, 10);
  capped.completion_max = 12;
  EXPECT_EQ(measure(facts(), capped).usage.completion, 12);
  MeterFacts own = facts();
  own.output_max = 19;
  EXPECT_EQ(measure(own, capped).usage.completion, 19);
}

class MeterTest : public testing::Test {
 protected:
  Metered meter(const MeterFacts& facts, const MoneyTerms& money = {}, bool priced = true) {
    return gateway::meter(facts, catalogue_, endpoint(priced), money, kNow);
  }

  SmallSnapshot snapshot_{1};
  const policy::Catalogue& catalogue_ = snapshot_.get().catalogue();
};

// One endpoint at this price of a prompt token, with another for prompts of more tokens.
std::uint64_t version(policy::Picodollars prompt, std::uint64_t over = 0) {
  policy::CatalogueBuilder builder;
  EXPECT_TRUE(builder.add_provider({.slug = "p", .name = "P"}));
  EXPECT_TRUE(builder.add_model({.id = "a/b", .name = "B"}));
  policy::PriceOverride item;
  item.has_prompt_condition = true;
  item.prompt_tokens_over = over;
  item.prices[PriceClass::kPrompt] = 7;
  policy::EndpointSpec spec{.model = "a/b", .provider = "p", .upstream_model = "u"};
  spec.facts.prices[PriceClass::kPrompt] = prompt;
  spec.facts.prices[PriceClass::kCompletion] = 5;
  if (over != 0) spec.overrides = {&item, 1};
  EXPECT_TRUE(builder.add_endpoint(spec));
  auto made = builder.finish();
  EXPECT_TRUE(made);
  return price_version(*made);
}

TEST(PriceVersion, NamesThePrices) {
  EXPECT_EQ(version(3), version(3));
  EXPECT_NE(version(3), version(4));
  EXPECT_NE(version(3), version(3, 1'000));
  EXPECT_NE(version(3, 1'001), version(3, 1'000));
}

TEST_F(MeterTest, CostsWhatTheListSays) {
  MeterFacts some = facts();
  some.usage.cached = 60;
  const Metered out = meter(some);
  ASSERT_TRUE(out.is_priced);
  // 40 at 1000, 60 at 100 and 20 at 4000 nano-dollars.
  EXPECT_EQ(out.cost.upstream_prompt, 46'000);
  EXPECT_EQ(out.cost.upstream_completion, 80'000);
  EXPECT_EQ(out.cost.total, 126'000);
  EXPECT_EQ(out.charge.charged, 126'000);
  EXPECT_FALSE(out.cost.is_byok);
  EXPECT_EQ(out.cost.upstream_total, dialect::UsageCost::kUnpriced);
}

TEST_F(MeterTest, EveryClassReachesItsPrice) {
  policy::Endpoint dear = endpoint();
  const auto price = [&](PriceClass c, policy::Picodollars each) { dear.prices[c] = each * 1'000; };
  price(PriceClass::kPrompt, 1);
  price(PriceClass::kInputCacheWrite, 10);
  price(PriceClass::kInputCacheWrite1h, 100);
  price(PriceClass::kAudio, 1'000);
  price(PriceClass::kImageToken, 10'000);
  price(PriceClass::kInputAudioCache, 100'000);
  price(PriceClass::kCompletion, 1);
  price(PriceClass::kInternalReasoning, 10);
  price(PriceClass::kAudioOutput, 100);
  price(PriceClass::kImageOutput, 1'000);
  price(PriceClass::kWebSearch, 10'000'000);
  price(PriceClass::kInputCacheRead, 0);
  MeterFacts all = facts();
  all.usage = {.prompt = 100, .completion = 10, .total = 110};
  all.usage.cached = 5;
  all.usage.cached_audio = 2;
  all.usage.cache_write = 7;
  all.usage.cache_write_1h = 3;
  all.usage.prompt_audio = 4;
  all.usage.prompt_image = 6;
  all.usage.reasoning = 2;
  all.usage.completion_audio = 3;
  all.usage.completion_image = 4;
  all.usage.web_searches = 1;
  const Metered out = gateway::meter(all, catalogue_, dear, {}, kNow);
  // Cached audio is in both of its wholes: 100 - 3 - 2 - 7 - 2 - 6 are plain.
  EXPECT_EQ(out.cost.upstream_prompt,
            80 + 4 * 10 + 3 * 100 + 2 * 1'000 + 6 * 10'000 + 2 * 100'000 + 10'000'000);
  EXPECT_EQ(out.cost.upstream_completion, 1 + 2 * 10 + 3 * 100 + 4 * 1'000);
}

TEST_F(MeterTest, WithoutAPriceThereIsNoCost) {
  const Metered out = meter(facts(), {}, false);
  EXPECT_FALSE(out.is_priced);
  EXPECT_FALSE(out.cost.is_priced());
  EXPECT_EQ(out.charge.charged, 0);
  EXPECT_EQ(out.measured.usage.prompt, 100) << "counted all the same";
  policy::Endpoint free = endpoint(false);
  free.prices[PriceClass::kPrompt] = 0;
  EXPECT_EQ(gateway::meter(facts(), catalogue_, free, {}, kNow).cost.total, 0);
}

TEST_F(MeterTest, ChargesNoMoreThanWasReserved) {
  const Metered out = meter(facts(), {.reserved = 100'000});
  EXPECT_EQ(out.cost.total, 100'000);
  EXPECT_EQ(out.charge.shortfall, 80'000);
}

TEST_F(MeterTest, AnOwnKeyPaysTheFeeAlone) {
  const MoneyTerms money{.terms = {.byok_fee_ppm = 50'000}, .uses_own_key = true};
  const Metered out = meter(facts(), money);
  EXPECT_EQ(out.cost.total, 9'000);
  EXPECT_EQ(out.cost.upstream_total, 180'000);
  EXPECT_TRUE(out.cost.is_byok);
}

TEST_F(MeterTest, AnAnswerOfTwoEndpointsCostsWhatBothParts) {
  MeterFacts cut = facts();
  cut.usage = {};
  const Metered first = meter(cut);
  const Metered second = meter(facts());
  const Metered both = together(first, second, {});
  EXPECT_EQ(both.measured.usage.prompt, 200);
  EXPECT_EQ(both.measured.usage.completion, 38);
  EXPECT_EQ(both.measured.usage.total, 238);
  EXPECT_TRUE(both.measured.is_estimated) << "one part is";
  EXPECT_EQ(both.charge.charged, first.charge.charged + second.charge.charged);
  EXPECT_EQ(both.cost.total, both.charge.charged);
  EXPECT_EQ(both.cost.upstream_prompt + both.cost.upstream_completion, both.charge.upstream);
  EXPECT_EQ(both.charge.shortfall, 0);

  const MoneyTerms money{.reserved = second.charge.charged + 1};
  const Metered bounded = together(first, second, money);
  EXPECT_EQ(bounded.charge.charged, money.reserved) << "never more than was reserved";
  EXPECT_EQ(bounded.charge.charged + bounded.charge.shortfall, both.charge.charged);
  EXPECT_TRUE(bounded.charge.is_clamped);
  EXPECT_EQ(bounded.cost.total, money.reserved);

  const Metered unpriced = together(first, meter(facts(), {}, false), {});
  EXPECT_FALSE(unpriced.cost.is_priced()) << "half a cost is none";
  EXPECT_EQ(unpriced.charge.charged, first.charge.charged);
}

TEST_F(MeterTest, WhatIsWaivedCostsTheClientNothingAndTheOperatorTheSame) {
  const MoneyTerms money{.reserved = 100'000};
  const Metered metered = meter(facts(), money);
  ASSERT_GT(metered.charge.charged, 0);
  ASSERT_GT(metered.charge.shortfall, 0);
  const Metered out = waived(metered);
  EXPECT_EQ(out.charge.charged, 0);
  EXPECT_EQ(out.charge.shortfall, 0);
  EXPECT_EQ(out.charge.upstream, metered.charge.upstream);
  EXPECT_TRUE(out.charge.is_insured);
  EXPECT_FALSE(out.charge.is_clamped);
  EXPECT_EQ(out.cost.total, 0);
  EXPECT_EQ(out.measured.usage.completion, metered.measured.usage.completion);
  EXPECT_FALSE(waived(meter(facts(), {}, false)).cost.is_priced());
}

TEST_F(MeterTest, NoAnswerIsNotPaidFor) {
  MeterFacts blank = facts();
  blank.end = AnswerEnd::kBlank;
  blank.usage.completion = 0;
  blank.content_events = blank.content_bytes = 0;
  EXPECT_EQ(meter(blank).cost.total, 0);
  EXPECT_EQ(meter(blank).charge.upstream, 100'000) << "the provider may ask for it all the same";
  MeterFacts cut = facts();
  cut.end = AnswerEnd::kBlank;
  cut.usage = {};
  EXPECT_EQ(meter(cut).cost.total, 100'000 + 18 * 4'000) << "what came is paid for";
  MeterFacts error = facts();
  error.end = AnswerEnd::kError;
  EXPECT_EQ(meter(error).cost.total, 0);
  MeterFacts none = facts();
  none.was_executed = false;
  EXPECT_FALSE(meter(none).cost.is_priced());
}

}  // namespace
}  // namespace leat::gateway
