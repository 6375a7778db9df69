// SPDX-License-Identifier: Apache-2.0
// Goal: what is held back costs one receive however many packets it came in, is told of once, at
// once, and is all there in its order whenever it is asked for, the end included.
// Method: as uring_receive_test.cc.
#include "uring_fixture.h"

namespace leat::io {
namespace {

// Says when something is held; asks for it when it is told to.
struct Holder final : SocketHandler {
  std::string received;
  int receives = 0;
  int notices = 0;
  int ends = 0;
  int end_error = -1;
  std::function<void()> on_notice;

  void on_receive(std::span<char> bytes) override {
    received.append(bytes.data(), bytes.size());
    ++receives;
  }
  void on_receive_end(int error) override {
    ++ends;
    end_error = error;
  }
  void on_receive_into(std::size_t, int) override { ADD_FAILURE(); }
  void on_connect(int) override { ADD_FAILURE(); }
  void on_send_short(std::size_t, int) override { ADD_FAILURE(); }
  void on_send_block(std::size_t, int) override { ADD_FAILURE(); }
  void on_held() override {
    ++notices;
    if (on_notice) on_notice();
  }
};

class UringHold : public UringTest {
 protected:
  // A connection that is held, its notice armed.
  Pair hold(Holder& holder) {
    Recorder before;
    Pair pair = this->pair(before);
    io->set_handler(pair.ours, holder);
    io->receive_hold(pair.ours);
    for (int i = 0; i < 4; ++i) turn();
    return pair;
  }
};

INSTANTIATE_TEST_SUITE_P(Shapes, UringHold, testing::ValuesIn(kShapes), shape_name);

TEST_P(UringHold, ManyPacketsAreOneReceive) {
  Holder holder;
  Pair held = hold(holder);
  held.theirs.write("first ");
  ASSERT_TRUE(run_until([&] { return holder.notices == 1; }));
  for (int i = 0; i < 5; ++i) {
    held.theirs.write("and more ");
    turn();
  }
  EXPECT_EQ(holder.received, "");
  EXPECT_EQ(holder.notices, 1);
  io->receive_hold(held.ours);
  ASSERT_TRUE(run_until([&] { return !holder.received.empty(); }));
  EXPECT_EQ(holder.received, "first and more and more and more and more and more ");
  EXPECT_EQ(holder.receives, 1);
  // The next ones are told of again.
  held.theirs.write("next");
  ASSERT_TRUE(run_until([&] { return holder.notices == 2; }));
  EXPECT_EQ(holder.receives, 1);
}

TEST_P(UringHold, WhatWasThereBeforeIsDeliveredAtOnce) {
  Recorder before;
  Pair pair = this->pair(before);
  io->receive_start(pair.ours);
  pair.theirs.write("seen");
  ASSERT_TRUE(run_until([&] { return before.received == "seen"; }));
  Holder holder;
  io->set_handler(pair.ours, holder);
  pair.theirs.write(" and there");
  io->receive_hold(pair.ours);
  ASSERT_TRUE(run_until([&] { return holder.received == " and there"; }));
  EXPECT_EQ(holder.notices, 0);
}

TEST_P(UringHold, AnEndIsToldOfAndThenReported) {
  Holder holder;
  Pair held = hold(holder);
  held.theirs.close();
  ASSERT_TRUE(run_until([&] { return holder.notices == 1; }));
  EXPECT_EQ(holder.ends, 0);
  io->receive_hold(held.ours);
  ASSERT_TRUE(run_until([&] { return holder.ends == 1; }));
  EXPECT_EQ(holder.end_error, 0);
}

TEST_P(UringHold, BytesBeforeAnEndComeFirst) {
  Holder holder;
  Pair held = hold(holder);
  held.theirs.write("last words");
  held.theirs.close();
  ASSERT_TRUE(run_until([&] { return holder.notices == 1; }));
  io->receive_hold(held.ours);
  ASSERT_TRUE(run_until([&] { return holder.ends == 1; }));
  EXPECT_EQ(holder.received, "last words");
}

TEST_P(UringHold, MoreThanABufferIsDeliveredWhole) {
  Holder holder;
  Pair held = hold(holder);
  const std::string bytes = pattern(150'000);
  std::size_t written = 0;
  ASSERT_TRUE(run_until([&] {
    const ssize_t count = ::send(held.theirs.get(), bytes.data() + written, bytes.size() - written,
                                 MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count > 0) written += static_cast<std::size_t>(count);
    if (written < bytes.size()) io->receive_hold(held.ours);  // makes room
    return written == bytes.size();
  }));
  io->receive_hold(held.ours);
  ASSERT_TRUE(run_until([&] { return holder.received.size() == bytes.size(); }));
  EXPECT_EQ(holder.received, bytes);
}

// Changes its mind all the time; nothing is lost, doubled or reordered.
TEST_P(UringHold, AnyOrderOfHoldingStartingAndStoppingLosesNothing) {
  Holder holder;
  Pair held = hold(holder);
  holder.on_notice = [&] { io->receive_hold(held.ours); };
  Rng rng(7);
  const std::string bytes = pattern(60'000);
  std::size_t written = 0;
  while (written < bytes.size()) {
    const std::size_t size = std::min<std::size_t>(rng.below(400) + 1, bytes.size() - written);
    held.theirs.write({bytes.data() + written, size});
    written += size;
    switch (rng.below(4)) {
      case 0:
        io->receive_hold(held.ours);
        break;
      case 1:
        io->receive_start(held.ours);
        break;
      case 2:
        io->receive_stop(held.ours);
        break;
      default:
        break;
    }
    turn();
    ASSERT_EQ(holder.received, bytes.substr(0, holder.received.size()));
  }
  held.theirs.close();
  io->receive_hold(held.ours);
  ASSERT_TRUE(run_until([&] { return holder.ends > 0; }));
  EXPECT_EQ(holder.received, bytes);
}

TEST_P(UringHold, ClosingWhileHeldFreesTheSocket) {
  Holder holder;
  Pair held = hold(holder);
  io->close(held.ours);
  std::string nothing;
  ASSERT_TRUE(run_until([&] { return held.theirs.read(nothing) == 0; }));
  ASSERT_TRUE(run_until([&] { return io->stats().sockets_open == 0; }));
  held.theirs.write("too late");
  for (int i = 0; i < 5; ++i) turn();
  EXPECT_EQ(holder.notices + holder.receives + holder.ends, 0);
}

// What the finding out of providers that wait for acknowledgements rests on (policy/ack_delay.h).
TEST_P(UringHold, TheKernelDelaysAcknowledgementsUntilOneHadToWaitForItsTimer) {
  Recorder recorder;
  const Pair pair = this->pair(recorder);
  EXPECT_FALSE(io->delays_acks(pair.ours));
  io->delay_acks(pair.ours);
  EXPECT_TRUE(io->delays_acks(pair.ours));
  pair.theirs.write("alone");
  EXPECT_TRUE(run_until([&] { return !io->delays_acks(pair.ours); }));
  io->close(pair.ours);
  io->delay_acks(pair.ours);
  EXPECT_FALSE(io->delays_acks(pair.ours));
}

}  // namespace
}  // namespace leat::io
