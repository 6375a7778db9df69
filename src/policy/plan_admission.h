// SPDX-License-Identifier: Apache-2.0
// Admission: the hard rules of a plan, one endpoint at a time: the first that it fails, or none.
// Part of make_plan; knows nothing of health, of peers or of order.
#pragma once

#include <optional>

#include "policy/plan.h"

namespace leat::policy {

// What an endpoint supports, with the spellings that stand for one another.
inline ParameterSet supported_by(const Endpoint& endpoint) {
  ParameterSet supported = endpoint.parameters;
  // One cap under two names; the dialect writes the one that the provider takes.
  constexpr ParameterSet kCaps{Parameter::kMaxTokens, Parameter::kMaxCompletionTokens};
  if (supported.has_any(kCaps)) supported = supported | kCaps;
  // Older and newer spellings of `reasoning`.
  constexpr ParameterSet kReasoning{Parameter::kReasoningEffort, Parameter::kIncludeReasoning};
  if (supported.has(Parameter::kReasoning)) supported = supported | kReasoning;
  return supported;
}

// What an endpoint costs for this request at this hour. The result is the endpoint's own prices, or
// `scratch` where an override holds.
const Prices& prices_for(const PlanInput& input, const Endpoint& endpoint, Prices& scratch);

// `prices`: prices_for() of this endpoint.
std::optional<Exclusion> hard_exclusion(const PlanInput& input, const ModelRef& ref,
                                        const Endpoint& endpoint, const Prices& prices);

}  // namespace leat::policy
