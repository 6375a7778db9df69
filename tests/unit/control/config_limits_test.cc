// SPDX-License-Identifier: Apache-2.0
// Goal: what an operator writes under [keys.limits] is what admission counts with, to the last
// digit, and a key without it has no limit. Method: the sample file with some lines more.
#include <gtest/gtest.h>

#include "control/config.h"
#include "sample_config.h"

namespace leat::control {
namespace {

KeyLimits limits_of(std::vector<std::string> stated) {
  std::vector<std::string> lines = sample_lines();
  stated.insert(stated.begin(), "[keys.limits]");
  lines.insert(lines.begin() + 14, stated.begin(), stated.end());
  const Config config = parse_config(text_of(lines), kSampleFile, sample_surroundings());
  for (const Fault& fault : config.faults) ADD_FAILURE() << fault.to_string();
  return config.options.keys.at(0).limits;
}

TEST(ConfigLimits, NothingStatedIsNoLimit) {
  const KeyLimits limits = limits_of({});
  EXPECT_EQ(limits.requests_per_minute_max, KeyLimits::kUnlimited);
  EXPECT_EQ(limits.tokens_per_minute_max, KeyLimits::kUnlimited);
  EXPECT_EQ(limits.tokens_per_day_max, KeyLimits::kUnlimited);
  EXPECT_EQ(limits.concurrency_max, KeyLimits::kUnlimited);
  EXPECT_EQ(limits.budget_nanodollars_max, KeyLimits::kNoBudget);
  EXPECT_EQ(limits.markup_ppm, 0);
  EXPECT_EQ(limits.output_default_max, 0u);
}

TEST(ConfigLimits, AreTakenAsTheyStand) {
  const KeyLimits limits = limits_of(
      {"requests_per_minute_max = 3", "tokens_per_minute_max = 40000", "tokens_per_day_max = 0",
       "concurrency_max = 7", "budget_usd_max = \"0.000000001\"", "budget_period = \"weekly\"",
       "output_default_max = 512", "markup_percent = \"-12.5001\""});
  EXPECT_EQ(limits.requests_per_minute_max, 3u);
  EXPECT_EQ(limits.tokens_per_minute_max, 40'000u);
  EXPECT_EQ(limits.tokens_per_day_max, 0u);
  EXPECT_EQ(limits.concurrency_max, 7u);
  EXPECT_EQ(limits.budget_nanodollars_max, 1);
  EXPECT_EQ(limits.budget_period, BudgetPeriod::kWeekly);
  EXPECT_EQ(limits.output_default_max, 512u);
  EXPECT_EQ(limits.markup_ppm, -125'001);
}

TEST(ConfigLimits, WholeNumbersAreWholeDollarsAndPercent) {
  const KeyLimits limits = limits_of({"budget_usd_max = 25", "markup_percent = 900"});
  EXPECT_EQ(limits.budget_nanodollars_max, 25'000'000'000);
  EXPECT_EQ(limits.markup_ppm, 9'000'000);
  EXPECT_EQ(limits.budget_period, BudgetPeriod::kNone);
}

}  // namespace
}  // namespace leat::control
