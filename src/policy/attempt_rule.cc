// SPDX-License-Identifier: Apache-2.0
#include "policy/attempt_rule.h"

#include <algorithm>

namespace leat::policy {

AttemptVerdict allow_attempt(const NextAttempt& next, const AttemptLimits& limits,
                             RetryBudget& budget, Instant now) {
  if (next.attempts_made >= limits.attempts_max) return AttemptVerdict::kTooManyAttempts;
  if (next.is_sdk_retry && next.is_same_endpoint) return AttemptVerdict::kSdkRetry;
  // The budget last: what is refused for another reason takes nothing from it.
  return budget.try_retry(now) ? AttemptVerdict::kGo : AttemptVerdict::kNoBudget;
}

Instant hedge_at(const HedgeFacts& facts, const HedgeSettings& settings) {
  if (!settings.is_on || facts.has_first_token || !facts.has_other_endpoint || facts.is_stateful ||
      facts.is_hedged || facts.first_token_p95.ns <= 0) {
    return kNever;
  }
  return facts.attempt_began + std::max(facts.first_token_p95, settings.delay_min);
}

bool allow_hedge(const HedgeFacts& facts, const HedgeSettings& settings,
                 const AttemptLimits& limits, RetryBudget& budget, Instant now) {
  if (now < hedge_at(facts, settings) || !budget.has_half(now)) return false;
  return allow_attempt(facts.next, limits, budget, now) == AttemptVerdict::kGo;
}

}  // namespace leat::policy
