// SPDX-License-Identifier: Apache-2.0
// UsageSource: what accounts have spent, as whoever follows the ledger knows it. Asked on the
// account store's thread. Money is nano-dollars; days, weeks and months are those of
// policy::budget_window() at `now`.
#pragma once

#include "base/instant.h"
#include "policy/account.h"

namespace leat::control {

struct SpentMoney {
  policy::Nanodollars total = 0;
  policy::Nanodollars daily = 0;
  policy::Nanodollars weekly = 0;
  policy::Nanodollars monthly = 0;

  policy::Nanodollars in(policy::BudgetPeriod period) const {
    switch (period) {
      case policy::BudgetPeriod::kDaily:
        return daily;
      case policy::BudgetPeriod::kWeekly:
        return weekly;
      case policy::BudgetPeriod::kMonthly:
        return monthly;
      case policy::BudgetPeriod::kNone:
        break;
    }
    return total;
  }
};

struct AccountUsage {
  SpentMoney charged;  // what our own capacity cost
  SpentMoney byok;     // what own provider keys cost upstream
};

class UsageSource {
 public:
  virtual ~UsageSource() = default;
  virtual AccountUsage of_key(policy::AccountId id, WallTime now) const = 0;
  virtual AccountUsage of_organisation(policy::AccountId id, WallTime now) const = 0;
};

// Before there is a ledger, and where none is read: nothing was spent.
class NoUsage final : public UsageSource {
 public:
  AccountUsage of_key(policy::AccountId, WallTime) const override { return {}; }
  AccountUsage of_organisation(policy::AccountId, WallTime) const override { return {}; }
};

}  // namespace leat::control
