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

// What was typed becomes one part of a path or query, whatever is in it.
std::string percent_encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
    out += is_plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
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
  CLI::App* prepaid = nullptr;
  CLI::App* add_workspace = nullptr;
  CLI::App* workspaces = nullptr;
  CLI::App* workspace_shown = nullptr;
  CLI::App* workspace_removed = nullptr;
  CLI::App* budgets = nullptr;
  CLI::App* set_budget = nullptr;
  CLI::App* drop_budget = nullptr;

  AccountCommand common;
  std::string name;
  std::string hash;
  std::string amount;
  std::string note;
  std::string state;
  std::string workspace;
  std::string slug;
  std::string description;
  std::string interval;
  std::vector<std::pair<std::string, std::string>> texts;    // member, value
  std::vector<std::pair<std::string, std::string>> numbers;  // member, value
  std::vector<std::pair<std::string, std::vector<std::string>>> lists;
  bool is_management = false;
  bool logs_content = false;
  bool with_disabled = false;

  void add_common(CLI::App& app) {
    CLI::Option_group* where = app.add_option_group("Where the accounts are");
    where->add_option("-c,--config", common.config_file,
                      "Leat's TOML file: its admin.socket, or its accounts.store_file if no Leat "
                      "runs");
    where->add_option("--socket", common.socket, "The admin socket of a running Leat");
    where->add_option("--store", common.store_file,
                      "The account store, a file, while no Leat runs");
    where->require_option(1, 3);
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
  void add_keys(CLI::App& app);
  void add_credits(CLI::App& app);
  void add_workspaces(CLI::App& app);
  bool fill_workspaces(AccountCommand& command) const;
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
  add_number("--output-default", "output_default_max",
             "Tokens of an answer to a request that states no cap");
  add_number("--hold", "hold_ms_max", "Milliseconds that events of its streams may wait; 0: none");
  add_number("--markup-ppm", "markup_ppm",
             "Added to providers' prices, in millionths of them; negative: a discount");
  add_list("--model", "allowed_models", "Models that it may ask, as openai/gpt-4o or openai/*");
  add_list("--provider", "allowed_providers", "Providers that it may go to");
  create->add_flag("--log-content", logs_content,
                   "What its requests say and are answered goes to the content log");
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
  if (logs_content) body += ",\"log_content\":true";
  if (is_management) body += ",\"scope\":\"management\"";
  return body + "}";
}

void AccountCommandLine::Commands::add_keys(CLI::App& app) {
  CLI::App* keys = app.add_subcommand("keys", "Make, list and change client keys");
  keys->require_subcommand(1);
  add_create(*keys);
  list = keys->add_subcommand("list", "List the newest hundred keys");
  add_common(*list);
  list->add_option("--workspace", workspace, "Of one workspace only; slug or id");
  list->add_flag("--all", with_disabled, "Disabled ones too");
  const auto add_one = [&](const char* name, const char* what) {
    CLI::App* command = keys->add_subcommand(name, what);
    add_common(*command);
    command->add_option("HASH", hash, "SHA-256 of the key, as list tells it")->required();
    return command;
  };
  show = add_one("show", "Tell all of a key but the key itself");
  disable = add_one("disable", "Refuse a key until it is enabled");
  enable = add_one("enable", "Take a disabled key again");
  remove = add_one("delete", "Forget a key; it is never taken again");
}

void AccountCommandLine::Commands::add_credits(CLI::App& app) {
  CLI::App* parent =
      app.add_subcommand("credits", "What an organisation was granted, and what it has used");
  parent->require_subcommand(1);
  credits = parent->add_subcommand("show", "Tell how much it is");
  add_common(*credits);
  grant = parent->add_subcommand("grant", "Grant more");
  add_common(*grant);
  grant->add_option("DOLLARS", amount, "How much")->required();
  grant->add_option("--note", note, "What for");
  prepaid = parent->add_subcommand("prepaid", "Whether what was granted is all that may be used");
  add_common(*prepaid);
  prepaid->add_option("STATE", state, "on or off")->required()->check(CLI::IsMember({"on", "off"}));
}

