// SPDX-License-Identifier: Apache-2.0
// Admission: the hard rules of a plan, one endpoint at a time: the first that it fails, or none.
// Part of make_plan; knows nothing of health, of peers or of order.
#pragma once

#include <optional>

#include "policy/plan.h"

namespace leat::policy {

// What an endpoint supports, with the spellings that stand for one another.
ParameterSet supported_by(const Endpoint& endpoint);

// What an endpoint costs for this request at this hour.
Prices prices_for(const PlanInput& input, const Endpoint& endpoint);

// `prices`: prices_for() of this endpoint.
std::optional<Exclusion> hard_exclusion(const PlanInput& input, const ModelRef& ref,
                                        const Endpoint& endpoint, const Prices& prices);

}  // namespace leat::policy
