// SPDX-License-Identifier: Apache-2.0
// Goal: requests leave as RFC 9113 has them and no faster than the provider's windows; replies come
// to their own stream, straight from the bytes received; what one stream suffers touches no other;
// whatever a provider sends ends in an Error within bounds. Method: a session whose other side is
// frames written by hand, mistakes and all.
#include "net/http2_session.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <memory>

#include "net/http2_frames.h"

namespace leat::net {
namespace {

using namespace http2;

class Asker final : public Http2Stream {
 public:
  int status = 0;
  std::string body;
  int pauses = 0;
  bool ended = false;
  std::optional<Error> failed;
  std::vector<std::string_view> slices;
  std::string retry_after;
  std::optional<std::uint64_t> length;
  std::function<void()> on_body;

 private:
  void on_stream_head(const proto::ResponseHead& head) override {
    status = head.status;
    retry_after = head.retry_after;
    length = head.content_length;
    EXPECT_FALSE(head.chunked || head.until_close || head.http10);
  }
  void on_stream_body(std::string_view bytes) override {
    body += bytes;
    slices.push_back(bytes);
    if (on_body) on_body();
  }
  void on_stream_pause() override { ++pauses; }
  void on_stream_end() override { ended = true; }
  void on_stream_failed(const Error& why) override { failed = why; }
};

class Http2SessionTest : public testing::Test {
 protected:
  void SetUp() override { make({}); }
  void TearDown() override { close(); }

