// SPDX-License-Identifier: Apache-2.0
#include "policy/account.h"

#include <algorithm>
#include <chrono>

namespace leat::policy {

namespace {

constexpr std::int64_t kDaySeconds = 86'400;

// "a/b" lies within "a" and within "a/b"; "ab" does not lie within "a".
bool slug_covers(std::string_view outer, std::string_view inner) {
  return inner == outer ||
         (inner.size() > outer.size() && inner.starts_with(outer) && inner[outer.size()] == '/');
}

bool model_covers(std::string_view outer, std::string_view inner) {
  if (!outer.ends_with('*')) return inner == outer;
  outer.remove_suffix(1);
  return inner.starts_with(outer);
}

bool name_covers(std::string_view outer, std::string_view inner) {
  return inner == outer;
}

// What lies within both lists: of two that overlap, the narrower.
template <class Covers>
std::vector<std::string> intersection(const std::vector<std::string>& a,
                                      const std::vector<std::string>& b, const Covers& covers) {
  std::vector<std::string> both;
  const auto take_covered = [&](const std::vector<std::string>& from,
                                const std::vector<std::string>& by) {
    for (const std::string& name : from) {
      const bool is_covered = std::any_of(
          by.begin(), by.end(), [&](const std::string& outer) { return covers(outer, name); });
      if (is_covered && std::find(both.begin(), both.end(), name) == both.end()) {
        both.push_back(name);
      }
    }
  };
  take_covered(a, b);
  take_covered(b, a);
  return both;
}

// Absent lists (has_* false) allow all.
template <class Covers>
void narrow_list(bool& has, std::vector<std::string>& list, bool inner_has,
                 const std::vector<std::string>& inner, const Covers& covers) {
  if (!inner_has) return;
  list = has ? intersection(list, inner, covers) : inner;
  has = true;
}

}  // namespace

bool is_open(const Access& access) {
  const KeyRouting& routing = access.routing;
  return !access.has_models && !routing.has_only && routing.ignore.empty() &&
         routing.regions.empty() && !routing.zdr && !routing.deny_data_collection;
}

Access narrowed(const Access& outer, const Access& inner) {
  Access both = outer;
  KeyRouting& routing = both.routing;
  narrow_list(both.has_models, both.models, inner.has_models, inner.models, model_covers);
  narrow_list(routing.has_only, routing.only, inner.routing.has_only, inner.routing.only,
              slug_covers);
  // An empty list of regions allows all; two that have nothing in common allow nobody.
  bool has_regions = !routing.regions.empty();
  narrow_list(has_regions, routing.regions, !inner.routing.regions.empty(), inner.routing.regions,
              name_covers);
  if (has_regions && routing.regions.empty()) {
    routing.has_only = true;
    routing.only.clear();
  }
  for (const std::string& name : inner.routing.ignore) {
    if (std::find(routing.ignore.begin(), routing.ignore.end(), name) == routing.ignore.end()) {
      routing.ignore.push_back(name);
    }
  }
  routing.zdr |= inner.routing.zdr;
  routing.deny_data_collection |= inner.routing.deny_data_collection;
  return both;
}

bool allows_model(const Access& access, std::string_view id) {
  return !access.has_models ||
         std::any_of(access.models.begin(), access.models.end(),
                     [id](const std::string& outer) { return model_covers(outer, id); });
}

BudgetWindow budget_window(BudgetPeriod period, WallTime now) {
  using namespace std::chrono;
  const sys_days today = floor<days>(sys_seconds(std::chrono::seconds(now.unix_seconds())));
  const auto begin_of = [](sys_days day) { return day.time_since_epoch().count() * kDaySeconds; };
  switch (period) {
    case BudgetPeriod::kNone:
      break;
    case BudgetPeriod::kDaily:
      return {begin_of(today), begin_of(today + days(1))};
    case BudgetPeriod::kWeekly: {
      const sys_days monday = today - (weekday(today) - Monday);
      return {begin_of(monday), begin_of(monday + days(7))};
    }
    case BudgetPeriod::kMonthly: {
      const year_month_day date = today;
      const year_month month = date.year() / date.month();
      return {begin_of(month / 1), begin_of((month + months(1)) / 1)};
    }
  }
  return {};
}

std::string_view name_of(BudgetPeriod period) {
  switch (period) {
    case BudgetPeriod::kNone:
      return "";
    case BudgetPeriod::kDaily:
      return "daily";
    case BudgetPeriod::kWeekly:
      return "weekly";
    case BudgetPeriod::kMonthly:
      return "monthly";
  }
  return "";
}

}  // namespace leat::policy
