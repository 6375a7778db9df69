// SPDX-License-Identifier: Apache-2.0
// Goal: settled and reserved never pass the limit, whatever is asked. Method: single steps, then
// random ones held against sums in 128 bits.
#include "policy/balance.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "base/rng.h"

namespace leat::policy {
namespace {

constexpr std::int64_t kHuge = std::numeric_limits<std::int64_t>::max();

TEST(Balance, ReservesToTheLastUnitAndNoFurther) {
  Balance balance(100, 40);
  EXPECT_EQ(balance.available(), 60);
  EXPECT_FALSE(balance.try_reserve(61));
  EXPECT_TRUE(balance.try_reserve(60));
  EXPECT_FALSE(balance.try_reserve(1));
  EXPECT_TRUE(balance.try_reserve(0));
  EXPECT_FALSE(balance.try_reserve(-1)) << "a negative amount would make room";
  EXPECT_EQ(balance.reserved(), 60);
}

TEST(Balance, SettlingReplacesTheReservation) {
  Balance balance(100);
  ASSERT_TRUE(balance.try_reserve(60));
  EXPECT_EQ(balance.settle(60, 25), 0);
  EXPECT_EQ(balance.settled(), 25);
  EXPECT_EQ(balance.available(), 75);
  ASSERT_TRUE(balance.try_reserve(10));
  balance.give_back(10);
  EXPECT_EQ(balance.settled(), 25);
  EXPECT_EQ(balance.available(), 75);
}

TEST(Balance, WhatIsMoreThanReservedIsTheShortfall) {
  Balance balance(100);
  ASSERT_TRUE(balance.try_reserve(60));
  EXPECT_EQ(balance.settle(60, 90), 30);
  EXPECT_EQ(balance.settled(), 60);
  ASSERT_TRUE(balance.try_reserve(40));
  EXPECT_EQ(balance.settle(40, -7), 0);
  EXPECT_EQ(balance.settled(), 60) << "a negative charge pays nobody";
}

TEST(Balance, ALoweredLimitTakesNothingBackAndGivesNothing) {
  Balance balance(100);
  ASSERT_TRUE(balance.try_reserve(80));
  balance.set_limit(50);
  EXPECT_EQ(balance.available(), 0);
  EXPECT_EQ(balance.settle(80, 80), 0);
  EXPECT_FALSE(balance.try_reserve(1));
  balance.set_limit(90);
  EXPECT_EQ(balance.available(), 10);
}

TEST(Balance, ANewPeriodForgetsWhatWasSettledOnly) {
  Balance balance(100);
  ASSERT_TRUE(balance.try_reserve(70));
  balance.settle(20, 20);
  balance.restart();
  EXPECT_EQ(balance.settled(), 0);
  EXPECT_EQ(balance.available(), 50) << "what runs over midnight is still reserved";
}

TEST(Balance, SumsDoNotWrap) {
  Balance balance(kHuge, kHuge);
  EXPECT_EQ(balance.available(), 0);
  balance.charge(kHuge);
  EXPECT_EQ(balance.settled(), kHuge);
  EXPECT_FALSE(balance.try_reserve(kHuge));
  balance.set_limit(-5);
  EXPECT_EQ(balance.available(), 0);
  Balance open(kHuge, -kHuge);
  EXPECT_EQ(open.available(), kHuge);
}

TEST(Balance, NeverPassesItsLimitUnderRandomUse) {
  Rng rng(5);
  for (int round = 0; round < 200; ++round) {
    const std::int64_t limit = rng.between(0, round % 2 == 0 ? 1'000 : kHuge);
    Balance balance(limit);
    std::vector<std::int64_t> open;
    for (int i = 0; i < 200; ++i) {
      const std::int64_t amount = rng.between(0, 1 + limit / 10);
      if (rng.chance(0.6)) {
        if (balance.try_reserve(amount)) open.push_back(amount);
      } else if (!open.empty()) {
        balance.settle(open.back(), rng.between(-10, 2 * (open.back() / 3)));
        open.pop_back();
      }
      ASSERT_LE(balance.settled(), limit - balance.reserved());
      ASSERT_GE(balance.settled(), 0);
    }
  }
}

}  // namespace
}  // namespace leat::policy
