// SPDX-License-Identifier: Apache-2.0
// Goal: the provider that carries a broken answer on gets the client's request with exactly the
// text that the client has, in the spelling that it understands, and no more tokens than are left;
// and what cannot be carried on without harm is not.
// Method: streams of events, cut at every place, and what simdjson reads of the request made from
// them; tables of requests and of events that must not be carried on.
#include "dialect/continuation.h"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <array>
#include <string>
#include <vector>

namespace leat::dialect {
namespace {

constexpr std::size_t kRoom = 4'096;

std::string content(std::string_view escaped) {
  return R"({"choices":[{"index":0,"delta":{"content":")" + std::string(escaped) + R"("}}]})";
}
std::string reasoning(std::string_view escaped) {
  return R"({"choices":[{"index":0,"delta":{"content":"","reasoning":")" + std::string(escaped) +
         R"("}}]})";
}

TextSoFar said(const std::vector<std::string>& events, std::size_t bytes_max = kRoom) {
  TextSoFar so_far(bytes_max);
  for (const std::string& event : events) so_far.note(classify(event));
  return so_far;
}

// A request as the gateway has it: scanned and read.
struct Asked {
  explicit Asked(std::string text) : body(std::move(text)) {
    EXPECT_EQ(scanner.scan(body, true), proto::JsonStatus::kDone) << body;
    EXPECT_FALSE(read_chat_request(scanner, body, request)) << body;
  }
  bool may() const { return may_be_continued(scanner, body, request); }
  bool can(const TextSoFar& so_far, std::int64_t output_default = kUnset) const {
    return can_be_continued(scanner, body, so_far, output_default);
  }
  // What goes upstream; empty if it does not fit.
  std::string shaped(TextSoFar& so_far, ContinuesBy by, EndpointShape shape = {.model = "up"}) {
    shape_continuation(by, so_far, shape);
    proto::SpliceList list(body);
    if (!shape_chat_request(scanner, body, request, shape, list)) return {};
    std::string text;
    for (const std::string_view piece : list.pieces()) text += piece;
    EXPECT_EQ(text.size(), list.size());
    return text;
  }

  std::string body;
  proto::JsonScanner scanner;
  ChatRequest request;
};

std::string question(const std::string& more = "") {
  return R"({"model":"m","stream":true,"messages":[{"role":"user","content":"q"}])" + more + "}";
}

// ---- The text ----------------------------------------------------------------------------------

// The text that a provider would read in the last message.
std::string text_sent(TextSoFar& so_far) {
  Asked asked(question());
  const std::string text = asked.shaped(so_far, ContinuesBy::kPlace);
  simdjson::dom::parser parser;
  const simdjson::dom::element root = parser.parse(text);
  const simdjson::dom::array messages = root["messages"];
  EXPECT_EQ(messages.size(), 2u) << text;
  EXPECT_EQ(std::string_view(messages.at(0)["content"]), "q");
  const simdjson::dom::object last = messages.at(1);
  EXPECT_EQ(std::string_view(last["role"]), "assistant");
  return std::string(std::string_view(last["content"]));
}

TEST(TextSoFar, SaysWhatTheEventsSaidWhereverTheyWereCut) {
  // Each element a character as JSON may spell it, and what it says.
  const std::vector<std::pair<std::string, std::string>> characters = {
      {"H", "H"},     {" ", " "},           {"\\n", "\n"}, {"\\\"", "\""},
      {"\\\\", "\\"}, {"\\u00e9", "é"},     {"é", "é"},    {"\\ud83d\\ude00", "😀"},
      {"😀", "😀"},     {"\\u4f60", "你"},    {"\\/", "/"},  {"\\u0000", std::string(1, '\0')},
      {"\\t", "\t"},  {"\\u2028", "\u2028"}};
  for (std::size_t first = 0; first <= characters.size(); ++first) {
    for (std::size_t second = first; second <= characters.size(); ++second) {
      std::array<std::string, 3> parts;
      std::string all;
      for (std::size_t i = 0; i < characters.size(); ++i) {
        parts[i < first ? 0 : i < second ? 1 : 2] += characters[i].first;
        all += characters[i].second;
      }
      TextSoFar so_far = said({content(parts[0]), content(parts[1]), content(parts[2])});
      ASSERT_TRUE(so_far.is_whole());
      ASSERT_EQ(text_sent(so_far), all) << first << " " << second;
    }
  }
}

TEST(TextSoFar, JoinsTheHalvesOfACharacter) {
  TextSoFar escapes = said({content("a\\ud83d"), content("\\ude00b")});
  ASSERT_TRUE(escapes.is_whole());
  EXPECT_EQ(text_sent(escapes), "a😀b");
  const std::string face = "😀";
  TextSoFar bytes = said({content("a" + face.substr(0, 2)), content(face.substr(2) + "b")});
  ASSERT_TRUE(bytes.is_whole());
  EXPECT_EQ(text_sent(bytes), "a😀b");
}

