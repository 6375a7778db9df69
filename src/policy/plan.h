// SPDX-License-Identifier: Apache-2.0
// make_plan: which endpoints to try for a request, in which order, and for every endpoint of its
// models that is not to be tried, why not. Pure: request, catalogue, health, ceilings, time and
// chance come in as arguments. Allocates nothing: the plan is the caller's, about 64 KiB, one a
// shard; what must outlive the next plan is copied out.
//
// The order of decisions (openrouter-api.md 2.1):
//
//   every endpoint of the models -> variant, tier -> lists -> data policy, region -> quantization
//     -> modalities, context, output -> parameters -> price -> tier pool -> soft parameters
//     -> limits and breaker -> copies for own keys
//     -> order (own keys, sticky, `order`, sort or balance; cutoffs demote)
//     -> allow_fallbacks
//
// The first rule that an endpoint fails is its reason.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/instant.h"
#include "base/rng.h"
#include "policy/catalogue.h"
#include "policy/health_view.h"
#include "policy/own_key.h"
#include "policy/route_request.h"

namespace leat::policy {

inline constexpr std::size_t kPlanMax = kRouteModelsMax * kModelEndpointsMax;

// Endpoints count as equally cheap up to this many times the lowest price, and are drawn with
// 1/price²; the dearer ones are fallbacks. OpenRouter does not publish its cut: its worked example
// draws at three times; beyond ten an endpoint would be drawn once in a hundred.
inline constexpr std::int64_t kBalancedPriceRatioMax = 10;

// Uptimes of openrouter-api.md 2.6.
inline constexpr std::int16_t kUptimeNormalPermille = 950;
inline constexpr std::int16_t kUptimeDegradedPermille = 800;

// Why an endpoint is not a candidate. IF YOU ADD A VALUE: add its row in plan_reasons.cc.
enum class Exclusion : std::uint8_t {
  kDisabled,             // the operator turned it off
  kVariant,              // it serves another static variant than was asked
  kTierNotAsked,         // a service tier that nobody opted in to
  kTierFlexOnly,         // flex was asked and exists; this one is not
  kKeyIgnores,           // the key's ignore list
  kKeyNotAllowed,        // not in the key's allow list
  kIgnored,              // provider.ignore
  kNotInOnly,            // not in provider.only
  kKeyTrains,            // the key forbids data collection
  kTrains,               // provider.data_collection "deny"
  kKeyRetains,           // the key demands zero retention
  kRetains,              // provider.zdr
  kKeyRegion,            // not in the key's regions
  kNotDistillable,       // provider.enforce_distillable_text
  kQuantization,         // provider.quantizations
  kInputModality,        // the prompt holds what the model does not take
  kOutputModality,       // it does not give what is asked for
  kContext,              // the prompt, or it and the output cap, does not fit
  kOutputMax,            // it cannot give as many tokens
  kServerTools,          // the gateway would have to run a tool of the request, and runs none
  kParameters,           // provider.require_parameters
  kToolChoice,           // it does not know this kind of tool_choice
  kMaxPrice,             // provider.max_price
  kSoftParameters,       // a peer supports tools, response_format or verbosity; this one does not
  kRateLimited,          // it said that it is exhausted
  kBreakerOpen,          // it failed too often of late
  kOwnKeyRequired,       // shared capacity of a provider whose own key is required
  kFallbacksDisallowed,  // provider.allow_fallbacks false, and it is not the first
};
inline constexpr std::size_t kExclusions = 28;

// A stable name ("rate_limited") for metadata, logs and metrics; static.
std::string_view name_of(Exclusion reason);
// What OpenRouter's `error.availability.excluded_by` calls it ("data_policy:zdr"), or empty.
std::string_view excluded_by(Exclusion reason);
// One clause for people; static.
std::string_view text_of(Exclusion reason);

// When a candidate has its turn: with an own key, shared, or with an own key that is a fallback.
enum class OwnKeyTurn : std::uint8_t { kOwn, kShared, kFallback };

struct Candidate {
  EndpointId endpoint = kNoId;
  std::uint32_t own_key = 0;    // OwnKeyRule::id; 0: shared capacity
  std::uint8_t model_rank = 0;  // of RouteRequest::models
  OwnKeyTurn turn = OwnKeyTurn::kShared;
  std::uint8_t own_key_place = 0;  // of the key among PlanInput::own_keys
  bool is_sticky = false;          // first because the conversation is there
  bool is_demoted = false;         // behind for a preferred threshold
  bool is_last_resort = false;     // its breaker is open, but so are too many others'
  SortBy sort = SortBy::kNone;     // what `measure` is of; kNone: of its price
  bool reasoning_on = false;       // `:thinking`: reasoning unless the request says otherwise
  ParameterSet dropped;            // carried by the request, not supported here: left out upstream
  Picodollars price = 0;           // blended, see blended_price
  double first_chance = 0;         // of being drawn before its peers; 0: nothing was drawn
  // Where it stands: lower is earlier, the place before the measure. Of use only in one plan.
  std::uint64_t place = 0;
  double measure = 0;
};

struct Excluded {
  EndpointId endpoint = kNoId;
  std::uint8_t model_rank = 0;
  Exclusion reason = Exclusion::kDisabled;
};

enum class PlanOutcome : std::uint8_t {
  kPlanned,           // there are candidates
  kNoEndpoints,       // 404: the pool is empty; the reasons tell why
  kAllLimited,        // 429: what remains is limited until retry_at
  kVariantNotServed,  // 400: `:online` or `:exacto`, whose parts do not exist yet
};

struct Plan {
  std::span<const Candidate> candidates() const {
    return std::span(candidates_).first(candidate_count_);
  }
  std::span<const Excluded> excluded() const { return std::span(excluded_).first(excluded_count_); }

  PlanOutcome outcome = PlanOutcome::kNoEndpoints;
  Variant variant_not_served = Variant::kOnline;  // with kVariantNotServed
  Instant retry_at{0};                            // with kAllLimited: the first to be back
  // Endpoints that a rule shut out, by reason.
  std::array<std::uint16_t, kExclusions> counts{};

  // Filled by make_plan().
  std::array<Candidate, kPlanMax> candidates_;
  std::array<Excluded, kPlanMax> excluded_;
  std::uint16_t candidate_count_ = 0;
  std::uint16_t excluded_count_ = 0;
};

// What endpoints are compared by: three parts prompt, one part completion, the usual shape of
// chats, at the prices of this request and hour; a fee per request counts as over 1,000 tokens.
// Never less than 1.
Picodollars blended_price(const Prices& prices);

struct PlanInput {
  const Catalogue& catalogue;
  const RouteRequest& request;
  const KeyCeilings& ceilings;
  HealthView health;
  Instant now{};
  UtcMoment utc;
  // In the order in which they are used; kOwnKeysMax at most.
  std::span<const OwnKeyRule> own_keys = {};
};

// REQUIRES: every model of the request is one of the catalogue, kRouteModelsMax at most. A model
// that stands twice is planned once, at its first place.
void make_plan(const PlanInput& input, Rng& rng, Plan& plan);

}  // namespace leat::policy
