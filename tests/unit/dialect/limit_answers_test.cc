// SPDX-License-Identifier: Apache-2.0
// Goal: who meets a limit is told which, what is left and how long to wait, in the shape that its
// SDK reads, and is not made to try again in vain. Method: each kind of refusal on both faces,
// bodies read with simdjson.
#include "dialect/limit_answers.h"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <map>
#include <string>

namespace leat::dialect {
namespace {

constexpr std::int64_t kNow = 1'700'000'000'000;
constexpr RateLines kLines{
    .requests = {.is_limited = true, .limit = 60, .remaining = 0, .reset_ms = 59'001},
    .tokens = {.is_limited = true, .limit = 1'000, .remaining = 400, .reset_ms = 12}};

struct Told {
  int status = 0;
  std::map<std::string, std::string> fields;
  std::string message;
  std::string error_type;  // OpenRouter
  std::string type;        // OpenAI
  std::string code;
  std::map<std::string, std::string> body_headers;
};

std::map<std::string, std::string> map_of(std::span<const proto::Field> fields) {
  std::map<std::string, std::string> made;
  for (const proto::Field& field : fields) {
    EXPECT_TRUE(made.emplace(field.name, field.value).second) << field.name << " stands twice";
  }
  return made;
}

Told told(Face face, const LimitRefusal& refusal, const RateLines& lines = {}) {
  const LimitAnswer answer(face, refusal, lines, kNow);
  Told made{.status = answer.status(), .fields = map_of(answer.fields())};
  std::string room(kErrorBytesMax, '\0');
  proto::JsonWriter out(room);
  answer.write_body(out);
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  EXPECT_EQ(parser.parse(std::string(out.text())).get(root), simdjson::SUCCESS);
  const simdjson::dom::element error = root["error"];
  made.message = std::string(std::string_view(error["message"]));
  if (face == Face::kOpenAi) {
    made.type = std::string(std::string_view(error["type"]));
    std::string_view code;
    if (error["code"].get(code) == simdjson::SUCCESS) made.code = code;  // else null
    return made;
  }
  EXPECT_EQ(std::int64_t(error["code"]), answer.status());
  made.error_type = std::string(std::string_view(error["metadata"]["error_type"]));
  std::string_view reason;
  if (error["metadata"]["reason"].get(reason) == simdjson::SUCCESS) made.error_type = reason;
  simdjson::dom::object headers;
  if (error["metadata"]["headers"].get(headers) == simdjson::SUCCESS) {
    for (const auto& [name, value] : headers) {
      made.body_headers.emplace(name, std::string_view(value));
    }
  }
  return made;
}

TEST(LimitAnswers, ARateTellsHowLongToWait) {
  const LimitRefusal refusal{
      .kind = LimitKind::kRequests, .limit = 60, .needed = 1, .wait_ms = 1'001};
  const Told openai = told(Face::kOpenAi, refusal, kLines);
  EXPECT_EQ(openai.status, 429);
  EXPECT_EQ(openai.type, "rate_limit_error");
  EXPECT_EQ(openai.code, "rate_limit_exceeded");
  EXPECT_EQ(openai.message, "Rate limit exceeded: 60 requests per minute for this key.");
  const std::map<std::string, std::string> expected{{"retry-after", "2"},
                                                    {"retry-after-ms", "1001"},
                                                    {"x-ratelimit-limit-requests", "60"},
                                                    {"x-ratelimit-remaining-requests", "0"},
                                                    {"x-ratelimit-reset-requests", "1m0s"},
                                                    {"x-ratelimit-limit-tokens", "1000"},
                                                    {"x-ratelimit-remaining-tokens", "400"},
                                                    {"x-ratelimit-reset-tokens", "12ms"}};
  EXPECT_EQ(openai.fields, expected);
  const Told openrouter = told(Face::kOpenRouter, refusal, kLines);
  EXPECT_EQ(openrouter.error_type, "rate_limit_exceeded");
  EXPECT_EQ(openrouter.fields.at("retry-after-ms"), "1001");
  EXPECT_EQ(openrouter.fields.at("x-ratelimit-limit"), "60");
  EXPECT_EQ(openrouter.fields.at("x-ratelimit-remaining"), "0");
  EXPECT_EQ(openrouter.fields.at("x-ratelimit-reset"), "1700000059001");
  const std::map<std::string, std::string> headers{{"X-RateLimit-Limit", "60"},
                                                   {"X-RateLimit-Remaining", "0"},
                                                   {"X-RateLimit-Reset", "1700000059001"}};
  EXPECT_EQ(openrouter.body_headers, headers);
}

TEST(LimitAnswers, ALongWaitIsNotLeftToTheSdk) {
  const auto fields = [](std::int64_t wait_ms) {
    return told(Face::kOpenAi,
                {.kind = LimitKind::kDayTokens, .limit = 9, .needed = 1, .wait_ms = wait_ms})
        .fields;
  };
  EXPECT_FALSE(fields(60'000).contains("x-should-retry"));
  EXPECT_EQ(fields(60'001).at("x-should-retry"), "false");
  EXPECT_EQ(fields(60'001).at("retry-after"), "61");
  EXPECT_EQ(fields(0).at("retry-after"), "1") << "never at once";
  EXPECT_FALSE(fields(LimitRefusal::kNoWait).contains("retry-after"));
  EXPECT_EQ(fields(LimitRefusal::kNoWait).at("x-should-retry"), "false");
}

TEST(LimitAnswers, WhatNeverFitsIsSaidSo) {
  const Told made = told(Face::kOpenRouter, {.kind = LimitKind::kTokens,
                                             .owner = LimitOwner::kWorkspace,
                                             .limit = 1'000,
                                             .needed = 5'000});
  EXPECT_EQ(made.status, 429);
  EXPECT_EQ(made.message,
            "This request counts for 5000 of the 1000 tokens per minute that this workspace may "
            "make: it can never be served.");
}

TEST(LimitAnswers, TooMuchAtOnce) {
  const LimitRefusal refusal{.kind = LimitKind::kConcurrency,
                             .owner = LimitOwner::kOrganisation,
                             .limit = 4,
                             .needed = 1,
                             .wait_ms = 1'000};
  const Told made = told(Face::kOpenAi, refusal);
  EXPECT_EQ(made.status, 429);
  EXPECT_EQ(made.code, "overloaded_key");
  EXPECT_EQ(made.message, "Rate limit exceeded: 4 requests at a time for this organization.");
  EXPECT_EQ(made.fields.at("retry-after"), "1");
}

TEST(LimitAnswers, MoneyOfAKeyIsWhatCouldBeAfforded) {
  for (const LimitKind kind : {LimitKind::kBudget, LimitKind::kCredit}) {
    const LimitRefusal refusal{.kind = kind,
                               .limit = 5'000'000'000,
                               .needed = 7'000'000'000,
                               .wait_ms = 1'000,
                               .requested_tokens = 65'536,
                               .affordable_tokens = 1'234};
    const Told made = told(Face::kOpenRouter, refusal, kLines);
    EXPECT_EQ(made.status, 402);
    EXPECT_EQ(made.error_type, "payment_required");
    EXPECT_EQ(made.message,
              "This request requires more credits, or fewer max_tokens. You requested up to 65536 "
              "tokens, but can only afford 1234.");
    EXPECT_EQ(made.fields, (std::map<std::string, std::string>{{"x-should-retry", "false"}}));
    EXPECT_TRUE(made.body_headers.empty());
    EXPECT_EQ(told(Face::kOpenAi, refusal).type, "insufficient_quota");
  }
  EXPECT_EQ(
      told(Face::kOpenAi, {.kind = LimitKind::kCredit, .owner = LimitOwner::kOrganisation}).status,
      402)
      << "credit is the organisation's, and is money all the same";
}

TEST(LimitAnswers, ABudgetOfOthersIsForbidden) {
  const Told workspace = told(Face::kOpenRouter, {.kind = LimitKind::kBudget,
                                                  .owner = LimitOwner::kWorkspace,
                                                  .period = "monthly",
                                                  .limit = 500'000'000'000});
  EXPECT_EQ(workspace.status, 403);
  EXPECT_EQ(workspace.error_type, "budget_exceeded");
  EXPECT_EQ(workspace.message,
            "Workspace monthly budget of $500.00 exceeded. Contact your org admin.");
  EXPECT_EQ(workspace.fields.at("x-should-retry"), "false");
  const Told organisation = told(
      Face::kOpenAi,
      {.kind = LimitKind::kBudget, .owner = LimitOwner::kOrganisation, .limit = 1'234'560'001});
  EXPECT_EQ(organisation.message,
            "Organization budget of $1.234560001 exceeded. Contact your org admin.");
}

TEST(LimitAnswers, NoAnswerIsOursAndWorthAnotherTry) {
  const Told made = told(Face::kOpenAi, {.kind = LimitKind::kUnanswered});
  EXPECT_EQ(made.status, 503);
  EXPECT_EQ(made.fields.at("x-should-retry"), "true");
  EXPECT_EQ(made.fields.at("retry-after"), "1");
}

TEST(LimitAnswers, SuccessTellsTheScarcerRate) {
  const auto limit_told = [](const RateLines& lines) {
    const LimitFields made(Face::kOpenRouter, lines, kNow);
    const auto fields = map_of(made.fields());
    return fields.contains("x-ratelimit-limit") ? fields.at("x-ratelimit-limit") : "";
  };
  RateLines lines = kLines;
  lines.requests.remaining = 30;
  EXPECT_EQ(limit_told(lines), "1000");
  lines.requests.remaining = 20;
  EXPECT_EQ(limit_told(lines), "60");
  lines.requests.is_limited = false;
  EXPECT_EQ(limit_told(lines), "1000");
  EXPECT_EQ(limit_told({}), "");
  EXPECT_TRUE(LimitFields(Face::kOpenAi, {}, kNow).fields().empty());
}

TEST(LimitAnswers, TheLargestNumbersFit) {
  constexpr std::int64_t kMost = INT64_MAX;
  const RateLine line{.is_limited = true, .limit = kMost, .remaining = kMost, .reset_ms = kMost};
  for (const Face face : {Face::kOpenAi, Face::kOpenRouter}) {
    const Told made = told(face,
                           {.kind = LimitKind::kTokens,
                            .owner = LimitOwner::kOrganisation,
                            .limit = kMost - 1,
                            .needed = kMost,
                            .wait_ms = kMost},
                           {.requests = line, .tokens = line});
    EXPECT_EQ(made.status, 429);
    EXPECT_EQ(told(face, {.kind = LimitKind::kBudget,
                          .owner = LimitOwner::kOrganisation,
                          .period = "monthly",
                          .limit = kMost})
                  .status,
              403);
    EXPECT_EQ(told(face, {.kind = LimitKind::kCredit,
                          .requested_tokens = ~std::uint64_t{0},
                          .affordable_tokens = ~std::uint64_t{0}})
                  .status,
              402);
  }
}

}  // namespace
}  // namespace leat::dialect
