// SPDX-License-Identifier: Apache-2.0
// Goal: a key never gets more than the levels above it allow, and an amount begins anew exactly at
// the calendar's edges in UTC.
// Method: pairs of lists with the result that a reader would expect; the second before and at each
// edge, computed by hand (date -u).
#include "policy/account.h"

#include <gtest/gtest.h>

namespace leat::policy {
namespace {

using Names = std::vector<std::string>;

constexpr WallTime at(std::int64_t unix_seconds) {
  return {unix_seconds * 1'000'000'000};
}

TEST(Account, ModelsThatBothAllowRemain) {
  Access outer;
  Access inner;
  inner.has_models = true;
  inner.models = {"openai/gpt-4o", "mistral/*", "deepseek/r1"};
  EXPECT_EQ(narrowed(outer, inner).models, inner.models);
  outer.has_models = true;
  outer.models = {"openai/*", "mistral/small", "qwen/*"};
  EXPECT_EQ(narrowed(outer, inner).models, (Names{"mistral/small", "openai/gpt-4o"}));
  inner.has_models = false;
  EXPECT_EQ(narrowed(outer, inner).models, outer.models);
  EXPECT_TRUE(narrowed(outer, inner).has_models);
}

TEST(Account, ListsWithoutACommonModelAllowNone) {
  const Access outer{.has_models = true, .models = {"a/b"}};
  const Access inner{.has_models = true, .models = {"a/c"}};
  const Access both = narrowed(outer, inner);
  EXPECT_TRUE(both.has_models);
  EXPECT_TRUE(both.models.empty());
  EXPECT_FALSE(allows_model(both, "a/b"));
  EXPECT_FALSE(allows_model(both, "a/c"));
}

TEST(Account, AStarAllowsWhatBeginsSo) {
  Access access;
  EXPECT_TRUE(allows_model(access, "openai/gpt-4o"));
  access.has_models = true;
  EXPECT_FALSE(allows_model(access, "openai/gpt-4o"));
  access.models = {"openai/*", "mistral/small"};
  EXPECT_TRUE(allows_model(access, "openai/gpt-4o"));
  EXPECT_TRUE(allows_model(access, "mistral/small"));
  EXPECT_FALSE(allows_model(access, "mistral/small-2"));
  EXPECT_FALSE(allows_model(access, "openai2/gpt-4o"));
}

TEST(Account, OfTwoProvidersTheNarrowerRemains) {
  Access outer;
  outer.routing.has_only = true;
  outer.routing.only = {"openai", "deepinfra/turbo"};
  Access inner;
  inner.routing.has_only = true;
  inner.routing.only = {"openai/priority", "deepinfra", "openai2"};
  EXPECT_EQ(narrowed(outer, inner).routing.only, (Names{"deepinfra/turbo", "openai/priority"}));
}

TEST(Account, WhatEitherForbidsIsForbidden) {
  Access outer;
  outer.routing.ignore = {"a", "b"};
  outer.routing.zdr = true;
  Access inner;
  inner.routing.ignore = {"b", "c"};
  inner.routing.deny_data_collection = true;
  const Access both = narrowed(outer, inner);
  EXPECT_EQ(both.routing.ignore, (Names{"a", "b", "c"}));
  EXPECT_TRUE(both.routing.zdr);
  EXPECT_TRUE(both.routing.deny_data_collection);
  EXPECT_TRUE(narrowed(inner, outer).routing.zdr);
}

TEST(Account, RegionsWithoutACommonOneAllowNobody) {
  Access outer;
  outer.routing.regions = {"eu", "ch"};
  Access inner;
  EXPECT_EQ(narrowed(outer, inner).routing.regions, (Names{"eu", "ch"}));
  EXPECT_FALSE(narrowed(outer, inner).routing.has_only);
  inner.routing.regions = {"ch", "us"};
  EXPECT_EQ(narrowed(outer, inner).routing.regions, Names{"ch"});
  inner.routing.regions = {"us"};
  const Access both = narrowed(outer, inner);
  EXPECT_TRUE(both.routing.has_only);
  EXPECT_TRUE(both.routing.only.empty());
}

TEST(Account, DaysBeginAtMidnightUtc) {
  // 2026-11-21, a Saturday.
  constexpr std::int64_t kMidnight = 1'795'219'200;
  const BudgetWindow day{kMidnight, kMidnight + 86'400};
  EXPECT_EQ(budget_window(BudgetPeriod::kDaily, at(kMidnight)), day);
  EXPECT_EQ(budget_window(BudgetPeriod::kDaily, at(kMidnight + 86'399)), day);
  EXPECT_EQ(budget_window(BudgetPeriod::kDaily, at(kMidnight - 1)).end, kMidnight);
}

TEST(Account, WeeksBeginOnMondays) {
  constexpr std::int64_t kMonday = 1'794'787'200;  // 2026-11-16
  const BudgetWindow week{kMonday, kMonday + 7 * 86'400};
  EXPECT_EQ(budget_window(BudgetPeriod::kWeekly, at(kMonday)), week);
  EXPECT_EQ(budget_window(BudgetPeriod::kWeekly, at(kMonday + 7 * 86'400 - 1)), week);
  EXPECT_EQ(budget_window(BudgetPeriod::kWeekly, at(kMonday - 1)).begin, kMonday - 7 * 86'400);
}

TEST(Account, MonthsAreAsLongAsTheyAre) {
  constexpr std::int64_t kFebruary = 1'832'976'000;  // 2028-02-01, of a leap year
  const BudgetWindow month{kFebruary, kFebruary + 29 * 86'400};
  EXPECT_EQ(budget_window(BudgetPeriod::kMonthly, at(kFebruary)), month);
  EXPECT_EQ(budget_window(BudgetPeriod::kMonthly, at(kFebruary + 29 * 86'400 - 1)), month);
  constexpr std::int64_t kYearEnd = 1'798'761'600;  // 2027-01-01
  EXPECT_EQ(budget_window(BudgetPeriod::kMonthly, at(kYearEnd - 1)),
            (BudgetWindow{kYearEnd - 31 * 86'400, kYearEnd}));
}

TEST(Account, WithoutAPeriodThereIsOneWindow) {
  EXPECT_EQ(budget_window(BudgetPeriod::kNone, at(0)), BudgetWindow{});
  EXPECT_EQ(budget_window(BudgetPeriod::kNone, at(4'000'000'000)), BudgetWindow{});
}

}  // namespace
}  // namespace leat::policy
