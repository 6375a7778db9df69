// SPDX-License-Identifier: Apache-2.0
// Goal: an endpoint gets the request in the words that it takes, and nothing that it would refuse;
// what is not its quirk crosses byte for byte.
// Method: tables of a body, an endpoint's shape and the body that must go upstream.
#include <gtest/gtest.h>

#include <string>

#include "dialect/openai_request.h"

namespace leat::dialect {
namespace {

std::string shaped(std::string_view body, const EndpointShape& endpoint, bool* ok = nullptr) {
  proto::JsonScanner scanner;
  EXPECT_EQ(scanner.scan(body, true), proto::JsonStatus::kDone) << body;
  ChatRequest request;
  EXPECT_FALSE(read_chat_request(scanner, body, request)) << body;
  proto::SpliceList list(body);
  const bool fits = shape_chat_request(scanner, body, request, endpoint, list);
  if (ok != nullptr) {
    *ok = fits;
  } else {
    EXPECT_TRUE(fits) << body;
  }
  std::string text;
  for (const std::string_view piece : list.pieces()) text += piece;
  proto::JsonScanner check;
  if (fits) {
    EXPECT_EQ(check.scan(text, true), proto::JsonStatus::kDone) << text;
  }
  return text;
}

EndpointShape dropping(ParameterSet dropped) {
  return {.model = "up", .dropped = dropped};
}

TEST(EndpointShape, LeavesOutWhatTheEndpointLacksAndNothingElse) {
  EXPECT_EQ(shaped(R"({"model":"m","seed":1,"top_k":2,"stop":["x"],"unknown":3})",
                   dropping({Parameter::kSeed, Parameter::kStop})),
            R"({"model":"up","top_k":2,"unknown":3})");
  EXPECT_EQ(shaped(R"({"logit_bias":{"1":2},"min_p":0.1,"model":"m"})",
                   dropping({Parameter::kLogitBias, Parameter::kMinP})),
            R"({"model":"up"})");
}

// What is billed and what is charged are one tier, whatever the client wrote.
TEST(EndpointShape, AsksForTheTierThatItIsPricedBy) {
  const EndpointShape flex{.model = "up", .service_tier = "flex"};
  EXPECT_EQ(shaped(R"({"model":"m","top_k":2})", flex),
            R"({"model":"up","top_k":2,"service_tier":"flex"})");
  EXPECT_EQ(shaped(R"({"model":"m","service_tier":"priority"})", flex),
            R"({"model":"up","service_tier":"flex"})");
  EXPECT_EQ(shaped(R"({"model":"m","service_tier":null})", flex),
            R"({"model":"up","service_tier":"flex"})");
  for (const char* word : {"priority", "flex", "fast", "pri\\u006frity"}) {
    const std::string body = R"({"model":"m","service_tier":")" + std::string(word) + "\"}";
    EXPECT_EQ(shaped(body, {.model = "up"}), R"({"model":"up"})") << word;
  }
  for (const char* word : {"\"auto\"", "\"default\"", "\"scale\"", "null"}) {
    const std::string body = R"({"model":"up","service_tier":)" + std::string(word) + "}";
    EXPECT_EQ(shaped(body, {.model = "up"}), body);
  }
  EndpointShape refuses = dropping({Parameter::kServiceTier});
  refuses.service_tier = "flex";
  EXPECT_EQ(shaped(R"({"model":"m","service_tier":"flex"})", refuses), R"({"model":"up"})");
}

TEST(EndpointShape, KeepsWhatIsNotDropped) {
  const char body[] =
      R"({"model":"up","tools":[{}],"tool_choice":"required","seed":1,"reasoning":{"effort":"low"},)"
      R"("messages":[{"role":"developer","content":"x"}],"user":"u","prompt_cache_key":"k"})";
  EXPECT_EQ(shaped(body, {.model = "up"}), body);
}

TEST(EndpointShape, DropsWhatHangsOnADroppedParameter) {
  EXPECT_EQ(shaped(R"({"model":"m","tools":[{}],"tool_choice":"auto","parallel_tool_calls":true,)"
                   R"("max_tool_calls":1})",
                   dropping({Parameter::kTools})),
            R"({"model":"up"})");
  EXPECT_EQ(
      shaped(R"({"model":"m","logprobs":true,"top_logprobs":2})", dropping({Parameter::kLogprobs})),
      R"({"model":"up"})");
}

TEST(EndpointShape, NeverDropsTheOutputCap) {
  EXPECT_EQ(shaped(R"({"model":"m","max_tokens":5})",
                   dropping({Parameter::kMaxTokens, Parameter::kMaxCompletionTokens})),
            R"({"model":"up","max_tokens":5})")
      << "price and reservation stand on it";
  EndpointShape renames = dropping({Parameter::kMaxTokens});
  renames.max_tokens_key = MaxTokensKey::kMaxCompletionTokens;
  EXPECT_EQ(shaped(R"({"model":"m","max_tokens":5})", renames),
            R"({"model":"up","max_completion_tokens":5})");
}

struct ReasoningCase {
  const char* sent;
  ReasoningKey key;
  const char* upstream;
};

TEST(EndpointShape, SpellsReasoningAsTheEndpointDoes) {
  constexpr ReasoningKey kWord = ReasoningKey::kReasoningEffort;
  constexpr ReasoningKey kObject = ReasoningKey::kReasoning;
  const ReasoningCase cases[] = {
      {R"({"model":"m","reasoning":{"effort":"high","exclude":true}})", kWord,
       R"({"model":"up","reasoning_effort":"high"})"},
      {R"({"model":"m","reasoning":{"max_tokens":100},"n":1})", kWord, R"({"model":"up","n":1})"},
      {R"({"model":"m","reasoning_effort":"low"})", kWord,
       R"({"model":"up","reasoning_effort":"low"})"},
      {R"({"model":"m","reasoning_effort":"low","reasoning":{"effort":"low"}})", kWord,
       R"({"model":"up","reasoning_effort":"low"})"},
      {R"({"model":"m","reasoning_effort":null,"reasoning":{"effort":"low"}})", kWord,
       R"({"model":"up","reasoning_effort":"low"})"},
      {R"({"model":"m","reasoning_effort":"low"})", kObject,
       R"({"model":"up","reasoning":{"effort":"low"}})"},
      {R"({"model":"m","reasoning_effort":"low","reasoning":{"max_tokens":9}})", kObject,
       R"({"model":"up","reasoning":{"max_tokens":9}})"},
      {R"({"model":"m","reasoning":null,"reasoning_effort":"low"})", kObject,
       R"({"model":"up","reasoning":{"effort":"low"}})"},
      {R"({"model":"m","reasoning_effort":null})", kObject, R"({"model":"up"})"},
  };
  for (const ReasoningCase& c : cases) {
    EXPECT_EQ(shaped(c.sent, {.model = "up", .reasoning_key = c.key}), c.upstream) << c.sent;
  }
}

TEST(EndpointShape, DropsReasoningInBothSpellingsWhereNoneIsTaken) {
  const char body[] = R"({"model":"m","reasoning":{"effort":"low"},"reasoning_effort":"low"})";
  EXPECT_EQ(shaped(body, dropping({Parameter::kReasoning})),
            R"({"model":"up","reasoning_effort":"low"})");
  EndpointShape none = dropping({Parameter::kReasoning, Parameter::kReasoningEffort});
  EXPECT_EQ(shaped(body, none), R"({"model":"up"})");
  none.reasoning_key = ReasoningKey::kReasoningEffort;
  EXPECT_EQ(shaped(body, none), R"({"model":"up"})");
  none.reasoning_key = ReasoningKey::kReasoning;
  EXPECT_EQ(shaped(body, none), R"({"model":"up"})");
}

TEST(EndpointShape, UsesTheEndpointsWords) {
  const EndpointShape mistral = {
      .model = "up", .seed_key = "random_seed", .tool_choice_required = "any"};
  EXPECT_EQ(shaped(R"({"model":"m","seed":7,"tool_choice":"required"})", mistral),
            R"({"model":"up","random_seed":7,"tool_choice":"any"})");
  EXPECT_EQ(shaped(R"({"model":"m","tool_choice":"auto"})", mistral),
            R"({"model":"up","tool_choice":"auto"})");
  EndpointShape drops = mistral;
  drops.dropped = {Parameter::kSeed, Parameter::kTools};
  EXPECT_EQ(shaped(R"({"model":"m","seed":7,"tool_choice":"required"})", drops),
            R"({"model":"up"})");
}

TEST(EndpointShape, LeavesOutAnEmptyToolListWhereItIsRefused) {
  const EndpointShape strict = {.model = "up", .takes_empty_tools = false};
  EXPECT_EQ(shaped(R"({"tools":[ ],"model":"m"})", strict), R"({"model":"up"})");
  EXPECT_EQ(shaped(R"({"tools":[{}],"model":"m"})", strict), R"({"tools":[{}],"model":"up"})");
}

TEST(EndpointShape, RespellsDevelopersRole) {
  const EndpointShape old = {.model = "up", .takes_developer_role = false};
  EXPECT_EQ(shaped(R"({"model":"m","messages":[{"role":"developer","content":"developer"},)"
                   R"({"role":"user","content":"\"role\":\"developer\""},{"role":"developer"}]})",
                   old),
            R"({"model":"up","messages":[{"role":"system","content":"developer"},)"
            R"({"role":"user","content":"\"role\":\"developer\""},{"role":"system"}]})");
}

