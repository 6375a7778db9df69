// SPDX-License-Identifier: Apache-2.0
// LostLeases: what a power cut may have cost. It can take the open tables with it, and then nobody
// knows which requests were under way; but what they could spend at most was granted to them, and
// the grants are in the ledger (ledger/grant.h). So what was out beyond what was settled counts as
// spent, for the rest of its period, until an operator finds out and removes it. A value; kept as
// text, a line for each quantity.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>

#include "ledger/grant.h"
#include "ledger/replay.h"
#include "policy/quantity.h"

namespace leat::control {

class LostLeases final : public ledger::EntryVisitor {
 public:
  // What text() gave; false: it did not.
  bool read(std::string_view text);
  std::string text() const;

  // The grants of a process that a power cut ended, in their order.
  void on_entry(const ledger::SegmentHeader& segment, const ledger::Entry& entry) override;

  // What counts as spent of a quantity, whose period began at `period_begin`, beyond what is known
  // to be settled in it. Kept from then on.
  std::int64_t of(policy::QuantityId quantity, std::int64_t period_begin, std::int64_t settled);

 private:
  struct Lost {
    std::int64_t amount = 0;
    std::int64_t period_begin = INT64_MIN;
  };
  std::map<policy::QuantityId, Lost> lost_;
  std::unordered_map<policy::QuantityId, ledger::Grant> grants_;  // the last of each
};

}  // namespace leat::control
