// SPDX-License-Identifier: Apache-2.0
// Goal: requests of HTTP/2 are read as those of HTTP/1.1 are, answers leave as windows allow and no
// faster, what one stream suffers touches no other, and who floods us goes. Method: a session whose
// other side is frames written by hand.
#include "net/http2_server_session.h"

#include <gtest/gtest.h>

#include "net/http2_server_peer.h"

namespace leat::net {
namespace {

constexpr std::uint32_t kCalm = 11;

class Http2ServerTest : public testing::Test {
 protected:
  void SetUp() override { make({}); }
  void make(const Http2ServerLimits& limits) {
    peer = std::make_unique<ServerPeer>(limits);
    peer->answers = false;
    peer->greet();
  }
  // Whether the session ended with that word.
  bool said_goodbye(std::uint32_t code) {
    bool has_said = false;
    for (const Frame& each : peer->wire.take_frames(kGoaway)) has_said |= each.word(4) == code;
    return has_said;
  }
  std::string data_of(std::uint32_t id) {
    std::string all;
    for (const Frame& each : peer->wire.take_frames(kData)) {
      if (each.id == id) all += each.payload;
    }
    return all;
  }
  std::vector<std::uint32_t> resets() {
    std::vector<std::uint32_t> codes;
    for (const Frame& each : peer->wire.take_frames(kReset)) codes.push_back(each.word(0));
    return codes;
  }
  std::unique_ptr<ServerPeer> peer;
};

TEST_F(Http2ServerTest, SaysItsBounds) {
  ServerPeer fresh;
  ASSERT_TRUE(fresh.feed(kPreface));
  const auto frames = fresh.wire.take_frames(kSettings);
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(frames[0].payload, number(3, 2) + number(100, 4) + number(4, 2) +
                                   number(256 * 1024, 4) + number(6, 2) + number(32 * 1024, 4) +
                                   number(9, 2) + number(1, 4));
}

TEST_F(Http2ServerTest, AHeadIsThatOfHttp1) {
  Fields fields = with(kPost, "content-type", "application/json");
  fields.emplace_back("authorization", "Bearer sk-1");
  fields.emplace_back("content-length", "4");
  ASSERT_TRUE(peer->feed(headers(1, as(fields, ":path", "/v1/models?x=1"))));
  const Served& one = peer->last();
  EXPECT_EQ(one.fault, proto::HttpFault::kNone);
  EXPECT_EQ(one.method, "POST");
  EXPECT_EQ(one.path, "/v1/models");
  EXPECT_EQ(one.host, "a.example");
  EXPECT_EQ(one.length, 4u);
  EXPECT_FALSE(one.has_unknown_length);
  EXPECT_NE(one.fields.find("authorization=Bearer sk-1;"), std::string::npos) << one.fields;
  EXPECT_FALSE(one.is_whole);
  ASSERT_TRUE(peer->feed(data(1, "bo") + data(1, "dy", true)));
  EXPECT_EQ(one.body, "body");
  EXPECT_TRUE(one.is_whole);
}

TEST_F(Http2ServerTest, ABodyOfUnknownLengthEndsWithItsStream) {
  ASSERT_TRUE(peer->feed(headers(1, kPost)));
  EXPECT_TRUE(peer->last().has_unknown_length);
  ASSERT_TRUE(peer->feed(data(1, "body") + headers(1, {{"x-trailer", "1"}}, true)));
  EXPECT_EQ(peer->last().body, "body");
  EXPECT_TRUE(peer->last().is_whole);
}

// What the parser of HTTP/1.1 refuses is refused here, in the same words.
TEST_F(Http2ServerTest, FaultsOfAHeadAreThoseOfHttp1) {
  using proto::HttpFault;
  const std::pair<Fields, HttpFault> cases[] = {
      {as(kGet, ":authority", "u@a.example"), HttpFault::kUserinfo},
      {as(kGet, ":authority", "a b"), HttpFault::kBadHost},
      {with(kGet, "host", "b.example"), HttpFault::kHostMismatch},
      {with(without(kGet, ":authority"), "host", "a/b"), HttpFault::kBadHost},
      {with(with(kGet, "authorization", "Bearer a"), "authorization", "Bearer b"),
       HttpFault::kDuplicateField},
      {with(kGet, "expect", "200-ok"), HttpFault::kUnknownExpectation},
      {with(kGet, "x", std::string(9'000, 'a')), HttpFault::kFieldLineTooLong},
      {as(kGet, ":path", "/" + std::string(9'000, 'a')), HttpFault::kRequestLineTooLong},
      {as(kGet, ":path", "/#a"), HttpFault::kBadTarget},
  };
  std::uint32_t id = 1;
  for (const auto& [fields, fault] : cases) {
    const std::size_t before = peer->requests.size();
    ASSERT_TRUE(peer->feed(headers(id, fields, true))) << peer->over->what;
    const auto reset_codes = resets();
    if (peer->requests.size() == before) {
      // The library was first: a reset is as good.
      EXPECT_EQ(reset_codes, std::vector<std::uint32_t>{1}) << static_cast<int>(fault);
    } else {
      EXPECT_EQ(peer->last().fault, fault) << fields.back().first;
    }
    id += 2;
  }
}

TEST_F(Http2ServerTest, HeadsHaveABound) {
  Fields fields = kGet;
  for (int i = 0; i < 120; ++i) fields.emplace_back("x" + std::to_string(i), "v");
  ASSERT_TRUE(peer->feed(headers(1, fields, true)));
  EXPECT_EQ(peer->last().fault, proto::HttpFault::kTooManyFields);
  fields = kGet;
  for (int i = 0; i < 10; ++i) fields.emplace_back("x", std::string(4'000, 'v'));
  const std::string all = block(fields);
  std::string frames = frame(kHeaders, kEndStream, 3, all.substr(0, 16'000));
  frames += frame(kContinuation, 0, 3, all.substr(16'000, 16'000));
  ASSERT_TRUE(peer->feed(frames + frame(kContinuation, kEndHeaders, 3, all.substr(32'000))));
  EXPECT_EQ(peer->last().fault, proto::HttpFault::kHeadTooLarge);
}

TEST_F(Http2ServerTest, AnAnswerLeavesAsOne) {
  ASSERT_TRUE(peer->feed(headers(1, kGet, true) + headers(3, kGet, true)));
  peer->wire.take();
  for (Served& each : peer->requests) each.answer("hello");
  EXPECT_EQ(peer->wire.written, "");  // not before the turn's end
  peer->flush();
  const auto frames = peer->wire.take_frames();
  ASSERT_EQ(frames.size(), 4u);
  FieldReader reader;
  std::string bodies;
  for (const Frame& each : frames) {
    if (each.type == kHeaders) {
      EXPECT_EQ(reader.read(each.payload),
                (Fields{{":status", "200"}, {"content-type", "text/plain"}}));
    } else {
      EXPECT_EQ(each.flags, kEndStream);
      bodies += each.payload;
    }
  }
  EXPECT_EQ(bodies, "hellohello");
  EXPECT_EQ(peer->session->open_streams(), 0u);
}

TEST_F(Http2ServerTest, EventsLeaveInOneFrameATurn) {
  ASSERT_TRUE(peer->feed(headers(1, kGet, true)));
  Served& one = peer->last();
  one.begin();
  one.stream().write("data: 1\n\n");
  one.stream().write("data: 2\n\n");
  peer->flush();
  auto frames = peer->wire.take_frames(kData);
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(frames[0].payload, "data: 1\n\ndata: 2\n\n");
  one.stream().write("data: 3\n\n");
  one.stream().finish();
  peer->flush();
  frames = peer->wire.take_frames(kData);
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(frames[0].payload, "data: 3\n\n");
  EXPECT_EQ(frames[0].flags, kEndStream);
}

TEST_F(Http2ServerTest, NoMoreThanTheWindow) {
  ASSERT_TRUE(peer->feed(settings({{kInitialWindow, 10}}) + headers(1, kGet, true)));
  peer->wire.take();
  Served& one = peer->last();
  one.begin();
  one.stream().write(std::string(100'000, 'x'));
  peer->flush();
  EXPECT_EQ(data_of(1).size(), 10u);
  EXPECT_EQ(one.stream().backlog_bytes(), 99'990u);
  EXPECT_EQ(one.drains, 0);
  ASSERT_TRUE(peer->feed(window(1, 50'000)));
  EXPECT_EQ(data_of(1).size(), 50'000u);
  EXPECT_EQ(one.drains, 1);
  one.stream().finish();
  peer->flush();
  // The connection's own window is 65,535.
  ASSERT_TRUE(peer->feed(window(1, 1 << 20)));
  EXPECT_EQ(data_of(1).size(), 65'535u - 50'010u);
  ASSERT_TRUE(peer->feed(window(0, 1 << 20)));
  EXPECT_EQ(data_of(1).size(), 100'000u - 65'535u);
  EXPECT_EQ(peer->session->open_streams(), 0u);
}

// Whoever stopped at a small backlog hears of its end, too.
TEST_F(Http2ServerTest, ASmallBacklogThatGoesIsTold) {
  ASSERT_TRUE(peer->feed(settings({{kInitialWindow, 0}}) + headers(1, kGet, true)));
  Served& one = peer->last();
  one.begin();
  one.stream().write(std::string(Stream::kBacklogTold, 'x'));
  peer->flush();
  EXPECT_EQ(one.drains, 0);
  ASSERT_TRUE(peer->feed(window(1, 1'000)));
  EXPECT_EQ(one.drains, 1);
  ASSERT_TRUE(peer->feed(window(1, 1 << 20)));
  EXPECT_EQ(one.drains, 2);
  EXPECT_EQ(one.stream().backlog_bytes(), 0u);
  // What nobody can have stopped at is not told of.
  one.stream().write("small");
  peer->flush();
  EXPECT_EQ(one.drains, 2);
}

TEST_F(Http2ServerTest, ASocketThatIsFullStopsItsStreamsOnly) {
  ASSERT_TRUE(peer->feed(window(0, 1 << 20) + headers(1, kGet, true)));
  peer->wire.take();
  peer->wire.backlog = Stream::kBacklogLow + 1;
  peer->last().answer("hello");
  peer->flush();
  EXPECT_EQ(peer->wire.take(), "");
  EXPECT_TRUE(peer->session->wants_write());
  peer->wire.backlog = 0;
  peer->flush();
  EXPECT_EQ(data_of(1), "hello");
}

TEST_F(Http2ServerTest, WhatIsHeldWaitsOrGoes) {
  ASSERT_TRUE(peer->feed(headers(1, kGet, true) + headers(3, kGet, true) + headers(5, kGet, true)));
  peer->wire.take();
  Served& streamed = peer->requests.front();
  Served& whole = *std::next(peer->requests.begin());
  Served& dropped = peer->requests.back();
  streamed.begin();
  streamed.stream().write("begin ");
  streamed.stream().hold();
  streamed.stream().write("end");
  whole.stream().hold();
  whole.begin();
  whole.stream().write("whole");
  dropped.stream().hold();
  dropped.begin();
  dropped.stream().write("all is well");
  peer->flush();
  EXPECT_EQ(data_of(1), "begin ");
  EXPECT_EQ(whole.stream().backlog_bytes(), 5u);
  streamed.stream().release_held(true);
  streamed.stream().finish();
  whole.stream().release_held(true);
  whole.stream().finish();
  dropped.stream().release_held(false);
  dropped.answer("it is not");
  peer->flush();
  std::string first, second, third;
  for (const Frame& each : peer->wire.take_frames(kData)) {
    (each.id == 1 ? first : each.id == 3 ? second : third) += each.payload;
  }
  EXPECT_EQ(first, "end");
  EXPECT_EQ(second, "whole");
  EXPECT_EQ(third, "it is not");
}

TEST_F(Http2ServerTest, ABrokenAnswerIsNoWholeOne) {
  ASSERT_TRUE(peer->feed(headers(1, kGet, true)));
  peer->wire.take();
  peer->last().begin();
  peer->last().stream().write("error");
  peer->last().stream().break_off();
  peer->flush();
  peer->flush();
  const auto frames = peer->wire.take_frames();
  ASSERT_EQ(frames.size(), 3u);
  EXPECT_EQ(frames[1].payload, "error");
  EXPECT_EQ(frames[1].flags, 0);
  EXPECT_EQ(frames[2].type, kReset);
  EXPECT_EQ(frames[2].word(0), 2u);  // INTERNAL_ERROR
  EXPECT_EQ(peer->session->open_streams(), 0u);
}

TEST_F(Http2ServerTest, AResetIsToldAndCostsOneStream) {
  ASSERT_TRUE(peer->feed(headers(1, kPost) + headers(3, kPost) + data(1, "x") + reset(1, kCancel)));
  EXPECT_TRUE(peer->requests.front().failed.has_value());
  EXPECT_FALSE(peer->last().failed.has_value());
  ASSERT_TRUE(peer->feed(data(3, "y", true)));
  EXPECT_TRUE(peer->last().is_whole);
  EXPECT_EQ(peer->session->open_streams(), 1u);
}

TEST_F(Http2ServerTest, TheEndOfTheConnectionIsTheEndOfAll) {
  ASSERT_TRUE(peer->feed(headers(1, kPost) + headers(3, kGet, true)));
  peer->session->fail_streams({.code = Code::kReset});
  for (const Served& each : peer->requests) EXPECT_TRUE(each.failed.has_value());
  EXPECT_EQ(peer->session->open_streams(), 0u);
}

TEST_F(Http2ServerTest, AnAnswerBeforeTheBodyIsReadable) {
  ASSERT_TRUE(peer->feed(headers(1, with(kPost, "content-length", "1000000"))));
  peer->wire.take();
  peer->last().answer("no");
  peer->flush();
  EXPECT_EQ(data_of(1), "no");
  // What comes of it meanwhile is not looked at, and gets no more room.
  for (int i = 0; i < 16; ++i) ASSERT_TRUE(peer->feed(data(1, std::string(16'384, 'x'))));
  EXPECT_EQ(peer->last().body, "");
  for (const Frame& each : peer->wire.take_frames(kWindow)) EXPECT_EQ(each.id, 0u);
  EXPECT_EQ(peer->session->drop_stalled(Instant{}, Instant{}), 1u);
  EXPECT_EQ(peer->session->drop_stalled(Instant{}, peer->now), 0u);
  peer->flush();
  EXPECT_EQ(resets(), std::vector<std::uint32_t>{0});
  EXPECT_EQ(peer->session->open_streams(), 0u);
  // Late DATA of a stream that we reset is no fault.
  EXPECT_TRUE(peer->feed(data(1, "x") + headers(3, kGet, true)));
}

TEST_F(Http2ServerTest, AnAnswerThatNobodyTakesIsDropped) {
  ASSERT_TRUE(peer->feed(settings({{kInitialWindow, 0}}) + headers(1, kGet, true)));
  peer->last().answer("hello");
  peer->flush();
  EXPECT_EQ(peer->session->drop_stalled(peer->now - seconds(1), Instant{}), 1u);
  EXPECT_EQ(peer->session->drop_stalled(peer->now, Instant{}), 0u);
  peer->flush();
  EXPECT_EQ(peer->session->open_streams(), 0u);
}

TEST_F(Http2ServerTest, ContinueIsSaid) {
  ASSERT_TRUE(
      peer->feed(headers(1, with(with(kPost, "content-length", "1"), "expect", "100-continue"))));
  EXPECT_TRUE(peer->last().expects_continue);
  peer->wire.take();
  peer->last().stream().write_continue();
  peer->flush();
  const auto frames = peer->wire.take_frames(kHeaders);
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(FieldReader().read(frames[0].payload), (Fields{{":status", "100"}}));
}

TEST_F(Http2ServerTest, GoodbyeInTwoSteps) {
  ASSERT_TRUE(peer->feed(headers(1, kGet, true)));
  peer->wire.take();
  peer->session->announce_end();
  peer->flush();
  auto goaways = peer->wire.take_frames(kGoaway);
  ASSERT_EQ(goaways.size(), 1u);
  EXPECT_EQ(goaways[0].word(0), 0x7fffffffu);
  ASSERT_TRUE(peer->feed(headers(3, kGet, true)));
  EXPECT_EQ(peer->requests.size(), 2u);
  peer->session->say_goodbye();
  peer->flush();
  goaways = peer->wire.take_frames(kGoaway);
  ASSERT_EQ(goaways.size(), 1u);
  EXPECT_EQ(goaways[0].word(0), 3u);
  ASSERT_TRUE(peer->feed(headers(5, kGet, true)));
  EXPECT_EQ(peer->requests.size(), 2u);
  for (Served& each : peer->requests) each.answer();
  peer->flush();
  EXPECT_TRUE(peer->session->is_over());
}

TEST_F(Http2ServerTest, WhoYieldsRefuses) {
  peer->session->refuse_requests();
  ASSERT_TRUE(peer->feed(headers(1, kGet, true)));
  EXPECT_TRUE(peer->requests.empty());
  EXPECT_EQ(resets(), std::vector<std::uint32_t>{kRefusedStream});
}

// ---- Floods ----

TEST_F(Http2ServerTest, RapidReset) {
  std::uint32_t id = 1;
  bool goes_on = true;
  int asked = 0;
  for (; goes_on && asked < 1'000; ++asked, id += 2) {
    goes_on = peer->feed(headers(id, kGet, true) + reset(id, kCancel));
  }
  EXPECT_EQ(asked, 101);
  EXPECT_TRUE(peer->session->is_flood());
  EXPECT_TRUE(said_goodbye(kCalm));
}

TEST_F(Http2ServerTest, ResetsThatAreSpreadAreNone) {
  std::uint32_t id = 1;
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < 90; ++i, id += 2) {
      ASSERT_TRUE(peer->feed(headers(id, kGet, true) + reset(id, kCancel)));
    }
    peer->now = peer->now + seconds(11);
  }
}

// The client makes us reset: MadeYouReset.
TEST_F(Http2ServerTest, ResetsOfOursThatTheClientCauses) {
  for (const bool by_window : {true, false}) {
    make({});
    std::uint32_t id = 1;
    bool goes_on = true;
    int asked = 0;
    for (; goes_on && asked < 1'000; ++asked, id += 2) {
      goes_on = peer->feed(by_window ? headers(id, kPost) + window(id, 0x7fffffff)
                                     : headers(id, with(kGet, "connection", "x"), true));
    }
    EXPECT_GE(asked, 100);
    EXPECT_LE(asked, 102);
    EXPECT_TRUE(said_goodbye(kCalm));
  }
}

TEST_F(Http2ServerTest, FramesThatBringNothing) {
  const std::string kinds[] = {ping(),
                               settings(),
                               data(1, ""),
                               window(0, 1),
                               frame(kPriority, 0, 3, number(0, 4) + '\x10'),
                               frame(0x77, 0, 0, "x"),
                               frame(kData, 8, 1, std::string("\x02", 1) + std::string(2, 0))};
  for (const std::string& kind : kinds) {
    make({});
    ASSERT_TRUE(peer->feed(headers(1, kPost)));
    int sent = 0;
    while (sent < 1'000 && peer->feed(kind)) ++sent;
    EXPECT_LE(sent, 70) << static_cast<int>(kind[3]);
    EXPECT_GE(sent, 50) << static_cast<int>(kind[3]);
    EXPECT_TRUE(said_goodbye(kCalm)) << static_cast<int>(kind[3]);
    EXPECT_TRUE(peer->last().failed.has_value() || peer->session->open_streams() == 1);
  }
}

// A client that answers each of our frames with window updates and a ping is none.
TEST_F(Http2ServerTest, FramesThatAnswersAskFor) {
  ASSERT_TRUE(peer->feed(headers(1, kGet, true)));
  peer->last().begin();
  for (int i = 0; i < 500; ++i) {
    peer->last().stream().write("data: 1\n\n");
    peer->flush();
    ASSERT_TRUE(peer->feed(window(0, 9) + window(1, 9) + ping())) << i;
    peer->wire.take();
  }
}

// ... though they come long after: its way to us was blocked. They are no credit for ever.
TEST_F(Http2ServerTest, FramesThatAnswersAskForMayComeLate) {
  ASSERT_TRUE(peer->feed(headers(1, kGet, true)));
  peer->last().begin();
  for (int i = 0; i < 200; ++i) {
    peer->last().stream().write("data: 1\n\n");
    peer->flush();
  }
  peer->now = peer->now + Http2ServerSession::kWatchTime + seconds(1);
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(peer->feed(window(0, 9) + window(1, 9))) << i;
  int sent = 0;
  while (sent < 2'000 && peer->feed(ping())) ++sent;
  EXPECT_LT(sent, 600);
}

// What a client was told is not served is not: it asks again elsewhere. The word of it may wait for
// one who does not read.
TEST_F(Http2ServerTest, NothingIsServedBeyondTheGoodbye) {
  ASSERT_TRUE(peer->feed(headers(1, kGet, true)));
  peer->wire.take();
  peer->session->say_goodbye();
  ASSERT_TRUE(peer->session->feed(headers(3, kGet, true), peer->now).has_value());
  EXPECT_EQ(peer->requests.size(), 1u);
  peer->flush();
  for (const Frame& each : peer->wire.take_frames()) {
    if (each.type == kGoaway) {
      EXPECT_EQ(each.word(0), 1u);
    } else if (each.type == kReset) {
      EXPECT_EQ(each.word(0), kRefusedStream);
    }
  }
}

TEST_F(Http2ServerTest, AHeadInTooManyFrames) {
  const std::string all = block(kGet);
  for (const bool is_empty : {true, false}) {
    make({});
    std::string frames = frame(kHeaders, kEndStream, 1, all.substr(0, 5));
    for (std::size_t i = 0; i < 9; ++i) {
      frames += frame(kContinuation, 0, 1, is_empty ? "" : all.substr(5 + i, 1));
    }
    EXPECT_FALSE(peer->feed(frames));
    EXPECT_TRUE(peer->session->is_flood());
    EXPECT_TRUE(said_goodbye(kCalm));
  }
  // Eight are none, however they are cut.
  make({});
  std::string frames = frame(kHeaders, kEndStream, 1, all.substr(0, 5));
  for (std::size_t i = 0; i < 7; ++i) frames += frame(kContinuation, 0, 1, all.substr(5 + i, 1));
  frames += frame(kContinuation, kEndHeaders, 1, all.substr(12));
  EXPECT_TRUE(peer->feed(frames, 1));
  EXPECT_EQ(peer->requests.size(), 1u);
}

// One field of the table, named again and again: a few bytes on the wire, megabytes of fields.
TEST_F(Http2ServerTest, ABombOfReferences) {
  std::string bomb = block(kGet);
  bomb += std::string("\x40\x01n\x7f\x81\x1e", 6) + std::string(4'000, 'v');
  bomb += std::string(10'000, '\xbe');
  EXPECT_FALSE(peer->feed(frame(kHeaders, kEndHeaders | kEndStream, 1, bomb)));
  EXPECT_TRUE(said_goodbye(kCalm));
}

TEST_F(Http2ServerTest, AcknowledgementsThatNobodyReads) {
  peer->wire.backlog = Stream::kBacklogLow + 1;
  Http2ServerLimits limits;
  limits.control_frames_max = 100'000;
  make(limits);
  peer->wire.backlog = Stream::kBacklogLow + 1;
  int sent = 0;
  while (sent < 1'000 && peer->feed(ping())) ++sent;
  EXPECT_LE(sent, 101);
  EXPECT_TRUE(peer->session->is_flood());
}

TEST_F(Http2ServerTest, MoreStreamsThanAllowed) {
  Http2ServerLimits limits;
  limits.streams_max = 2;
  make(limits);
  ASSERT_TRUE(peer->feed(headers(1, kGet, true) + headers(3, kGet, true)));
  peer->feed(headers(5, kGet, true));
  EXPECT_EQ(peer->requests.size(), 2u);
}

TEST_F(Http2ServerTest, NotHttp2) {
  ServerPeer stranger;
  EXPECT_FALSE(stranger.feed("GET / HTTP/1.1\r\nhost: a\r\n\r\n"));
  EXPECT_FALSE(stranger.session->is_flood());
}

// ---- What may wait -----------------------------------------------------------------------------

class Http2Waiting : public testing::Test {
 protected:
  void SetUp() override {
    peer_.answers = false;
    peer_.greet();
    ASSERT_TRUE(peer_.feed(headers(1, kGet, true)));
    peer_.last().begin();
    peer_.flush();
    peer_.wire.take();
    peer_.turns_wanted = 0;
  }
  Http2ServerStream& stream() { return peer_.last().stream(); }

  ServerPeer peer_;
};

TEST_F(Http2Waiting, WhatMayWaitAsksForNoTurnAndLeavesWithTheNextOne) {
  stream().hold_sends(milliseconds(25));
  stream().write("one ");
  stream().write("two");
  EXPECT_EQ(peer_.turns_wanted, 0);
  EXPECT_EQ(peer_.may_wait, std::vector<Duration>(2, milliseconds(25)));
  peer_.flush();
  EXPECT_NE(peer_.wire.take().find("one two"), std::string::npos) << "one frame";
}

TEST_F(Http2Waiting, TheEndDoesNotWait) {
  stream().hold_sends(milliseconds(25));
  stream().write("one");
  stream().finish();
  EXPECT_EQ(peer_.turns_wanted, 1);
}

TEST_F(Http2Waiting, WhatWaitsMayHaveToLeaveEarlierOrAtOnce) {
  stream().hold_sends(milliseconds(25));
  stream().write("one");
  stream().hold_sends(milliseconds(50));
  EXPECT_EQ(peer_.may_wait.size(), 1u);
  stream().hold_sends(milliseconds(10));
  EXPECT_EQ(peer_.may_wait.back(), milliseconds(10));
  EXPECT_EQ(peer_.turns_wanted, 0);
  stream().hold_sends({});
  EXPECT_EQ(peer_.turns_wanted, 1);
  stream().write("two");
  EXPECT_EQ(peer_.turns_wanted, 2);
}

TEST_F(Http2Waiting, WithNothingWaitingNobodyIsAsked) {
  stream().hold_sends(milliseconds(25));
  stream().hold_sends({});
  EXPECT_EQ(peer_.turns_wanted, 0);
  EXPECT_TRUE(peer_.may_wait.empty());
}

TEST_F(Http2Waiting, LessThanAFewTicksIsNoWait) {
  stream().hold_sends(milliseconds(3));
  stream().write("one");
  EXPECT_EQ(peer_.turns_wanted, 1);
}

TEST_F(Http2Waiting, MuchDoesNotWait) {
  stream().hold_sends(milliseconds(25));
  stream().write(std::string(5'000, 'x'));
  EXPECT_EQ(peer_.turns_wanted, 1);
}

}  // namespace
}  // namespace leat::net
