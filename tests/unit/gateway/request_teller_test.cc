// SPDX-License-Identifier: Apache-2.0
// Goal: a request goes on with its caller's trace where that is valid and said once, gets one of
// its own where we trace, and passes on unchanged what it brought where we do not; the caller's
// decision to sample is kept, all others fall by the share; what finds no room is counted.
// Method: heads parsed from text, many draws, a ring that is full.
#include "gateway/request_teller.h"

#include <gtest/gtest.h>

#include <string>

namespace leat::gateway {
namespace {

constexpr std::string_view kSampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
constexpr std::string_view kUnsampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

class Teller : public testing::Test {
 protected:
  RequestTrace placed(const std::string& fields) {
    text_ = "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n";
    proto::RequestParser parser({8'192, 4'096, 64});
    const proto::HeadStatus status = parser.parse(text_, head_);
    EXPECT_TRUE(status.complete());
    RequestTrace trace;
    RequestTeller(nullptr, settings_, counters_, 0).place(head_, rng_, trace);
    return trace;
  }
  static std::string parent(std::string_view value) {
    return "traceparent: " + std::string(value) + "\r\n";
  }
  static std::string text_of(const proto::TraceParent& parent) {
    std::array<char, proto::TraceParent::kTextBytes> room;
    return std::string(proto::write_traceparent(parent, room));
  }

  TraceSettings settings_{.enabled = true};
  Counters counters_;
  Rng rng_{11};
  std::string text_;
  proto::RequestHead head_;
};

TEST_F(Teller, GoesOnWithTheCallersTrace) {
  const RequestTrace trace = placed(parent(kSampled) + "tracestate: a=1\r\nTraceState: b=2\r\n");
  const proto::TraceParent caller = *proto::parse_traceparent(kSampled);
  EXPECT_EQ(trace.here.trace_id, caller.trace_id);
  EXPECT_EQ(trace.parent, caller.span_id);
  EXPECT_NE(trace.here.span_id, caller.span_id);
  EXPECT_TRUE(trace.here.is_sampled());
  EXPECT_EQ(trace.state, "a=1,b=2");
  const proto::TraceParent told = trace.of_attempt(1);
  EXPECT_EQ(told.trace_id, caller.trace_id);
  EXPECT_EQ(told.span_id, attempt_span(trace.here.span_id, 1));
  EXPECT_TRUE(told.is_sampled());
}

TEST_F(Teller, TheCallersDecisionIsKept) {
  settings_.sample_ppm = 1'000'000;
  EXPECT_FALSE(placed(parent(kUnsampled)).here.is_sampled());
  settings_.sample_ppm = 0;
  EXPECT_TRUE(placed(parent(kSampled)).here.is_sampled());
  EXPECT_FALSE(placed("").here.is_sampled());
}

TEST_F(Teller, OthersAreSampledByTheShare) {
  for (const std::uint32_t ppm : {0u, 10'000u, 500'000u, 1'000'000u}) {
    settings_.sample_ppm = ppm;
    int sampled = 0;
    for (int i = 0; i < 20'000; ++i) sampled += placed("").here.is_sampled() ? 1 : 0;
    EXPECT_NEAR(sampled, 20'000 * (ppm / 1e6), ppm % 1'000'000 == 0 ? 0 : 300) << ppm;
  }
}

TEST_F(Teller, WhatIsNotValidOrSaidTwiceBeginsATraceOfOurs) {
  for (const std::string& fields : {parent("00-zz"), parent(kSampled) + parent(kUnsampled),
                                    std::string("tracestate: a=1\r\n")}) {
    const RequestTrace trace = placed(fields);
    EXPECT_TRUE(trace.exists());
    EXPECT_NE(trace.here.trace_id, proto::parse_traceparent(kSampled)->trace_id);
    EXPECT_EQ(trace.parent, RequestEvent::SpanId{});
    EXPECT_EQ(trace.state, "");
  }
}

TEST_F(Teller, WhereWeDoNotTraceItIsPassedOnAsItCame) {
  settings_.enabled = false;
  const RequestTrace trace = placed(parent(kSampled) + "tracestate: a=1\r\n");
  EXPECT_EQ(text_of(trace.of_attempt(2)), kSampled);
  EXPECT_EQ(trace.state, "a=1");
  EXPECT_FALSE(placed("").exists());
  EXPECT_FALSE(placed(parent("00-zz")).exists());
}

TEST_F(Teller, WhatFindsNoRoomIsCounted) {
  EventRing ring(16 * 1024);
  RequestTeller teller(&ring, settings_, counters_, 0);
  for (int i = 0; i < 200; ++i) {
    RequestEvent event;
    teller.tell(event, {.began = {1}, .status = 401}, {2});
  }
  std::uint64_t told = 0;
  ring.drain([&](std::span<const char> bytes) {
    const auto event = decode_event(bytes);
    ASSERT_TRUE(event);
    EXPECT_EQ(event->record.status, 401);
    EXPECT_EQ(event->total, nanoseconds(1));
    ++told;
  });
  EXPECT_GT(told, 0u);
  EXPECT_GT(counters_.request_events_dropped.get(), 0u);
  EXPECT_EQ(counters_.request_events.get(), told);
  EXPECT_EQ(told + counters_.request_events_dropped.get(), 200u);
}

}  // namespace
}  // namespace leat::gateway
