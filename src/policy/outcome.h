// SPDX-License-Identifier: Apache-2.0
// Outcome: how one attempt at an endpoint ended, and what it says of that endpoint. The rules of
// what counts are OpenRouter's (openrouter-api.md 2.6): its availability is what it answered well
// over what it could have answered well; the client's own mistakes say nothing of it, and a limit
// that it applies is no outage.
#pragma once

#include <cstdint>

#include "base/instant.h"

namespace leat::policy {

enum class OutcomeClass : std::uint8_t {
  kSuccess,      // ended in order, with content
  kFailure,      // counts against the endpoint
  kRateLimited,  // 429: known to the rate memory, no outage
  kRegion,       // 403: not for this place or caller; no outage
  kNotCounted,   // the client's fault, or ours, or the client left
};

// Whose fault an attempt's end is. A client that leaves is kClient, a limit of ours kOurs.
// kOutpaced: nobody's; it was cut since another endpoint, asked later, had content first (hedging).
enum class Fault : std::uint8_t { kNone, kProvider, kClient, kOurs, kOutpaced };

// What a complete reply of this status says of the endpoint. A 2xx is a success as long as nothing
// goes wrong later; a break, a time limit or an error inside a 200 is kFailure whatever the status.
OutcomeClass class_of_status(int status);

// One attempt. Times are of the shard's clock.
struct Outcome {
  static constexpr Duration kNoToken{-1};

  Instant started{0};
  Instant ended{0};
  // From `started` to the first content.
  Duration first_token = kNoToken;
  // Tokens over the whole time, `started` to the end; 0 where not known.
  float tokens_per_second = 0;
  std::uint16_t status = 0;  // 0: no reply
  OutcomeClass outcome = OutcomeClass::kNotCounted;
  Fault fault = Fault::kNone;
};
static_assert(sizeof(Outcome) == 32);

}  // namespace leat::policy
