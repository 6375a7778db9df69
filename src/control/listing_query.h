// SPDX-License-Identifier: Apache-2.0
// ListingQuery: what a client asks of `GET /models` and `/models/count` after the question mark,
// with OpenRouter's names and meanings (openrouter-api.md 1.2; @openrouter/sdk GetModelsRequest).
// Parameters that it has and we have no facts for (benchmarks, categories) are not looked at.
#pragma once

#include <cstdint>
#include <expected>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/catalogue.h"

namespace leat::control {

enum class ListingSort : std::uint8_t { kNone, kCheapest, kDearest, kLongestContext, kNewest };

struct ListingQuery {
  static constexpr policy::Picodollars kAnyPrice = std::numeric_limits<policy::Picodollars>::max();

  std::size_t offset = 0;
  std::optional<std::size_t> limit;  // none: the whole list
  ListingSort sort = ListingSort::kNone;
  std::string words;  // in lower case; part of a name or an id
  policy::ParameterSet parameters;
  policy::ModalitySet input;
  policy::ModalitySet output{policy::Modality::kText};  // empty: any
  std::uint32_t context_min = 0;
  policy::Picodollars prompt_min = 0;
  policy::Picodollars prompt_max = kAnyPrice;
  policy::Picodollars completion_min = 0;
  policy::Picodollars completion_max = kAnyPrice;
  std::vector<std::string> authors;    // lower case; empty: any
  std::vector<std::string> providers;  // slugs or names in lower case; empty: any
  std::string tokenizer;               // lower case; empty: any
  std::optional<bool> distillable;
  bool zdr = false;
  std::string region;
};

// What a 400 says. Both name the parameter, never what was given for it.
struct QueryFault {
  std::string param;
  std::string message;
};

// `query` is what follows the question mark, percent-encoded.
std::expected<ListingQuery, QueryFault> parse_listing_query(std::string_view query);

// The query without `offset` and `limit`, as it was sent: what the next page asks for too.
std::string unpaged_query(std::string_view query);

}  // namespace leat::control
