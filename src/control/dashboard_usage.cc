// SPDX-License-Identifier: Apache-2.0
#include "control/dashboard_usage.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <set>
#include <tuple>

#include "control/account_text.h"
#include "control/listing_json.h"
#include "control/statement.h"
#include "control/usage_book.h"

namespace leat::control {
namespace {

using Money = policy::Nanodollars;

constexpr double kSecondsPerDay = 86'400;
constexpr const char* kOthers = "(others)";

struct Series {
  std::array<UsageSums, kUsageDays> days;

  UsageSums total() const {
    UsageSums total;
    for (const UsageSums& day : days) total.add(day);
    return total;
  }
};

std::int64_t tokens_of(const UsageSums& sums) {
  return sums.prompt_tokens + sums.completion_tokens;
}

template <class Text>
std::string list_of(const Series& series, Text text) {
  std::string out = "[";
  for (const UsageSums& day : series.days) {
    if (out.size() > 1) out += ',';
    out += text(day);
  }
  return out + "]";
}

// The members, without braces.
std::string members_of(const Series& series) {
  return fmt::format(
      R"("charge":{},"cost":{},"requests":{},"tokens":{})",
      list_of(series, [](const UsageSums& day) { return dollars_text(day.charge); }),
      list_of(series, [](const UsageSums& day) { return dollars_text(day.cost); }),
      list_of(series, [](const UsageSums& day) { return fmt::to_string(day.requests); }),
      list_of(series, [](const UsageSums& day) { return fmt::to_string(tokens_of(day)); }));
}

using Ranking = std::map<std::string, Series>;

std::string ranking_json(const Ranking& ranking) {
  std::vector<std::pair<std::string, Series>> rows(ranking.begin(), ranking.end());
  std::ranges::stable_sort(rows, std::greater(), [](const auto& row) {
    const UsageSums total = row.second.total();
    return std::tuple(total.charge, tokens_of(total));
  });
  if (rows.size() > kUsageRowsMax) {
    Series others;
    for (std::size_t i = kUsageRowsMax - 1; i < rows.size(); ++i) {
      for (std::size_t day = 0; day < others.days.size(); ++day) {
        others.days[day].add(rows[i].second.days[day]);
      }
    }
    rows.resize(kUsageRowsMax - 1);
    rows.emplace_back(kOthers, others);
  }
  std::string out = "[";
  for (const auto& [name, series] : rows) {
    if (out.size() > 1) out += ',';
    out += fmt::format(R"({{"name":{},{}}})", json_text(name), members_of(series));
  }
  return out + "]";
}

class UsageWriter {
 public:
  explicit UsageWriter(const DashboardQuery& query)
      : query_(query), first_(day_of(query.now) - kUsageDays + 1) {}

  std::string write() {
    Series totals;
    Ranking models;
    Ranking keys;
    Ranking providers;
    Ranking apps;
    each(query_.days, [&](std::size_t day, const UsageTable::Row& row) {
      totals.days[day].add(row.sums);
      models[std::string(row.field(UsageField::kModel))].days[day].add(row.sums);
      keys[key_name(row.field(UsageField::kKey))].days[day].add(row.sums);
      providers[std::string(row.field(UsageField::kProvider))].days[day].add(row.sums);
    });
    // Of a key alone nothing is known by app.
    each(query_.index.apps(), [&](std::size_t day, const UsageTable::Row& row) {
      apps[std::string(row.field(UsageField::kKey))].days[day].add(row.sums);
    });
    std::string days;
    for (std::int32_t day = first_; day < first_ + kUsageDays; ++day) {
      days += (days.empty() ? "\"" : ",\"") + day_text(day) + "\"";
    }
    return fmt::format(
        R"({{"days":[{}],"totals":{{{}}},"by":{{"model":{},"key":{},"provider":{},"app":{}}},)"
        R"("budgets":[{}],"price_changes":[{}]}})",
        days, members_of(totals), ranking_json(models), ranking_json(keys), ranking_json(providers),
        ranking_json(apps), budgets(), price_changes());
  }

 private:
  void each(const UsageTable& table,
            const std::function<void(std::size_t, const UsageTable::Row&)>& visit) const {
    table.each([&](const UsageTable::Row& row) {
      if (row.day < first_ || row.day >= first_ + kUsageDays) return;
      const bool is_app = &table == &query_.index.apps();
      const std::string_view key = is_app ? "" : row.field(UsageField::kKey);
      if (!query_.viewer.sees(row.field(UsageField::kOrganisation), key)) return;
      visit(static_cast<std::size_t>(row.day - first_), row);
    });
  }

  std::string key_name(std::string_view key) const {
    const auto found = query_.key_names.find(key);
    return found != query_.key_names.end() ? found->second : std::string(key);
  }

