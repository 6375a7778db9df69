// SPDX-License-Identifier: Apache-2.0
// Goal: a terminal shows what the frame says, within its size, in colour only where that is wanted,
// and nothing that a name could do to it. Method: frames as text, the screen's lines.
#include "control/top_screen.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace leat::control {
namespace {

constexpr const char* kFrame = R"({"version":"1.2.3","uptime_s":3725,"ready":true,"shards":2,
  "counters":{"requests":12345,"requests_open":7},"rates":{"requests":10.5,"events":250.25,
  "refused":0,"failures":0.4},"money":{"charged_nanodollars":1500000000},
  "refusals":{"authentication":3},"first_token_ms_5m":{"p50":120.4,"p90":900,"p99":12000},
  "endpoints":[{"model":"acme/one","endpoint":"bento","status":0,
    "first_token_ms":{"p50":80,"p99":200},"tokens_per_second":55.5,"uptime_30m":99.91,
    "planned_share":0.75,"waiting":1},
  {"model":"acme/one","endpoint":"sushi","status":-10,"first_token_ms":null,
    "tokens_per_second":null,"uptime_30m":null,"planned_share":null,"waiting":0}],
  "running":[{"id":"gen-1","key":"shop","model":"acme/one","stage":"streaming","age_ms":65000,
    "events":42}]})";

JsonValue parsed(const std::string& text) {
  std::string why;
  auto value = parse_json(text, why);
  EXPECT_TRUE(value) << why;
  return value ? std::move(*value) : JsonValue{};
}

std::vector<std::string> lines_of(const std::string& screen) {
  std::vector<std::string> lines;
  std::size_t begin = 0;
  while (begin < screen.size()) {
    const std::size_t end = screen.find('\n', begin);
    lines.push_back(screen.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

TEST(TopScreen, TellsTheFrame) {
  const std::string screen = top_screen(parsed(kFrame), {});
  for (const char* said :
       {"leat 1.2.3  serving  up 1h02m  2 shards", "requests 10.5/s (12.3k)", "tokens 250.2/s",
        "running 7", "p50 120ms", "p99 12.0s", "charged $1.5000", "authentication 3", "99.9%",
        "75%", "not asked", "1m05s", "WAIT", "gen-1", "shop", "streaming"}) {
    EXPECT_NE(screen.find(said), std::string::npos) << said << "\n" << screen;
  }
  EXPECT_EQ(screen.find('\x1b'), std::string::npos);
}

TEST(TopScreen, FitsTheWindow) {
  for (const std::size_t columns : {20, 80, 200}) {
    for (const std::size_t rows : {1, 5, 0}) {
      const auto lines = lines_of(top_screen(parsed(kFrame), {.columns = columns, .rows = rows}));
      if (rows != 0) {
        EXPECT_LE(lines.size(), rows);
      }
      for (const std::string& line : lines) EXPECT_LE(line.size(), columns) << line;
    }
  }
}

TEST(TopScreen, CutsBetweenCharacters) {
  const auto lines =
      lines_of(top_screen(parsed(R"({"version":"äöüäöüäöüäöüäöü"})"), {.columns = 20}));
  EXPECT_EQ(lines.front(), "leat äöüäöüäöüäöüäöü");
}

TEST(TopScreen, IsColouredWhereThatIsWanted) {
  const std::string screen = top_screen(parsed(kFrame), {.with_colour = true});
  const auto lines = lines_of(screen);
  const auto bad = std::ranges::find_if(
      lines, [](const std::string& line) { return line.find("sushi") != std::string::npos; });
  ASSERT_NE(bad, lines.end());
  EXPECT_TRUE(bad->starts_with("\x1b[31m")) << *bad;
  EXPECT_TRUE(bad->ends_with("\x1b[0m")) << *bad;
}

TEST(TopScreen, NamesDoNothingToTheTerminal) {
  const std::string screen = top_screen(
      parsed(R"({"running":[{"id":"gen-1","key":"\u001b[2Jx\n","model":"m","stage":"s"}]})"), {});
  EXPECT_EQ(screen.find('\x1b'), std::string::npos);
  EXPECT_NE(screen.find("[2Jx"), std::string::npos);
}

TEST(TopScreen, WhatIsMissingIsADash) {
  const std::string screen = top_screen(parsed("{}"), {});
  EXPECT_NE(screen.find("requests -/s"), std::string::npos) << screen;
}

}  // namespace
}  // namespace leat::control
