// SPDX-License-Identifier: Apache-2.0
// Goal: nothing is held while the core has room, and what is held is as much as brings it back to
// where it has room, without swinging. Method: a core whose use falls with the level, as it does in
// life.
#include "shard/core_meter.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace leat::shard {
namespace {

constexpr Duration kStep = milliseconds(50);

// Runs a core whose use is `full` with nothing held and `held` at level 1.
class Core {
 public:
  explicit Core(double full, double held) : full_(full), held_(held) {}

  void run(Duration time, Duration lag = {}) {
    const Instant end = now_ + time;
    while (now_ < end) {
      now_ = now_ + kStep;
      const double use = full_ + (held_ - full_) * meter.level();
      used_ = used_ + nanoseconds(static_cast<std::int64_t>(use * kStep.ns));
      ASSERT_TRUE(meter.is_due(now_));
      meter.sample(now_, used_, lag);
      lowest = std::min(lowest, meter.level());
      highest = std::max(highest, meter.level());
    }
  }
  void set(double full, double held) {
    full_ = full;
    held_ = held;
  }
  void watch() {
    lowest = 1;
    highest = 0;
  }

  CoreMeter meter{Instant{1'000'000'000}};
  double lowest = 1;
  double highest = 0;

 private:
  double full_;
  double held_;
  Instant now_{1'000'000'000};
  Duration used_{};
};

TEST(CoreMeter, NothingIsHeldBelowTheThreshold) {
  Core core(0.58, 0.2);
  core.run(seconds(60));
  EXPECT_EQ(core.highest, 0);
  EXPECT_NEAR(core.meter.share(), 0.58, 0.01);
}

TEST(CoreMeter, AFullCoreHoldsAllThatItMayWithinSeconds) {
  Core core(1, 0.9);
  core.run(seconds(1));
  EXPECT_GT(core.meter.level(), 0.3);
  core.run(seconds(2));
  EXPECT_EQ(core.meter.level(), 1);
}

TEST(CoreMeter, SettlesWhereTheCoreHasRoomAndStaysThere) {
  Core core(0.9, 0.3);
  core.run(seconds(20));
  EXPECT_GT(core.meter.share(), 0.45);
  EXPECT_LT(core.meter.share(), 0.65);
  core.watch();
  core.run(seconds(20));
  EXPECT_LT(core.highest - core.lowest, 0.05) << "it swings";
}

TEST(CoreMeter, LetsGoWhenTheLoadHasGone) {
  Core core(0.9, 0.3);
  core.run(seconds(10));
  ASSERT_GT(core.meter.level(), 0.3);
  core.set(0.1, 0.05);
  core.run(seconds(3));
  EXPECT_EQ(core.meter.level(), 0);
}

TEST(CoreMeter, ALoopThatIsLateUsesAll) {
  Core core(0.3, 0.3);  // others have the rest of the core
  core.run(seconds(3), milliseconds(5));
  EXPECT_EQ(core.meter.level(), 1);
}

TEST(CoreMeter, ALongSleepIsNoUse) {
  CoreMeter meter(Instant{0});
  meter.sample(Instant{0} + milliseconds(50), milliseconds(50), {});
  meter.sample(Instant{0} + seconds(100), milliseconds(60), {});
  EXPECT_LT(meter.share(), 0.01);
  EXPECT_EQ(meter.level(), 0);
}

TEST(CoreMeter, LetsGoWhateverTheThreshold) {
  for (const double threshold : {0.1, 0.15, 0.99}) {
    Core core(1, 1);
    core.meter.set_threshold(threshold);
    core.run(seconds(10));
    ASSERT_EQ(core.meter.level(), 1) << threshold;
    core.set(0.01, 0.01);
    core.run(seconds(10));
    EXPECT_EQ(core.meter.level(), 0) << threshold;
  }
}

TEST(CoreMeter, TheThresholdMoves) {
  Core core(0.5, 0.4);
  core.meter.set_threshold(0.3);
  core.run(seconds(10));
  EXPECT_GT(core.meter.level(), 0.9);
}

}  // namespace
}  // namespace leat::shard
