// SPDX-License-Identifier: Apache-2.0
#include "dialect/next_step.h"

namespace leat::dialect {

namespace {

struct Allowed {
  bool same_endpoint = true;
  bool other_key = false;  // another key meets the same broken wire
  bool other_endpoint = true;
  bool other_model = true;
};

Allowed allowed_after(const ProviderFailure& failure, const NextOptions& options) {
  const RetryRow& row = retry_row(failure.failure);
  Allowed allowed{row.same_endpoint, row.other_key, row.other_endpoint, row.other_model};
  if (failure.says_no_retry) allowed.same_endpoint = false;
  const bool is_keys_fault = row.key_fate == KeyFate::kBad || row.key_fate == KeyFate::kCooledLong;
  if (options.is_client_key && is_keys_fault) allowed = {false, false, false, false};
  return allowed;
}

}  // namespace

NextStep next_step(Attempted attempted, const ProviderFailure& failure,
                   const NextOptions& options) {
  Allowed allowed;
  if (attempted == Attempted::kReplied) allowed = allowed_after(failure, options);
  if (attempted == Attempted::kAmbiguous && (options.is_stateful || !options.retry_ambiguous)) {
    return NextStep::kNone;
  }
  if (allowed.other_key && options.has_other_key) return NextStep::kOtherKey;
  if (allowed.other_endpoint && options.has_other_endpoint) return NextStep::kOtherEndpoint;
  if (allowed.other_model && options.has_other_model) return NextStep::kOtherModel;
  const bool may_ask_again = !options.is_sdk_retry && !options.same_was_asked_twice;
  return allowed.same_endpoint && may_ask_again ? NextStep::kSameEndpoint : NextStep::kNone;
}

}  // namespace leat::dialect
