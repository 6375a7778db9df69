// SPDX-License-Identifier: Apache-2.0
// Goal: a stream that holds asks for what came within the time that it was given, never later, and
// stops to hold the moment that it is told to, is paused, or brings more than a stream of tokens.
// Method: a stream over an Io that notes what is asked of its one socket.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/rng.h"
#include "net/hold_due.h"
#include "net/tcp_stream.h"
#include "support/still_io.h"

namespace leat::net {
namespace {

class NotingIo final : public io::StillIo {
 public:
  std::string asked;  // s: start, h: hold, p: stop
  io::SocketHandler* handler = nullptr;
  std::vector<std::string> sent;  // of each send

  void send(io::SocketId, std::span<const iovec> segments) override {
    std::string& all = sent.emplace_back();
    for (const iovec& one : segments) all.append(static_cast<char*>(one.iov_base), one.iov_len);
  }
  void set_handler(io::SocketId, io::SocketHandler& to) override { handler = &to; }
  void receive_start(io::SocketId) override { asked += 's'; }
  void receive_hold(io::SocketId) override { asked += 'h'; }
  void receive_stop(io::SocketId) override { asked += 'p'; }
  void turn(const io::TurnOptions& options) override { turned = options; }
  io::TurnOptions turned;  // the last one
  std::string take() { return std::exchange(asked, {}); }
};

struct User final : StreamUser {
  void on_open() override {}
  void on_bytes(std::span<char> bytes) override { got += bytes.size(); }
  void on_block_bytes(std::size_t) override {}
  void on_end(const Error&) override {}
  void on_drained() override {}
  std::size_t got = 0;
};

class TcpHold : public testing::Test {
 protected:
  void run_for(Duration time) {
    const Instant end = io_.time + time;
    while (io_.time < end) {
      io_.time = io_.time + microseconds(100);
      shard_.run_turn();
    }
  }
  void receive(std::size_t size) {
    std::string bytes(size, 'x');
    io_.handler->on_receive(bytes);
  }

