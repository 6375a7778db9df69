// SPDX-License-Identifier: Apache-2.0
// What `leat usage`, `leat ledger statement` and `leat ledger rebuild` do with a ledger's folder.
// The first two only read, so they may run beside a gateway that writes. Statuses as those of
// ledger_command.h: what can be read is printed even if something is lost, which `complain` is
// told.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/instant.h"
#include "control/ledger_command.h"
#include "control/statement.h"

namespace leat::control {

struct UsageQuery {
  UsageBy by = UsageBy::kModel;
  RecordFilter filter;
  bool as_json = false;  // else for people
};
int print_usage(const std::string& folder, const UsageQuery& query, const Printer& print,
                const Printer& complain);

struct StatementQuery {
  enum class Format : std::uint8_t { kJson, kCsv, kHtml };
  Format format = Format::kJson;
  std::string organisation;
  WallTime from{};
  WallTime until{};
};
int print_statement(const std::string& folder, const StatementQuery& query, WallTime now,
                    const Printer& print, const Printer& complain);

// Makes the folder's projection anew (ledger_view.h) and says whether it differed: status
// kExitLoss then, and if anything is lost.
int rebuild_ledger(const std::string& folder, WallTime now, const Printer& print,
                   const Printer& complain);

struct Month {
  WallTime from{};
  WallTime until{};
};
// "2026-11".
std::optional<Month> parse_month(std::string_view text);

}  // namespace leat::control
