// SPDX-License-Identifier: Apache-2.0
// Goal: no byte of a peer is lost, doubled or reordered, whatever is stopped, started, switched or
// starved meanwhile, and every stream moves.
// Method: real sockets on loopback, over rings of production size and over rings so small that
// their queues overflow and their buffers run out all the time.
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

TEST_P(UringReceive, StopAndStartAtRandomLoseNothing) {
  Recorder handler;
  Pair pair = this->pair(handler);
  const std::string sent = pattern(300'000);
  std::size_t at = 0;
  bool streaming = false;
  Rng rng(7);
  ASSERT_TRUE(run_until([&] {
    if (at < sent.size()) {
      const std::size_t size = std::min<std::size_t>(rng.below(4000) + 1, sent.size() - at);
      const ssize_t count = ::send(pair.theirs.get(), sent.data() + at, size, MSG_DONTWAIT);
      if (count > 0) at += static_cast<std::size_t>(count);
      if (at == sent.size()) pair.theirs.close();
    }
    const bool want = at == sent.size() || rng.chance(0.6);
    if (want != streaming) {
      if (want) io->receive_start(pair.ours);
      if (!want) io->receive_stop(pair.ours);
      streaming = want;
    }
    turn();
    return handler.ends > 0;
  }));
  EXPECT_EQ(handler.received, sent);
  EXPECT_EQ(handler.end_error, 0);
}

// A large upload: head and first bytes stream, the rest goes straight into blocks, switched at
// arbitrary points and back.
TEST_P(UringReceive, SwitchingToBlocksAndBackKeepsOrder) {
  Recorder handler;
  Pair pair = this->pair(handler);
  const std::string sent = pattern(400'000, 3);
  std::string got;
  std::size_t at = 0;
  BlockRef block;
  Rng rng(11);
  io->receive_start(pair.ours);
  bool in_block = false;
  std::size_t answered = 0;
  ASSERT_TRUE(run_until([&] {
    if (at < sent.size()) {
      const std::size_t size = std::min<std::size_t>(rng.below(9000) + 1, sent.size() - at);
      const ssize_t count = ::send(pair.theirs.get(), sent.data() + at, size, MSG_DONTWAIT);
      if (count > 0) at += static_cast<std::size_t>(count);
      if (at == sent.size()) pair.theirs.close();
    }
    turn();
    got.append(std::exchange(handler.received, {}));
    if (in_block && handler.into.size() > answered) {
      EXPECT_EQ(handler.into.size(), answered + 1) << "one answer for each receive_into()";
      answered = handler.into.size();
      in_block = false;
      got.append(block->data() + 100, handler.into.back().first);
      if (handler.into.back().first == 0) return true;
      if (rng.chance(0.5)) io->receive_start(pair.ours);
    }
    if (!in_block && (handler.ends > 0 || rng.chance(0.4))) {
      const std::size_t size = rng.below(20'000) + 1;
      block = Block::allocate(size + 100);
      io->receive_into(pair.ours, block, 100, size);
      in_block = true;
    }
    return false;
  }));
  EXPECT_EQ(handler.into.back(), std::make_pair(std::size_t{0}, 0)) << "FIN";
  EXPECT_EQ(got.size(), sent.size());
  EXPECT_TRUE(got == sent);
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

}  // namespace
}  // namespace leat::io
