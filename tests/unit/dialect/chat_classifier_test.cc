// SPDX-License-Identifier: Apache-2.0
// Goal: what is known by its likeness to the last event is what reading it would say. Method:
// streams of events with small changes at every place, each also read by classify();
// words chosen to look like the end of their string.
#include "dialect/chat_classifier.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/rng.h"

namespace leat::dialect {
namespace {

const std::string kBefore =
    R"({"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m",)"
    R"("choices":[{"index":0,"delta":{"content":")";
const std::string kBehind = R"("},"logprobs":null,"finish_reason":null}],"usage":null})";

void expect_same(ChatClassifier& classifier, const std::string& data) {
  const ChatEvent told = classifier.classify(data);
  const ChatEvent read = classify(data);
  EXPECT_EQ(told.kind, read.kind) << data;
  EXPECT_EQ(told.has_content, read.has_content) << data;
  EXPECT_EQ(told.has_usage, read.has_usage) << data;
  EXPECT_EQ(told.content_bytes, read.content_bytes) << data;
  EXPECT_EQ(told.finished, read.finished) << data;
  EXPECT_EQ(told.finish_reason, read.finish_reason) << data;
  EXPECT_EQ(told.usage.prompt, read.usage.prompt) << data;
  EXPECT_EQ(told.speech, read.speech) << data;
  EXPECT_EQ(told.spoken, read.spoken) << data;
}

TEST(ChatClassifier, SaysWhatClassifySays) {
  ChatClassifier classifier;
  const std::vector<std::string> words = {"Hello",
                                          " world",
                                          "",
                                          "a",
                                          R"(\")",
                                          R"(\\)",
                                          R"(\\\")",
                                          R"("},"x":{"content":")",
                                          R"("}}],"error":{"message":"x"},"y":[{"z":{"content":"a)",
                                          std::string(5'000, 'w'),
                                          "\\",
                                          R"(a\)",
                                          "é",
                                          R"(\u00e9)",
                                          R"(","tool_calls":[{"index":0}],"reasoning":")"};
  for (int round = 0; round < 2; ++round) {
    for (const std::string& a : words) {
      for (const std::string& b : words) {
        expect_same(classifier, kBefore + a + kBehind);
        expect_same(classifier, kBefore + b + kBehind);
      }
    }
    classifier.reset();
  }
}

TEST(ChatClassifier, SeesEveryChangeAroundTheWords) {
  Rng rng(3);
  const std::string usual = kBefore + " word" + kBehind;
  for (std::size_t at = 0; at < usual.size(); ++at) {
    for (const char c : {'"', '\\', '}', ']', ',', 'x', ' '}) {
      ChatClassifier classifier;
      expect_same(classifier, usual);
      std::string changed = usual;
      changed[at] = c;
      expect_same(classifier, changed);
      expect_same(classifier, usual);
      expect_same(classifier, usual.substr(0, at));
      expect_same(classifier, usual);
    }
  }
}

TEST(ChatClassifier, RemembersWhetherTheWordsAreText) {
  const std::string reasoning = R"({"choices":[{"delta":{"reasoning_content":")";
  const std::string refusal = R"({"choices":[{"delta":{"refusal":")";
  for (const std::string& before : {kBefore, reasoning, refusal, kBefore}) {
    ChatClassifier classifier;
    for (const char* words : {"one", " two", " three"}) {
      expect_same(classifier, before + words + R"("}}]})");
    }
  }
}

TEST(ChatClassifier, DoesNotTakeAnEndForContent) {
  ChatClassifier classifier;
  expect_same(classifier, kBefore + "a" + kBehind);
  std::string finish = kBefore + "b" + kBehind;
  finish.replace(finish.find("\"finish_reason\":null") + 16, 4, "\"stop\"");
  EXPECT_EQ(classifier.classify(finish).kind, ChatKind::kFinish);
  std::string usage = kBefore + "c" + kBehind;
  usage.replace(usage.rfind("null"), 4, R"({"prompt_tokens":7,"completion_tokens":1})");
  EXPECT_EQ(classifier.classify(usage).usage.prompt, 7);
  usage.replace(usage.rfind(":7,"), 3, ":8,");
  EXPECT_EQ(classifier.classify(usage).usage.prompt, 8);
  EXPECT_EQ(classifier.classify("[DONE]").kind, ChatKind::kDone);
  EXPECT_EQ(classifier.classify("").kind, ChatKind::kInvalid);
}

TEST(ChatClassifier, ReadsWhatIsTooLongToRemember) {
  ChatClassifier classifier;
  const std::string long_one = R"({"id":")" + std::string(600, 'i') + R"(","choices":[{"delta":)";
  for (const char* word : {"a", "b"}) {
    expect_same(classifier, long_one + R"({"content":")" + word + R"("}}]})");
  }
}

}  // namespace
}  // namespace leat::dialect
