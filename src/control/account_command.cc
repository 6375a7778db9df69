// SPDX-License-Identifier: Apache-2.0
#include "control/account_command.h"

#include <fmt/format.h>

#include "control/command_line.h"
#include "control/json_tree.h"
#include "control/management.h"

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

std::string for_people(const JsonValue& answer) {
  std::string out;
  const JsonValue* data = answer.find("data");
  if (data == nullptr) return answer.is_true("deleted") ? "deleted\n" : out;
  if (data->is(JsonValue::Kind::kArray)) {
    for (const JsonValue& key : data->items) out += key_line(key);
    return out.empty() ? "no keys\n" : out;
  }
  out = members(*data);
  if (!answer.text_of("key").empty()) {
    out += fmt::format("\n{}\n\nThis is the only time that the key is shown.\n",
                       answer.text_of("key"));
  }
  return out;
}

}  // namespace

AccountOutcome run_account_command(const AccountCommand& command, WallTime now) {
  const auto failed = [](int status, std::string_view why) {
    return AccountOutcome{.messages = fmt::format("leat: {}\n", why), .status = status};
  };
  const auto store = AccountStore::open(command.store_file, now.unix_seconds());
  if (!store) return failed(kExitNoInput, store.error().text);
  const NoUsage usage;
  const ManagementAnswer answer = Management(**store, usage)
                                      .handle({.method = command.method,
                                               .path = command.path,
                                               .query = command.query,
                                               .body = command.body,
                                               .actor = {.is_operator = true},
                                               .organisation = command.organisation},
                                              now);
  std::string why;
  const auto value = parse_json(answer.body, why);
  if (answer.status >= 300) {
    const JsonValue* error = value ? value->find("error") : nullptr;
    return failed(kExitRefused, error == nullptr ? why : error->text_of("message"));
  }
  if (command.as_json || !value) return {.output = answer.body + "\n"};
  return {.output = for_people(*value)};
}

}  // namespace leat::control