TEST(TextSoFar, IsNotWholeWhereItEndsInHalfACharacter) {
  EXPECT_FALSE(said({content("a\\ud83d")}).is_whole());
  EXPECT_FALSE(said({content("a\\ud83d"), content("b")}).is_whole());
  EXPECT_FALSE(said({content("a\\ude00")}).is_whole());
  EXPECT_FALSE(said({content("a\xf0\x9f")}).is_whole());
  EXPECT_FALSE(said({content("a\xc3")}).is_whole());
  EXPECT_FALSE(said({content("a\tb")}).is_whole()) << "no JSON: nobody could be sent it";
  EXPECT_TRUE(said({content("a")}).is_whole());
}

TEST(TextSoFar, NothingSaidIsNothingToCarryOn) {
  EXPECT_FALSE(said({}).is_whole());
  EXPECT_FALSE(said({R"({"choices":[{"delta":{"role":"assistant","content":""}}]})"}).is_whole());
  EXPECT_FALSE(said({reasoning("thinking")}).is_whole());
}

TEST(TextSoFar, ReasoningStandsBeforeTheTextOnly) {
  TextSoFar before = said({reasoning("let me"), reasoning(" see"), content("Yes")});
  ASSERT_TRUE(before.is_whole());
  EXPECT_EQ(text_sent(before), "Yes");
  const TextSoFar behind = said({content("Yes"), reasoning("or"), content(" no")});
  EXPECT_FALSE(behind.is_plain());
  EXPECT_FALSE(behind.is_whole());
}

TEST(TextSoFar, WhatIsMoreThanTextSpoilsItForGood) {
  const std::vector<std::string> others = {
      R"({"choices":[{"delta":{"tool_calls":[{"index":0,"id":"c"}]}}]})",
      R"({"choices":[{"delta":{"content":"x","tool_calls":[{"index":0}]}}]})",
      R"({"choices":[{"delta":{"content":"x","reasoning":"y"}}]})",
      R"({"choices":[{"delta":{"refusal":"no"}}]})",
      R"({"choices":[{"delta":{"audio":{"data":"AA"}}}]})",
      R"({"choices":[{"delta":{"images":[{"url":"u"}]}}]})",
      R"({"choices":[{"delta":{"content":[{"type":"text","text":"x"}]}}]})",
      R"({"choices":[{"delta":{"content":"x"}},{"index":1,"delta":{"content":"y"}}]})",
      R"({"choices":[{"delta":{"content":"x","content":"y"}}]})",
      R"({"choices":[{"text":"x"}]})",
  };
  for (const std::string& other : others) {
    EXPECT_FALSE(said({content("a"), other}).is_plain()) << other;
    EXPECT_FALSE(said({other, content("a")}).is_whole()) << other;
  }
  // A role, empty parts and a finish reason are none of these.
  EXPECT_TRUE(said({R"({"choices":[{"delta":{"role":"assistant"}}]})", content("a"),
                    R"({"choices":[{"delta":{"content":[],"tool_calls":[]}}]})",
                    R"({"choices":[{"delta":{"content":"b"},"finish_reason":"length"}]})"})
                  .is_whole());
}

TEST(TextSoFar, KeepsNoMoreThanItMay) {
  EXPECT_TRUE(said({content("abcd"), content("efgh")}, 8).is_whole());
  const TextSoFar over = said({content("abcd"), content("efghi")}, 8);
  EXPECT_FALSE(over.is_plain());
  EXPECT_LT(over.bytes_held(), 32u) << "what cannot be used is not held";
}

TEST(TextSoFar, ATokenSaysNoLessThanAByte) {
  EXPECT_EQ(said({content("abc"), content("de")}).tokens_max(), 5);
  EXPECT_EQ(said({content("\\n\\u00e9\\\"\\u0041\\u4f60")}).tokens_max(), 8) << "as text";
  EXPECT_EQ(said({content("\\ud83d"), content("\\ude00")}).tokens_max(), 4);
  EXPECT_EQ(said({reasoning("abcd"), content("e")}).tokens_max(), 5);
  EXPECT_EQ(said({}).tokens_max(), 0);
}

TEST(TextSoFar, AProvidersOwnCountIsBetterThanABound) {
  const std::string counted =
      R"({"choices":[{"delta":{"content":"abcdefgh"}}],"usage":{"completion_tokens":3}})";
  EXPECT_EQ(said({reasoning("hm"), content("x"), counted}).tokens_max(), 3);
  EXPECT_EQ(said({counted, content("yz")}).tokens_max(), 5);
  EXPECT_EQ(said({content("yz"), R"({"choices":[],"usage":{"prompt_tokens":9}})"}).tokens_max(), 2);
}

