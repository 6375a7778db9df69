// SPDX-License-Identifier: Apache-2.0
// Goal: a line of the access log is one line whatever peers wrote into it, readable by machines in
// both formats, and says what the ledger says.
// Method: hostile texts in every field that a peer fills, read back by a JSON parser and by a
// reader of logfmt of the test's own.
#include "control/access_line.h"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <algorithm>
#include <map>
#include <string>

#include "../ledger/sample_record.h"

namespace leat::control {
namespace {

using gateway::RequestEvent;

const std::string kHostile =
    "a\"b\\c\nd\re\tf\x01g=h key=none \xff\xfe {\"x\":1}\xe2\x80\xa8 end\x1b[2J";

std::string line_of(const RequestEvent& event, AccessFormat format) {
  std::string out;
  append_access_line(event, format, out);
  return out;
}

// key=value pairs, values bare or in quotes with backslashes.
std::map<std::string, std::string> logfmt(std::string_view line) {
  std::map<std::string, std::string> found;
  while (!line.empty()) {
    const std::size_t equals = line.find('=');
    const std::string key(line.substr(0, equals));
    line.remove_prefix(equals + 1);
    std::string value;
    if (line.starts_with('"')) {
      std::size_t at = 1;
      for (; line[at] != '"'; ++at) {
        if (line[at] == '\\') ++at;
        value += line[at];
      }
      line.remove_prefix(at + 1);
    } else {
      const std::size_t end = std::min(line.find(' '), line.size());
      value = line.substr(0, end);
      line.remove_prefix(end);
    }
    EXPECT_TRUE(found.emplace(key, value).second) << "twice: " << key;
    if (!line.empty()) {
      EXPECT_EQ(line.front(), ' ');
      line.remove_prefix(1);
    }
  }
  return found;
}

RequestEvent hostile_event() {
  RequestEvent event;
  event.record = ledger::sample_record();
  event.record.user_id = event.record.session_id = kHostile;
  event.record.app_title = event.record.app_referer = kHostile;
  event.record.model_asked = event.record.native_finish_reason = kHostile;
  event.client = io::Address::v4(192, 0, 2, 7, 4711);
  return event;
}

TEST(AccessLine, IsOneLineOfJsonWhateverPeersWrote) {
  const std::string line = line_of(hostile_event(), AccessFormat::kJson);
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
  EXPECT_TRUE(std::none_of(line.begin(), line.end() - 1, [](char c) { return c >= 0 && c < 32; }));
  simdjson::dom::parser parser;
  simdjson::dom::element read;
  ASSERT_EQ(parser.parse(line).get(read), simdjson::SUCCESS) << line;
  EXPECT_EQ(std::string_view(read["key"]), "key-3");
  EXPECT_EQ(std::string_view(read["client"]), "192.0.2.7");
  EXPECT_TRUE(std::string_view(read["user"]).starts_with("a\"b\\c\nd\re\tf\x01g=h key=none "));
  EXPECT_EQ(std::int64_t(read["prompt_tokens"]), 1'000'017);
  EXPECT_EQ(std::int64_t(read["status"]), 200);
  EXPECT_EQ(simdjson::dom::array(read["attempts"]).size(), 2u);
  EXPECT_EQ(std::string_view(read["attempts"].at(0)["outcome"]), "ambiguous");
}

TEST(AccessLine, IsOneLineOfLogfmtWhateverPeersWrote) {
  const std::string line = line_of(hostile_event(), AccessFormat::kLogfmt);
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
  const auto read = logfmt(std::string_view(line).substr(0, line.size() - 1));
  EXPECT_EQ(read.at("key"), "key-3");
  EXPECT_TRUE(read.at("user").starts_with("a\"b\\cn"));
  EXPECT_NE(read.at("user").find("g=h key=none "), std::string::npos);
  EXPECT_EQ(read.at("completion_tokens"), "2400");
  EXPECT_EQ(read.at("attempts"), "two/bf16:ambiguous:0:0,one/fp8:succeeded:200:0");
}

TEST(AccessLine, BothFormatsHaveTheSameKeys) {
  RequestEvent event = hostile_event();
  event.trace = {.trace_id = {0xab}, .span_id = {0xcd}, .flags = 1};
  event.reason = "provider_unavailable";
  const auto read = logfmt(line_of(event, AccessFormat::kLogfmt));
  simdjson::dom::parser parser;
  const std::string line = line_of(event, AccessFormat::kJson);
  simdjson::dom::object json = parser.parse(line);
  std::size_t keys = 0;
  for (const auto field : json) keys += read.contains(std::string(field.key)) ? 1 : 1'000;
  EXPECT_EQ(keys, read.size());
  EXPECT_EQ(std::string_view(json["trace_id"]), "ab000000000000000000000000000000");
  EXPECT_EQ(std::string_view(json["span_id"]), "cd00000000000000");
}

TEST(AccessLine, OfARefusalSaysWhyAndNothingOfProviders) {
  RequestEvent event;
  event.record.request_id = "req-1";
  event.record.status = 401;
  event.reason = "authentication";
  event.method = "GET";
  event.client = *io::Address::parse("[2001:db8::1]:443");
  const auto read = logfmt(line_of(event, AccessFormat::kLogfmt));
  EXPECT_EQ(read.at("status"), "401");
  EXPECT_EQ(read.at("reason"), "authentication");
  EXPECT_EQ(read.at("client"), "2001:db8::1");
  for (const char* key : {"id", "provider", "prompt_tokens", "cost", "attempts", "trace_id"}) {
    EXPECT_FALSE(read.contains(key)) << key;
  }
}

TEST(AccessLine, AGapIsALineOfItsFormat) {
  simdjson::dom::parser parser;
  EXPECT_EQ(std::int64_t(parser.parse(access_gap_line(7, AccessFormat::kJson))["lines"]), 7);
  EXPECT_EQ(access_gap_line(7, AccessFormat::kLogfmt), "event=\"lines dropped\" lines=7\n");
}

}  // namespace
}  // namespace leat::control
