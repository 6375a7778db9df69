// SPDX-License-Identifier: Apache-2.0
#include "control/management.h"

#include <fmt/format.h>
#include <string.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "control/account_text.h"
#include "control/listing_json.h"
#include "control/management_parts.h"
#include "control/percent_text.h"

namespace leat::control {
namespace {

constexpr std::size_t kListMax = 100;  // openrouter-api.md 2.13
constexpr std::size_t kListedNameMax = 256;
constexpr std::array<std::string_view, 7> kParts = {"key",  "keys",       "credits", "workspaces",
                                                    "byok", "generation", "activity"};

// Stable names of OpenRouter's list (openrouter-api.md 4.1); it has none for a conflict.
std::string_view error_type(int status) {
  switch (status) {
    case 401:
      return "authentication";
    case 403:
      return "permission_denied";
    case 404:
      return "not_found";
    case 409:
      return "conflict";
    case 405:
    case 400:
      return "invalid_request";
    default:
      return "server";
  }
}

std::vector<std::string> split(std::string_view path) {
  std::vector<std::string> parts;
  while (path.starts_with('/')) {
    path.remove_prefix(1);
    const std::size_t end = std::min(path.find('/'), path.size());
    parts.push_back(percent_decoded(path.substr(0, end)));
    path.remove_prefix(end);
  }
  return parts;
}

// No member of the value twice: which of two limits would hold?
bool has_duplicate(const JsonValue& value) {
  for (std::size_t i = 0; i < value.members.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (value.members[i].key == value.members[j].key) return true;
    }
  }
  return false;
}

bool is_nothing(const JsonValue& value) {
  switch (value.kind) {
    case JsonValue::Kind::kNull:
      return true;
    case JsonValue::Kind::kBoolean:
      return !value.boolean;
    case JsonValue::Kind::kNumber:
      return parse_dollars(value.text) == 0;
    case JsonValue::Kind::kArray:
      return value.items.empty();
    default:
      return false;
  }
}

std::optional<std::int64_t> whole_number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

ManagementAnswer refusal(int status, std::string_view message) {
  return {status, fmt::format(R"({{"error":{{"code":{},"message":{},"metadata":)"
                              R"({{"error_type":"{}"}}}}}})",
                              status, json_text(message), error_type(status))};
}

ManagementAnswer refusal(const StoreFault& fault) {
  switch (fault.kind) {
    case StoreFault::Kind::kNotFound:
      return refusal(404, fault.text);
    case StoreFault::Kind::kTaken:
    case StoreFault::Kind::kInUse:
      return refusal(409, fault.text);
    case StoreFault::Kind::kInvalid:
      return refusal(400, "A value is out of its range.");
    case StoreFault::Kind::kUnavailable:
      break;
  }
  // Never 401 or 404 for a fault of ours: clients would throw their keys away.
  return refusal(500, "The account store cannot be used at present.");
}

ManagementAnswer no_such_path() {
  return refusal(404, "There is nothing at this path.");
}

ManagementAnswer method_not_allowed() {
  return refusal(405, "This path does not take that method.");
}

ManagementAnswer deleted() {
  return {200, R"({"deleted":true})"};
}

std::optional<policy::BudgetPeriod> period_of(std::string_view name) {
  if (name == "lifetime") return policy::BudgetPeriod::kNone;
  for (const auto period : {policy::BudgetPeriod::kDaily, policy::BudgetPeriod::kWeekly,
                            policy::BudgetPeriod::kMonthly}) {
    if (name == policy::name_of(period)) return period;
  }
  return std::nullopt;
}

std::optional<std::string> ManagementCall::parameter(std::string_view name) const {
  std::string_view rest = request.query;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('&'), rest.size());
    const std::string_view pair = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const std::size_t mark = pair.find('=');
    if (mark == std::string_view::npos || percent_decoded(pair.substr(0, mark)) != name) continue;
    return percent_decoded(pair.substr(mark + 1));
  }
  return std::nullopt;
}

std::optional<std::int64_t> ManagementCall::count(std::string_view name, std::int64_t otherwise,
                                                  std::int64_t max) const {
  const auto text = parameter(name);
  if (!text) return otherwise;
  const auto value = whole_number(*text);
  if (!value || *value < 0 || *value > max) return std::nullopt;
  return value;
}

ManagementBody::ManagementBody(std::string_view text) {
  std::string why;
  auto parsed = parse_json(text, why);
  if (!parsed || !parsed->is(JsonValue::Kind::kObject)) {
    fault_ = "The body must be a JSON object.";
    return;
  }
  root_ = std::move(*parsed);
  if (has_duplicate(root_)) fault_ = "The body names a member twice.";
}

const JsonValue* ManagementBody::take(std::string_view key) {
  known_.push_back(key);
  return fault_.empty() ? root_.find(key) : nullptr;
}

void ManagementBody::complain(std::string_view key, std::string_view wanted) {
  if (fault_.empty()) fault_ = fmt::format("`{}` must be {}.", key, wanted);
}

void ManagementBody::complain(std::string_view message) {
  if (fault_.empty()) fault_ = message;
}

bool ManagementBody::has(std::string_view key) {
  return take(key) != nullptr;
}

void ManagementBody::text(std::string_view key, std::size_t max, std::string& out,
                          bool may_be_empty) {
  const JsonValue* value = take(key);
  if (value == nullptr) return;
  if (!value->is(JsonValue::Kind::kText) || value->text.size() > max ||
      (value->text.empty() && !may_be_empty)) {
    return complain(key, fmt::format("a text of {} to {} bytes", may_be_empty ? 0 : 1, max));
  }
  out = value->text;
}

