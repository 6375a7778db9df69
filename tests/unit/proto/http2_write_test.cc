// SPDX-License-Identifier: Apache-2.0
// Goal: a request says over HTTP/2 what it says over HTTP/1.1, with nothing of a connection's, and
// nothing unsafe can be put in. Method: the lists of options of each kind, every byte in every
// place, memory one byte too small.
#include "proto/http2_write.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace leat::proto {
namespace {

class Http2Write : public testing::Test {
 protected:
  Result<std::span<const Http2Field>> list(const RequestOptions& options, std::size_t room = 4'096,
                                           std::size_t fields = 64) {
    return list_request_fields(options, "https", std::span(room_).first(room),
                               std::span(into_).first(fields));
  }
  std::string text(const RequestOptions& options) {
    const auto listed = list(options);
    EXPECT_TRUE(listed.has_value());
    std::string all;
    if (!listed) return all;
    for (const Http2Field& field : *listed) {
      all.append(field.name).append("=").append(field.value).append(field.is_secret ? "!\n" : "\n");
    }
    return all;
  }
  std::array<char, 4'096> room_;
  std::array<Http2Field, 64> into_;
};

TEST_F(Http2Write, SaysWhatHttp1Says) {
  const Field extra[] = {{"X-Title", "my app"}};
  EXPECT_EQ(text({.target = "/v1/chat",
                  .host = "api.example:8443",
                  .bearer = "sk-secret",
                  .content_length = 1234,
                  .accept = "text/event-stream",
                  .fields = extra}),
            ":method=POST\n:scheme=https\n:authority=api.example:8443\n:path=/v1/chat\n"
            "user-agent=leat/0.1\naccept=text/event-stream\naccept-encoding=identity\n"
            "authorization=Bearer sk-secret!\ncontent-type=application/json\n"
            "content-length=1234\nx-title=my app\n");
  EXPECT_EQ(text({.method = "GET", .target = "/", .host = "a"}),
            ":method=GET\n:scheme=https\n:authority=a\n:path=/\nuser-agent=leat/0.1\n"
            "accept=application/json\naccept-encoding=identity\n");
}

TEST_F(Http2Write, FieldsOfAConnectionHaveNoPlace) {
  for (const char* name : {"Connection", "keep-alive", "TE", "Transfer-Encoding", "Upgrade", "Host",
                           "Proxy-Connection"}) {
    const Field field{name, "x"};
    const auto listed = list({.target = "/", .host = "a", .fields = {&field, 1}});
    ASSERT_FALSE(listed.has_value()) << name;
    EXPECT_EQ(listed.error().code, Code::kInvalid);
  }
}

TEST_F(Http2Write, NoByteEndsAFieldOrATarget) {
  for (int i = 0; i < 256; ++i) {
    const std::string bad = std::string("a") + static_cast<char>(i) + "b";
    const Field field{"x", bad};
    const bool is_safe = is_safe_field_value(bad);
    EXPECT_EQ(list({.target = "/", .host = "a", .fields = {&field, 1}}).has_value(), is_safe) << i;
    EXPECT_EQ(list({.target = "/", .host = bad}).has_value(), is_safe) << i;
    EXPECT_EQ(list({.target = "/", .host = "a", .bearer = bad}).has_value(), is_safe) << i;
    EXPECT_EQ(list({.target = bad, .host = "a"}).has_value(), is_safe_target(bad)) << i;
    const Field named{bad, "x"};
    EXPECT_EQ(list({.target = "/", .host = "a", .fields = {&named, 1}}).has_value(), is_token(bad))
        << i;
  }
}

TEST_F(Http2Write, TooLittleMemoryIsAnError) {
  const Field extra[] = {{"X-Title", "my app"}};
  const RequestOptions options{
      .target = "/", .host = "a", .bearer = "key", .content_length = 1, .fields = extra};
  // "Bearer key", 20 digits, "x-title".
  EXPECT_TRUE(list(options, 37).has_value());
  for (std::size_t room = 0; room < 37; ++room) {
    const auto listed = list(options, room);
    ASSERT_FALSE(listed.has_value()) << room;
    EXPECT_EQ(listed.error().code, Code::kTooLarge);
  }
  for (std::size_t fields = 0; fields < 11; ++fields) {
    EXPECT_FALSE(list(options, 64, fields).has_value()) << fields;
  }
  EXPECT_TRUE(list(options, 64, 11).has_value());
}

}  // namespace
}  // namespace leat::proto
