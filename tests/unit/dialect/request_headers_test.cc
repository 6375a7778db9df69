// SPDX-License-Identifier: Apache-2.0
// Goal: metadata goes only to who asked, an SDK's own retries are known, and a conversation keeps
// its key however its turns grow.
// Method: tables of header values; pairs of bodies that are and are not one conversation.
#include "dialect/request_headers.h"

#include <gtest/gtest.h>

#include <string>

namespace leat::dialect {
namespace {

TEST(RequestHeaders, MetadataIsOptIn) {
  for (const char* value : {"enabled", "Enabled", "ENABLED", " enabled\t"}) {
    EXPECT_TRUE(wants_router_metadata(value)) << value;
  }
  for (const char* value : {"", "disabled", "true", "1", "enable", "enabledx", "enabled,enabled"}) {
    EXPECT_FALSE(wants_router_metadata(value)) << value;
  }
}

TEST(RequestHeaders, CountsAnSdksRetries) {
  EXPECT_EQ(sdk_retry_count("0"), 0u);
  EXPECT_EQ(sdk_retry_count("2"), 2u);
  EXPECT_EQ(sdk_retry_count(" 3 "), 3u);
  for (const char* value : {"", "-1", "x", "1x", "99999999999", "1.5"}) {
    EXPECT_EQ(sdk_retry_count(value), 0u) << value;
  }
}

StickyKey key_of(const std::string& body, std::string_view header = "") {
  proto::JsonScanner scanner;
  EXPECT_EQ(scanner.scan(body, true), proto::JsonStatus::kDone);
  RoutingFields fields;
  RoutingFault fault;
  EXPECT_TRUE(read_routing_fields(scanner, body, fields, fault)) << fault.param();
  return sticky_key(fields, header);
}

TEST(StickyKey, TakesTheSessionFirst) {
  const std::string body = R"({"session_id":"s","prompt_cache_key":"k","messages":[{}]})";
  const StickyKey key = key_of(body, "h");
  EXPECT_EQ(key.kind, StickyKind::kSession);
  EXPECT_EQ(key.hash, key_of(R"({"session_id":"\u0073"})").hash);
  EXPECT_EQ(key.hash, key_of("{}", "s").hash) << "the header says the same";
  EXPECT_NE(key.hash, key_of("{}", "h").hash) << "the body wins";
  EXPECT_EQ(key_of(R"({"prompt_cache_key":"k"})", std::string(kSessionIdMax + 1, 'x')).kind,
            StickyKind::kCacheKey);
  EXPECT_EQ(key_of(R"({"prompt_cache_key":"k"})", std::string(kSessionIdMax, 'x')).kind,
            StickyKind::kSession);
}

TEST(StickyKey, TakesTheCacheKeyNext) {
  const StickyKey key = key_of(R"({"prompt_cache_key":"s","messages":[{"role":"user"}]})");
  EXPECT_EQ(key.kind, StickyKind::kCacheKey);
  EXPECT_NE(key.hash, key_of(R"({"session_id":"s"})").hash) << "another kind, another key";
}

TEST(StickyKey, ElseGoesByTheFirstMessages) {
  const std::string start =
      R"({"messages":[{"role":"system","content":"be brief"},{"role":"user","content":"hello"})";
  const StickyKey first = key_of(start + "]}");
  EXPECT_EQ(first.kind, StickyKind::kMessages);
  const StickyKey later =
      key_of(start + R"(,{"role":"assistant","content":"hi"},{"role":"user","content":"more"}]})");
  EXPECT_EQ(later.hash, first.hash) << "a conversation grows at its end";
  EXPECT_NE(key_of(R"({"messages":[{"role":"user","content":"hello"}]})").hash, first.hash);
  EXPECT_NE(key_of(R"({"messages":[{"role":"system","content":"be brief"},)"
                   R"({"role":"user","content":"hellp"}]})")
                .hash,
            first.hash);
  EXPECT_EQ(key_of(R"({"messages":[{"role":"system","content":"x"}]})").kind, StickyKind::kNone);
  EXPECT_EQ(key_of("{}").kind, StickyKind::kNone);
}

}  // namespace
}  // namespace leat::dialect
