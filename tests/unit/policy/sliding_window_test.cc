// SPDX-License-Identifier: Apache-2.0
// Goal: never more than N in any window, as soon as possible, in bounded memory. Method: chosen
// instants; then random takings and givings back held against a list of all that was used.
#include "policy/sliding_window.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/rng.h"

namespace leat::policy {
namespace {

constexpr Instant kBegin{1'000'000'000'000};
constexpr Duration kMinute = seconds(60);

TEST(SlidingWindow, ExactlyNInAnyWindow) {
  SlidingWindow window(kMinute);
  EXPECT_TRUE(window.try_take(3, 1, kBegin));
  EXPECT_TRUE(window.try_take(3, 1, kBegin + seconds(50)));
  EXPECT_TRUE(window.try_take(3, 1, kBegin + seconds(59)));
  EXPECT_FALSE(window.try_take(3, 1, kBegin + kMinute - nanoseconds(1)));
  EXPECT_EQ(window.fits_at(3, 1, kBegin + seconds(59)), kBegin + kMinute);
  EXPECT_EQ(window.fits_at(3, 2, kBegin + seconds(59)), kBegin + seconds(110));
  EXPECT_EQ(window.fits_at(3, 4, kBegin), kNever);
  EXPECT_EQ(window.empty_at(kBegin + seconds(59)), kBegin + seconds(119));
  EXPECT_TRUE(window.try_take(3, 1, kBegin + kMinute));
  EXPECT_FALSE(window.try_take(3, 1, kBegin + kMinute)) << "no fixed window that starts anew";
}

TEST(SlidingWindow, WholeAmountsOrNothing) {
  SlidingWindow window(kMinute);
  EXPECT_FALSE(window.try_take(100, 101, kBegin));
  EXPECT_TRUE(window.try_take(100, 70, kBegin));
  EXPECT_FALSE(window.try_take(100, 31, kBegin));
  EXPECT_EQ(window.available(100, kBegin), 30);
  EXPECT_EQ(window.available(50, kBegin), 0) << "a limit that was lowered";
  EXPECT_TRUE(window.try_take(100, 30, kBegin));
  EXPECT_FALSE(window.try_take(0, 1, kBegin + seconds(100))) << "0 admits nothing";
}

TEST(SlidingWindow, GivesBackWhatStillCounts) {
  SlidingWindow window(kMinute);
  EXPECT_TRUE(window.try_take(10, 4, kBegin));
  EXPECT_TRUE(window.try_take(10, 6, kBegin + seconds(30)));
  window.give_back(5, kBegin + seconds(30), kBegin + seconds(31));
  EXPECT_EQ(window.available(10, kBegin + seconds(31)), 5);
  // What the first second's taking still had is free of itself by now; nothing comes of it twice.
  window.give_back(4, kBegin, kBegin + seconds(60));
  EXPECT_EQ(window.used(kBegin + seconds(60)), 0) << "the later taking stood in for it";
  window.give_back(100, kBegin, kBegin + seconds(61));
  EXPECT_EQ(window.available(10, kBegin + seconds(61)), 10);
  window.give_back(3, kBegin + seconds(61), kBegin + seconds(61));
  EXPECT_EQ(window.available(10, kBegin + seconds(61)), 10) << "never more than the limit";
}

TEST(SlidingWindow, MemoryIsBounded) {
  SlidingWindow window(kMinute);
  Instant now = kBegin;
  for (int i = 0; i < 100'000; ++i) {
    now = now + milliseconds(3);
    window.try_take(4'096, 1, now);
    ASSERT_LE(window.size(), SlidingWindow::kEntriesMax);
  }
}

// `used`: what was taken and never given back. At no instant do more than N of them lie in one
// window, and what is refused would have been one too many (exactly so where takings are few).
TEST(SlidingWindow, HoldsUnderRandomUse) {
  Rng rng(11);
  for (int round = 0; round < 200; ++round) {
    const std::int64_t limit = rng.between(1, round % 2 == 0 ? 20 : 3'000);
    SlidingWindow window(kMinute);
    std::vector<std::pair<Instant, std::int64_t>> used;
    const auto in_window = [&](Instant at) {
      std::int64_t sum = 0;
      for (const auto& [when, amount] : used) sum += when > at - kMinute ? amount : 0;
      return sum;
    };
    Instant now = kBegin;
    bool gave_back = false;
    for (int i = 0; i < 800; ++i) {
      now = now + milliseconds(rng.between(0, 400));
      const std::int64_t amount = rng.between(1, 1 + limit / 100);
      if (!used.empty() && rng.chance(0.1)) {
        auto& [when, last] =
            used[used.size() - 1 - rng.below(std::min<std::size_t>(5, used.size()))];
        window.give_back(last, when, now);
        last = 0;
        gave_back = true;
      }
      const std::int64_t before = in_window(now);
      const bool taken = window.try_take(limit, amount, now);
      if (taken) used.emplace_back(now, amount);
      ASSERT_LE(in_window(now), limit);
      if (limit <= 20 && !gave_back) {
        ASSERT_EQ(taken, before + amount <= limit);
      }
    }
  }
}

}  // namespace
}  // namespace leat::policy
