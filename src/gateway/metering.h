// SPDX-License-Identifier: Apache-2.0
// Metering: from what a provider said that it counted, and what passed by, to the tokens that an
// exchange is charged for and what they cost. Pure: facts in, counts and money out; the exchange
// gathers the facts (exchange_settle.cc). No money is ever negative and no count more than the
// request could have made, whatever the provider says.
//
// Estimate, where the provider said nothing (provider-formats.md 4, "Estimating when usage is
// missing"): a token per 4 bytes of prompt; of the completion a token per event that said
// something, as most providers send them, if that comes to between 1.5 and 6 bytes a token, else a
// token per 4 bytes.
#pragma once

#include <cstdint>

#include "base/instant.h"
#include "dialect/usage.h"
#include "policy/catalogue.h"
#include "policy/charge.h"

namespace leat::gateway {

// What a provider adds to a prompt of its own accord (chat templates, hidden instructions): a
// prompt of text has at most a token per byte and so many more.
inline constexpr std::int64_t kTemplateTokensMax = 1'024;

// Of text, where nothing better is known.
inline constexpr std::uint64_t kBytesPerToken = 4;

// What an exchange knows of an answer at its end.
struct MeterFacts {
  dialect::ChatUsage usage;          // the provider's; all absent where it said nothing
  std::uint64_t content_events = 0;  // that passed
  std::uint64_t content_bytes = 0;   // of words in them
  std::uint64_t prompt_bytes = 0;
  bool has_media = false;        // in the prompt: its tokens do not follow from its bytes
  bool has_completion = true;    // false of embeddings
  bool was_executed = true;      // a provider answered with a 200, whatever came of it
  std::int64_t output_max = -1;  // the request's cap for one answer; less than 0: none
  std::int64_t answers = 1;      // asked for: `n` times the number of prompts
  policy::AnswerEnd end = policy::AnswerEnd::kFinished;
};

struct UsageMeasured {
  dialect::ChatUsage usage;  // prompt, completion and total are not absent
  policy::AnswerEnd end = policy::AnswerEnd::kFinished;
  bool is_estimated = false;  // a count is ours
  bool is_clamped = false;    // the provider said more than can be
};

// What is charged for. `endpoint`: the one that answered.
UsageMeasured measure(const MeterFacts& facts, const policy::Endpoint& endpoint);

// Names the prices of a catalogue in the records of what was charged by them: the same prices of
// the same endpoints give the same number, others another. Never 0.
std::uint64_t price_version(const policy::Catalogue& catalogue);

// What lies between a list price and this request's charge; the admission knows it.
struct MoneyTerms {
  policy::ChargeTerms terms;
  bool uses_own_key = false;  // the client's (BYOK) brought the answer
  policy::Nanodollars reserved = policy::kMoneyMax;
};

struct Metered {
  UsageMeasured measured;
  bool is_priced = false;  // false: all money is 0, and none is told to the client
  policy::Charge charge;
  dialect::UsageCost cost;  // as the client is told
};

// `admitted`: the moment that prices are taken at, as the reservation's were.
Metered meter(const MeterFacts& facts, const policy::Catalogue& catalogue,
              const policy::Endpoint& endpoint, const MoneyTerms& money, WallTime admitted);

// The same, but that nobody pays for it: the answer broke by its provider's doing.
Metered waived(const Metered& metered);

// An answer that one endpoint began and another carried on: both are charged for, each by its own
// prices, and together never more than was reserved.
Metered together(const Metered& first, const Metered& second, const MoneyTerms& money);

}  // namespace leat::gateway
