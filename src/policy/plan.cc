// SPDX-License-Identifier: Apache-2.0
#include "policy/plan.h"

#include <algorithm>
#include <optional>

#include "base/check.h"
#include "policy/plan_admission.h"
#include "policy/plan_order.h"

namespace leat::policy {
namespace {

// The plan in the making: candidates that may still be taken out, with a reason.
class Pool {
 public:
  Pool(const PlanInput& input, Plan& plan) : input_(input), plan_(plan) {
    plan_.candidate_count_ = 0;
    plan_.excluded_count_ = 0;
    plan_.counts.fill(0);
    plan_.retry_at = kNever;
  }

  void add_model(std::uint8_t rank);
  void keep_flex();
  void keep_supporting(std::uint8_t rank);
  void drop_limited();
  void drop_broken(std::uint8_t rank);
  void bring_own_keys();
  void keep_first();
  std::span<Candidate> candidates() {
    return std::span(plan_.candidates_).first(plan_.candidate_count_);
  }

 private:
  const Endpoint& endpoint_of(const Candidate& candidate) const {
    return input_.catalogue.endpoint(candidate.endpoint);
  }
  bool is_limited(const Candidate& candidate) const {
    return health_of(input_.health, candidate.endpoint).limited_until > input_.now;
  }
  // Whether an own key can be used for it in place of shared capacity.
  bool has_own_key(const Candidate& candidate) const {
    return std::ranges::any_of(input_.own_keys, [&](const OwnKeyRule& key) {
      return key.is_readable && applies(key, candidate);
    });
  }
  bool applies(const OwnKeyRule& key, const Candidate& candidate) const {
    return key.applies_to(candidate.model_rank, endpoint_of(candidate).provider);
  }
  // With own keys an endpoint has several candidates; more reasons than there is room for are
  // counted.
  void exclude(EndpointId endpoint, std::uint8_t rank, Exclusion reason) {
    if (plan_.excluded_count_ < kPlanMax) {
      plan_.excluded_[plan_.excluded_count_++] = {endpoint, rank, reason};
    }
    ++plan_.counts[static_cast<std::size_t>(reason)];
  }
  void note_wait(const Candidate& candidate) {
    const Instant until = health_of(input_.health, candidate.endpoint).limited_until;
    plan_.retry_at = std::min(plan_.retry_at, until);
  }
  // Takes out those for which `is_out` holds; the others keep their order.
  template <class Predicate>
  void take_out(Exclusion reason, Predicate is_out) {
    std::uint16_t kept = 0;
    for (std::uint16_t i = 0; i < plan_.candidate_count_; ++i) {
      const Candidate& candidate = plan_.candidates_[i];
      if (is_out(candidate)) {
        exclude(candidate.endpoint, candidate.model_rank, reason);
      } else if (kept != i) {
        plan_.candidates_[kept++] = candidate;
      } else {
        ++kept;
      }
    }
    plan_.candidate_count_ = kept;
  }
  // Of a model's candidates only those for which `is_better` holds, if there are any.
  template <class Predicate>
  void prefer(std::uint8_t rank, Exclusion reason, Predicate is_better) {
    const auto counts = [&](const Candidate& c) { return c.model_rank == rank && is_better(c); };
    if (!std::ranges::any_of(candidates(), counts)) return;
    take_out(reason, [&](const Candidate& c) { return c.model_rank == rank && !is_better(c); });
  }

