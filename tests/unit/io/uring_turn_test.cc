// SPDX-License-Identifier: Apache-2.0
// Goal: a turn returns when it should: at its deadline, with a completion, with a batch, or woken
// from another thread, and no wake is ever lost.
// Method: the real clock, with margins for a loaded machine; a second thread that wakes.
#include <atomic>
#include <thread>

#include "allocations.h"
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

TEST_P(UringTurn, AShortestWaitEndsAtTheDeadline) {
  turn();
  const Instant begin = read_monotonic_clock();
  io->turn({.deadline = begin + milliseconds(5), .wait_count = 64, .min_wait = seconds(10)});
  EXPECT_GE(read_monotonic_clock(), begin + milliseconds(5));
  EXPECT_LT(read_monotonic_clock(), begin + seconds(5));
}

TEST_P(UringTurn, TellsHowLongWhatItBringsHadWaited) {
  constexpr int kMuch = 16;
  Recorder handler;
  std::vector<Pair> pairs;
  for (int i = 0; i < kMuch; ++i) {
    pairs.push_back(pair(handler));
    io->receive_start(pairs.back().ours);
  }
  turn();
  EXPECT_EQ(io->waiting_time(), Duration{}) << "it brought little";
  // Turns that bring much, and a pause in which nobody turns.
  constexpr Duration kPause = milliseconds(30);
  Duration longest{};
  for (int i = 0; i < 4; ++i) {
    for (Pair& each : pairs) each.theirs.write("x");
    const Instant begin = read_monotonic_clock();
    while (i == 2 && read_monotonic_clock() < begin + kPause) {
    }
    io->turn({.deadline = read_monotonic_clock() + milliseconds(5), .wait_count = kMuch});
    longest = std::max(longest, io->waiting_time());
  }
  EXPECT_GE(longest, milliseconds(15));
  EXPECT_LE(longest, kPause + kSlack);
  for (int i = 0; i < 50 && io->waiting_time() > Duration{}; ++i) {
    io->turn({.deadline = read_monotonic_clock() + milliseconds(1)});
  }
  EXPECT_EQ(io->waiting_time(), Duration{}) << "nothing is brought any more";
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
  const std::uint64_t completions = io->stats().completions;
  for (int i = 0; i < 3; ++i) io->waker().wake();
  const Instant begin = read_monotonic_clock();
  io->turn({.deadline = begin + seconds(10)});
  EXPECT_LT(read_monotonic_clock(), begin + seconds(5));
  EXPECT_EQ(io->stats().completions, completions) << "nobody sleeps: the kernel need not know";
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

// Sends back what it got, once a turn, from memory of its own.
class Echo final : public SocketHandler {
 public:
  explicit Echo(Io& io) : io_(io) {}
  SocketId socket;
  std::size_t received = 0;

  void flush() {
    if (held_ == 0) return;
    segments_[0] = {memory_.data(), held_ / 2};
    segments_[1] = {memory_.data() + held_ / 2, held_ - held_ / 2};
    io_.send(socket, segments_);
    held_ = 0;
  }
  void on_receive(std::span<char> bytes) override {
    received += bytes.size();
    std::copy(bytes.begin(), bytes.end(), memory_.data() + held_);
    held_ += bytes.size();
  }
  void on_receive_end(int) override {}
  void on_receive_into(std::size_t, int) override {}
  void on_connect(int) override {}
  void on_send_short(std::size_t, int) override { ADD_FAILURE() << "the peer reads all"; }
  void on_send_block(std::size_t, int) override {}

 private:
  Io& io_;
  std::array<char, 4096> memory_{};
  std::size_t held_ = 0;
  std::array<iovec, 2> segments_{};
};

TEST_P(UringTurn, RelayingAllocatesNothing) {
  const auto left = std::make_unique<Echo>(*io);
  const auto right = std::make_unique<Echo>(*io);
  const Result<SocketId> made = io->connect(io->listener_address(listener), *left);
  ASSERT_TRUE(made);
  ASSERT_TRUE(run_until([&] { return !acceptor.sockets.empty(); }));
  left->socket = *made;
  right->socket = acceptor.sockets[0];
  io->set_handler(right->socket, *right);
  io->receive_start(left->socket);
  io->receive_start(right->socket);
  std::array<char, 200> ball{};
  left->on_receive(ball);
  const auto play = [&](std::size_t bytes) {
    const std::size_t end = left->received + bytes;
    while (left->received < end) {
      left->flush();
      right->flush();
      io->turn({});
    }
  };
  play(20'000);  // what grows, grows now
  const std::size_t before = allocations_made();
  play(200'000);
  EXPECT_EQ(allocations_made() - before, 0U);
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
