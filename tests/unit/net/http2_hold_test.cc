// SPDX-License-Identifier: Apache-2.0
// Goal: what comes over a connection that many share waits while all of its replies may, no longer
// than the first of them may, and not again on its way out: neither a reply that may not
// wait nor one that just began is ever behind it. Method: calls on a connection whose other side is
// the test, which sees what its stream is told.
#include <gtest/gtest.h>

#include <deque>
#include <string>

#include "net/fake_dialer.h"
#include "net/http2_frames.h"
#include "net/upstream_pool.h"
#include "support/still_io.h"

namespace leat::net {
namespace {

using namespace http2;

class Listener final : public PoolWaiter, public ReplyHandler {
 public:
  UpstreamCall* call = nullptr;
  Duration most{};   // what its reply may wait
  Duration spent{};  // what was handed to it last had waited
  bool is_over = false;

  void on_upstream(Result<UpstreamCall*> found) override {
    call = *found;
    call->begin(*this);
    ASSERT_TRUE(call->send({.target = "/v1/chat", .host = "api.example"}, {}).has_value());
  }
  void on_reply_head(const proto::ResponseHead&) override {}
  void on_reply_body(std::string_view) override {}
  void on_reply_pause() override { spent = call->hold_reply(most); }
  void on_reply_end() override { is_over = true; }
  void on_reply_failed(const Error&) override { is_over = true; }
};

class Http2HoldTest : public testing::Test {
 protected:
  void SetUp() override {
    ask(milliseconds(25));
    dialer.dials.at(0)->open(stream);
    ask(milliseconds(50));
    turn();
    stream.receive(greeting());
    for (const std::uint32_t id : {1u, 3u}) stream.receive(headers(id, {{":status", "200"}}));
    pass(milliseconds(20));
  }
  void TearDown() override {
    for (Listener& each : listeners) {
      if (!each.is_over) each.call->cancel();
    }
    turn();
  }

  Listener& ask(Duration most) {
    Listener& made = listeners.emplace_back();
    made.most = most;
    auto found = pool.acquire(made, false);
    if (*found != nullptr) made.on_upstream(std::move(found));
    return made;
  }
  void turn() {
    shard.run_turn();
    shard.run_turn();
  }
  void pass(Duration time) {
    io.time = io.time + time;
    turn();
  }
  // An event of each.
  void say(std::initializer_list<std::uint32_t> ids, std::size_t size = 250) {
    std::string frames;
    for (const std::uint32_t id : ids) frames += data(id, std::string(size, 'x'));
    stream.receive(frames);
  }

  io::StillIo io;
  Rng rng{1};
  shard::Shard shard{io, rng, 0};
  FakeDialer dialer;
  RecordingStream stream;
  std::deque<Listener> listeners;
  UpstreamPool pool{
      shard,
      dialer,
      {.protocol = UpstreamProtocol::kHttp2, .scheme = "http", .streams_before_spread = 1'000}};
};

TEST_F(Http2HoldTest, WaitsOnceAllMayAsLongAsTheFirstOfThemMay) {
  say({1});
  EXPECT_EQ(stream.held, Duration{}) << "of the other one nothing is known";
  pass(milliseconds(20));
  say({3});
  EXPECT_EQ(stream.held, milliseconds(25));
  listeners[0].most = milliseconds(50);
  say({1});
  EXPECT_EQ(stream.held, milliseconds(50));
}

TEST_F(Http2HoldTest, WhatWaitedDoesNotWaitAgain) {
  say({1, 3});
  EXPECT_EQ(listeners[1].spent, Duration{}) << "it came before";
  say({3});
  EXPECT_EQ(listeners[1].spent, milliseconds(50));
  ask(milliseconds(50));
  stream.waited = milliseconds(3);  // until the new one came
  say({3});
  EXPECT_EQ(listeners[1].spent, milliseconds(3));
}

TEST_F(Http2HoldTest, WhoMayWaitLessEndsIt) {
  say({1, 3});
  EXPECT_GT(stream.held, Duration{});
  listeners[1].most = {};
  say({3});
  EXPECT_EQ(stream.held, Duration{});
  pass(milliseconds(20));
  say({1});
  EXPECT_EQ(stream.held, Duration{});
  listeners[1].most = milliseconds(3);  // not worth a timer
  say({3});
  EXPECT_EQ(stream.held, Duration{});
  listeners[1].most = milliseconds(5);
  say({3});
  EXPECT_EQ(stream.held, milliseconds(5));
}

TEST_F(Http2HoldTest, ANewCallEndsItAtOnceUntilItHasItsFirstEvent) {
  say({1, 3});
  ASSERT_GT(stream.held, Duration{});
  ask(milliseconds(50));
  EXPECT_EQ(stream.held, Duration{});
  turn();
  say({1, 3});
  stream.receive(headers(5, {{":status", "200"}}));
  EXPECT_EQ(stream.held, Duration{});
  stream.receive(data(5, "x"));
  EXPECT_GT(stream.held, Duration{});
}

TEST_F(Http2HoldTest, WhoIsOverIsWaitedForNoMore) {
  ask({});
  turn();
  stream.receive(headers(5, {{":status", "200"}}));
  say({1, 3, 5});
  EXPECT_EQ(stream.held, Duration{});
  listeners[2].call->cancel();
  listeners[2].is_over = true;
  pass(milliseconds(20));
  say({1});
  EXPECT_EQ(stream.held, milliseconds(25));
  stream.receive(data(1, "", true));
  EXPECT_TRUE(listeners[0].is_over);
  EXPECT_EQ(stream.held, milliseconds(50)) << "as long as who is left may";
  listeners[1].call->cancel();
  listeners[1].is_over = true;
  EXPECT_EQ(stream.held, Duration{}) << "idle, it is read";
}

// 32 KiB must not come meanwhile.
TEST_F(Http2HoldTest, WhatComesFastWaitsLessOrNotAtAll) {
  say({1, 3}, 4'000);
  EXPECT_EQ(stream.held, milliseconds(25));
  pass(milliseconds(10));
  say({1, 3}, 10'000);
  EXPECT_GT(stream.held, milliseconds(10));
  EXPECT_LT(stream.held, milliseconds(20));
  pass(milliseconds(10));
  for (int i = 0; i < 10; ++i) say({1, 3}, 5'000);
  pass(milliseconds(10));
  say({1, 3}, 15'000);
  EXPECT_EQ(stream.held, Duration{});
  pass(milliseconds(50));
  say({1, 3}, 250);
  EXPECT_EQ(stream.held, milliseconds(25)) << "it has calmed down";
}

}  // namespace
}  // namespace leat::net
