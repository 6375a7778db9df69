// SPDX-License-Identifier: Apache-2.0
// Goal: the fast judge of UTF-8 says what RFC 3629 says, wherever in a block a sequence stands.
// Method: every sequence at the edges of the rules at every offset; random texts against simdjson.
#include "proto/utf8.h"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <string>

#include "base/rng.h"

namespace leat::proto {
namespace {

constexpr std::string_view kGood[] = {"a",
                                      "\x7f",
                                      "\xc2\x80",
                                      "\xdf\xbf",
                                      "\xe0\xa0\x80",
                                      "\xed\x9f\xbf",
                                      "\xee\x80\x80",
                                      "\xef\xbf\xbf",
                                      "\xf0\x90\x80\x80",
                                      "\xf4\x8f\xbf\xbf"};
constexpr std::string_view kBad[] = {"\x80",
                                     "\xbf",
                                     "\xc0\x80",
                                     "\xc1\xbf",
                                     "\xc2",
                                     "\xc2"
                                     "a",
                                     "\xe0\x9f\xbf",
                                     "\xe2\x82",
                                     "\xe2\x82"
                                     "a",
                                     "\xed\xa0\x80",
                                     "\xed\xbf\xbf",
                                     "\xf0\x8f\xbf\xbf",
                                     "\xf0\x9f\x98",
                                     "\xf0\x9f\x98"
                                     "a",
                                     "\xf4\x90\x80\x80",
                                     "\xf5\x80\x80\x80",
                                     "\xf8\x88\x80\x80\x80",
                                     "\xfe",
                                     "\xff",
                                     "\xe2\x82\xac\x80"};

TEST(Utf8, KnowsTheEdgesAtEveryOffset) {
  for (std::size_t offset = 0; offset < 200; ++offset) {
    for (const std::string_view good : kGood) {
      std::string text(offset, 'x');
      text += good;
      EXPECT_EQ(utf8_fault(text), text.size()) << offset;
      text.append(70, 'y');
      EXPECT_EQ(utf8_fault(text), text.size()) << offset;
    }
    for (const std::string_view bad : kBad) {
      // The last one is a good sequence of three and a fourth byte too many.
      const std::size_t at = offset + (bad == kBad[19] ? 3 : 0);
      std::string text(offset, 'x');
      text += bad;
      EXPECT_EQ(utf8_fault(text), at) << offset << " at the end";
      text.append(70, 'y');
      EXPECT_EQ(utf8_fault(text), at) << offset << " within";
    }
  }
}

TEST(Utf8, AgreesWithSimdjson) {
  Rng rng(11);
  for (int round = 0; round < 20'000; ++round) {
    std::string text;
    const double fault_rate = rng.chance(0.5) ? 0 : 0.03;
    const double ascii_rate = rng.chance(0.5) ? 0.9 : 0.3;
    for (std::uint64_t i = rng.below(200); i > 0; --i) {
      if (rng.chance(fault_rate)) {
        text += kBad[rng.below(std::size(kBad))];
      } else {
        text += rng.chance(ascii_rate) ? "z" : kGood[rng.below(std::size(kGood))];
      }
    }
    const std::size_t fault = utf8_fault(text);
    EXPECT_EQ(fault == text.size(), simdjson::validate_utf8(text)) << round;
    EXPECT_TRUE(simdjson::validate_utf8(text.data(), fault)) << round;
  }
}

TEST(Utf8, LeavesOutWhatTheEndMayHaveCut) {
  for (const std::string_view good : kGood) {
    for (std::size_t size = 1; size <= good.size(); ++size) {
      const std::string text = "abc" + std::string(good.substr(0, size));
      EXPECT_EQ(utf8_whole_size(text), size == good.size() ? text.size() : 3);
    }
  }
  EXPECT_EQ(utf8_whole_size(""), 0U);
  EXPECT_EQ(utf8_whole_size("\x80\x80\x80\x80"), 4U);  // nothing that more bytes could mend
  EXPECT_EQ(utf8_whole_size("\xff"), 1U);
}

}  // namespace
}  // namespace leat::proto
