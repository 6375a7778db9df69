// SPDX-License-Identifier: Apache-2.0
// Goal: what a shard says of a request reaches whoever tells of it as it was said, within its bound
// whatever peers wrote, and every attempt has a span of its own.
// Method: an event in which each field differs, there and back; strings and attempts at their most;
// bytes that were cut.
#include "gateway/request_event.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "../ledger/sample_record.h"

namespace leat::gateway {
namespace {

RequestEvent sample_event() {
  RequestEvent event;
  event.record = ledger::sample_record();
  event.attempts[0] = {.model = "some/first", .total = milliseconds(11)};
  event.attempts[1] = {.model = "some/model", .total = milliseconds(12)};
  event.method = "POST";
  event.path = "/v1/chat/completions";
  event.reason = "streams_per_key";
  event.client = io::Address::v4(192, 0, 2, 7, 4711);
  event.is_tls = true;
  event.shard = 3;
  event.total = milliseconds(1234);
  event.bytes_in = 56;
  event.bytes_out = 7890;
  event.trace = {.trace_id = {1, 2, 3}, .span_id = {4, 5}, .flags = 1};
  event.parent = {6, 7, 8};
  return event;
}

std::vector<char> bytes_of(const RequestEvent& event) {
  std::vector<char> bytes(kEventBytesMax);
  bytes.resize(encode(event, bytes));
  return bytes;
}

TEST(RequestEvent, ArrivesAsItWasSaid) {
  const RequestEvent event = sample_event();
  const std::vector<char> bytes = bytes_of(event);
  const auto read = decode_event(bytes);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->record.generation_id, event.record.generation_id);
  EXPECT_EQ(read->record.app_title, event.record.app_title);
  EXPECT_EQ(read->record.tokens, event.record.tokens);
  EXPECT_EQ(read->record.attempt_count, 2);
  EXPECT_EQ(read->attempts[0].model, "some/first");
  EXPECT_EQ(read->attempts[0].total, milliseconds(11));
  EXPECT_EQ(read->attempts[1].model, "some/model");
  EXPECT_EQ(read->attempts[1].total, milliseconds(12));
  EXPECT_EQ(read->method, "POST");
  EXPECT_EQ(read->path, "/v1/chat/completions");
  EXPECT_EQ(read->reason, "streams_per_key");
  EXPECT_EQ(read->client, event.client);
  EXPECT_TRUE(read->is_tls);
  EXPECT_EQ(read->shard, 3u);
  EXPECT_EQ(read->total, milliseconds(1234));
  EXPECT_EQ(read->bytes_in, 56u);
  EXPECT_EQ(read->bytes_out, 7890u);
  EXPECT_EQ(read->trace, event.trace);
  EXPECT_EQ(read->parent, event.parent);
  EXPECT_TRUE(read->has_trace());
}

TEST(RequestEvent, StaysWithinItsBoundWhateverPeersWrote) {
  const std::string long_text(100'000, 'x');
  RequestEvent event;
  for (const auto member :
       {&ledger::UsageRecord::generation_id, &ledger::UsageRecord::request_id,
        &ledger::UsageRecord::user_id, &ledger::UsageRecord::session_id,
        &ledger::UsageRecord::app_title, &ledger::UsageRecord::app_referer,
        &ledger::UsageRecord::model_asked, &ledger::UsageRecord::native_finish_reason}) {
    event.record.*member = long_text;
  }
  for (RequestEvent::Attempt& attempt : event.attempts) {
    attempt.model = long_text;
    event.record.add_attempt({.endpoint = long_text, .upstream_id = long_text});
  }
  event.path = event.reason = long_text;
  const std::vector<char> bytes = bytes_of(event);
  const auto read = decode_event(bytes);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->record.attempt_count, RequestEvent::kAttemptsMax);
  EXPECT_EQ(read->attempts.back().model.size(), ledger::RecordLimits::kNameMax);
  EXPECT_FALSE(read->has_trace());
}

TEST(RequestEvent, WhatIsNotWholeIsNoEvent) {
  const std::vector<char> bytes = bytes_of(sample_event());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(decode_event(std::span(bytes).first(size))) << size;
  }
}

TEST(RequestEvent, EveryAttemptHasASpanOfItsOwn) {
  const RequestEvent::SpanId request{1, 2, 3, 4, 5, 6, 7, 8};
  std::set<RequestEvent::SpanId> spans{request, {}};
  for (std::size_t i = 0; i < 100; ++i) EXPECT_TRUE(spans.insert(attempt_span(request, i)).second);
  EXPECT_EQ(attempt_span(request, 3), attempt_span(request, 3));
  EXPECT_NE(attempt_span({9}, 3), attempt_span(request, 3));
}

}  // namespace
}  // namespace leat::gateway
