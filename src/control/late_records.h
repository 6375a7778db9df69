// SPDX-License-Identifier: Apache-2.0
// LateRecords: what requests came to that another process began and still finishes while this one
// runs. At our start their reservations counted as open in the quantities of their accounts; each
// of their records says what to settle of that. Filled by the thread that starts, then the account
// store's.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/instant.h"
#include "control/usage_book.h"
#include "gateway/restored_quantity.h"
#include "policy/account_quantities.h"

namespace leat::control {

// What counts in a quantity of money, of what our own capacity cost and own provider keys did.
policy::Nanodollars money_of(const policy::AccountQuantity& quantity, policy::Nanodollars own,
                             policy::Nanodollars byok);

class LateRecords {
 public:
  // A quantity that the requests of an account count in. `account`: as records name it.
  void add(policy::AccountLevel level, const std::string& account,
           const policy::AccountQuantity& quantity);
  // What these records settle.
  gateway::LateSettlements settle(const std::vector<UsageBook::Released>& released) const;

 private:
  using Account = std::pair<policy::AccountLevel, std::string>;
  std::map<Account, std::vector<policy::AccountQuantity>> quantities_;
};

}  // namespace leat::control
