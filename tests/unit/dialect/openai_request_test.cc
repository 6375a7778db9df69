// SPDX-License-Identifier: Apache-2.0
// Goal: a provider gets the client's request, byte for byte, but for the few things that are ours
// to change; and a request whose price or route cannot be told is refused with the field's name.
// Method: tables of bodies and what must become of them.
#include "dialect/openai_request.h"

#include <gtest/gtest.h>

#include <string>

namespace leat::dialect {
namespace {

struct Outcome {
  ChatRequest request;
  std::optional<RequestFault> fault;
  std::string text;
};

// Reads `body` and lays it out for the endpoint; `text` is what the provider would get.
Outcome shape(std::string_view body, const EndpointShape& endpoint = {.model = "up"}) {
  Outcome outcome;
  proto::JsonScanner scanner;
  EXPECT_EQ(scanner.scan(body, true), proto::JsonStatus::kDone) << body;
  outcome.fault = read_chat_request(scanner, body, outcome.request);
  if (outcome.fault) return outcome;
  proto::SpliceList list(body);
  EXPECT_TRUE(shape_chat_request(scanner, body, outcome.request, endpoint, list));
  for (std::string_view piece : list.pieces()) outcome.text += piece;
  proto::JsonScanner check;
  EXPECT_EQ(check.scan(outcome.text, true), proto::JsonStatus::kDone) << outcome.text;
  return outcome;
}

ChatRequest read(std::string_view body) {
  const Outcome outcome = shape(body);
  EXPECT_FALSE(outcome.fault) << outcome.fault->message;
  return outcome.request;
}

TEST(OpenAiRequest, ReadsWhatRoutingAndPriceNeed) {
  const ChatRequest all = read(
      R"({"model":"openai/gpt-4o","stream":true,"max_tokens":100,"max_completion_tokens":200,"n":2,)"
      R"("best_of":3,"store":true,"stream_options":{"include_usage":true}})");
  EXPECT_EQ(all.model(), "openai/gpt-4o");
  EXPECT_TRUE(all.stream);
  EXPECT_TRUE(all.wants_usage);
  EXPECT_TRUE(all.stateful);
  EXPECT_EQ(all.output_max, 200) << "what may cost most is what is reserved";
  EXPECT_EQ(all.n, 3);

  const ChatRequest none = read(R"({"messages":[]})");
  EXPECT_EQ(none.model(), "");
  EXPECT_FALSE(none.stream);
  EXPECT_FALSE(none.wants_usage);
  EXPECT_FALSE(none.stateful);
  EXPECT_EQ(none.output_max, kUnset);
  EXPECT_EQ(none.n, 1);
}

TEST(OpenAiRequest, TakesNullForAbsent) {
  const ChatRequest request =
      read(R"({"model":null,"stream":null,"max_tokens":null,"n":null,"store":null,)"
           R"("stream_options":null,"usage":null,"models":null,"provider":null})");
  EXPECT_EQ(request.model(), "");
  EXPECT_FALSE(request.stream);
  EXPECT_EQ(request.output_max, kUnset);
  EXPECT_EQ(request.n, 1);
}

TEST(OpenAiRequest, UnescapesTheModel) {
  EXPECT_EQ(read(R"({"model":"open\u0061i\/gpt"})").model(), "openai/gpt");
}

TEST(OpenAiRequest, HearsEitherWishForUsage) {
  EXPECT_TRUE(read(R"({"usage":{"include":true}})").wants_usage);
  EXPECT_TRUE(read(R"({"stream_options":{"include_us\u0061ge":true}})").wants_usage);
  EXPECT_FALSE(read(R"({"usage":{"include":false},"stream_options":{}})").wants_usage);
  EXPECT_TRUE(read(R"({"usage":{"include":true}})").wants_cost);
  EXPECT_FALSE(read(R"({"stream_options":{"include_usage":true}})").wants_cost)
      << "no extras unless asked for by OpenRouter's name";
}

TEST(OpenAiRequest, NamesTheFieldThatIsWrong) {
  struct Case {
    const char* body;
    const char* param;
  };
  const Case cases[] = {
      {R"({"model":1})", "model"},
      {R"({"models":"a"})", "models"},
      {R"({"stream":"true"})", "stream"},
      {R"({"stream":1})", "stream"},
      {R"({"store":"yes"})", "store"},
      {R"({"provider":[]})", "provider"},
      {R"({"usage":true})", "usage"},
      {R"({"usage":{"include":1}})", "usage.include"},
      {R"({"stream_options":true})", "stream_options"},
      {R"({"stream_options":{"include_usage":"no"}})", "stream_options.include_usage"},
      {R"({"max_tokens":0})", "max_tokens"},
      {R"({"max_tokens":-1})", "max_tokens"},
      {R"({"max_tokens":1.5})", "max_tokens"},
      {R"({"max_tokens":"10"})", "max_tokens"},
      {R"({"max_tokens":99999999999999999999})", "max_tokens"},
      {R"({"max_tokens":1e300})", "max_tokens"},
      {R"({"max_completion_tokens":0})", "max_completion_tokens"},
      {R"({"n":0})", "n"},
      {R"({"n":129})", "n"},
      {R"({"best_of":1e9})", "best_of"},
  };
  for (const Case& c : cases) {
    const Outcome outcome = shape(c.body);
    ASSERT_TRUE(outcome.fault) << c.body;
    EXPECT_STREQ(outcome.fault->param, c.param) << c.body;
    EXPECT_NE(std::string(outcome.fault->message), "") << c.body;
  }
  const std::string long_name = R"({"model":")" + std::string(300, 'm') + R"("})";
  EXPECT_STREQ(shape(long_name).fault->param, "model");
}

TEST(OpenAiRequest, AcceptsIntegersHoweverSpelt) {
  EXPECT_EQ(read(R"({"max_tokens":1e3})").output_max, 1000);
  EXPECT_EQ(read(R"({"max_tokens":12.0})").output_max, 12);
}

TEST(OpenAiRequest, PutsTheEndpointsModelInPlace) {
  EXPECT_EQ(shape(R"({"model":"a/b","messages":[{"model":"a/b"}]})").text,
            R"({"model":"up","messages":[{"model":"a/b"}]})");
  EXPECT_EQ(shape(R"({"messages":[]})").text, R"({"messages":[],"model":"up"})");
  EXPECT_EQ(shape(R"({"model":"a"})", {.model = "x\"y\\z"}).text, R"({"model":"x\"y\\z"})");
}

TEST(OpenAiRequest, DropsTheRoutersKeysAndNoOthers) {
  EXPECT_EQ(
      shape(R"({"models":["a"],"model":"m","provider":{},"route":"fallback","plugins":[],)"
            R"("transforms":[],"usage":{},"preset":"p","debug":{},"session_id":"s","trace":{}})")
          .text,
      R"({"model":"up"})");
  const std::string kept =
      R"({"model":"up","user":"u","metadata":{"a":"b"},"prompt_cache_key":"k","service_tier":"auto",)"
      R"("x_vendor": [1, 2],"tools":[],"reasoning":{"effort":"low"},"seed":1})";
  EXPECT_EQ(shape(kept).text, kept);
}

TEST(OpenAiRequest, AlwaysAsksForUsageOfAStream) {
  struct Case {
    const char* body;
    const char* sent;
  };
  const Case cases[] = {
      {R"({"model":"m","stream":true})",
       R"({"model":"up","stream":true,"stream_options":{"include_usage":true}})"},
      {R"({"model":"m","stream":true,"stream_options":{}})",
       R"({"model":"up","stream":true,"stream_options":{"include_usage":true}})"},
      {R"({"model":"m","stream":true,"stream_options":null})",
       R"({"model":"up","stream":true,"stream_options":{"include_usage":true}})"},
      {R"({"model":"m","stream_options":{ "include_obfuscation":false},"stream":true})",
       R"({"model":"up","stream_options":{"include_usage":true, "include_obfuscation":false},"stream":true})"},
      {R"({"model":"m","stream":true,"stream_options":{"a":1,"include_usage":false,"b":2}})",
       R"({"model":"up","stream":true,"stream_options":{"a":1,"include_usage":true,"b":2}})"},
      {R"({"model":"m","stream":true,"stream_options":{"include_usage":true,"include_\u0075sage":false}})",
       R"({"model":"up","stream":true,"stream_options":{"include_usage":true,"include_\u0075sage":true}})"},
      {R"({"model":"m","stream":false})", R"({"model":"up","stream":false})"},
      // Refused beside an answer that is no stream.
      {R"({"model":"m","stream":false,"stream_options":{"include_usage":true}})",
       R"({"model":"up","stream":false})"},
      {R"({"model":"m","stream_options":null})", R"({"model":"up"})"},
  };
  for (const Case& c : cases) EXPECT_EQ(shape(c.body).text, c.sent);
}

TEST(OpenAiRequest, LeavesStreamOptionsOutWhereTheyAreRefused) {
  EXPECT_EQ(shape(R"({"model":"m","stream":true,"stream_options":{"include_usage":true}})",
                  {.model = "up", .takes_stream_usage = false})
                .text,
            R"({"model":"up","stream":true})");
}

TEST(OpenAiRequest, SpellsTheOutputCapAsTheEndpointDoes) {
  const EndpointShape old_name = {.model = "up", .max_tokens_key = MaxTokensKey::kMaxTokens};
  const EndpointShape new_name = {.model = "up",
                                  .max_tokens_key = MaxTokensKey::kMaxCompletionTokens};
  EXPECT_EQ(shape(R"({"model":"m","max_tokens":5})", new_name).text,
            R"({"model":"up","max_completion_tokens":5})");
  EXPECT_EQ(shape(R"({"max_completion_tokens":5,"model":"m"})", old_name).text,
            R"({"max_tokens":5,"model":"up"})");
  EXPECT_EQ(shape(R"({"model":"m","max_tokens":5,"max_completion_tokens":6})", new_name).text,
            R"({"model":"up","max_completion_tokens":6})");
  EXPECT_EQ(shape(R"({"model":"m","max_tokens":5,"max_completion_tokens":null})", new_name).text,
            R"({"model":"up","max_completion_tokens":5})");
  const std::string both = R"({"model":"up","max_tokens":5,"max_completion_tokens":6})";
  EXPECT_EQ(shape(both).text, both);
}

TEST(OpenAiRequest, SendsTheReservedOutputCapWhereThereIsNone) {
  const EndpointShape capped = {.model = "up", .output_default = 4096};
  EXPECT_EQ(shape(R"({"model":"m"})", capped).text, R"({"model":"up","max_tokens":4096})");
  EXPECT_EQ(shape(R"({"model":"m","max_tokens":null,"max_completion_tokens":null})", capped).text,
            R"({"model":"up","max_tokens":4096})");
  EXPECT_EQ(shape(R"({"model":"m","max_completion_tokens":7})", capped).text,
            R"({"model":"up","max_completion_tokens":7})");
  EXPECT_EQ(shape(R"({"model":"m"})", {.model = "up",
                                       .max_tokens_key = MaxTokensKey::kMaxCompletionTokens,
                                       .output_default = 9})
                .text,
            R"({"model":"up","max_completion_tokens":9})");
}

}  // namespace
}  // namespace leat::dialect
