// SPDX-License-Identifier: Apache-2.0
// Goal: a successor reads what was written, and nothing of what is cut off, longer, or of another
// form. Method: values there and back; every length of the bytes that is not theirs.
#include "control/carried_limits.h"

#include <gtest/gtest.h>

namespace leat::control {
namespace {

policy::CarriedQuantities some_quantities() {
  policy::CarriedQuantity rate;
  rate.id = UINT64_MAX - 1;
  rate.terms = {.kind = policy::QuantityKind::kRate, .limit = 3, .window = seconds(60)};
  rate.full_at = Instant{7};
  rate.takings = {{Instant{5}, 2}, {Instant{6}, 1}};
  policy::CarriedQuantity budget;
  budget.id = 2;
  budget.terms = {.period = policy::BudgetPeriod::kMonthly, .limit = INT64_MAX};
  budget.settled = 11;
  budget.period_begin = INT64_MIN;
  budget.open = 12;
  budget.until = Instant{13};
  return {rate, budget};
}

TEST(CarriedLimits, AreReadAsTheyWereWritten) {
  const auto read = read_carried_quantities(bytes_of(some_quantities()));
  ASSERT_TRUE(read.has_value());
  ASSERT_EQ(read->size(), 2u);
  const policy::CarriedQuantity& rate = read->front();
  EXPECT_EQ(rate.id, UINT64_MAX - 1);
  EXPECT_EQ(rate.terms.kind, policy::QuantityKind::kRate);
  EXPECT_EQ(rate.terms.limit, 3);
  EXPECT_EQ(rate.terms.window, seconds(60));
  EXPECT_EQ(rate.full_at, Instant{7});
  ASSERT_EQ(rate.takings.size(), 2u);
  EXPECT_EQ(rate.takings[0].at, Instant{5});
  EXPECT_EQ(rate.takings[0].amount, 2);
  const policy::CarriedQuantity& budget = read->back();
  EXPECT_EQ(budget.terms.kind, policy::QuantityKind::kBudget);
  EXPECT_EQ(budget.terms.period, policy::BudgetPeriod::kMonthly);
  EXPECT_EQ(budget.terms.limit, INT64_MAX);
  EXPECT_EQ(budget.settled, 11);
  EXPECT_EQ(budget.period_begin, INT64_MIN);
  EXPECT_EQ(budget.open, 12);
  EXPECT_EQ(budget.until, Instant{13});
  EXPECT_TRUE(budget.takings.empty());
  EXPECT_TRUE(read_carried_quantities(bytes_of(policy::CarriedQuantities{})));
}

TEST(CarriedLimits, EndsAreReadAsTheyWereWritten) {
  const policy::CarriedEnds ends = {{.id = 1, .reserved = 5, .used = 5, .taken_at = Instant{-9}},
                                    {.id = 2, .reserved = 1}};
  const auto read = read_carried_ends(bytes_of(ends));
  ASSERT_TRUE(read.has_value());
  ASSERT_EQ(read->size(), 2u);
  EXPECT_EQ(read->front().id, 1u);
  EXPECT_EQ(read->front().reserved, 5);
  EXPECT_EQ(read->front().used, 5);
  EXPECT_EQ(read->front().taken_at, Instant{-9});
  EXPECT_EQ(read->back().used, 0);
}

TEST(CarriedLimits, WhatIsNotWholeIsNotRead) {
  const std::string all = bytes_of(some_quantities());
  for (std::size_t size = 0; size < all.size(); ++size) {
    EXPECT_FALSE(read_carried_quantities(std::string_view(all).substr(0, size))) << size;
  }
  EXPECT_FALSE(read_carried_quantities(all + "x"));
  const std::string ends = bytes_of(policy::CarriedEnds{{.id = 1, .reserved = 5, .used = 5}});
  for (std::size_t size = 0; size < ends.size(); ++size) {
    // The form alone says that nothing has ended.
    if (size == 8) continue;
    EXPECT_FALSE(read_carried_ends(std::string_view(ends).substr(0, size))) << size;
  }
  EXPECT_FALSE(read_carried_ends(ends + "x"));
  EXPECT_FALSE(read_carried_quantities(ends));
  EXPECT_FALSE(read_carried_ends(all));
}

TEST(CarriedLimits, WhatCannotBeIsNotRead) {
  policy::CarriedQuantities quantities = some_quantities();
  quantities.front().takings.front().amount = -1;
  EXPECT_FALSE(read_carried_quantities(bytes_of(quantities)));
  quantities = some_quantities();
  quantities.front().terms.window = Duration{0};
  EXPECT_FALSE(read_carried_quantities(bytes_of(quantities)));
  quantities = some_quantities();
  quantities.front().terms.kind = static_cast<policy::QuantityKind>(3);
  EXPECT_FALSE(read_carried_quantities(bytes_of(quantities)));
  const policy::CarriedEnds ends = {{.id = 1, .reserved = 5, .used = 6}};
  EXPECT_FALSE(read_carried_ends(bytes_of(ends)));
}

}  // namespace
}  // namespace leat::control
