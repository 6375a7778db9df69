// SPDX-License-Identifier: Apache-2.0
// AccountQuantities: every limit that a request of one key meets, the key's own and those of its
// workspace and organisation, as quantities. A value, made from a snapshot whenever that changes.
// What is not limited is not in it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "policy/account.h"
#include "policy/quantity.h"

namespace leat::policy {

// In the order in which they are asked, so that of two that refuse the first is named.
enum class LimitClass : std::uint8_t {
  kConcurrency,
  kRequests,   // a minute
  kTokens,     // a minute
  kDayTokens,  // a day
  kMoney,
};
inline constexpr std::size_t kLimitClasses = 5;

enum class AccountLevel : std::uint8_t { kKey, kWorkspace, kOrganisation };

struct AccountQuantity {
  QuantityId id = 0;
  QuantityTerms terms;
  LimitClass limit_class = LimitClass::kRequests;
  AccountLevel level = AccountLevel::kKey;
  bool is_credit = false;    // money: what a prepaid organisation has, rather than a budget
  bool counts_byok = false;  // money: what requests on an own provider key cost counts too
};

// Three levels with four rates and four budgets each, and credit.
inline constexpr std::size_t kAccountQuantitiesMax = 3 * (4 + kBudgetPeriods) + 1;

// The same account, class and period have the same id in every shard and process, always: the
// ledger's projection is found by it at start.
QuantityId quantity_id(AccountLevel level, AccountId account, LimitClass limit_class,
                       BudgetPeriod period, bool is_credit);

// `workspace`: null with a key that has none. `version`: of the snapshot; never goes back.
std::vector<AccountQuantity> quantities_of(const Key& key, const Workspace* workspace,
                                           const Organisation& organisation, std::uint32_t version);

}  // namespace leat::policy
