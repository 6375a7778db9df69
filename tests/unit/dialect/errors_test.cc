// SPDX-License-Identifier: Apache-2.0
// Goal: every refusal has the shape its client reads, and a provider's failure leads where the
// retry rule says. Method: the table's rows as JSON through simdjson; bodies of every kind that
// provider-formats.md 3.1 lists.
#include "dialect/errors.h"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <string>

#include "dialect/openai_error.h"

namespace leat::dialect {
namespace {

std::string body(Face face, ErrorKind kind, const ErrorDetail& detail) {
  std::string room(kErrorBytesMax, '\0');
  proto::JsonWriter out(room);
  write_error_body(face, kind, detail, out);
  EXPECT_FALSE(out.overflowed());
  return std::string(out.text());
}

// The first that is called so.
ErrorKind find_kind(std::string_view error_type) {
  std::size_t i = 0;
  while (i + 1 < kErrorKindCount && error_row(static_cast<ErrorKind>(i)).error_type != error_type) {
    ++i;
  }
  return static_cast<ErrorKind>(i);
}

TEST(Errors, TellsClientsOneOfTheApisTypes) {
  const auto told = [](ErrorKind kind) { return stable_error_type(kind); };
  EXPECT_EQ(told(ErrorKind::kUpstreamTimeout), "timeout");
  EXPECT_EQ(told(ErrorKind::kUpstreamClosed), "provider_unavailable");
  EXPECT_EQ(told(ErrorKind::kTemporarilyUnavailable), "provider_unavailable");
  EXPECT_EQ(told(ErrorKind::kDraining), "provider_overloaded");
  EXPECT_EQ(told(ErrorKind::kModelNotFound), "not_found");
  EXPECT_EQ(told(ErrorKind::kNoEndpoints), "not_found");
  EXPECT_EQ(told(ErrorKind::kBudgetExceeded), "permission_denied");
  EXPECT_EQ(told(ErrorKind::kCapacityExhausted), "rate_limit_exceeded");
  EXPECT_EQ(told(ErrorKind::kInvalidJson), "invalid_request");
  EXPECT_EQ(told(ErrorKind::kRefusal), "refusal");
}

TEST(Errors, EveryKindHasBothShapes) {
  for (std::size_t i = 0; i < kErrorKindCount; ++i) {
    const auto kind = static_cast<ErrorKind>(i);
    simdjson::dom::parser parser;
    simdjson::dom::element root;
    const std::string openrouter = body(Face::kOpenRouter, kind, {});
    ASSERT_EQ(parser.parse(openrouter).get(root), simdjson::SUCCESS);
    std::int64_t code = 0;
    ASSERT_EQ(root["error"]["code"].get(code), simdjson::SUCCESS) << "code is an integer";
    EXPECT_EQ(code, error_row(kind).status);
    std::string_view text;
    EXPECT_EQ(root["error"]["message"].get(text), simdjson::SUCCESS);
    EXPECT_FALSE(text.empty());
    EXPECT_EQ(root["error"]["metadata"]["error_type"].get(text), simdjson::SUCCESS);
    EXPECT_LE(find_kind(text), ErrorKind::kUnmapped) << text << " is no type of OpenRouter's";
    const std::string type(text);
    const bool has_reason = root["error"]["metadata"]["reason"].get(text) == simdjson::SUCCESS;
    EXPECT_EQ(has_reason ? std::string(text) : type, error_row(kind).error_type);
    EXPECT_EQ(has_reason, kind > ErrorKind::kUnmapped) << type;
    const std::string openai = body(Face::kOpenAi, kind, {});
    ASSERT_EQ(parser.parse(openai).get(root), simdjson::SUCCESS);
    EXPECT_EQ(root["error"]["type"].get(text), simdjson::SUCCESS);
    simdjson::dom::element param;
    ASSERT_EQ(root["error"]["param"].get(param), simdjson::SUCCESS);
    EXPECT_TRUE(param.is_null());
  }
}

TEST(Errors, MoneyIsNeverWorthAnotherTry) {
  EXPECT_EQ(error_row(ErrorKind::kPaymentRequired).status, 402);
  EXPECT_EQ(error_row(ErrorKind::kPaymentRequired).should_retry, ShouldRetry::kFalse);
  EXPECT_EQ(error_row(ErrorKind::kBudgetExceeded).status, 403);
  EXPECT_EQ(error_row(ErrorKind::kBudgetExceeded).should_retry, ShouldRetry::kFalse);
}

TEST(Errors, EventHasNoChoicesAndEnds) {
  char room[kErrorBytesMax];
  proto::JsonWriter out(room);
  write_error_event(ErrorKind::kUpstreamClosed, {}, out);
  EXPECT_TRUE(out.text().starts_with("data: {\"error\":{"));
  EXPECT_TRUE(out.text().ends_with("}\n\n"));
  EXPECT_EQ(out.text().find("choices"), std::string_view::npos);
}

TEST(Errors, ProviderWordsAreEscaped) {
  const std::string text =
      body(Face::kOpenRouter, ErrorKind::kServer, {.provider_raw = "a\"b\n\xff\x01"});
  simdjson::dom::parser parser;
  EXPECT_EQ(parser.parse(text).error(), simdjson::SUCCESS) << text;
}

struct FailureCase {
  int status;
  const char* body;
  FailureClass failure;
};

TEST(ProviderFailure, ClassesByStatusAndWords) {
  const FailureCase cases[] = {
      {400, R"({"error":{"message":"bad","type":"invalid_request_error"}})",
       FailureClass::kBadRequest},
      {400, R"({"error":{"message":"x","code":"context_length_exceeded"}})",
       FailureClass::kContext},
      {400, R"({"error":{"message":"This model's maximum context length is 8192 tokens"}})",
       FailureClass::kContext},
      {413, "", FailureClass::kContext},
      {401, R"({"error":{"message":"Incorrect API key provided: sk-abc"}})", FailureClass::kAuth},
      {400, R"({"error":{"code":400,"message":"API_KEY_INVALID","status":"INVALID_ARGUMENT"}})",
       FailureClass::kAuth},
      {402, "{}", FailureClass::kBilling},
      {429, R"({"error":{"message":"x","code":"insufficient_quota"}})", FailureClass::kBilling},
      {429, R"({"error":{"message":"rate limit"}})", FailureClass::kRateLimit},
      {404, R"({"error":{"code":"model_not_found"}})", FailureClass::kNotFound},
      {408, "", FailureClass::kTimeout},
      {409, "", FailureClass::kServer},
      {500, "<html>oops</html>", FailureClass::kServer},
      {502, "", FailureClass::kServer},
      {524, "<html>", FailureClass::kServer},
      {503, R"({"message":"later"})", FailureClass::kOverload},
      {529, R"({"type":"error","error":{"type":"overloaded_error","message":"x"}})",
       FailureClass::kOverload},
      {400, R"({"error":{"code":"content_filter","message":"x"}})", FailureClass::kContentFilter},
      {422, R"({"detail":[{"loc":["body"]}]})", FailureClass::kBadRequest},
  };
  for (const FailureCase& each : cases) {
    ProviderFailure failure;
    read_failure(each.status, each.body, failure);
    EXPECT_EQ(failure.failure, each.failure) << each.status << " " << each.body;
  }
}

TEST(ProviderFailure, KnowsEveryTextOfAPromptThatIsTooLong) {
  const char* texts[] = {
      "prompt is too long: 210000 tokens > 200000 maximum",
      "Input is too long for requested model.",
      "Your input exceeds the context window of this model",
      "The input token count (1200000) exceeds the maximum number of tokens allowed",
      "This model's maximum prompt length is 131072",
      "Please reduce the length of the messages or completion",
      "maximum context length is 8192 tokens",
      "the request exceeds the available context size",
      "is greater than the context length",
      "context window exceeds limit",
      "Your request exceeded model token limit: 262144",
      "Prompt contains 40000 tokens; too large for model with 32768 maximum context length",
      "prompt too long; exceeded max context length",
  };
  for (const char* text : texts) {
    ProviderFailure failure;
    read_failure(400, std::string("{\"error\":{\"message\":\"") + text + "\"}}", failure);
    EXPECT_EQ(failure.failure, FailureClass::kContext) << text;
  }
  ProviderFailure failure;
  read_failure(400, R"({"message":"Too many requests: input exceeds the maximum"})", failure);
  EXPECT_EQ(failure.failure, FailureClass::kBadRequest) << "a rate is no context";
}

TEST(ProviderFailure, ClassesOfErrorsInsideA200) {
  const auto failure_of = [](const ChatError& error) {
    ProviderFailure failure;
    read_failure(error, failure);
    return failure.failure;
  };
  EXPECT_EQ(failure_of({.message = "x", .status = 429}), FailureClass::kRateLimit);
  EXPECT_EQ(failure_of({.type = "overloaded_error"}), FailureClass::kOverload);
  EXPECT_EQ(failure_of({.code = "rate_limit_exceeded"}), FailureClass::kRateLimit);
  EXPECT_EQ(failure_of({.type = "insufficient_quota"}), FailureClass::kBilling);
  EXPECT_EQ(failure_of({.code = "content_filter"}), FailureClass::kContentFilter);
  EXPECT_EQ(failure_of({.code = "tool_use_failed", .status = 400}), FailureClass::kToolUse);
  EXPECT_EQ(failure_of({.message = "prompt is too long"}), FailureClass::kContext);
  EXPECT_EQ(failure_of({.type = "invalid_request_error"}), FailureClass::kBadRequest);
  EXPECT_EQ(failure_of({}), FailureClass::kServer) << "what says nothing is the provider's fault";
}

TEST(ProviderFailure, ReadsWordsWhereverTheyStand) {
  const auto message_of = [](std::string_view body) {
    ProviderFailure failure;
    read_failure(500, body, failure);
    return std::string(failure.message());
  };
  EXPECT_EQ(message_of(R"({"error":{"message":"a"}})"), "a");
  EXPECT_EQ(message_of(R"([{"error":{"message":"a"}}])"), "a");
  EXPECT_EQ(message_of(R"({"error":"a"})"), "a");
  EXPECT_EQ(message_of(R"({"message":"a"})"), "a");
  EXPECT_EQ(message_of(R"({"Message":"a"})"), "a");
  EXPECT_EQ(message_of(R"({"detail":"a"})"), "a");
  EXPECT_EQ(message_of("<html>a</html>"), "");
  EXPECT_EQ(message_of(""), "");
}

TEST(ProviderFailure, TheOperatorsKeyIsNeverShown) {
  ProviderFailure failure;
  read_failure(401, R"({"error":{"message":"Incorrect API key provided: sk-abc"}})", failure);
  EXPECT_EQ(failure.message(), "");
  // And a client never takes it for its own: 502, not 401.
  EXPECT_EQ(error_row(retry_row(failure.failure).kind).status, 502);
}

TEST(ProviderFailure, WhatItWasAskedWithIsHidden) {
  constexpr std::string_view kSecret = "sk-0123456789";
  const auto hidden = [&](std::string message, std::string_view code) {
    ProviderFailure failure;
    read_failure(
        400, R"({"error":{"message":")" + message + R"(","code":")" + std::string(code) + R"("}})",
        failure);
    failure.hide(kSecret);
    return failure;
  };
  EXPECT_EQ(hidden("bad sk-0123456789, sk-0123456789", "c").message(),
            "bad *************, *************");
  EXPECT_EQ(hidden("bad", "a-sk-0123456789").code(), "");
  const ProviderFailure other = hidden("bad sk-9876543210", "sk-9876543210");
  EXPECT_EQ(other.message(), "bad sk-9876543210");
  EXPECT_EQ(other.code(), "sk-9876543210");
  const ProviderFailure cut = hidden(std::string(500, 'x') + " sk-0123456789", "c");
  EXPECT_EQ(cut.message().find("sk-"), std::string_view::npos) << "its beginning, where it is cut";
  EXPECT_EQ(hidden("ends in sk-01", "c").message(), "ends in *****");
}

TEST(ProviderFailure, RetryRule) {
  EXPECT_FALSE(retry_row(FailureClass::kBadRequest).other_endpoint);
  EXPECT_FALSE(retry_row(FailureClass::kContext).other_endpoint);
  EXPECT_TRUE(retry_row(FailureClass::kContext).other_model);
  EXPECT_FALSE(retry_row(FailureClass::kContentFilter).other_endpoint);
  for (const FailureClass failure :
       {FailureClass::kAuth, FailureClass::kBilling, FailureClass::kNotFound,
        FailureClass::kRateLimit, FailureClass::kOverload, FailureClass::kServer,
        FailureClass::kTimeout}) {
    EXPECT_TRUE(retry_row(failure).other_endpoint);
  }
}

TEST(ProviderFailure, MessageIsCleanAndCut) {
  ProviderFailure failure;
  const std::string long_message(5000, 'x');
  read_failure(500, R"({"error":{"message":"a\nb\u0007c\"d"}})", failure);
  EXPECT_EQ(failure.message(), "a b?c\"d");
  read_failure(500, "{\"error\":{\"message\":\"" + long_message + "\"}}", failure);
  EXPECT_LT(failure.message().size(), 512u);
}

}  // namespace
}  // namespace leat::dialect
