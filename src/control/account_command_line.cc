// SPDX-License-Identifier: Apache-2.0
#include "control/account_command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "control/account_text.h"
#include "control/listing_json.h"

namespace leat::control {
namespace {

// A number as JSON writes it; whether it will do is the API's to say.
std::string number(const std::string& text) {
  std::int64_t whole = 0;
  const bool is_number = parse_dollars(text).has_value() || CLI::detail::lexical_cast(text, whole);
  return is_number ? text : json_text(text);
}

}  // namespace

struct AccountCommandLine::Commands {
  CLI::App* create = nullptr;
  CLI::App* list = nullptr;
  CLI::App* show = nullptr;
  CLI::App* disable = nullptr;
  CLI::App* enable = nullptr;
  CLI::App* remove = nullptr;
  CLI::App* credits = nullptr;
  CLI::App* grant = nullptr;

  AccountCommand common;
  std::string name;
  std::string hash;
  std::string amount;
  std::string note;
  std::string workspace;
  std::vector<std::pair<std::string, std::string>> texts;    // member, value
  std::vector<std::pair<std::string, std::string>> numbers;  // member, value
  std::vector<std::pair<std::string, std::vector<std::string>>> lists;
  bool is_management = false;
  bool with_disabled = false;

  void add_common(CLI::App& app) {
    app.add_option("--store", common.store_file, "The account store, a file")->required();
    app.add_option("--organisation", common.organisation, "Its name; without it the first");
    app.add_flag("--json", common.as_json, "Answer in JSON, as the API does");
  }
  void add_text(const char* option, const char* member, const char* what) {
    create->add_option_function<std::string>(
        option, [this, member](const std::string& v) { texts.emplace_back(member, v); }, what);
  }
  void add_number(const char* option, const char* member, const char* what) {
    create->add_option_function<std::string>(
        option, [this, member](const std::string& v) { numbers.emplace_back(member, v); }, what);
  }
  void add_list(const char* option, const char* member, const char* what) {
    create->add_option_function<std::vector<std::string>>(
        option,
        [this, member](const std::vector<std::string>& v) { lists.emplace_back(member, v); }, what);
  }
  void add_create(CLI::App& keys);
  std::string create_body() const;
};

void AccountCommandLine::Commands::add_create(CLI::App& keys) {
  create = keys.add_subcommand("create", "Make a key and show it, once");
  add_common(*create);
  create->add_option("NAME", name, "What people call it")->required();
  add_text("--workspace", "workspace_id", "Slug or id; without it the default one");
  add_number("--limit", "limit", "Dollars that it may spend");
  add_text("--reset", "limit_reset", "daily, weekly or monthly; without it the limit is for ever");
  add_text("--expires", "expires_at", "Moment, as 2026-12-31T23:59:59Z");
  add_number("--requests-per-minute", "requests_per_minute", "");
  add_number("--tokens-per-minute", "tokens_per_minute", "");
  add_number("--tokens-per-day", "tokens_per_day", "");
  add_number("--concurrency", "concurrency", "Requests at a time");
  add_number("--markup-ppm", "markup_ppm",
             "Added to providers' prices, in millionths of them; negative: a discount");
  add_list("--model", "allowed_models", "Models that it may ask, as openai/gpt-4o or openai/*");
  add_list("--provider", "allowed_providers", "Providers that it may go to");
  create->add_flag("--management", is_management, "A key for the management API, not for models");
}

std::string AccountCommandLine::Commands::create_body() const {
  std::string body = fmt::format("{{\"name\":{}", json_text(name));
  for (const auto& [member, value] : texts) {
    body += fmt::format(",\"{}\":{}", member, json_text(value));
  }
  for (const auto& [member, value] : numbers) {
    body += fmt::format(",\"{}\":{}", member, number(value));
  }
  for (const auto& [member, values] : lists) {
    body += fmt::format(",\"{}\":{}", member, list_json(values));
  }
  if (is_management) body += ",\"scope\":\"management\"";
  return body + "}";
}

AccountCommandLine::AccountCommandLine(CLI::App& app) : commands_(std::make_unique<Commands>()) {
  Commands& c = *commands_;
  CLI::App* keys = app.add_subcommand(
      "keys", "Make, list and change client keys of a store; serve does not read it yet");
  keys->require_subcommand(1);
  c.add_create(*keys);
  c.list = keys->add_subcommand("list", "List the newest hundred keys");
  c.add_common(*c.list);
  c.list->add_option("--workspace", c.workspace, "Of one workspace only; slug or id");
  c.list->add_flag("--all", c.with_disabled, "Disabled ones too");
  const auto add_one = [&](const char* name, const char* what) {
    CLI::App* command = keys->add_subcommand(name, what);
    c.add_common(*command);
    command->add_option("HASH", c.hash, "SHA-256 of the key, as list tells it")->required();
    return command;
  };
  c.show = add_one("show", "Tell all of a key but the key itself");
  c.disable = add_one("disable", "Refuse a key until it is enabled");
  c.enable = add_one("enable", "Take a disabled key again");
  c.remove = add_one("delete", "Forget a key; it is never taken again");
  CLI::App* credits = app.add_subcommand(
      "credits", "What an organisation of a store was granted; serve does not read it yet");
  credits->require_subcommand(1);
  c.credits = credits->add_subcommand("show", "Tell how much it is");
  c.add_common(*c.credits);
  c.grant = credits->add_subcommand("grant", "Grant more");
  c.add_common(*c.grant);
  c.grant->add_option("DOLLARS", c.amount, "How much")->required();
  c.grant->add_option("--note", c.note, "What for");
}

AccountCommandLine::~AccountCommandLine() = default;

std::optional<AccountCommand> AccountCommandLine::asked() const {
  const Commands& c = *commands_;
  AccountCommand command = c.common;
  command.method = "GET";
  command.path = "/keys/" + c.hash;
  if (*c.create) {
    command.method = "POST";
    command.path = "/keys";
    command.body = c.create_body();
  } else if (*c.list) {
    command.path = "/keys";
    if (c.with_disabled) command.query = "include_disabled=true";
    if (!c.workspace.empty()) {
      command.query += (command.query.empty() ? "workspace_id=" : "&workspace_id=") + c.workspace;
    }
  } else if (*c.disable || *c.enable) {
    command.method = "PATCH";
    command.body = *c.disable ? R"({"disabled":true})" : R"({"disabled":false})";
  } else if (*c.remove) {
    command.method = "DELETE";
  } else if (*c.credits || *c.grant) {
    command.path = "/credits";
    if (*c.grant) {
      command.method = "POST";
      command.body =
          fmt::format(R"({{"amount":{},"note":{}}})", number(c.amount), json_text(c.note));
    }
  } else if (!*c.show) {
    return std::nullopt;
  }
  return command;
}

}  // namespace leat::control
