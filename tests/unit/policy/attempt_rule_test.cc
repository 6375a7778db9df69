// SPDX-License-Identifier: Apache-2.0
// Goal: no request is tried too often, no outage is met with a storm, and a hedge goes out only
// where it is allowed, once, within the same budget. Method: each rule; an outage of a minute.
#include "policy/attempt_rule.h"

#include <gtest/gtest.h>

#include "policy/first_token_limit.h"

namespace leat::policy {
namespace {

constexpr Instant kBegin{1'000'000'000'000};

TEST(AttemptRule, ThreeAttemptsByDefault) {
  RetryBudget budget(10, 1);
  EXPECT_EQ(allow_attempt({.attempts_made = 1}, {}, budget, kBegin), AttemptVerdict::kGo);
  EXPECT_EQ(allow_attempt({.attempts_made = 2}, {}, budget, kBegin), AttemptVerdict::kGo);
  EXPECT_EQ(allow_attempt({.attempts_made = 3}, {}, budget, kBegin),
            AttemptVerdict::kTooManyAttempts);
  EXPECT_EQ(allow_attempt({.attempts_made = 3}, {.attempts_max = 4}, budget, kBegin),
            AttemptVerdict::kGo);
}

TEST(AttemptRule, AnSdksRetryMovesOnButIsNotRepeated) {
  RetryBudget budget(10, 1);
  NextAttempt next{.is_sdk_retry = true, .is_same_endpoint = true};
  EXPECT_EQ(allow_attempt(next, {}, budget, kBegin), AttemptVerdict::kSdkRetry);
  next.is_same_endpoint = false;
  EXPECT_EQ(allow_attempt(next, {}, budget, kBegin), AttemptVerdict::kGo);
  EXPECT_EQ(allow_attempt({.is_same_endpoint = true}, {}, budget, kBegin), AttemptVerdict::kGo);
}

TEST(AttemptRule, WhatIsRefusedTakesNothingFromTheBudget) {
  RetryBudget budget(0, 1);
  for (int i = 0; i < 100; ++i) {
    allow_attempt({.attempts_made = 3}, {}, budget, kBegin);
    allow_attempt({.is_sdk_retry = true, .is_same_endpoint = true}, {}, budget, kBegin);
  }
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(allow_attempt({}, {}, budget, kBegin), AttemptVerdict::kGo);
  }
  EXPECT_EQ(allow_attempt({}, {}, budget, kBegin), AttemptVerdict::kNoBudget);
}

// All providers fail for a minute at 500 requests a second.
TEST(AttemptRule, AnOutageIsMetWithATenthMore) {
  RetryBudget budget(10, 1);
  int attempts = 0;
  for (int i = 0; i < 30'000; ++i) {
    const Instant now = kBegin + milliseconds(2 * i);
    budget.count_request(now);
    std::uint32_t made = 1;
    while (allow_attempt({.attempts_made = made}, {}, budget, now) == AttemptVerdict::kGo) ++made;
    attempts += static_cast<int>(made);
  }
  EXPECT_LE(attempts, 30'000 + 3'000);
  EXPECT_GE(attempts, 30'000 + 2'700);
}

HedgeFacts waiting() {
  return {.attempt_began = kBegin, .first_token_p95 = seconds(2), .has_other_endpoint = true};
}

TEST(Hedge, IsOffByDefault) {
  EXPECT_EQ(hedge_at(waiting(), {}), kNever);
  RetryBudget budget(10, 1);
  EXPECT_FALSE(allow_hedge(waiting(), {}, {}, budget, kBegin + seconds(100)));
}

TEST(Hedge, GoesOutAfterThe95thPercentile) {
  const HedgeSettings on{.is_on = true};
  RetryBudget budget(10, 1);
  EXPECT_EQ(hedge_at(waiting(), on), kBegin + seconds(2));
  EXPECT_FALSE(allow_hedge(waiting(), on, {}, budget, kBegin + milliseconds(1'999)));
  EXPECT_TRUE(allow_hedge(waiting(), on, {}, budget, kBegin + seconds(2)));
  HedgeFacts quick = waiting();
  quick.first_token_p95 = milliseconds(50);
  EXPECT_EQ(hedge_at(quick, on), kBegin + seconds(1));
}

TEST(Hedge, NotWhereItWouldHarmOrHelpNothing) {
  const HedgeSettings on{.is_on = true};
  const auto never = [&](auto change) {
    HedgeFacts facts = waiting();
    change(facts);
    EXPECT_EQ(hedge_at(facts, on), kNever);
  };
  never([](HedgeFacts& f) { f.has_first_token = true; });
  never([](HedgeFacts& f) { f.has_other_endpoint = false; });
  never([](HedgeFacts& f) { f.is_stateful = true; });
  never([](HedgeFacts& f) { f.is_hedged = true; });
  never([](HedgeFacts& f) { f.first_token_p95 = {0}; });
}

TEST(Hedge, StaysWithinTheBudgetAndTheAttempts) {
  const HedgeSettings on{.is_on = true};
  RetryBudget none(0, 0);
  EXPECT_FALSE(allow_hedge(waiting(), on, {}, none, kBegin + seconds(2)));
  RetryBudget budget(10, 1);
  HedgeFacts facts = waiting();
  facts.next.attempts_made = 3;
  EXPECT_FALSE(allow_hedge(facts, on, {}, budget, kBegin + seconds(2)));
}

TEST(FirstTokenLimit, IsFourTimesP99WithinItsBounds) {
  EXPECT_EQ(first_token_limit({0}, {}), seconds(120));
  EXPECT_EQ(first_token_limit(milliseconds(100), {}), seconds(10));
  EXPECT_EQ(first_token_limit(seconds(5), {}), seconds(20));
  EXPECT_EQ(first_token_limit(seconds(31), {}), seconds(120));
  EXPECT_EQ(first_token_limit(seconds(5), {.min = seconds(1), .max = seconds(1)}), seconds(1));
  EXPECT_EQ(first_token_limit({0}, {.min = seconds(1), .max = seconds(1)}), seconds(1));
}

TEST(FirstTokenLimit, AWaitIsSuspectBeforeTheLimit) {
  EXPECT_EQ(suspect_after({0}, seconds(120)), seconds(60));
  EXPECT_EQ(suspect_after(milliseconds(50), seconds(10)), milliseconds(500));
  EXPECT_EQ(suspect_after(seconds(1), seconds(10)), seconds(3));
  EXPECT_EQ(suspect_after(seconds(4), seconds(10)), seconds(5));
  EXPECT_EQ(suspect_after(milliseconds(100), milliseconds(600)), milliseconds(300));
}

}  // namespace
}  // namespace leat::policy
