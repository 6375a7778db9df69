// SPDX-License-Identifier: Apache-2.0
// Goal: a provider's reply has exactly one reading, or is refused; how its body ends is always
// known before a byte of it is taken.
// Method: tables of heads with what they must give. Every head is also parsed cut in two at every
// byte, trickled, and by the scalar scan; the outcome never differs.
#include "proto/http1_response.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/http1_scan.h"

namespace leat::proto {
namespace {

using namespace std::string_literals;
using ScalarResponseParser = BasicResponseParser<ScalarScan>;

struct Outcome {
  HeadState state = HeadState::kNeedMore;
  HttpFault fault = HttpFault::kNone;
  std::size_t head_bytes = 0;
  int status = 0;
  bool http10 = false, keep_alive = false, chunked = false, until_close = false;
  std::optional<std::uint64_t> content_length;
  std::string content_type, content_encoding, retry_after, retry_after_ms, request_id, location;
  std::size_t fields = 0;
  bool operator==(const Outcome&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Outcome& o) {
  return out << "state " << static_cast<int>(o.state) << ", " << fault_info(o.fault).text
             << " bytes " << o.head_bytes << " status " << o.status << " fields " << o.fields;
}

Outcome outcome_of(const HeadStatus& status, const ResponseHead& head) {
  Outcome o;
  o.state = status.state;
  o.fault = status.fault;
  o.head_bytes = status.head_bytes;
  if (!status.complete()) return o;
  o.status = head.status;
  o.http10 = head.http10;
  o.keep_alive = head.keep_alive;
  o.chunked = head.chunked;
  o.until_close = head.until_close;
  o.content_length = head.content_length;
  o.content_type = head.content_type;
  o.content_encoding = head.content_encoding;
  o.retry_after = head.retry_after;
  o.retry_after_ms = head.retry_after_ms;
  o.request_id = head.x_request_id;
  o.location = head.location;
  o.fields = head.fields.size();
  return o;
}

// Each prefix in memory of its own and exact size, with a head of its own.
template <class Parser>
Outcome parse(std::string_view bytes, const std::vector<std::size_t>& sizes,
              const HeadLimits& limits = kResponseHeadLimits) {
  Parser parser(limits);
  for (const std::size_t size : sizes) {
    const auto copy = std::make_unique<char[]>(size);
    std::copy_n(bytes.data(), size, copy.get());
    const auto head = std::make_unique<ResponseHead>();
    const HeadStatus status = parser.parse({copy.get(), size}, *head);
    if (!status.need_more()) return outcome_of(status, *head);
  }
  return {};
}

Outcome parse_whole(std::string_view bytes) {
  return parse<ResponseParser>(bytes, {bytes.size()});
}

void expect_same_however_cut(std::string_view bytes) {
  SCOPED_TRACE(testing::Message() << "head: " << bytes.substr(0, 100));
  const Outcome whole = parse_whole(bytes);
  EXPECT_EQ((parse<ScalarResponseParser>(bytes, {bytes.size()})), whole);
  std::vector<std::size_t> trickle;
  for (std::size_t size = 0; size <= bytes.size(); ++size) trickle.push_back(size);
  EXPECT_EQ((parse<ResponseParser>(bytes, trickle)), whole);
  for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
    ASSERT_EQ((parse<ResponseParser>(bytes, {cut, bytes.size()})), whole) << "cut " << cut;
  }
}

std::string reply(std::string_view status_line, std::string_view fields = "") {
  return std::string(status_line) + "\r\n" + std::string(fields) + "\r\n";
}
std::string ok_with(std::string_view line) {
  return reply("HTTP/1.1 200 OK", std::string(line) + "\r\n");
}

TEST(Http1Response, ReadsAStreamsHead) {
  const std::string head =
      "HTTP/1.1 200 OK\r\n"
      "Date: Sat, 21 Nov 2026 05:00:00 GMT\r\n"
      "Content-Type: text/event-stream; charset=utf-8\r\n"
      "Transfer-Encoding: chunked\r\n"
      "Connection: keep-alive\r\n"
      "x-ratelimit-remaining-requests: 9999\r\n"
      "X-Request-ID: req_1\r\n"
      "Set-Cookie: a=b; Path=/\r\n"
      "\r\n";
  const std::string bytes = head + "fa\r\ndata: {}";
  const Outcome o = parse_whole(bytes);
  ASSERT_EQ(o.state, HeadState::kComplete) << o;
  EXPECT_EQ(o.head_bytes, head.size());
  EXPECT_EQ(o.status, 200);
  EXPECT_TRUE(o.chunked);
  EXPECT_FALSE(o.until_close);
  EXPECT_TRUE(o.keep_alive);
  EXPECT_EQ(o.content_type, "text/event-stream; charset=utf-8");
  EXPECT_EQ(o.request_id, "req_1");
  EXPECT_EQ(o.fields, 7u);
  expect_same_however_cut(bytes);

  ResponseHead fields;
  ASSERT_TRUE(ResponseParser().parse(bytes, fields).complete());
  EXPECT_EQ(fields.fields.find("X-RateLimit-Remaining-Requests"), "9999");
}

TEST(Http1Response, ReadsARefusal) {
  const Outcome o =
      parse_whole(reply("HTTP/1.1 429 Too Many Requests",
                        "Content-Length: 31\r\nRetry-After: 20\r\nretry-after-ms: 19500\r\n"
                        "Content-Encoding: gzip\r\nLocation: https://b/\r\n"));
  EXPECT_EQ(o.status, 429);
  EXPECT_EQ(o.content_length, 31u);
  EXPECT_EQ(o.retry_after, "20");
  EXPECT_EQ(o.retry_after_ms, "19500");
  EXPECT_EQ(o.content_encoding, "gzip");
  EXPECT_EQ(o.location, "https://b/");
}

TEST(Http1Response, ReadsStatusLines) {
  for (const std::string_view line : {"HTTP/1.1 200 OK", "HTTP/1.1 200 ", "HTTP/1.1 200",
                                      "HTTP/1.1 299 \xc3\x9c\tx y", "HTTP/1.0 599 x"}) {
    const Outcome o = parse_whole(reply(line));
    EXPECT_EQ(o.state, HeadState::kComplete) << line;
    EXPECT_EQ(o.http10, line.starts_with("HTTP/1.0"));
    expect_same_however_cut(reply(line));
  }
}

// RFC 9112 6.3: how the body ends, and whether the connection can serve again.
TEST(Http1Response, KnowsHowTheBodyEnds) {
  enum class Body { kNone, kLength, kChunked, kUntilClose };
  const struct {
    std::string_view line, fields;
    Body body;
    bool keep_alive;
  } cases[] = {
      {"HTTP/1.1 200 OK", "Content-Length: 5\r\n", Body::kLength, true},
      {"HTTP/1.1 200 OK", "Content-Length: 0\r\n", Body::kLength, true},
      {"HTTP/1.1 200 OK", "Content-Length: 5\r\nConnection: close\r\n", Body::kLength, false},
      {"HTTP/1.1 200 OK", "Transfer-Encoding: Chunked\r\n", Body::kChunked, true},
      {"HTTP/1.1 200 OK", "", Body::kUntilClose, false},
      {"HTTP/1.1 200 OK", "Connection: keep-alive\r\n", Body::kUntilClose, false},
      {"HTTP/1.0 200 OK", "Content-Length: 5\r\n", Body::kLength, false},
      {"HTTP/1.0 200 OK", "Content-Length: 5\r\nConnection: Keep-Alive\r\n", Body::kLength, true},
      {"HTTP/1.0 200 OK", "", Body::kUntilClose, false},
      {"HTTP/1.1 100 Continue", "", Body::kNone, true},
      {"HTTP/1.1 103 Early Hints", "Link: x\r\n", Body::kNone, true},
      {"HTTP/1.1 204 No Content", "", Body::kNone, true},
      {"HTTP/1.1 204 No Content", "Content-Length: 0\r\n", Body::kNone, true},
      {"HTTP/1.1 304 Not Modified", "Content-Length: 5\r\n", Body::kNone, true},
      {"HTTP/1.1 304 Not Modified", "Transfer-Encoding: chunked\r\n", Body::kNone, true},
      {"HTTP/1.1 500 x", "", Body::kUntilClose, false},
  };
  for (const auto& c : cases) {
    const std::string bytes = reply(c.line, c.fields);
    const Outcome o = parse_whole(bytes);
    EXPECT_EQ(o.state, HeadState::kComplete) << bytes << o;
    EXPECT_EQ(o.content_length.has_value(), c.body == Body::kLength) << bytes;
    EXPECT_EQ(o.chunked, c.body == Body::kChunked) << bytes;
    EXPECT_EQ(o.until_close, c.body == Body::kUntilClose) << bytes;
    EXPECT_EQ(o.keep_alive, c.keep_alive) << bytes;
  }
}

TEST(Http1Response, ShowsInterimRepliesToTheCaller) {
  const std::string interim = reply("HTTP/1.1 103 Early Hints", "Link: </x>\r\n");
  const std::string bytes = interim + ok_with("Content-Length: 2") + "{}";
  ResponseParser parser;
  ResponseHead head;
  HeadStatus status = parser.parse(bytes, head);
  ASSERT_TRUE(status.complete());
  EXPECT_TRUE(head.informational());
  EXPECT_TRUE(head.has_no_body());
  EXPECT_EQ(status.head_bytes, interim.size());
  status = parser.parse(std::string_view(bytes).substr(status.head_bytes), head);
  ASSERT_TRUE(status.complete());
  EXPECT_FALSE(head.informational());
  EXPECT_FALSE(head.has_no_body());
  EXPECT_EQ(head.content_length, 2u);
}

// threats-and-faults 3.4: each of these is 502 `upstream_protocol`, and the connection is dropped.
TEST(Http1Response, RefusesRepliesWithTwoReadings) {
  using enum HttpFault;
  const struct {
    std::string bytes;
    HttpFault fault;
  } cases[] = {
      {reply("HTTP/1.1"), kBadStatusLine},
      {reply("HTTP/1.1 "), kBadStatusLine},
      {reply("HTTP/1.1 20"), kBadStatusLine},
      {reply("HTTP/1.1 2000 OK"), kBadStatusLine},
      {reply("HTTP/1.1 2x0 OK"), kBadStatusLine},
      {reply("HTTP/1.1 1:0 OK"), kBadStatusLine},
      {reply("HTTP/1.1 -20 OK"), kBadStatusLine},
      {reply("HTTP/1.1  200 OK"), kBadStatusLine},
      {reply("HTTP/1.1 099 x"), kBadStatusLine},
      {reply("HTTP/1.1 600 x"), kBadStatusLine},
      {reply("HTTP/1.1 OK"), kBadStatusLine},
      {reply("HTTP/2 200 OK"), kBadStatusLine},
      {reply("HTTP/1.2 200 OK"), kBadStatusLine},
      {reply("http/1.1 200 OK"), kBadStatusLine},
      {reply("ICY 200 OK"), kBadStatusLine},
      {reply("{\"error\":1}"), kBadStatusLine},
      {"\r\nHTTP/1.1 200 OK\r\n\r\n", kBadStatusLine},
      {reply("HTTP/1.1 101 Switching Protocols", "Upgrade: h2c\r\n"), kUnaskedUpgrade},
      {ok_with("A: b\nC: d"), kBareLf},
      {"HTTP/1.1 200 OK\n\n", kBareLf},
      {ok_with("A: b\rC: d"), kBareCr},
      {ok_with("A: \0"s), kNul},
      {ok_with("A: \x01"), kControlByte},
      {ok_with("A: b\r\n c"), kObsFold},
      {ok_with("A : b"), kSpaceBeforeColon},
      {ok_with(": b"), kEmptyFieldName},
      {ok_with("A\x80: b"), kBadFieldName},
      {ok_with("nonsense"), kFieldWithoutColon},
      {ok_with("Content-Length: 5\r\nContent-Length: 5"), kDuplicateLength},
      {ok_with("Content-Length: 5,5"), kBadLength},
      {ok_with("Content-Length: -1"), kBadLength},
      {ok_with("Content-Length: 5\r\nTransfer-Encoding: chunked"), kLengthAndCoding},
      {ok_with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"), kBadTransferEncoding},
      {ok_with("Transfer-Encoding: gzip, chunked"), kUnknownTransferCoding},
      {reply("HTTP/1.0 200 OK", "Transfer-Encoding: chunked\r\n"), kTransferEncodingIn10},
      {ok_with("Content-Type: a/b\r\ncontent-type: c/d"), kDuplicateField},
      {ok_with("Content-Encoding: identity\r\nContent-Encoding: gzip"), kDuplicateField},
      {reply("HTTP/1.1 204 No Content", "Content-Length: 5\r\n"), kBodyOnBodilessStatus},
      {reply("HTTP/1.1 204 No Content", "Transfer-Encoding: chunked\r\n"), kBodyOnBodilessStatus},
      {reply("HTTP/1.1 100 Continue", "Content-Length: 5\r\n"), kBodyOnBodilessStatus},
  };
  for (const auto& c : cases) {
    const Outcome o = parse_whole(c.bytes);
    EXPECT_EQ(o.state, HeadState::kFault) << c.bytes;
    EXPECT_STREQ(fault_info(o.fault).text, fault_info(c.fault).text) << c.bytes;
    expect_same_however_cut(c.bytes);
  }
}

TEST(Http1Response, LimitsTheHead) {
  std::string fields;
  for (int i = 0; i < 128; ++i) fields += "A: b\r\n";
  EXPECT_EQ(parse_whole(reply("HTTP/1.1 200 OK", fields)).fields, 128u);
  EXPECT_EQ(parse_whole(reply("HTTP/1.1 200 OK", fields + "A: b\r\n")).fault,
            HttpFault::kTooManyFields);

  const auto sized = [](std::size_t size) {
    return ok_with("Set-Cookie: " + std::string(size - ok_with("Set-Cookie: ").size(), 'c'));
  };
  EXPECT_EQ(parse_whole(sized(kHeadBytesMax)).head_bytes, kHeadBytesMax);
  EXPECT_EQ(parse_whole(sized(kHeadBytesMax + 1)).fault, HttpFault::kHeadTooLarge);
}

}  // namespace
}  // namespace leat::proto
