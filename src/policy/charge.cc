// SPDX-License-Identifier: Apache-2.0
#include "policy/charge.h"

#include <algorithm>

namespace leat::policy {
namespace {

// Below 2^40 counts times 2^50 pico-dollars in 14 classes; times 2^24 of markup it stays below
// 2^119.
__extension__ using Wide = __int128;

constexpr Wide kPicoPerNano = 1'000;
constexpr std::int64_t kMillion = 1'000'000;
// Ten times the list is the most that terms add.
constexpr std::int64_t kFactorMax = 10 * kMillion;

enum class Rounding : std::uint8_t { kHalfUp, kUp };

// The nano-dollars of `picodollars` times `factor_ppm` in a million. REQUIRES: neither is negative.
Nanodollars scaled(Wide picodollars, std::int64_t factor_ppm, Rounding rounding) {
  const Wide divisor = kPicoPerNano * kMillion;
  const Wide extra = rounding == Rounding::kUp ? divisor - 1 : divisor / 2;
  const Wide product = picodollars * factor_ppm + extra;
  // Up to 18 dollars at once; a division of 128 bits takes ten times as long.
  if (product <= UINT64_MAX) {
    constexpr std::uint64_t kDivisor = kPicoPerNano * kMillion;
    return static_cast<Nanodollars>(static_cast<std::uint64_t>(product) / kDivisor);
  }
  return static_cast<Nanodollars>(std::min<Wide>(product / divisor, kMoneyMax));
}

// What a client pays for each million of the list price.
std::int64_t factor_of(const ChargeTerms& terms, bool uses_own_key) {
  const std::int64_t factor =
      uses_own_key ? std::int64_t{terms.byok_fee_ppm} : kMillion + terms.markup_ppm;
  return std::clamp<std::int64_t>(factor, 0, kFactorMax);
}

// The highest that the price of each class may come to for a prompt of at most `prompt_tokens_max`:
// an override whose time has come replaces, one that also asks for a long prompt may or may not.
Prices dearest_prices(const Catalogue& catalogue, const Endpoint& endpoint,
                      std::uint64_t prompt_tokens_max, UtcMoment now) {
  Prices dearest = endpoint.prices;
  for (const PriceOverride& item : catalogue.overrides_of(endpoint)) {
    if (!item.holds(prompt_tokens_max, now)) continue;
    for (std::size_t i = 0; i < kPriceClasses; ++i) {
      const Picodollars price = item.prices.values[i];
      if (price == Prices::kUnstated) continue;
      dearest.values[i] = item.has_prompt_condition ? std::max(dearest.values[i], price) : price;
    }
  }
  return dearest;
}

bool has_price(const Catalogue& catalogue, const Endpoint& endpoint) {
  const auto costs = [](const Prices& prices) {
    return std::ranges::any_of(prices.values, [](Picodollars price) { return price > 0; });
  };
  return (endpoint.is_free && !endpoint.is_unpriced) || costs(endpoint.prices) ||
         std::ranges::any_of(catalogue.overrides_of(endpoint),
                             [&](const PriceOverride& item) { return costs(item.prices); });
}

// Counts of 0 mean "not known" here.
std::uint64_t least_known(std::uint64_t a, std::uint64_t b) {
  if (a == 0) return b;
  return b == 0 ? a : std::min(a, b);
}

std::uint64_t added(std::uint64_t a, std::uint64_t b) {
  return std::min<std::uint64_t>(
      kCountMax, std::min<std::uint64_t>(a, kCountMax) + std::min<std::uint64_t>(b, kCountMax));
}

std::uint64_t times(std::uint64_t a, std::uint64_t b) {
  const Wide product = static_cast<Wide>(std::min<std::uint64_t>(a, kCountMax)) *
                       static_cast<Wide>(std::min<std::uint64_t>(b, kCountMax));
  return static_cast<std::uint64_t>(std::min<Wide>(product, kCountMax));
}

std::uint64_t prompt_tokens_max(const Endpoint& endpoint, const ChargeDemand& demand) {
  const std::uint64_t most = times(least_known(endpoint.context, endpoint.prompt_max),
                                   std::max<std::uint64_t>(demand.prompts, 1));
  std::uint64_t tokens = demand.text_tokens_max != 0 ? demand.text_tokens_max : demand.text_bytes;
  tokens = added(tokens, times(demand.images, kImageTokensMax));
  if (demand.has_open_media) tokens = added(tokens, most != 0 ? most : kContextTokensMax);
  return most != 0 ? std::min(tokens, most) : tokens;
}

std::uint64_t output_tokens_max(const Model& model, const Endpoint& endpoint,
                                const ChargeDemand& demand) {
  if (!demand.has_output) return 0;
  const std::uint64_t most = least_known(endpoint.completion_max, endpoint.context);
  std::uint64_t cap = demand.output_cap > 0
                          ? static_cast<std::uint64_t>(demand.output_cap)
                          : default_output_cap(model, endpoint, demand.key_output_default_max);
  cap = least_known(cap, most);
  if (cap == 0) cap = kOutputTokensMax;
  return times(cap, static_cast<std::uint64_t>(std::max<std::int64_t>(demand.choices, 1)));
}

// The dearest that a prompt token and an output token may be. Each list has the class that the
// others fall back to, so a class that no price is stated for cannot be the dearest.
Picodollars dearest_prompt_token(const Prices& prices, const ChargeDemand& demand) {
  Picodollars dearest =
      std::max({prices.charged(PriceClass::kPrompt), prices.charged(PriceClass::kInputCacheRead),
                prices.charged(PriceClass::kInputCacheWrite)});
  if (demand.caches_for_an_hour) {
    dearest = std::max(dearest, prices.charged(PriceClass::kInputCacheWrite1h));
  }
  if (demand.images != 0) dearest = std::max(dearest, prices.charged(PriceClass::kImageToken));
  if (demand.has_open_media) {
    dearest = std::max({dearest, prices.charged(PriceClass::kAudio),
                        prices.charged(PriceClass::kInputAudioCache)});
  }
  return dearest;
}

Picodollars dearest_output_token(const Model& model, const Prices& prices,
                                 const ChargeDemand& demand) {
  Picodollars dearest = std::max(prices.charged(PriceClass::kCompletion),
                                 prices.charged(PriceClass::kInternalReasoning));
  const ModalitySet given = demand.output | model.output;
  if (given.has(Modality::kImage)) {
    dearest = std::max(dearest, prices.charged(PriceClass::kImageOutput));
  }
  if (given.has(Modality::kAudio) || given.has(Modality::kSpeech)) {
    dearest = std::max(dearest, prices.charged(PriceClass::kAudioOutput));
  }
  return dearest;
}

// A count as it was told, made plausible: within [0, most]. Unknown (less than 0) is 0.
std::int64_t plausible(std::int64_t count, std::int64_t most, Charge& charge) {
  if (count >= 0 && count <= most) return count;
  charge.is_corrected = charge.is_corrected || count > most || count < -1;
  return count < 0 ? 0 : most;
}

Wide cost(const Prices& prices, PriceClass c, std::int64_t count) {
  return static_cast<Wide>(prices.charged(c)) * count;
}

Wide prompt_cost(const Prices& prices, const ChargeUsage& usage, Charge& charge) {
  const std::int64_t prompt = plausible(usage.prompt, kCountMax, charge);
  std::int64_t rest = prompt;
  // Audio that was read from the cache is told in both its wholes; it is taken off them here.
  const std::int64_t cached_whole = plausible(usage.cached, rest, charge);
  const std::int64_t audio_whole = plausible(usage.prompt_audio, rest, charge);
  const std::int64_t cached_audio =
      plausible(usage.cached_audio, std::min(cached_whole, audio_whole), charge);
  rest -= cached_audio;
  const auto take = [&](std::int64_t count) {
    const std::int64_t taken = plausible(count, rest, charge);
    rest -= taken;
    return taken;
  };
  const std::int64_t cached = take(cached_whole - cached_audio);
  const std::int64_t written = take(usage.cache_write);
  const std::int64_t written_1h = plausible(usage.cache_write_1h, written, charge);
  const std::int64_t audio = take(audio_whole - cached_audio);
  const std::int64_t image_tokens = take(usage.prompt_image_tokens);
  return cost(prices, PriceClass::kPrompt, rest) +
         cost(prices, PriceClass::kInputCacheRead, cached) +
         cost(prices, PriceClass::kInputCacheWrite, written - written_1h) +
         cost(prices, PriceClass::kInputCacheWrite1h, written_1h) +
         cost(prices, PriceClass::kAudio, audio) +
         cost(prices, PriceClass::kInputAudioCache, cached_audio) +
         cost(prices, PriceClass::kImageToken, image_tokens) +
         cost(prices, PriceClass::kImage, plausible(usage.images, kCountMax, charge)) +
         cost(prices, PriceClass::kWebSearch, plausible(usage.web_searches, kCountMax, charge)) +
         cost(prices, PriceClass::kRequest, 1);
}

Wide completion_cost(const Prices& prices, const ChargeUsage& usage, Charge& charge) {
  std::int64_t rest = plausible(usage.completion, kCountMax, charge);
  const auto take = [&](std::int64_t count) {
    const std::int64_t taken = plausible(count, rest, charge);
    rest -= taken;
    return taken;
  };
  const std::int64_t reasoning = take(usage.reasoning);
  const std::int64_t audio = take(usage.completion_audio);
  const std::int64_t image = take(usage.completion_image);
  return cost(prices, PriceClass::kCompletion, rest) +
         cost(prices, PriceClass::kInternalReasoning, reasoning) +
         cost(prices, PriceClass::kAudioOutput, audio) +
         cost(prices, PriceClass::kImageOutput, image);
}

// Zero-completion insurance: nobody pays for an answer that did not come.
bool is_insured(const ChargeUsage& usage) {
  if (usage.end == AnswerEnd::kError) return true;
  return usage.end == AnswerEnd::kBlank && usage.completion <= 0;
}

}  // namespace

std::uint32_t default_output_cap(const Model& model, const Endpoint& endpoint,
                                 std::uint32_t key_output_default_max) {
  const std::uint64_t cap = least_known(model.output_default_max, key_output_default_max);
  if (cap == 0) return 0;
  const std::uint64_t most = least_known(endpoint.completion_max, endpoint.context);
  return static_cast<std::uint32_t>(least_known(cap, most));
}

Bound bound_of(const Catalogue& catalogue, const Endpoint& endpoint, const ChargeDemand& demand,
               const ChargeTerms& terms, UtcMoment now, bool uses_own_key) {
  Bound bound;
  const Model& model = catalogue.model(endpoint.model);
  bound.is_priced = has_price(catalogue, endpoint);
  bound.prompt_tokens = prompt_tokens_max(endpoint, demand);
  bound.output_tokens = output_tokens_max(model, endpoint, demand);
  const Prices prices = dearest_prices(catalogue, endpoint, bound.prompt_tokens, now);
  const Wide prompt =
      static_cast<Wide>(dearest_prompt_token(prices, demand)) * bound.prompt_tokens +
      static_cast<Wide>(prices.charged(PriceClass::kImage)) * added(demand.images, 0) +
      static_cast<Wide>(prices.charged(PriceClass::kWebSearch)) * demand.web_searches +
      prices.charged(PriceClass::kRequest);
  const Wide output =
      static_cast<Wide>(dearest_output_token(model, prices, demand)) * bound.output_tokens;
  const std::int64_t factor = factor_of(terms, uses_own_key);
  bound.prompt_money = scaled(prompt, factor, Rounding::kUp);
  bound.money = scaled(prompt + output, factor, Rounding::kUp);
  return bound;
}

Bound bound_of(const Catalogue& catalogue, std::span<const Candidate> candidates,
               const ChargeDemand& demand, const ChargeTerms& terms, UtcMoment now) {
  Bound dearest;
  for (const Candidate& candidate : candidates) {
    const Endpoint& endpoint = catalogue.endpoint(candidate.endpoint);
    const Bound bound = bound_of(catalogue, endpoint, demand, terms, now, false);
    if (!bound.is_priced) continue;
    dearest.is_priced = true;
    if (bound.money >= dearest.money) {
      dearest.money = bound.money;
      dearest.prompt_money = bound.prompt_money;
    }
    dearest.prompt_tokens = std::max(dearest.prompt_tokens, bound.prompt_tokens);
    dearest.output_tokens = std::max(dearest.output_tokens, bound.output_tokens);
  }
  return dearest;
}

std::uint64_t affordable_output(const Bound& bound, Nanodollars money) {
  if (money >= bound.money) return bound.output_tokens;
  if (money <= bound.prompt_money) return 0;
  const Wide covered = static_cast<Wide>(money - bound.prompt_money) * bound.output_tokens;
  return static_cast<std::uint64_t>(covered / (bound.money - bound.prompt_money));
}

Charge charge_of(const Prices& prices, const ChargeUsage& usage, const ChargeTerms& terms,
                 bool uses_own_key, Nanodollars reserved) {
  Charge charge;
  const Wide prompt = prompt_cost(prices, usage, charge);
  const Wide completion = completion_cost(prices, usage, charge);
  charge.upstream = scaled(prompt + completion, kMillion, Rounding::kHalfUp);
  charge.upstream_prompt = scaled(prompt, kMillion, Rounding::kHalfUp);
  charge.upstream_completion = charge.upstream - charge.upstream_prompt;
  charge.is_insured = is_insured(usage);
  if (charge.is_insured) return charge;
  const Nanodollars owed =
      scaled(prompt + completion, factor_of(terms, uses_own_key), Rounding::kHalfUp);
  charge.charged = std::min(owed, std::max<Nanodollars>(reserved, 0));
  charge.shortfall = owed - charge.charged;
  charge.is_clamped = charge.shortfall > 0;
  return charge;
}

}  // namespace leat::policy