  NotingIo io_;
  Rng rng_{1};
  shard::Shard shard_{io_, rng_, 0};
  TcpStreams streams_{shard_};
  User user_;
  TcpStream& stream_ = streams_.adopt({0, 1}, nullptr, user_);
};

TEST_F(TcpHold, IsAskedForWithinTheTimeAndNotBefore) {
  io_.take();
  stream_.hold(milliseconds(25));
  EXPECT_EQ(io_.take(), "h");
  run_for(milliseconds(40));
  EXPECT_EQ(io_.take(), "") << "nothing came, and nothing is asked for";
  io_.handler->on_held();
  run_for(milliseconds(18));
  EXPECT_EQ(io_.take(), "");
  run_for(milliseconds(6));
  EXPECT_EQ(io_.take(), "h");
  EXPECT_GE(streams_.hold_stats().held_us, 18'000u);
  EXPECT_LE(streams_.hold_stats().held_us, 24'000u);
  // And the next time again.
  io_.handler->on_held();
  run_for(milliseconds(25));
  EXPECT_EQ(io_.take(), "h");
}

TEST_F(TcpHold, WhatIsHeldComesAtOnceWhenItIsToldNotToHold) {
  stream_.hold(milliseconds(25));
  io_.handler->on_held();
  run_for(milliseconds(5));
  io_.take();
  stream_.hold({});
  EXPECT_EQ(io_.take(), "s");
  run_for(milliseconds(50));
  EXPECT_EQ(io_.take(), "") << "its timer is stopped";
  stream_.hold({});
  EXPECT_EQ(io_.take(), "") << "it did not hold";
}

TEST_F(TcpHold, TheSameAgainAsksNothing) {
  stream_.hold(milliseconds(25));
  io_.take();
  receive(250);
  stream_.hold(milliseconds(20));
  stream_.hold(milliseconds(10));
  EXPECT_EQ(io_.take(), "");
  io_.handler->on_held();
  run_for(milliseconds(10));
  EXPECT_EQ(io_.take(), "h") << "the last time told counts";
}

TEST_F(TcpHold, LessThanAFewTicksIsNotHeld) {
  io_.take();
  stream_.hold(microseconds(3'900));
  EXPECT_EQ(io_.take(), "");
  stream_.hold(milliseconds(25));
  stream_.hold(microseconds(3'900));
  EXPECT_EQ(io_.take(), "hs");
}

TEST_F(TcpHold, ABulkIsNotHeldUntilItCalmsDown) {
  stream_.hold(milliseconds(25));
  io_.take();
  receive(40'000);
  stream_.hold(milliseconds(25));
  EXPECT_EQ(io_.take(), "s");
  receive(250);
  stream_.hold(milliseconds(25));
  EXPECT_EQ(io_.take(), "h");
}

TEST_F(TcpHold, PauseEndsIt) {
  stream_.hold(milliseconds(25));
  io_.handler->on_held();
  io_.take();
  stream_.pause();
  EXPECT_EQ(io_.take(), "p");
  run_for(milliseconds(50));
  EXPECT_EQ(io_.take(), "");
  stream_.resume();
  EXPECT_EQ(io_.take(), "s");
}

TEST_F(TcpHold, AnEndingStreamHoldsNothing) {
  stream_.hold(milliseconds(25));
  io_.handler->on_held();
  stream_.finish();
  io_.take();
  run_for(milliseconds(50));
  EXPECT_EQ(io_.take(), "s") << "it lingers";
}

using Sent = std::vector<std::string>;

TEST_F(TcpHold, WhatIsWrittenWaitsForMoreAndGoesOutTogether) {
  stream_.hold_sends(milliseconds(25));
  stream_.write("one ");
  run_for(milliseconds(10));
  stream_.write("two ");
  run_for(milliseconds(8));
  EXPECT_EQ(io_.sent, Sent());
  run_for(milliseconds(6));
  EXPECT_EQ(io_.sent, Sent({"one two "}));
  run_for(milliseconds(100));
  EXPECT_EQ(io_.sent.size(), 1u);
  // The next one waits as long again, from when it is written.
  stream_.write("three");
  run_for(milliseconds(18));
  EXPECT_EQ(io_.sent.size(), 1u);
  run_for(milliseconds(6));
  EXPECT_EQ(io_.sent, Sent({"one two ", "three"}));
  EXPECT_EQ(streams_.hold_stats().held.counts[4], 2u) << "more than 10 ms, at most 25";
}

// The kernel's work for sends in a row is less than for single ones.
TEST_F(TcpHold, StreamsThatWroteAtDifferentTimesLeaveInOneTurn) {
  std::vector<User> users(20);
  std::vector<TcpStream*> all;
  for (User& user : users) {
    all.push_back(&streams_.adopt({static_cast<std::uint32_t>(all.size() + 1), 1}, nullptr, user));
    all.back()->hold_sends(milliseconds(25));
  }
  for (TcpStream* stream : all) {
    stream->write("x");
    run_for(microseconds(500));
  }
  std::vector<std::size_t> turns;  // sends in each
  for (int i = 0; i < 300; ++i) {
    const std::size_t before = io_.sent.size();
    run_for(microseconds(100));
    if (io_.sent.size() > before) turns.push_back(io_.sent.size() - before);
  }
  EXPECT_EQ(io_.sent.size(), all.size());
  EXPECT_LE(turns.size(), 4u);
}

TEST_F(TcpHold, TurnsWaitForMoreWhileSomethingIsHeldAndNotAfter) {
  shard_.run_turn();
  EXPECT_EQ(io_.turned.min_wait, Duration{});
  stream_.hold(milliseconds(25));
  io_.handler->on_held();
  shard_.run_turn();
  EXPECT_EQ(io_.turned.min_wait, shard::Shard::kHeldBatchTime);
  EXPECT_GT(io_.turned.wait_count, 1u);
  run_for(milliseconds(30));
  EXPECT_EQ(io_.turned.min_wait, Duration{});
}

TEST_F(TcpHold, WhatWasAskedForIsThereSoThatItsTurnWaitsForNothing) {
  stream_.hold(milliseconds(25));
  io::SocketHandler* const first = io_.handler;
  User user;
  streams_.adopt({1, 1}, nullptr, user).hold(milliseconds(100));
  first->on_held();
  io_.handler->on_held();
  io_.take();
  while (io_.take().empty()) run_for(microseconds(100));
  shard_.run_turn();
  EXPECT_EQ(io_.turned.min_wait, Duration{});
  EXPECT_EQ(io_.turned.wait_count, 1u);
  shard_.run_turn();
  EXPECT_EQ(io_.turned.min_wait, shard::Shard::kHeldBatchTime) << "the other is held still";
}

TEST(HoldDue, IsInTimeAndNotMuchTooEarly) {
  for (Duration most = kHoldMin; most <= milliseconds(100); most = most + microseconds(300)) {
    for (int at = 0; at < 50'000; at += 177) {
      const Instant now{seconds(3).ns + microseconds(at).ns};
      const Duration wait = hold_due(now, most) - now;
      EXPECT_LE(wait, most - kHoldTick - shard::Shard::kHeldBatchTime);
      EXPECT_GT(wait.ns, most.ns * 3 / 4 - milliseconds(2).ns);
      EXPECT_GE(wait.ns, 0);
    }
  }
}

TEST(HoldDue, WhoWaitsLongMeetsWhoWaitsShortly) {
  int met = 0;
  for (int at = 0; at < 100; ++at) {
    const Instant now{seconds(3).ns + milliseconds(at).ns};
    const Instant due = hold_due(now, milliseconds(100));
    for (int before = 4; before <= 25; ++before) {
      met += hold_due(due - milliseconds(before), milliseconds(25)) == due ? 1 : 0;
    }
  }
  EXPECT_GE(met, 100);
}

TEST_F(TcpHold, WhatWaitsAlreadyDoesNotWaitLongerWhenOthersMay) {
  stream_.hold_sends(milliseconds(10));
  stream_.write("first");
  for (int ms = 10; ms < 25; ++ms) {
    run_for(milliseconds(1));
    stream_.hold_sends(milliseconds(ms));
  }
  EXPECT_EQ(io_.sent, Sent({"first"}));
  EXPECT_LE(streams_.hold_stats().held_us, 10'000u);
}

TEST_F(TcpHold, WhatWaitsAlreadyMayHaveToLeaveEarlier) {
  stream_.hold_sends(milliseconds(50));
  stream_.write("first");
  run_for(milliseconds(2));
  stream_.hold_sends(milliseconds(10));
  run_for(microseconds(8'200));
  EXPECT_EQ(io_.sent, Sent({"first"}));
}

TEST_F(TcpHold, WhatMayNotWaitTakesAlongWhatDoes) {
  stream_.hold_sends(milliseconds(25));
  stream_.write("waits ");
  run_for(milliseconds(5));
  stream_.write("does not");
  stream_.hold_sends({});
  shard_.run_turn();
  EXPECT_EQ(io_.sent, Sent({"waits does not"}));
  stream_.write("nor this");
  shard_.run_turn();
  EXPECT_EQ(io_.sent.size(), 2u);
}

TEST_F(TcpHold, TheEndOfHoldingAloneSendsWhatWaits) {
  stream_.hold_sends(milliseconds(25));
  stream_.write("waits");
  run_for(milliseconds(5));
  stream_.hold_sends({});
  shard_.run_turn();
  EXPECT_EQ(io_.sent, Sent({"waits"}));
}

TEST_F(TcpHold, ManyBytesDoNotWait) {
  stream_.hold_sends(milliseconds(25));
  stream_.write("small ");
  run_for(milliseconds(5));
  const std::string large(8'000, 'x');
  stream_.write(large);
  shard_.run_turn();
  EXPECT_EQ(io_.sent, Sent({"small " + large}));
}

TEST_F(TcpHold, BlocksDoNotWait) {
  stream_.hold_sends(milliseconds(25));
  stream_.write("before ");
  run_for(milliseconds(5));
  const BlockRef block = Block::allocate(10);
  std::copy_n("blockbytes", 10, block->data());
  stream_.write_block(*block.get(), 0, 10);
  shard_.run_turn();
  EXPECT_EQ(io_.sent, Sent({"before blockbytes"}));
}

TEST_F(TcpHold, FinishSendsWhatWaits) {
  stream_.hold_sends(milliseconds(25));
  stream_.write("last ");
  run_for(milliseconds(5));
  stream_.write("words");
  stream_.finish();
  run_for(milliseconds(1));
  EXPECT_EQ(io_.sent, Sent({"last words"}));
}

TEST_F(TcpHold, AbortDropsWhatWaits) {
  stream_.hold_sends(milliseconds(25));
  stream_.write("never seen");
  run_for(milliseconds(5));
  stream_.abort();
  run_for(milliseconds(50));
  EXPECT_EQ(io_.sent, Sent());
}

}  // namespace
}  // namespace leat::net
