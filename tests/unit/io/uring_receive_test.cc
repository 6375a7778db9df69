// SPDX-License-Identifier: Apache-2.0
// Goal: no byte of a peer is lost, doubled or reordered, whatever is stopped, started, switched or
// starved meanwhile, and every stream moves.
// Method: real sockets on loopback, over rings of production size and over rings so small that
// their queues overflow and their buffers run out all the time.
#include <linux/socket.h>

#include <algorithm>
#include <array>

#include "uring_fixture.h"

namespace leat::io {
namespace {

using UringReceive = UringTest;

INSTANTIATE_TEST_SUITE_P(Shapes, UringReceive, testing::ValuesIn(kShapes), shape_name);

TEST_P(UringReceive, DeliversBytesThenFin) {
  Recorder handler;
  Pair pair = this->pair(handler);
  io->receive_start(pair.ours);
  pair.theirs.write("hello");
  ASSERT_TRUE(run_until([&] { return handler.received == "hello"; }));
  pair.theirs.write(", world");
  pair.theirs.close();
  ASSERT_TRUE(run_until([&] { return handler.ends > 0; }));
  EXPECT_EQ(handler.received, "hello, world");
  EXPECT_EQ(handler.end_error, 0);
  EXPECT_EQ(handler.ends, 1);
}

// Compares what was foreseen with what came.
struct Foreseer final : SocketHandler {
  mutable std::vector<std::string> expected;
  std::string received;
  int right = 0;

