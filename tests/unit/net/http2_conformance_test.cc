// SPDX-License-Identifier: Apache-2.0
// Goal: what RFC 9113 and RFC 7541 have a server do with what is allowed and what is not, case by
// case as h2spec has them (its names and sections, of RFC 7540, in ours). Method: one table; each
// case is bytes behind a good greeting, given whole and byte by byte, and what must come of them.
// Left out: a stream that depends on itself (5.3.1), since RFC 9113 has no priorities of that kind.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "net/http2_server_peer.h"

namespace leat::net {
namespace {

enum Error2 : std::uint32_t {
  kNoError = 0,
  kProtocolError = 1,
  kFlowControl = 3,
  kStreamClosed = 5,
  kFrameSize = 6,
  kRefused = 7,
  kCompression = 9,
};

struct Expected {
  enum What { kAnswers, kConnectionError, kStreamError, kPong, kNothing } what = kAnswers;
  std::vector<std::uint32_t> codes;  // any of them
  int answers = 1;                   // whole ones, at least
};
Expected answers(int count = 1) {
  return {Expected::kAnswers, {}, count};
}
Expected connection_error(std::vector<std::uint32_t> codes) {
  return {Expected::kConnectionError, std::move(codes), 0};
}
// A stream error may be made one of the connection.
Expected stream_error(std::vector<std::uint32_t> codes) {
  return {Expected::kStreamError, std::move(codes), 0};
}
Expected pong() {
  return {Expected::kPong, {}, 0};
}

struct Case {
  const char* section;  // of RFC 9113, or of RFC 7541 behind "hpack"
  const char* name;
  std::string bytes;
  Expected expected;
};

std::string get(std::uint32_t id) {
  return headers(id, kGet, true);
}
std::string post(std::uint32_t id) {
  return headers(id, kPost);
}
// A head as it stands on the wire.
std::string raw(std::uint32_t id, std::string_view block_bytes, bool ends = true) {
  return frame(kHeaders, kEndHeaders | (ends ? kEndStream : 0), id, block_bytes);
}
std::string priority(std::uint32_t id, std::uint32_t on = 0, int weight = 15) {
  return frame(kPriority, 0, id, number(on, 4) + static_cast<char>(weight));
}
constexpr std::uint8_t kPadded = 8;
constexpr std::uint8_t kHasPriority = 32;
// GET / http by the static table, the authority as a literal.
const std::string kIndexed = std::string("\x82\x86\x84\x41\x01", 5) + "a";

void add_generic(std::vector<Case>& cases) {
  const auto add = [&](const char* section, const char* name, std::string bytes,
                       Expected expected = answers()) {
    cases.push_back({section, name, std::move(bytes), std::move(expected)});
  };
  add("3.4", "client preface", get(1));
  add("5.1", "idle: PRIORITY", priority(1) + get(1));
  add("5.1", "half-closed (remote): WINDOW_UPDATE", get(1) + window(1, 1) + get(3), answers(2));
  add("5.1", "half-closed (remote): PRIORITY", get(1) + priority(1) + get(3), answers(2));
  add("5.1", "half-closed (remote): RST_STREAM", get(1) + reset(1, 8) + get(3));
  add("5.1", "closed: PRIORITY", post(1) + reset(1, 8) + priority(1) + get(3));
  add("6.1", "DATA", post(1) + data(1, "x", true));
  add("6.1", "several DATA", post(1) + data(1, "x") + data(1, "y", true));
  add("6.1", "DATA with padding",
      post(1) + frame(kData, kPadded | kEndStream, 1, std::string("\x05x") + std::string(5, 0)));
  add("6.2", "HEADERS", get(1));
  add("6.2", "HEADERS with padding",
      frame(kHeaders, kPadded | kEndHeaders | kEndStream, 1,
            std::string(1, 5) + block(kGet) + std::string(5, 0)));
  add("6.2", "HEADERS with priority",
      frame(kHeaders, kHasPriority | kEndHeaders | kEndStream, 1,
            number(0, 4) + '\x10' + block(kGet)));
  add("6.3", "PRIORITY of weight 1", priority(1, 0, 0) + get(1));
  add("6.3", "PRIORITY of weight 256", priority(1, 0, 255) + get(1));
  add("6.3", "PRIORITY with a dependency", priority(1, 3) + get(1));
  add("6.3", "PRIORITY, exclusive", priority(1, 0x80000003) + get(1));
  add("6.3", "PRIORITY of an idle stream, then a smaller one", priority(5) + get(3));
  add("6.4", "RST_STREAM", post(1) + reset(1, 8) + get(3));
  add("6.5", "SETTINGS", settings({{3, 100}}) + get(1));
  add("6.7", "PING", ping(), pong());
  add("6.8", "GOAWAY", goaway(0) + ping(), {Expected::kNothing, {}, 0});
  add("6.9", "WINDOW_UPDATE of the connection", window(0, 1) + get(1));
  add("6.9", "WINDOW_UPDATE of a stream", post(1) + window(1, 1) + data(1, "", true));
  const std::string whole = block(kGet);
  add("6.10", "CONTINUATION",
      frame(kHeaders, kEndStream, 1, whole.substr(0, 7)) +
          frame(kContinuation, kEndHeaders, 1, whole.substr(7)));
  add("6.10", "several CONTINUATIONs",
      frame(kHeaders, kEndStream, 1, whole.substr(0, 7)) +
          frame(kContinuation, 0, 1, whole.substr(7, 7)) +
          frame(kContinuation, kEndHeaders, 1, whole.substr(14)));
  add("8.1", "GET", get(1));
  add("8.1", "HEAD", headers(1, as(kGet, ":method", "HEAD"), true));
  add("8.1", "OPTIONS", headers(1, as(kGet, ":method", "OPTIONS"), true));
  add("8.1", "POST", post(1) + data(1, "x", true));
  add("8.1", "POST with trailers", post(1) + data(1, "x") + headers(1, {{"x-trailer", "1"}}, true));
  // RFC 7541.
  add("hpack 6.1", "indexed field", raw(1, kIndexed));
  add("hpack 6.2.1", "incremental, indexed name", raw(1, kIndexed + "\x7a\x01u"));
  add("hpack 6.2.1", "incremental, new name", raw(1, kIndexed + std::string("\x40\x01n\x01v", 5)));
  add("hpack 6.2.2", "no indexing, indexed name",
      raw(1, kIndexed + std::string("\x0f\x2b\x01u", 4)));
  add("hpack 6.2.2", "no indexing, new name", raw(1, kIndexed + std::string("\0\x01n\x01v", 5)));
  add("hpack 6.2.3", "never indexed, indexed name",
      raw(1, kIndexed + std::string("\x1f\x2b\x01u", 4)));
  add("hpack 6.2.3", "never indexed, new name",
      raw(1, kIndexed + std::string("\x10\x01n\x01v", 5)));
  add("hpack 2.3.3", "from the dynamic table",
      raw(1, kIndexed + std::string("\x40\x01n\x01v", 5)) + raw(3, "\x82\x86\x84\xbf\xbe"),
      answers(2));
  add("hpack 5.2", "Huffman's code", raw(1, kIndexed + std::string("\0\x01n\x81\x1f", 5)));
  add("hpack 6.3", "table size update", raw(1, "\x20" + kIndexed));
  add("hpack 6.3", "two table size updates", raw(1, std::string("\x20\x3f\x45", 3) + kIndexed));
}

void add_frames(std::vector<Case>& cases) {
  const auto add = [&](const char* section, const char* name, std::string bytes,
                       Expected expected = answers()) {
    cases.push_back({section, name, std::move(bytes), std::move(expected)});
  };
  const std::string whole = block(kGet);
  add("4.1", "unknown type", frame(0x16, 0, 0, "whatever") + ping(), pong());
  add("4.1", "undefined flags", frame(kPing, 0x16, 0, "12345678"), pong());
  add("4.1", "reserved bit", frame(kPing, 0, 0x80000000, "12345678"), pong());
  add("4.2", "DATA of 2^14", post(1) + data(1, std::string(1 << 14, 'x'), true));
  add("4.2", "DATA beyond the frame size", post(1) + data(1, std::string((1 << 14) + 1, 'x'), true),
      stream_error({kFrameSize}));
  add("4.2", "HEADERS beyond the frame size", raw(1, whole + std::string(1 << 14, '\0')),
      connection_error({kFrameSize}));
  add("4.3", "invalid header block", raw(1, "\xff\xff\xff\xff\xff\xff"),
      connection_error({kCompression}));
  add("4.3", "PRIORITY within a header block",
      frame(kHeaders, kEndStream, 1, whole.substr(0, 7)) + priority(1),
      connection_error({kProtocolError}));
  add("4.3", "HEADERS of another stream within a header block",
      frame(kHeaders, kEndStream, 1, whole.substr(0, 7)) + get(3),
      connection_error({kProtocolError}));
  add("5.1", "idle: DATA", data(1, "x", true), connection_error({kProtocolError}));
  add("5.1", "idle: RST_STREAM", reset(1, 8), connection_error({kProtocolError}));
  add("5.1", "idle: WINDOW_UPDATE", window(1, 1), connection_error({kProtocolError}));
  add("5.1", "idle: CONTINUATION", frame(kContinuation, kEndHeaders, 1, whole),
      connection_error({kProtocolError}));
  const std::string waiting = headers(1, as(kPost, ":path", "/wait"), true);  // is not answered
  add("5.1", "half-closed (remote): DATA", waiting + data(1, "x", true),
      stream_error({kStreamClosed}));
  add("5.1", "half-closed (remote): HEADERS", waiting + get(1), stream_error({kStreamClosed}));
  add("5.1", "half-closed (remote): CONTINUATION",
      waiting + frame(kContinuation, kEndHeaders, 1, whole),
      stream_error({kStreamClosed, kProtocolError}));
  const std::string left = post(1) + reset(1, 8);
  add("5.1", "closed by RST_STREAM: DATA", left + data(1, "x", true),
      stream_error({kStreamClosed}));
  add("5.1", "closed by RST_STREAM: HEADERS", left + get(1), stream_error({kStreamClosed}));
  add("5.1", "closed by RST_STREAM: CONTINUATION",
      left + frame(kContinuation, kEndHeaders, 1, whole),
      stream_error({kStreamClosed, kProtocolError}));
  add("5.1", "closed: DATA", get(1) + data(1, "x", true), connection_error({kStreamClosed}));
  add("5.1", "closed: HEADERS", get(1) + get(1), connection_error({kStreamClosed}));
  add("5.1", "closed: CONTINUATION", get(1) + frame(kContinuation, kEndHeaders, 1, whole),
      connection_error({kStreamClosed, kProtocolError}));
  add("5.1.1", "even number", get(2), connection_error({kProtocolError}));
  add("5.1.1", "smaller number", get(5) + get(3),
      connection_error({kProtocolError, kStreamClosed}));
  add("5.4.1", "GOAWAY behind an error of the connection", frame(kPing, 0, 3, "12345678"),
      connection_error({kProtocolError}));
  add("5.5", "unknown extension", frame(0xff, 0, 0, "x") + ping(), pong());
  add("5.5", "unknown extension within a header block",
      frame(kHeaders, kEndStream, 1, whole.substr(0, 7)) + frame(0xff, 0, 0, "x"),
      connection_error({kProtocolError}));
  add("6.1", "DATA of stream 0", data(0, "x"), connection_error({kProtocolError}));
  add("6.1", "DATA of a stream that is not open", waiting + data(1, "x"),
      stream_error({kStreamClosed}));
  add("6.1", "padding too long", post(1) + frame(kData, kPadded | kEndStream, 1, "\x06test"),
      connection_error({kProtocolError}));
  add("6.2", "HEADERS of stream 0", get(0), connection_error({kProtocolError}));
  add("6.2", "HEADERS with padding too long",
      frame(kHeaders, kPadded | kEndHeaders | kEndStream, 1, '\x7f' + kIndexed),
      connection_error({kProtocolError}));
  add("6.3", "PRIORITY of stream 0", priority(0), connection_error({kProtocolError}));
  add("6.3", "PRIORITY of a wrong length", frame(kPriority, 0, 1, "1234"),
      stream_error({kFrameSize}));
}

void add_control(std::vector<Case>& cases) {
  const auto add = [&](const char* section, const char* name, std::string bytes,
                       Expected expected = answers()) {
    cases.push_back({section, name, std::move(bytes), std::move(expected)});
  };
  const std::string whole = block(kGet);
  add("6.4", "RST_STREAM of stream 0", reset(0, 8), connection_error({kProtocolError}));
  add("6.4", "RST_STREAM of a wrong length", post(1) + frame(kReset, 0, 1, "123"),
      connection_error({kFrameSize}));
  add("8.4", "PUSH_PROMISE of a client", frame(kPush, kEndHeaders, 1, number(3, 4) + whole),
      connection_error({kProtocolError}));
  add("6.5", "SETTINGS ACK with a payload", frame(kSettings, kAck, 0, "123456"),
      connection_error({kFrameSize}));
  add("6.5", "SETTINGS of a stream", frame(kSettings, 0, 1, number(3, 2) + number(1, 4)),
      connection_error({kProtocolError}));
  add("6.5", "SETTINGS of a wrong length", frame(kSettings, 0, 0, "123"),
      connection_error({kFrameSize}));
  add("6.5.2", "ENABLE_PUSH 2", settings({{2, 2}}), connection_error({kProtocolError}));
  add("6.5.2", "INITIAL_WINDOW_SIZE beyond 2^31-1", settings({{4, 0x80000000}}),
      connection_error({kFlowControl}));
  add("6.5.2", "MAX_FRAME_SIZE below 2^14", settings({{5, 16'383}}),
      connection_error({kProtocolError}));
  add("6.5.2", "MAX_FRAME_SIZE beyond 2^24-1", settings({{5, 1 << 24}}),
      connection_error({kProtocolError}));
  add("6.5.2", "unknown setting", settings({{0xff, 1}}) + ping(), pong());
  add("6.5.3", "the last of several values", settings({{4, 1}, {4, 100}}) + get(1));
  add("6.7", "PING with ACK", frame(kPing, kAck, 0, "87654321") + ping(), pong());
  add("6.7", "PING of a stream", frame(kPing, 0, 1, "12345678"),
      connection_error({kProtocolError}));
  add("6.7", "PING of a wrong length", frame(kPing, 0, 0, "123456"),
      connection_error({kFrameSize}));
  add("6.8", "GOAWAY of a stream", frame(kGoaway, 0, 1, number(0, 8)),
      connection_error({kProtocolError}));
  add("6.9", "WINDOW_UPDATE of 0", window(0, 0), connection_error({kProtocolError}));
  add("6.9", "WINDOW_UPDATE of 0 on a stream", post(1) + window(1, 0),
      stream_error({kProtocolError}));
  add("6.9", "WINDOW_UPDATE of a wrong length", frame(kWindow, 0, 0, "123"),
      connection_error({kFrameSize}));
  add("6.9.1", "windows beyond 2^31-1", window(0, 0x7fffffff) + window(0, 0x7fffffff),
      connection_error({kFlowControl}));
  add("6.9.1", "windows of a stream beyond 2^31-1",
      post(1) + window(1, 0x7fffffff) + window(1, 0x7fffffff), stream_error({kFlowControl}));
  add("6.9.2", "INITIAL_WINDOW_SIZE beyond 2^31-1 with a stream open",
      post(1) + settings({{4, 0x80000000}}), connection_error({kFlowControl}));
  add("6.10", "CONTINUATION, then another frame",
      frame(kHeaders, kEndStream, 1, whole.substr(0, 7)) +
          frame(kContinuation, 0, 1, whole.substr(7, 7)) + data(1, "x"),
      connection_error({kProtocolError}));
  add("6.10", "CONTINUATION of stream 0",
      frame(kHeaders, kEndStream, 1, whole.substr(0, 7)) +
          frame(kContinuation, kEndHeaders, 0, whole.substr(7)),
      connection_error({kProtocolError}));
  add("6.10", "CONTINUATION behind a whole HEADERS",
      post(1) + frame(kContinuation, kEndHeaders, 1, whole), connection_error({kProtocolError}));
  add("6.10", "CONTINUATION behind the last one",
      frame(kHeaders, 0, 1, whole.substr(0, 7)) +
          frame(kContinuation, kEndHeaders, 1, whole.substr(7)) +
          frame(kContinuation, kEndHeaders, 1, whole),
      connection_error({kProtocolError}));
  add("6.10", "CONTINUATION behind DATA",
      post(1) + data(1, "x") + frame(kContinuation, kEndHeaders, 1, whole),
      connection_error({kProtocolError}));
  add("7", "GOAWAY with an unknown code", goaway(0, 0xff) + ping(), {Expected::kNothing, {}, 0});
  add("7", "RST_STREAM with an unknown code", post(1) + reset(1, 0xff) + ping(), pong());
}

void add_messages(std::vector<Case>& cases) {
  const auto add = [&](const char* section, const char* name, std::string bytes,
                       Expected expected = stream_error({kProtocolError})) {
    cases.push_back({section, name, std::move(bytes), std::move(expected)});
  };
  add("8.1", "a second HEADERS that does not end", post(1) + headers(1, {{"x", "1"}}));
  add("8.2.1", "a name in upper case", headers(1, with(kGet, "X-Test", "ok"), true));
  add("8.2.1", "a space in a name", headers(1, with(kGet, "x test", "ok"), true));
  add("8.2.1", "a colon in a name", headers(1, with(kGet, "x:test", "ok"), true));
  add("8.2.1", "an empty name", headers(1, with(kGet, "", "ok"), true));
  add("8.2.1", "a line end in a value", headers(1, with(kGet, "x", "1\r\nhost: b"), true));
  add("8.2.1", "a bare line feed in a value", headers(1, with(kGet, "x", "1\ny: 2"), true));
  add("8.2.1", "NUL in a value", headers(1, with(kGet, "x", std::string("a\0b", 3)), true));
  add("8.2.1", "a control byte in a value", headers(1, with(kGet, "x", "a\x01"), true));
  add("8.2.1", "white space before a value", headers(1, with(kGet, "x", " a"), true));
  add("8.2.1", "white space behind a value", headers(1, with(kGet, "x", "a "), true));
  add("8.2.2", "Connection", headers(1, with(kGet, "connection", "keep-alive"), true));
  add("8.2.2", "Transfer-Encoding", headers(1, with(kPost, "transfer-encoding", "chunked")));
  add("8.2.2", "Keep-Alive", headers(1, with(kGet, "keep-alive", "1"), true));
  add("8.2.2", "Proxy-Connection", headers(1, with(kGet, "proxy-connection", "x"), true));
  add("8.2.2", "Upgrade", headers(1, with(kGet, "upgrade", "h2c"), true));
  add("8.2.2", "TE that is not trailers", headers(1, with(kGet, "te", "trailers, deflate"), true));
  add("8.2.2", "TE: trailers", headers(1, with(kGet, "te", "trailers"), true), answers());
  add("8.3", "an unknown pseudo-field", headers(1, with(kGet, ":test", "ok"), true));
  add("8.3", "a response's pseudo-field", headers(1, with(kGet, ":status", "200"), true));
  add("8.3", "a pseudo-field among trailers",
      post(1) + data(1, "x") + headers(1, {{":method", "GET"}}, true));
  add("8.3", "a pseudo-field behind another field",
      headers(1, {{":method", "GET"}, {":scheme", "http"}, {"x", "1"}, {":path", "/"}}, true));
  add("8.3.1", "an empty path", headers(1, as(kGet, ":path", ""), true));
  add("8.3.1", "a path with a space", headers(1, as(kGet, ":path", "/ a"), true));
  add("8.3.1", "a path that is no path", headers(1, as(kGet, ":path", "a/b"), true));
  for (const char* name : {":method", ":scheme", ":path"}) {
    add("8.3.1", "a pseudo-field is missing", headers(1, without(kGet, name), true));
    add("8.3.1", "a pseudo-field is there twice", headers(1, with(kGet, name, "/"), true));
  }
  add("8.3.1", "no authority", headers(1, without(kGet, ":authority"), true));
  add("8.3.1", "a method that is no token", headers(1, as(kGet, ":method", "GE T"), true));
  add("8.1.1", "a length that is not the body's",
      headers(1, with(kPost, "content-length", "1")) + data(1, "test", true));
  add("8.1.1", "a length that is not that of several DATA",
      headers(1, with(kPost, "content-length", "1")) + data(1, "te") + data(1, "st", true));
  add("8.1.1", "a length beyond the body",
      headers(1, with(kPost, "content-length", "5")) + data(1, "test", true));
  add("8.1.1", "a length and no body", headers(1, with(kPost, "content-length", "5"), true));
  add("8.1.1", "a length that is no number", headers(1, with(kPost, "content-length", "+1")));
  add("8.1.1", "two lengths",
      headers(1, with(with(kPost, "content-length", "1"), "content-length", "1")));
  add("hpack 2.3.3", "an index beyond the tables", raw(1, kIndexed + "\xc6"),
      connection_error({kCompression}));
  add("hpack 2.3.3", "a name's index beyond the tables", raw(1, kIndexed + "\x7f\x30\x01x"),
      connection_error({kCompression}));
  add("hpack 4.2", "a table size update at the end", raw(1, kIndexed + "\x20"),
      connection_error({kCompression}));
  add("hpack 5.2", "padding beyond 7 bits",
      raw(1, kIndexed + std::string("\0\x01n\x82\x1f\xff", 6)), connection_error({kCompression}));
  add("hpack 5.2", "padding with zeros", raw(1, kIndexed + std::string("\0\x01n\x81\x18", 5)),
      connection_error({kCompression}));
  add("hpack 5.2", "the end of string in a string",
      raw(1, kIndexed + std::string("\0\x01n\x84\xff\xff\xff\xff", 8)),
      connection_error({kCompression}));
  add("hpack 6.1", "index 0", raw(1, kIndexed + "\x80"), connection_error({kCompression}));
  add("hpack 6.3", "a table size beyond the setting",
      raw(1, std::string("\x3f\xe2\x1f", 3) + kIndexed), connection_error({kCompression}));
}

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  add_generic(cases);
  add_frames(cases);
  add_control(cases);
  add_messages(cases);
  return cases;
}

struct Outcome {
  std::vector<std::uint32_t> goaways;
  std::vector<std::uint32_t> resets;
  int pongs = 0;
  int answers = 0;
  bool is_over = false;
};

Outcome outcome_of(const Case& one, std::size_t cut) {
  ServerPeer peer;
  peer.greet();
  peer.feed(one.bytes, cut);
  Outcome outcome;
  outcome.is_over = peer.over.has_value();
  for (const Frame& each : peer.wire.take_frames()) {
    if (each.type == kGoaway) outcome.goaways.push_back(each.word(4));
    if (each.type == kReset) outcome.resets.push_back(each.word(0));
    if (each.type == kPing && each.flags == kAck && each.payload == "12345678") ++outcome.pongs;
    if (each.type == kData && (each.flags & kEndStream) != 0) ++outcome.answers;
  }
  return outcome;
}

// A code among those that are allowed.
bool has_any(const std::vector<std::uint32_t>& found, const std::vector<std::uint32_t>& allowed) {
  return std::ranges::any_of(
      found, [&](std::uint32_t code) { return std::ranges::find(allowed, code) != allowed.end(); });
}

void expect_outcome(const Case& one, std::size_t cut) {
  const Outcome outcome = outcome_of(one, cut);
  const bool broke = outcome.is_over && has_any(outcome.goaways, one.expected.codes);
  switch (one.expected.what) {
    case Expected::kAnswers:
      EXPECT_FALSE(outcome.is_over);
      EXPECT_GE(outcome.answers, one.expected.answers);
      return;
    case Expected::kConnectionError:
      EXPECT_TRUE(broke) << testing::PrintToString(outcome.goaways);
      return;
    case Expected::kStreamError:
      EXPECT_TRUE(broke || has_any(outcome.resets, one.expected.codes))
          << testing::PrintToString(outcome.goaways) << testing::PrintToString(outcome.resets);
      return;
    case Expected::kPong:
      EXPECT_FALSE(outcome.is_over);
      EXPECT_EQ(outcome.pongs, 1);
      return;
    case Expected::kNothing:
      EXPECT_FALSE(outcome.is_over);
      return;
  }
}

TEST(Http2Conformance, EachCaseWholeAndCut) {
  const std::vector<Case> cases = all_cases();
  EXPECT_GE(cases.size(), 140u);
  for (const Case& one : cases) {
    SCOPED_TRACE(std::string(one.section) + ": " + one.name);
    expect_outcome(one, SIZE_MAX);
    expect_outcome(one, 1);
  }
}

}  // namespace
}  // namespace leat::net
