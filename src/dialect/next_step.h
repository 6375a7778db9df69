// SPDX-License-Identifier: Apache-2.0
// What may be tried after a failed attempt, before the first content byte went to the client: the
// retry rule (threats-and-faults.md 4.1) over the table of failure classes (openai_error.h). Only
// what is allowed and sensible; the retry budget, the number of attempts and the waiting are the
// caller's.
#pragma once

#include <cstdint>

#include "dialect/openai_error.h"

namespace leat::dialect {

// What is known of a failure: class A of the rule was not executed or was refused as a whole; class
// B may have been executed (bytes were written and no reply came).
enum class Attempted : std::uint8_t {
  kNotSent,    // no byte of the request was taken: name, connect or TLS failed
  kReplied,    // a whole reply, or an error before content: `failure` says what
  kAmbiguous,  // reset or time limit after the request was sent
};

// In order of preference.
enum class NextStep : std::uint8_t { kOtherKey, kOtherEndpoint, kOtherModel, kSameEndpoint, kNone };

// What is left to try, and what the request and the operator allow.
struct NextOptions {
  bool has_other_key = false;       // of the same provider, not cooled
  bool has_other_endpoint = false;  // of the same model
  bool has_other_model = false;
  bool same_was_asked_twice = false;
  bool is_sdk_retry = false;   // x-stainless-retry-count: its endpoint gets no retry of ours
  bool is_stateful = false;    // store:true and the like: never doubled
  bool is_client_key = false;  // the client's own provider key: its refusal is its own matter
  bool retry_ambiguous = true;
};

// `failure` is looked at only where the provider replied.
NextStep next_step(Attempted attempted, const ProviderFailure& failure, const NextOptions& options);

}  // namespace leat::dialect
