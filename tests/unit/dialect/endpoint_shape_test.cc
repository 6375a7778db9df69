// SPDX-License-Identifier: Apache-2.0
// Goal: an endpoint gets the request in the words that it takes, and nothing that it would refuse;
// what is not its quirk crosses byte for byte.
// Method: tables of a body, an endpoint's shape and the body that must go upstream.
#include <gtest/gtest.h>

#include <string>

#include "dialect/openai_request.h"
#include "dialect/routing_fields.h"

namespace leat::dialect {
namespace {

std::string shaped(std::string_view body, EndpointShape endpoint) {
  proto::JsonScanner scanner;
  EXPECT_EQ(scanner.scan(body, true), proto::JsonStatus::kDone) << body;
  ChatRequest request;
  EXPECT_FALSE(read_chat_request(scanner, body, request)) << body;
  RoutingFields fields;
  RoutingFault fault;
  EXPECT_TRUE(read_routing_fields(scanner, body, fields, fault)) << body << fault.message();
  request.reasoning = fields.reasoning;
  request.extras = fields.extras;
  std::string lists(respelling_size(scanner, request, endpoint), '\0');
  proto::JsonWriter writer(lists);
  EXPECT_TRUE(respell_lists(scanner, body, request, writer, endpoint)) << body;
  proto::SpliceList list(body);
  const bool fits = shape_chat_request(scanner, body, request, endpoint, list);
  EXPECT_TRUE(fits) << body;
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
      {R"({"model":"m","reasoning":{"max_tokens":100},"n":1})", kWord,
       R"({"model":"up","n":1,"reasoning_effort":"low"})"},
      {R"({"model":"m","reasoning":{"max_tokens":900},"max_tokens":1000})", kWord,
       R"({"model":"up","max_tokens":1000,"reasoning_effort":"high"})"},
      {R"({"model":"m","reasoning":{"max_tokens":500},"max_tokens":1000})", kWord,
       R"({"model":"up","max_tokens":1000,"reasoning_effort":"medium"})"},
      {R"({"model":"m","reasoning":{"enabled":true}})", kWord,
       R"({"model":"up","reasoning_effort":"medium"})"},
      {R"({"model":"m","reasoning":{"enabled":false}})", kWord,
       R"({"model":"up","reasoning_effort":"none"})"},
      {R"({"model":"m","reasoning":{"max_tokens":0}})", kWord,
       R"({"model":"up","reasoning_effort":"none"})"},
      {R"({"model":"m","reasoning":{"exclude":true}})", kWord, R"({"model":"up"})"},
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
  none.takes_reasoning = false;
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
  EndpointShape stricter = strict;
  stricter.messages.takes_strict_tools = false;
  EXPECT_EQ(shaped(R"({"tools":[ ],"model":"m"})", stricter), R"({"model":"up"})");
}

TEST(EndpointShape, LeavesTheWishForReasoningOutWhereThereIsNoFieldForIt) {
  const EndpointShape none{.model = "up", .reasoning_key = ReasoningKey::kNowhere};
  EXPECT_EQ(shaped(R"({"model":"m","reasoning":{"effort":"low"},"reasoning_effort":"low"})", none),
            R"({"model":"up"})");
}

TEST(EndpointShape, SendsTheNearestEffortThatTheModelHas) {
  const std::string_view efforts[] = {"high", "low"};
  const auto sent = [&](const char* effort) {
    const std::string body =
        R"({"model":"m","reasoning":{"effort":")" + std::string(effort) + "\"}}";
    return shaped(
        body, {.model = "up", .reasoning_key = ReasoningKey::kReasoningEffort, .efforts = efforts});
  };
  EXPECT_EQ(sent("max"), R"({"model":"up","reasoning_effort":"high"})");
  EXPECT_EQ(sent("minimal"), R"({"model":"up","reasoning_effort":"low"})");
  EXPECT_EQ(sent("medium"), R"({"model":"up","reasoning_effort":"low"})") << "the cheaper one";
  EXPECT_EQ(sent("none"), R"({"model":"up"})") << "never made into more";
  const std::string_view with_none[] = {"high", "low", "none"};
  EXPECT_EQ(
      shaped(
          R"({"model":"m","reasoning":{"enabled":false,"effort":"high"}})",
          {.model = "up", .reasoning_key = ReasoningKey::kReasoningEffort, .efforts = with_none}),
      R"({"model":"up","reasoning_effort":"none"})")
      << "off is off";
}

// What the client did not send is not in `dropped`.
TEST(EndpointShape, AsksNothingOfReasoningUnderItsOtherNameEither) {
  for (const ReasoningKey key : {ReasoningKey::kReasoning, ReasoningKey::kReasoningEffort}) {
    for (const bool reasoning_on : {false, true}) {
      const EndpointShape shape{.model = "up",
                                .reasoning_key = key,
                                .takes_reasoning = false,
                                .reasoning_on = reasoning_on};
      for (const char* const body :
           {R"({"model":"m","reasoning":{"effort":"low"}})", R"({"model":"m"})",
            R"({"model":"m","reasoning":{"enabled":false}})",
            R"({"model":"m","reasoning_effort":"low"})"}) {
        EXPECT_EQ(shaped(body, shape), R"({"model":"up"})") << body;
      }
    }
  }
  EXPECT_EQ(
      shaped(R"({"model":"m"})", {.model = "up", .takes_reasoning = false, .reasoning_on = true}),
      R"({"model":"up"})");
}

TEST(EndpointShape, PutsHowMuchIntoAnObjectThatDoesNotSay) {
  EndpointShape object{.model = "up", .reasoning_key = ReasoningKey::kReasoning};
  EXPECT_EQ(
      shaped(R"({"model":"m","reasoning":{"exclude":true},"reasoning_effort":"high"})", object),
      R"({"model":"up","reasoning":{"effort":"high","exclude":true}})");
  EXPECT_EQ(shaped(R"({"model":"m","reasoning":{ },"reasoning_effort":"high"})", object),
            R"({"model":"up","reasoning":{"effort":"high" }})");
  EXPECT_EQ(shaped(R"({"model":"m","reasoning":{"exclude":true}})", object),
            R"({"model":"up","reasoning":{"exclude":true}})");
  for (const ReasoningKey key : {ReasoningKey::kReasoning, ReasoningKey::kAsSent}) {
    object.reasoning_key = key;
    object.reasoning_on = true;
    EXPECT_EQ(shaped(R"({"model":"m","reasoning":{"exclude":true}})", object),
              R"({"model":"up","reasoning":{"enabled":true,"exclude":true}})");
    EXPECT_EQ(shaped(R"({"model":"m","reasoning":{}})", object),
              R"({"model":"up","reasoning":{"enabled":true}})");
    EXPECT_EQ(shaped(R"({"model":"m","reasoning":null})", object),
              R"({"model":"up","reasoning":{"enabled":true}})");
    EXPECT_EQ(shaped(R"({"model":"m","reasoning":{"effort":"low"}})", object),
              R"({"model":"up","reasoning":{"effort":"low"}})");
  }
}

TEST(EndpointShape, TurnsReasoningOnUnlessTheRequestSaysHow) {
  EndpointShape thinking{.model = "up", .reasoning_on = true};
  EXPECT_EQ(shaped(R"({"model":"m"})", thinking), R"({"model":"up","reasoning":{"enabled":true}})");
  EXPECT_EQ(shaped(R"({"model":"m","reasoning_effort":"low"})", thinking),
            R"({"model":"up","reasoning_effort":"low"})");
  thinking.reasoning_key = ReasoningKey::kReasoningEffort;
  EXPECT_EQ(shaped(R"({"model":"m"})", thinking), R"({"model":"up","reasoning_effort":"medium"})");
  EXPECT_EQ(shaped(R"({"model":"m","reasoning":{"enabled":false}})", thinking),
            R"({"model":"up","reasoning_effort":"none"})");
  thinking.reasoning_key = ReasoningKey::kReasoning;
  EXPECT_EQ(shaped(R"({"model":"m"})", thinking), R"({"model":"up","reasoning":{"enabled":true}})");
}

EndpointShape speaking(const MessageShape& messages) {
  return {.model = "m", .messages = messages};
}

TEST(EndpointShape, RespellsDevelopersRole) {
  const EndpointShape old = speaking({.takes_developer_role = false});
  EXPECT_EQ(
      shaped(R"({"model":"m","messages":[{"role":"developer","content":"developer"},)"
             R"({"role":"user","content":"\"role\":\"developer\""},{"r\u006fle":"developer"}]})",
             old),
      R"({"model":"m","messages":[{"role":"system","content":"developer"},)"
      R"({"role":"user","content":"\"role\":\"developer\""},{"r\u006fle":"system"}]})");
}