// ---- The request -------------------------------------------------------------------------------

TEST(Continuation, IsSpeltAsTheEndpointWantsIt) {
  const std::string before =
      R"({"model":"up","stream":true,"messages":[{"role":"user","content":"q"},)";
  const std::string usage = R"("stream_options":{"include_usage":true}})";
  struct Row {
    ContinuesBy by;
    std::string rest;
  };
  const Row rows[] = {
      {ContinuesBy::kPlace, R"({"role":"assistant","content":"so far"}],)" + usage},
      {ContinuesBy::kPrefix, R"({"role":"assistant","content":"so far","prefix":true}],)" + usage},
      {ContinuesBy::kPartial,
       R"({"role":"assistant","content":"so far","partial":true}],)" + usage},
  };
  TextSoFar so_far = said({content("so"), content(" far")});
  // One after the other from the same text: the first attempt to carry it on may fail.
  for (const Row& row : rows) {
    EXPECT_EQ(Asked(question()).shaped(so_far, row.by), before + row.rest);
  }
  const std::string flagged = Asked(question()).shaped(so_far, ContinuesBy::kFinalMessage);
  simdjson::dom::parser parser;
  const simdjson::dom::element root = parser.parse(flagged);
  EXPECT_FALSE(bool(root["add_generation_prompt"])) << flagged;
  EXPECT_TRUE(bool(root["continue_final_message"])) << flagged;
  EXPECT_EQ(simdjson::minify(root["messages"].at(1)), R"({"role":"assistant","content":"so far"})");
}

TEST(Continuation, LeavesTheRestOfTheRequestAsItIs) {
  Asked asked(
      R"({"messages": [ {"role":"developer","content":"d"}, {"role":"user","content":"q"} ] ,)"
      R"("temperature":0.5,"seed":7,"provider":{"sort":"price"},"model":"m","stream":true,)"
      R"("tools":[{"x":1}],"usage":{"include":true}})");
  TextSoFar so_far = said({content("a")});
  EXPECT_EQ(asked.shaped(so_far, ContinuesBy::kPlace, {.model = "up"}),
            R"({"messages": [ {"role":"developer","content":"d"}, {"role":"user","content":"q"} )"
            R"(,{"role":"assistant","content":"a"}] ,)"
            R"("temperature":0.5,"seed":7,"model":"up","stream":true,)"
            R"("tools":[{"x":1}],"stream_options":{"include_usage":true}})");
}

