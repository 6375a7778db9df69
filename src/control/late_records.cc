// SPDX-License-Identifier: Apache-2.0
#include "control/late_records.h"

namespace leat::control {

using policy::AccountLevel;
using policy::AccountQuantity;
using policy::LimitClass;

policy::Nanodollars money_of(const AccountQuantity& quantity, policy::Nanodollars own,
                             policy::Nanodollars byok) {
  if (!quantity.counts_byok) return own;
  policy::Nanodollars both = 0;
  return __builtin_add_overflow(own, byok, &both) ? INT64_MAX : both;
}

namespace {

gateway::LateSettlement settlement(const AccountQuantity& quantity,
                                   const UsageBook::Released& record) {
  gateway::LateSettlement made{.id = quantity.id, .terms = quantity.terms};
  if (quantity.limit_class == LimitClass::kDayTokens) {
    made.held = record.reserved.tokens;
    made.charged = record.used.tokens;
    return made;
  }
  made.held = money_of(quantity, record.reserved.charged, record.reserved.byok);
  made.charged = money_of(quantity, record.used.charged, record.used.byok);
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
