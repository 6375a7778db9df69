// SPDX-License-Identifier: Apache-2.0
// Charges: what a request could cost at most, which is reserved before a provider is called, and
// what it did cost, which is settled after (design.md, "Quantities"). Pure; every number that a
// client or a provider sends is taken: nothing makes money negative, and what is absurd saturates.
//
// Rounding: a cost is the exact sum of count times price in pico-dollars (128 bits), with markup or
// fee applied to that sum, and rounded once, half up, to the nano-dollar. What is told as parts of
// a total is rounded so that the parts add up to it. Bounds are rounded up.
#pragma once

#include <cstdint>
#include <span>

#include "policy/account.h"
#include "policy/catalogue.h"
#include "policy/plan.h"
#include "policy/prices.h"

namespace leat::policy {

// No bound or charge is more than $1e9: far above any budget, and sums of billions of them still
// fit in 64 bits.
inline constexpr Nanodollars kMoneyMax = 1'000'000'000'000'000'000;

// More tokens, images or searches than one request can have; larger counts are taken for this.
inline constexpr std::int64_t kCountMax = std::int64_t{1} << 40;

// What lies between the prices of the catalogue and what a client pays. Of the key.
struct ChargeTerms {
  std::int32_t markup_ppm = 0;    // added to list prices; negative: a discount, at most the whole
  std::int32_t byok_fee_ppm = 0;  // of list prices, all that is charged for the client's own keys
};

// ---- Before: the bound.

// An image makes at most 48,169 tokens at any provider known (2,833 and eight tiles of 5,667).
inline constexpr std::uint64_t kImageTokensMax = 50'000;
// What audio, video and files may come to where the model's context is not known.
inline constexpr std::uint64_t kContextTokensMax = 2'097'152;
// What an answer may come to where neither cap, default, completion maximum nor context is known.
inline constexpr std::uint64_t kOutputTokensMax = 131'072;

// What a request asks, as far as it costs. Any value may come from the client.
struct ChargeDemand {
  // Of the prompt with its JSON around it (which covers what chat templates add), without the data
  // of media parts. A token per byte is the bound for every tokenizer that falls back to bytes.
  std::uint64_t text_bytes = 0;
  // Prompts, or inputs of an embeddings request, each of which has the model's context to itself.
  std::uint64_t prompts = 1;
  // A calibrated bound of the same for this model, 0: none.
  std::uint64_t text_tokens_max = 0;
  std::uint64_t images = 0;
  bool has_open_media = false;     // audio, video, files, the unknown: bounded by the context
  bool caches_for_an_hour = true;  // false where the request has no cache_control
  std::int64_t output_cap = 0;     // as asked; 0 or less: none
  std::int64_t choices = 1;        // `n` or `best_of`, for each prompt
  bool has_output = true;          // false of embeddings: nothing is generated
  ModalitySet output;              // as asked; empty: text
  std::uint32_t web_searches = 0;
  // The key's; 0: none.
  std::uint32_t key_output_default_max = 0;
};

struct Bound {
  bool is_priced = false;  // false: no price and not declared free; not to be asked
  Nanodollars money = 0;
  Nanodollars prompt_money = 0;  // of it, all but the output
  std::uint64_t prompt_tokens = 0;
  std::uint64_t output_tokens = 0;  // of all choices
  std::uint64_t tokens() const { return prompt_tokens + output_tokens; }
};

// The output cap to send to `endpoint` where the request states none: the smaller of the model's
// and the key's default, within what the endpoint gives; 0: send none.
std::uint32_t default_output_cap(const Model& model, const Endpoint& endpoint,
                                 std::uint32_t key_output_default_max);

// What one candidate could cost at most: the dearest price of each class that may come to hold, on
// the most tokens of it. `uses_own_key`: the client's key is used (BYOK).
Bound bound_of(const Catalogue& catalogue, const Endpoint& endpoint, const ChargeDemand& demand,
               const ChargeTerms& terms, UtcMoment now, bool uses_own_key);

// The same over candidates: the dearest in money, and the most tokens. Not priced if none of them
// is; those that are not must not be asked.
Bound bound_of(const Catalogue& catalogue, std::span<const Candidate> candidates,
               const ChargeDemand& demand, const ChargeTerms& terms, UtcMoment now);

// How many of the bound's output tokens `money` would cover: what a 402 tells.
std::uint64_t affordable_output(const Bound& bound, Nanodollars money);

// ---- After: the charge.

// How an answer ended, as far as zero-completion insurance asks (openrouter-api.md 2.14).
enum class AnswerEnd : std::uint8_t {
  kFinished,  // with a finish reason
  kBlank,     // without one
  kError,     // finish reason "error"
  kNoReason,  // an answer that never has one: embeddings
};

// What was counted. Parts are of their whole: `cached`, both `cache_write`s, `prompt_audio` and
// `prompt_image_tokens` of `prompt`; `reasoning`, `completion_audio` and `completion_image` of
// `completion`. Less than 0 is not known, and counts as 0.
struct ChargeUsage {
  std::int64_t prompt = 0;
  std::int64_t cached = 0;          // read from the provider's cache
  std::int64_t cached_audio = 0;    // of `cached` and of `prompt_audio`
  std::int64_t cache_write = 0;     // written to it, those for an hour included
  std::int64_t cache_write_1h = 0;  // of `cache_write`
  std::int64_t prompt_audio = 0;
  std::int64_t prompt_image_tokens = 0;
  std::int64_t images = 0;  // of the prompt; beside its tokens
  std::int64_t completion = 0;
  std::int64_t reasoning = 0;
  std::int64_t completion_audio = 0;
  std::int64_t completion_image = 0;
  std::int64_t web_searches = 0;
  AnswerEnd end = AnswerEnd::kFinished;
};

struct Charge {
  // What the provider asks by its list: cost_details. The parts add up to `upstream`.
  Nanodollars upstream = 0;
  Nanodollars upstream_prompt = 0;  // with fees per request, images and searches
  Nanodollars upstream_completion = 0;
  // What the client pays: `usage.cost`. Never more than was reserved.
  Nanodollars charged = 0;
  // What it would have paid beyond the reservation: the operator's, and reported.
  Nanodollars shortfall = 0;
  bool is_insured = false;    // nothing came, so nothing is charged
  bool is_clamped = false;    // shortfall > 0
  bool is_corrected = false;  // a count was negative, absurd, or a part larger than its whole
};

// `prices`: prices_at(standing, overrides, usage.prompt, moment of admission). `reserved`: the
// bound that was taken, kMoneyMax where nothing was.
Charge charge_of(const Prices& prices, const ChargeUsage& usage, const ChargeTerms& terms,
                 bool uses_own_key, Nanodollars reserved);

}  // namespace leat::policy
