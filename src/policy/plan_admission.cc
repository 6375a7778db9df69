// SPDX-License-Identifier: Apache-2.0
#include "policy/plan_admission.h"

#include <algorithm>
#include <tuple>

namespace leat::policy {
namespace {

using Reason = std::optional<Exclusion>;

bool any_matches(std::span<const SlugMatch> slugs, const Endpoint& endpoint) {
  return std::ranges::any_of(slugs, [&](const SlugMatch& s) { return s.matches(endpoint); });
}

// A key's lists mean a provider whole, its service tiers included: a ceiling has no back door.
bool any_covers(std::span<const SlugMatch> slugs, const Endpoint& endpoint) {
  return std::ranges::any_of(slugs, [&](const SlugMatch& s) {
    return s.provider == endpoint.provider || s.tag_id == endpoint.tag_id;
  });
}

// Whether a request names exactly this endpoint; a tier's endpoint is seen by nobody else.
bool is_named(std::span<const SlugMatch> slugs, const Endpoint& endpoint) {
  return std::ranges::any_of(slugs,
                             [&](const SlugMatch& s) { return s.tag_id == endpoint.tag_id; });
}

// A variant's endpoints are its own; a plain one serves `:free` where it costs nothing, and
// `:thinking` where it can reason.
bool serves_variants(const Endpoint& endpoint, VariantSet wanted) {
  wanted = wanted & kStaticVariants;
  if (endpoint.variant && !wanted.has(*endpoint.variant)) return false;
  if (wanted.has(Variant::kFree) && !endpoint.is_free && endpoint.variant != Variant::kFree) {
    return false;
  }
  if (wanted.has(Variant::kThinking) && endpoint.variant != Variant::kThinking &&
      !endpoint.parameters.has(Parameter::kReasoning)) {
    return false;
  }
  for (const Variant own : {Variant::kExtended, Variant::kBatch}) {
    if (wanted.has(own) && endpoint.variant != own) return false;
  }
  return true;
}

// openrouter-api.md 2.7, 2.9: a tier's endpoints are invisible unless asked for, by service_tier,
// by a variant that admits them, or by their full slug.
bool tier_admitted(const RouteRequest& request, const ModelRef& ref, const Endpoint& endpoint) {
  if (endpoint.tier == ServiceTier::kDefault) return true;
  if (is_named(request.order, endpoint) || is_named(request.only, endpoint)) return true;
  const bool flex = endpoint.tier == ServiceTier::kFlex;
  if (request.tier == (flex ? RequestTier::kFlex : RequestTier::kPriority)) return true;
  if (request.tier == RequestTier::kDefault || !request.order.empty()) return false;
  return ref.variants.has(flex ? Variant::kFloor : Variant::kNitro);
}

Reason by_lists(const PlanInput& input, const Endpoint& endpoint) {
  const auto& [request, ceilings] = std::tie(input.request, input.ceilings);
  if (any_covers(ceilings.ignore, endpoint)) return Exclusion::kKeyIgnores;
  if (ceilings.has_only && !any_covers(ceilings.only, endpoint)) {
    return Exclusion::kKeyNotAllowed;
  }
  if (any_matches(request.ignore, endpoint)) return Exclusion::kIgnored;
  if (request.has_only && !any_matches(request.only, endpoint)) return Exclusion::kNotInOnly;
  return {};
}

Reason by_data(const PlanInput& input, const Endpoint& endpoint) {
  const auto& [request, ceilings] = std::tie(input.request, input.ceilings);
  if (endpoint.data.collects()) {
    if (ceilings.deny_data_collection) return Exclusion::kKeyTrains;
    if (request.deny_data_collection) return Exclusion::kTrains;
  }
  if (!endpoint.data.zero_retention()) {
    if (ceilings.zdr) return Exclusion::kKeyRetains;
    if (request.zdr) return Exclusion::kRetains;
  }
  // A region that is not stated is 0, and no set of regions has that bit.
  if (ceilings.regions != 0 && (ceilings.regions >> endpoint.region_id & 1) == 0) {
    return Exclusion::kKeyRegion;
  }
  return {};
}

// What the model and the endpoint are able to do, whatever the price.
Reason by_fit(const PlanInput& input, const Model& model, const Endpoint& endpoint) {
  const RouteRequest& request = input.request;
  if (request.enforce_distillable_text && !model.distillable) return Exclusion::kNotDistillable;
  if (!request.quantizations.empty() &&
      !widened(request.quantizations).has(endpoint.quantization)) {
    return Exclusion::kQuantization;
  }
  if (!model.input.empty() && !model.input.has_all(request.input)) {
    return Exclusion::kInputModality;
  }
  if (!model.output.empty() && !model.output.has_all(request.output)) {
    return Exclusion::kOutputModality;
  }
  const std::uint64_t context = endpoint.context != 0 ? endpoint.context : model.context;
  const std::uint64_t needed = std::uint64_t{request.prompt_tokens} + request.output_max;
  if (context != 0 && needed > context) return Exclusion::kContext;
  if (endpoint.prompt_max != 0 && request.prompt_tokens > endpoint.prompt_max) {
    return Exclusion::kContext;
  }
  if (endpoint.completion_max != 0 && request.output_max > endpoint.completion_max) {
    return Exclusion::kOutputMax;
  }
  if (request.server_tools &&
      !input.catalogue.provider(endpoint.provider).quirks.has(Quirk::kRunsServerTools)) {
    return Exclusion::kServerTools;
  }
  if (request.require_parameters &&
      !supported_by(endpoint).has_all(request.parameters & kListedParameters)) {
    return Exclusion::kParameters;
  }
  return {};
}

bool too_dear(const MaxPrice& most, const Prices& prices) {
  const auto over = [&](Picodollars ceiling, PriceClass c) {
    return ceiling != Prices::kUnstated && prices.charged(c) > ceiling;
  };
  return over(most.prompt, PriceClass::kPrompt) || over(most.completion, PriceClass::kCompletion) ||
         over(most.request, PriceClass::kRequest) || over(most.image, PriceClass::kImage) ||
         over(most.audio, PriceClass::kAudio);
}

}  // namespace

const Prices& prices_for(const PlanInput& input, const Endpoint& endpoint, Prices& scratch) {
  const auto overrides = input.catalogue.overrides_of(endpoint);
  const std::uint64_t prompt = input.request.prompt_tokens;
  const bool any = std::ranges::any_of(
      overrides, [&](const PriceOverride& item) { return item.holds(prompt, input.utc); });
  if (!any) return endpoint.prices;
  scratch = prices_at(endpoint.prices, overrides, prompt, input.utc);
  return scratch;
}

std::optional<Exclusion> hard_exclusion(const PlanInput& input, const ModelRef& ref,
                                        const Endpoint& endpoint, const Prices& prices) {
  if (endpoint.disabled) return Exclusion::kDisabled;
  if (ref.is_closed) return Exclusion::kKeyNotAllowed;
  if (!serves_variants(endpoint, ref.variants)) return Exclusion::kVariant;
  if (!tier_admitted(input.request, ref, endpoint)) return Exclusion::kTierNotAsked;
  if (const Reason reason = by_lists(input, endpoint)) return reason;
  if (const Reason reason = by_data(input, endpoint)) return reason;
  const Model& model = input.catalogue.model(endpoint.model);
  if (const Reason reason = by_fit(input, model, endpoint)) return reason;
  if (too_dear(input.request.max_price, prices)) return Exclusion::kMaxPrice;
  return {};
}

}  // namespace leat::policy
