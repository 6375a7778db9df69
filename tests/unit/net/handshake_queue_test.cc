// SPDX-License-Identifier: Apache-2.0
// Goal: of many handshakes that come at once each turn does one step, in the order in which they
// came but ours and clients' by turns; one that is given up is passed over, and a shard at rest
// waits for nothing. Method: a queue on a shard without sockets, whose turns the test makes.
#include "net/handshake_queue.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/rng.h"
#include "support/still_io.h"

namespace leat::net {
namespace {

class HandshakeQueueTest : public testing::Test {
 protected:
  struct Step final : WaitingHandshake {
    Step(std::vector<std::string>& into, std::string_view text)
        : WaitingHandshake(text), done(into) {}
    void on_handshake_turn() override { done.emplace_back(bytes().data(), bytes().size()); }
    std::vector<std::string>& done;
  };

  std::unique_ptr<Step> wait(std::string_view text, bool is_outgoing) {
    auto step = std::make_unique<Step>(done_, text);
    queue_.wait(*step, is_outgoing);
    return step;
  }

  io::StillIo io_;
  Rng rng_{1};
  shard::Shard shard_{io_, rng_, 0};
  HandshakeQueue queue_{shard_};
  std::vector<std::string> done_;
};

TEST_F(HandshakeQueueTest, EachTurnHasRoomForOne) {
  for (int turn = 0; turn < 3; ++turn) {
    EXPECT_TRUE(queue_.admit());
    EXPECT_FALSE(queue_.admit());
    shard_.run_turn();
  }
  EXPECT_EQ(queue_.waited(), 0u);
}

TEST_F(HandshakeQueueTest, WhatWaitsGoesBeforeWhatComes) {
  ASSERT_TRUE(queue_.admit());
  const auto a = wait("a", false);
  const auto b = wait("b", false);
  EXPECT_TRUE(done_.empty());
  shard_.run_turn();
  EXPECT_EQ(done_, std::vector<std::string>{"a"});
  EXPECT_FALSE(queue_.admit()) << "b waits";
  const auto c = wait("c", false);
  shard_.run_turn();
  shard_.run_turn();
  EXPECT_EQ(done_, (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(queue_.waited(), 3u);
  EXPECT_FALSE(queue_.admit()) << "c was this turn's";
  shard_.run_turn();
  EXPECT_TRUE(queue_.admit());
}

// Neither a crowd of clients nor a provider that hangs up after each answer keeps the others out.
TEST_F(HandshakeQueueTest, OursAndThoseOfClientsTakeTurns) {
  ASSERT_TRUE(queue_.admit());
  const auto a = wait("a", false);
  const auto b = wait("b", false);
  const auto c = wait("C", true);
  const auto d = wait("D", true);
  const auto e = wait("E", true);
  for (int turn = 0; turn < 5; ++turn) shard_.run_turn();
  EXPECT_EQ(done_, (std::vector<std::string>{"C", "a", "D", "b", "E"}));
}

TEST_F(HandshakeQueueTest, OneThatIsGivenUpTakesNoTurn) {
  ASSERT_TRUE(queue_.admit());
  auto a = wait("a", false);
  const auto b = wait("b", false);
  a.reset();
  shard_.run_turn();
  EXPECT_EQ(done_, std::vector<std::string>{"b"});
}

}  // namespace
}  // namespace leat::net