  bool foresee(int depth, std::span<const char> bytes) const override {
    if (depth == 0) expected.emplace_back(bytes.data(), bytes.size());
    return depth < 3;
  }
  void on_receive(std::span<char> bytes) override {
    received.append(bytes.data(), bytes.size());
    if (expected.empty()) return;  // the only one of its turn
    EXPECT_EQ(expected.front(), std::string_view(bytes.data(), bytes.size()));
    expected.erase(expected.begin());
    ++right;
  }
  void on_receive_end(int) override {}
  void on_receive_into(std::size_t, int) override {}
  void on_connect(int) override {}
  void on_send_short(std::size_t, int) override {}
  void on_send_block(std::size_t, int) override {}
};

TEST_P(UringReceive, ForeseesTheBytesThatCome) {
  constexpr int kSockets = 12;
  std::array<Foreseer, kSockets> handlers;
  std::vector<Pair> pairs;
  for (Foreseer& each : handlers) {
    pairs.push_back(pair(each));
    io->receive_start(pairs.back().ours);
  }
  turn();
  std::string sent;
  for (int round = 0; round < 20; ++round) {
    const std::string text = "round " + std::to_string(round) + std::string(round, '.');
    sent += text;
    for (const Pair& each : pairs) each.theirs.write(text);
    ASSERT_TRUE(run_until([&] {
      return std::ranges::all_of(handlers, [&](const auto& h) { return h.received == sent; });
    }));
  }
  EXPECT_GT(handlers.front().right, 0) << "several come in a turn";
}

TEST_P(UringReceive, ReportsAReset) {
  Recorder handler;
  Pair pair = this->pair(handler);
  io->receive_start(pair.ours);
  turn();
  pair.theirs.reset();
  ASSERT_TRUE(run_until([&] { return handler.ends > 0; }));
  EXPECT_EQ(handler.end_error, ECONNRESET);
}

TEST_P(UringReceive, StopSilencesAtOnceAndLosesNothing) {
  Recorder handler;
  Pair pair = this->pair(handler);
  io->receive_start(pair.ours);
  pair.theirs.write("first");
  ASSERT_TRUE(run_until([&] { return handler.received == "first"; }));
  io->receive_stop(pair.ours);
  pair.theirs.write("second");  // before the kernel hears of the stop
  turn();
  pair.theirs.write("third");  // after
  for (int i = 0; i < 5; ++i) turn();
  EXPECT_EQ(handler.received, "first");
  io->receive_start(pair.ours);
  EXPECT_EQ(handler.received, "first") << "handlers are called inside turn() only";
  ASSERT_TRUE(run_until([&] { return handler.received == "firstsecondthird"; }));
}

// Small packets, which the kernel would make room for up to tcp_rmem's megabytes.
TEST_P(UringReceive, WhoIsNotReadStopsSoonAndLosesNothing) {
  Recorder handler;
  Pair pair = this->pair(handler);
  const int send_bytes = 4096;
  setsockopt(pair.theirs.get(), SOL_SOCKET, SO_SNDBUF, &send_bytes, sizeof send_bytes);
  const int ours = descriptor_to(local_address(pair.theirs.get()));
  const auto is_bounded = [&] {
    int value = 0;
    socklen_t length = sizeof value;
    EXPECT_EQ(getsockopt(ours, SOL_SOCKET, SO_BUF_LOCK, &value, &length), 0);
    return (value & SOCK_RCVBUF_LOCK) != 0;
  };
  io->receive_start(pair.ours);
  pair.theirs.write("x");
  ASSERT_TRUE(run_until([&] { return handler.received == "x"; }));
  EXPECT_FALSE(is_bounded());
  io->receive_stop(pair.ours);
  io->receive_start(pair.ours);
  turn();
  EXPECT_FALSE(is_bounded());
  io->receive_stop(pair.ours);
  turn();
  EXPECT_TRUE(is_bounded());

  constexpr std::size_t kMost = 1024 * 1024;
  const std::string bytes = pattern(kMost);
  std::size_t sent = 0;
  pollfd writable{.fd = pair.theirs.get(), .events = POLLOUT};
  while (sent + 256 <= kMost && ::poll(&writable, 1, 50) == 1) {
    const ssize_t count = ::send(pair.theirs.get(), bytes.data() + sent, 256, MSG_DONTWAIT);
    ASSERT_GT(count, 0);
    sent += static_cast<std::size_t>(count);
  }
  EXPECT_LT(sent, kMost / 2);
  EXPECT_EQ(handler.received, "x");

  io->receive_start(pair.ours);
  ASSERT_TRUE(run_until([&] { return handler.received.size() == 1 + sent; }));
  EXPECT_EQ(handler.received.substr(1), bytes.substr(0, sent));
  EXPECT_FALSE(is_bounded());
}

TEST_P(UringReceive, NoEndIsReportedWhileStopped) {
  Recorder handler;
  Pair pair = this->pair(handler);
  io->receive_start(pair.ours);
  turn();
  io->receive_stop(pair.ours);
  pair.theirs.write("last words");
  pair.theirs.close();
  for (int i = 0; i < 5; ++i) turn();
  EXPECT_EQ(handler.ends, 0);
  io->receive_start(pair.ours);
  ASSERT_TRUE(run_until([&] { return handler.ends == 1; }));
  EXPECT_EQ(handler.received, "last words");
  // Who asks again is told again.
  io->receive_start(pair.ours);
  ASSERT_TRUE(run_until([&] { return handler.ends == 2; }));
}

// Behind bytes that nobody reads, and whether it comes while the receive is being stopped or later.
TEST_P(UringReceive, AWatchedPeerIsSeenToGo) {
  for (const int turns_before : {0, 1, 5}) {
    for (const bool resets : {false, true}) {
      Recorder handler;
      Pair pair = this->pair(handler);
      io->receive_start(pair.ours);
      turn();
      io->receive_watch(pair.ours);
      for (int i = 0; i < turns_before; ++i) turn();
      pair.theirs.write("unread");
      for (int i = 0; i < turns_before; ++i) turn();
      EXPECT_EQ(handler.gone, 0) << "bytes are no end";
      resets ? pair.theirs.reset() : pair.theirs.close();
      ASSERT_TRUE(run_until([&] { return handler.gone == 1; })) << turns_before << resets;
      for (int i = 0; i < 3; ++i) turn();
      EXPECT_EQ(handler.gone, 1);
      EXPECT_EQ(handler.received, "");
      EXPECT_EQ(handler.ends, 0);
      io->receive_start(pair.ours);
      ASSERT_TRUE(run_until([&] { return handler.ends == 1; }));
      EXPECT_TRUE(resets || handler.received == "unread") << handler.received;
      io->receive_watch(pair.ours);
      ASSERT_TRUE(run_until([&] { return handler.gone == 2; })) << "who asks again is told again";
      io->close(pair.ours);
    }
  }
}

TEST_P(UringReceive, WhoReadsAgainOrOnlyStopsIsNotToldOfAWatchedPeer) {
  for (const bool reads_again : {false, true}) {
    Recorder handler;
    Pair pair = this->pair(handler);
    io->receive_start(pair.ours);
    turn();
    for (int i = 0; i < 3; ++i) {
      io->receive_watch(pair.ours);
      for (int j = 0; j < 3; ++j) turn();
      io->receive_start(pair.ours);
      turn();
    }
    if (!reads_again) io->receive_stop(pair.ours);
    pair.theirs.write("last words");
    pair.theirs.close();
    ASSERT_TRUE(run_until([&] { return !reads_again || handler.ends == 1; }));
    for (int i = 0; i < 5; ++i) turn();
    EXPECT_EQ(handler.gone, 0);
    EXPECT_EQ(handler.received, reads_again ? "last words" : "");
    io->close(pair.ours);
  }
}

// Stops, starts and takes blocks at random: between turns, from its own handler, and from handlers
// of others, when the kernel has more of its bytes in the completion queue already.
class Fickle final : public SocketHandler {
 public:
  Fickle(Io& io, SocketId socket) : io_(io), socket_(socket) {}
  std::string got;
  bool ended = false;
  std::size_t stops = 0;
  std::size_t intos = 0;

