// SPDX-License-Identifier: Apache-2.0
// Order: brings the candidates of a plan into the order in which they are tried. Part of make_plan;
// takes nobody out.
#pragma once

#include <span>

#include "base/rng.h"
#include "policy/plan.h"

namespace leat::policy {

// Of an endpoint that nothing is known of, that of one that is well.
inline const EndpointHealth& health_of(HealthView health, EndpointId endpoint) {
  static constexpr EndpointHealth kWell{};
  return endpoint < health.size() ? health[endpoint] : kWell;
}

// What a model's endpoints are sorted by (openrouter-api.md 2.3, 2.7); kNone: balanced.
SortBy sort_of(const RouteRequest& request, const ModelRef& ref);

// Whether `order` names it.
bool is_listed(const RouteRequest& request, const Endpoint& endpoint);

// Sorts them; where neither `order` nor a sort stands against it, draws each model's first by
// 1/price². Sets is_sticky, is_demoted, sort, first_chance, place and measure. REQUIRES: the rest
// is filled.
void order_candidates(const PlanInput& input, Rng& rng, std::span<Candidate> candidates);

}  // namespace leat::policy