// What a client got as `reasoning` goes back under the provider's own name for it: without it a
// tool loop at DeepSeek or Kimi is refused.
TEST(EndpointShape, HandsReasoningBackUnderTheProvidersName) {
  const char turn[] =
      R"({"model":"m","messages":[{"role":"user","content":"q"},{"role":"assistant","content":null,)"
      R"("reasoning":"so \"it\" is","reasoning_details":[{"type":"reasoning.text"}],)"
      R"("tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]},)"
      R"({"role":"tool","tool_call_id":"1","content":"r"}]})";
  const auto with = [](const char* reasoning) {
    return std::string(
               R"({"model":"m","messages":[{"role":"user","content":"q"},{"role":"assistant","content":null,)"
               R"("tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}])") +
           reasoning + R"(},{"role":"tool","tool_call_id":"1","content":"r"}]})";
  };
  EXPECT_EQ(shaped(turn, speaking({.reasoning = ReasoningReplay::kReasoningContent})),
            with(R"(,"reasoning_content":"so \"it\" is")"));
  EXPECT_EQ(shaped(turn, speaking({.reasoning = ReasoningReplay::kNowhere})), with(""));
  EXPECT_EQ(shaped(turn, speaking({.reasoning = ReasoningReplay::kReasoning, .is_strict = true})),
            with(R"(,"reasoning":"so \"it\" is")"));
  EXPECT_EQ(shaped(turn, speaking({})), turn);
}

TEST(EndpointShape, HandsReasoningBackOnceAndRatherWhatSaysSomething) {
  const EndpointShape shape = speaking({.reasoning = ReasoningReplay::kReasoningContent});
  const auto message = [&](const std::string& members) {
    return shaped(R"({"model":"m","messages":[{)" + members + "}]}", shape);
  };
  const char expected[] = R"({"model":"m","messages":[{"reasoning_content":"x"}]})";
  EXPECT_EQ(message(R"("reasoning":"x","reasoning_content":"x")"), expected);
  EXPECT_EQ(message(R"("reasoning":null,"reasoning_content":"x")"), expected);
  EXPECT_EQ(message(R"("reasoning_content":"","reasoning":"x")"), expected);
  EXPECT_EQ(message(R"("reasoning":"x","reasoning_content":null)"), expected);
  EXPECT_EQ(message(R"("reasoning":null,"content":"a")"),
            R"({"model":"m","messages":[{"content":"a"}]})");
}

TEST(EndpointShape, LeavesOutWhatAStrictEndpointRefusesInMessagesAndTools) {
  const char body[] =
      R"({"model":"m","messages":[{"role":"system","content":[{"type":"text","text":"a",)"
      R"("cache_control":{"type":"ephemeral"}},{"type":"text","text":"b"}]},)"
      R"({"role":"assistant","content":"cache_control","annotations":[1],"images":[],)"
      R"("refusal":null,"reasoning_details":[]}],"tools":[{"type":"function","cache_control":{},)"
      R"("function":{"name":"cache_control","strict":true}}]})";
  EXPECT_EQ(shaped(body, speaking({.is_strict = true})),
            R"({"model":"m","messages":[{"role":"system","content":[{"type":"text","text":"a"},)"
            R"({"type":"text","text":"b"}]},{"role":"assistant","content":"cache_control",)"
            R"("refusal":null}],"tools":[{"type":"function",)"
            R"("function":{"name":"cache_control","strict":true}}]})");
  EXPECT_EQ(shaped(R"({"model":"m","tools":[{"function":{"name":"f","strict":true},"x":[]}]})",
                   speaking({.takes_strict_tools = false})),
            R"({"model":"m","tools":[{"function":{"name":"f"},"x":[]}]})");
  EXPECT_EQ(shaped(body, speaking({})), body);
}

// A conversation of any length: no list of edits bounds it.
TEST(EndpointShape, RespellsConversationsOfAnyLength) {
  std::string body = R"({"model":"m","messages":[)";
  std::string expected = body;
  for (int i = 0; i < 1'000; ++i) {
    body += R"({"role":"developer","reasoning":""},)";
    expected += R"({"role":"system","reasoning_content":""},)";
  }
  body += "{}]}";
  expected += "{}]}";
  EXPECT_EQ(shaped(body, speaking({.takes_developer_role = false,
                                   .reasoning = ReasoningReplay::kReasoningContent})),
            expected);
}

TEST(EndpointShape, PutsTheTextSoFarBehindRespeltMessages) {
  EndpointShape shape = speaking({.reasoning = ReasoningReplay::kReasoningContent});
  shape.trailing_message = R"(,{"role":"assistant","content":"so far"})";
  EXPECT_EQ(shaped(R"({"model":"m","messages":[{"reasoning":"x"}]})", shape),
            R"({"model":"m","messages":[{"reasoning_content":"x"},)"
            R"({"role":"assistant","content":"so far"}]})");
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
