// SPDX-License-Identifier: Apache-2.0
// Goal: a failure leads where the retry rule says, no request is doubled that must not be, and a
// client whose every provider failed is told when and whether to come back.
// Method: tables of replies, of what is left to try, and of sequences of failures.
#include "dialect/next_step.h"

#include <gtest/gtest.h>

#include "dialect/final_error.h"

namespace leat::dialect {
namespace {

constexpr std::int64_t kNow = 1'767'323'045'000;  // 2026-01-02T03:04:05Z

ProviderFailure failure_of(FailureClass failure) {
  ProviderFailure out;
  out.failure = failure;
  return out;
}

ProviderFailure reply(int status, const ReplyHeaders& headers, std::string_view body = "") {
  ProviderFailure out;
  read_failure(status, headers, body, kNow, out);
  return out;
}

// With everything left to try.
constexpr NextOptions kAll = {
    .has_other_key = true, .has_other_endpoint = true, .has_other_model = true};

struct ClassCase {
  FailureClass failure;
  NextStep with_all;
  NextStep without_keys;
  NextStep with_models_only;
  NextStep alone;
};

TEST(NextStep, FollowsTheTable) {
  using C = FailureClass;
  constexpr NextStep kKey = NextStep::kOtherKey;
  constexpr NextStep kEndpoint = NextStep::kOtherEndpoint;
  constexpr NextStep kModel = NextStep::kOtherModel;
  constexpr NextStep kSame = NextStep::kSameEndpoint;
  constexpr NextStep kNone = NextStep::kNone;
  const ClassCase cases[] = {
      {C::kBadRequest, kModel, kModel, kModel, kNone},
      {C::kContext, kModel, kModel, kModel, kNone},
      {C::kAuth, kKey, kEndpoint, kModel, kNone},
      {C::kBilling, kKey, kEndpoint, kModel, kNone},
      {C::kNotFound, kEndpoint, kEndpoint, kModel, kNone},
      {C::kRateLimit, kKey, kEndpoint, kModel, kSame},
      {C::kOverload, kEndpoint, kEndpoint, kModel, kSame},
      {C::kServer, kEndpoint, kEndpoint, kModel, kSame},
      {C::kTimeout, kEndpoint, kEndpoint, kModel, kNone},
      {C::kContentFilter, kModel, kModel, kModel, kNone},
      {C::kToolUse, kEndpoint, kEndpoint, kModel, kSame},
  };
  static_assert(std::size(cases) == kFailureClassCount);
  for (const ClassCase& each : cases) {
    const ProviderFailure failure = failure_of(each.failure);
    const char* const name = retry_row(each.failure).name;
    const auto next = [&](const NextOptions& options) {
      return next_step(Attempted::kReplied, failure, options);
    };
    EXPECT_EQ(next(kAll), each.with_all) << name;
    EXPECT_EQ(next({.has_other_endpoint = true, .has_other_model = true}), each.without_keys)
        << name;
    EXPECT_EQ(next({.has_other_model = true}), each.with_models_only) << name;
    EXPECT_EQ(next({}), each.alone) << name;
  }
}

TEST(NextStep, LeavesTheSameEndpointAloneWhereItMust) {
  const ProviderFailure server = failure_of(FailureClass::kServer);
  EXPECT_EQ(next_step(Attempted::kReplied, server, {.same_was_asked_twice = true}),
            NextStep::kNone);
  EXPECT_EQ(next_step(Attempted::kReplied, server, {.is_sdk_retry = true}), NextStep::kNone);
  EXPECT_EQ(
      next_step(Attempted::kReplied, server, {.has_other_endpoint = true, .is_sdk_retry = true}),
      NextStep::kOtherEndpoint)
      << "moving on stays allowed";
  const ProviderFailure told = reply(500, {.should_retry = "false"});
  EXPECT_EQ(next_step(Attempted::kReplied, told, {}), NextStep::kNone);
  EXPECT_EQ(next_step(Attempted::kReplied, told, kAll), NextStep::kOtherEndpoint);
}

TEST(NextStep, NeverDoublesWhatMayHaveRun) {
  const ProviderFailure unread{};
  EXPECT_EQ(next_step(Attempted::kAmbiguous, unread, kAll), NextStep::kOtherEndpoint);
  EXPECT_EQ(next_step(Attempted::kAmbiguous, unread, {}), NextStep::kSameEndpoint);
  NextOptions stateful = kAll;
  stateful.is_stateful = true;
  EXPECT_EQ(next_step(Attempted::kAmbiguous, unread, stateful), NextStep::kNone);
  EXPECT_EQ(next_step(Attempted::kNotSent, unread, stateful), NextStep::kOtherEndpoint)
      << "what was not sent did not run";
  EXPECT_EQ(next_step(Attempted::kReplied, failure_of(FailureClass::kServer), stateful),
            NextStep::kOtherEndpoint)
      << "what was refused as a whole did not run";
  NextOptions careful = kAll;
  careful.retry_ambiguous = false;
  EXPECT_EQ(next_step(Attempted::kAmbiguous, unread, careful), NextStep::kNone);
  EXPECT_EQ(next_step(Attempted::kNotSent, unread, careful), NextStep::kOtherEndpoint);
}

TEST(NextStep, AClientsOwnKeyIsNotReplaced) {
  NextOptions own = kAll;
  own.is_client_key = true;
  EXPECT_EQ(next_step(Attempted::kReplied, failure_of(FailureClass::kAuth), own), NextStep::kNone);
  EXPECT_EQ(next_step(Attempted::kReplied, failure_of(FailureClass::kBilling), own),
            NextStep::kNone);
  EXPECT_EQ(next_step(Attempted::kReplied, failure_of(FailureClass::kServer), own),
            NextStep::kOtherEndpoint);
}

TEST(NextStep, OnlyBadKeysAndEmptyAccountsCostTheKey) {
  EXPECT_EQ(retry_row(FailureClass::kAuth).key_fate, KeyFate::kBad);
  EXPECT_EQ(retry_row(FailureClass::kBilling).key_fate, KeyFate::kCooledLong);
  EXPECT_EQ(retry_row(FailureClass::kRateLimit).key_fate, KeyFate::kCooled);
  EXPECT_EQ(retry_row(FailureClass::kServer).key_fate, KeyFate::kKept);
  EXPECT_EQ(retry_row(FailureClass::kContentFilter).key_fate, KeyFate::kKept);
}

TEST(ReplyHeaders, TellTheWait) {
  EXPECT_EQ(reply(429, {}).wait_ms, ProviderFailure::kNoWait);
  EXPECT_EQ(reply(429, {.retry_after = "20"}).wait_ms, 20'000);
  EXPECT_EQ(reply(429, {.retry_after = "20", .retry_after_ms = "1500"}).wait_ms, 1'500)
      << "the finer one";
  EXPECT_EQ(reply(429, {.retry_after = "20", .retry_after_ms = "x"}).wait_ms, 20'000);
  EXPECT_EQ(reply(503, {.retry_after = "Fri, 02 Jan 2026 03:04:15 GMT"}).wait_ms, 10'000);
  const char gemini[] =
      R"({"error":{"code":429,"status":"RESOURCE_EXHAUSTED","details":[)"
      R"({"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay": "34.4s"}]}})";
  EXPECT_EQ(reply(429, {}, gemini).wait_ms, 34'400);
  EXPECT_EQ(reply(429, {}, R"({"retryDelay":"soon"})").wait_ms, ProviderFailure::kNoWait);
  EXPECT_EQ(reply(429, {}, R"({"retryDelay")").wait_ms, ProviderFailure::kNoWait);
  EXPECT_EQ(reply(429, {}, R"({"retryDelay":"1)").wait_ms, ProviderFailure::kNoWait);
  EXPECT_FALSE(reply(500, {.should_retry = "true"}).says_no_retry);
}

TEST(ReplyHeaders, NameBedrocksClasses) {
  struct Case {
    int status;
    const char* type;
    FailureClass failure;
  };
  const Case cases[] = {
      {429, "ThrottlingException:http://x/", FailureClass::kRateLimit},
      {400, "ServiceQuotaExceededException", FailureClass::kRateLimit},
      {429, "ModelNotReadyException", FailureClass::kOverload},
      {408, "ModelTimeoutException", FailureClass::kTimeout},
      {424, "ModelErrorException", FailureClass::kServer},
      {503, "ServiceUnavailableException", FailureClass::kOverload},
      {403, "AccessDeniedException", FailureClass::kAuth},
      {400, "ResourceNotFoundException", FailureClass::kNotFound},
      {400, "ValidationException", FailureClass::kBadRequest},
  };
  for (const Case& each : cases) {
    const ProviderFailure failure =
        reply(each.status, {.error_type = each.type}, R"({"message":"no"})");
    EXPECT_EQ(failure.failure, each.failure) << each.type;
  }
  EXPECT_EQ(reply(424, {}, R"({"message":"no"})").failure, FailureClass::kOverload);
}

ProviderFailure limited(std::int64_t wait_ms) {
  ProviderFailure failure = failure_of(FailureClass::kRateLimit);
  failure.status = 429;
  failure.wait_ms = wait_ms;
  return failure;
}

TEST(FinalError, TellsTheLeastWaitWhenAllWereLimited) {
  FinalError final;
  final.add(limited(30'000), "A");
  final.add(limited(1'200), "B");
  final.add(limited(ProviderFailure::kNoWait), "C");
  const FinalAnswer answer = final.answer();
  EXPECT_EQ(answer.kind, ErrorKind::kCapacityExhausted);
  EXPECT_EQ(error_row(answer.kind).status, 429);
  EXPECT_EQ(answer.retry_after_s, 2) << "rounded up";
  EXPECT_EQ(answer.should_retry, ShouldRetry::kUnsaid);
}

TEST(FinalError, NeverTellsToComeBackAtOnce) {
  FinalError final;
  final.add(limited(0), "A");
  EXPECT_EQ(final.answer().retry_after_s, 1);
}

TEST(FinalError, SaysNotToRetryWhereNoWaitIsKnown) {
  FinalError final;
  final.add(limited(ProviderFailure::kNoWait), "A");
  EXPECT_EQ(final.answer().kind, ErrorKind::kCapacityExhausted);
  EXPECT_EQ(final.answer().retry_after_s, FinalAnswer::kNoWait);
  EXPECT_EQ(final.answer().should_retry, ShouldRetry::kFalse);
}

TEST(FinalError, OneLimitAmongOtherFailuresIsNoLimit) {
  FinalError final;
  final.add(limited(5'000), "A");
  final.add(failure_of(FailureClass::kServer), "B");
  EXPECT_EQ(final.answer().kind, ErrorKind::kTemporarilyUnavailable);
  EXPECT_EQ(final.answer().retry_after_s, FinalAnswer::kNoWait);
  EXPECT_EQ(final.answer().should_retry, ShouldRetry::kFalse);
  EXPECT_EQ(error_row(final.answer().kind).status, 503);
}

TEST(FinalError, ASingleFailureKeepsItsName) {
  FinalError final;
  final.add(ErrorKind::kUpstreamTimeout, "A");
  EXPECT_EQ(final.answer().kind, ErrorKind::kUpstreamTimeout);
  EXPECT_EQ(final.answer().should_retry, ShouldRetry::kFalse);
  final.add(ErrorKind::kUpstreamClosed, "B");
  EXPECT_EQ(final.answer().kind, ErrorKind::kTemporarilyUnavailable);
}

TEST(FinalError, TheClientsOwnFaultIsTold) {
  FinalError final;
  final.add(failure_of(FailureClass::kServer), "A");
  final.add(failure_of(FailureClass::kContext), "B");
  EXPECT_EQ(final.answer().kind, ErrorKind::kContextLengthExceeded) << "the last error is returned";
}

TEST(FinalError, NamesTheFailuresBefore) {
  FinalError final;
  EXPECT_TRUE(final.previous_errors().empty());
  EXPECT_EQ(final.answer().kind, ErrorKind::kNoProvider);
  final.add(limited(1), "A");
  EXPECT_TRUE(final.previous_errors().empty());
  final.add(ErrorKind::kUpstreamClosed, "B");
  ASSERT_EQ(final.previous_errors().size(), 1u);
  EXPECT_EQ(final.previous_errors()[0].provider, "A");
  EXPECT_EQ(final.previous_errors()[0].code, "rate_limit_exceeded");
  EXPECT_EQ(final.previous_errors()[0].status, 429);
  for (int i = 0; i < 20; ++i) final.add(ErrorKind::kUpstreamClosed, "B");
  EXPECT_EQ(final.previous_errors().size(), FinalError::kToldMax);
  EXPECT_EQ(final.attempts(), 22u);
}

}  // namespace
}  // namespace leat::dialect
