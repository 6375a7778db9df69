// SPDX-License-Identifier: Apache-2.0
// Goal: a client gets the provider's events whole and in order, whatever line ends the provider
// uses and wherever the network cut them; no byte is lost, and no event may grow without bound.
// Method: streams with their expected events, fed whole, cut in two at every byte, and byte by
// byte.
#include "proto/sse.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace leat::proto {
namespace {

struct Got {
  std::string data;
  std::string name;
  bool has_data;
  bool operator==(const Got&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Got& got) {
  return out << '{' << got.data << '|' << got.name << '|' << got.has_data << '}';
}

struct Reading {
  std::vector<Got> events;
  std::string raw;
};

// Feeds the slices from buffers of their own, which are gone once used up: a view kept too long
// shows.
Reading read(const std::vector<std::string>& slices) {
  Reading reading;
  SseReader reader;
  SseEvent event;
  const auto note = [&] {
    reading.events.push_back({std::string(event.data), std::string(event.name), event.has_data});
    reading.raw += event.raw;
  };
  for (const std::string& slice : slices) {
    const std::vector<char> bytes(slice.begin(), slice.end());
    reader.feed({bytes.data(), bytes.size()});
    while (reader.next(event) == SseNext::kEvent) note();
  }
  if (reader.finish(event)) note();
  return reading;
}

std::vector<Got> with_data(const Reading& reading) {
  std::vector<Got> events;
  for (const Got& got : reading.events) {
    if (got.has_data) events.push_back(got);
  }
  return events;
}

// The LF of a CRLF at the very end may come alone, behind an event that its CR has ended: it says
// nothing and is not given out.
bool is_whole(const std::string& raw, const std::string& stream) {
  return raw == stream || (stream.ends_with("\r\n") && raw + "\n" == stream);
}

void expect_in_any_cut(const std::string& stream, const std::vector<Got>& expected) {
  const Reading whole = read({stream});
  EXPECT_EQ(with_data(whole), expected) << stream;
  EXPECT_EQ(whole.raw, stream);
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    const Reading two = read({stream.substr(0, cut), stream.substr(cut)});
    EXPECT_EQ(with_data(two), expected) << stream << " cut at " << cut;
    EXPECT_TRUE(is_whole(two.raw, stream)) << stream << " cut at " << cut;
  }
  std::vector<std::string> bytes;
  for (const char c : stream) bytes.emplace_back(1, c);
  const Reading one = read(bytes);
  EXPECT_EQ(with_data(one), expected) << stream;
  EXPECT_TRUE(is_whole(one.raw, stream)) << stream;
}

TEST(SseReader, ReadsEveryKindOfLineEnd) {
  const std::vector<Got> two = {{"a", "", true}, {"[DONE]", "", true}};
  expect_in_any_cut("data: a\n\ndata: [DONE]\n\n", two);
  expect_in_any_cut("data: a\r\n\r\ndata: [DONE]\r\n\r\n", two);
  expect_in_any_cut("data: a\r\rdata: [DONE]\r\r", two);
  expect_in_any_cut("data: a\r\n\ndata: [DONE]\n\r\n", two);
  expect_in_any_cut("data: a\n\rdata: [DONE]\r\r\n", two);
}

TEST(SseReader, ReadsFieldsAsTheStandardSays) {
  expect_in_any_cut("data:a\n\n", {{"a", "", true}});
  expect_in_any_cut("data:  a \n\n", {{" a ", "", true}});
  expect_in_any_cut("data\n\n", {{"", "", true}});
  expect_in_any_cut("data:\n\n", {{"", "", true}});
  expect_in_any_cut("data: a:b\n\n", {{"a:b", "", true}});
  expect_in_any_cut("event: error\ndata: x\n\ndata: y\n\n",
                    {{"x", "error", true}, {"y", "", true}});
  expect_in_any_cut("id: 1\nretry: 5\ndata: x\nfoo: bar\ndatax: y\n data: z\n\n",
                    {{"x", "", true}});
}

TEST(SseReader, JoinsDataLines) {
  expect_in_any_cut("data: a\ndata: b\ndata:c\n\ndata: d\n\n",
                    {{"a\nb\nc", "", true}, {"d", "", true}});
  expect_in_any_cut("data:\r\ndata:\r\n\r\n", {{"\n", "", true}});
  expect_in_any_cut("data: a\n: comment\ndata: b\n\n", {{"a\nb", "", true}});
}

TEST(SseReader, SkipsAByteOrderMarkAtTheStartOnly) {
  expect_in_any_cut(
      "\xef\xbb\xbf"
      "data: a\n\n\xef\xbb\xbf"
      "data: b\n\ndata: c\n\n",
      {{"a", "", true}, {"c", "", true}});
}

TEST(SseReader, TellsCommentsFromData) {
  const std::string stream =
      ": OPENROUTER PROCESSING\n\n\n\ndata: a\n\n:x\ndata: b\n\nevent: ping\n\n";
  const Reading reading = read({stream});
  const std::vector<Got> expected = {
      {"", "", false}, {"", "", false}, {"", "", false},
      {"a", "", true}, {"b", "", true}, {"", "ping", false},
  };
  EXPECT_EQ(reading.events, expected);
  EXPECT_EQ(reading.raw, stream);
  expect_in_any_cut(stream, {{"a", "", true}, {"b", "", true}});
}

TEST(SseReader, GivesTheLastEventWithoutItsBlankLine) {
  expect_in_any_cut("data: a\n\ndata: [DONE]", {{"a", "", true}, {"[DONE]", "", true}});
  expect_in_any_cut("data: a\n\ndata: [DONE]\n", {{"a", "", true}, {"[DONE]", "", true}});
  expect_in_any_cut("data: a\r\ndata: b\r", {{"a\nb", "", true}});
  SseReader reader;
  SseEvent event;
  reader.feed("data: a\n\n: rest\n");
  EXPECT_EQ(reader.next(event), SseNext::kEvent);
  EXPECT_EQ(reader.next(event), SseNext::kMore);
  EXPECT_EQ(reader.pending(), 7U);
  EXPECT_FALSE(reader.finish(event));
}

TEST(SseReader, ViewsTheSliceWhenAnEventLiesInIt) {
  const std::string slice = "data: {\"a\":1}\n\ndata: b\n\n";
  SseReader reader;
  SseEvent event;
  reader.feed(slice);
  ASSERT_EQ(reader.next(event), SseNext::kEvent);
  EXPECT_EQ(event.raw.data(), slice.data());
  EXPECT_EQ(event.data.data(), slice.data() + 6);
  EXPECT_EQ(reader.pending(), 9U);
}

TEST(SseReader, FindsEndsInLongEvents) {
  std::string stream;
  std::vector<Got> expected;
  for (std::size_t size : {20U, 31U, 32U, 33U, 63U, 64U, 65U, 250U, 5000U}) {
    expected.push_back({std::string(size, 'x'), "", true});
    stream += "data: " + expected.back().data + (size % 2 == 0 ? "\n\n" : "\r\n\r\n");
  }
  for (std::size_t step : {1U, 7U, 32U, 100U, 4096U, 1U << 20}) {
    std::vector<std::string> slices;
    for (std::size_t at = 0; at < stream.size(); at += step)
      slices.push_back(stream.substr(at, step));
    const Reading reading = read(slices);
    EXPECT_EQ(reading.events, expected) << step;
    EXPECT_EQ(reading.raw, stream) << step;
  }
}

TEST(SseReader, BoundsAnEvent) {
  SseReader reader({.event_bytes_max = 100});
  SseEvent event;
  const std::string fits = "data: " + std::string(92, 'x') + "\n\n";
  reader.feed(fits);
  EXPECT_EQ(reader.next(event), SseNext::kEvent);
  EXPECT_EQ(reader.next(event), SseNext::kMore);
  const std::string endless(60, 'x');
  reader.feed(endless);
  EXPECT_EQ(reader.next(event), SseNext::kMore);
  reader.feed(endless);
  EXPECT_EQ(reader.next(event), SseNext::kTooLarge);
  EXPECT_EQ(reader.next(event), SseNext::kTooLarge) << "for good";
  EXPECT_FALSE(reader.finish(event));
}

}  // namespace
}  // namespace leat::proto
