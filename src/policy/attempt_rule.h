// SPDX-License-Identifier: Apache-2.0
// Whether there may be one more attempt: the number of a request's attempts, and the provider's
// retry budget. What may be tried next is another question (dialect/next_step.h), asked first. And
// hedging: a second attempt beside one that waits, the loser of which is cut at once. Pure, but for
// the budget, which counts what it grants.
#pragma once

#include <cstdint>

#include "base/instant.h"
#include "policy/retry_budget.h"

namespace leat::policy {

struct AttemptLimits {
  std::uint32_t attempts_max = 3;  // of one request, the first one and hedges included
};

enum class AttemptVerdict : std::uint8_t {
  kGo,
  kTooManyAttempts,
  kSdkRetry,  // the client's SDK tries again itself
  kNoBudget,  // the provider's: an outage is not to be met with more requests
};

struct NextAttempt {
  std::uint32_t attempts_made = 1;
  // x-stainless-retry-count is above 0: the same endpoint gets no retry of ours; moving on to
  // another one stays allowed (threats-and-faults.md 4.1).
  bool is_sdk_retry = false;
  bool is_same_endpoint = false;
};

// budget: of the provider that the next attempt goes to. Counted in it when kGo.
AttemptVerdict allow_attempt(const NextAttempt& next, const AttemptLimits& limits,
                             RetryBudget& budget, Instant now);

struct HedgeSettings {
  bool is_on = false;  // it doubles the prompt tokens that are billed
  Duration delay_min = seconds(1);
};

struct HedgeFacts {
  Instant attempt_began{0};
  Duration first_token_p95{0};  // of the endpoint that is waited for; 0: not known, no hedge
  bool has_first_token = false;
  bool has_other_endpoint = false;
  bool is_stateful = false;  // store:true and the like: never doubled
  bool is_hedged = false;    // once a request
  NextAttempt next;
};

// When a hedge is to be thought of, if nothing has come by then; kNever: not at all. Takes nothing
// from the budget.
Instant hedge_at(const HedgeFacts& facts, const HedgeSettings& settings);

// Whether to send it now. Counted in the budget when true. budget: of the other endpoint's
// provider.
bool allow_hedge(const HedgeFacts& facts, const HedgeSettings& settings,
                 const AttemptLimits& limits, RetryBudget& budget, Instant now);

}  // namespace leat::policy
