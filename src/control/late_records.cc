// SPDX-License-Identifier: Apache-2.0
#include "control/late_records.h"

namespace leat::control {
namespace {

using policy::AccountLevel;
using policy::AccountQuantity;
using policy::LimitClass;

gateway::LateSettlement settlement(const AccountQuantity& quantity,
                                   const UsageBook::Released& record) {
  gateway::LateSettlement made{.id = quantity.id, .terms = quantity.terms};
  if (quantity.limit_class == LimitClass::kDayTokens) {
    made.charged = record.tokens;  // a day's tokens are not held: nobody knew how many
    return made;
  }
  made.held = record.reserved;
  made.charged = record.charged;
  if (quantity.counts_byok && __builtin_add_overflow(made.charged, record.byok, &made.charged)) {
    made.charged = INT64_MAX;
  }
  return made;
}

}  // namespace

void LateRecords::add(AccountLevel level, const std::string& account,
                      const AccountQuantity& quantity) {
  quantities_[{level, account}].push_back(quantity);
}

gateway::LateSettlements LateRecords::settle(
    const std::vector<UsageBook::Released>& released) const {
  gateway::LateSettlements all;
  for (const UsageBook::Released& record : released) {
    for (std::size_t level = 0; level < kAccountLevels; ++level) {
      const auto found =
          quantities_.find({static_cast<AccountLevel>(level), record.accounts[level]});
      if (found == quantities_.end()) continue;
      for (const AccountQuantity& quantity : found->second) {
        all.push_back(settlement(quantity, record));
      }
    }
  }
  return all;
}

}  // namespace leat::control
