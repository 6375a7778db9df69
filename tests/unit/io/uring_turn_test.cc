// SPDX-License-Identifier: Apache-2.0
// Goal: a turn returns when it should: at its deadline, with a completion, with a batch, or woken
// from another thread, and no wake is ever lost.
// Method: the real clock, with margins for a loaded machine; a second thread that wakes.
#include <atomic>
#include <thread>

#include "uring_fixture.h"

namespace leat::io {
namespace {

constexpr Duration kSlack = milliseconds(200);

using UringTurn = UringTest;

INSTANTIATE_TEST_SUITE_P(Shapes, UringTurn, testing::ValuesIn(kShapes), shape_name);

TEST_P(UringTurn, ReturnsAtItsDeadline) {
  turn();
  const Instant begin = read_monotonic_clock();
  io->turn({.deadline = begin + milliseconds(20)});
  EXPECT_GE(read_monotonic_clock(), begin + milliseconds(20));
  EXPECT_LT(read_monotonic_clock(), begin + milliseconds(20) + kSlack);
  EXPECT_GE(io->now(), begin + milliseconds(20)) << "the clock is read after the wait";
}

TEST_P(UringTurn, APastDeadlineDoesNotWait) {
  const Instant begin = read_monotonic_clock();
  for (int i = 0; i < 10; ++i) io->turn({.deadline = Instant{}});
  EXPECT_LT(read_monotonic_clock(), begin + kSlack);
}

TEST_P(UringTurn, TimeStandsStillBetweenTurns) {
  turn();
  const Instant now = io->now();
  const WallTime wall = io->wall_now();
  timespec system;
  clock_gettime(CLOCK_REALTIME, &system);
  EXPECT_NEAR(static_cast<double>(wall.unix_seconds()), static_cast<double>(system.tv_sec), 2);
  while (read_monotonic_clock() < now + milliseconds(2)) {
  }
  EXPECT_EQ(io->now(), now);
  EXPECT_EQ(io->wall_now().unix_ns, wall.unix_ns);
  turn();
  EXPECT_GT(io->now(), now);
  EXPECT_GT(io->wall_now().unix_ns, wall.unix_ns);
}

TEST_P(UringTurn, WithoutAShortestWaitTheFirstCompletionEndsIt) {
  Recorder handler;
  Pair pair = this->pair(handler);
  io->receive_start(pair.ours);
  pair.theirs.write("x");
  const Instant begin = read_monotonic_clock();
  io->turn({.deadline = begin + seconds(10), .wait_count = 64});
  EXPECT_LT(read_monotonic_clock(), begin + seconds(5));
  EXPECT_EQ(handler.received, "x");
}

TEST_P(UringTurn, AShortestWaitGathersABatch) {
  if (!io->capabilities().uses(Feature::kMinWait)) {
    GTEST_SKIP() << io->capabilities()[Feature::kMinWait].why;
  }
  Recorder handler;
  Pair pair = this->pair(handler);
  io->receive_start(pair.ours);
  turn();
  pair.theirs.write("x");
  const Instant begin = read_monotonic_clock();
  io->turn({.deadline = begin + seconds(10), .wait_count = 64, .min_wait = milliseconds(20)});
  EXPECT_GE(read_monotonic_clock(), begin + milliseconds(20));
  EXPECT_LT(read_monotonic_clock(), begin + seconds(5));
  EXPECT_EQ(handler.received, "x");
}

TEST_P(UringTurn, AWakeEndsTheSleep) {
  turn();
  std::atomic<bool> woke = false;
  std::thread other([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    woke = true;
    io->waker().wake();
  });
  while (!woke) io->turn({});
  other.join();
}

TEST_P(UringTurn, AWakeBeforeTheTurnIsNotLost) {
  turn();
  for (int i = 0; i < 3; ++i) io->waker().wake();
  const Instant begin = read_monotonic_clock();
  io->turn({.deadline = begin + seconds(10)});
  EXPECT_LT(read_monotonic_clock(), begin + seconds(5));
  // And several wakes are one.
  const Instant again = read_monotonic_clock();
  io->turn({.deadline = again + milliseconds(20)});
  EXPECT_GE(read_monotonic_clock(), again + milliseconds(20));
}

// The way a mailbox is used: a lost wake would sleep for ever.
TEST_P(UringTurn, NoWakeIsLostInARace) {
  constexpr int kMessages = 20'000;
  std::atomic<int> posted = 0;
  std::atomic<int> taken = 0;
  std::thread other([&] {
    for (int i = 1; i <= kMessages; ++i) {
      posted.store(i, std::memory_order_release);
      io->waker().wake();
      // Every few, wait until the reader has it: so the reader sleeps in all phases.
      while (i % 7 == 0 && taken.load(std::memory_order_acquire) < i) std::this_thread::yield();
    }
  });
  int seen = 0;
  while (seen < kMessages) {
    const Instant begin = read_monotonic_clock();
    io->turn({.deadline = begin + seconds(30)});
    ASSERT_LT(read_monotonic_clock(), begin + seconds(20)) << "a wake was lost";
    seen = posted.load(std::memory_order_acquire);
    taken.store(seen, std::memory_order_release);
  }
  other.join();
}

TEST_P(UringTurn, CountsWhatItDoes) {
  Recorder handler;
  const IoStats before = io->stats();
  Pair pair = this->pair(handler);
  io->receive_start(pair.ours);
  pair.theirs.write("ping");
  ASSERT_TRUE(run_until([&] { return !handler.received.empty(); }));
  std::string bytes = "pong";
  const iovec one{bytes.data(), bytes.size()};
  io->send(pair.ours, {&one, 1});
  turn();
  EXPECT_GT(io->stats().turns, before.turns);
  EXPECT_GE(io->stats().completions, before.completions + 2);
  EXPECT_EQ(io->stats().receives, before.receives + 1);
  EXPECT_EQ(io->stats().sends, before.sends + 1);
  EXPECT_EQ(io->stats().short_sends, 0U);
  EXPECT_EQ(io->stats().sockets_open, 1U);
}

}  // namespace
}  // namespace leat::io