  void act() {
    if (ended) return;
    if (block_) {  // streaming goes on after the block
      if (rng_.chance(0.3)) start();
    } else if (rng_.chance(0.4)) {
      streaming_ = false;
      ++stops;
      io_.receive_stop(socket_);
    } else if (rng_.chance(0.5)) {
      start();
    } else {
      const std::size_t size = rng_.below(6'000) + 1;
      block_ = Block::allocate(size + kOffset);
      streaming_ = false;
      ++intos;
      io_.receive_into(socket_, block_, kOffset, size);
    }
  }
  void on_receive(std::span<char> bytes) override {
    EXPECT_TRUE(streaming_ && !block_) << "bytes that nobody wants";
    got.append(bytes.data(), bytes.size());
    if (rng_.chance(0.5)) act();
  }
  void on_receive_end(int error) override {
    EXPECT_TRUE(streaming_ && !block_);
    EXPECT_EQ(error, 0);
    ended = true;
  }
  void on_receive_into(std::size_t count, int error) override {
    EXPECT_TRUE(block_) << "an answer that nobody waits for";
    EXPECT_EQ(error, 0);
    EXPECT_LE(count + kOffset, block_->capacity());
    got.append(block_->data() + kOffset, count);
    block_.reset();
    ended = count == 0;
    if (rng_.chance(0.5)) act();
  }
  void on_connect(int) override {}
  void on_send_short(std::size_t, int) override {}
  void on_send_block(std::size_t, int) override {}

 private:
  void start() {
    streaming_ = true;
    io_.receive_start(socket_);
  }
  static constexpr std::size_t kOffset = 100;
  Io& io_;
  SocketId socket_;
  Rng rng_{7};
  bool streaming_ = false;
  BlockRef block_;
};

TEST_P(UringReceive, AFickleReceiverGetsEveryByteInOrder) {
  Recorder unused;
  Pair pair = this->pair(unused);
  Fickle fickle(*io, pair.ours);
  io->set_handler(pair.ours, fickle);
  std::array<Recorder, 4> others;
  std::vector<Pair> other_pairs;
  for (Recorder& other : others) {
    other.on_event = [&] { fickle.act(); };
    other_pairs.push_back(this->pair(other));
    io->receive_start(other_pairs.back().ours);
  }
  const std::string sent = pattern(1'000'000);
  std::size_t at = 0;
  Rng rng(11);
  ASSERT_TRUE(run_until([&] {
    for (int burst = 0; burst < 5; ++burst) {
      const std::size_t size = std::min<std::size_t>(rng.below(3'000), sent.size() - at);
      const ssize_t count = ::send(pair.theirs.get(), sent.data() + at, size, MSG_DONTWAIT);
      if (count > 0) at += static_cast<std::size_t>(count);
      other_pairs[rng.below(4)].theirs.write("!");
    }
    if (at == sent.size()) pair.theirs.close();
    if (rng.chance(0.5)) fickle.act();
    turn();
    return fickle.ended;
  }));
  EXPECT_EQ(fickle.got.size(), sent.size());
  EXPECT_TRUE(fickle.got == sent);
  EXPECT_GT(fickle.stops, 50U);
  EXPECT_GT(fickle.intos, 50U);
  EXPECT_GT(io->stats().copied_on_pause, 0U) << "the test did not bite";
}

TEST_P(UringReceive, IntoTakesWhatCameBeforeAndCountsTheCopy) {
  Recorder handler;
  Pair pair = this->pair(handler);
  io->receive_start(pair.ours);
  turn();
  pair.theirs.write("armed already");
  const BlockRef block = Block::allocate(64);
  io->receive_into(pair.ours, block, 1, 5);
  ASSERT_TRUE(run_until([&] { return !handler.into.empty(); }));
  EXPECT_EQ(handler.into[0], std::make_pair(std::size_t{5}, 0)) << "never more than asked for";
  EXPECT_EQ(std::string(block->data() + 1, 5), "armed");
  EXPECT_EQ(handler.received, "");
  io->receive_start(pair.ours);
  ASSERT_TRUE(run_until([&] { return handler.received == " already"; }));
}

TEST_P(UringReceive, IntoOfAFreshSocketCopiesNothing) {
  Recorder handler;
  Pair pair = this->pair(handler);
  const BlockRef block = Block::allocate(100);
  io->receive_into(pair.ours, block, 0, 100);
  turn();
  EXPECT_TRUE(handler.into.empty());
  pair.theirs.write("straight into its place");
  ASSERT_TRUE(run_until([&] { return !handler.into.empty(); }));
  EXPECT_EQ(std::string(block->data(), handler.into[0].first), "straight into its place");
  EXPECT_EQ(io->stats().copied_on_pause, 0U);
}

TEST_P(UringReceive, IntoReportsResetAndStaysAnswerable) {
  Recorder handler;
  Pair pair = this->pair(handler);
  const BlockRef block = Block::allocate(100);
  io->receive_into(pair.ours, block, 0, 100);
  turn();
  pair.theirs.reset();
  ASSERT_TRUE(run_until([&] { return handler.into.size() == 1; }));
  EXPECT_EQ(handler.into[0], std::make_pair(std::size_t{0}, ECONNRESET));
  io->receive_into(pair.ours, block, 0, 100);
  ASSERT_TRUE(run_until([&] { return handler.into.size() == 2; }));
  EXPECT_EQ(handler.into[1], std::make_pair(std::size_t{0}, ECONNRESET));
}

TEST_P(UringReceive, AHandlerMayCloseItselfInTheMiddle) {
  Recorder handler;
  Pair pair = this->pair(handler);
  io->receive_start(pair.ours);
  handler.on_event = [&] { io->close(pair.ours); };
  pair.theirs.write(pattern(10'000));
  ASSERT_TRUE(run_until([&] { return !handler.order.empty(); }));
  for (int i = 0; i < 5; ++i) turn();
  EXPECT_EQ(handler.order.size(), 1U) << "called after close()";
  EXPECT_EQ(io->stats().sockets_open, 0U);
}

// Two completions lie in the queue, and the handler of the first closes the second's socket: its
// bytes are nobody's, but they lie in a buffer that others share.
TEST_P(UringReceive, BytesOfAClosedSocketDoNotDisplaceThoseOfOthers) {
  for (int round = 0; round < 20; ++round) {
    std::array<Recorder, 2> rivals;
    std::vector<Pair> pairs;
    for (Recorder& rival : rivals) pairs.push_back(pair(rival));
    rivals[0].on_event = [&] { io->close(pairs[1].ours); };
    rivals[1].on_event = [&] { io->close(pairs[0].ours); };
    for (const Pair& pair : pairs) io->receive_start(pair.ours);
    turn();
    for (const Pair& pair : pairs) pair.theirs.write("for a rival");
    ASSERT_TRUE(run_until([&] { return !rivals[0].order.empty() || !rivals[1].order.empty(); }));
    EXPECT_EQ(rivals[0].order.size() + rivals[1].order.size(), 1U);
    Recorder third;
    Pair pair = this->pair(third);
    io->receive_start(pair.ours);
    pair.theirs.write("for the third");
    ASSERT_TRUE(run_until([&] { return third.received.size() >= 13; }));
    ASSERT_EQ(third.received, "for the third");
    for (const Pair& each : pairs) io->close(each.ours);
    io->close(pair.ours);
  }
  EXPECT_GT(io->stats().late_completions, 0U) << "the test did not bite";
}

TEST_P(UringReceive, WhatWasKeptDoesNotWaitForNews) {
  std::array<Recorder, 2> rivals;
  std::vector<Pair> pairs;
  for (Recorder& rival : rivals) pairs.push_back(pair(rival));
  rivals[0].on_event = [&] { io->receive_stop(pairs[1].ours); };
  rivals[1].on_event = [&] { io->receive_stop(pairs[0].ours); };
  for (const Pair& pair : pairs) io->receive_start(pair.ours);
  turn();
  for (const Pair& pair : pairs) pair.theirs.write("news");
  for (int i = 0; i < 5; ++i) turn();
  ASSERT_EQ(rivals[0].order.size() + rivals[1].order.size(), 1U) << "the test did not bite";
  const std::size_t late = rivals[0].order.empty() ? 0 : 1;
  io->receive_start(pairs[late].ours);
  const Instant begin = read_monotonic_clock();
  io->turn({.deadline = begin + seconds(10)});
  EXPECT_EQ(rivals[late].received, "news");
  EXPECT_LT(read_monotonic_clock(), begin + seconds(5));
}

// An empty buffer ring fails receives that have nothing to receive: they must all be armed again
// before anybody sleeps.
TEST_P(UringReceive, IdleStreamsBesideAFloodAreArmedAgain) {
  std::vector<Recorder> handlers(60);
  std::vector<Pair> pairs;
  for (Recorder& handler : handlers) pairs.push_back(pair(handler));
  pairs[0].theirs.write(pattern(100'000));
  for (const Pair& pair : pairs) io->receive_start(pair.ours);
  const Instant begin = read_monotonic_clock();
  while (handlers[0].received.size() < 100'000) io->turn({.deadline = begin + seconds(10)});
  for (std::size_t i = 1; i < pairs.size(); ++i) pairs[i].theirs.write("late");
  while (!std::all_of(handlers.begin() + 1, handlers.end(),
                      [](const Recorder& h) { return h.received == "late"; })) {
    io->turn({.deadline = begin + seconds(10)});
    ASSERT_LT(read_monotonic_clock(), begin + seconds(10)) << "slept on an unarmed receive";
  }
}

// More flooding streams than buffers: everybody gets on, nobody loses a byte (F25).
TEST_P(UringReceive, AHundredStreamsShareTheBuffers) {
  constexpr std::size_t kStreams = 100;
  constexpr std::size_t kBytes = 40'000;
  std::vector<Recorder> handlers(kStreams);
  std::vector<Pair> pairs;
  std::vector<std::string> sent;
  for (std::size_t i = 0; i < kStreams; ++i) {
    pairs.push_back(pair(handlers[i]));
    sent.push_back(pattern(kBytes, i + 1));
    pairs[i].theirs.write(sent[i]);
    io->receive_start(pairs[i].ours);
  }
  std::size_t turns_to_all = 0;
  ASSERT_TRUE(run_until([&] {
    ++turns_to_all;
    return std::all_of(handlers.begin(), handlers.end(),
                       [](const Recorder& h) { return !h.received.empty(); });
  }));
  // With 4 buffers, a stream in front of the queue may take all of them in a turn, no more.
  EXPECT_LE(turns_to_all, 10 * kStreams) << "somebody starved";
  ASSERT_TRUE(run_until([&] {
    return std::all_of(handlers.begin(), handlers.end(),
                       [](const Recorder& h) { return h.received.size() == kBytes; });
  }));
  for (std::size_t i = 0; i < kStreams; ++i) EXPECT_TRUE(handlers[i].received == sent[i]) << i;
  if (GetParam().options.buffer_count == 4) {
    EXPECT_GT(io->stats().no_buffers, 0U) << "the test did not bite";
    EXPECT_GT(io->stats().cq_overflows, 0U) << "the test did not bite";
  }
}

class UringFlood : public UringTest {};

// The other shapes have fewer buffers than the bound.
INSTANTIATE_TEST_SUITE_P(Shapes, UringFlood, testing::Values(kShapes[0]), shape_name);

// Whoever sends as fast as it can has its share of a turn, and what another has sent comes in the
// same one. A megabyte and a half is what the kernel makes of the bound of a reception; without
// one, all four of the buffers.
TEST_P(UringFlood, AFloodHasABoundedShareOfATurn) {
  if (!io->capabilities().uses(Feature::kReceiveCap)) {
    GTEST_SKIP() << io->capabilities()[Feature::kReceiveCap].why;
  }
  Recorder flood;
  Recorder other;
  Pair flooding = this->pair(flood);
  Pair modest = this->pair(other);
  io->receive_start(flooding.ours);
  io->receive_start(modest.ours);
  const int room = 8 * 1024 * 1024;
  const int ours = descriptor_to(local_address(flooding.theirs.get()));
  setsockopt(flooding.theirs.get(), SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room);
  setsockopt(ours, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
  const std::string bytes = pattern(256 * 1024);
  for (int i = 0; i < 20; ++i) {
    while (::send(flooding.theirs.get(), bytes.data(), bytes.size(), MSG_DONTWAIT) > 0) {
    }
    modest.theirs.write("x");
    turn();
    EXPECT_LE(flood.received.size(), 3U * 1024 * 1024);
    EXPECT_EQ(other.received.size(), i + 1U);
    flood.received.clear();
  }
}

}  // namespace
}  // namespace leat::io
