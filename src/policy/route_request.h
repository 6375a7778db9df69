// SPDX-License-Identifier: Apache-2.0
// RouteRequest: what one request asks of routing, resolved against a catalogue: ids and bits, no
// text. Filled by the gateway from the dialect's parse (resolve names with Catalogue::resolve and
// find_slug). Spans are the caller's and live through make_plan. KeyCeilings: what the client's key
// allows at most; a request narrows it, never widens it. Rules: openrouter-api.md 2.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "policy/catalogue.h"
#include "policy/health_view.h"

namespace leat::policy {

// Candidates of `model` and `models` together; the parser of requests has the same bound.
inline constexpr std::size_t kRouteModelsMax = 16;

enum class SortBy : std::uint8_t { kNone, kPrice, kThroughput, kLatency, kExacto };

// What `service_tier` asks (2.9). `auto`, `scale` and absence are kUnset; `fast` is kPriority.
enum class RequestTier : std::uint8_t { kUnset, kDefault, kFlex, kPriority };

// Cutoffs by percentile; 0 where none was given. All given ones must hold.
using Cutoffs = std::array<float, kPercentiles>;

// Hard ceilings per unit; kUnstated where none was given.
struct MaxPrice {
  Picodollars prompt = Prices::kUnstated;      // a token
  Picodollars completion = Prices::kUnstated;  // a token
  Picodollars request = Prices::kUnstated;
  Picodollars image = Prices::kUnstated;
  Picodollars audio = Prices::kUnstated;
};

// What the key, its workspace and its guardrails allow.
struct KeyCeilings {
  bool has_only = false;  // an allow list exists, be it empty
  std::span<const SlugMatch> only;
  std::span<const SlugMatch> ignore;
  bool zdr = false;
  bool deny_data_collection = false;
  // Where data may go; 0: anywhere. With a set, an endpoint whose region is not stated is out.
  RegionSet regions = 0;
};

struct RouteRequest {
  // In order of preference, `model` first. None may be unknown (kNoId): that is answered before.
  std::span<const ModelRef> models;

  // The provider object (2.3). Slugs that match nothing stay in the lists: they match no endpoint.
  std::span<const SlugMatch> order;
  std::span<const SlugMatch> only;
  bool has_only = false;
  std::span<const SlugMatch> ignore;
  bool allow_fallbacks = true;
  bool require_parameters = false;
  bool server_tools =
      false;  // tools that the provider's gateway has to run (openrouter-api.md 4.8)
  bool deny_data_collection = false;
  bool zdr = false;
  bool enforce_distillable_text = false;
  bool partition_none = false;  // sort across models rather than within each
  SortBy sort = SortBy::kNone;
  // What the operator sorts by where the request says nothing ("default_provider_sort").
  SortBy default_sort = SortBy::kNone;
  QuantizationSet quantizations;  // as asked, before widening; empty: any
  Cutoffs min_throughput{};       // tokens a second
  Cutoffs max_latency_s{};
  MaxPrice max_price;

  // What the request needs of an endpoint.
  ParameterSet parameters;    // that it carries
  ToolChoiceSet tool_choice;  // the kind asked for, if any
  ModalitySet input;
  ModalitySet output;
  // Too low rather than too high: an endpoint is left out when even this does not fit.
  std::uint32_t prompt_tokens = 0;
  std::uint32_t output_max = 0;  // the cap that the request states; 0: none

  RequestTier tier = RequestTier::kUnset;
  // Endpoint::identity that this conversation went to last; 0: none.
  std::uint64_t sticky = 0;
};

}  // namespace leat::policy