void ManagementBody::nullable_text(std::string_view key, std::size_t max, std::string& out) {
  const JsonValue* value = take(key);
  if (value == nullptr) return;
  if (value->is(JsonValue::Kind::kNull)) return out.clear();
  text(key, max, out, /*may_be_empty=*/true);
}

void ManagementBody::flag(std::string_view key, bool& out) {
  const JsonValue* value = take(key);
  if (value == nullptr) return;
  if (!value->is(JsonValue::Kind::kBoolean)) return complain(key, "true or false");
  out = value->boolean;
}

void ManagementBody::dollars(std::string_view key, policy::Nanodollars& out) {
  const JsonValue* value = take(key);
  if (value == nullptr) return;
  if (value->is(JsonValue::Kind::kNull)) {
    out = policy::Budgets::kUnlimited;
    return;
  }
  const auto money =
      value->is(JsonValue::Kind::kNumber) ? parse_dollars(value->text) : std::nullopt;
  if (!money || *money < 0) {
    return complain(key, "a number of dollars from 0 to a billion, of nine decimal places at most");
  }
  out = *money;
}

void ManagementBody::rate(std::string_view key, std::uint64_t& out) {
  const JsonValue* value = take(key);
  if (value == nullptr) return;
  if (value->is(JsonValue::Kind::kNull)) {
    out = policy::RateLimits::kUnlimited;
    return;
  }
  const auto number =
      value->is(JsonValue::Kind::kNumber) ? whole_number(value->text) : std::nullopt;
  if (!number || *number < 0) return complain(key, "a whole number from 0 on, or null");
  out = static_cast<std::uint64_t>(*number);
}

void ManagementBody::integer(std::string_view key, std::int64_t min, std::int64_t max,
                             std::int64_t& out) {
  const JsonValue* value = take(key);
  if (value == nullptr) return;
  const auto number =
      value->is(JsonValue::Kind::kNumber) ? whole_number(value->text) : std::nullopt;
  if (!number || *number < min || *number > max) {
    return complain(key, fmt::format("a whole number from {} to {}", min, max));
  }
  out = *number;
}

void ManagementBody::moment(std::string_view key, std::int64_t& out) {
  const JsonValue* value = take(key);
  if (value == nullptr) return;
  if (value->is(JsonValue::Kind::kNull)) {
    out = 0;
    return;
  }
  const auto moment =
      value->is(JsonValue::Kind::kText) ? parse_iso_time(value->text) : std::nullopt;
  if (!moment) return complain(key, "a moment as 2026-12-31T23:59:59Z, or null");
  out = *moment;
}

void ManagementBody::list(std::string_view key, std::optional<std::vector<std::string>>& out) {
  const JsonValue* value = take(key);
  if (value == nullptr) return;
  if (value->is(JsonValue::Kind::kNull)) {
    out.reset();
    return;
  }
  auto names = list_of(*value);
  const bool is_sound = names && !names->empty() && names->size() <= kListMax &&
                        std::all_of(names->begin(), names->end(), [](const std::string& name) {
                          return !name.empty() && name.size() <= kListedNameMax;
                        });
  if (!is_sound) {
    return complain(key, fmt::format("an array of 1 to {} texts, or null", kListMax));
  }
  out = std::move(names);
}

void ManagementBody::refuse_set(std::initializer_list<std::string_view> keys) {
  for (const std::string_view key : keys) {
    const JsonValue* value = take(key);
    if (value == nullptr || is_nothing(*value)) continue;
    complain(fmt::format("`{}` is not offered here.", key));
  }
}

std::optional<ManagementAnswer> ManagementBody::fault() {
  for (const JsonMember& member : root_.members) {
    if (std::find(known_.begin(), known_.end(), member.key) != known_.end()) continue;
    // Its name is the client's own bytes: it is not repeated.
    complain("The body has a member that this path does not know.");
  }
  if (fault_.empty()) return std::nullopt;
  return refusal(400, fault_);
}

bool is_management_path(std::string_view path) {
  const std::vector<std::string> parts = split(path);
  return !parts.empty() && std::find(kParts.begin(), kParts.end(), parts[0]) != kParts.end();
}

ManagementAnswer Management::handle(const ManagementRequest& request, WallTime now) {
  if (!request.actor.is_operator || request.organisation.empty()) return answer(request, now);
  const auto organisations = store_.organisations();
  if (!organisations) return refusal(organisations.error());
  for (const policy::Organisation& organisation : *organisations) {
    if (organisation.name != request.organisation) continue;
    ManagementRequest meant = request;
    meant.actor.organisation = organisation.id;
    return answer(meant, now);
  }
  return refusal(404, "There is no such organisation.");
}

ManagementAnswer Management::answer(const ManagementRequest& request, WallTime now) {
  const ManagementCall call{.request = request, .parts = split(request.path), .now = now};
  if (call.parts.empty()) return no_such_path();
  const std::string& part = call.parts[0];
  if (part == "key" && call.parts.size() == 1) return ManagementKeys(*this, call).current();
  if (part == "credits" && call.parts.size() == 1) return ManagementKeys(*this, call).credits();
  if (part == "keys" && call.parts.size() <= 2) return ManagementKeys(*this, call).handle();
  if (part == "generation" && call.parts.size() == 1) {
    return ManagementUsage(*this, call).generation();
  }
  if (part == "dashboard" && call.parts.size() == 2) {
    return ManagementUsage(*this, call).dashboard();
  }
  if (part == "activity" && call.parts.size() == 1) return ManagementUsage(*this, call).activity();
  if (part == "workspaces") return ManagementWorkspaces(*this, call).handle();
  if (part == "byok" && call.parts.size() <= 2) return ManagementByok(*this, call).handle();
  return no_such_path();
}

}  // namespace leat::control
