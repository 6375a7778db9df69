// SPDX-License-Identifier: Apache-2.0
// Goal: clients and caches can read our Date. Method: dates of the RFC and at the edges of months
// and leap years, then every hour of some years against the C library.
#include "proto/http_date.h"

#include <gtest/gtest.h>

#include <ctime>
#include <string>

namespace leat::proto {
namespace {

std::string date_of(std::int64_t unix_seconds) {
  std::string text(kHttpDateBytes, '?');
  write_http_date(unix_seconds, std::span<char, kHttpDateBytes>(text.data(), kHttpDateBytes));
  return text;
}

TEST(HttpDate, WritesImfFixdate) {
  EXPECT_EQ(date_of(784'111'777), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(date_of(0), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(date_of(1'709'164'799), "Wed, 28 Feb 2024 23:59:59 GMT");
  EXPECT_EQ(date_of(1'709'164'800), "Thu, 29 Feb 2024 00:00:00 GMT");
  EXPECT_EQ(date_of(4'102'444'799), "Thu, 31 Dec 2099 23:59:59 GMT");
}

TEST(HttpDate, AgreesWithTheCLibrary) {
  for (std::time_t time = 1'700'000'000; time < 1'900'000'000; time += 3'601) {
    std::tm parts;
    gmtime_r(&time, &parts);
    char expected[64];
    std::strftime(expected, sizeof expected, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    ASSERT_EQ(date_of(time), expected);
  }
}

}  // namespace
}  // namespace leat::proto
