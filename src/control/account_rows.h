// SPDX-License-Identifier: Apache-2.0
// How quotas, access and lists stand in the account store's tables; shared by its sources.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/sqlite.h"
#include "policy/account.h"

namespace leat::control {

// The columns that organisations, workspaces and keys have in common, in the order in which
// bind_quota() and read_quota() take them; NULL is no limit.
#define LEAT_QUOTA_COLUMNS                                                                \
  "requests_per_minute,tokens_per_minute,tokens_per_day,concurrency,budget,budget_daily," \
  "budget_weekly,budget_monthly,counts_byok,access"
inline constexpr int kQuotaColumns = 10;

void bind_quota(SqliteStatement& statement, const policy::Quota& quota,
                const policy::Access& access);
// False: what stands there is not what this program writes.
bool read_quota(SqliteStatement& row, policy::Quota& quota, policy::Access& access);

void bind_list(SqliteStatement& statement, const std::optional<std::vector<std::string>>& list);
std::optional<std::vector<std::string>> read_list(SqliteStatement& row);

// NULL where it is 0, and the reverse.
void bind_or_null(SqliteStatement& statement, std::int64_t value);

// "?,?,?"
std::string marks(int count);
// "a=?,b=?" of "a,b".
std::string settings(std::string_view columns);

}  // namespace leat::control
