// SPDX-License-Identifier: Apache-2.0
// Goal: a line of the content log is one line of JSON that says what was asked and answered,
// redacted wherever a client had a say, and never what it could not redact. Method: records as a
// shard makes them, through the ring, read by another parser.
#include "control/content_line.h"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <string>
#include <vector>

#include "leat/options.h"

namespace leat::control {
namespace {

constexpr std::uint32_t kAll = (1U << kRedactKinds) - 1;

gateway::ContentRecord sample() {
  gateway::ContentRecord record;
  record.began = {1'795'000'000'250'000'000};
  record.generation_id = "gen-1";
  record.request_id = "req-1";
  record.key = "dev";
  record.api = "chat";
  record.model_asked = "acme/one";
  record.model_served = "acme/one";
  record.provider = "p0";
  record.finish_reason = "stop";
  record.status = 200;
  record.request.json = R"({"model":"acme/one","messages":[{"role":"user","content":"hi"}]})";
  record.answer.json = R"({"choices":[{"message":{"content":"hello"}}]})";
  return record;
}

std::string line_of(const gateway::ContentRecord& record, std::uint32_t redact = kAll) {
  std::vector<char> bytes(gateway::encoded_size(record));
  gateway::encode(record, bytes);
  const auto read = gateway::decode_content(bytes);
  EXPECT_TRUE(read);
  std::string line;
  append_content_line(*read, redact, line);
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  simdjson::dom::parser parser;
  EXPECT_EQ(parser.parse(line).error(), simdjson::SUCCESS) << line;
  return line;
}

TEST(ContentLine, SaysWhatWasAskedAndAnswered) {
  EXPECT_EQ(line_of(sample()),
            R"({"time":"2026-11-18T11:06:40.250Z","id":"gen-1","request_id":"req-1","key":"dev",)"
            R"("api":"chat","model_asked":"acme/one","model":"acme/one","provider":"p0",)"
            R"("status":200,"finish_reason":"stop",)"
            R"("request":{"model":"acme/one","messages":[{"role":"user","content":"hi"}]},)"
            R"("answer":{"choices":[{"message":{"content":"hello"}}]}})"
            "\n");
}

TEST(ContentLine, SaysWhatIsNotThereAndWhy) {
  gateway::ContentRecord record = sample();
  record.model_served = record.provider = record.finish_reason = record.answer.json = {};
  record.error_type = "rate_limit_exceeded";
  record.status = 429;
  record.is_streamed = record.is_cancelled = true;
  record.request.is_cut = true;
  const std::string line = line_of(record);
  EXPECT_NE(line.find(R"("status":429,"error":"rate_limit_exceeded","streamed":true,)"
                      R"("cancelled":true,"request":{)"),
            std::string::npos);
  EXPECT_NE(line.find(R"(,"request_truncated":true})"), std::string::npos);
  EXPECT_EQ(line.find("answer"), std::string::npos);
}

TEST(ContentLine, RedactsWhereverAClientHadASay) {
  gateway::ContentRecord record = sample();
  record.request_id = "bob@example.com";
  record.model_asked = "acme/bob@example.com";
  record.request.json = R"({"user":"bob\u0040example.com","card":4111111111111111})";
  record.answer.json = R"({"a":"it is 4111 1111 1111 1111"})";
  const std::string line = line_of(record);
  EXPECT_EQ(line.find("example.com"), std::string::npos) << line;
  EXPECT_EQ(line.find("1111"), std::string::npos) << line;
  EXPECT_NE(line.find(R"(,"redacted":5})"), std::string::npos) << line;
  EXPECT_NE(line_of(record, 0).find("4111111111111111"), std::string::npos);
}

TEST(ContentLine, LeavesOutWhatItCannotRead) {
  gateway::ContentRecord record = sample();
  for (const char* broken : {"bob@example.com", "{\"a\":bob@example.com}", "{\"a\":\"b\"", "[1]",
                             "{}{}", "{\"a\"\n:1,}"}) {
    record.answer.json = broken;
    const std::string line = line_of(record);
    EXPECT_NE(line.find(R"("answer_unreadable":true})"), std::string::npos) << line;
    EXPECT_EQ(line.find("bob"), std::string::npos);
  }
}

TEST(ContentLine, RefusesBytesThatAreNoRecord) {
  const gateway::ContentRecord record = sample();
  std::vector<char> bytes(gateway::encoded_size(record));
  gateway::encode(record, bytes);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(gateway::decode_content(std::span(bytes).first(size)));
  }
  bytes.push_back('x');
  EXPECT_FALSE(gateway::decode_content(bytes));
}

TEST(ContentRing, DropsAndCountsWhatHasNoRoom) {
  gateway::ContentRing ring(1 << 12);
  const gateway::ContentRecord record = sample();
  std::uint64_t pushed = 0;
  while (ring.dropped() == 0) {
    ring.push(record);
    ++pushed;
  }
  std::uint64_t taken = 0;
  ring.drain([&](std::span<const char> bytes) {
    EXPECT_TRUE(gateway::decode_content(bytes));
    ++taken;
  });
  EXPECT_EQ(taken, pushed - 1);
  ring.push(record);
  EXPECT_EQ(ring.dropped(), 1U);
  gateway::ContentRecord large = record;
  const std::string text(1 << 13, 'x');
  large.request.json = text;
  ring.push(large);
  EXPECT_EQ(ring.dropped(), 2U);
}

}  // namespace
}  // namespace leat::control
