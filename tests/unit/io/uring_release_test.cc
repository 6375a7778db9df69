// SPDX-License-Identifier: Apache-2.0
// Goal: a connection that one Io lets go of and another adopts loses no byte and no end, has one
// owner at a time, and is kept where it is when anything came or is on its way out.
// Method: as uring_receive_test.cc, with a second Io beside the fixture's, in the same thread.
#include "uring_fixture.h"

namespace leat::io {
namespace {

class UringRelease : public UringTest {
 protected:
  void SetUp() override {
    UringTest::SetUp();
    if (IsSkipped()) return;
    auto made = UringIo::create(GetParam().options);
    ASSERT_TRUE(made) << made.error().what;
    other = std::move(*made);
  }
  // A connection that is read, its receive armed.
  Pair reading(Recorder& handler) {
    Pair pair = this->pair(handler);
    io->receive_start(pair.ours);
    for (int i = 0; i < 3; ++i) turn();
    return pair;
  }
  bool answered(const Recorder& handler) {
    return run_until([&] { return count(handler, 'l') > 0; });
  }
  static std::ptrdiff_t count(const Recorder& handler, char event) {
    return std::count(handler.order.begin(), handler.order.end(), event);
  }
  bool run_other_until(const std::function<bool()>& done) {
    const Instant end = read_monotonic_clock() + seconds(20);
    while (!done()) {
      const Instant now = read_monotonic_clock();
      if (now >= end) return false;
      other->turn({.deadline = now + milliseconds(1)});
    }
    return true;
  }

  std::unique_ptr<UringIo> other;
};

INSTANTIATE_TEST_SUITE_P(Shapes, UringRelease, testing::ValuesIn(kShapes), shape_name);

TEST_P(UringRelease, AnIdleConnectionGoesToAnotherIo) {
  Recorder before;
  Pair pair = reading(before);
  io->release(pair.ours);
  ASSERT_TRUE(answered(before));
  ASSERT_NE(before.loose, nullptr);
  EXPECT_EQ(io->stats().sockets_open, 0U);
  // The old name is dead.
  io->receive_start(pair.ours);
  io->close(pair.ours);
  pair.theirs.write("came between two owners ");
  turn();
  Recorder after;
  const SocketId adopted = other->adopt(std::move(before.loose), after);
  other->receive_start(adopted);
  pair.theirs.write("and after");
  ASSERT_TRUE(run_other_until([&] { return after.received.size() == 33; }));
  EXPECT_EQ(after.received, "came between two owners and after");
  std::string answer = "answer";
  const iovec segment{answer.data(), answer.size()};
  other->send(adopted, {&segment, 1});
  other->turn({.deadline = other->now()});
  std::string read;
  ASSERT_TRUE(pair.theirs.wait_readable(seconds(20)));
  pair.theirs.read(read);
  EXPECT_EQ(read, "answer");
  pair.theirs.close();
  ASSERT_TRUE(run_other_until([&] { return after.ends == 1; }));
  EXPECT_EQ(after.end_error, 0);
  EXPECT_EQ(before.received, "");
  EXPECT_EQ(before.ends, 0);
}

TEST_P(UringRelease, WhatCameFirstKeepsItWhereItIs) {
  // Whenever the bytes come around the release: they are where the connection is, whole.
  for (int turns = 0; turns < 4; ++turns) {
    Recorder before;
    Pair pair = reading(before);
    if (turns == 0) pair.theirs.write("bytes");
    io->release(pair.ours);
    for (int i = 1; i < turns; ++i) turn();
    if (turns > 0) pair.theirs.write("bytes");
    ASSERT_TRUE(answered(before));
    if (before.loose == nullptr) {
      ASSERT_TRUE(run_until([&] { return before.received.size() == 5; }));
      EXPECT_EQ(before.received, "bytes");
      continue;
    }
    EXPECT_EQ(before.received, "");
    Recorder after;
    const SocketId adopted = other->adopt(std::move(before.loose), after);
    other->receive_start(adopted);
    ASSERT_TRUE(run_other_until([&] { return after.received.size() == 5; }));
    EXPECT_EQ(after.received, "bytes");
    other->close(adopted);
    other->turn({.deadline = other->now()});
  }
}

TEST_P(UringRelease, AnEndThatWasSeenKeepsItWhereItIs) {
  Recorder before;
  Pair pair = reading(before);
  io->receive_stop(pair.ours);
  pair.theirs.close();
  io->receive_start(pair.ours);
  io->release(pair.ours);
  ASSERT_TRUE(answered(before));
  Recorder after;
  if (before.loose == nullptr) {
    ASSERT_TRUE(run_until([&] { return before.ends == 1; }));
    return;
  }
  const SocketId adopted = other->adopt(std::move(before.loose), after);
  other->receive_start(adopted);
  ASSERT_TRUE(run_other_until([&] { return after.ends == 1; }));
}

TEST_P(UringRelease, WhatIsOnItsWayOutKeepsIt) {
  Recorder before;
  Pair pair = reading(before);
  BlockRef block = Block::allocate(8 * 1024 * 1024);
  io->send_block(pair.ours, block, 0, 8 * 1024 * 1024);
  io->release(pair.ours);
  ASSERT_TRUE(answered(before));
  EXPECT_EQ(before.loose, nullptr);
  pair.theirs.write("still read");
  ASSERT_TRUE(run_until([&] { return before.received == "still read"; }));
}

TEST_P(UringRelease, AHeldConnectionWithItsNoticeArmedGoesToo) {
  Recorder before;
  Pair pair = this->pair(before);
  io->receive_hold(pair.ours);
  for (int i = 0; i < 4; ++i) turn();
  io->receive_start(pair.ours);
  turn();
  io->release(pair.ours);
  ASSERT_TRUE(answered(before));
  ASSERT_NE(before.loose, nullptr);
  pair.theirs.write("to the next owner");
  for (int i = 0; i < 3; ++i) turn();
  Recorder after;
  other->receive_start(other->adopt(std::move(before.loose), after));
  ASSERT_TRUE(run_other_until([&] { return after.received == "to the next owner"; }));
}

TEST_P(UringRelease, WhoeverHoldsALooseOneHangsUpByForgettingIt) {
  Recorder before;
  Pair pair = reading(before);
  io->release(pair.ours);
  ASSERT_TRUE(answered(before));
  ASSERT_NE(before.loose, nullptr);
  before.loose.reset();
  ASSERT_TRUE(pair.theirs.wait_readable(seconds(20)));
  std::string read;
  EXPECT_EQ(pair.theirs.read(read), 0);
}

TEST_P(UringRelease, CloseEndsARelease) {
  Recorder before;
  Pair pair = reading(before);
  io->release(pair.ours);
  io->close(pair.ours);
  EXPECT_EQ(read_all(pair.theirs), "");
  EXPECT_EQ(count(before, 'l'), 0);
  EXPECT_EQ(io->stats().sockets_open, 0U);
}

}  // namespace
}  // namespace leat::io
