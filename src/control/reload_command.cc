// SPDX-License-Identifier: Apache-2.0
#include "control/reload_command.h"

#include <fmt/format.h>

#include <utility>

#include "control/check_report.h"
#include "control/command_line.h"
#include "control/config.h"
#include "control/config_changes.h"
#include "control/json_tree.h"

namespace leat::control {
namespace {

constexpr Duration kWaitMax = seconds(60);
constexpr int kOk = 200;
constexpr int kBusy = 409;
constexpr int kRefused = 422;

ReloadOutcome failed(std::string_view why, int status) {
  return {.output = {}, .messages = fmt::format("leat: {}\n", why), .status = status};
}

// A line of the answer as it may be shown on a terminal.
std::string line(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return text + '\n';
}

// Faults and fixed settings of a refusal, a line each.
std::string reasons(const JsonValue& error) {
  std::string text;
  const JsonValue* metadata = error.find("metadata");
  if (metadata == nullptr) return text;
  if (const JsonValue* faults = metadata->find("faults")) {
    for (const JsonValue& fault : faults->items) text += line(fault.text);
  }
  if (const JsonValue* fixed = metadata->find("fixed")) {
    for (const JsonValue& setting : fixed->items) {
      text +=
          line(setting.text + ": cannot change while Leat runs; it needs a restart or a takeover");
    }
  }
  return text;
}

ReloadOutcome compare_files(const ReloadCommand& command, const Surroundings& surroundings) {
  const Config before = load_config(command.against_file, surroundings);
  const Config after = load_config(command.place.config_file, surroundings);
  ReloadOutcome outcome;
  if (!before.ok()) outcome.messages += check_report(command.against_file, before);
  if (!after.ok()) outcome.messages += check_report(command.place.config_file, after);
  if (!before.ok() || !after.ok()) {
    outcome.status = kExitConfig;
    return outcome;
  }
  outcome.output = changes_text(
      config_changes(before.options, after.options, before.catalogue.get(), after.catalogue.get()));
  return outcome;
}

}  // namespace

ReloadOutcome reload_outcome(int http_status, const std::string& body, const std::string& told) {
  std::string why;
  const auto answer = parse_json(body, why);
  const JsonValue* data = answer ? answer->find("data") : nullptr;
  const JsonValue* changes = data != nullptr ? data->find("changes") : nullptr;
  if (http_status == kOk && changes != nullptr) {
    ReloadOutcome outcome{.output = changes_text(changes_of(*changes)), .messages = {}};
    if (data->is_true("applied")) {
      // A certificate or a secret may have, behind a name that stays.
      if (changes->items.empty()) outcome.output = "no setting changes; files are read anew\n";
      outcome.output += fmt::format("in force, as generation {}\n", data->number_of("generation"));
    }
    return outcome;
  }
  const JsonValue* error = answer ? answer->find("error") : nullptr;
  const std::string message = error != nullptr ? std::string(error->text_of("message")) : "";
  const std::string said =
      message.empty() ? fmt::format("{}it answers {}", told, http_status) : told + message;
  if (http_status == kRefused && error != nullptr) {
    ReloadOutcome outcome{.output = {}, .messages = reasons(*error), .status = kExitConfig};
    outcome.messages += line("leat: " + said);
    return outcome;
  }
  return {.output = {},
          .messages = line("leat: " + said),
          .status = http_status == kBusy ? kExitRefused : kExitNoInput};
}

ReloadOutcome run_reload(ReloadCommand command, const Surroundings& surroundings) {
  if (!command.against_file.empty()) return compare_files(command, surroundings);
  if (const AdminFault fault = resolve(command.place, surroundings); !fault.why.empty()) {
    return failed(fault.why, fault.status);
  }
  const AdminAnswer answer = ask_admin(
      command.place, "POST", command.is_dry_run ? "/api/v1/reload?dry_run=true" : "/api/v1/reload",
      kWaitMax, surroundings);
  if (!answer.fault.why.empty()) return failed(answer.fault.why, answer.fault.status);
  return reload_outcome(answer.status, answer.body, told_of(command.place, ""));
}

}  // namespace leat::control
