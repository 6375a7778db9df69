// SPDX-License-Identifier: Apache-2.0
// Goal: a failing endpoint gets no traffic but one probe at a time, comes back gently, and is never
// out for ever. Method: each edge of the drawing at chosen instants; random histories.
#include "policy/breaker.h"

#include <gtest/gtest.h>

#include "base/rng.h"

namespace leat::policy {
namespace {

constexpr Instant kBegin{1'000'000'000'000};

Breaker opened(Instant at = kBegin) {
  Breaker breaker;
  breaker.record(at, 0, 5);
  EXPECT_EQ(breaker.state(at), BreakerState::kOpen);
  return breaker;
}

TEST(Breaker, OpensAtFiveFailuresWithinTenSeconds) {
  Breaker breaker;
  for (int i = 0; i < 4; ++i) breaker.record(kBegin + seconds(2 * i), 0, 1);
  EXPECT_EQ(breaker.state(kBegin + seconds(6)), BreakerState::kClosed);
  breaker.record(kBegin + seconds(9), 0, 1);
  EXPECT_EQ(breaker.state(kBegin + seconds(9)), BreakerState::kOpen);
}

TEST(Breaker, FailuresOlderThanTenSecondsDoNotCount) {
  Breaker breaker;
  breaker.record(kBegin, 0, 4);
  breaker.record(kBegin + seconds(10), 0, 1);
  EXPECT_EQ(breaker.state(kBegin + seconds(10)), BreakerState::kClosed);
}

TEST(Breaker, AFewFailuresAmongManySuccessesOpenNothing) {
  Breaker breaker;
  breaker.record(kBegin, 100, 99);
  EXPECT_EQ(breaker.state(kBegin), BreakerState::kClosed);
  breaker.record(kBegin, 0, 1);  // half of what counts
  EXPECT_EQ(breaker.state(kBegin), BreakerState::kOpen);
}

// What went well before it broke down does not hide that nothing does now.
TEST(Breaker, ABusyEndpointThatBreaksDownIsOutWithinASecond) {
  Breaker breaker;
  Instant now = kBegin;
  for (int i = 0; i < 40; ++i, now = now + milliseconds(250)) breaker.record(now, 100, 0);
  const Instant broken = now;
  while (breaker.state(now) == BreakerState::kClosed && now - broken < seconds(10)) {
    breaker.record(now, 0, 100);
    if (breaker.state(now) == BreakerState::kClosed) now = now + milliseconds(250);
  }
  EXPECT_EQ(breaker.state(now), BreakerState::kOpen);
  EXPECT_LE(now - broken, milliseconds(500));
}

// Each half second has its failures, none has as many as successes.
TEST(Breaker, AFewFailuresAllTheTimeOpenNothing) {
  Breaker breaker;
  for (int i = 0; i < 100; ++i) {
    breaker.record(kBegin + milliseconds(250 * i), 10, 6);
    ASSERT_EQ(breaker.state(kBegin + milliseconds(250 * i)), BreakerState::kClosed);
  }
}

TEST(Breaker, OneProbeAfterTheOpenTime) {
  Breaker breaker = opened();
  EXPECT_EQ(breaker.state(kBegin + milliseconds(999)), BreakerState::kOpen);
  EXPECT_EQ(breaker.open_until(), kBegin + seconds(1));
  const Instant due = kBegin + seconds(1);
  EXPECT_EQ(breaker.state(due), BreakerState::kProbe);
  breaker.begin_probe(due);
  EXPECT_EQ(breaker.state(due), BreakerState::kHalfOpen);
}

TEST(Breaker, WhatEndsWhileOpenSaysNothing) {
  Breaker breaker = opened();
  breaker.record(kBegin + milliseconds(500), 3, 0);
  EXPECT_EQ(breaker.state(kBegin + milliseconds(500)), BreakerState::kOpen);
  breaker.record(kBegin + milliseconds(900), 0, 9);
  EXPECT_EQ(breaker.state(kBegin + seconds(1)), BreakerState::kProbe);
}

TEST(Breaker, AProbeThatFailsDoublesTheOpenTimeUpToTwoSeconds) {
  Breaker breaker({.open_first = milliseconds(600)});
  breaker.record(kBegin, 0, 5);
  Instant now = kBegin;
  for (const int ms : {600, 1'200, 2'000, 2'000}) {
    EXPECT_EQ(breaker.open_until(), now + milliseconds(ms));
    now = breaker.open_until();
    breaker.begin_probe(now);
    breaker.record(now, 0, 1);
    EXPECT_EQ(breaker.state(now), BreakerState::kOpen);
  }
}

TEST(Breaker, AProbeThatWorksClosesWithASlowStart) {
  Breaker breaker = opened();
  const Instant now = kBegin + seconds(1);
  breaker.begin_probe(now);
  breaker.record(now, 1, 0);
  EXPECT_EQ(breaker.state(now), BreakerState::kClosed);
  EXPECT_EQ(breaker.weight_permille(now), 100);
  EXPECT_EQ(breaker.weight_permille(now + seconds(5)), 550);
  EXPECT_EQ(breaker.weight_permille(now + milliseconds(9'999)), 999);
  EXPECT_EQ(breaker.weight_permille(now + seconds(10)), 1'000);
}

TEST(Breaker, TheOldFailuresAreForgottenAfterRecovery) {
  Breaker breaker = opened();
  const Instant now = kBegin + seconds(1);
  breaker.begin_probe(now);
  breaker.record(now, 1, 0);
  breaker.record(now, 0, 4);
  EXPECT_EQ(breaker.state(now), BreakerState::kClosed);
}

TEST(Breaker, ARelapseInTheSlowStartIsOutLongerALaterOneIsNot) {
  for (const bool late : {false, true}) {
    Breaker breaker = opened();
    Instant now = kBegin + seconds(1);
    breaker.begin_probe(now);
    breaker.record(now, 1, 0);
    now = now + (late ? seconds(10) : seconds(9));
    breaker.record(now, 0, 5);
    EXPECT_EQ(breaker.open_until(), now + (late ? seconds(1) : seconds(2)));
  }
}

TEST(Breaker, AProbeWithoutAWordIsFollowedByAnother) {
  Breaker breaker = opened();
  const Instant now = kBegin + seconds(1);
  breaker.begin_probe(now);
  EXPECT_EQ(breaker.state(now + milliseconds(9'999)), BreakerState::kHalfOpen);
  EXPECT_EQ(breaker.state(now + seconds(10)), BreakerState::kProbe);
}

TEST(Breaker, AHungEndpointOpensAtOnceAndIsNotOpenedAgainByTheSame) {
  Breaker breaker;
  breaker.trip(kBegin);
  EXPECT_EQ(breaker.state(kBegin), BreakerState::kOpen);
  breaker.trip(kBegin + milliseconds(900));
  EXPECT_EQ(breaker.state(kBegin + seconds(1)), BreakerState::kProbe);
}

// Whatever happened, an endpoint that is well again has all its traffic within the longest open
// time, the longest probe and a slow start.
TEST(Breaker, NoHistoryKeepsItOpenForEver) {
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    Rng rng(seed);
    Breaker breaker;
    Instant now = kBegin;
    for (int i = 0; i < 200; ++i) {
      now = now + milliseconds(rng.between(0, 3'000));
      const auto first_tokens = static_cast<std::uint32_t>(rng.below(4));
      const auto failures = static_cast<std::uint32_t>(rng.below(4));
      if (rng.chance(0.1)) breaker.trip(now);
      if (breaker.state(now) == BreakerState::kProbe && rng.chance(0.8)) breaker.begin_probe(now);
      breaker.record(now, first_tokens, failures);
      EXPECT_LE(breaker.open_until(), now + seconds(2));
    }
    const Instant well_from = now;
    while (now < well_from + seconds(12)) {
      now = now + milliseconds(250);
      if (breaker.state(now) == BreakerState::kProbe) breaker.begin_probe(now);
      breaker.record(now, 1, 0);
    }
    EXPECT_EQ(breaker.state(now), BreakerState::kClosed) << seed;
    EXPECT_EQ(breaker.weight_permille(now + seconds(10)), 1'000) << seed;
  }
}

}  // namespace
}  // namespace leat::policy
