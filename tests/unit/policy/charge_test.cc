// SPDX-License-Identifier: Apache-2.0
// Goal: what is reserved is never less than what may be charged, what is charged is exact to the
// nano-dollar, and no number of a client or provider makes either negative or absurd. Method:
// prices chosen so that the right answer can be written down, then random requests whose charge is
// held against their bound.
#include "policy/charge.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <string>

#include "plan_fixture.h"

namespace leat::policy {
namespace {

constexpr UtcMoment kNoon{.weekday = 3, .minute = 720};
constexpr std::int64_t kHuge = std::numeric_limits<std::int64_t>::max();

class ChargeBound : public PlanFixture {
 protected:
  // $2 in, $10 out for a million tokens.
  static void priced(EndpointSpec& spec) {
    spec.facts.prices[PriceClass::kPrompt] = 2 * kDollar;
    spec.facts.prices[PriceClass::kCompletion] = 10 * kDollar;
  }
  void one(Edit edit = {}) {
    endpoint("a/m", "p", 1, [&](EndpointSpec& spec) {
      priced(spec);
      if (edit) edit(spec);
    });
    finish();
  }
  Bound bound(const ChargeDemand& demand, const ChargeTerms& terms = {}, bool own_key = false) {
    return bound_of(catalogue_, catalogue_.endpoint(id_of("p")), demand, terms, kNoon, own_key);
  }
};

TEST_F(ChargeBound, ATokenForEachByteAndTheOutputCapForEachChoice) {
  one();
  const Bound made = bound({.text_bytes = 1'000, .output_cap = 100, .choices = 3});
  EXPECT_TRUE(made.is_priced);
  EXPECT_EQ(made.prompt_tokens, 1'000u);
  EXPECT_EQ(made.output_tokens, 300u);
  EXPECT_EQ(made.tokens(), 1'300u);
  EXPECT_EQ(made.money, 1'000 * 2'000 + 300 * 10'000);  // nano-dollars
}

TEST_F(ChargeBound, ACalibratedBoundTakesThePlaceOfTheBytes) {
  one();
  EXPECT_EQ(bound({.text_bytes = 1'000, .text_tokens_max = 400, .output_cap = 1}).prompt_tokens,
            400u);
}

TEST_F(ChargeBound, WithoutACapTheSmallerDefaultHoldsAndGoesUpstream) {
  model({.id = "a/m", .output_default_max = 4'000});
  one([](EndpointSpec& spec) { spec.facts.completion_max = 3'000; });
  const Model& made = catalogue_.model(catalogue_.find_model("a/m"));
  const Endpoint& at = catalogue_.endpoint(id_of("p"));
  EXPECT_EQ(default_output_cap(made, at, 0), 3'000u) << "no more than the endpoint gives";
  EXPECT_EQ(default_output_cap(made, at, 500), 500u);
  EXPECT_EQ(default_output_cap(made, at, 5'000), 3'000u);
  EXPECT_EQ(bound({.key_output_default_max = 500}).output_tokens, 500u);
  EXPECT_EQ(bound({.output_cap = 700, .key_output_default_max = 500}).output_tokens, 700u)
      << "what is asked is asked";
  EXPECT_EQ(bound({.output_cap = 9'000}).output_tokens, 3'000u);
}

TEST_F(ChargeBound, WithoutCapOrDefaultWhatTheEndpointCanGiveIsTaken) {
  endpoint("a/m", "p", 1, priced);
  endpoint("a/m", "context", 1, [](EndpointSpec& spec) { spec.facts.context = 8'000; });
  finish();
  EXPECT_EQ(bound({}).output_tokens, kOutputTokensMax);
  const Endpoint& at = catalogue_.endpoint(id_of("context"));
  const Bound made = bound_of(catalogue_, at, {.text_bytes = 90'000}, {}, kNoon, false);
  EXPECT_EQ(made.output_tokens, 8'000u);
  EXPECT_EQ(made.prompt_tokens, 8'000u) << "a longer prompt is refused by the provider";
  EXPECT_EQ(default_output_cap(catalogue_.model(at.model), at, 0), 0u) << "nothing to send";
}

TEST_F(ChargeBound, EachPromptHasTheContextToItself) {
  one([](EndpointSpec& spec) { spec.facts.context = 8'000; });
  EXPECT_EQ(bound({.text_bytes = 90'000}).prompt_tokens, 8'000u);
  EXPECT_EQ(bound({.text_bytes = 90'000, .prompts = 3}).prompt_tokens, 24'000u);
  EXPECT_EQ(bound({.text_bytes = 90'000, .prompts = 100}).prompt_tokens, 90'000u);
  EXPECT_EQ(bound({.text_bytes = 90'000, .prompts = 0}).prompt_tokens, 8'000u);
}

TEST_F(ChargeBound, MediaAtTheirMaximum) {
  one([](EndpointSpec& spec) {
    spec.facts.prices[PriceClass::kImage] = 5'000'000'000;  // $0.005
    spec.facts.prices[PriceClass::kImageToken] = 3 * kDollar;
    spec.facts.prices[PriceClass::kAudio] = 40 * kDollar;
  });
  const Bound images = bound({.text_bytes = 100, .images = 2, .output_cap = 1});
  EXPECT_EQ(images.prompt_tokens, 100 + 2 * kImageTokensMax);
  EXPECT_EQ(images.money, 100'100 * 3'000 + 10'000 + 2 * 5'000'000);
  const Bound audio = bound({.text_bytes = 100, .has_open_media = true, .output_cap = 1});
  EXPECT_EQ(audio.prompt_tokens, 100 + kContextTokensMax);
  EXPECT_EQ(audio.money, std::int64_t{100 + kContextTokensMax} * 40'000 + 10'000);
  EXPECT_EQ(bound({.text_bytes = 100, .output_cap = 1}).money, 100 * 2'000 + 10'000)
      << "text pays no media price";
}

TEST_F(ChargeBound, GeneratedMediaAtTheirPrice) {
  endpoint("a/m", "p", 1, [](EndpointSpec& spec) {
    priced(spec);
    spec.facts.prices[PriceClass::kImageOutput] = 30 * kDollar;
    spec.facts.prices[PriceClass::kAudioOutput] = 80 * kDollar;
    spec.facts.prices[PriceClass::kInternalReasoning] = 12 * kDollar;
  });
  finish();
  EXPECT_EQ(bound({.output_cap = 10}).money, 10 * 12'000);
  EXPECT_EQ(bound({.output_cap = 10, .output = {Modality::kImage}}).money, 10 * 30'000);
  EXPECT_EQ(bound({.output_cap = 10, .output = {Modality::kAudio}}).money, 10 * 80'000);
}

TEST_F(ChargeBound, AModelThatDrawsUnaskedIsBoundedByIt) {
  model({.id = "a/m", .output = {Modality::kText, Modality::kImage}});
  one([](EndpointSpec& spec) { spec.facts.prices[PriceClass::kImageOutput] = 30 * kDollar; });
  EXPECT_EQ(bound({.output_cap = 10}).money, 10 * 30'000);
}

TEST_F(ChargeBound, EverythingElseThatIsBilled) {
  one([](EndpointSpec& spec) {
    spec.facts.prices[PriceClass::kRequest] = 7'000'000;         // 7,000 nano-dollars
    spec.facts.prices[PriceClass::kWebSearch] = 10'000'000'000;  // $0.01
    spec.facts.prices[PriceClass::kInputCacheWrite] = 5 * kDollar / 2;
    spec.facts.prices[PriceClass::kInputCacheWrite1h] = 4 * kDollar;
  });
  EXPECT_EQ(bound({.text_bytes = 10, .caches_for_an_hour = false, .output_cap = 1}).money,
            10 * 2'500 + 10'000 + 7'000);
  EXPECT_EQ(bound({.text_bytes = 10, .output_cap = 1, .web_searches = 2}).money,
            10 * 4'000 + 10'000 + 7'000 + 2 * 10'000'000);
  EXPECT_EQ(bound({.text_bytes = 10, .caches_for_an_hour = false, .has_output = false}).money,
            10 * 2'500 + 7'000);
}

PriceOverride over_prompt(std::uint64_t tokens, Picodollars price) {
  PriceOverride item;
  item.has_prompt_condition = true;
  item.prompt_tokens_over = tokens;
  item.prices[PriceClass::kPrompt] = price;
  return item;
}
PriceOverride by_day(std::uint16_t begin, std::uint16_t end, Picodollars price) {
  PriceOverride item;
  item.utc_start = begin;
  item.utc_end = end;
  item.prices[PriceClass::kPrompt] = price;
  return item;
}

TEST_F(ChargeBound, OverridesThatMayHoldRaiseIt) {
  const std::array overrides{over_prompt(999, 4 * kDollar), over_prompt(5'000, 9 * kDollar),
                             over_prompt(100, kDollar)};
  one([&](EndpointSpec& spec) { spec.overrides = overrides; });
  const ChargeDemand text{.text_bytes = 1'000, .output_cap = 1};
  EXPECT_EQ(bound(text).money, 1'000 * 4'000 + 10'000) << "a long prompt may have few tokens";
  EXPECT_EQ(bound({.text_bytes = 999, .output_cap = 1}).money, 999 * 2'000 + 10'000);
}

TEST_F(ChargeBound, OverridesByTheHourReplace) {
  const std::array overrides{by_day(600, 800, kDollar), by_day(800, 900, 20 * kDollar)};
  one([&](EndpointSpec& spec) { spec.overrides = overrides; });
  EXPECT_EQ(bound({.text_bytes = 1'000, .output_cap = 1}).money, 1'000 * 1'000 + 10'000);
}

TEST_F(ChargeBound, TermsAreOfTheClient) {
  one();
  const ChargeDemand demand{.text_bytes = 1'000, .output_cap = 100};  // 3,000,000
  EXPECT_EQ(bound(demand, {.markup_ppm = 100'000}).money, 3'300'000);
  EXPECT_EQ(bound(demand, {.markup_ppm = -500'000}).money, 1'500'000);
  EXPECT_EQ(bound(demand, {.markup_ppm = 100'000, .byok_fee_ppm = 50'000}, true).money, 150'000);
  EXPECT_EQ(bound(demand, {.markup_ppm = -2'000'000}).money, 0) << "never paid for asking";
  EXPECT_EQ(bound(demand, {.markup_ppm = std::numeric_limits<std::int32_t>::max()}).money,
            30'000'000)
      << "ten times the list at the most";
  EXPECT_EQ(bound({.text_bytes = 1, .output_cap = 1}, {.markup_ppm = 1}).money, 12'001)
      << "rounded up";
}

TEST_F(ChargeBound, TheDearestCandidateIsTaken) {
  endpoint("a/m", "cheap", 1, [](EndpointSpec& spec) {
    spec.facts.prices[PriceClass::kCompletion] = kDollar;
    spec.facts.completion_max = 5'000;
  });
  endpoint("a/m", "dear", 8, [](EndpointSpec& spec) { spec.facts.completion_max = 100; });
  finish();
  const std::array candidates{Candidate{.endpoint = id_of("cheap")},
                              Candidate{.endpoint = id_of("dear")}};
  const ChargeDemand demand{.text_bytes = 1'000'000, .output_cap = 1'000};
  const Bound made = bound_of(catalogue_, candidates, demand, {}, kNoon);
  EXPECT_EQ(made.money, 8'000'800'000);
  EXPECT_EQ(made.output_tokens, 1'000u) << "of the candidate that gives more";
}

TEST_F(ChargeBound, TellsWhatCouldBeAfforded) {
  one();
  const Bound made = bound({.text_bytes = 1'000, .output_cap = 100, .choices = 2});
  ASSERT_EQ(made.money, 2'000'000 + 2'000'000);
  EXPECT_EQ(affordable_output(made, 4'000'000), 200u);
  EXPECT_EQ(affordable_output(made, 3'999'999), 199u);
  EXPECT_EQ(affordable_output(made, 2'500'000), 50u);
  EXPECT_EQ(affordable_output(made, 2'000'000), 0u);
  EXPECT_EQ(affordable_output(made, -7), 0u);
  EXPECT_EQ(affordable_output(made, kHuge), 200u);
  const Bound huge = bound({.output_cap = kHuge, .choices = kHuge});
  EXPECT_LE(affordable_output(huge, huge.money - 1), huge.output_tokens);
}

TEST_F(ChargeBound, WhatHasNoPriceIsNotPriced) {
  one();
  Catalogue& shown = catalogue_;
  Endpoint unpriced = shown.endpoint(id_of("p"));
  unpriced.prices = Prices{};
  EXPECT_FALSE(bound_of(shown, unpriced, {.output_cap = 1}, {}, kNoon, false).is_priced);
  unpriced.is_free = true;
  const Bound free = bound_of(shown, unpriced, {.text_bytes = 5}, {}, kNoon, false);
  EXPECT_TRUE(free.is_priced);
  EXPECT_EQ(free.money, 0);
  unpriced.is_unpriced = true;
  EXPECT_FALSE(bound_of(shown, unpriced, {}, {}, kNoon, false).is_priced) << "nobody said so";
  EXPECT_FALSE(bound_of(shown, std::span<const Candidate>{}, {}, {}, kNoon).is_priced);
}

TEST_F(ChargeBound, NothingThatAClientSendsIsNegativeOrAbsurd) {
  one([](EndpointSpec& spec) { spec.facts.prices[PriceClass::kRequest] = 0; });
  const std::int64_t low = std::numeric_limits<std::int64_t>::min();
  for (const std::int64_t cap : {low, std::int64_t{-1}, std::int64_t{0}}) {
    EXPECT_EQ(bound({.output_cap = cap}).output_tokens, kOutputTokensMax) << "as if absent";
  }
  for (const std::int64_t choices : {low, std::int64_t{-7}, std::int64_t{0}}) {
    EXPECT_EQ(bound({.output_cap = 50, .choices = choices}).output_tokens, 50u);
  }
  const Bound most = bound({.text_bytes = ~std::uint64_t{0},
                            .images = ~std::uint64_t{0},
                            .has_open_media = true,
                            .output_cap = kHuge,
                            .choices = kHuge,
                            .web_searches = ~std::uint32_t{0}},
                           {.markup_ppm = std::numeric_limits<std::int32_t>::max()});
  EXPECT_EQ(most.prompt_tokens, static_cast<std::uint64_t>(kCountMax));
  EXPECT_EQ(most.output_tokens, static_cast<std::uint64_t>(kCountMax));
  EXPECT_GT(most.money, 0);
  EXPECT_LE(most.money, kMoneyMax);
  EXPECT_GT(bound({.output_cap = 1'000, .choices = kHuge}).money,
            bound({.output_cap = 1'000, .choices = 128}).money);
}

TEST_F(ChargeBound, SaturatesAtTheDearestPrices) {
  one([](EndpointSpec& spec) { spec.facts.prices.values.fill(kPriceMax); });
  const Bound most = bound({.text_bytes = ~std::uint64_t{0}, .output_cap = kHuge});
  EXPECT_EQ(most.money, kMoneyMax);
}

// ---- The charge.

Prices all_prices() {
  Prices prices;
  for (std::size_t i = 0; i < kPriceClasses; ++i) {
    prices.values[i] = static_cast<Picodollars>(1'000 << i);  // a nano-dollar, doubled each time
  }
  return prices;
}
constexpr Nanodollars price_of(PriceClass c) {
  return Nanodollars{1} << static_cast<int>(c);
}
Charge charged(const Prices& prices, const ChargeUsage& usage, const ChargeTerms& terms = {}) {
  return charge_of(prices, usage, terms, false, kMoneyMax);
}

TEST(Charge, EachClassAtItsOwnPrice) {
  const ChargeUsage usage{.prompt = 1'000'000,
                          .cached = 100'000,
                          .cached_audio = 1'000,
                          .cache_write = 20'000,
                          .cache_write_1h = 5'000,
                          .prompt_audio = 3'000,
                          .prompt_image_tokens = 700,
                          .images = 2,
                          .completion = 50'000,
                          .reasoning = 10'000,
                          .completion_audio = 300,
                          .completion_image = 40,
                          .web_searches = 3};
  const Charge made = charged(all_prices(), usage);
  const Nanodollars prompt =
      (1'000'000 - 100'000 - 20'000 - 2'000 - 700) * price_of(PriceClass::kPrompt) +
      99'000 * price_of(PriceClass::kInputCacheRead) +
      1'000 * price_of(PriceClass::kInputAudioCache) +
      15'000 * price_of(PriceClass::kInputCacheWrite) +
      5'000 * price_of(PriceClass::kInputCacheWrite1h) + 2'000 * price_of(PriceClass::kAudio) +
      700 * price_of(PriceClass::kImageToken) + 2 * price_of(PriceClass::kImage) +
      3 * price_of(PriceClass::kWebSearch) + price_of(PriceClass::kRequest);
  const Nanodollars completion = (50'000 - 10'000 - 340) * price_of(PriceClass::kCompletion) +
                                 10'000 * price_of(PriceClass::kInternalReasoning) +
                                 300 * price_of(PriceClass::kAudioOutput) +
                                 40 * price_of(PriceClass::kImageOutput);
  EXPECT_EQ(made.upstream_prompt, prompt);
  EXPECT_EQ(made.upstream_completion, completion);
  EXPECT_EQ(made.upstream, prompt + completion);
  EXPECT_EQ(made.charged, prompt + completion);
  EXPECT_FALSE(made.is_corrected);
  EXPECT_FALSE(made.is_clamped);
}

Prices two_prices(Picodollars prompt, Picodollars completion) {
  Prices prices;
  prices[PriceClass::kPrompt] = prompt;
  prices[PriceClass::kCompletion] = completion;
  return prices;
}

TEST(Charge, PartsWithoutAPriceCostAsMuchAsTheirWhole) {
  const Charge made = charged(two_prices(2'000, 10'000), {.prompt = 100,
                                                          .cached = 60,
                                                          .cache_write = 10,
                                                          .prompt_audio = 5,
                                                          .completion = 20,
                                                          .reasoning = 15});
  EXPECT_EQ(made.upstream_prompt, 200);
  EXPECT_EQ(made.upstream_completion, 200);
}

TEST(Charge, RoundsTheSumOnceAndHalfUp) {
  EXPECT_EQ(charged(two_prices(499, 0), {.prompt = 1}).charged, 0);
  EXPECT_EQ(charged(two_prices(500, 0), {.prompt = 1}).charged, 1);
  // 0.4 and 0.4 make 0.8, which is one; the parts add up to it.
  const Charge both = charged(two_prices(400, 400), {.prompt = 1, .completion = 1});
  EXPECT_EQ(both.upstream, 1);
  EXPECT_EQ(both.upstream_prompt + both.upstream_completion, 1);
  // 0.6 and 0.6 make 1.2, which is one and not two.
  const Charge sum = charged(two_prices(600, 600), {.prompt = 1, .completion = 1});
  EXPECT_EQ(sum.upstream, 1);
  EXPECT_EQ(sum.upstream_prompt, 1);
  EXPECT_EQ(sum.upstream_completion, 0);
  // The markup is of the exact sum: 0.4 and a quarter is the half that goes up.
  EXPECT_EQ(charged(two_prices(400, 0), {.prompt = 1}, {.markup_ppm = 250'000}).charged, 1);
  EXPECT_EQ(charged(two_prices(400, 0), {.prompt = 1}, {.markup_ppm = 249'999}).charged, 0);
}

TEST(Charge, MarkupDiscountAndFee) {
  const Prices prices = two_prices(1'000'000, 0);
  const ChargeUsage usage{.prompt = 1'000};  // 1,000,000 nano-dollars
  EXPECT_EQ(charged(prices, usage, {.markup_ppm = 55'000}).charged, 1'055'000);
  EXPECT_EQ(charged(prices, usage, {.markup_ppm = -10'000}).charged, 990'000);
  EXPECT_EQ(charged(prices, usage, {.markup_ppm = -1'000'000}).charged, 0);
  EXPECT_EQ(charged(prices, usage, {.markup_ppm = -1'000'001}).charged, 0);
  const ChargeTerms terms{.markup_ppm = 55'000, .byok_fee_ppm = 50'000};
  const Charge own = charge_of(prices, usage, terms, true, kMoneyMax);
  EXPECT_EQ(own.charged, 50'000) << "the fee alone";
  EXPECT_EQ(own.upstream, 1'000'000);
}

TEST(Charge, NeverMoreThanWasReserved) {
  const Charge made = charge_of(two_prices(1'000'000, 0), {.prompt = 10'000}, {}, false, 1'000'000);
  EXPECT_EQ(made.charged, 1'000'000);
  EXPECT_EQ(made.shortfall, 9'000'000);
  EXPECT_TRUE(made.is_clamped);
  EXPECT_EQ(made.upstream, 10'000'000);
  const Charge exact = charge_of(two_prices(1'000'000, 0), {.prompt = 1'000}, {}, false, 1'000'000);
  EXPECT_FALSE(exact.is_clamped);
  EXPECT_EQ(charge_of(two_prices(1'000, 0), {.prompt = 5}, {}, false, -3).charged, 0);
}

TEST(Charge, NobodyPaysForAnAnswerThatDidNotCome) {
  const Prices prices = two_prices(1'000'000, 1'000'000);
  const auto of = [&](AnswerEnd end, std::int64_t completion) {
    return charged(prices, {.prompt = 100, .completion = completion, .end = end});
  };
  EXPECT_TRUE(of(AnswerEnd::kBlank, 0).is_insured);
  EXPECT_EQ(of(AnswerEnd::kBlank, 0).charged, 0);
  EXPECT_EQ(of(AnswerEnd::kBlank, 0).upstream, 100'000) << "what the operator may have to pay";
  EXPECT_EQ(of(AnswerEnd::kBlank, -1).charged, 0);
  EXPECT_EQ(of(AnswerEnd::kBlank, 1).charged, 101'000);
  EXPECT_EQ(of(AnswerEnd::kError, 50).charged, 0);
  EXPECT_EQ(of(AnswerEnd::kFinished, 0).charged, 100'000) << "an empty answer that was finished";
  EXPECT_EQ(of(AnswerEnd::kNoReason, 0).charged, 100'000);
}

TEST(Charge, ACountThatCannotBeIsCorrectedAndFlagged) {
  const Prices prices = two_prices(1'000, 2'000);
  const Charge parts =
      charged(prices, {.prompt = 10, .cached = 900, .completion = 5, .reasoning = 70});
  EXPECT_EQ(parts.charged, 10 + 5 * 2);
  EXPECT_TRUE(parts.is_corrected);
  const Charge negative = charged(prices, {.prompt = -50, .completion = 5});
  EXPECT_EQ(negative.charged, 10);
  EXPECT_TRUE(negative.is_corrected);
  const Charge unknown = charged(prices, {.prompt = 10, .cached = -1, .completion = -1});
  EXPECT_EQ(unknown.charged, 10);
  EXPECT_FALSE(unknown.is_corrected) << "-1 says that nothing was said";
  const Charge absurd = charged(prices, {.prompt = kHuge, .completion = kHuge},
                                {.markup_ppm = std::numeric_limits<std::int32_t>::max()});
  EXPECT_TRUE(absurd.is_corrected);
  EXPECT_GT(absurd.charged, 0);
  EXPECT_LE(absurd.charged, kMoneyMax);
  Prices dearest;
  dearest.values.fill(kPriceMax);
  EXPECT_EQ(charged(dearest, {.prompt = kHuge, .completion = kHuge}).charged, kMoneyMax);
}

// What was reserved for a request covers whatever its answer may come to.
TEST_F(ChargeBound, CoversEveryChargeOfARequestThatKeptWithinIt) {
  Rng rng(7);
  for (int round = 0; round < 200; ++round) {
    Prices prices;
    for (Picodollars& price : prices.values) {
      if (rng.chance(0.6)) price = rng.between(0, 50 * kDollar);
    }
    prices[PriceClass::kPrompt] = rng.between(1, 20 * kDollar);
    prices[PriceClass::kCompletion] = rng.between(1, 90 * kDollar);
    const std::string tag = "p" + std::to_string(round);
    const std::array overrides{over_prompt(500, rng.between(1, 30 * kDollar))};
    endpoint("a/m" + std::to_string(round), tag, 1, [&](EndpointSpec& spec) {
      spec.facts.prices = prices;
      spec.overrides = overrides;
    });
  }
  finish();
  for (EndpointId id = 0; id < catalogue_.endpoints().size(); ++id) {
    const Endpoint& at = catalogue_.endpoint(id);
    ChargeDemand demand{.text_bytes = rng.below(2'000), .images = rng.below(3)};
    demand.has_open_media = rng.chance(0.3);
    demand.output_cap = rng.between(1, 3'000);
    demand.choices = rng.between(1, 4);
    demand.output = {Modality::kImage, Modality::kAudio};
    const ChargeTerms terms{.markup_ppm =
                                static_cast<std::int32_t>(rng.between(-900'000, 900'000))};
    const Bound made = bound_of(catalogue_, at, demand, terms, kNoon, false);
    ChargeUsage usage;
    usage.prompt = rng.between(0, static_cast<std::int64_t>(made.prompt_tokens));
    usage.cached = rng.between(0, usage.prompt);
    usage.cache_write = rng.between(0, usage.prompt - usage.cached);
    usage.cache_write_1h = rng.between(0, usage.cache_write);
    usage.images = static_cast<std::int64_t>(demand.images);
    std::int64_t rest = usage.prompt - usage.cached - usage.cache_write;
    if (demand.images != 0) usage.prompt_image_tokens = rng.between(0, rest);
    rest -= usage.prompt_image_tokens;
    if (demand.has_open_media) usage.prompt_audio = rng.between(0, rest);
    usage.completion = rng.between(1, static_cast<std::int64_t>(made.output_tokens));
    usage.reasoning = rng.between(0, usage.completion);
    usage.completion_image = rng.between(0, usage.completion - usage.reasoning);
    const auto prompt = static_cast<std::uint64_t>(usage.prompt);
    const Prices held = prices_at(at.prices, catalogue_.overrides_of(at), prompt, kNoon);
    const Charge charge = charge_of(held, usage, terms, false, made.money);
    ASSERT_FALSE(charge.is_clamped) << id << ": " << charge.shortfall << " over " << made.money;
    ASSERT_FALSE(charge.is_corrected) << id;
  }
}

}  // namespace
}  // namespace leat::policy
