// SPDX-License-Identifier: Apache-2.0
// Goal: money, moments and access survive being text, and what is not money or a moment is refused.
// Method: values with their texts, both ways; texts that are nearly right.
#include "control/account_text.h"

#include <gtest/gtest.h>

namespace leat::control {
namespace {

TEST(AccountText, DollarsAreExact) {
  const std::pair<const char*, std::int64_t> kBothWays[] = {
      {"0", 0},
      {"1", 1'000'000'000},
      {"12.5", 12'500'000'000},
      {"0.000000001", 1},
      {"-3.25", -3'250'000'000},
      {"1000000000", 1'000'000'000'000'000'000},
      {"0.1", 100'000'000},
  };
  for (const auto& [text, money] : kBothWays) {
    EXPECT_EQ(parse_dollars(text), money) << text;
    EXPECT_EQ(dollars_text(money), text);
  }
  EXPECT_EQ(dollars_text(INT64_MIN), "-9223372036.854775808");
  for (const auto& [text, money] : {std::pair<const char*, std::int64_t>{"1e-7", 100},
                                    {"1E9", 1'000'000'000'000'000'000},
                                    {"2.50e+1", 25'000'000'000},
                                    {"0e999", 0},
                                    {"100.000000000000", 100'000'000'000}}) {
    EXPECT_EQ(parse_dollars(text), money) << text;
  }
}

TEST(AccountText, WhatIsNoAmountIsRefused) {
  for (const char* text : {"",
                           "-",
                           ".",
                           "e5",
                           "1e",
                           "1e+",
                           "1.2.3",
                           "1,5",
                           "$5",
                           "0x10",
                           "NaN",
                           "Infinity",
                           " 1",
                           "1 ",
                           "--1",
                           "1000000000.000000001",
                           "1000000001",
                           "1e10",
                           "1e400",
                           "1e99999999999999",
                           "0.0000000001",
                           "1e-10",
                           "99999999999999999999999999"}) {
    EXPECT_FALSE(parse_dollars(text).has_value()) << text;
  }
}

TEST(AccountText, MomentsAreIso8601) {
  EXPECT_EQ(iso_time(1'795'272'916), "2026-11-21T14:55:16.000Z");
  EXPECT_EQ(iso_time(0), "1970-01-01T00:00:00.000Z");
  for (const char* text :
       {"2026-11-21T14:55:16.000Z", "2026-11-21T14:55:16Z", "2026-11-21t14:55:16.9z",
        "2026-11-21T16:25:16+01:30", "2026-11-21T13:55:16-01:00"}) {
    EXPECT_EQ(parse_iso_time(text), 1'795'272'916) << text;
  }
}

TEST(AccountText, WhatIsNoMomentIsRefused) {
  for (const char* text :
       {"", "2026-11-21", "2026-11-21T14:55:16", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z",
        "2026-11-21T24:00:00Z", "2026-11-21T14:60:00Z", "2026-11-21 14:55:16Z",
        "2026-11-21T14:55:16.Z", "2026-11-21T14:55:16+1:00", "2026-11-21T14:55:16+25:00",
        "2026-11-2lT14:55:16Z", "2026-11-21T14:55:16ZZ", "1795272916"}) {
    EXPECT_FALSE(parse_iso_time(text).has_value()) << text;
  }
}

TEST(AccountText, AccessSurvivesBeingText) {
  EXPECT_EQ(access_text({}), "");
  policy::Access access;
  access.has_models = true;
  access.models = {"openai/*", "a\"b"};
  access.routing.has_only = true;
  access.routing.ignore = {"x"};
  access.routing.regions = {"eu"};
  access.routing.zdr = true;
  access.routing.deny_data_collection = true;
  const auto read = access_of(access_text(access));
  ASSERT_TRUE(read.has_value());
  EXPECT_TRUE(read->has_models);
  EXPECT_EQ(read->models, access.models);
  EXPECT_TRUE(read->routing.has_only);
  EXPECT_TRUE(read->routing.only.empty());
  EXPECT_EQ(read->routing.ignore, access.routing.ignore);
  EXPECT_EQ(read->routing.regions, access.routing.regions);
  EXPECT_TRUE(read->routing.zdr);
  EXPECT_TRUE(read->routing.deny_data_collection);
  EXPECT_FALSE(access_of("{\"models\":[1]}").has_value());
  EXPECT_FALSE(access_of("[]").has_value());
  EXPECT_FALSE(access_of("{").has_value());
}

TEST(AccountText, UuidsAreOfVersionFour) {
  EXPECT_EQ(uuid_text(std::string(16, '\xff')), "ffffffff-ffff-4fff-bfff-ffffffffffff");
  EXPECT_EQ(uuid_text(std::string(16, '\0')), "00000000-0000-4000-8000-000000000000");
}

}  // namespace
}  // namespace leat::control
