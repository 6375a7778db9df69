// SPDX-License-Identifier: Apache-2.0
// Goal: a provider that says when it is back is left alone until then, however it says so; one that
// talks nonsense cannot shut itself out.
// Method: tables of the spellings that providers were seen to use, and of broken ones.
#include "dialect/wait_time.h"

#include <gtest/gtest.h>

namespace leat::dialect {
namespace {

// 2026-01-02T03:04:05Z.
constexpr std::int64_t kNow = 1'767'323'045'000;

TEST(WaitTime, ReadsEverySpelling) {
  struct Case {
    const char* value;
    std::int64_t ms;
  };
  const Case cases[] = {
      {"20", 20'000},
      {" 20 ", 20'000},
      {"0", 0},
      {"0.25", 250},
      {"17.399999999", 17'400},
      {"12ms", 12},
      {"1s", 1'000},
      {"6m0s", 360'000},
      {"17.399999999s", 17'400},
      {"1h2m3.4s", 3'723'400},
      {"34.4s", 34'400},
      {"2026-01-02T03:04:15Z", 10'000},
      {"2026-01-02T03:04:15.5Z", 10'500},
      {"2026-01-02T04:04:15+01:00", 10'000},
      {"2026-01-01T22:34:15-04:30", 10'000},
      {"2026-03-01T03:04:05Z", kWaitMsMax},
      {"Fri, 02 Jan 2026 03:05:05 GMT", 60'000},
      {"1767323046", 1'000},
      {"1767323045500", 500},
      {"2026-01-02T03:04:00Z", 0},
      {"1700000000", 0},
      {"31536000", kWaitMsMax},
      {"99999999999999999999", kWaitMsMax},
  };
  for (const Case& each : cases) {
    const auto wait = read_wait_ms(each.value, kNow);
    ASSERT_TRUE(wait) << each.value;
    EXPECT_EQ(*wait, each.ms) << each.value;
  }
}

TEST(WaitTime, CountsDaysAsTheCalendarDoes) {
  struct Case {
    const char* value;
    std::int64_t unix_seconds;
  };
  const Case cases[] = {
      {"1970-01-02T00:00:00Z", 86'400},        {"1972-02-29T00:00:00Z", 68'169'600},
      {"1972-03-01T00:00:00Z", 68'256'000},    {"2000-02-29T00:00:00Z", 951'782'400},
      {"2000-12-31T23:59:59Z", 978'307'199},   {"2024-03-01T00:00:00Z", 1'709'251'200},
      {"2100-03-01T00:00:00Z", 4'107'542'400},
  };
  for (const Case& each : cases) {
    const std::int64_t now = each.unix_seconds * 1'000 - 1'000;
    EXPECT_EQ(read_wait_ms(each.value, now), 1'000) << each.value;
  }
}

TEST(WaitTime, TakesNonsenseForNothing) {
  const char* values[] = {
      "",
      "soon",
      "-5",
      "+5",
      "5 s",
      "1x",
      "1m2",
      "ms",
      "nan",
      "inf",
      "1e3",
      "0x10",
      "1h2",
      "1..2",
      "2026-13-01T00:00:00Z",
      "2026-01-02T25:00:00Z",
      "2026-01-02T03:04:05",
      "2026-01-02T03:04:05+1:00",
      "Fri, 2 Jan 2026 03:05:05 GMT",
      "Fri, 02 Foo 2026 03:05:05 GMT",
      "Fri, 02 Jan 2026 03:05:05 CET",
      "2026-1-2T03:04:05Z",
  };
  for (const char* value : values) EXPECT_FALSE(read_wait_ms(value, kNow)) << value;
}

TEST(WaitTime, ReadsMilliseconds) {
  EXPECT_EQ(read_wait_ms_field("1500"), 1'500);
  EXPECT_EQ(read_wait_ms_field("0.2"), 1);
  EXPECT_EQ(read_wait_ms_field("9999999999999"), kWaitMsMax);
  EXPECT_FALSE(read_wait_ms_field("1s"));
  EXPECT_FALSE(read_wait_ms_field("-1"));
  EXPECT_FALSE(read_wait_ms_field(""));
}

}  // namespace
}  // namespace leat::dialect
