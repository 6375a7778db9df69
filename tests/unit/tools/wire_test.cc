// SPDX-License-Identifier: Apache-2.0
// Goal: the instruments read HTTP and JSON rightly however the bytes are cut, call broken framing
// broken, and make the same words on both sides. Method: cut every message at every byte; change a
// prompt by one byte.
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <string_view>

#include "wire/http.h"
#include "wire/json.h"
#include "wire/words.h"

namespace leat::tools {
namespace {

// Feeds `bytes` in two pieces, cut at `cut`; appends the payload.
Body::State read_in_two(Body& body, std::string_view bytes, std::size_t cut, std::string& payload) {
  Body::State state = Body::State::kMore;
  for (std::string_view part : {bytes.substr(0, cut), bytes.substr(cut)}) {
    while (state == Body::State::kMore && !part.empty()) {
      std::string_view piece;
      state = body.next(part, piece);
      payload += piece;
    }
  }
  return state;
}

TEST(Body, ReadsChunksCutAnywhere) {
  const std::string_view wire = "5\r\nhello\r\n1;x=y\r\n!\r\nA\r\n0123456789\r\n0\r\nT: 1\r\n\r\n";
  for (std::size_t cut = 0; cut <= wire.size(); ++cut) {
    Body body;
    body.begin(Head{.chunked = true}, false);
    std::string payload;
    EXPECT_EQ(read_in_two(body, wire, cut, payload), Body::State::kDone) << cut;
    EXPECT_EQ(payload, "hello!0123456789") << cut;
  }
}

TEST(Body, CallsBrokenChunksBroken) {
  for (const std::string_view wire :
       {"x\r\n", "5\r\nhelloX\r\n", "5 \r\nhello\r\n", "5\nhello\r\n"}) {
    Body body;
    body.begin(Head{.chunked = true}, false);
    std::string payload;
    EXPECT_EQ(read_in_two(body, wire, 1, payload), Body::State::kBroken) << wire;
  }
}

TEST(Body, LeavesWhatFollowsTheLength) {
  Body body;
  body.begin(Head{.content_length = 3}, true);
  std::string_view bytes = "abcdef";
  std::string_view piece;
  EXPECT_EQ(body.next(bytes, piece), Body::State::kDone);
  EXPECT_EQ(piece, "abc");
  EXPECT_EQ(bytes, "def");
}

TEST(Body, KnowsWhatTheEndOfTheConnectionMeans) {
  Body body;
  body.begin(Head{.content_length = 3}, true);
  EXPECT_EQ(body.at_end_of_connection(), Body::State::kBroken);
  body.begin(Head{}, true);
  EXPECT_EQ(body.at_end_of_connection(), Body::State::kDone);
  body.begin(Head{.chunked = true}, true);
  EXPECT_EQ(body.at_end_of_connection(), Body::State::kBroken);
}

TEST(Head, TakesAnswersAndRequestsApart) {
  const auto answer = parse_answer_head(
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
      "transfer-encoding:chunked\r\nConnection: close\r\n\r\n");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 200);
  EXPECT_TRUE(answer->chunked && answer->close && answer->event_stream);
  const auto request = parse_request_head("POST /v1/x?y HTTP/1.1\r\nContent-Length: 12\r\n\r\n");
  ASSERT_TRUE(request);
  EXPECT_EQ(request->method, "POST");
  EXPECT_EQ(request->target, "/v1/x?y");
  EXPECT_EQ(request->content_length, 12u);
}

TEST(Head, RejectsWhatIsAmbiguous) {
  EXPECT_FALSE(
      parse_answer_head("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n"
                        "Transfer-Encoding: chunked\r\n\r\n"));
  EXPECT_FALSE(
      parse_answer_head("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"));
  EXPECT_FALSE(parse_answer_head("HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n\r\n"));
  EXPECT_FALSE(parse_answer_head("HTTP/2 200\r\n\r\n"));
  EXPECT_FALSE(parse_answer_head("HTTP/1.1 200 OK\r\nno colon\r\n\r\n"));
}

TEST(Json, FindsMembersAndElements) {
  const std::string_view text =
      R"( {"a" : [1, {"b":"]}\""}, "x,"], "c":{"d":null} ,"e":12, "f":"\u00e9\n\ud83d\ude00"} )";
  EXPECT_EQ(element(member(text, "a"), 0), "1");
  EXPECT_EQ(member(element(member(text, "a"), 1), "b"), R"("]}\"")");
  EXPECT_EQ(element(member(text, "a"), 2), R"("x,")");
  EXPECT_EQ(element(member(text, "a"), 3), "");
  EXPECT_EQ(member(member(text, "c"), "d"), "null");
  EXPECT_EQ(whole_number(member(text, "e")), 12u);
  EXPECT_EQ(string_value(member(text, "f")), "é\n😀");
  EXPECT_EQ(member(text, "d"), "");
}

TEST(Json, SurvivesEveryTruncation) {
  const std::string text = R"({"a":[{"b":"c\"d"}],"e":{"f":[1,2]},"g":"\u12"})";
  for (std::size_t size = 0; size + 1 < text.size(); ++size) {
    const std::string_view part = std::string_view(text).substr(0, size);
    EXPECT_EQ(member(part, "g"), "");
    EXPECT_EQ(element(member(part, "a"), 1), "");
  }
  EXPECT_FALSE(string_value(member(text, "g")));
}

TEST(Json, QuotesWhatItCanReadBack) {
  const std::string text = "a\"b\\c\nd\x01é";
  EXPECT_EQ(string_value(json_text(text)), text);
}

TEST(Words, DependOnEveryByteOfThePrompt) {
  std::string prompt = "[" + filler(1000) + "]";
  std::set<std::uint64_t> seeds{seed_of(prompt)};
  for (char& c : prompt) {
    c ^= 1;
    EXPECT_TRUE(seeds.insert(seed_of(prompt)).second);
    c ^= 1;
  }
}

TEST(Words, AreTheTextWordByWord) {
  const std::string text = text_of(42, 100);
  char word[kWordSize];
  for (std::uint64_t i = 0; i < 100; ++i) {
    write_word(42, i, word);
    EXPECT_EQ(text.compare(i * kWordSize, kWordSize, word, kWordSize), 0);
  }
  EXPECT_NE(text, text_of(43, 100));
}

TEST(Words, FillerIsValidJsonStringContentOfTheSize) {
  for (const std::size_t size : {0u, 5u, 100u, 20'000u}) {
    const std::string text = filler(size);
    EXPECT_EQ(text.size(), size);
    EXPECT_TRUE(string_value("\"" + text + "\""));
  }
}

}  // namespace
}  // namespace leat::tools
