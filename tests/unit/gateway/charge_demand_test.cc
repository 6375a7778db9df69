// SPDX-License-Identifier: Apache-2.0
// Goal: nothing that a body asks for is left out of what it is bounded by, whatever its spelling,
// and an image is not paid for as text. Method: bodies of all kinds through the same reading as the
// gateway's, and what is demanded for them.
#include "gateway/charge_demand.h"

#include <gtest/gtest.h>

#include <string>

#include "gateway/route_planning.h"

namespace leat::gateway {
namespace {

// REQUIRES: the body is a request of that kind.
policy::ChargeDemand demand(const std::string& body, RequestKind kind = RequestKind::kChat,
                            std::uint32_t output_default = 0) {
  proto::JsonScanner scanner(json_limits({}));
  EXPECT_EQ(scanner.scan(body, true), proto::JsonStatus::kDone);
  dialect::ChatRequest chat;
  dialect::RoutingFields fields;
  dialect::RoutingFault fault;
  dialect::PromptInput input;
  EXPECT_TRUE(read_request(scanner, body, chat, fields, fault)) << fault.message();
  if (kind == RequestKind::kText) {
    EXPECT_TRUE(dialect::read_prompt(scanner, body, input, fault)) << fault.message();
  } else if (kind == RequestKind::kEmbeddings) {
    EXPECT_TRUE(dialect::read_embeddings_input(scanner, body, input, fault)) << fault.message();
  }
  return demand_of(body, kind, fields, chat, input, output_default);
}

std::string chat(const std::string& content, const std::string& more = "") {
  return R"({"model":"m","messages":[{"role":"user","content":)" + content + "}]" + more + "}";
}

TEST(ChargeDemand, CountsEveryByteOfText) {
  const std::string body = chat("\"hello\"");
  const policy::ChargeDemand made = demand(body, RequestKind::kChat, 77);
  EXPECT_EQ(made.text_bytes, body.size());
  EXPECT_EQ(made.images, 0u);
  EXPECT_FALSE(made.has_open_media);
  EXPECT_LE(made.output_cap, 0);
  EXPECT_EQ(made.choices, 1);
  EXPECT_EQ(made.web_searches, 0u);
  EXPECT_EQ(made.key_output_default_max, 77u);
}

TEST(ChargeDemand, TakesTheLargestOfWhatIsAskedTwice) {
  const policy::ChargeDemand made =
      demand(chat("\"a\"", R"(,"max_tokens":5,"max_completion_tokens":9,"n":3)"));
  EXPECT_EQ(made.output_cap, 9);
  EXPECT_EQ(made.choices, 3);
}

TEST(ChargeDemand, AnImageIsNoText) {
  const std::string source = R"({"url":"data:image/png;base64,)" + std::string(5'000, 'A') + "\"}";
  const std::string part = R"({"type":"image_url","image_url":)" + source + "}";
  const std::string body = chat("[" + part + "," + part + R"(,{"type":"text","text":"what?"}])");
  const policy::ChargeDemand made = demand(body);
  EXPECT_EQ(made.images, 2u);
  EXPECT_EQ(made.text_bytes, body.size() - 2 * source.size());
  EXPECT_FALSE(made.has_open_media);
}

TEST(ChargeDemand, NothingHidesInAPart) {
  const std::string text(1'000, 'x');
  // A text that calls its member by an image's name is text.
  const std::string named = chat(R"([{"type":"text","image_url":")" + text + "\"}]");
  EXPECT_EQ(demand(named).text_bytes, named.size());
  // Two sources in one part are two images; an escaped type is a type.
  const policy::ChargeDemand twice = demand(
      chat(R"([{"type":"image\u005furl","image_url":{"url":"a"},"image_url":{"url":"b"}}])"));
  EXPECT_EQ(twice.images, 2u);
  // An image without a source is one all the same.
  EXPECT_EQ(demand(chat(R"([{"type":"image_url"}])")).images, 1u);
}

TEST(ChargeDemand, WhatHasNoBoundOfItsOwnIsOpen) {
  const auto is_open = [](const char* type) {
    return demand(chat(R"([{"type":")" + std::string(type) + "\"}]")).has_open_media;
  };
  // A URL of a few bytes may be a book, under names that only some providers know.
  for (const char* type : {"input_audio", "file", "video_url", "document_url", "audio_url", "x"}) {
    EXPECT_TRUE(is_open(type)) << type;
  }
  for (const char* type : {"text", "refusal", "thinking"}) EXPECT_FALSE(is_open(type)) << type;
}

TEST(ChargeDemand, SearchesAndModalitiesCount) {
  EXPECT_GT(demand(chat("\"a\"", R"(,"web_search_options":{})")).web_searches, 0u);
  EXPECT_GT(demand(chat("\"a\"", R"(,"plugins":[{"id":"web"}])")).web_searches, 0u);
  EXPECT_GT(demand(R"({"model":"m:online","messages":[]})").web_searches, 0u);
  const policy::ChargeDemand made = demand(chat("\"a\"", R"(,"modalities":["text","image"])"));
  EXPECT_TRUE(made.output.has(policy::Modality::kImage));
  EXPECT_FALSE(made.output.has(policy::Modality::kAudio));
}

TEST(ChargeDemand, EachPromptOfTextHasItsAnswers) {
  const policy::ChargeDemand made =
      demand(R"({"model":"m","prompt":["a","b","c"],"n":2})", RequestKind::kText);
  EXPECT_EQ(made.prompts, 3u);
  EXPECT_EQ(made.choices, 6);
  EXPECT_TRUE(made.has_output);
}

TEST(ChargeDemand, EmbeddingsHaveNoOutput) {
  const std::string body = R"({"model":"m","input":["a","b"]})";
  const policy::ChargeDemand made = demand(body, RequestKind::kEmbeddings);
  EXPECT_EQ(made.prompts, 2u);
  EXPECT_FALSE(made.has_output);
  EXPECT_EQ(made.text_bytes, body.size());
}

TEST(ChargeDemand, ACacheMarkIsSeenUnderAnySpelling) {
  EXPECT_FALSE(may_cache(chat("\"hello\"")));
  EXPECT_TRUE(may_cache(chat(R"([{"type":"text","text":"a","cache_control":{}}])")));
  EXPECT_TRUE(may_cache(chat(R"([{"type":"text","text":"a","cache\u005fcontrol":{}}])")));
}

}  // namespace
}  // namespace leat::gateway
