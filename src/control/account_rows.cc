// SPDX-License-Identifier: Apache-2.0
#include "control/account_rows.h"

#include <algorithm>

#include "control/account_text.h"
#include "control/json_tree.h"

namespace leat::control {
namespace {

using policy::Budgets;
using policy::RateLimits;

void bind_rate(SqliteStatement& statement, std::uint64_t rate) {
  if (rate == RateLimits::kUnlimited) {
    statement.bind_null();
  } else {
    statement.bind(static_cast<std::int64_t>(std::min<std::uint64_t>(rate, INT64_MAX)));
  }
}

std::uint64_t read_rate(SqliteStatement& row) {
  const auto value = row.optional_integer();
  return value ? static_cast<std::uint64_t>(std::max<std::int64_t>(*value, 0))
               : RateLimits::kUnlimited;
}

}  // namespace

void bind_quota(SqliteStatement& statement, const policy::Quota& quota,
                const policy::Access& access) {
  bind_rate(statement, quota.rates.requests_per_minute);
  bind_rate(statement, quota.rates.tokens_per_minute);
  bind_rate(statement, quota.rates.tokens_per_day);
  bind_rate(statement, quota.rates.concurrency);
  for (const policy::Nanodollars amount : quota.budgets.amounts) {
    if (amount == Budgets::kUnlimited) {
      statement.bind_null();
    } else {
      statement.bind(amount);
    }
  }
  statement.bind(quota.counts_byok ? 1 : 0);
  const std::string text = access_text(access);
  if (text.empty()) {
    statement.bind_null();
  } else {
    statement.bind(text);
  }
}

bool read_quota(SqliteStatement& row, policy::Quota& quota, policy::Access& access) {
  quota.rates.requests_per_minute = read_rate(row);
  quota.rates.tokens_per_minute = read_rate(row);
  quota.rates.tokens_per_day = read_rate(row);
  quota.rates.concurrency = read_rate(row);
  for (policy::Nanodollars& amount : quota.budgets.amounts) {
    amount = row.optional_integer().value_or(Budgets::kUnlimited);
  }
  quota.counts_byok = row.integer() != 0;
  if (row.is_null()) {
    row.skip();
    return true;
  }
  const auto read = access_of(row.text());
  // What cannot be understood must not open what it closed.
  access = read.value_or(policy::Access{.has_models = true});
  return read.has_value();
}

void bind_list(SqliteStatement& statement, const std::optional<std::vector<std::string>>& list) {
  if (list) {
    statement.bind(list_json(*list));
  } else {
    statement.bind_null();
  }
}

std::optional<std::vector<std::string>> read_list(SqliteStatement& row) {
  if (row.is_null()) {
    row.skip();
    return std::nullopt;
  }
  std::string why;
  const auto value = parse_json(row.text(), why);
  const auto list = value ? list_of(*value) : std::nullopt;
  // A list that cannot be read allows nobody rather than everybody.
  return list ? *list : std::vector<std::string>();
}

void bind_or_null(SqliteStatement& statement, std::int64_t value) {
  if (value == 0) {
    statement.bind_null();
  } else {
    statement.bind(value);
  }
}

std::string marks(int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += i == 0 ? "?" : ",?";
  return out;
}

std::string settings(std::string_view columns) {
  std::string out;
  for (const char c : columns) {
    if (c == ',') out += "=?";
    out += c;
  }
  return out + "=?";
}

}  // namespace leat::control
