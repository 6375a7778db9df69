// SPDX-License-Identifier: Apache-2.0
#include "control/account_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <variant>

#include "control/check_report.h"
#include "control/command_line.h"
#include "control/config.h"
#include "control/json_tree.h"
#include "control/management.h"
#include "io/local_exchange.h"
#include "proto/http1_response.h"

namespace leat::control {
namespace {

std::string money(const JsonValue& value, std::string_view key) {
  const std::string_view number = value.number_of(key);
  return number.empty() ? "-" : fmt::format("${}", number);
}

// One key on one line: what tells it from others, what it may, what it did.
std::string key_line(const JsonValue& key) {
  std::string limit = money(key, "limit");
  if (!key.text_of("limit_reset").empty()) limit += fmt::format(" {}", key.text_of("limit_reset"));
  return fmt::format("{}  {:<24}  {:<10}  {:<8}  {:>16}  {:>12}  {}\n", key.text_of("hash"),
                     key.text_of("label"), key.text_of("scope"),
                     key.is_true("disabled") ? "disabled" : "enabled", limit, money(key, "usage"),
                     key.text_of("name"));
}

// Each member on a line of its own.
std::string members(const JsonValue& object) {
  std::string out;
  for (const JsonMember& member : object.members) {
    const JsonValue& value = member.value;
    std::string text = value.text;
    if (value.is(JsonValue::Kind::kNull)) text = "-";
    if (value.is(JsonValue::Kind::kBoolean)) text = value.boolean ? "yes" : "no";
    if (value.is(JsonValue::Kind::kArray)) {
      for (const JsonValue& item : value.items) {
        text += fmt::format("{}{}", text.empty() ? "" : ", ", item.text);
      }
    }
    out += fmt::format("{:<22} {}\n", member.key, text);
  }
  return out;
}

std::string workspace_line(const JsonValue& workspace) {
  return fmt::format("{}  {:<24}  {}\n", workspace.text_of("id"), workspace.text_of("slug"),
                     workspace.text_of("name"));
}

std::string budget_line(const JsonValue& budget) {
  const std::string_view interval = budget.text_of("reset_interval");
  return fmt::format("{:<10}  {:>16}\n", interval.empty() ? "lifetime" : interval,
                     money(budget, "limit_usd"));
}

std::string list_for_people(const JsonValue& items, std::string_view path) {
  const bool is_of_keys = path == "/keys";
  const bool is_of_workspaces = path == "/workspaces";
  std::string out;
  for (const JsonValue& item : items.items) {
    out += is_of_keys         ? key_line(item)
           : is_of_workspaces ? workspace_line(item)
                              : budget_line(item);
  }
  if (!out.empty()) return out;
  return is_of_keys ? "no keys\n" : is_of_workspaces ? "no workspaces\n" : "no budgets\n";
}

std::string for_people(const JsonValue& answer, std::string_view path) {
  std::string out;
  const JsonValue* data = answer.find("data");
  if (data == nullptr) return answer.is_true("deleted") ? "deleted\n" : out;
  if (data->is(JsonValue::Kind::kArray)) return list_for_people(*data, path);
  out = members(*data);
  if (!answer.text_of("key").empty()) {
    out += fmt::format("\n{}\n\nThis is the only time that the key is shown.\n",
                       answer.text_of("key"));
  }
  return out;
}

// No answer: why, and how the command ends.
struct NoAnswer {
  int status = kExitNoInput;
  std::string why;
};
using Asked = std::variant<ManagementAnswer, NoAnswer>;

constexpr std::size_t kAnswerBytesMax = 64 << 20;
constexpr Duration kWaitMax = seconds(30);

std::string request_text(const AccountCommand& command) {
  std::string text = fmt::format("{} /api/v1{}{}{} HTTP/1.1\r\nhost: leat\r\n", command.method,
                                 command.path, command.query.empty() ? "" : "?", command.query);
  if (!command.organisation.empty()) {
    text += fmt::format("x-leat-organisation: {}\r\n", command.organisation);
  }
  return text + fmt::format("connection: close\r\ncontent-length: {}\r\n\r\n{}",
                            command.body.size(), command.body);
}

// Nothing: no Leat listens there.
std::optional<Asked> ask_running(const AccountCommand& command) {
  const auto refuse = [&](std::string_view why) {
    return NoAnswer{.why = fmt::format("Leat at {}: {}", command.socket, why)};
  };
  const bool is_plain = std::none_of(command.organisation.begin(), command.organisation.end(),
                                     [](char c) { return static_cast<unsigned char>(c) < 0x20; });
  if (!is_plain) return refuse("the organisation's name has a control character");
  const auto got =
      io::exchange_locally(command.socket, request_text(command), kAnswerBytesMax, kWaitMax);
  if (!got && got.error().code == Code::kRefused) return std::nullopt;
  if (!got) return refuse(got.error().what);
  proto::ResponseHead head;
  const auto status = proto::ResponseParser().parse(*got, head);
  if (!status.complete() || got->size() - status.head_bytes != head.content_length.value_or(0)) {
    return refuse("it broke its answer off; look whether it did what was asked");
  }
  return ManagementAnswer{head.status, got->substr(status.head_bytes)};
}

Asked use_file(const AccountCommand& command, WallTime now) {
  const auto store = AccountStore::open(command.store_file, now.unix_seconds());
  if (!store) {
    return NoAnswer{.why = fmt::format("{}: {}", command.store_file, store.error().text)};
  }
  const NoUsage usage;
  return Management(**store, usage)
      .handle({.method = command.method,
               .path = command.path,
               .query = command.query,
               .body = command.body,
               .actor = {.is_operator = true},
               .organisation = command.organisation},
              now);
}

// Who makes keys need not be able to read all that Leat reads, provider keys say: only what the
// file says of the accounts counts.
std::optional<NoAnswer> read_config(AccountCommand& command, const Surroundings& surroundings) {
  if (command.config_file.empty()) return std::nullopt;
  const Config config = load_config(command.config_file, surroundings);
  const Options& options = config.options;
  if (command.socket.empty()) command.socket = options.admin.socket;
  if (command.store_file.empty()) command.store_file = options.accounts.store_file;
  if (!command.socket.empty() || !command.store_file.empty()) return std::nullopt;
  if (!config.ok()) return NoAnswer{kExitConfig, check_report(command.config_file, config)};
  return NoAnswer{kExitConfig, fmt::format("{} has no accounts: neither store_file under "
                                           "[accounts] nor socket under [admin] is set",
                                           command.config_file)};
}

Asked ask(AccountCommand command, const Surroundings& surroundings, WallTime now) {
  if (auto fault = read_config(command, surroundings)) return std::move(*fault);
  if (!command.socket.empty()) {
    if (auto asked = ask_running(command)) return std::move(*asked);
  }
  if (!command.store_file.empty()) return use_file(command, now);
  return NoAnswer{.why = fmt::format("no Leat listens at {}", command.socket)};
}

}  // namespace

AccountOutcome run_account_command(const AccountCommand& command, const Surroundings& surroundings,
                                   WallTime now) {
  const auto failed = [](int status, std::string_view why) {
    return AccountOutcome{.messages = fmt::format("leat: {}\n", why), .status = status};
  };
  const Asked asked = ask(command, surroundings, now);
  if (const auto* nothing = std::get_if<NoAnswer>(&asked)) {
    return failed(nothing->status, nothing->why);
  }
  const auto& answer = std::get<ManagementAnswer>(asked);
  std::string why;
  const auto value = parse_json(answer.body, why);
  if (answer.status >= 300) {
    const JsonValue* error = value ? value->find("error") : nullptr;
    return failed(kExitRefused, error == nullptr ? why : error->text_of("message"));
  }
  if (command.as_json || !value) return {.output = answer.body + "\n"};
  return {.output = for_people(*value, command.path)};
}

}  // namespace leat::control
