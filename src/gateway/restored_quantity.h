// SPDX-License-Identifier: Apache-2.0
// RestoredQuantity: what the ledger knows of a budget, credit or a day's tokens before anyone asks
// for it: when a process starts, and when a limit is set on what was not limited so far. A value.
#pragma once

#include <cstdint>
#include <vector>

#include "base/instant.h"
#include "policy/quantity.h"

namespace leat::gateway {

struct RestoredQuantity {
  policy::QuantityId id = 0;
  policy::QuantityTerms terms;
  std::int64_t settled = 0;  // in the period of now
  std::int64_t open = 0;     // reserved in a life before and not settled yet
  Instant until{0};          // when that is given up at the latest
};

// What another process that still runs has settled of it since.
struct LateSettlement {
  policy::QuantityId id = 0;
  policy::QuantityTerms terms;
  std::int64_t held = 0;  // of RestoredQuantity::open
  std::int64_t charged = 0;
};
using LateSettlements = std::vector<LateSettlement>;

}  // namespace leat::gateway
