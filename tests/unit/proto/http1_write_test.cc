// SPDX-License-Identifier: Apache-2.0
// Goal: what we write is read back as what we meant, by our own strict parsers, and nothing that a
// peer or a configuration smuggles into a value can end a line.
// Method: round trips through the parsers and the decoder; every byte value in every argument;
// memory one byte too small at every size.
#include "proto/http1_write.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proto/chunked.h"
#include "proto/http1_request.h"
#include "proto/http1_response.h"

namespace leat::proto {
namespace {

class Http1Write : public testing::Test {
 protected:
  std::string_view written(const Result<std::string_view>& result) {
    EXPECT_TRUE(result.has_value()) << result.error().what;
    return result.value_or(std::string_view());
  }

  std::array<char, 2048> memory_;
  RequestHead request_;
  ResponseHead response_;
};

TEST_F(Http1Write, WritesARequestForAProvider) {
  const Field extra[] = {{"X-Title", "my app"}};
  const std::string_view text =
      written(write_request_head(memory_, {.target = "/v1/chat/completions",
                                           .host = "api.example.com",
                                           .bearer = "sk-secret",
                                           .content_length = 1112,
                                           .fields = extra}));
  EXPECT_EQ(text,
            "POST /v1/chat/completions HTTP/1.1\r\n"
            "Host: api.example.com\r\n"
            "User-Agent: leat/0.1\r\n"
            "Accept: application/json\r\n"
            "Accept-Encoding: identity\r\n"
            "Authorization: Bearer sk-secret\r\n"
            "Content-Type: application/json\r\n"
            "Content-Length: 1112\r\n"
            "X-Title: my app\r\n"
            "\r\n");
  ASSERT_TRUE(RequestParser().parse(text, request_).complete());
  EXPECT_EQ(request_.content_length, 1112u);
  EXPECT_TRUE(request_.keep_alive);
}

TEST_F(Http1Write, WritesARequestWithoutABodyOrAKey) {
  const std::string_view text = written(
      write_request_head(memory_, {.method = "GET", .target = "/v1/models", .host = "[::1]:80"}));
  ASSERT_TRUE(RequestParser().parse(text, request_).complete());
  EXPECT_EQ(request_.method, Method::kGet);
  EXPECT_EQ(request_.content_length, std::nullopt);
  EXPECT_FALSE(request_.fields.has(KnownField::kContentType));
  EXPECT_FALSE(request_.fields.has(KnownField::kAuthorization));
}

TEST_F(Http1Write, ForwardsOnlyWhatIsOnTheList) {
  const std::string client =
      "POST / HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer client\r\nCookie: a=b\r\n"
      "Connection: x-secret\r\nX-Secret: 1\r\nX-Forwarded-For: 1.2.3.4\r\nUpgrade: h2c\r\n"
      "traceparent: 00-1-2-01\r\nAnthropic-Beta: b1\r\nX-Provider-API-Keys: {}\r\n"
      "Transfer-Encoding: chunked\r\n\r\n";
  RequestHead head;
  ASSERT_TRUE(RequestParser().parse(client, head).complete());
  const std::string_view text =
      written(write_request_head(memory_, {.target = "/", .host = "h", .client = &head.fields}));
  ASSERT_TRUE(RequestParser().parse(text, request_).complete());
  std::vector<std::string> names;
  for (const Field field : request_.fields) names.emplace_back(field.name);
  EXPECT_EQ(names, (std::vector<std::string>{"Host", "User-Agent", "Accept", "Accept-Encoding",
                                             "Traceparent", "Anthropic-Beta"}));
  EXPECT_EQ(request_.fields.get(KnownField::kTraceparent), "00-1-2-01");
  EXPECT_EQ(request_.host, "h");
}

TEST_F(Http1Write, WritesAJsonAnswer) {
  const Field fields[] = {{"x-request-id", "r-1"}};
  const std::string_view text = written(write_response_head(
      memory_, {.status = 429, .content_length = 17, .keep_alive = false, .fields = fields}));
  EXPECT_EQ(text,
            "HTTP/1.1 429 Too Many Requests\r\n"
            "Content-Type: application/json\r\n"
            "Content-Length: 17\r\n"
            "Connection: close\r\n"
            "x-request-id: r-1\r\n"
            "\r\n");
  ASSERT_TRUE(ResponseParser().parse(text, response_).complete());
  EXPECT_EQ(response_.content_length, 17u);
  EXPECT_FALSE(response_.keep_alive);
}

TEST_F(Http1Write, WritesEveryStatusSoThatItReadsBack) {
  for (int status = 100; status <= 599; ++status) {
    if (status == 101) continue;
    const bool bodiless = status < 200 || status == 204 || status == 304;
    const std::string_view text = written(write_response_head(
        memory_,
        {.status = status, .framing = bodiless ? BodyFraming::kNone : BodyFraming::kLength}));
    ASSERT_TRUE(ResponseParser().parse(text, response_).complete()) << text;
    EXPECT_EQ(response_.status, status);
  }
  EXPECT_FALSE(write_response_head(memory_, {.status = 99}).has_value());
  EXPECT_FALSE(write_response_head(memory_, {.status = 600}).has_value());
}

TEST_F(Http1Write, WritesAStreamsHead) {
  const std::string_view text =
      written(write_sse_head(memory_, {.framing = BodyFraming::kChunked}));
  ASSERT_TRUE(ResponseParser().parse(text, response_).complete()) << text;
  EXPECT_TRUE(response_.chunked);
  EXPECT_TRUE(response_.keep_alive);
  EXPECT_EQ(response_.content_type, "text/event-stream");
  EXPECT_EQ(response_.fields.find("Cache-Control"), "no-cache");
}

TEST_F(Http1Write, TellsTheClientWhetherTheConnectionGoesOn) {
  const auto connection = [&](const ResponseOptions& options) {
    EXPECT_TRUE(
        ResponseParser().parse(written(write_sse_head(memory_, options)), response_).complete());
    return std::string(response_.fields.get(KnownField::kConnection));
  };
  EXPECT_EQ(connection({.framing = BodyFraming::kChunked}), "");
  EXPECT_EQ(connection({.framing = BodyFraming::kChunked, .keep_alive = false}), "close");
  EXPECT_EQ(connection({.framing = BodyFraming::kLength, .http10 = true}), "keep-alive");
  EXPECT_EQ(connection({.framing = BodyFraming::kUntilClose, .http10 = true}), "close");
  EXPECT_TRUE(response_.until_close);
  EXPECT_FALSE(response_.chunked);
}

// threats-and-faults 3.4: CR, LF, NUL or non-token bytes bound for an upstream header.
TEST_F(Http1Write, WritesNothingThatEndsALine) {
  for (int i = 0; i < 256; ++i) {
    const char byte = static_cast<char>(i);
    const std::string text = std::string("a") + byte + "b";
    const bool value_ok = i == '\t' || (i >= 0x20 && i != 0x7f);
    const bool visible = i > 0x20 && i < 0x7f;
    const Field field[] = {{"X-A", text}};
    const Field named[] = {{text, "v"}};
    const auto request = [&](const RequestOptions& options) {
      return write_request_head(memory_, options).has_value();
    };
    EXPECT_EQ(request({.target = "/", .host = "h", .fields = field}), value_ok) << i;
    EXPECT_EQ(request({.target = "/", .host = "h", .fields = named}), is_token(text)) << i;
    EXPECT_EQ(request({.target = "/", .host = "h", .bearer = text}), value_ok) << i;
    EXPECT_EQ(request({.target = "/", .host = text}), value_ok) << i;
    EXPECT_EQ(request({.target = text, .host = "h"}), visible) << i;
    EXPECT_EQ(request({.method = text, .target = "/", .host = "h"}), is_token(text)) << i;
    EXPECT_EQ(request({.target = "/", .host = "h", .accept = text}), value_ok) << i;
    EXPECT_EQ(write_response_head(memory_, {.content_type = text}).has_value(), value_ok) << i;
    EXPECT_EQ(write_sse_head(memory_, {.fields = field}).has_value(), value_ok) << i;
  }
  const auto bad = write_request_head(memory_, {.target = "/", .host = "h\r\nX: y"});
  ASSERT_FALSE(bad.has_value());
  EXPECT_EQ(bad.error().code, Code::kInvalid);
  EXPECT_FALSE(HeadWriter(memory_).bearer("").finish().has_value());

  std::array<char, 4> small;
  const auto first = HeadWriter(small).own_field("A", 12345).field("B", "\n").finish();
  ASSERT_FALSE(first.has_value());
  EXPECT_EQ(first.error().code, Code::kTooLarge) << "the first error sticks";

  EXPECT_FALSE(is_token(""));
  EXPECT_FALSE(is_safe_target(""));
  EXPECT_TRUE(is_safe_field_value(""));
  EXPECT_FALSE(is_safe_field_value(" a"));
  EXPECT_FALSE(is_safe_field_value("a\t"));
}

TEST_F(Http1Write, FailsWhereTheMemoryEnds) {
  const auto write = [](std::span<char> into) {
    return write_request_head(into, {.target = "/v1/x", .host = "h", .content_length = 1});
  };
  const std::size_t size = written(write(memory_)).size();
  for (std::size_t room = 0; room <= size; ++room) {
    const auto exact = std::make_unique<char[]>(room);
    const auto result = write({exact.get(), room});
    ASSERT_EQ(result.has_value(), room == size) << room;
    if (!result) {
      EXPECT_EQ(result.error().code, Code::kTooLarge);
    }
  }
}

TEST_F(Http1Write, FramesChunksThatReadBack) {
  for (const std::uint32_t size : {1u, 9u, 10u, 15u, 16u, 255u, 256u, 4095u, 65536u}) {
    std::string frame(kChunkHeaderBytesMax, '?');
    const std::size_t header =
        write_chunk_header(std::span<char, kChunkHeaderBytesMax>(frame), size);
    EXPECT_EQ(frame.substr(0, kChunkHeaderBytesMax - header),
              std::string(kChunkHeaderBytesMax - header, '?'));
    const std::string payload(size, 'p');
    const std::string body =
        frame.substr(kChunkHeaderBytesMax - header) + payload + std::string(kChunkEnd);
    ChunkedDecoder decoder;
    std::string_view in = body;
    EXPECT_EQ(decoder.next(in).data, payload) << size;
    in = kLastChunk;
    EXPECT_EQ(decoder.next(in).kind, ChunkStep::Kind::kEnd);
  }
  std::array<char, kChunkHeaderBytesMax> reserve;
  EXPECT_EQ(write_chunk_header(reserve, 0xffffffff), kChunkHeaderBytesMax);
  EXPECT_EQ(std::string_view(reserve.data(), reserve.size()), "ffffffff\r\n");
  EXPECT_DEATH(write_chunk_header(reserve, 0), "payload_bytes") << "that would end the body";
}

TEST_F(Http1Write, ContinueIsAnInterimReply) {
  const HeadStatus status = ResponseParser().parse(kContinue, response_);
  EXPECT_EQ(status.head_bytes, kContinue.size());
  EXPECT_EQ(response_.status, 100);
}

}  // namespace
}  // namespace leat::proto
