// SPDX-License-Identifier: Apache-2.0
#include "control/ledger_report.h"

#include <fmt/format.h>

#include "control/account_text.h"
#include "control/command_line.h"
#include "control/ledger_history.h"
#include "control/ledger_view.h"
#include "policy/account.h"

namespace leat::control {
namespace {

// What the records of the folder that the filter lets through add up to.
struct Gathered {
  UsageTable table;
  bool is_whole = true;
};

Result<Gathered> gather(const std::string& path, const RecordFilter& filter) {
  LEAT_TRY(const auto folder, SegmentFolder::open(path));
  Gathered gathered;
  LEAT_TRY(gathered.is_whole, for_each_record(folder, [&](const ledger::UsageRecord& record) {
             if (filter.takes(record)) gathered.table.add(record);
           }));
  return gathered;
}

int no_input(const std::string& path, const Error& error, const Printer& complain) {
  complain(fmt::format("{}: {}\n", path, error.what));
  return kExitNoInput;
}

int finish(const std::string& path, bool is_whole, bool is_printed, const Printer& complain) {
  if (!is_whole) complain(path + ": something is lost; see `leat ledger verify`\n");
  return is_whole && is_printed ? 0 : kExitLoss;
}

}  // namespace

int print_usage(const std::string& path, const UsageQuery& query, const Printer& print,
                const Printer& complain) {
  const auto gathered = gather(path, query.filter);
  if (!gathered) return no_input(path, gathered.error(), complain);
  const UsageBreakdown breakdown = breakdown_of(gathered->table, query.by);
  const bool is_printed =
      print(query.as_json ? breakdown_json(breakdown) : breakdown_text(breakdown));
  return finish(path, gathered->is_whole, is_printed, complain);
}

int print_statement(const std::string& path, const StatementQuery& query, WallTime now,
                    const Printer& print, const Printer& complain) {
  const auto gathered =
      gather(path, {.organisation = query.organisation, .from = query.from, .until = query.until});
  if (!gathered) return no_input(path, gathered.error(), complain);
  Statement statement{.organisation = query.organisation,
                      .from = query.from,
                      .until = query.until,
                      .made = now,
                      .is_whole = gathered->is_whole,
                      .breakdowns = {},
                      .total = {}};
  for (const UsageBy by : kUsageBys) {
    statement.breakdowns.push_back(breakdown_of(gathered->table, by));
  }
  statement.total = statement.breakdowns.front().total;
  std::string text;
  switch (query.format) {
    case StatementQuery::Format::kJson:
      text = statement_json(statement);
      break;
    case StatementQuery::Format::kCsv:
      text = statement_csv(statement);
      break;
    case StatementQuery::Format::kHtml:
      text = statement_html(statement);
      break;
  }
  return finish(path, statement.is_whole, print(text), complain);
}

int rebuild_ledger(const std::string& path, WallTime now, const Printer& print,
                   const Printer& complain) {
  const auto report = rebuild_projection(path, now);
  if (!report) return no_input(path, report.error(), complain);
  const char* verdict = "there was none that fitted the segments";
  if (report->had_projection) {
    verdict = report->is_same ? "the one before said the same" : "THE ONE BEFORE DIFFERED";
  }
  const bool is_printed = print(
      fmt::format("{} records, {} unreadable, {} missing; ${} charged; {}\n", report->records,
                  report->unreadable, report->missing, dollars_text(report->charged), verdict));
  const bool is_whole = report->unreadable == 0 && report->missing == 0;
  const int status = finish(path, is_whole, is_printed, complain);
  return report->is_same ? status : kExitLoss;
}

std::optional<Month> parse_month(std::string_view text) {
  Month month;
  if (text.size() != 7 || !parse_moment(std::string(text) + "-01", month.from)) return std::nullopt;
  const auto window = policy::budget_window(policy::BudgetPeriod::kMonthly, month.from);
  month.until = {window.end * 1'000'000'000};
  return month;
}

}  // namespace leat::control
