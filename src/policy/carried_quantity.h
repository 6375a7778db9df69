// SPDX-License-Identifier: Apache-2.0
// What a process that takes over is told of limits (gateway/succession.h): how much of each counts,
// as its home has it, and what the requests hold that the old process still serves; then, one by
// one, what these come to. Values. Instants are of the machine's clock, which both processes read.
#pragma once

#include <cstdint>
#include <vector>

#include "base/instant.h"
#include "policy/quantity.h"

namespace leat::policy {

// What was taken of a rate at one instant.
struct RateTaking {
  Instant at{0};
  std::int64_t amount = 0;
};

// A quantity has one of its home, and one of each shard where requests hold some of it.
struct CarriedQuantity {
  QuantityId id = 0;
  QuantityTerms terms;
  // Of a budget: in the period that began then, in Unix seconds.
  std::int64_t settled = 0;
  std::int64_t period_begin = INT64_MIN;
  // Of a budget or of what runs at once: out until it is settled (CarriedEnd), or until then.
  std::int64_t open = 0;
  Instant until{0};
  // Of a rate that is leased: when it is whole again.
  Instant full_at{0};
  // Of a rate that is not: what its window counts, oldest first.
  std::vector<RateTaking> takings;
};
using CarriedQuantities = std::vector<CarriedQuantity>;

// A request that held `reserved` of a quantity has ended and came to `used`.
struct CarriedEnd {
  QuantityId id = 0;
  std::int64_t reserved = 0;
  std::int64_t used = 0;  // at most `reserved`
  Instant taken_at{0};    // of a rate: when it was taken, at the earliest
};
using CarriedEnds = std::vector<CarriedEnd>;

}  // namespace leat::policy