TEST(Continuation, ATextOfAnySizeIsNotCopied) {
  std::string large(200'000, 'x');
  TextSoFar so_far = said({content(large)}, 1 << 20);
  Asked asked(question());
  EndpointShape shape{.model = "up"};
  shape_continuation(ContinuesBy::kPlace, so_far, shape);
  proto::SpliceList list(asked.body);
  ASSERT_TRUE(shape_chat_request(asked.scanner, asked.body, asked.request, shape, list));
  std::size_t large_pieces = 0;
  for (const std::string_view piece : list.pieces()) {
    if (piece.size() < large.size()) continue;
    ++large_pieces;
    EXPECT_EQ(piece.data(), shape.trailing_message.data());
  }
  EXPECT_EQ(large_pieces, 1u);
}

struct Cap {
  std::string sent;  // members of the request
  std::string got;   // what must be in the one that goes upstream, "" for none of either name
  EndpointShape shape = {.model = "up"};
};

TEST(Continuation, WhatWasGivenIsOffTheCap) {
  EndpointShape newer{.model = "up", .max_tokens_key = MaxTokensKey::kMaxCompletionTokens};
  EndpointShape older{.model = "up", .max_tokens_key = MaxTokensKey::kMaxTokens};
  EndpointShape with_default{.model = "up", .output_default = 50};
  const Cap rows[] = {
      {R"(,"max_tokens":100)", R"("max_tokens":95)"},
      {R"(,"max_tokens":6)", R"("max_tokens":1)"},
      {R"(,"max_completion_tokens":100)", R"("max_completion_tokens":95)"},
      {R"(,"max_tokens":100,"max_completion_tokens":90)",
       R"("max_tokens":95,"max_completion_tokens":85)"},
      {R"(,"max_tokens":100)", R"("max_completion_tokens":95)", newer},
      {R"(,"max_tokens":100,"max_completion_tokens":90)", R"("max_completion_tokens":85)", newer},
      {R"(,"max_tokens":null,"max_completion_tokens":90)", R"("max_tokens":85)", older},
      {"", R"("max_tokens":45)", with_default},
      {R"(,"max_tokens":80)", R"("max_tokens":75)", with_default},
      {"", ""},
  };
  for (const Cap& row : rows) {
    SCOPED_TRACE(row.sent);
    TextSoFar so_far = said({content("abcde")});
    const std::string text =
        Asked(question(row.sent)).shaped(so_far, ContinuesBy::kPlace, row.shape);
    ASSERT_FALSE(text.empty());
    if (row.got.empty()) {
      EXPECT_EQ(text.find("max_"), std::string::npos) << text;
    } else {
      EXPECT_NE(text.find(row.got), std::string::npos) << text;
      EXPECT_EQ(text.find("max_", text.find(row.got) + row.got.size()), std::string::npos) << text;
    }
    proto::JsonScanner check;
    EXPECT_EQ(check.scan(text, true), proto::JsonStatus::kDone) << text;
  }
}

TEST(Continuation, NothingIsAskedForWhereTheCapIsUsedUp) {
  const TextSoFar so_far = said({content("abcde")});
  EXPECT_TRUE(Asked(question(R"(,"max_tokens":6)")).can(so_far));
  EXPECT_FALSE(Asked(question(R"(,"max_tokens":5)")).can(so_far));
  EXPECT_FALSE(Asked(question(R"(,"max_completion_tokens":5)")).can(so_far));
  EXPECT_FALSE(Asked(question(R"(,"max_tokens":9,"max_completion_tokens":5)")).can(so_far));
  EXPECT_TRUE(Asked(question()).can(so_far));
  EXPECT_TRUE(Asked(question()).can(so_far, 6));
  EXPECT_FALSE(Asked(question()).can(so_far, 5));
  EXPECT_TRUE(Asked(question(R"(,"max_tokens":6)")).can(so_far, 5));
  EXPECT_TRUE(Asked(question(R"(,"max_tokens":null)")).can(so_far));
}

TEST(Continuation, NotOfATextThatIsNotWhole) {
  EXPECT_FALSE(Asked(question()).can(said({content("a\\ud83d")})));
  EXPECT_FALSE(Asked(question()).can(said({})));
}

TEST(Continuation, TheClientsOwnPrefillIsLeftAlone) {
  const TextSoFar so_far = said({content("a")});
  const auto ends_in = [&](const std::string& messages) {
    return Asked(R"({"model":"m","stream":true,"messages":)" + messages + "}").can(so_far);
  };
  EXPECT_TRUE(ends_in(R"([{"role":"assistant","content":"x"},{"content":"q","role":"user"}])"));
  EXPECT_TRUE(ends_in(R"([{"role":"tool","content":"r"}])"));
  EXPECT_FALSE(ends_in(R"([{"role":"user","content":"q"},{"role":"assistant","content":"x"}])"));
  EXPECT_FALSE(ends_in(R"([{"role":"user","content":"q"},{"content":"no role"}])"));
  EXPECT_FALSE(ends_in("[]"));
  EXPECT_FALSE(ends_in("null"));
  for (const char* key : {"continue_final_message", "add_generation_prompt", "echo", "guided_json",
                          "grammar", "json_schema", "regex"}) {
    EXPECT_FALSE(Asked(question(",\"" + std::string(key) + "\":true")).can(so_far)) << key;
  }
}

TEST(Continuation, OnlyOfAnAnswerThatIsOnePlainText) {
  EXPECT_TRUE(Asked(question()).may());
  for (const char* more :
       {R"(,"n":1)", R"(,"logprobs":false,"top_logprobs":0)", R"(,"response_format":null)",
        R"(,"response_format":{"type":"text"})", R"(,"modalities":["text"])",
        R"(,"tools":[{"x":1}],"tool_choice":"auto")", R"(,"tool_choice":"none")",
        R"(,"store":false)", R"(,"structured_outputs":false)",
        R"(,"reasoning":{"effort":"low"})"}) {
    EXPECT_TRUE(Asked(question(more)).may()) << more;
  }
  for (const char* more :
       {R"(,"n":2)", R"(,"best_of":2)", R"(,"logprobs":true)", R"(,"top_logprobs":3)",
        R"(,"response_format":{"type":"json_schema","json_schema":{}})",
        R"(,"response_format":{"type":"json_object"})", R"(,"response_format":{})",
        R"(,"modalities":["text","audio"])", R"(,"audio":{"voice":"v"})",
        R"(,"tool_choice":"required")", R"(,"tool_choice":{"type":"function"})", R"(,"store":true)",
        R"(,"structured_outputs":true)"}) {
    EXPECT_FALSE(Asked(question(more)).may()) << more;
  }
  EXPECT_FALSE(Asked(R"({"model":"m","messages":[{"role":"user","content":"q"}]})").may());
}

}  // namespace
}  // namespace leat::dialect
