// SPDX-License-Identifier: Apache-2.0
// Goal: close() hangs up: the peer knows within milliseconds whatever is armed, a dead name does
// nothing, nobody is called any more, and descriptors and slots come back.
// Method: real sockets on loopback; the time is taken at the peer.
#include <dirent.h>

#include <thread>

#include "uring_fixture.h"

namespace leat::io {
namespace {

// Generous for a loaded machine, and far below what a forgotten hang-up takes: for ever.
constexpr Duration kSoon = milliseconds(50);

std::size_t descriptors_open() {
  std::size_t count = 0;
  DIR* directory = opendir("/proc/self/fd");
  while (readdir(directory) != nullptr) ++count;
  closedir(directory);
  return count;
}

class UringClose : public UringTest {
 protected:
  // Closes, and sees how long the peer takes to know of it.
  void expect_hang_up(const Pair& pair) {
    const Instant begin = read_monotonic_clock();
    io->close(pair.ours);
    EXPECT_TRUE(pair.theirs.wait_readable(seconds(2))) << "the peer was never told";
    EXPECT_LT((read_monotonic_clock() - begin).us(), kSoon.us());
    std::string none;
    EXPECT_LE(pair.theirs.read(none), 0);
  }
};

INSTANTIATE_TEST_SUITE_P(Shapes, UringClose, testing::ValuesIn(kShapes), shape_name);

TEST_P(UringClose, HangsUpOnAnIdleSocket) {
  Recorder handler;
  expect_hang_up(pair(handler));
}

TEST_P(UringClose, HangsUpWithAReceiveArmed) {
  Recorder handler;
  Pair pair = this->pair(handler);
  io->receive_start(pair.ours);
  turn();
  turn();
  expect_hang_up(pair);
  for (int i = 0; i < 5; ++i) turn();
  EXPECT_TRUE(handler.order.empty());
  EXPECT_GT(io->stats().late_completions, 0U);
  EXPECT_EQ(io->stats().sockets_open, 0U);
}

TEST_P(UringClose, HangsUpWithAReceiveIntoArmed) {
  Recorder handler;
  Pair pair = this->pair(handler);
  BlockRef block = Block::allocate(4096);
  io->receive_into(pair.ours, block, 0, 4096);
  block.reset();  // Io keeps it
  turn();
  expect_hang_up(pair);
  for (int i = 0; i < 5; ++i) turn();
  EXPECT_TRUE(handler.order.empty());
}

TEST_P(UringClose, HangsUpWithABlockOnItsWay) {
  Recorder handler;
  Pair pair = this->pair(handler);
  io->send_block(pair.ours, Block::allocate(16'000'000), 0, 16'000'000);
  turn();
  io->close(pair.ours);
  const std::string got = read_all(pair.theirs);
  EXPECT_LT(got.size(), 16'000'000U);
  EXPECT_TRUE(handler.order.empty());
}

TEST_P(UringClose, BytesOfTheTurnStillGoOut) {
  Recorder handler;
  Pair pair = this->pair(handler);
  io->receive_start(pair.ours);
  turn();
  std::string bytes = "goodbye";
  const iovec one{bytes.data(), bytes.size()};
  io->send(pair.ours, {&one, 1});
  io->close(pair.ours);
  // The turn sleeps long; the hang-up must not wait for its end.
  Instant told{};
  std::string got;
  std::thread peer([&] {
    while (pair.theirs.wait_readable(seconds(2)) && pair.theirs.read(got) > 0) {
    }
    told = read_monotonic_clock();
  });
  const Instant begin = read_monotonic_clock();
  while (read_monotonic_clock() < begin + milliseconds(300)) {
    io->turn({.deadline = begin + milliseconds(300)});
  }
  peer.join();
  EXPECT_EQ(got, "goodbye");
  EXPECT_LT((told - begin).us(), milliseconds(150).us());
  EXPECT_TRUE(handler.order.empty());
}

TEST_P(UringClose, ADeadNameDoesNothing) {
  Recorder handler;
  Pair pair = this->pair(handler);
  io->close(pair.ours);
  std::string bytes = "into the void";
  const iovec one{bytes.data(), bytes.size()};
  io->close(pair.ours);
  io->shutdown_send(pair.ours);
  io->set_handler(pair.ours, handler);
  io->receive_start(pair.ours);
  io->receive_stop(pair.ours);
  io->receive_into(pair.ours, Block::allocate(8), 0, 8);
  io->send(pair.ours, {&one, 1});
  io->send_block(pair.ours, Block::allocate(8), 0, 8);
  io->close(SocketId{});
  io->close(SocketId{.slot = 1'000'000, .generation = 1});
  for (int i = 0; i < 5; ++i) turn();
  EXPECT_EQ(read_all(pair.theirs), "");
  EXPECT_TRUE(handler.order.empty());
  EXPECT_EQ(io->stats().sends, 0U);
}

// Completions of a socket that is gone must not reach the next user of its slot (F26).
TEST_P(UringClose, ALateCompletionReachesNobody) {
  for (int round = 0; round < 50; ++round) {
    Recorder old_handler;
    Pair old_pair = pair(old_handler);
    io->receive_start(old_pair.ours);
    turn();
    old_pair.theirs.write("late");
    io->close(old_pair.ours);
    Recorder new_handler;
    Pair new_pair = pair(new_handler);
    EXPECT_NE(new_pair.ours, old_pair.ours);
    io->receive_start(new_pair.ours);
    io->receive_start(old_pair.ours);
    new_pair.theirs.write("new");
    ASSERT_TRUE(run_until([&] { return new_handler.received.size() >= 3; }));
    EXPECT_EQ(new_handler.received, "new");
    EXPECT_TRUE(old_handler.order.empty());
    io->close(new_pair.ours);
  }
  EXPECT_GT(io->stats().late_completions, 0U);
}

// What was staged names a descriptor by its number: had close() let the number go at once, the
// bytes of one client would reach another.
TEST_P(UringClose, WhatWasStagedNeverReachesTheNextSocket) {
  Recorder first;
  Recorder second;
  Pair old_pair = pair(first);
  BlockRef block = Block::allocate(6);
  std::string_view("secret").copy(block->data(), 6);
  io->send_block(old_pair.ours, std::move(block), 0, 6);
  io->close(old_pair.ours);
  const Result<SocketId> made = io->connect(io->listener_address(listener), second);
  ASSERT_TRUE(made);
  ASSERT_TRUE(run_until([&] { return !second.connects.empty() && acceptor.sockets.size() == 2; }));
  EXPECT_EQ(second.connects[0], 0);
  Recorder accepted;
  io->set_handler(acceptor.sockets[1], accepted);
  io->receive_start(acceptor.sockets[1]);
  io->shutdown_send(*made);
  ASSERT_TRUE(run_until([&] { return accepted.ends > 0; }));
  EXPECT_EQ(accepted.received, "");
}

TEST_P(UringClose, AConnectTakenBackDoesNotConnectTheNextSocket) {
  const Result<ListenerId> other = io->listen(Address::v4(127, 0, 0, 1, 0), {});
  ASSERT_TRUE(other);
  Acceptor other_acceptor;
  io->accept_start(*other, other_acceptor);
  Recorder first;
  Recorder second;
  io->close(*io->connect(io->listener_address(listener), first));
  ASSERT_TRUE(io->connect(io->listener_address(*other), second));
  ASSERT_TRUE(run_until([&] { return !second.connects.empty(); }));
  EXPECT_EQ(second.connects[0], 0);
  ASSERT_TRUE(run_until([&] { return other_acceptor.sockets.size() == 1; }));
  EXPECT_TRUE(first.order.empty());
}

TEST_P(UringClose, GivesDescriptorsAndSlotsBack) {
  Recorder warm;
  io->close(pair(warm).ours);
  for (int i = 0; i < 5; ++i) turn();
  const std::size_t before = descriptors_open();
  std::uint32_t slot_most = 0;
  for (int round = 0; round < 300; ++round) {
    Recorder handler;
    Pair pair = this->pair(handler);
    slot_most = std::max(slot_most, pair.ours.slot);
    io->receive_start(pair.ours);
    if (round % 2 == 0) turn();
    io->close(pair.ours);
    if (round % 3 == 0) pair.theirs.reset();
  }
  for (int i = 0; i < 5; ++i) turn();
  EXPECT_EQ(descriptors_open(), before);
  EXPECT_LT(slot_most, 20U) << "slots are not used again";
  EXPECT_EQ(io->stats().sockets_open, 0U);
}

TEST_P(UringClose, DestructionHangsUpOnEverybody) {
  const std::size_t before = descriptors_open();
  std::vector<Recorder> handlers(5);
  std::vector<Pair> pairs;
  for (Recorder& handler : handlers) pairs.push_back(pair(handler));
  io->receive_start(pairs[0].ours);
  io->receive_into(pairs[1].ours, Block::allocate(100), 0, 100);
  io->send_block(pairs[2].ours, Block::allocate(16'000'000), 0, 16'000'000);
  turn();
  {
    // Staged and never submitted: its bytes are gone before Io is.
    auto bytes = std::make_unique<std::string>("never sent");
    const iovec one{bytes->data(), bytes->size()};
    io->send(pairs[3].ours, {&one, 1});
  }
  io.reset();
  for (const Pair& pair : pairs) {
    EXPECT_TRUE(pair.theirs.wait_readable(seconds(2)));
    std::string got;
    while (pair.theirs.read(got) > 0) {
    }
    EXPECT_EQ(got.find("never sent"), std::string::npos);
  }
  for (const Recorder& handler : handlers) EXPECT_TRUE(handler.order.empty());
  pairs.clear();
  // The ring, its eventfd and the listener went as well.
  EXPECT_EQ(descriptors_open(), before - 3);
}

}  // namespace
}  // namespace leat::io
