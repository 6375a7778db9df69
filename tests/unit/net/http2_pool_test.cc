// SPDX-License-Identifier: Apache-2.0
// Goal: requests to a provider that speaks HTTP/2 share connections: none dials that need not, none
// gets more than the provider takes, what one suffers no other does, and a connection that is on
// its way out gets no new ones. Method: a pool over dials that the test opens with streams whose
// other side is frames written by hand.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <string>

#include "net/fake_dialer.h"
#include "net/http2_frames.h"
#include "net/upstream_pool.h"
#include "support/still_io.h"

namespace leat::net {
namespace {

using namespace http2;

// Asks, and sends its request as soon as it may.
class Asker final : public PoolWaiter, public ReplyHandler {
 public:
  UpstreamCall* call = nullptr;
  bool was_used = false;
  int status = 0;
  std::string body;
  int replies = 0;
  int refusals = 0;
  std::optional<Error> failed;
  UpstreamPool* again = nullptr;  // to be asked when it fails

  void ask(UpstreamPool& pool, bool fresh = false) {
    auto found = pool.acquire(*this, fresh);
    if (!found || *found != nullptr) on_upstream(std::move(found));
  }
  void cancel() { std::exchange(call, nullptr)->cancel(); }

  void on_upstream(Result<UpstreamCall*> found) override {
    if (!found) {
      ++refusals;
      return;
    }
    call = *found;
    call->begin(*this);
    was_used = call->is_reused();
    const proto::RequestOptions options{.target = "/v1/chat", .host = "api.example"};
    ASSERT_TRUE(call->send(options, {}).has_value());
  }
  void on_reply_head(const proto::ResponseHead& head) override { status = head.status; }
  void on_reply_body(std::string_view bytes) override { body += bytes; }
  void on_reply_pause() override {}
  void on_reply_end() override {
    ++replies;
    call = nullptr;
  }
  void on_reply_failed(const Error& why) override {
    failed = why;
    call = nullptr;
    if (again != nullptr) ask(*std::exchange(again, nullptr));
  }
};

class Http2PoolTest : public testing::Test {
 protected:
  void SetUp() override { make(); }
  void TearDown() override {
    for (Asker& asker : askers) {
      asker.unlink();
      if (asker.call != nullptr) asker.cancel();
    }
    turn();
    pool.reset();
    turn();
  }

  void make() {
    pool.reset();
    pool = std::make_unique<UpstreamPool>(shard, dialer, limits);
  }
  RecordingStream& open(std::size_t dial, std::string_view chosen = "h2") {
    streams.emplace_back();
    streams.back().chosen = chosen;
    dialer.dials.at(dial)->open(streams.back());
    turn();
    return streams.back();
  }
  void turn() {
    shard.run_turn();
    shard.run_turn();
  }
  void pass(Duration time) {
    io.time = io.time + time;
    turn();
  }
  Asker& ask(bool fresh = false) {
    askers.emplace_back();
    askers.back().ask(*pool, fresh);
    return askers.back();
  }

