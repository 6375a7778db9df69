// SPDX-License-Identifier: Apache-2.0
// Goal: retries never exceed the share of recent requests or the floor, and old requests stop
// counting. Method: bursts at chosen instants.
#include "policy/retry_budget.h"

#include <gtest/gtest.h>

namespace leat::policy {
namespace {

int retries_allowed(RetryBudget& budget, Instant now) {
  int count = 0;
  while (count < 10'000 && budget.try_retry(now)) ++count;
  return count;
}

TEST(RetryBudget, FloorAloneWithoutRequests) {
  RetryBudget budget(10, 1);
  EXPECT_EQ(retries_allowed(budget, Instant{}), 10);  // 1 a second over 10 s
}

TEST(RetryBudget, ShareOfRequestsOrTheFloorIfThatIsMore) {
  RetryBudget budget(10, 1);
  const Instant now = Instant{} + seconds(100);
  for (int i = 0; i < 1000; ++i) budget.count_request(now);
  EXPECT_EQ(retries_allowed(budget, now), 100);
  EXPECT_EQ(retries_allowed(budget, now + seconds(5)), 0);
  RetryBudget quiet(10, 1);
  for (int i = 0; i < 50; ++i) quiet.count_request(now);
  EXPECT_EQ(retries_allowed(quiet, now), 10);
}

// Providers that fail together: what went to the one is taken from the other.
TEST(RetryBudget, HalfOfItIsLeftUntilHalfOfItIsUsed) {
  RetryBudget budget(10, 1);
  const Instant now{1'000'000'000};
  for (int i = 0; i < 400; ++i) budget.count_request(now);
  for (int i = 0; i < 20; ++i) {
    EXPECT_TRUE(budget.has_half(now)) << i;
    EXPECT_TRUE(budget.try_retry(now));
  }
  EXPECT_FALSE(budget.has_half(now));
  EXPECT_TRUE(budget.has_room(now));
}

TEST(RetryBudget, ARetryElsewhereTakesFromIt) {
  RetryBudget budget(10, 1);
  const Instant now = Instant{} + seconds(100);
  for (int i = 0; i < 1000; ++i) budget.count_request(now);
  for (int i = 0; i < 70; ++i) budget.count_retry(now);
  EXPECT_EQ(retries_allowed(budget, now), 30);
  for (int i = 0; i < 50; ++i) budget.count_retry(now + seconds(10));
  EXPECT_EQ(retries_allowed(budget, now + seconds(10)), 0);
}

TEST(RetryBudget, ForgetsAfterTenSeconds) {
  RetryBudget budget(10, 0);
  const Instant now = Instant{} + seconds(100);
  for (int i = 0; i < 100; ++i) budget.count_request(now);
  EXPECT_EQ(retries_allowed(budget, now + seconds(9)), 10);
  EXPECT_EQ(retries_allowed(budget, now + seconds(10)), 0);
  for (int i = 0; i < 100; ++i) budget.count_request(now + seconds(10));
  // The ten retries of second 9 still count against the hundred requests of second 10.
  EXPECT_EQ(retries_allowed(budget, now + seconds(10)), 0);
  EXPECT_EQ(retries_allowed(budget, now + seconds(19)), 0) << "not before ten whole seconds";
  EXPECT_EQ(retries_allowed(budget, now + milliseconds(19'200)), 10);
}

TEST(RetryBudget, SurvivesALongSilence) {
  RetryBudget budget(10, 1);
  budget.count_request(Instant{});
  EXPECT_EQ(retries_allowed(budget, Instant{} + seconds(1'000'000)), 10);
}

}  // namespace
}  // namespace leat::policy
