// SPDX-License-Identifier: Apache-2.0
// Goal: what is written of a request is what is read, whatever clients and providers put into it;
// bytes that are no record are refused; records of older and newer writers can be read.
// Method: a record with all fields set, there and back; every prefix; every bit turned; encodings
// put together by hand as other writers would.
#include "ledger/record.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "ledger/varint.h"
#include "sample_record.h"

namespace leat::ledger {
namespace {

std::string encoded(const UsageRecord& record) {
  std::vector<char> out(kRecordBytesMax);
  return {out.data(), encode(record, out)};
}

void expect_same_attempt(const UsageAttempt& a, const UsageAttempt& b) {
  EXPECT_EQ(a.endpoint, b.endpoint);
  EXPECT_EQ(a.provider, b.provider);
  EXPECT_EQ(a.upstream_id, b.upstream_id);
  EXPECT_EQ(a.outcome, b.outcome);
  EXPECT_EQ(a.status, b.status);
  EXPECT_EQ(a.is_byok, b.is_byok);
  EXPECT_EQ(a.started, b.started);
  EXPECT_EQ(a.latency, b.latency);
  EXPECT_EQ(a.cost, b.cost);
}

void expect_same_texts(const UsageRecord& a, const UsageRecord& b) {
  EXPECT_EQ(a.generation_id, b.generation_id);
  EXPECT_EQ(a.request_id, b.request_id);
  EXPECT_EQ(a.key_id, b.key_id);
  EXPECT_EQ(a.organisation_id, b.organisation_id);
  EXPECT_EQ(a.workspace_id, b.workspace_id);
  EXPECT_EQ(a.user_id, b.user_id);
  EXPECT_EQ(a.session_id, b.session_id);
  EXPECT_EQ(a.app_referer, b.app_referer);
  EXPECT_EQ(a.app_title, b.app_title);
  EXPECT_EQ(a.api, b.api);
  EXPECT_EQ(a.model_asked, b.model_asked);
  EXPECT_EQ(a.model_served, b.model_served);
  EXPECT_EQ(a.provider, b.provider);
  EXPECT_EQ(a.endpoint, b.endpoint);
  EXPECT_EQ(a.upstream_id, b.upstream_id);
  EXPECT_EQ(a.service_tier, b.service_tier);
  EXPECT_EQ(a.finish_reason, b.finish_reason);
  EXPECT_EQ(a.native_finish_reason, b.native_finish_reason);
  EXPECT_EQ(a.error_type, b.error_type);
}

void expect_same(const UsageRecord& a, const UsageRecord& b) {
  expect_same_texts(a, b);
  ASSERT_EQ(a.attempt_count, b.attempt_count);
  for (std::size_t i = 0; i < a.attempt_count; ++i) {
    expect_same_attempt(a.attempts[i], b.attempts[i]);
  }
  EXPECT_EQ(a.attempts_made, b.attempts_made);
  EXPECT_EQ(a.status, b.status);
  EXPECT_EQ(a.tokens, b.tokens);
  EXPECT_EQ(a.price_version, b.price_version);
  EXPECT_EQ(a.cost, b.cost);
  EXPECT_EQ(a.cost_prompt, b.cost_prompt);
  EXPECT_EQ(a.cost_completion, b.cost_completion);
  EXPECT_EQ(a.charge, b.charge);
  EXPECT_EQ(a.reserved, b.reserved);
  EXPECT_EQ(a.shortfall, b.shortfall);
  EXPECT_EQ(a.byok_fee, b.byok_fee);
  EXPECT_EQ(a.began.unix_ns, b.began.unix_ns);
  EXPECT_EQ(a.queued, b.queued);
  EXPECT_EQ(a.first_token, b.first_token);
  EXPECT_EQ(a.total, b.total);
  EXPECT_EQ(a.flags, b.flags);
}

TEST(UsageRecord, ComesBackAsItWasWritten) {
  const UsageRecord record = sample_record();
  const std::string bytes = encoded(record);
  const auto read = decode(bytes);
  ASSERT_TRUE(read);
  expect_same(*read, record);
}

TEST(UsageRecord, EachFlagComesBackAlone) {
  for (int i = 0; i < 8; ++i) {
    UsageRecord record;
    bool* const flags[] = {&record.flags.is_streamed,  &record.flags.is_cancelled,
                           &record.flags.is_estimated, &record.flags.is_ambiguous,
                           &record.flags.is_byok,      &record.flags.is_clamped,
                           &record.flags.is_free,      &record.flags.is_recovered};
    *flags[i] = true;
    const std::string bytes = encoded(record);
    const auto read = decode(bytes);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->flags, record.flags) << i;
  }
}

TEST(UsageRecord, AnEmptyOneIsOne) {
  const std::string bytes = encoded({});
  const auto read = decode(bytes);
  ASSERT_TRUE(read);
  expect_same(*read, {});
}

TEST(UsageRecord, ExtremesFit) {
  constexpr auto kMost = std::numeric_limits<std::int64_t>::max();
  UsageRecord record = sample_record();
  record.cost = std::numeric_limits<std::int64_t>::min();
  record.charge = kMost;
  record.price_version = UINT64_MAX;
  record.tokens.completion = kMost;
  record.status = UINT16_MAX;
  record.attempts_made = UINT32_MAX;
  record.total = {kMost};
  const std::string bytes = encoded(record);
  const auto read = decode(bytes);
  ASSERT_TRUE(read);
  expect_same(*read, record);
}

// The dearest record there can be: every text longer than its limit, every number at its end.
TEST(UsageRecord, WhatClientsWriteIsCutAtItsLimit) {
  const std::string flood(100'000, 'x');
  UsageRecord record;
  record.generation_id = record.request_id = record.key_id = record.organisation_id = flood;
  record.workspace_id = record.api = record.service_tier = record.error_type = flood;
  record.finish_reason = record.native_finish_reason = flood;
  record.user_id = record.session_id = record.app_referer = record.app_title = flood;
  record.model_asked = record.model_served = record.provider = record.endpoint = flood;
  record.upstream_id = flood;
  for (std::size_t i = 0; i < UsageRecord::kAttemptsMax + 5; ++i) {
    record.add_attempt({.endpoint = flood,
                        .provider = flood,
                        .upstream_id = flood,
                        .started = {INT64_MIN},
                        .latency = {INT64_MIN},
                        .cost = INT64_MIN});
  }
  record.began.unix_ns = record.cost = record.charge = record.reserved = INT64_MIN;
  const std::string bytes = encoded(record);
  EXPECT_LE(bytes.size(), kRecordBytesMax);
  const auto read = decode(bytes);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->session_id, std::string(256, 'x'));
  EXPECT_EQ(read->key_id, std::string(64, 'x'));
  EXPECT_EQ(read->model_asked, std::string(128, 'x'));
  EXPECT_EQ(read->attempts[7].provider, std::string(128, 'x'));
  EXPECT_EQ(read->attempt_count, UsageRecord::kAttemptsMax);
  EXPECT_EQ(read->attempts_made, UsageRecord::kAttemptsMax + 5);
}

TEST(UsageRecord, ACutDoesNotSplitACharacter) {
  UsageRecord record;
  const std::string title = std::string(254, 'a') + "\xe2\x82\xac";  // 257 bytes
  record.app_title = title;
  const std::string bytes = encoded(record);
  const auto read = decode(bytes);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->app_title, std::string(254, 'a'));
  // What is no UTF-8 at all is cut where it is.
  const std::string junk(300, '\x80');
  record.app_title = junk;
  const std::string junk_bytes = encoded(record);
  const auto junk_read = decode(junk_bytes);
  ASSERT_TRUE(junk_read);
  EXPECT_EQ(junk_read->app_title.size(), 256u);
}

