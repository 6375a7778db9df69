// SPDX-License-Identifier: Apache-2.0
// Goal: after a power cut nobody spends again what may have been spent, and no more is withheld
// than that. Method: grants as the ledger of the process that is gone has them, and what is known
// to be settled.
#include "control/lost_leases.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace leat::control {
namespace {

constexpr std::int64_t kPeriod = 1'000;

void read_grant(LostLeases& lost, const ledger::Grant& grant,
                ledger::FrameKind kind = ledger::FrameKind::kGrant,
                std::size_t size = ledger::kGrantBytes) {
  std::array<char, ledger::kGrantBytes> bytes;
  ledger::encode(grant, bytes);
  lost.on_entry({}, {.kind = kind, .payload = std::span(bytes).first(size)});
}

TEST(LostLeases, WhatWasOutBeyondWhatIsSettledIsLost) {
  LostLeases lost;
  read_grant(lost, {.quantity = 1, .committed = 900, .period_begin = kPeriod});
  read_grant(lost, {.quantity = 2, .committed = 50, .period_begin = kPeriod});
  read_grant(lost, {.quantity = 1, .committed = 100, .period_begin = kPeriod});
  EXPECT_EQ(lost.of(1, kPeriod, 30), 70) << "only the last grant counts";
  EXPECT_EQ(lost.of(2, kPeriod, 50), 0);
  EXPECT_EQ(lost.of(2, kPeriod, 60), 0) << "more was settled than was granted then";
  EXPECT_EQ(lost.of(3, kPeriod, 0), 0) << "nothing was granted of it";
}

TEST(LostLeases, AnotherPeriodOwesNothing) {
  LostLeases lost;
  read_grant(lost, {.quantity = 1, .committed = 100, .period_begin = kPeriod});
  EXPECT_EQ(lost.of(1, kPeriod + 1, 0), 0);
  EXPECT_EQ(lost.text(), "");
  read_grant(lost, {.quantity = 2, .committed = 100, .period_begin = INT64_MIN});
  EXPECT_EQ(lost.of(2, INT64_MIN, 40), 60) << "a budget without a period";
}

TEST(LostLeases, IsKeptUntilItsPeriodEnds) {
  LostLeases first;
  read_grant(first, {.quantity = 7, .committed = 100, .period_begin = kPeriod});
  EXPECT_EQ(first.of(7, kPeriod, 30), 70);
  EXPECT_EQ(first.text(), "7 70 1000\n");

  LostLeases second;
  ASSERT_TRUE(second.read(first.text()));
  EXPECT_EQ(second.of(7, kPeriod, 90), 70) << "without a new power cut it stays what it was";
  EXPECT_EQ(second.text(), first.text());

  EXPECT_EQ(second.of(7, kPeriod + 1, 0), 0);
  EXPECT_EQ(second.text(), "") << "a later period begins anew";
}

// Who granted after the first had restored what was lost as settled.
TEST(LostLeases, ASecondPowerCutDoesNotCountTheFirstTwice) {
  LostLeases lost;
  ASSERT_TRUE(lost.read("7 70 1000\n"));
  read_grant(lost, {.quantity = 7, .committed = 130, .period_begin = kPeriod});
  EXPECT_EQ(lost.of(7, kPeriod, 30), 100);
  LostLeases less;
  ASSERT_TRUE(less.read("7 70 1000\n"));
  read_grant(less, {.quantity = 7, .committed = 90, .period_begin = kPeriod});
  EXPECT_EQ(less.of(7, kPeriod, 30), 70) << "what was lost before is lost still";
}

TEST(LostLeases, WhatItCannotReadSaysNothing) {
  LostLeases lost;
  const ledger::Grant grant{.quantity = 1, .committed = 100, .period_begin = kPeriod};
  read_grant(lost, grant, ledger::FrameKind::kUsage);
  read_grant(lost, grant, ledger::FrameKind::kGrant, ledger::kGrantBytes - 1);
  EXPECT_EQ(lost.of(1, kPeriod, 0), 0);
}

TEST(LostLeases, TextIsTakenWholeOrNotAtAll) {
  LostLeases lost;
  const std::string sound = "1 5 -9223372036854775808\n18446744073709551615 6 0\n";
  ASSERT_TRUE(lost.read(sound));
  EXPECT_EQ(lost.text(), sound);
  for (const char* damaged : {"2 5 1000", "2 0 1000\n", "2 -5 1000\n", "2 5\n", "2  5 1000\n",
                              "x\n", "2 5 1000\n3", "2 5 1000 \n", "\n"}) {
    EXPECT_FALSE(lost.read(damaged)) << damaged;
    EXPECT_EQ(lost.text(), sound) << damaged;
  }
  EXPECT_TRUE(lost.read(""));
  EXPECT_EQ(lost.text(), "");
}

}  // namespace
}  // namespace leat::control
