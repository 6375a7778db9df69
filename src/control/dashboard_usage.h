// SPDX-License-Identifier: Apache-2.0
// What the dashboard shows of usage and money over the last days: sums a day, by model, key,
// provider and app; budgets and how fast they burn; and what prices did to shares. Pure: from what
// a LedgerView knows to JSON. Who asks sees what records say is his (UsageViewer); moves after
// price changes, which are of everybody's use together, are the operator's.
//
//   {"days":["2026-11-22",...],"totals":{"charge":[...],"cost":[...],"requests":[...],
//    "tokens":[...]},"by":{"model":[{"name":"..","charge":[...],...},...],"key":..,..},
//    "budgets":[...],"price_changes":[...]}
//
// Lists are by day, the oldest first, today's last. Money is dollars.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "control/management_usage.h"
#include "control/usage_index.h"

namespace leat::control {

struct BudgetUse {
  std::string key;  // its name
  policy::BudgetPeriod period = policy::BudgetPeriod::kNone;
  policy::Nanodollars limit = 0;
  policy::Nanodollars used = 0;
  policy::Nanodollars this_week = 0;  // since Monday, whatever the period
};

// What records call a key -> what people call it, where that is another.
using KeyNames = std::map<std::string, std::string, std::less<>>;

struct DashboardQuery {
  const UsageTable& days;
  const UsageIndex& index;
  const UsageViewer& viewer;
  const KeyNames& key_names;
  const std::vector<BudgetUse>& budgets;
  WallTime now;
};

inline constexpr std::int32_t kUsageDays = 31;
// Of models, keys, providers and apps, those with the largest charge, then the most tokens; the
// others are one row called "(others)".
inline constexpr std::size_t kUsageRowsMax = 25;

std::string usage_json(const DashboardQuery& query);

}  // namespace leat::control