void AccountCommandLine::Commands::add_workspaces(CLI::App& app) {
  CLI::App* parent = app.add_subcommand("workspaces", "Make, list and bound groups of keys");
  parent->require_subcommand(1);
  add_workspace = parent->add_subcommand("create", "Make a workspace");
  add_common(*add_workspace);
  add_workspace->add_option("NAME", name, "What people call it")->required();
  add_workspace->add_option("--slug", slug, "What commands call it: small letters, digits and -")
      ->required();
  add_workspace->add_option("--description", description, "What it is for");
  workspaces = parent->add_subcommand("list", "List the first hundred workspaces");
  add_common(*workspaces);
  const auto add_one = [&](const char* called, const char* what) {
    CLI::App* command = parent->add_subcommand(called, what);
    add_common(*command);
    command->add_option("WORKSPACE", workspace, "Slug or id")->required();
    return command;
  };
  workspace_shown = add_one("show", "Tell all of a workspace");
  workspace_removed = add_one("delete", "Forget a workspace that has no keys");
  budgets = add_one("budgets", "List what its keys may spend together");
  set_budget = add_one("budget", "Set what its keys may spend together in an interval");
  set_budget->add_option("INTERVAL", interval, "daily, weekly, monthly or lifetime")->required();
  set_budget->add_option("DOLLARS", amount, "How much")->required();
  drop_budget = add_one("unbudget", "Take such a bound away");
  drop_budget->add_option("INTERVAL", interval, "daily, weekly, monthly or lifetime")->required();
}

bool AccountCommandLine::Commands::fill_workspaces(AccountCommand& command) const {
  command.path = "/workspaces/" + percent_encoded(workspace);
  if (*workspace_shown) return true;
  if (*workspace_removed) {
    command.method = "DELETE";
  } else if (*budgets) {
    command.path += "/budgets";
  } else if (*set_budget || *drop_budget) {
    command.path += "/budgets/" + percent_encoded(interval);
    command.method = *set_budget ? "PUT" : "DELETE";
    if (*set_budget) command.body = fmt::format(R"({{"limit_usd":{}}})", number(amount));
  } else {
    command.path = "/workspaces";
    if (*workspaces) return true;
    if (!*add_workspace) return false;
    command.method = "POST";
    command.body = fmt::format(R"({{"name":{},"slug":{},"description":{}}})", json_text(name),
                               json_text(slug), json_text(description));
  }
  return true;
}

AccountCommandLine::AccountCommandLine(CLI::App& app) : commands_(std::make_unique<Commands>()) {
  commands_->add_keys(app);
  commands_->add_credits(app);
  commands_->add_workspaces(app);
}

AccountCommandLine::~AccountCommandLine() = default;

std::optional<AccountCommand> AccountCommandLine::asked() const {
  const Commands& c = *commands_;
  AccountCommand command = c.common;
  command.method = "GET";
  command.path = "/keys/" + percent_encoded(c.hash);
  if (*c.create) {
    command.method = "POST";
    command.path = "/keys";
    command.body = c.create_body();
  } else if (*c.list) {
    command.path = "/keys";
    if (c.with_disabled) command.query = "include_disabled=true";
    if (!c.workspace.empty()) {
      command.query += (command.query.empty() ? "workspace_id=" : "&workspace_id=") +
                       percent_encoded(c.workspace);
    }
  } else if (*c.disable || *c.enable) {
    command.method = "PATCH";
    command.body = *c.disable ? R"({"disabled":true})" : R"({"disabled":false})";
  } else if (*c.remove) {
    command.method = "DELETE";
  } else if (*c.credits || *c.grant || *c.prepaid) {
    command.path = "/credits";
    if (*c.grant) {
      command.method = "POST";
      command.body =
          fmt::format(R"({{"amount":{},"note":{}}})", number(c.amount), json_text(c.note));
    } else if (*c.prepaid) {
      command.method = "PATCH";
      command.body = fmt::format(R"({{"prepaid":{}}})", c.state == "on");
    }
  } else if (!*c.show && !c.fill_workspaces(command)) {
    return std::nullopt;
  }
  return command;
}

}  // namespace leat::control
