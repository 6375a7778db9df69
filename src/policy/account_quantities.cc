// SPDX-License-Identifier: Apache-2.0
#include "policy/account_quantities.h"

#include <algorithm>
#include <tuple>

namespace leat::policy {
namespace {

// The finaliser of splitmix64 (Steele, Lea, Flood 2014): neighbours spread over all homes.
std::uint64_t mixed(std::uint64_t value) {
  value += 0x9e3779b97f4a7c15u;
  value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9u;
  value = (value ^ value >> 27) * 0x94d049bb133111ebu;
  return value ^ value >> 31;
}

class Maker {
 public:
  Maker(std::uint32_t version, std::vector<AccountQuantity>& out) : version_(version), out_(out) {}

  void add_quota(AccountLevel level, AccountId account, const Quota& quota) {
    const RateLimits& rates = quota.rates;
    add_rate(level, account, LimitClass::kConcurrency, rates.concurrency);
    add_rate(level, account, LimitClass::kRequests, rates.requests_per_minute);
    add_rate(level, account, LimitClass::kTokens, rates.tokens_per_minute);
    add_rate(level, account, LimitClass::kDayTokens, rates.tokens_per_day);
    for (std::size_t i = 0; i < kBudgetPeriods; ++i) {
      const auto period = static_cast<BudgetPeriod>(i);
      if (quota.budgets[period] == Budgets::kUnlimited) continue;
      AccountQuantity item = made(level, account, LimitClass::kMoney, period, false);
      item.terms.limit = quota.budgets[period];
      item.counts_byok = quota.counts_byok;
      out_.push_back(item);
    }
  }
  void add_credit(AccountId organisation, Nanodollars granted) {
    AccountQuantity item = made(AccountLevel::kOrganisation, organisation, LimitClass::kMoney,
                                BudgetPeriod::kNone, true);
    // More may have been taken back than was given: then there is nothing.
    item.terms.limit = std::max<Nanodollars>(granted, 0);
    out_.push_back(item);
  }

 private:
  AccountQuantity made(AccountLevel level, AccountId account, LimitClass limit_class,
                       BudgetPeriod period, bool is_credit) {
    AccountQuantity item;
    item.id = quantity_id(level, account, limit_class, period, is_credit);
    item.level = level;
    item.limit_class = limit_class;
    item.is_credit = is_credit;
    item.terms.period = period;
    item.terms.version = version_;
    return item;
  }
  void add_rate(AccountLevel level, AccountId account, LimitClass limit_class,
                std::uint64_t limit) {
    if (limit == RateLimits::kUnlimited) return;
    const bool is_daily = limit_class == LimitClass::kDayTokens;
    AccountQuantity item = made(level, account, limit_class,
                                is_daily ? BudgetPeriod::kDaily : BudgetPeriod::kNone, false);
    if (limit_class == LimitClass::kConcurrency) {
      item.terms.kind = QuantityKind::kConcurrency;
    } else if (!is_daily) {
      item.terms.kind = QuantityKind::kRate;
    }
    item.terms.limit = static_cast<std::int64_t>(std::min<std::uint64_t>(limit, INT64_MAX));
    out_.push_back(item);
  }

  std::uint32_t version_;
  std::vector<AccountQuantity>& out_;
};

}  // namespace

QuantityId quantity_id(AccountLevel level, AccountId account, LimitClass limit_class,
                       BudgetPeriod period, bool is_credit) {
  const auto what = static_cast<std::uint64_t>(level) << 16 |
                    static_cast<std::uint64_t>(limit_class) << 8 |
                    static_cast<std::uint64_t>(period) << 1 | (is_credit ? 1 : 0);
  return mixed(mixed(account) ^ what);
}

std::vector<AccountQuantity> quantities_of(const Key& key, const Workspace* workspace,
                                           const Organisation& organisation,
                                           std::uint32_t version) {
  std::vector<AccountQuantity> made;
  made.reserve(kAccountQuantitiesMax);
  Maker maker(version, made);
  maker.add_quota(AccountLevel::kKey, key.id, key.quota);
  if (workspace != nullptr) {
    maker.add_quota(AccountLevel::kWorkspace, workspace->id, workspace->quota);
  }
  maker.add_quota(AccountLevel::kOrganisation, organisation.id, organisation.quota);
  if (organisation.is_prepaid) maker.add_credit(organisation.id, organisation.granted);
  std::ranges::sort(made, [](const AccountQuantity& a, const AccountQuantity& b) {
    const auto order = [](const AccountQuantity& item) {
      return std::tuple(item.limit_class, item.level, item.is_credit, item.terms.period);
    };
    return order(a) < order(b);
  });
  return made;
}

}  // namespace leat::policy
