// SPDX-License-Identifier: Apache-2.0
// Goal: a trace goes on through us exactly where its header is valid, and a header that is not
// valid, or far too long, changes nothing.
// Method: a table of headers by the rules of W3C Trace Context; bounds of tracestate by their
// parts.
#include "proto/trace_context.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace leat::proto {
namespace {

constexpr std::string_view kTrace = "0af7651916cd43dd8448eb211c80319c";
constexpr std::string_view kSpan = "b7ad6b7169203331";

std::string header(std::string_view version, std::string_view trace, std::string_view span,
                   std::string_view flags, std::string_view rest = "") {
  std::string text;
  for (const std::string_view part : {version, trace, span, flags}) {
    if (!text.empty()) text += '-';
    text += part;
  }
  return text.append(rest);
}

TEST(Traceparent, IsReadAndWrittenAsItStands) {
  const std::string text = header("00", kTrace, kSpan, "01");
  const auto parent = parse_traceparent(text);
  ASSERT_TRUE(parent);
  EXPECT_TRUE(parent->is_sampled());
  EXPECT_EQ(parent->trace_id[0], 0x0a);
  EXPECT_EQ(parent->trace_id[15], 0x9c);
  EXPECT_EQ(parent->span_id[0], 0xb7);
  EXPECT_EQ(parent->span_id[7], 0x31);
  std::array<char, TraceParent::kTextBytes> room;
  EXPECT_EQ(write_traceparent(*parent, room), text);
}

TEST(Traceparent, FlagsThatWeDoNotKnowAreNotPassedOn) {
  std::array<char, TraceParent::kTextBytes> room;
  const auto flags_of = [&](std::string_view text) {
    return std::string(write_traceparent(*parse_traceparent(text), room).substr(53));
  };
  EXPECT_EQ(flags_of(header("00", kTrace, kSpan, "00")), "00");
  EXPECT_EQ(flags_of(header("00", kTrace, kSpan, "03")), "03");
  EXPECT_EQ(flags_of(header("00", kTrace, kSpan, "ff")), "03");
  EXPECT_EQ(flags_of(header("cc", kTrace, kSpan, "03")), "01");
  EXPECT_FALSE(parse_traceparent(header("00", kTrace, kSpan, "02"))->is_sampled());
}

TEST(Traceparent, ALaterVersionIsReadAsFarAsItIsKnown) {
  EXPECT_TRUE(parse_traceparent(header("01", kTrace, kSpan, "01")));
  EXPECT_TRUE(parse_traceparent(header("cc", kTrace, kSpan, "01", "-what-the-future-holds")));
  EXPECT_TRUE(parse_traceparent(header("cc", kTrace, kSpan, "01", "-")));
  EXPECT_FALSE(parse_traceparent(header("cc", kTrace, kSpan, "01", ".what")));
}

TEST(Traceparent, WhatIsNotValidIsNotThere) {
  const std::string long_trace = std::string(kTrace) + "0";
  for (const std::string& text : {
           std::string(),
           std::string("00"),
           header("00", kTrace, kSpan, "01", "-x"),  // version 00 ends there
           header("00", kTrace, kSpan, "01", "1"),
           header("ff", kTrace, kSpan, "01"),
           header("0", kTrace, kSpan, "01"),
           header("0g", kTrace, kSpan, "01"),
           header("0A", kTrace, kSpan, "01"),
           header("00", std::string(32, '0'), kSpan, "01"),
           header("00", kTrace, std::string(16, '0'), "01"),
           header("00", long_trace, kSpan, "01"),
           header("00", kTrace.substr(1), kSpan, "01"),
           header("00", kTrace, kSpan.substr(1), "01"),
           header("00", kTrace, kSpan, "1"),
           header("00", kTrace, kSpan, "0x"),
           header("00", "0AF7651916CD43DD8448EB211C80319C", kSpan, "01"),
           header("00", kTrace, "B7AD6B7169203331", "01"),
           "00_" + std::string(kTrace) + "-" + std::string(kSpan) + "-01",
           "00-" + std::string(kTrace) + "_" + std::string(kSpan) + "-01",
           "00-" + std::string(kTrace) + "-" + std::string(kSpan) + "_01",
       }) {
    EXPECT_FALSE(parse_traceparent(text)) << text;
  }
}

TEST(Tracestate, WithinBoundsItGoesOnAsAList) {
  EXPECT_EQ(bounded_tracestate("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"),
            "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE");
  EXPECT_EQ(bounded_tracestate(" a=1 ,, fw529a3039@dt=FfD9 ,"), "a=1,fw529a3039@dt=FfD9");
  EXPECT_EQ(bounded_tracestate(""), "");
}

TEST(Tracestate, WhatIsNoListIsDropped) {
  for (const std::string_view text :
       {"a", "=1", "a=", "A=1", "a=1,b", "a=b=c", "a=\x01", "a b=1"}) {
    EXPECT_EQ(bounded_tracestate(text), "") << text;
  }
}

TEST(Tracestate, TooMuchOfItLosesLongMembersFirstAndThenTheOldest) {
  const std::string big = "big=" + std::string(200, 'x');
  std::string small;
  for (int i = 0; i < 6; ++i) small += ",k" + std::to_string(i) + "=" + std::string(57, 'y');
  const std::string kept = bounded_tracestate("first=1," + big + small);
  EXPECT_EQ(kept, "first=1" + small);
  std::string many;
  for (int i = 0; i < 40; ++i) many += (i == 0 ? "m" : ",m") + std::to_string(i) + "=1";
  const std::string bounded = bounded_tracestate(many);
  EXPECT_EQ(std::count(bounded.begin(), bounded.end(), ','), 31);
  EXPECT_TRUE(bounded.starts_with("m0=1,"));
  EXPECT_LE(bounded_tracestate("a=" + std::string(100, 'v') + small + small).size(),
            kTracestateBytesMax);
}

}  // namespace
}  // namespace leat::proto
