// SPDX-License-Identifier: Apache-2.0
// Goal: a request gets a connection that may serve it - one that was used only if it did not ask
// for a fresh one and only after an exchange that ended in order - and nobody who waits is passed
// over for good. Method: a pool over a dialer whose dials open or fail when the test says so, and
// streams that the test feeds with replies.
#include "net/upstream_pool.h"

#include <gtest/gtest.h>

#include <deque>
#include <string>

#include "net/fake_dialer.h"
#include "net/loose_stream.h"
#include "support/still_io.h"

namespace leat::net {
namespace {

constexpr std::string_view kReply = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

class FakeStream final : public Stream {
 public:
  bool aborted = false;

  void receive(std::string_view bytes) {
    std::string copy(bytes);
    user_->on_bytes(copy);
  }
  void end() { user_->on_end({.code = Code::kClosed}); }

  char* prepare(std::size_t size) override {
    written_.resize(size);
    return written_.data();
  }
  void commit(std::size_t) override {}
  void write_block(Block&, std::size_t, std::size_t) override {}
  void pause() override {}
  void resume() override {}
  bool can_receive_into_block() const override { return false; }
  void receive_block(BlockRef, std::size_t, std::size_t) override {}
  std::size_t backlog_bytes() const override { return 0; }
  std::size_t unsent_bytes() const override { return unsent; }
  void finish() override { aborted = true; }
  void abort() override { aborted = true; }
  bool lend() override {
    ++lends;
    return can_lend;
  }
  void lent(bool is_free) { user_->on_lent(is_free ? std::make_unique<LooseStream>() : nullptr); }
  std::size_t unsent = 0;  // of what was written in this turn
  bool can_lend = true;
  int lends = 0;

 private:
  std::string written_;
};

// Asks for a connection and begins its exchange with it at once.
class Asker final : public PoolWaiter, public ReplyHandler {
 public:
  UpstreamConn* conn = nullptr;
  bool was_used = false;  // the connection, before
  int replies = 0;
  int failures = 0;
  Error last_failure;
  int refusals = 0;

  void ask(UpstreamPool& pool, bool fresh = false) {
    auto found = pool.acquire(*this, fresh);
    if (!found || *found != nullptr) on_upstream(std::move(found));
  }
  FakeStream& stream() { return static_cast<FakeStream&>(conn->stream()); }

  void on_upstream(Result<UpstreamCall*> found) override {
    if (!found) {
      ++refusals;
      return;
    }
    conn = static_cast<UpstreamConn*>(*found);
    conn->begin(*this);
    was_used = conn->is_reused();
  }
  void on_reply_head(const proto::ResponseHead&) override {}
  void on_reply_body(std::string_view) override {}
  void on_reply_pause() override {}
  void on_reply_end() override {
    ++replies;
    conn = nullptr;
  }
  void on_reply_failed(const Error& why) override {
    ++failures;
    last_failure = why;
    conn = nullptr;
  }
};

class UpstreamPoolTest : public testing::Test {
 protected:
  void TearDown() override {
    for (Asker* asker : {&first, &second, &third, &fourth}) {
      asker->unlink();
      if (asker->conn != nullptr) asker->conn->cancel();
    }
    shard.run_turn();
  }

  FakeStream& open(std::size_t dial) {
    streams.emplace_back();
    dialer.dials.at(dial)->open(streams.back());
    return streams.back();
  }
  // The one that `asker` waits for opens; it had a reply on it before, whole, and asks again.
  void open_known(UpstreamPool& of, Asker& asker, std::size_t dial) {
    open(dial).receive(kReply);
    asker.ask(of);
    ASSERT_NE(asker.conn, nullptr);
  }
  // Time passes.
  void pass(Duration time) {
    io.time = io.time + time;
    shard.run_turn();
  }