  io::StillIo io;
  Rng rng{1};
  shard::Shard shard{io, rng, 0};
  FakeDialer dialer;
  std::deque<RecordingStream> streams;
  std::deque<Asker> askers;
  PoolLimits limits{.connections_max = 8,
                    .idle_max = 4,
                    .idle_time = seconds(30),
                    .protocol = UpstreamProtocol::kHttp2,
                    .streams_before_spread = 1'000};
  std::unique_ptr<UpstreamPool> pool;
};

TEST_F(Http2PoolTest, ManyShareOneConnection) {
  Asker& first = ask();
  Asker& second = ask();
  EXPECT_EQ(dialer.dials.size(), 1u);
  RecordingStream& stream = open(0);
  Asker& third = ask();
  turn();
  EXPECT_EQ(stream.take_frames(kHeaders).size(), 3u);
  EXPECT_EQ(pool->http2_streams(), 3u);
  EXPECT_FALSE(first.was_used);
  EXPECT_TRUE(third.was_used);
  stream.receive(settings() + reply(3, "two") + reply(5, "three") + reply(1, "one"));
  EXPECT_EQ(first.body + second.body + third.body, "onetwothree");
  turn();
  EXPECT_EQ(pool->http2_streams(), 0u);
  EXPECT_EQ(pool->idle_count(), 1u);
  EXPECT_EQ(pool->stats().reused, 2u);
}

TEST_F(Http2PoolTest, AHundredWaitForOneDialAndTheNextForAnother) {
  for (int i = 0; i < 101; ++i) ask();
  EXPECT_EQ(dialer.dials.size(), 2u);
  open(0);
  EXPECT_EQ(pool->http2_streams(), 100u);
  open(1);
  EXPECT_EQ(pool->http2_streams(), 101u);
}

// Each gives its stream back at once, which is room for the next: not within each other.
TEST_F(Http2PoolTest, WhoWaitAndGiveUpDoNotDoSoWithinEachOther) {
  struct Quitter final : PoolWaiter {
    Asker unused;
    int* depth = nullptr;
    int* deepest = nullptr;
    bool served = false;
    void on_upstream(Result<UpstreamCall*> found) override {
      *deepest = std::max(*deepest, ++*depth);
      served = true;
      (*found)->begin(unused);
      (*found)->cancel();
      --*depth;
    }
  };
  int depth = 0;
  int deepest = 0;
  std::deque<Quitter> quitters(90);
  for (Quitter& one : quitters) {
    one.depth = &depth;
    one.deepest = &deepest;
    const auto found = pool->acquire(one, false);
    ASSERT_TRUE(found && *found == nullptr);
  }
  open(0);
  for (const Quitter& one : quitters) EXPECT_TRUE(one.served);
  EXPECT_EQ(deepest, 1);
}

TEST_F(Http2PoolTest, NoConnectionGetsMoreThanTheProviderTakes) {
  ask();
  RecordingStream& stream = open(0);
  stream.receive(settings({{kMaxConcurrentStreams, 2}}));
  ask();
  Asker& third = ask();
  EXPECT_EQ(third.call, nullptr);
  EXPECT_EQ(dialer.dials.size(), 2u);
  // The first that comes free will do.
  stream.receive(reply(1));
  EXPECT_NE(third.call, nullptr);
  turn();
  EXPECT_EQ(stream.take_frames(kHeaders).size(), 3u);
  open(1);
  EXPECT_EQ(pool->idle_count(), 1u);
}

TEST_F(Http2PoolTest, WhoHasFewestServesNextAndBusyOnesGetHelp) {
  limits.streams_before_spread = 2;
  limits.spread_max = 2;
  make();
  ask();
  RecordingStream& one = open(0);
  one.receive(settings());
  ask();
  EXPECT_EQ(dialer.dials.size(), 2u);  // two on it: help is called
  RecordingStream& two = open(1);
  ask();
  ask();
  ask();
  turn();
  EXPECT_EQ(one.take_frames(kHeaders).size() + two.take_frames(kHeaders).size(), 5u);
  EXPECT_EQ(dialer.dials.size(), 2u);
}

TEST_F(Http2PoolTest, AfterGoawayTheRestEndsThereAndNewOnesGoElsewhere) {
  Asker& first = ask();
  Asker& second = ask();
  RecordingStream& stream = open(0);
  second.again = pool.get();
  stream.receive(settings() + goaway(1));
  ASSERT_TRUE(second.failed.has_value());
  EXPECT_EQ(second.failed->retry, Retry::kNotExecuted);
  EXPECT_EQ(dialer.dials.size(), 2u);
  RecordingStream& next = open(1);
  EXPECT_EQ(next.take_frames(kHeaders).size(), 1u);
  EXPECT_FALSE(stream.is_over());
  stream.receive(reply(1));
  EXPECT_EQ(first.replies, 1);
  EXPECT_TRUE(stream.is_over());
  next.receive(settings() + reply(1));
  EXPECT_EQ(second.replies, 1);
}

TEST_F(Http2PoolTest, WhatEndsAConnectionFailsAllOfItsCalls) {
  Asker& first = ask();
  RecordingStream& stream = open(0);
  stream.receive(settings() + headers(1, {{":status", "200"}}));
  Asker& second = ask();
  turn();
  stream.end();
  ASSERT_TRUE(first.failed && second.failed);
  EXPECT_EQ(first.failed->retry, Retry::kOtherUpstream);
  EXPECT_EQ(second.failed->retry, Retry::kReusedOnly);
  turn();
  EXPECT_EQ(pool->open_count(), 0u);
}

TEST_F(Http2PoolTest, ABreachOfTheProtocolIsToldAndEndsTheConnection) {
  Asker& first = ask();
  RecordingStream& stream = open(0);
  stream.take();
  stream.receive(settings() + data(0, "x"));
  ASSERT_TRUE(first.failed.has_value());
  EXPECT_EQ(first.failed->code, Code::kProtocol);
  EXPECT_TRUE(stream.finished);
  EXPECT_EQ(stream.take_frames(kGoaway).size(), 1u);
  turn();
  EXPECT_EQ(pool->open_count(), 0u);
}

TEST_F(Http2PoolTest, CancellingCostsOneStreamAndNotTheConnection) {
  Asker& first = ask();
  Asker& second = ask();
  RecordingStream& stream = open(0);
  stream.receive(settings());
  stream.take();
  first.cancel();
  turn();
  EXPECT_EQ(stream.take_frames(kReset).size(), 1u);
  stream.receive(reply(3));
  EXPECT_EQ(second.replies, 1);
  EXPECT_EQ(pool->idle_count(), 1u);
}

TEST_F(Http2PoolTest, WhoAsksForAFreshOneSharesNone) {
  ask();
  open(0);
  Asker& fresh = ask(true);
  EXPECT_EQ(fresh.call, nullptr);
  EXPECT_EQ(dialer.dials.size(), 2u);
  RecordingStream& next = open(1);
  EXPECT_EQ(next.take_frames(kHeaders).size(), 1u);
  EXPECT_FALSE(fresh.was_used);
}

TEST_F(Http2PoolTest, SpareConnectionsAgeOutThoughOthersAreUsed) {
  limits.spread_max = 1;
  make();
  ask();
  RecordingStream& one = open(0);
  ask(true);
  RecordingStream& two = open(1);
  one.receive(settings() + reply(1));
  two.receive(settings() + reply(1));
  for (std::uint32_t id = 3; id < 9; id += 2) {
    pass(seconds(12));
    ask();
    turn();
    one.receive(reply(id));
    EXPECT_EQ(askers.back().replies, 1);
  }
  EXPECT_FALSE(one.is_over());
  EXPECT_TRUE(two.finished);
}

TEST_F(Http2PoolTest, AFailedDialIsToldToAllWhoWaitedForIt) {
  for (int i = 0; i < 101; ++i) ask();
  dialer.dials[0]->fail_with(Code::kRefused);
  int told = 0;
  for (const Asker& asker : askers) told += asker.refusals;
  EXPECT_EQ(told, 1);
  dialer.dials[1]->fail_with(Code::kRefused);
  told = 0;
  for (const Asker& asker : askers) told += asker.refusals;
  EXPECT_EQ(told, 101);
}

TEST_F(Http2PoolTest, AnIdleOneSaysGoodbyeInItsTime) {
  ask();
  RecordingStream& stream = open(0);
  stream.receive(settings() + reply(1));
  pass(seconds(29));
  stream.receive(ping());
  EXPECT_FALSE(stream.is_over());
  stream.take();
  pass(seconds(2));
  EXPECT_TRUE(stream.finished);
  EXPECT_EQ(stream.take_frames(kGoaway).size(), 1u);
  EXPECT_EQ(pool->open_count(), 0u);
}

TEST_F(Http2PoolTest, ADrainedPoolKeepsNone) {
  Asker& first = ask();
  RecordingStream& busy = open(0);
  Asker& second = ask(true);
  RecordingStream& idle = open(1);
  idle.receive(settings() + reply(1));
  EXPECT_EQ(second.replies, 1);
  pool->drain();
  EXPECT_TRUE(idle.finished);
  EXPECT_FALSE(busy.is_over());
  busy.receive(settings() + reply(1));
  EXPECT_EQ(first.replies, 1);
  EXPECT_TRUE(busy.finished);
}

TEST_F(Http2PoolTest, ASilentProviderIsAskedAndThenLeft) {
  Asker& first = ask();
  RecordingStream& stream = open(0);
  stream.receive(settings());
  stream.take();
  pass(seconds(16));
  EXPECT_EQ(stream.take_frames(kPing).size(), 1u);
  stream.receive(frame(kPing, kAck, 0, std::string(8, '\0')));
  pass(seconds(10));
  EXPECT_FALSE(stream.is_over());
  pass(seconds(6));
  EXPECT_EQ(stream.take_frames(kPing).size(), 1u);
  pass(seconds(6));
  EXPECT_TRUE(stream.aborted);
  ASSERT_TRUE(first.failed.has_value());
  EXPECT_EQ(first.failed->code, Code::kTimedOut);
}

TEST_F(Http2PoolTest, AConnectionThatNobodyAnswersOnIsNotKept) {
  ask();
  RecordingStream& stream = open(0);
  stream.receive(settings());
  pass(seconds(1));
  Asker& second = ask();
  turn();
  pass(seconds(1));
  stream.take();
  second.cancel();
  askers.front().cancel();
  turn();
  EXPECT_EQ(stream.take_frames(kPing).size(), 1u);
  EXPECT_EQ(pool->idle_count(), 1u);
  pass(seconds(6));
  EXPECT_TRUE(stream.aborted);
  EXPECT_EQ(pool->open_count(), 0u);
}

TEST_F(Http2PoolTest, EitherProtocolIsServedAsTheHandshakeSays) {
  limits.protocol = UpstreamProtocol::kEither;
  make();
  Asker& first = ask();
  Asker& second = ask();
  EXPECT_EQ(dialer.dials.size(), 1u);
  RecordingStream& plain = open(0, "http/1.1");
  ASSERT_NE(first.call, nullptr);
  EXPECT_TRUE(plain.written.starts_with("POST /v1/chat HTTP/1.1\r\n"));
  // Who hoped for a stream gets a connection.
  EXPECT_EQ(dialer.dials.size(), 2u);
  RecordingStream& shared = open(1, "h2");
  ASSERT_NE(second.call, nullptr);
  EXPECT_TRUE(shared.written.starts_with(kPreface));
  plain.receive("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
  shared.receive(settings() + reply(1));
  EXPECT_EQ(first.replies + second.replies, 2);
  EXPECT_EQ(pool->idle_count(), 2u);
}

TEST_F(Http2PoolTest, AProviderThatDoesNotSpeakItIsAFailedDial) {
  Asker& first = ask();
  RecordingStream& stream = open(0, "http/1.1");
  EXPECT_EQ(first.refusals, 1);
  EXPECT_TRUE(stream.aborted);
  EXPECT_EQ(pool->stats().dial_failures, 1u);
}

TEST_F(Http2PoolTest, WithoutTlsItIsKnownBefore) {
  limits.scheme = "http";
  make();
  Asker& first = ask();
  RecordingStream& stream = open(0, "");
  EXPECT_EQ(stream.take_frames(kHeaders).size(), 1u);
  stream.receive(settings() + reply(1));
  EXPECT_EQ(first.replies, 1);
}

TEST_F(Http2PoolTest, ThereAreNoMoreThanItsLimits) {
  limits.connections_max = 1;
  limits.streams_max = 2;
  make();
  ask();
  ask();
  open(0);
  Asker& third = ask();
  EXPECT_EQ(third.refusals, 1);
  EXPECT_EQ(dialer.dials.size(), 1u);
}

}  // namespace
}  // namespace leat::net
