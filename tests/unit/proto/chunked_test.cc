// SPDX-License-Identifier: Apache-2.0
// Goal: a chunked body is decoded to exactly its payload however it is cut, and whatever two
// parsers could read differently is refused.
// Method: tables of bodies with their outcome; each is decoded whole, cut in two at every place,
// and byte by byte, and must come out the same.
#include "proto/chunked.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace leat::proto {
namespace {

using Kind = ChunkStep::Kind;

struct Outcome {
  std::string payload;
  Kind kind = Kind::kNeedMore;
  HttpFault fault = HttpFault::kNone;
  std::size_t rest = 0;  // bytes behind the end of the body
  bool operator==(const Outcome&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Outcome& o) {
  return out << "kind " << static_cast<int>(o.kind) << " fault " << fault_info(o.fault).text
             << " rest " << o.rest << " payload " << o.payload;
}

void feed(ChunkedDecoder& decoder, std::string_view slice, Outcome& outcome) {
  for (;;) {
    const ChunkStep step = decoder.next(slice);
    outcome.kind = step.kind;
    outcome.fault = step.fault;
    if (step.kind == Kind::kEnd) outcome.rest += slice.size();
    if (step.kind != Kind::kData) return;
    EXPECT_FALSE(step.data.empty()) << "a view of nothing is no step";
    outcome.payload += step.data;
  }
}

Outcome decode(const std::vector<std::string_view>& slices) {
  ChunkedDecoder decoder;
  Outcome outcome;
  for (const std::string_view slice : slices) feed(decoder, slice, outcome);
  return outcome;
}

std::vector<std::string_view> bytes_of(std::string_view body) {
  std::vector<std::string_view> bytes;
  for (std::size_t i = 0; i < body.size(); ++i) bytes.push_back(body.substr(i, 1));
  return bytes;
}

void expect_however_cut(std::string_view body, const Outcome& expected) {
  SCOPED_TRACE(body.substr(0, 60));
  EXPECT_EQ(decode({body}), expected);
  EXPECT_EQ(decode(bytes_of(body)), expected);
  for (std::size_t cut = 0; cut <= body.size(); ++cut) {
    ASSERT_EQ(decode({body.substr(0, cut), body.substr(cut)}), expected) << "cut at " << cut;
  }
}

TEST(Chunked, DecodesHoweverCut) {
  const std::string kib(1024, 'k');
  const struct {
    std::string body, payload;
    std::size_t rest;
  } cases[] = {
      {"0\r\n\r\n", "", 0},
      {"000\r\n\r\n", "", 0},
      {"5\r\nhello\r\n0\r\n\r\n", "hello", 0},
      {"00000005\r\nhello\r\n00000000\r\n\r\n", "hello", 0},
      {"a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789", 0},
      {"2\r\n\r\n\r\n0\r\n\r\n", "\r\n", 0},
      {"400\r\n" + kib + "\r\n0\r\n\r\n", kib, 0},
      {"5;a\r\nhello\r\n0;b=\"c;d\"\r\n\r\n", "hello", 0},
      {"5;\t =\x80\r\nhello\r\n0\r\n\r\n", "hello", 0},
      {"1\r\nx\r\n0\r\nSum: 1\r\nEmpty:\r\n\r\n", "x", 0},
      // What follows belongs to the next request.
      {"1\r\nx\r\n0\r\n\r\nGET / HTTP/1.1\r\n", "x", 16},
      {"0\r\n\r\n0\r\n\r\n", "", 5},
  };
  for (const auto& c : cases) expect_however_cut(c.body, {c.payload, Kind::kEnd, {}, c.rest});
}

TEST(Chunked, WaitsForTheEndHoweverItIsCut) {
  const std::string_view body = "5\r\nhello\r\n3;x\r\nabc\r\n0\r\nT: v\r\n\r\n";
  for (std::size_t size = 0; size < body.size(); ++size) {
    EXPECT_EQ(decode({body.substr(0, size)}).kind, Kind::kNeedMore) << size;
  }
  EXPECT_EQ(decode({body}).kind, Kind::kEnd);
}

TEST(Chunked, RefusesWhatParsersDisagreeAbout) {
  using enum HttpFault;
  const struct {
    std::string_view body;
    HttpFault fault;
    std::string_view payload;
  } cases[] = {
      {"\r\n", kBadChunkSize, ""},
      {";a\r\n", kBadChunkSize, ""},
      {"g\r\n", kBadChunkSize, ""},
      {"0x5\r\nhello", kBadChunkSize, ""},
      {"+5\r\nhello", kBadChunkSize, ""},
      {"-5\r\nhello", kBadChunkSize, ""},
      {"1_0\r\nhello", kBadChunkSize, ""},
      {" 5\r\nhello", kBadChunkSize, ""},
      {"5 \r\nhello", kBadChunkSize, ""},
      {"5\t;a\r\nhello", kBadChunkSize, ""},
      {"5\nhello\n", kBadChunkSize, ""},
      {std::string_view("5\0\r\nhello", 9), kBadChunkSize, ""},
      // 2^32 + 5 and longer: a parser that wraps around would read a 5.
      {"100000005\r\nhello", kChunkTooLarge, ""},
      {"000000005\r\nhello", kChunkTooLarge, ""},
      {"ffffffffffffffff5\r\nhello", kChunkTooLarge, ""},
      {"5\r\rhello", kBadChunkExtension, ""},
      {"5\rhello", kBadChunkExtension, ""},
      {"5;a\nhello\r\n", kBadChunkExtension, ""},
      {"5;a\r\rhello\r\n", kBadChunkExtension, ""},
      {std::string_view("5;\0\r\nhello", 10), kBadChunkExtension, ""},
      {"5\r\nhelloo\r\n", kBadChunkEnd, "hello"},
      {"5\r\nhello\n0\r\n\r\n", kBadChunkEnd, "hello"},
      {"5\r\nhello0\r\n\r\n", kBadChunkEnd, "hello"},
      {"5\r\nhello\r0\r\n\r\n", kBadChunkEnd, "hello"},
      {"5\r\nhelloX\n0\r\n\r\n", kBadChunkEnd, "hello"},
      {"5\r\nhello\r\n\r\n", kBadChunkSize, "hello"},
      {"0\r\n\n", kBadTrailer, ""},
      {"0\r\n\rX", kBadTrailer, ""},
      {"0\r\n: v\r\n\r\n", kBadTrailer, ""},
      {"0\r\nGET /admin HTTP/1.1\r\n\r\n", kBadTrailer, ""},
      {"0\r\nName : v\r\n\r\n", kBadTrailer, ""},
      {"0\r\nA: v\r\n folded\r\n\r\n", kBadTrailer, ""},
      {"0\r\nA: v\n\r\n", kBadTrailer, ""},
      {"0\r\nA: v\r\r\n", kBadTrailer, ""},
      {"0\r\nA: v\rB: w\r\n\r\n", kBadTrailer, ""},
      {std::string_view("0\r\nA: \0\r\n\r\n", 11), kBadTrailer, ""},
  };
  for (const auto& c : cases) {
    expect_however_cut(c.body, {std::string(c.payload), Kind::kFault, c.fault, 0});
  }
}

TEST(Chunked, LimitsExtensionsAndTrailersTogether) {
  const auto body = [](std::size_t extension, std::size_t trailer) {
    // ";" and "T:" and CRLF are of the extras, too.
    return "1;" + std::string(extension - 1, 'e') +
           "\r\nx\r\n0\r\nT:" + std::string(trailer - 4, 't') + "\r\n\r\n";
  };
  constexpr std::size_t kMax = ChunkedDecoder::kExtrasBytesMax;
  expect_however_cut(body(24, kMax - 24), {"x", Kind::kEnd, {}, 0});
  expect_however_cut(body(24, kMax - 23), {"x", Kind::kFault, HttpFault::kChunkExtrasTooLarge, 0});
  // One byte in many chunks adds up as well.
  std::string many;
  for (std::size_t i = 0; i <= kMax; ++i) many += "1;\r\nx\r\n";
  EXPECT_EQ(decode({many}).fault, HttpFault::kChunkExtrasTooLarge);
}

TEST(Chunked, TakesTheLargestSizeWithoutWaitingForIt) {
  const Outcome outcome = decode({"ffffffff\r\nabc"});
  EXPECT_EQ(outcome, (Outcome{"abc", Kind::kNeedMore, {}, 0}));
}

TEST(Chunked, GivesPayloadInPlaceAndUsesTheSliceUp) {
  const std::string_view slice = "5\r\nhello\r\n";
  std::string_view in = slice;
  ChunkedDecoder decoder;
  const ChunkStep step = decoder.next(in);
  ASSERT_EQ(step.kind, Kind::kData);
  EXPECT_EQ(step.data.data(), slice.data() + 3);
  EXPECT_EQ(step.data, "hello");
  EXPECT_TRUE(in.empty()) << "the CRLF behind the data came along";
}

TEST(Chunked, EndAndFaultAreFinal) {
  ChunkedDecoder ended;
  std::string_view in = "0\r\n\r\n";
  EXPECT_EQ(ended.next(in).kind, Kind::kEnd);
  EXPECT_TRUE(ended.ended());
  in = "5\r\nhello\r\n";
  EXPECT_EQ(ended.next(in).kind, Kind::kEnd);
  EXPECT_EQ(in.size(), 10u);

  ChunkedDecoder faulty;
  in = "x";
  EXPECT_EQ(faulty.next(in).fault, HttpFault::kBadChunkSize);
  in = "0\r\n\r\n";
  EXPECT_EQ(faulty.next(in).kind, Kind::kFault);
  EXPECT_EQ(faulty.next(in).fault, HttpFault::kBadChunkSize);
  EXPECT_FALSE(faulty.ended());
}

}  // namespace
}  // namespace leat::proto
