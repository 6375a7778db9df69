// SPDX-License-Identifier: Apache-2.0
#include "control/ledger_command_line.h"

#include <CLI/CLI.hpp>
#include <string>

#include "control/ledger_report.h"

namespace leat::control {
namespace {

std::string judge_moment(const std::string& text) {
  WallTime moment;
  if (parse_moment(text, moment)) return "";
  return "neither 2026-11-21 nor 2026-11-21T15:30:00Z: " + text;
}

std::string judge_month(const std::string& text) {
  return parse_month(text) ? "" : "no month such as 2026-11: " + text;
}

}  // namespace

// All that was written; the judges above saw it first.
struct LedgerCommandLine::Commands {
  CLI::App* verify = nullptr;
  CLI::App* dump = nullptr;
  CLI::App* exported = nullptr;
  CLI::App* statement = nullptr;
  CLI::App* rebuild = nullptr;
  CLI::App* usage = nullptr;

  std::string folder;
  std::string format;
  std::string from;
  std::string until;
  std::string month;
  std::string key;
  std::string organisation;
  std::string by = "model";
  bool as_json = false;
  bool with_time = false;

  CLI::App* add(CLI::App& to, const char* name, const char* what) {
    CLI::App* command = to.add_subcommand(name, what);
    command->add_option("FOLDER", folder, "The ledger's folder")->required();
    return command;
  }
  void add_filter(CLI::App& to) {
    const CLI::Validator is_moment(judge_moment, "MOMENT");
    to.add_option("--from", from, "First moment, UTC")->check(is_moment);
    to.add_option("--to,--until", until, "First moment after it, UTC")->check(is_moment);
    to.add_option("--key", key, "Of this key: its number, or its name in the configuration");
    to.add_option("--organisation", organisation, "Of this organisation: its number");
  }
  RecordFilter filter() const {
    RecordFilter filter{.key = account_reference(key),
                        .organisation = account_reference(organisation)};
    parse_moment(from, filter.from);
    parse_moment(until, filter.until);
    return filter;
  }
  UsageBy usage_by() const {
    for (const UsageBy each : kUsageBys) {
      if (by == name_of(each)) return each;
    }
    return UsageBy::kModel;
  }
  StatementQuery query() const {
    StatementQuery query{.organisation = account_reference(organisation)};
    if (format == "csv") query.format = StatementQuery::Format::kCsv;
    if (format == "html") query.format = StatementQuery::Format::kHtml;
    if (const auto asked = parse_month(month)) {
      query.from = asked->from;
      query.until = asked->until;
    }
    return query;
  }
};

LedgerCommandLine::LedgerCommandLine(CLI::App& app) : commands_(std::make_unique<Commands>()) {
  Commands& commands = *commands_;
  CLI::App* ledger = app.add_subcommand("ledger", "Look at records of what was used");
  ledger->require_subcommand(1);
  commands.verify = commands.add(
      *ledger, "verify",
      "Read all of it and tell whether anything is lost, damaged or doubled. Status 1 if so");
  commands.dump = commands.add(*ledger, "dump", "Print all records, a line of JSON each");
  commands.exported = commands.add(*ledger, "export", "Print the records of a period");
  commands.exported->add_option("--format", commands.format, "jsonl or csv")
      ->check(CLI::IsMember({"jsonl", "csv"}));
  commands.add_filter(*commands.exported);
  commands.statement =
      commands.add(*ledger, "statement",
                   "Print what an organisation used in a month, by model, key, provider and day");
  commands.statement->add_option("--organisation", commands.organisation, "Its number")->required();
  commands.statement->add_option("--month", commands.month, "Such as 2026-11, UTC")
      ->required()
      ->check(CLI::Validator(judge_month, "MONTH"));
  commands.statement->add_option("--format", commands.format, "json, csv, or html to be printed")
      ->check(CLI::IsMember({"json", "csv", "html"}));
  commands.rebuild = commands.add(
      *ledger, "rebuild",
      "Make the projection anew of all records and tell whether it differed. Status 1 if so. Not "
      "while Leat serves");
  commands.rebuild->add_flag("--time", commands.with_time, "Tell how long it took");
  commands.usage =
      commands.add(app, "usage", "Print what was used, by model, key, provider or day");
  commands.add_filter(*commands.usage);
  commands.usage->add_option("--by", commands.by, "model, key, provider or day")
      ->check(CLI::IsMember({"model", "key", "provider", "day"}));
  commands.usage->add_flag("--json", commands.as_json, "As JSON");
}

LedgerCommandLine::~LedgerCommandLine() = default;

std::optional<Command> LedgerCommandLine::asked() const {
  const Commands& commands = *commands_;
  Command command{.files = {commands.folder}};
  if (*commands.verify) {
    command.kind = Command::Kind::kLedgerVerify;
  } else if (*commands.dump) {
    command.kind = Command::Kind::kLedgerExport;
  } else if (*commands.exported) {
    command.kind = Command::Kind::kLedgerExport;
    command.ledger_export.filter = commands.filter();
    if (commands.format == "csv") command.ledger_export.format = LedgerExport::Format::kCsv;
  } else if (*commands.statement) {
    command.kind = Command::Kind::kLedgerStatement;
    command.statement = commands.query();
  } else if (*commands.rebuild) {
    command.kind = Command::Kind::kLedgerRebuild;
    command.with_time = commands.with_time;
  } else if (*commands.usage) {
    command.kind = Command::Kind::kUsage;
    command.usage = {
        .by = commands.usage_by(), .filter = commands.filter(), .as_json = commands.as_json};
  } else {
    return std::nullopt;
  }
  return command;
}

}  // namespace leat::control