  // The pace is that of this week, which is at most seven days.
  std::string budgets() const {
    std::string out;
    const double now = static_cast<double>(query_.now.unix_seconds());
    const auto week = policy::budget_window(policy::BudgetPeriod::kWeekly, query_.now);
    const double week_days =
        std::max((now - static_cast<double>(week.begin)) / kSecondsPerDay, 1 / 24.0);
    for (const BudgetUse& use : query_.budgets) {
      const auto window = policy::budget_window(use.period, query_.now);
      const double left = (static_cast<double>(window.end) - now) / kSecondsPerDay;
      const std::string_view name = policy::name_of(use.period);
      fmt::format_to(
          std::back_inserter(out),
          R"({}{{"key":{},"period":{},"limit":{},"used":{},"burn_day":{:.9f},"days_left":{}}})",
          out.empty() ? "" : ",", json_text(use.key), json_text(name.empty() ? "once" : name),
          dollars_text(use.limit), dollars_text(use.used),
          static_cast<double>(use.this_week) / 1e9 / week_days,
          use.period == policy::BudgetPeriod::kNone ? "null" : fmt::format("{:.3f}", left));
    }
    return out;
  }

  // Of one model under one price list.
  struct Period {
    std::uint64_t version = 0;
    std::int64_t first = INT64_MAX;
    std::int64_t tokens = 0;
    std::map<std::string, PricedUse> endpoints;

    double share(const std::string& endpoint) const {
      const auto found = endpoints.find(endpoint);
      if (found == endpoints.end() || tokens == 0) return 0;
      return static_cast<double>(found->second.tokens) / static_cast<double>(tokens);
    }
    // Of a million tokens, in dollars; none: it served nothing then.
    std::optional<double> price(const std::string& endpoint) const {
      const auto found = endpoints.find(endpoint);
      if (found == endpoints.end() || found->second.tokens == 0) return std::nullopt;
      return static_cast<double>(found->second.cost) / 1e3 /
             static_cast<double>(found->second.tokens);
    }
  };

  static std::vector<Period> periods_of(const std::map<std::uint64_t, Period>& by_version) {
    std::vector<Period> periods;
    for (const auto& [version, period] : by_version) periods.push_back(period);
    std::ranges::stable_sort(periods, {}, [](const Period& one) { return one.first; });
    return periods;
  }

  std::string price_changes() const {
    if (!query_.viewer.is_operator) return "";
    std::map<std::string, std::map<std::uint64_t, Period>> models;
    for (const auto& [place, use] : query_.index.prices()) {
      Period& period = models[place.model][place.version];
      period.version = place.version;
      period.first = std::min(period.first, use.first);
      period.tokens += use.tokens;
      period.endpoints[place.endpoint] = use;
    }
    std::string out;
    for (const auto& [model, by_version] : models) {
      const std::vector<Period> periods = periods_of(by_version);
      for (std::size_t i = 1; i < periods.size(); ++i) add(out, model, periods[i - 1], periods[i]);
    }
    return out;
  }

  // By more than the mix of prompts and answers makes from one day to the next.
  static bool differ(std::optional<double> a, std::optional<double> b) {
    if (a.has_value() != b.has_value()) return true;
    return a && std::abs(*a - *b) > 0.01 * std::max(*a, *b);
  }

  // A line for each endpoint whose price or share is another.
  static void add(std::string& out, const std::string& model, const Period& before,
                  const Period& after) {
    constexpr double kNoticed = 0.005;
    std::set<std::string> endpoints;
    for (const auto* period : {&before, &after}) {
      for (const auto& [endpoint, use] : period->endpoints) endpoints.insert(endpoint);
    }
    const auto number = [](std::optional<double> value) {
      return value ? fmt::format("{:.6g}", *value) : "null";
    };
    for (const std::string& endpoint : endpoints) {
      const double moved = after.share(endpoint) - before.share(endpoint);
      const bool is_repriced = differ(before.price(endpoint), after.price(endpoint));
      if (!is_repriced && moved < kNoticed && moved > -kNoticed) continue;
      fmt::format_to(std::back_inserter(out),
                     R"({}{{"day":"{}","model":{},"endpoint":{},"price_before":{},)"
                     R"("price_after":{},"share_before":{:.4f},"share_after":{:.4f}}})",
                     out.empty() ? "" : ",", day_text(day_of({after.first * 1'000'000'000})),
                     json_text(model), json_text(endpoint), number(before.price(endpoint)),
                     number(after.price(endpoint)), before.share(endpoint), after.share(endpoint));
    }
  }

  const DashboardQuery& query_;
  std::int32_t first_;
};

}  // namespace

std::string usage_json(const DashboardQuery& query) {
  return UsageWriter(query).write();
}

}  // namespace leat::control