TEST(UsageRecord, ACountBelowZeroIsWrittenAsZero) {
  UsageRecord record;
  record.tokens.cached = -1;
  const std::string bytes = encoded(record);
  const auto read = decode(bytes);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->tokens.cached, 0);
}

TEST(UsageRecord, NoPrefixOfARecordIsARecord) {
  const std::string bytes = encoded(sample_record());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto read = decode(std::span(bytes.data(), size));
    ASSERT_FALSE(read) << size;
    EXPECT_EQ(read.error().code, Code::kInvalid);
  }
}

// Finding every turned bit is the frame's business; here none may lead astray.
TEST(UsageRecord, ATurnedBitIsRefusedOrReadWithinBounds) {
  const std::string bytes = encoded(sample_record());
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string turned = bytes;
    turned[bit / 8] = static_cast<char>(turned[bit / 8] ^ 1 << bit % 8);
    const auto read = decode(turned);
    if (!read) continue;
    EXPECT_LE(read->attempt_count, UsageRecord::kAttemptsMax);
    EXPECT_GE(read->tokens.prompt, 0);
    EXPECT_LT(static_cast<std::size_t>(read->attempts[0].outcome), kAttemptOutcomes);
    const std::string again = encoded(*read);
    ASSERT_TRUE(decode(again));
  }
}

TEST(UsageRecord, AnotherVersionIsToldApartFromDamage) {
  std::string bytes = encoded(sample_record());
  bytes[0] = 2;
  const auto read = decode(bytes);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, Code::kUnsupported);
}

// A record of one section of numbers, one attempt and some texts, as any writer of version 1 could
// write it.
std::string record_of(std::size_t numbers, bool with_more_in_attempt, std::size_t texts,
                      std::string_view trailer) {
  std::vector<char> out(kRecordBytesMax);
  VarintWriter writer(out);
  writer.number(1);
  writer.section([&](VarintWriter& into) {
    for (std::size_t i = 0; i < numbers; ++i) into.number(2);
  });
  writer.number(1);
  writer.section([&](VarintWriter& into) {
    for (int i = 0; i < 6; ++i) into.number(0);
    into.bytes("endpoint");
    into.bytes("provider");
    into.bytes("upstream");
    if (with_more_in_attempt) into.bytes("of a later version");
  });
  writer.number(texts);
  for (std::size_t i = 0; i < texts; ++i) writer.bytes("text");
  return std::string(out.data(), writer.size()).append(trailer);
}

TEST(UsageRecord, ALaterWritersFieldsAreSkipped) {
  const std::string bytes = record_of(100, true, 40, "and more");
  const auto read = decode(bytes);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->tokens.web_searches, 2);
  EXPECT_EQ(read->attempts[0].upstream_id, "upstream");
  EXPECT_EQ(read->error_type, "text");
}

TEST(UsageRecord, AnEarlierWritersMissingFieldsAreEmpty) {
  const std::string bytes = record_of(5, false, 3, "");
  const auto read = decode(bytes);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->price_version, 2u);
  EXPECT_EQ(read->cost, 0);
  EXPECT_EQ(read->key_id, "text");
  EXPECT_EQ(read->organisation_id, "");
}

TEST(UsageRecord, OutcomesHaveNames) {
  EXPECT_EQ(attempt_outcome_name(AttemptOutcome::kSucceeded), "succeeded");
  EXPECT_EQ(attempt_outcome_name(AttemptOutcome::kAmbiguous), "ambiguous");
  EXPECT_EQ(attempt_outcome_name(AttemptOutcome::kHedgedAway), "hedged_away");
}

}  // namespace
}  // namespace leat::ledger
