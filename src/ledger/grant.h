// SPDX-License-Identifier: Apache-2.0
// Grant: what the home of a budget writes down before it lets a shard spend: how much of the budget
// may be gone by then at most, what was settled and what is out on leases together. It is durable
// before the lease is used. After a power cut, which may take the open tables with it, that much
// counts as spent. Only the last one of a quantity counts. Pure.
#pragma once

#include <cstdint>
#include <span>

#include "base/result.h"

namespace leat::ledger {

struct Grant {
  std::uint64_t quantity = 0;  // policy::QuantityId
  std::int64_t committed = 0;  // nano-dollars or tokens, in the period
  // Of the period that it is of, unix seconds; INT64_MIN: of one without an end.
  std::int64_t period_begin = INT64_MIN;

  bool operator==(const Grant&) const = default;
};

inline constexpr std::size_t kGrantBytes = 3 * sizeof(std::uint64_t);

// Writes kGrantBytes at the front of `out`.
void encode(const Grant& grant, std::span<char> out);
// kInvalid: no grant; kUnsupported: a longer one, of a later version.
Result<Grant> decode_grant(std::span<const char> bytes);

}  // namespace leat::ledger