  io::StillIo io;
  Rng rng{1};
  shard::Shard shard{io, rng, 0};
  FakeDialer dialer;
  std::deque<FakeStream> streams;
  PoolLimits limits{.connections_max = 4, .idle_max = 2, .idle_time = seconds(30)};
  Asker first, second, third, fourth;
  UpstreamPool pool{shard, dialer, limits};
};

TEST_F(UpstreamPoolTest, AConnectionIsUsedAgain) {
  first.ask(pool);
  EXPECT_EQ(first.conn, nullptr);
  FakeStream& stream = open(0);
  EXPECT_FALSE(first.was_used);
  stream.receive(kReply);
  EXPECT_EQ(first.replies, 1);
  EXPECT_EQ(pool.idle_count(), 1u);
  second.ask(pool);
  ASSERT_NE(second.conn, nullptr);
  EXPECT_EQ(&second.stream(), &stream);
  EXPECT_TRUE(second.was_used);
  EXPECT_EQ(dialer.dials.size(), 1u);
}

TEST_F(UpstreamPoolTest, WhoAsksForAFreshOneGetsNoIdleOne) {
  first.ask(pool);
  open(0).receive(kReply);
  second.ask(pool, true);
  EXPECT_EQ(second.conn, nullptr);
  open(1);
  ASSERT_NE(second.conn, nullptr);
  EXPECT_FALSE(second.was_used);
  EXPECT_EQ(pool.idle_count(), 1u);
}

TEST_F(UpstreamPoolTest, WhoWaitsForAFreshOneGetsNoneThatComesFree) {
  first.ask(pool);
  FakeStream& stream = open(0);
  second.ask(pool, true);
  stream.receive(kReply);
  EXPECT_EQ(second.conn, nullptr);
  EXPECT_EQ(pool.idle_count(), 1u);
  open(1);
  ASSERT_NE(second.conn, nullptr);
  EXPECT_FALSE(second.was_used);
}

TEST_F(UpstreamPoolTest, AConnectionThatComesFreeGoesToTheFirstWhoMayHaveIt) {
  first.ask(pool);
  FakeStream& stream = open(0);
  second.ask(pool, true);
  third.ask(pool);
  fourth.ask(pool);
  stream.receive(kReply);
  EXPECT_EQ(second.conn, nullptr);
  EXPECT_EQ(fourth.conn, nullptr);
  ASSERT_NE(third.conn, nullptr);
  EXPECT_EQ(&third.stream(), &stream);
  // The new ones go to who waits longest.
  FakeStream& next = open(2);
  ASSERT_NE(second.conn, nullptr);
  EXPECT_EQ(&second.stream(), &next);
  open(1);
  EXPECT_NE(fourth.conn, nullptr);
  open(3);
  EXPECT_EQ(pool.idle_count(), 1u);
}

TEST_F(UpstreamPoolTest, TheWishForAFreshOneEndsWithItsRequest) {
  first.ask(pool);
  FakeStream& stream = open(0);
  second.ask(pool, true);
  open(1).receive(kReply);
  EXPECT_EQ(second.replies, 1);
  third.ask(pool);  // takes the idle one
  second.ask(pool);
  EXPECT_EQ(second.conn, nullptr);
  stream.receive(kReply);
  ASSERT_NE(second.conn, nullptr);
  EXPECT_EQ(&second.stream(), &stream);
}

TEST_F(UpstreamPoolTest, AFailedDialIsToldToWhoWaitsLongest) {
  first.ask(pool);
  second.ask(pool);
  dialer.dials[1]->fail_with(Code::kRefused);
  EXPECT_EQ(first.refusals, 1);
  EXPECT_EQ(second.refusals, 0);
  open(0);
  EXPECT_NE(second.conn, nullptr);
}

TEST_F(UpstreamPoolTest, WhatDidNotEndInOrderIsNotUsedAgain) {
  const std::string_view replies[] = {
      "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok",
      "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok and more",
      "HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
      "no reply at all\r\n\r\n",
  };
  for (const std::string_view reply : replies) {
    first.ask(pool);  // its own dial, or the one that is expected since the round before
    FakeStream& stream = open(dialer.dials.size() - 1);
    stream.receive(reply);
    EXPECT_EQ(first.conn, nullptr) << reply;
    EXPECT_TRUE(stream.aborted) << reply;
    EXPECT_EQ(pool.idle_count(), 0u) << reply;
    shard.run_turn();
  }
  EXPECT_EQ(pool.idle_count(), 0u);
}

// The reply to a request that has not left is somebody else's.
TEST_F(UpstreamPoolTest, WhatComesBeforeTheRequestHasLeftIsNoReply) {
  first.ask(pool);
  FakeStream& stream = open(0);
  second.ask(pool);
  stream.receive(kReply);  // ends the first's; the connection is the second's, who asks at once
  ASSERT_NE(second.conn, nullptr);
  stream.unsent = 100;
  stream.receive(kReply);
  EXPECT_EQ(second.replies, 0);
  EXPECT_EQ(second.failures, 1);
  EXPECT_EQ(second.last_failure.retry, Retry::kNotExecuted);
  EXPECT_TRUE(stream.aborted);
  EXPECT_EQ(pool.idle_count(), 0u);
  EXPECT_EQ(pool.stats().stray_bytes, 1u);
}

TEST_F(UpstreamPoolTest, AnIdleConnectionThatSpeaksOrEndsIsDropped) {
  first.ask(pool);
  second.ask(pool);
  FakeStream& speaks = open(0);
  FakeStream& ends = open(1);
  speaks.receive(kReply);
  ends.receive(kReply);
  ASSERT_EQ(pool.idle_count(), 2u);
  speaks.receive(kReply);
  ends.end();
  EXPECT_EQ(pool.idle_count(), 0u);
  EXPECT_TRUE(speaks.aborted && ends.aborted);
  EXPECT_EQ(pool.stats().stray_bytes, 1u);
}

TEST_F(UpstreamPoolTest, TheLastUsedGoesFirstAndTheSpareOneAgesOut) {
  first.ask(pool);
  second.ask(pool);
  FakeStream& older = open(0);
  FakeStream& newer = open(1);
  older.receive(kReply);
  pass(seconds(10));
  newer.receive(kReply);
  third.ask(pool);
  ASSERT_NE(third.conn, nullptr);
  EXPECT_EQ(&third.stream(), &newer);
  pass(seconds(19));
  EXPECT_FALSE(older.aborted);
  pass(seconds(2));
  EXPECT_TRUE(older.aborted);
  EXPECT_FALSE(newer.aborted);  // in use
}

TEST_F(UpstreamPoolTest, ThereAreNoMoreThanItsLimits) {
  Asker fifth;
  for (Asker* asker : {&first, &second, &third, &fourth, &fifth}) asker->ask(pool);
  EXPECT_EQ(fifth.refusals, 1);
  EXPECT_EQ(dialer.dials.size(), 4u);
  for (std::size_t i = 0; i < 4; ++i) open(i);
  for (FakeStream& stream : streams) stream.receive(kReply);
  EXPECT_EQ(pool.idle_count(), 2u);
  shard.run_turn();
  EXPECT_EQ(pool.open_count(), 2u);
  pool.drain();
  EXPECT_EQ(pool.idle_count(), 0u);
}

// ---- Expected load -----------------------------------------------------------------------------

TEST_F(UpstreamPoolTest, WhatEndedBeforeItsTimeIsOpenedAgain) {
  first.ask(pool);
  open_known(pool, first, 0);
  second.ask(pool);
  open(1);
  first.conn->cancel();  // its client has gone
  first.conn = nullptr;
  pass({});
  ASSERT_EQ(dialer.dials.size(), 3u);
  EXPECT_EQ(pool.stats().expected, 1u);
  FakeStream& stream = open(2);
  pass({});
  EXPECT_EQ(dialer.dials.size(), 3u) << "as many as were used at once";
  third.ask(pool);
  ASSERT_NE(third.conn, nullptr);
  EXPECT_EQ(&third.stream(), &stream);
  EXPECT_TRUE(third.was_used) << "the provider may have closed it meanwhile";
}

TEST_F(UpstreamPoolTest, OfWhoClosesEachNoneIsExpected) {
  first.ask(pool);
  open(0);
  first.conn->cancel();
  first.conn = nullptr;
  pass({});
  EXPECT_EQ(dialer.dials.size(), 1u) << "nothing is known of it yet";
  second.ask(pool);
  open(1).receive("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
  EXPECT_EQ(second.replies, 1);
  pass({});
  EXPECT_EQ(dialer.dials.size(), 2u);
}

TEST_F(UpstreamPoolTest, WhatIsNotUsedAnyMoreIsNotExpected) {
  first.ask(pool);
  open(0).receive(kReply);
  pass(limits.idle_time - milliseconds(1));
  EXPECT_EQ(pool.idle_count(), 1u);
  pass(milliseconds(2));
  pass(seconds(2));
  EXPECT_EQ(pool.open_count(), 0u) << "it has aged out, and stays so";
  EXPECT_EQ(dialer.dials.size(), 1u);
}

TEST_F(UpstreamPoolTest, AProviderThatEndsUnusedOnesIsTriedOnceASecond) {
  first.ask(pool);
  open_known(pool, first, 0);
  first.conn->cancel();
  first.conn = nullptr;
  for (std::size_t round = 1; round < 5; ++round) {
    pass({});
    ASSERT_EQ(dialer.dials.size(), round + 1);
    open(round).end();
    pass(milliseconds(900));
    ASSERT_EQ(dialer.dials.size(), round + 1);
    pass(milliseconds(101));
  }
}

TEST_F(UpstreamPoolTest, AProviderThatCannotBeReachedIsTriedByOneADial) {
  first.ask(pool);
  open_known(pool, first, 0);
  second.ask(pool);
  third.ask(pool);
  open(1);
  open(2);
  for (Asker* asker : {&first, &second, &third}) {
    asker->conn->cancel();
    asker->conn = nullptr;
  }
  pass({});
  ASSERT_EQ(dialer.dials.size(), 5u) << "no more than may lie idle";
  dialer.dials[3]->fail_with(Code::kRefused);
  dialer.dials[4]->fail_with(Code::kRefused);
  pass({});
  EXPECT_EQ(dialer.dials.size(), 5u);
  pass(seconds(1) + milliseconds(1));
  ASSERT_EQ(dialer.dials.size(), 6u);
  open(5);
  pass({});
  EXPECT_EQ(dialer.dials.size(), 7u) << "it is there again";
  open(6);
}

TEST_F(UpstreamPoolTest, WhoComesWhileOneIsExpectedTakesThatOne) {
  first.ask(pool);
  open_known(pool, first, 0);
  first.conn->cancel();
  first.conn = nullptr;
  pass({});
  ASSERT_EQ(dialer.dials.size(), 2u);
  second.ask(pool, true);
  EXPECT_EQ(dialer.dials.size(), 2u);
  third.ask(pool);
  ASSERT_EQ(dialer.dials.size(), 3u) << "that one is taken";
  dialer.dials[1]->fail_with(Code::kRefused);
  EXPECT_EQ(second.refusals, 1);
  EXPECT_EQ(third.refusals, 0);
  open(2);
  EXPECT_NE(third.conn, nullptr);
}

// Who waits has a dial under way still.
TEST_F(UpstreamPoolTest, ADialThatNobodyNeedsAnyMoreMayFail) {
  first.ask(pool);
  FakeStream& stream = open(0);
  second.ask(pool);
  stream.receive(kReply);
  ASSERT_NE(second.conn, nullptr) << "it came free first";
  third.ask(pool);
  ASSERT_EQ(dialer.dials.size(), 3u);
  dialer.dials[1]->fail_with(Code::kRefused);
  EXPECT_EQ(third.refusals, 0);
  dialer.dials[2]->fail_with(Code::kRefused);
  EXPECT_EQ(third.refusals, 1);
}

TEST_F(UpstreamPoolTest, NoneIsExpectedBesideADialThatIsUnderWay) {
  first.ask(pool);
  open_known(pool, first, 0);
  second.ask(pool);
  first.conn->cancel();
  first.conn = nullptr;
  pass({});
  ASSERT_EQ(dialer.dials.size(), 2u) << "there will be one";
  open(1);
  ASSERT_NE(second.conn, nullptr);
  third.ask(pool);
  second.conn->cancel();
  second.conn = nullptr;
  pass({});
  ASSERT_EQ(dialer.dials.size(), 3u);
  dialer.dials[2]->fail_with(Code::kRefused);
  EXPECT_EQ(third.refusals, 1);
}

TEST_F(UpstreamPoolTest, WhoAsksForANumberGetsThatNumber) {
  PoolLimits fixed = limits;
  fixed.warm = 1;
  UpstreamPool other(shard, dialer, fixed);
  first.ask(other);
  second.ask(other);
  open(0);
  open(1);
  for (Asker* asker : {&first, &second}) {
    asker->conn->cancel();
    asker->conn = nullptr;
  }
  pass({});
  EXPECT_EQ(dialer.dials.size(), 3u);
  EXPECT_EQ(other.stats().expected, 0u);
}

TEST_F(UpstreamPoolTest, AfterDrainNothingIsExpected) {
  first.ask(pool);
  open(0);
  pool.drain();
  first.conn->cancel();
  first.conn = nullptr;
  pass({});
  pass(seconds(2));
  EXPECT_EQ(dialer.dials.size(), 1u);
}

class PeersTest : public UpstreamPoolTest, private PoolPeers {
 protected:
  PeersTest() { pool.set_peers(this); }
  // One that was used, and lies idle since long.
  FakeStream& spare() {
    first.ask(pool);
    FakeStream& stream = open(dialer.dials.size() - 1);
    stream.receive(kReply);
    pass(seconds(2));
    misses = 0;
    return stream;
  }
  int misses = 0;
  std::vector<std::pair<std::uint32_t, std::unique_ptr<LooseStream>>> lent;

 private:
  void on_missed(UpstreamPool&) override { ++misses; }
  void on_lent(UpstreamPool&, std::uint32_t to, std::unique_ptr<LooseStream> stream) override {
    lent.emplace_back(to, std::move(stream));
  }
};

TEST_F(PeersTest, AMissIsToldUnlessAFreshOneIsWanted) {
  first.ask(pool, true);
  EXPECT_EQ(misses, 0);
  second.ask(pool);
  EXPECT_EQ(misses, 1);
  EXPECT_EQ(dialer.dials.size(), 2u) << "nobody waits for an answer";
}

TEST_F(PeersTest, NobodyIsAskedForConnectionsThatTheProviderCloses) {
  first.ask(pool);
  EXPECT_EQ(misses, 1) << "nothing is known of it yet";
  open(0).receive("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
  pass({});
  second.ask(pool);
  EXPECT_EQ(dialer.dials.size(), 2u);
  EXPECT_EQ(misses, 1);
  open(1).receive(kReply);
  third.ask(pool);
  EXPECT_EQ(misses, 1) << "there is an idle one";
}

TEST_F(PeersTest, WhatIsNotNeededIsLentAndNotOpenedAgain) {
  FakeStream& stream = spare();
  ASSERT_TRUE(pool.lend(3));
  EXPECT_EQ(pool.idle_count(), 0u);
  EXPECT_FALSE(pool.lend(3)) << "it has no other";
  stream.lent(true);
  ASSERT_EQ(lent.size(), 1u);
  EXPECT_EQ(lent[0].first, 3u);
  EXPECT_NE(lent[0].second, nullptr);
  pass(seconds(2));
  EXPECT_EQ(pool.open_count(), 0u);
  EXPECT_EQ(dialer.dials.size(), 1u);
}

TEST_F(PeersTest, WhatWasNeededLatelyStays) {
  first.ask(pool);
  FakeStream& stream = open(0);
  stream.receive(kReply);
  EXPECT_FALSE(pool.lend(1));
  pass(seconds(2));
  stream.can_lend = false;
  EXPECT_FALSE(pool.lend(1));
  EXPECT_EQ(pool.idle_count(), 1u);
  stream.can_lend = true;
  EXPECT_TRUE(pool.lend(1));
}

TEST_F(PeersTest, OneThatSomethingCameOnIsNeverUsedAgain) {
  FakeStream& stream = spare();
  ASSERT_TRUE(pool.lend(1));
  second.ask(pool);
  EXPECT_EQ(second.conn, nullptr) << "it is on its way";
  stream.lent(false);
  EXPECT_EQ(second.conn, nullptr);
  EXPECT_EQ(pool.idle_count(), 0u);
  stream.receive("stray");
  EXPECT_TRUE(stream.aborted);
  EXPECT_EQ(pool.stats().stray_bytes, 1u);
  EXPECT_TRUE(lent.empty());
}

TEST_F(PeersTest, NorIsOneThatOnlyTimeEnds) {
  FakeStream& stream = spare();
  ASSERT_TRUE(pool.lend(1));
  stream.lent(false);
  pass(seconds(1));
  pass(seconds(1));
  EXPECT_TRUE(stream.aborted);
  EXPECT_EQ(pool.open_count(), 0u);
}

TEST_F(PeersTest, ABorrowedOneServesWhoWaitsAndSparesTheDial) {
  first.ask(pool);
  dialer.dials[0]->is_connected = false;
  streams.emplace_back();
  pool.take_lent(streams.back());
  ASSERT_NE(first.conn, nullptr);
  EXPECT_TRUE(first.was_used);
  EXPECT_EQ(pool.open_count(), 1u) << "the dial was given up";
  streams.back().receive(kReply);
  EXPECT_EQ(first.replies, 1);
  EXPECT_EQ(pool.idle_count(), 1u);
  EXPECT_EQ(pool.stats().borrowed, 1u);
}

TEST_F(PeersTest, ADialThatHasAConnectionIsKept) {
  first.ask(pool);
  streams.emplace_back();
  pool.take_lent(streams.back());
  ASSERT_NE(first.conn, nullptr);
  open(0);
  EXPECT_EQ(pool.idle_count(), 1u);
}

TEST_F(PeersTest, WhoWantsAFreshOneGetsNoBorrowedOne) {
  first.ask(pool, true);
  dialer.dials[0]->is_connected = false;
  streams.emplace_back();
  pool.take_lent(streams.back());
  EXPECT_EQ(first.conn, nullptr);
  EXPECT_EQ(pool.idle_count(), 1u);
  open(0);
  EXPECT_NE(first.conn, nullptr);
}

TEST_F(PeersTest, AfterDrainNoneIsLentNorKept) {
  FakeStream& stream = spare();
  ASSERT_TRUE(pool.lend(1));
  pool.drain();
  EXPECT_TRUE(stream.aborted);
  streams.emplace_back();
  pool.take_lent(streams.back());
  EXPECT_TRUE(streams.back().aborted);
  pass({});
  EXPECT_EQ(pool.open_count(), 0u);
}

TEST(RecentPeak, ForgetsWhatIsSomebodyElsesNow) {
  const Instant begin{1'000};
  RecentPeak peak(seconds(4), begin);
  peak.note(3, begin);
  peak.note(2, begin);
  peak.forget_one(begin);
  EXPECT_EQ(peak.most(begin), 2u);
  peak.forget_one(begin);
  EXPECT_EQ(peak.most(begin), 2u) << "never less than there is";
}

TEST(RecentPeak, RemembersTheMostForAWhile) {
  const Instant begin{1'000};
  RecentPeak peak(seconds(4), begin);
  EXPECT_EQ(peak.most(begin), 0u);
  peak.note(7, begin + milliseconds(500));
  peak.note(2, begin + milliseconds(600));
  EXPECT_EQ(peak.most(begin + milliseconds(3'500)), 7u);
  EXPECT_EQ(peak.most(begin + milliseconds(4'100)), 2u) << "what there still is";
  peak.note(0, begin + milliseconds(4'200));
  EXPECT_EQ(peak.most(begin + milliseconds(7'100)), 2u);
  EXPECT_EQ(peak.most(begin + milliseconds(8'300)), 0u);
  peak.note(3, begin + seconds(100));
  EXPECT_EQ(peak.most(begin + seconds(100)), 3u);
}

}  // namespace
}  // namespace leat::net
