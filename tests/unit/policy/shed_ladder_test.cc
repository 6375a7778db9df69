// SPDX-License-Identifier: Apache-2.0
// Goal: a shard sheds step by step and only as far as it must, takes everything up again, and does
// not flicker; of those it may refuse, who has more than others is refused first. Method: lateness
// and memory over time, the steps that follow.
#include "policy/shed_ladder.h"

#include <gtest/gtest.h>

#include <vector>

namespace leat::policy {
namespace {

constexpr ShedThresholds kThresholds{.lag = {Duration{}, milliseconds(3), milliseconds(4),
                                             milliseconds(5), milliseconds(10), milliseconds(50)},
                                     .memory_percent = {0, 85, 92, 95, 95, 98}};

class ShedLadderTest : public testing::Test {
 protected:
  // Every millisecond for `time`; the steps that were taken, in order.
  std::vector<ShedStep> run(Duration time, Duration lag, std::uint32_t memory_percent) {
    std::vector<ShedStep> taken;
    for (const Instant end = now_ + time; now_ < end;) {
      now_ = now_ + milliseconds(1);
      const ShedStep before = ladder_.step();
      ladder_.update(kThresholds, now_, lag, memory_percent);
      if (ladder_.step() != before) taken.push_back(ladder_.step());
    }
    return taken;
  }
  Instant now_{1'000'000'000};
  ShedLadder ladder_;
};

TEST_F(ShedLadderTest, DoesNothingAtEase) {
  EXPECT_TRUE(run(seconds(1), microseconds(2'900), 84).empty());
  EXPECT_EQ(ladder_.step(), ShedStep::kNone);
}

TEST_F(ShedLadderTest, TakesEveryStepInOrderHoweverHighTheLoad) {
  const auto taken = run(milliseconds(20), seconds(3), 0);
  EXPECT_EQ(taken,
            (std::vector{ShedStep::kShrinkTimeouts, ShedStep::kNoKeepAlive, ShedStep::kRefuseGreedy,
                         ShedStep::kRefuseAll, ShedStep::kStopAccept}));
}

TEST_F(ShedLadderTest, GoesAsFarAsTheMeasureAsks) {
  run(milliseconds(20), milliseconds(5), 0);
  EXPECT_EQ(ladder_.step(), ShedStep::kRefuseGreedy);
  run(milliseconds(20), milliseconds(9), 0);
  EXPECT_EQ(ladder_.step(), ShedStep::kRefuseGreedy);
  run(milliseconds(20), milliseconds(10), 0);
  EXPECT_EQ(ladder_.step(), ShedStep::kRefuseAll);
}

TEST_F(ShedLadderTest, IsMovedOnceATurn) {
  for (int i = 0; i < 5; ++i) ladder_.update(kThresholds, now_, seconds(1), 0);
  EXPECT_EQ(ladder_.step(), ShedStep::kShrinkTimeouts);
}

TEST_F(ShedLadderTest, MemoryRefusesEverybodyAtOnce) {
  run(milliseconds(20), Duration{}, 95);
  EXPECT_EQ(ladder_.step(), ShedStep::kRefuseAll);
  EXPECT_EQ(ladder_.memory_step(), ShedStep::kRefuseAll);
  run(milliseconds(20), Duration{}, 98);
  EXPECT_EQ(ladder_.step(), ShedStep::kStopAccept);
}

TEST_F(ShedLadderTest, TellsWhatIsForMemoryAlone) {
  run(milliseconds(20), milliseconds(12), 86);
  EXPECT_EQ(ladder_.step(), ShedStep::kRefuseAll);
  EXPECT_EQ(ladder_.memory_step(), ShedStep::kShrinkTimeouts);
}

TEST_F(ShedLadderTest, StaysBetweenHalfOfAStepAndThatStep) {
  run(milliseconds(20), milliseconds(5), 0);
  ASSERT_EQ(ladder_.step(), ShedStep::kRefuseGreedy);
  EXPECT_TRUE(run(seconds(10), microseconds(2'600), 0).empty());
  run(milliseconds(20), Duration{}, 92);
  EXPECT_TRUE(run(seconds(10), Duration{}, 93).empty());
}

TEST_F(ShedLadderTest, GoesDownOneStepAfterEachQuietTime) {
  run(milliseconds(20), milliseconds(5), 0);
  EXPECT_TRUE(run(milliseconds(998), Duration{}, 0).empty());
  EXPECT_EQ(run(milliseconds(1'000), Duration{}, 0), std::vector{ShedStep::kNoKeepAlive});
  EXPECT_EQ(run(milliseconds(4'000), Duration{}, 0),
            (std::vector{ShedStep::kShrinkTimeouts, ShedStep::kNone}));
}

TEST_F(ShedLadderTest, BeginsTheQuietTimeAnewWhenItIsLoudAgain) {
  run(milliseconds(20), milliseconds(5), 0);
  for (int i = 0; i < 20; ++i) {
    run(milliseconds(900), Duration{}, 0);
    run(milliseconds(2), milliseconds(4), 0);
  }
  EXPECT_EQ(ladder_.step(), ShedStep::kRefuseGreedy);
}

TEST_F(ShedLadderTest, ALongSilenceTakesItAllTheWayDown) {
  run(milliseconds(20), seconds(1), 99);
  ASSERT_EQ(ladder_.step(), ShedStep::kStopAccept);
  now_ = now_ + seconds(10);
  ladder_.update(kThresholds, now_, Duration{}, 50);
  EXPECT_EQ(ladder_.step(), ShedStep::kNone);
}

TEST_F(ShedLadderTest, MemoryHoldsAStepThatLatenessHasLeft) {
  run(milliseconds(20), milliseconds(5), 88);
  run(seconds(3), Duration{}, 88);
  EXPECT_EQ(ladder_.step(), ShedStep::kShrinkTimeouts);
}

TEST(FairShare, IsHadByWhoHasAsManyAsTheOthers) {
  EXPECT_FALSE(has_fair_share(0, 0, 0));
  EXPECT_FALSE(has_fair_share(0, 500, 1));   // has nothing yet
  EXPECT_TRUE(has_fair_share(500, 500, 1));  // has everything
  EXPECT_TRUE(has_fair_share(490, 500, 2));
  EXPECT_FALSE(has_fair_share(10, 500, 2));
  EXPECT_TRUE(has_fair_share(5, 10, 2));  // equals: nobody is let through before the others
  EXPECT_TRUE(has_fair_share(1, 100, 100));
  EXPECT_FALSE(has_fair_share(1, 101, 100));
  EXPECT_TRUE(has_fair_share(5, 20, 2, 50));  // a half of it
  EXPECT_FALSE(has_fair_share(4, 20, 2, 50));
  EXPECT_TRUE(has_fair_share(1, 500, 2, 0));
  EXPECT_FALSE(has_fair_share(0, 500, 2, 0));
}

TEST(ShedStepNames, AreAllDifferent) {
  for (std::size_t i = 0; i < kShedSteps; ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      EXPECT_NE(name_of(static_cast<ShedStep>(i)), name_of(static_cast<ShedStep>(j)));
    }
  }
}

}  // namespace
}  // namespace leat::policy
