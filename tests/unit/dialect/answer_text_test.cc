// SPDX-License-Identifier: Apache-2.0
// Goal: what a stream said is put together as a whole answer would say it: text, reasoning, tool
// calls, several answers, text completions; and no more of it than may be kept. Method: events as
// providers send them, the result read by another parser.
#include "dialect/answer_text.h"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <string>

namespace leat::dialect {
namespace {

void note(AnswerText& answer, std::string_view data) {
  answer.note(classify(data), data);
}

std::string json_of(const AnswerText& answer) {
  std::string out;
  answer.append_json(out);
  simdjson::dom::parser parser;
  EXPECT_EQ(parser.parse(out).error(), simdjson::SUCCESS) << out;
  return out;
}

std::string delta(std::string_view inner, int index = 0) {
  return R"({"id":"c","choices":[{"index":)" + std::to_string(index) + R"(,"delta":{)" +
         std::string(inner) + R"(},"finish_reason":null}]})";
}

TEST(AnswerText, JoinsTextAndReasoning) {
  AnswerText answer(AnswerForm::kChat, 1, 1'000);
  EXPECT_TRUE(answer.is_empty());
  note(answer, delta(R"("role":"assistant","content":"")"));
  EXPECT_TRUE(answer.is_empty());
  note(answer, delta(R"("reasoning":"hm ")"));
  note(answer, delta(R"("reasoning_content":"so")"));
  note(answer, delta(R"("content":"one \"tw")"));
  note(answer, delta(R"("content":"o\" \ud83d")"));
  note(answer, delta(R"("content":"\ude00")"));
  note(answer, R"({"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})");
  note(answer, "[DONE]");
  EXPECT_EQ(json_of(answer), R"({"choices":[{"index":0,"message":{"role":"assistant",)"
                             R"("content":"one \"two\" \ud83d\ude00","reasoning":"hm so"}}]})");
  EXPECT_FALSE(answer.is_cut());
}

TEST(AnswerText, KeepsAnswersApart) {
  AnswerText answer(AnswerForm::kChat, 2, 1'000);
  note(answer, delta(R"("content":"a")", 0));
  note(answer, delta(R"("content":"x")", 1));
  note(answer, delta(R"("content":"b")", 0));
  note(answer, delta(R"("content":"y")", 1));
  EXPECT_EQ(json_of(answer),
            R"({"choices":[{"index":0,"message":{"role":"assistant","content":"ab"}},)"
            R"({"index":1,"message":{"role":"assistant","content":"xy"}}]})");
}

// A provider may say what it likes.
TEST(AnswerText, MoreAnswersThanAreKeptLeaveNoRoomForTheFirst) {
  AnswerText answer(AnswerForm::kChat, 1, 100'000);
  std::string many = R"({"choices":[)";
  for (int i = 1; i <= 128; ++i) {
    many +=
        (i == 1 ? "" : ",") + (R"({"index":)" + std::to_string(i)) + R"(,"delta":{"content":"a"}})";
  }
  note(answer, many + "]}");
  note(answer, R"({"choices":[{"delta":{"content":"x"}}]})");
  note(answer, delta(R"("content":"y")"));
  EXPECT_NE(json_of(answer).find(R"({"index":128)"), std::string::npos);
}

TEST(AnswerText, JoinsToolCalls) {
  AnswerText answer(AnswerForm::kChat, 1, 1'000);
  note(answer, delta(R"("content":"let me see")"));
  note(answer, delta(R"("tool_calls":[{"index":0,"id":"1","type":"function",)"
                     R"("function":{"name":"f","arguments":""}}])"));
  note(answer, delta(R"("tool_calls":[{"index":0,"function":{"arguments":"{\"a\""}}])"));
  note(answer, delta(R"("tool_calls":[{"index":1,"function":{"name":"g","arguments":"{}"}},)"
                     R"({"index":0,"function":{"arguments":":1}"}}])"));
  EXPECT_EQ(json_of(answer),
            R"({"choices":[{"index":0,"message":{"role":"assistant","content":"let me see",)"
            R"("tool_calls":[{"function":{"name":"f","arguments":"{\"a\":1}"}},)"
            R"({"function":{"name":"g","arguments":"{}"}}]}}]})");
}

TEST(AnswerText, OfCallsWithoutAnIndex) {
  AnswerText answer(AnswerForm::kChat, 1, 1'000);
  note(answer, delta(R"("tool_calls":[{"function":{"name":"f","arguments":"{}"}}])"));
  note(answer, delta(R"("tool_calls":[{"function":{"name":"g","arguments":"{"}}])"));
  note(answer, delta(R"("tool_calls":[{"function":{"arguments":"}"}}])"));
  EXPECT_EQ(json_of(answer), R"({"choices":[{"index":0,"message":{"role":"assistant",)"
                             R"("tool_calls":[{"function":{"name":"f","arguments":"{}"}},)"
                             R"({"function":{"name":"g","arguments":"{}"}}]}}]})");
}

TEST(AnswerText, OfRefusalsPartsAndTextCompletions) {
  AnswerText chat(AnswerForm::kChat, 1, 1'000);
  note(chat, delta(R"("refusal":"no")"));
  note(chat, delta(R"("content":[{"type":"text","text":"part"}])"));
  EXPECT_EQ(json_of(chat), R"({"choices":[{"index":0,"message":{"role":"assistant",)"
                           R"("content":"part","refusal":"no"}}]})");
  AnswerText text(AnswerForm::kText, 1, 1'000);
  note(text, R"({"choices":[{"index":0,"text":"on"}]})");
  note(text, R"({"choices":[{"index":0,"text":"ce"}]})");
  EXPECT_EQ(json_of(text), R"({"choices":[{"index":0,"text":"once"}]})");
}

TEST(AnswerText, KeepsNoMoreThanItMayAndNoHalfWord) {
  AnswerText answer(AnswerForm::kChat, 1, 30);
  for (const char* word : {"to ", "bob@", "exam", "ple.com", " and", " 4111 1111", " 1111"}) {
    note(answer, delta(R"("content":")" + std::string(word) + "\""));
  }
  EXPECT_TRUE(answer.is_cut());
  EXPECT_EQ(json_of(answer), R"({"choices":[{"index":0,"message":{"role":"assistant",)"
                             R"("content":"to bob@example.com and"}}]})");
}

}  // namespace
}  // namespace leat::dialect
