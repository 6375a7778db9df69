// SPDX-License-Identifier: Apache-2.0
#include "policy/outcome.h"

namespace leat::policy {

OutcomeClass class_of_status(int status) {
  if (status >= 200 && status < 300) return OutcomeClass::kSuccess;
  if (status >= 500) return OutcomeClass::kFailure;
  switch (status) {
    case 401:
    case 402:
    case 404:
    case 408:  // Bedrock's ModelTimeoutException
    case 424:  // Bedrock's ModelErrorException
    case 498:  // Groq without flex capacity, Cohere without a valid token
      return OutcomeClass::kFailure;
    case 403:
      return OutcomeClass::kRegion;
    case 429:
      return OutcomeClass::kRateLimited;
    default:
      break;
  }
  // A redirect, or a status that HTTP does not know, is no answer to an inference request.
  return status < 400 ? OutcomeClass::kFailure : OutcomeClass::kNotCounted;
}

}  // namespace leat::policy
