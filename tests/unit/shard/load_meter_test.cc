// SPDX-License-Identifier: Apache-2.0
// Goal: batches are waited for under load and never without; the wait itself does not change the
// answer. A loop that is behind its work is told so within some turns, and one that sleeps, is
// descheduled with nothing to do or catches up between hiccups, is not. Method: rates of
// completions through turns of various sizes; turns that end late, or not.
#include "shard/load_meter.h"

#include <gtest/gtest.h>

namespace leat::shard {
namespace {

constexpr Instant kBegin{1'000'000'000};

// `rate` completions a second for `time`, `batch` in each turn; the end of it.
Instant run(LoadMeter& meter, Instant now, int rate, Duration time, int batch) {
  const Instant end = now + time;
  const Duration step{1'000'000'000LL * batch / rate};
  while (now < end) {
    now = now + step;
    meter.count(now, static_cast<std::uint64_t>(batch));
  }
  return now;
}

TEST(LoadMeter, IsCalmAtFirstAndAtTwoThousandRequestsASecond) {
  LoadMeter meter(kBegin);
  EXPECT_FALSE(meter.is_busy());
  // Six completions each: the load at which added latency is measured.
  run(meter, kBegin, 12'000, seconds(1), 1);
  EXPECT_FALSE(meter.is_busy());
}

TEST(LoadMeter, SeesLoadWhateverTheBatches) {
  for (const int batch : {1, 4, 16, 64}) {
    LoadMeter meter(kBegin);
    run(meter, kBegin, 40'000, milliseconds(40), batch);
    EXPECT_TRUE(meter.is_busy()) << batch;
  }
}

TEST(LoadMeter, IsCalmSoonAfterTheLoad) {
  LoadMeter meter(kBegin);
  const Instant busy = run(meter, kBegin, 40'000, milliseconds(40), 16);
  ASSERT_TRUE(meter.is_busy());
  meter.count(busy + milliseconds(50), 1);
  EXPECT_FALSE(meter.is_busy());
}

TEST(LoadMeter, DoesNotFlickerBetweenItsRates) {
  LoadMeter meter(kBegin);
  const Instant calm = run(meter, kBegin, 28'000, milliseconds(100), 4);
  EXPECT_FALSE(meter.is_busy());
  const Instant busy = run(meter, calm, 40'000, milliseconds(100), 4);
  ASSERT_TRUE(meter.is_busy());
  run(meter, busy, 28'000, milliseconds(100), 4);
  EXPECT_TRUE(meter.is_busy());
}

// So many turns, `interval` apart, which may sleep until the probe that the meter asks for.
Instant turns(LoadMeter& meter, Instant now, int count, Duration interval, int completions) {
  for (int i = 0; i < count; ++i) {
    meter.begin_turn(meter.probe_by());
    now = now + interval;
    meter.count(now, static_cast<std::uint64_t>(completions));
  }
  return now;
}

TEST(LoadMeterLag, IsNothingForALoopThatSleepsOrTurnsQuickly) {
  LoadMeter meter(kBegin);
  Instant now = turns(meter, kBegin, 100, milliseconds(1), 50);
  EXPECT_EQ(meter.probe_by(), kNever);
  EXPECT_EQ(meter.lag(now), Duration{});
  // Sparse events, a sleep of its own before each: nobody asks to be woken for the sake of it.
  now = turns(meter, now, 100, milliseconds(40), 1);
  EXPECT_EQ(meter.probe_by(), kNever);
  EXPECT_EQ(meter.lag(now), Duration{});
}

TEST(LoadMeterLag, NearsWhatTurnsTakeBeyondTheProbe) {
  LoadMeter meter(kBegin);
  const Instant now = turns(meter, kBegin, 100, milliseconds(6), 300);
  EXPECT_GE(meter.lag(now), milliseconds(4));
  EXPECT_LE(meter.lag(now), milliseconds(5));
}

TEST(LoadMeterLag, IsSeenWithinATenthOfASecond) {
  LoadMeter meter(kBegin);
  const Instant now = turns(meter, kBegin, 10, milliseconds(11), 300);
  EXPECT_GE(meter.lag(now), milliseconds(10));
}

TEST(LoadMeterLag, IsTheLeastOfTheLastTurns) {
  LoadMeter meter(kBegin);
  Instant now = turns(meter, kBegin, 20, milliseconds(11), 300);
  now = turns(meter, now, 2, milliseconds(4), 300);
  EXPECT_EQ(meter.lag(now), milliseconds(3));
  now = turns(meter, now, 11, milliseconds(11), 300);
  EXPECT_EQ(meter.lag(now), milliseconds(10)) << "those are long past";
}

TEST(LoadMeterLag, AsksShortTurnsBetweenLongOnesToo) {
  LoadMeter meter(kBegin);
  Instant now = kBegin;
  for (int i = 0; i < 20; ++i) {
    now = turns(meter, now, 1, milliseconds(12), 300);
    now = turns(meter, now, 1, microseconds(1'900), 60);
  }
  EXPECT_EQ(meter.lag(now), microseconds(900)) << "one that was not asked would count as in time";
  now = turns(meter, now, 200, microseconds(1'900), 60);
  EXPECT_EQ(meter.probe_by(), kNever) << "long ago";
}

TEST(LoadMeterLag, IsNothingForABurstThatIsServedWithinASpan) {
  LoadMeter meter(kBegin);
  Instant now = turns(meter, kBegin, 50, microseconds(300), 20);
  for (int i = 0; i < 8; ++i) {
    now = turns(meter, now, 1, milliseconds(6), 300);
    EXPECT_EQ(meter.lag(now), Duration{});
  }
}

TEST(LoadMeterLag, CountsWhatTurnsLeaveBehindHoweverShortTheyAre) {
  LoadMeter meter(kBegin);
  Instant now = kBegin;
  for (int i = 0; i < 1'000; ++i) {
    meter.begin_turn(meter.probe_by());
    now = now + microseconds(300);
    meter.count(now, 64, milliseconds(i % 2 == 0 ? 7 : 5));
  }
  EXPECT_EQ(meter.lag(now), milliseconds(5));
  meter.begin_turn(meter.probe_by());
  EXPECT_EQ(meter.lag(now + microseconds(300), milliseconds(4)), milliseconds(4));
  EXPECT_EQ(meter.lag(now + microseconds(300), milliseconds(9)), milliseconds(5));
}

TEST(LoadMeterLag, IsNothingForALoopThatCatchesUpBetweenHiccups) {
  LoadMeter meter(kBegin);
  Instant now = kBegin;
  for (int i = 0; i < 50; ++i) {
    now = turns(meter, now, 2, milliseconds(12), 300);
    EXPECT_EQ(meter.lag(now), Duration{});
    now = turns(meter, now, 1, microseconds(400), 10);
    EXPECT_EQ(meter.lag(now), Duration{});
  }
}

TEST(LoadMeterLag, TellsOfThisTurnApartFromThoseBefore) {
  LoadMeter meter(kBegin);
  Instant now = turns(meter, kBegin, 100, milliseconds(11), 300);
  EXPECT_EQ(meter.lateness(now), milliseconds(10));
  // The backlog is gone: this turn is in time, whatever the last second was like.
  meter.begin_turn(meter.probe_by());
  now = now + milliseconds(1);
  EXPECT_EQ(meter.lateness(now), Duration{});
  EXPECT_EQ(meter.lag(now), Duration{}) << "nor does any lateness stand";
  meter.count(now, 20);
  EXPECT_EQ(meter.lateness(now), Duration{});
}

TEST(LoadMeterLag, SitsOutOneHiccup) {
  LoadMeter meter(kBegin);
  Instant now = turns(meter, kBegin, 50, microseconds(300), 20);
  meter.begin_turn(now + milliseconds(1));
  now = now + milliseconds(8);
  meter.count(now, 20);
  EXPECT_LT(meter.lag(now), milliseconds(2));
}

TEST(LoadMeterLag, OneVeryLongTurnIsNoMoreThanAHiccup) {
  LoadMeter meter(kBegin);
  Instant now = turns(meter, kBegin, 50, microseconds(300), 20);
  meter.begin_turn(now + milliseconds(1));
  now = now + milliseconds(60);
  EXPECT_EQ(meter.lag(now), Duration{});
  meter.count(now, 1'000);
  EXPECT_EQ(meter.lag(now), Duration{});
  now = turns(meter, now, 1, milliseconds(60), 1'000);
  EXPECT_EQ(meter.lag(now), Duration{}) << "two may be one burst, and what it left behind";
}

TEST(LoadMeterLag, IsForgottenSoonAfter) {
  LoadMeter meter(kBegin);
  const Instant late = turns(meter, kBegin, 100, milliseconds(11), 300);
  ASSERT_GE(meter.lag(late), milliseconds(9));
  meter.begin_turn(kNever);
  EXPECT_LT(meter.lag(late + milliseconds(300)), milliseconds(1));
}

TEST(LoadMeterLag, IsLittleWhereLittleWaited) {
  LoadMeter busy(kBegin);
  LoadMeter idle(kBegin);
  const Instant end = turns(busy, kBegin, 100, milliseconds(9), 8);
  turns(idle, kBegin, 100, milliseconds(9), 2);
  EXPECT_GE(busy.lag(end), milliseconds(7));
  EXPECT_LE(idle.lag(end), milliseconds(2));
}

TEST(LoadMeterLag, DoesNotCountWhatADeadlineInThePastAskedFor) {
  LoadMeter meter(kBegin);
  // A timer that was due long ago: the turn does not wait, and is as late as it took.
  meter.begin_turn(kBegin);
  meter.count(kBegin + milliseconds(1), 100);
  const Duration first = meter.lag(kBegin + milliseconds(1));
  meter.begin_turn(kBegin - seconds(5));
  const Instant now = kBegin + milliseconds(2);
  EXPECT_LE(meter.lag(now), first + microseconds(40));
}

}  // namespace
}  // namespace leat::shard
