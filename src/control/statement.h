// SPDX-License-Identifier: Apache-2.0
// Statement: what an organisation used in a month, by model, key, provider and day; and the same
// tables for `leat usage`. The rows of each table add up to the total exactly. Values and text: who
// reads the ledger for it is ledger_report.h.
//
// Texts come from clients and operators: JSON, CSV and HTML are escaped as each demands. The page
// is one file without script, and asks nothing of any other host.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/instant.h"
#include "control/usage_table.h"

namespace leat::control {

enum class UsageBy : std::uint8_t { kModel, kKey, kProvider, kDay };
inline constexpr UsageBy kUsageBys[] = {UsageBy::kModel, UsageBy::kKey, UsageBy::kProvider,
                                        UsageBy::kDay};
std::string_view name_of(UsageBy by);

struct UsageLine {
  std::string name;  // "2026-11-21" of a day; empty: nobody served, or no key was asked for
  UsageSums sums;
};

struct UsageBreakdown {
  UsageBy by = UsageBy::kModel;
  std::vector<UsageLine> lines;  // days in order, others by what was charged, most first
  UsageSums total;
};
UsageBreakdown breakdown_of(const UsageTable& table, UsageBy by);

struct Statement {
  std::string organisation;
  WallTime from{};
  WallTime until{};
  WallTime made{};
  bool is_whole = true;                    // false: records are lost or cannot be read
  std::vector<UsageBreakdown> breakdowns;  // in the order of kUsageBys
  UsageSums total;
};

std::string statement_json(const Statement& statement);
std::string statement_csv(const Statement& statement);
std::string statement_html(const Statement& statement);

// One table for people, in columns; or as JSON.
std::string breakdown_text(const UsageBreakdown& breakdown);
std::string breakdown_json(const UsageBreakdown& breakdown);

// "2026-11-21".
std::string day_text(std::int32_t day);

}  // namespace leat::control