TEST(EndpointShape, RefusesMoreDeveloperMessagesThanItCanRespell) {
  const auto body = [](std::size_t count) {
    std::string text = R"({"model":"m","messages":[)";
    for (std::size_t i = 0; i < count; ++i) text += R"({"role":"developer"},)";
    return text + "{}]}";
  };
  const EndpointShape old = {.model = "up", .takes_developer_role = false};
  bool ok = false;
  const std::string most = shaped(body(kDeveloperMessagesMax), old, &ok);
  EXPECT_TRUE(ok);
  EXPECT_EQ(most.find("developer"), std::string::npos);
  shaped(body(kDeveloperMessagesMax + 1), old, &ok);
  EXPECT_FALSE(ok);
}

// The list of pieces has fixed bounds: a body with every key that we know must still fit.
TEST(EndpointShape, HasRoomForABodyWithEveryKey) {
  std::string body = "{";
  ParameterSet all;
  for (std::size_t i = 0; i < proto::kTopKeyCount; ++i) {
    if (i != 0) body += ",";
    body += "\"" + std::string(proto::top_key_name(static_cast<proto::TopKey>(i))) + "\":null";
  }
  body += "}";
  for (std::size_t i = 0; i < kParameterCount; ++i) all.add(static_cast<Parameter>(i));
  const std::string text = shaped(body, dropping(all));
  EXPECT_EQ(text.find("logit_bias"), std::string::npos);
  EXPECT_EQ(text.find("provider"), std::string::npos);
  EXPECT_NE(text.find("\"messages\""), std::string::npos);
}

}  // namespace
}  // namespace leat::dialect