  void make(const Http2Limits& limits) {
    close();
    session = std::make_unique<Http2Session>(limits, scratch, "https");
    wire = RecordingStream();
  }
  void close() {
    if (session == nullptr) return;
    session->fail_streams({.code = Code::kClosed});
    session.reset();
  }
  // As the first request of the connection has it: 1, 3, ...
  void ask(Asker& asker, std::string_view body = "{}") {
    BlockRef block = Block::allocate(body.size());
    body.copy(block->data(), body.size());
    block->size = body.size();
    const std::string_view piece(block->data(), body.size());
    options.content_length = body.size();
    ASSERT_TRUE(session->send(asker, options, {block.get(), {&piece, 1}}).has_value());
    EXPECT_TRUE(session->write_to(wire).has_value());
  }
  // The session's verdict on these bytes, its answer written.
  Result<void> feed(std::string_view bytes) {
    const auto fed = session->feed({bytes.data(), bytes.size()}, now);
    const auto written = session->write_to(wire);
    return fed ? written : fed;
  }
  void give(std::string_view bytes) {
    const auto fed = feed(bytes);
    ASSERT_TRUE(fed.has_value()) << fed.error().what;
  }
  proto::RequestOptions options{.target = "/v1/chat", .host = "api.example", .bearer = "secret"};
  proto::ResponseHead scratch;
  Instant now{seconds(1).ns};
  RecordingStream wire;
  std::unique_ptr<Http2Session> session;
  Asker first, second, third;
};

// ---- Requests ----------------------------------------------------------------------------------

TEST_F(Http2SessionTest, ARequestHasItsPrefaceItsWindowsAndItsFields) {
  const proto::Field extra{"X-Title", "a test"};
  options.fields = {&extra, 1};
  ask(first, "{\"a\":1}");
  const std::string all = wire.take();
  ASSERT_TRUE(all.starts_with(kPreface));
  const auto frames = frames_of(all);
  ASSERT_EQ(frames.size(), 4u);
  EXPECT_EQ(frames[0].type, kSettings);
  EXPECT_EQ(frames[1].type, kWindow);
  EXPECT_EQ(frames[1].word(0), (16u << 20) - 65'535);
  EXPECT_EQ(frames[2].type, kHeaders);
  EXPECT_EQ(frames[2].id, 1u);
  FieldReader reader;
  const Fields fields = reader.read(frames[2].payload);
  const Fields expected = {{":method", "POST"},
                           {":scheme", "https"},
                           {":authority", "api.example"},
                           {":path", "/v1/chat"},
                           {"user-agent", "leat/0.1"},
                           {"accept", "application/json"},
                           {"accept-encoding", "identity"},
                           {"authorization", "Bearer secret"},
                           {"content-type", "application/json"},
                           {"content-length", "7"},
                           {"x-title", "a test"}};
  EXPECT_EQ(fields, expected);
  EXPECT_NE(std::ranges::find(reader.never_indexed, "authorization"), reader.never_indexed.end());
  EXPECT_EQ(frames[3].type, kData);
  EXPECT_EQ(frames[3].flags, kEndStream);
  EXPECT_EQ(frames[3].payload, "{\"a\":1}");
}

TEST_F(Http2SessionTest, WhatCannotBeWrittenIsNoRequest) {
  for (const proto::Field field : {proto::Field{"bad name", "x"}, proto::Field{"x", "a\r\nb"},
                                   proto::Field{"Connection", "close"}}) {
    options.fields = {&field, 1};
    const auto sent = session->send(first, options, {});
    ASSERT_FALSE(sent.has_value()) << field.name;
    EXPECT_EQ(sent.error().code, Code::kInvalid);
  }
  EXPECT_EQ(session->open_streams(), 0u);
}

TEST_F(Http2SessionTest, ABodyWaitsForTheProvidersWindows) {
  const std::string body(200'000, 'x');
  ask(first, body);
  std::size_t sent = 0;
  const auto count = [&] {
    for (const Frame& each : wire.take_frames(kData)) sent += each.payload.size();
  };
  count();
  EXPECT_EQ(sent, 65'535u);
  give(settings() + window(1, 1'000'000));
  count();
  EXPECT_EQ(sent, 65'535u);  // the connection's is used up
  give(window(0, 100'000));
  count();
  EXPECT_EQ(sent, 165'535u);
  give(window(0, 100'000));
  count();
  EXPECT_EQ(sent, body.size());
}

TEST_F(Http2SessionTest, NothingIsWrittenToWhoDoesNotRead) {
  give(settings({{kInitialWindow, 1u << 30}}) + window(0, 1u << 30));
  wire.take();
  wire.backlog = Stream::kBacklogLow + 1;
  ask(first, std::string(100'000, 'x'));
  EXPECT_TRUE(wire.take().empty());
  EXPECT_TRUE(session->wants_write());
  wire.backlog = 0;
  ASSERT_TRUE(session->write_to(wire).has_value());
  EXPECT_EQ(wire.take().size() > 100'000, true);
}

TEST_F(Http2SessionTest, TheBlockOfABodyIsKeptUntilItsBytesHaveLeft) {
  BlockRef block = Block::allocate(10'000);
  block->size = 10'000;
  std::fill_n(block->data(), 10'000, 'x');
  const std::string_view piece(block->data(), 10'000);
  const auto copied = session->send(first, options, {block.get(), {&piece, 1}});
  ASSERT_TRUE(copied.has_value());
  EXPECT_EQ(*copied, 0u);
  ASSERT_TRUE(session->write_to(wire).has_value());
  session->cancel(first);
  EXPECT_FALSE(block.is_sole());
  session->release_written();
  EXPECT_FALSE(block.is_sole());
  session->release_written();
  EXPECT_TRUE(block.is_sole());
}

// ---- Replies -----------------------------------------------------------------------------------

TEST_F(Http2SessionTest, RepliesComeToTheirStreamsUncopied) {
  ask(first);
  ask(second);
  const std::string bytes = settings() + headers(3, {{":status", "200"}, {"retry-after", "7"}}) +
                            data(3, "two") + headers(1, {{":status", "201"}}) +
                            data(1, "one", true) + data(3, " more");
  give(bytes);
  EXPECT_EQ(first.status, 201);
  EXPECT_EQ(first.body, "one");
  EXPECT_TRUE(first.ended);
  EXPECT_EQ(first.pauses, 0);
  EXPECT_EQ(second.status, 200);
  EXPECT_EQ(second.retry_after, "7");
  EXPECT_EQ(second.body, "two more");
  EXPECT_EQ(second.pauses, 1);
  EXPECT_FALSE(second.ended);
  for (const std::string_view slice : second.slices) {
    EXPECT_TRUE(slice.data() >= bytes.data() && slice.data() < bytes.data() + bytes.size());
  }
  give(data(3, "", true));
  EXPECT_TRUE(second.ended);
  EXPECT_EQ(session->open_streams(), 0u);
}

TEST_F(Http2SessionTest, TheAnswerDoesNotDependOnTheCuts) {
  ask(first);
  const std::string bytes = settings() + headers(1, {{":status", "103"}, {"link", "x"}}) +
                            headers(1, {{":status", "200"}, {"content-length", "5"}}) +
                            data(1, "hel") + ping() + data(1, "lo") +
                            headers(1, {{"grpc-status", "0"}}, true);
  for (const char byte : bytes) give({&byte, 1});
  EXPECT_EQ(first.status, 200);
  EXPECT_EQ(first.length, 5u);
  EXPECT_EQ(first.body, "hello");
  EXPECT_TRUE(first.ended);
}

TEST_F(Http2SessionTest, AReplyBeforeTheRequestIsWholeStopsTheRequest) {
  ask(first, std::string(100'000, 'x'));
  wire.take();
  give(settings() + reply(1));
  EXPECT_TRUE(first.ended);
  const auto resets = wire.take_frames(kReset);
  ASSERT_EQ(resets.size(), 1u);
  give(window(0, 100'000));
  EXPECT_TRUE(wire.take_frames(kData).empty());
}

TEST_F(Http2SessionTest, AMalformedReplyFailsItsOwnStream) {
  const Fields sound = {{":status", "200"}};
  Fields many = sound;
  for (int i = 0; i < 130; ++i) many.emplace_back("x-" + std::to_string(i), "y");
  std::string early;
  for (int i = 0; i < 9; ++i) early += headers(3, {{":status", "103"}});
  const std::pair<const char*, std::string> replies[] = {
      {"no status", headers(3, {{"content-type", "text/plain"}})},
      {"two statuses", headers(3, {{":status", "200"}, {":status", "200"}})},
      {"a status that is none", headers(3, {{":status", "abc"}})},
      {"a status out of range", headers(3, {{":status", "999"}})},
      {"status after fields", headers(3, {{"a", "b"}, {":status", "200"}})},
      {"another pseudo-field", headers(3, {{":status", "200"}, {":path", "/"}})},
      {"an upgrade", headers(3, {{":status", "101"}})},
      {"connection", headers(3, {{":status", "200"}, {"connection", "close"}})},
      {"transfer-encoding", headers(3, {{":status", "200"}, {"transfer-encoding", "chunked"}})},
      {"capitals", headers(3, {{":status", "200"}, {"Content-Type", "x"}})},
      {"a control byte", headers(3, {{":status", "200"}, {"x", "a\nb"}})},
      {"two types", headers(3, {{":status", "200"}, {"content-type", "a"}, {"content-type", "b"}})},
      {"two lengths",
       headers(3, {{":status", "200"}, {"content-length", "1"}, {"content-length", "2"}})},
      {"a length that is none", headers(3, {{":status", "200"}, {"content-length", "-1"}})},
      {"too short", headers(3, {{":status", "200"}, {"content-length", "9"}}) + data(3, "x", true)},
      {"too long", headers(3, {{":status", "200"}, {"content-length", "1"}}) + data(3, "xx")},
      {"an early head that ends", headers(3, {{":status", "103"}}, true)},
      {"too many early heads", early},
      {"a trailer that goes on", headers(3, sound) + headers(3, {{"a", "b"}})},
      {"too many fields", headers(3, many)},
  };
  for (const auto& [what, bytes] : replies) {
    make({});
    Asker well, ill;
    ask(well);
    ask(ill);
    give(settings());
    wire.take();
    give(bytes);
    ASSERT_TRUE(ill.failed.has_value()) << what;
    EXPECT_EQ(ill.failed->code, Code::kProtocol) << what;
    EXPECT_EQ(ill.failed->source, Source::kUpstream) << what;
    EXPECT_FALSE(ill.ended) << what;
    EXPECT_EQ(wire.take_frames(kReset).size(), 1u) << what;
    give(reply(1));
    EXPECT_TRUE(well.ended) << what;
    close();
  }
}

TEST_F(Http2SessionTest, AHeadBeyondTheLimitFailsItsStream) {
  make({.head_bytes_max = 4'096});
  ask(first);
  give(settings() + headers(1, {{":status", "200"}, {"cookie", std::string(5'000, 'x')}}));
  ASSERT_TRUE(first.failed.has_value());
  EXPECT_EQ(first.failed->code, Code::kProtocol);
  EXPECT_TRUE(session->takes_streams());
}

// ---- Windows -----------------------------------------------------------------------------------

TEST_F(Http2SessionTest, AWindowIsGivenBackInQuarters) {
  make({.stream_window_bytes = 1 << 20});
  ask(first);
  give(greeting() + headers(1, {{":status", "200"}}));
  wire.take();
  const std::string slice(16'000, 'x');
  for (int i = 0; i < 16; ++i) give(data(1, slice));
  EXPECT_TRUE(wire.take_frames(kWindow).empty());
  give(data(1, slice));
  const auto updates = wire.take_frames(kWindow);
  ASSERT_EQ(updates.size(), 1u);
  EXPECT_EQ(updates[0].id, 1u);
  EXPECT_EQ(updates[0].word(0), 17 * slice.size());
}

// What the provider may send on the stream after `slices` that came `each` after the other.
class Http2WindowTest : public Http2SessionTest {
 protected:
  std::int64_t promised_after(int slices, Duration each) {
    ask(first);
    give(greeting() + headers(1, {{":status", "200"}}));
    std::int64_t promised = 65'535;
    const std::string slice(16'000, 'x');
    for (int i = 0; i < slices; ++i) {
      now = now + each;
      give(data(1, slice));
      promised -= static_cast<std::int64_t>(slice.size());
      EXPECT_GE(promised, 0);
      for (const Frame& update : wire.take_frames(kWindow)) {
        if (update.id == 1) promised += update.word(0);
      }
    }
    return promised;
  }
};

TEST_F(Http2WindowTest, WhoTakesMuchIsPromisedMore) {
  const std::int64_t promised = promised_after(300, milliseconds(1));
  EXPECT_LE(promised, 1 << 20);
  EXPECT_GE(promised, (1 << 20) / 4 * 3);
}

TEST_F(Http2WindowTest, WhoTakesLittleIsPromisedNoMore) {
  const std::int64_t promised = promised_after(300, milliseconds(400));
  EXPECT_LE(promised, 65'535);
  EXPECT_GE(promised, 65'535 / 4 * 3);
}

TEST_F(Http2WindowTest, WhoTakesNothingIsPromisedNothing) {
  const std::int64_t before = promised_after(3, milliseconds(1));
  session->pause(first);
  const std::string slice(1'000, 'x');
  for (int i = 0; i < before / 1'000; ++i) give(data(1, slice));
  EXPECT_TRUE(wire.take_frames(kWindow).empty());
  session->resume(first);
  ASSERT_TRUE(session->write_to(wire).has_value());
  EXPECT_EQ(wire.take_frames(kWindow).size(), 1u) << "what it had held back, and no more";
}

TEST_F(Http2SessionTest, APausedStreamHoldsBackItsOwnWindowOnly) {
  make({.stream_window_bytes = 1 << 20, .connection_window_bytes = 1 << 20});
  ask(first);
  ask(second);
  give(greeting() + headers(1, {{":status", "200"}}) + headers(3, {{":status", "200"}}));
  wire.take();
  session->pause(first);
  const std::string slice(16'000, 'x');
  std::size_t given_back = 0;
  for (int i = 0; i < 60; ++i) {
    give(data(1, slice));
    for (const Frame& each : wire.take_frames(kWindow)) {
      EXPECT_EQ(each.id, 0u);
      given_back += each.word(0);
    }
  }
  EXPECT_GE(given_back, 60 * slice.size() - (1u << 18));
  give(data(3, slice));
  EXPECT_EQ(second.body.size(), slice.size());
  wire.take();
  session->resume(first);
  ASSERT_TRUE(session->write_to(wire).has_value());
  const auto updates = wire.take_frames(kWindow);
  ASSERT_EQ(updates.size(), 1u);
  EXPECT_EQ(updates[0].id, 1u);
  EXPECT_EQ(updates[0].word(0), 60 * slice.size());
}

TEST_F(Http2SessionTest, WhatComesForACancelledStreamIsGivenBackToTheConnection) {
  make({.connection_window_bytes = 1 << 18});
  ask(first);
  give(greeting() + headers(1, {{":status", "200"}}));
  session->cancel(first);
  ASSERT_TRUE(session->write_to(wire).has_value());
  wire.take();
  const std::string slice(16'000, 'x');
  std::size_t given_back = 0;
  for (int i = 0; i < 100; ++i) {
    give(data(1, slice));
    for (const Frame& each : wire.take_frames(kWindow)) given_back += each.word(0);
  }
  EXPECT_GE(given_back, 100 * slice.size() - (1u << 18));
}

// ---- Ends --------------------------------------------------------------------------------------

TEST_F(Http2SessionTest, CancellingResetsThatStreamAndNoOther) {
  ask(first);
  ask(second);
  give(settings() + headers(1, {{":status", "200"}}) + data(1, "x"));
  wire.take();
  session->cancel(first);
  ASSERT_TRUE(session->write_to(wire).has_value());
  const auto resets = wire.take_frames();
  ASSERT_EQ(resets.size(), 1u);
  EXPECT_EQ(resets[0].type, kReset);
  EXPECT_EQ(resets[0].id, 1u);
  EXPECT_EQ(resets[0].word(0), kCancel);
  give(data(1, "too late", true) + reply(3));
  EXPECT_EQ(first.body, "x");
  EXPECT_FALSE(first.ended || first.failed);
  EXPECT_TRUE(second.ended);
}

TEST_F(Http2SessionTest, OneMayCancelInsideItsOwnCallback) {
  ask(first);
  first.on_body = [&] { session->cancel(first); };
  give(settings() + headers(1, {{":status", "200"}}) + data(1, "one") + data(1, "two", true));
  EXPECT_EQ(first.body, "one");
  EXPECT_FALSE(first.ended);
  ask(second);
  give(reply(3));
  EXPECT_TRUE(second.ended);
}

TEST_F(Http2SessionTest, WhatIsCancelledBeforeItLeftNeverLeaves) {
  give(settings());
  wire.take();
  ASSERT_TRUE(session->send(first, options, {}).has_value());
  session->cancel(first);
  ASSERT_TRUE(session->write_to(wire).has_value());
  EXPECT_TRUE(wire.take_frames(kHeaders).empty());
  ask(second);
  EXPECT_EQ(session->open_streams(), 1u);
}

TEST_F(Http2SessionTest, ARefusedStreamWasNotExecuted) {
  ask(first);
  ask(second);
  ask(third);
  give(settings() + reset(1, kRefusedStream) + reset(3, 2) + reply(5));
  ASSERT_TRUE(first.failed && second.failed);
  EXPECT_EQ(first.failed->retry, Retry::kNotExecuted);
  EXPECT_EQ(second.failed->retry, Retry::kOtherUpstream);
  EXPECT_EQ(second.failed->code, Code::kReset);
  EXPECT_TRUE(third.ended);
}

TEST_F(Http2SessionTest, ARefusalAfterTheHeadIsNone) {
  ask(first);
  give(settings() + headers(1, {{":status", "200"}}) + reset(1, kRefusedStream));
  ASSERT_TRUE(first.failed.has_value());
  EXPECT_EQ(first.failed->retry, Retry::kOtherUpstream);
}

TEST_F(Http2SessionTest, GoawayTellsWhatWasNotExecutedAndLetsTheRestGoOn) {
  ask(first);
  ask(second);
  give(settings() + goaway(1));
  EXPECT_FALSE(first.failed.has_value());
  ASSERT_TRUE(second.failed.has_value());
  EXPECT_EQ(second.failed->retry, Retry::kNotExecuted);
  EXPECT_FALSE(session->takes_streams());
  give(reply(1));
  EXPECT_TRUE(first.ended);
}

TEST_F(Http2SessionTest, WhatWaitsWhenGoawayComesWasNotExecuted) {
  give(settings());
  ASSERT_TRUE(session->send(first, options, {}).has_value());
  give(goaway(0));
  ASSERT_TRUE(first.failed.has_value());
  EXPECT_EQ(first.failed->retry, Retry::kNotExecuted);
  const auto sent = session->send(second, options, {});
  if (sent) {
    ASSERT_TRUE(session->write_to(wire).has_value());
    ASSERT_TRUE(second.failed.has_value());
    EXPECT_EQ(second.failed->retry, Retry::kNotExecuted);
  }
}

TEST_F(Http2SessionTest, TheProviderSaysHowManyStreamsItTakes) {
  EXPECT_EQ(session->streams_max(), 100u);
  give(settings({{kMaxConcurrentStreams, 7}}));
  EXPECT_EQ(session->streams_max(), 7u);
}

// ---- Hostile providers -------------------------------------------------------------------------

TEST_F(Http2SessionTest, WhoeverBreaksTheProtocolIsLeft) {
  const auto many = [](const std::string& one, int count) {
    std::string all;
    for (int i = 0; i < count; ++i) all += one;
    return all;
  };
  std::string continuations = frame(kHeaders, 0, 1, block({{":status", "200"}}));
  continuations += many(frame(kContinuation, 0, 1, block({{"a", "b"}})), 50);
  const std::pair<const char*, std::string> attacks[] = {
      {"no HTTP/2 at all", "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"},
      {"SETTINGS missing", headers(1, {{":status", "200"}})},
      {"a flood of PING", settings() + many(ping(), 1'000)},
      {"a flood of SETTINGS", many(settings(), 1'000)},
      {"a flood of empty DATA",
       settings() + headers(1, {{":status", "200"}}) + many(data(1, ""), 1'000)},
      {"a flood of PRIORITY", settings() + many(frame(kPriority, 0, 1, number(3, 4) + "x"), 1'000)},
      {"a flood of resets", settings() + many(reset(1, 8), 1'000)},
      {"a flood of CONTINUATION", settings() + continuations},
      {"a push", greeting() + frame(kPush, kEndHeaders, 1, number(2, 4) + block({{":path", "/"}}))},
      {"a stream that nobody opened", settings() + headers(9, {{":status", "200"}})},
      {"an even stream", settings() + headers(2, {{":status", "200"}})},
      {"DATA before a head", settings() + data(1, "x")},
      {"DATA on no stream", settings() + data(0, "x")},
      {"a SETTINGS of the wrong size", frame(kSettings, 0, 0, "12345")},
      {"a PING of the wrong size", settings() + frame(kPing, 0, 0, "1")},
      {"a frame that is too large", settings() + frame(kData, 0, 1, std::string(20'000, 'x'))},
      {"a window beyond all bounds", settings() + window(0, 0x7fffffff)},
      {"no window at all", settings() + window(0, 0)},
      {"HPACK of nothing", settings() + frame(kHeaders, kEndHeaders, 1, "\xff\xff\xff\xff\xff")},
      {"a head that is interrupted",
       settings() + frame(kHeaders, 0, 1, block({{":status", "200"}})) + ping()},
  };
  for (const auto& [what, bytes] : attacks) {
    make({});
    Asker asker;
    ask(asker);
    const auto fed = feed(bytes);
    ASSERT_FALSE(fed.has_value()) << what;
    EXPECT_EQ(fed.error().code, Code::kProtocol) << what;
    EXPECT_FALSE(session->takes_streams()) << what;
    EXPECT_FALSE(feed(settings()).has_value()) << what;
    close();
  }
}

TEST_F(Http2SessionTest, APatientFriendMayPing) {
  for (int i = 0; i < 2'000; ++i) {
    give(i == 0 ? settings() : ping());
    now = now + milliseconds(100);
  }
  EXPECT_EQ(wire.take_frames(kPing).size(), 1'999u);
}

// It answers before it has read the request, and resets what it does not read (RFC 9113, 8.1): by
// then nobody waits for the stream.
TEST_F(Http2SessionTest, AFriendMayRefuseManyRequestsEarly) {
  give(settings());
  for (std::uint32_t id = 1; id < 2'000; id += 2) {
    Asker asker;
    ask(asker);
    give(headers(id, {{":status", "429"}}, true) + reset(id, 0));
    ASSERT_TRUE(asker.ended) << id;
  }
  EXPECT_TRUE(session->takes_streams());
}

TEST_F(Http2SessionTest, WhoReadsNoAcknowledgementsIsLeft) {
  make({.control_frames_max = 1'000'000});
  give(settings());
  wire.backlog = Stream::kBacklogLow + 1;
  bool is_over = false;
  for (int i = 0; i < 1'000 && !is_over; ++i) is_over = !feed(ping()).has_value();
  EXPECT_TRUE(is_over);
}

TEST_F(Http2SessionTest, TheWindowOfAStreamIsKeptTo) {
  make({.stream_window_bytes = 65'535});
  ask(first);
  give(greeting() + headers(1, {{":status", "200"}}));
  session->pause(first);
  const std::string slice(16'000, 'x');
  for (int i = 0; i < 4; ++i) give(data(1, slice));
  (void)feed(data(1, slice));
  EXPECT_TRUE(first.failed.has_value() || !session->takes_streams());
}

}  // namespace
}  // namespace leat::net