  const PlanInput& input_;
  Plan& plan_;
};

ParameterSet dropped_by(const PlanInput& input, const Endpoint& endpoint) {
  const ParameterSet asked = input.request.parameters;
  const ParameterSet unsupported = (asked & kListedParameters) - supported_by(endpoint);
  // Keys outside OpenRouter's list go to everyone but a provider that answers 400 to them.
  return unsupported | (asked & input.catalogue.provider(endpoint.provider).rejects);
}

void Pool::add_model(std::uint8_t rank) {
  const ModelRef& ref = input_.request.models[rank];
  const Model& model = input_.catalogue.model(ref.model);
  Prices scratch;
  for (EndpointId id = model.endpoints_begin; id < model.endpoints_end; ++id) {
    const Endpoint& endpoint = input_.catalogue.endpoint(id);
    const Prices& prices = prices_for(input_, endpoint, scratch);
    if (const auto reason = hard_exclusion(input_, ref, endpoint, prices)) {
      exclude(id, rank, *reason);
      continue;
    }
    plan_.candidates_[plan_.candidate_count_++] = {
        .endpoint = id,
        .model_rank = rank,
        .reasoning_on = ref.variants.has(Variant::kThinking),
        .dropped = dropped_by(input_, endpoint),
        .price = blended_price(prices),
    };
  }
}

// openrouter-api.md 2.9: flex has no way back to the default tier, but where no flex endpoint is
// left the request is routed as any other.
void Pool::keep_flex() {
  if (input_.request.tier != RequestTier::kFlex) return;
  const auto is_flex = [&](const Candidate& c) {
    return endpoint_of(c).tier == ServiceTier::kFlex;
  };
  if (!std::ranges::any_of(candidates(), is_flex)) return;
  take_out(Exclusion::kTierFlexOnly, [&](const Candidate& c) { return !is_flex(c); });
}

// openrouter-api.md 2.4. One parameter after the other, so that a model never loses its last
// endpoint by it.
void Pool::keep_supporting(std::uint8_t rank) {
  for (const Parameter p : {Parameter::kTools, Parameter::kResponseFormat, Parameter::kVerbosity}) {
    if (!input_.request.parameters.has(p)) continue;
    prefer(rank, Exclusion::kSoftParameters,
           [&](const Candidate& c) { return supported_by(endpoint_of(c)).has(p); });
  }
  if (!input_.request.tool_choice.empty()) {
    prefer(rank, Exclusion::kToolChoice, [&](const Candidate& c) {
      const Endpoint& endpoint = endpoint_of(c);
      // Which kinds it knows is not always known.
      return endpoint.tool_choices.empty()
                 ? endpoint.parameters.has(Parameter::kToolChoice)
                 : endpoint.tool_choices.has_all(input_.request.tool_choice);
    });
  }
}

// An endpoint that says it is exhausted is not asked until it says it is back.
void Pool::drop_limited() {
  take_out(Exclusion::kRateLimited, [&](const Candidate& c) {
    // What the operator's keys have used up is not an own key's; bring_own_keys() looks again.
    if (!is_limited(c) || has_own_key(c)) return false;
    note_wait(c);
    return true;
  });
}

// At most half of a model's endpoints are ejected: where more are broken, the fault is rather ours
// or the network's. Those that stay, the ones of the best uptime, are its last resort.
void Pool::drop_broken(std::uint8_t rank) {
  const auto is_open = [&](const Candidate& c) {
    const BreakerState state = health_of(input_.health, c.endpoint).breaker;
    return c.model_rank == rank &&
           (state == BreakerState::kOpen || state == BreakerState::kHalfOpen);
  };
  const auto of_model = std::ranges::count(candidates(), rank, &Candidate::model_rank);
  const auto open = std::ranges::count_if(candidates(), is_open);
  for (auto spared = open - of_model / 2; spared > 0; --spared) {
    Candidate* best = nullptr;
    const auto uptime = [&](const Candidate& c) {
      return health_of(input_.health, c.endpoint).uptime_permille;
    };
    for (Candidate& c : candidates()) {
      if (!is_open(c) || c.is_last_resort) continue;
      if (best == nullptr || uptime(c) > uptime(*best)) best = &c;
    }
    best->is_last_resort = true;
  }
  take_out(Exclusion::kBreakerOpen,
           [&](const Candidate& c) { return is_open(c) && !c.is_last_resort; });
}

// Each own key is a copy of the endpoint. Whatever shut an endpoint out before, its data policy
// foremost, holds for its copies; a limit or a requirement takes only the shared one out.
void Pool::bring_own_keys() {
  const std::uint16_t shared = plan_.candidate_count_;
  std::uint8_t place = 0;
  for (const OwnKeyRule& key : input_.own_keys) {  // where not all have room, the first keys have
    for (std::uint16_t i = 0; i < shared && plan_.candidate_count_ < kPlanMax; ++i) {
      if (!key.is_readable || !applies(key, plan_.candidates_[i])) continue;
      Candidate& copy = plan_.candidates_[plan_.candidate_count_++] = plan_.candidates_[i];
      copy.own_key = key.id;
      copy.turn = key.is_fallback ? OwnKeyTurn::kFallback : OwnKeyTurn::kOwn;
      copy.own_key_place = place;
    }
    ++place;
  }
  take_out(Exclusion::kOwnKeyRequired, [&](const Candidate& c) {
    const auto requires_it = [&](const OwnKeyRule& k) { return k.is_required && applies(k, c); };
    return c.own_key == 0 && std::ranges::any_of(input_.own_keys, requires_it);
  });
  take_out(Exclusion::kRateLimited, [&](const Candidate& c) {
    if (c.own_key != 0 || !is_limited(c)) return false;
    note_wait(c);
    return true;
  });
}

// allow_fallbacks false: what `order` lists, else each model's first. The models themselves are a
// list that the client gave, and stay.
void Pool::keep_first() {
  const RouteRequest& request = input_.request;
  if (request.allow_fallbacks) return;
  std::uint32_t seen = 0;  // a bit for each model
  static_assert(kRouteModelsMax <= 32);
  take_out(Exclusion::kFallbacksDisallowed, [&](const Candidate& c) {
    if (!request.order.empty()) return !is_listed(request, endpoint_of(c));
    const std::uint32_t bit = request.partition_none ? 1 : std::uint32_t{1} << c.model_rank;
    const bool is_first = (seen & bit) == 0;
    seen |= bit;
    return !is_first;
  });
}

// `:online` needs a web search and exacto a measure of tool calls; neither exists here yet.
std::optional<Variant> part_not_served(const RouteRequest& request) {
  for (const ModelRef& ref : request.models) {
    if (ref.variants.has(Variant::kOnline)) return Variant::kOnline;
    if (ref.variants.has(Variant::kExacto)) return Variant::kExacto;
  }
  const bool exacto = request.sort == SortBy::kExacto || request.default_sort == SortBy::kExacto;
  return exacto ? std::optional(Variant::kExacto) : std::nullopt;
}

bool is_repeated(std::span<const ModelRef> models, std::size_t rank) {
  const auto before = models.first(rank);
  return std::ranges::any_of(before, [&](const ModelRef& ref) {
    return ref.model == models[rank].model && ref.variants == models[rank].variants;
  });
}

}  // namespace

Picodollars blended_price(const Prices& prices) {
  const Picodollars tokens =
      (3 * prices.charged(PriceClass::kPrompt) + prices.charged(PriceClass::kCompletion)) / 4;
  return std::max<Picodollars>(1, tokens + prices.charged(PriceClass::kRequest) / 1'000);
}

void make_plan(const PlanInput& input, Rng& rng, Plan& plan) {
  LEAT_CHECK(input.request.models.size() <= kRouteModelsMax);
  LEAT_CHECK(input.own_keys.size() <= kOwnKeysMax);
  Pool pool(input, plan);
  if (const auto part = part_not_served(input.request)) {
    plan.outcome = PlanOutcome::kVariantNotServed;
    plan.variant_not_served = *part;
    return;
  }
  const auto models = static_cast<std::uint8_t>(input.request.models.size());
  for (std::uint8_t rank = 0; rank < models; ++rank) {
    if (!is_repeated(input.request.models, rank)) pool.add_model(rank);
  }
  pool.keep_flex();
  for (std::uint8_t rank = 0; rank < models; ++rank) pool.keep_supporting(rank);
  pool.drop_limited();
  for (std::uint8_t rank = 0; rank < models; ++rank) pool.drop_broken(rank);
  if (!input.own_keys.empty()) pool.bring_own_keys();
  order_candidates(input, rng, pool.candidates());
  pool.keep_first();

  const bool limited = plan.counts[static_cast<std::size_t>(Exclusion::kRateLimited)] != 0;
  plan.outcome = plan.candidate_count_ != 0 ? PlanOutcome::kPlanned
                 : limited                  ? PlanOutcome::kAllLimited
                                            : PlanOutcome::kNoEndpoints;
}

}  // namespace leat::policy
