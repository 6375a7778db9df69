// SPDX-License-Identifier: Apache-2.0
// Goal: every provider's way of stating its limits is understood, and an endpoint that says it is
// exhausted is left alone until it says it is back, no longer. Method: header sets as recorded from
// each provider; replies at chosen instants.
#include "policy/rate_memory.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace leat::policy {
namespace {

constexpr Instant kNow{1'000'000'000'000};

RateNotice counts(RateQuantity quantity, std::uint64_t remaining, std::uint64_t limit,
                  std::optional<Duration> reset) {
  RateNotice notice;
  notice.of(quantity) = {limit, remaining, reset};
  return notice;
}

TEST(RateHeaders, EveryProvidersNames) {
  struct Case {
    std::string_view name;
    RatePart part;
    RateQuantity quantity;
    Duration window;
  };
  const Case cases[] = {
      {"x-ratelimit-limit-requests", RatePart::kLimit, RateQuantity::kRequests, {0}},
      {"X-RateLimit-Remaining-Tokens", RatePart::kRemaining, RateQuantity::kTokens, {0}},
      {"x-ratelimit-reset-tokens", RatePart::kReset, RateQuantity::kTokens, {0}},
      {"anthropic-ratelimit-requests-limit", RatePart::kLimit, RateQuantity::kRequests, {0}},
      {"anthropic-ratelimit-input-tokens-remaining",
       RatePart::kRemaining,
       RateQuantity::kInputTokens,
       {0}},
      {"anthropic-ratelimit-output-tokens-reset",
       RatePart::kReset,
       RateQuantity::kOutputTokens,
       {0}},
      {"x-ratelimit-limit-req-10-second", RatePart::kLimit, RateQuantity::kRequests, seconds(10)},
      {"x-ratelimit-remaining-tokens-minute", RatePart::kRemaining, RateQuantity::kTokens,
       seconds(60)},
      {"x-ratelimit-remaining-tokens-month", RatePart::kRemaining, RateQuantity::kLong,
       seconds(86'400)},
      {"x-ratelimit-limit", RatePart::kLimit, RateQuantity::kRequests, {0}},
      {"x-ratelimit-reset", RatePart::kReset, RateQuantity::kRequests, {0}},
  };
  for (const Case& each : cases) {
    const auto header = rate_header(each.name);
    ASSERT_TRUE(header) << each.name;
    EXPECT_EQ(header->part, each.part) << each.name;
    EXPECT_EQ(header->quantity, each.quantity) << each.name;
    EXPECT_EQ(header->window, each.window) << each.name;
    EXPECT_EQ(header->is_wait(), each.part == RatePart::kReset) << each.name;
  }
  EXPECT_EQ(rate_header("Retry-After")->part, RatePart::kRetryAfter);
  EXPECT_EQ(rate_header("retry-after-ms")->part, RatePart::kRetryAfterMs);
  EXPECT_TRUE(rate_header("retry-after")->is_wait());
}

TEST(RateHeaders, OthersAreNone) {
  for (const std::string_view name :
       {"", "x-ratelimit-", "x-ratelimit-tokens-query-cost", "x-ratelimit-limit-input-images",
        "x-ratelimit-renewalperiod-tokens", "anthropic-ratelimit-", "anthropic-ratelimit-tokens",
        "content-type", "x-request-id"}) {
    EXPECT_FALSE(rate_header(name)) << name;
  }
  EXPECT_FALSE(rate_header("x-ratelimit-limit-" + std::string(1'000, 'r')));
}

TEST(RateHeaders, CountsAreDigitsAndGarbageIsNothingSaid) {
  RateNotice notice;
  const RateHeader remaining = *rate_header("x-ratelimit-remaining-requests");
  notice.note_count(remaining, " 59.5");
  EXPECT_EQ(notice.of(RateQuantity::kRequests).remaining, 59u);
  for (const std::string_view bad : {"", "-1", "many", "99999999999999999999999"}) {
    RateNotice none;
    none.note_count(remaining, bad);
    EXPECT_FALSE(none.of(RateQuantity::kRequests).remaining) << bad;
  }
}

TEST(RateHeaders, TheFinerRetryAfterWinsInAnyOrder) {
  const RateHeader whole = *rate_header("retry-after");
  const RateHeader fine = *rate_header("retry-after-ms");
  RateNotice a;
  a.note_wait(whole, seconds(2));
  a.note_wait(fine, milliseconds(1'300));
  RateNotice b;
  b.note_wait(fine, milliseconds(1'300));
  b.note_wait(whole, seconds(2));
  b.note_wait(fine, std::nullopt);
  EXPECT_EQ(a.retry_after, milliseconds(1'300));
  EXPECT_EQ(b.retry_after, milliseconds(1'300));
}

TEST(RateHeaders, AWindowInTheNameStandsInForTheReset) {
  RateNotice notice;
  notice.note_count(*rate_header("x-ratelimit-remaining-req-10-second"), "0");
  EXPECT_EQ(notice.of(RateQuantity::kRequests).reset, seconds(10));
}

TEST(RateMemory, IsNotAskedUntilItSaysItIsBack) {
  RateMemory memory;
  EXPECT_FALSE(memory.is_limited(kNow));
  RateNotice notice;
  notice.retry_after = seconds(20);
  memory.note_reply(429, notice, kNow);
  EXPECT_TRUE(memory.is_limited(kNow + milliseconds(19'999)));
  EXPECT_FALSE(memory.is_limited(kNow + seconds(20)));
  EXPECT_EQ(memory.headroom(kNow), 0.0);
  EXPECT_EQ(memory.headroom(kNow + seconds(20)), 1.0);
}

TEST(RateMemory, AnEarlierEndNeverShortensALaterOne) {
  RateMemory memory;
  RateNotice notice;
  notice.retry_after = seconds(20);
  memory.note_reply(429, notice, kNow);
  notice.retry_after = seconds(2);
  memory.note_reply(429, notice, kNow + seconds(1));
  memory.note_reply(200, {}, kNow + seconds(1));
  EXPECT_EQ(memory.limited_until(), kNow + seconds(20));
}

TEST(RateMemory, TheAnswerThatTookTheLastOfItLimits) {
  RateMemory memory;
  memory.note_reply(200, counts(RateQuantity::kTokens, 0, 1'000, seconds(6)), kNow);
  EXPECT_EQ(memory.limited_until(), kNow + seconds(6));
  RateMemory unknown;
  unknown.note_reply(200, counts(RateQuantity::kTokens, 0, 1'000, std::nullopt), kNow);
  EXPECT_FALSE(unknown.is_limited(kNow));  // there is no word of when it would be back
}

TEST(RateMemory, ARefusalTakesItsTimeFromTheExhaustedQuantity) {
  RateMemory memory;
  RateNotice notice = counts(RateQuantity::kTokens, 0, 1'000, seconds(6));
  notice.of(RateQuantity::kRequests) = {100, 50, seconds(3'000)};
  memory.note_reply(429, notice, kNow);
  EXPECT_EQ(memory.limited_until(), kNow + seconds(6));
}

TEST(RateMemory, ARefusalWithoutATimeWaitsTwiceAsLongEachTime) {
  RateMemory memory;
  Instant now = kNow;
  for (const int wait : {1, 2, 4, 8, 16, 32, 64, 64}) {
    memory.note_reply(429, {}, now);
    EXPECT_EQ(memory.limited_until(), now + seconds(wait));
    now = memory.limited_until();
  }
  memory.note_reply(200, {}, now);
  memory.note_reply(429, {}, now);
  EXPECT_EQ(memory.limited_until(), now + seconds(1));
}

// Many were under way when the limit was met: that is one refusal, not many in a row.
TEST(RateMemory, RefusalsOfOneMomentCountOnce) {
  RateMemory memory;
  for (int i = 0; i < 50; ++i) memory.note_reply(429, {}, kNow + milliseconds(i));
  EXPECT_EQ(memory.limited_until(), kNow + seconds(1));
  memory.note_reply(429, {}, kNow + seconds(1));
  EXPECT_EQ(memory.limited_until(), kNow + seconds(3));
}

TEST(RateMemory, AnOverloadLimitsOnlyWhereItSaysForHowLong) {
  for (const int status : {498, 503, 529}) {
    RateMemory memory;
    memory.note_reply(status, {}, kNow);
    EXPECT_FALSE(memory.is_limited(kNow)) << status;
    RateNotice notice;
    notice.retry_after = seconds(3);
    memory.note_reply(status, notice, kNow);
    EXPECT_EQ(memory.limited_until(), kNow + seconds(3)) << status;
  }
  RateMemory memory;
  RateNotice notice;
  notice.retry_after = seconds(3);
  memory.note_reply(400, notice, kNow);
  EXPECT_FALSE(memory.is_limited(kNow));
}

TEST(RateMemory, NoWordKeepsItAwayForMoreThanAnHour) {
  RateMemory memory;
  RateNotice notice;
  notice.retry_after = Duration{INT64_MAX};
  memory.note_reply(429, notice, kNow);
  EXPECT_EQ(memory.limited_until(), kNow + seconds(3'600));
}

TEST(RateMemory, HeadroomIsThatOfTheScarcestUntilItsReset) {
  RateMemory memory;
  RateNotice notice = counts(RateQuantity::kTokens, 250, 1'000, seconds(6));
  notice.of(RateQuantity::kRequests) = {100, 50, seconds(60)};
  memory.note_reply(200, notice, kNow);
  EXPECT_DOUBLE_EQ(memory.headroom(kNow), 0.25);
  EXPECT_DOUBLE_EQ(memory.headroom(kNow + seconds(6)), 0.5);
  EXPECT_DOUBLE_EQ(memory.headroom(kNow + seconds(60)), 1);
  // More than the limit, a limit of zero, no limit: nothing is known to be scarce.
  for (const auto& odd : {counts(RateQuantity::kTokens, 9, 3, seconds(6)),
                          counts(RateQuantity::kTokens, 9, 0, seconds(6))}) {
    RateMemory other;
    other.note_reply(200, odd, kNow);
    EXPECT_DOUBLE_EQ(other.headroom(kNow), 1);
  }
}

}  // namespace
}  // namespace leat::policy
