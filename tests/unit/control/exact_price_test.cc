// SPDX-License-Identifier: Apache-2.0
// Goal: a price is what its text says, to the last digit, in whatever way the text is written.
// Method: texts with their pico-dollars counted by hand; then every text that we write is read
// back.
#include "control/exact_price.h"

#include <gtest/gtest.h>

namespace leat::control {
namespace {

policy::Picodollars per_million(std::string_view text) {
  const auto price = parse_price(text, PriceUnit::kPerMillion);
  return price && price->is_exact ? price->value : -1;
}

policy::Picodollars per_unit(std::string_view text) {
  const auto price = parse_price(text, PriceUnit::kPerUnit);
  return price && price->is_exact ? price->value : -1;
}

TEST(ExactPrice, ReadsWhatPublishersWrite) {
  EXPECT_EQ(per_million("3"), 3'000'000);
  EXPECT_EQ(per_million("0.15"), 150'000);
  EXPECT_EQ(per_million("0.0028"), 2'800);
  EXPECT_EQ(per_million("1.5e-1"), 150'000);
  EXPECT_EQ(per_million("15e+0"), 15'000'000);
  EXPECT_EQ(per_unit("0.00000015"), 150'000);
  EXPECT_EQ(per_unit("1.5e-07"), 150'000);
  EXPECT_EQ(per_unit("2.5E-6"), 2'500'000);
  EXPECT_EQ(per_unit("0"), 0);
  EXPECT_EQ(per_unit("0.000"), 0);
  EXPECT_EQ(per_unit("0e900"), 0);
  EXPECT_EQ(per_unit("1000"), policy::kPriceMax);
}

TEST(ExactPrice, DigitsBelowTheUnitAreRoundedAndTold) {
  const auto up = parse_price("0.0000000000015", PriceUnit::kPerUnit);
  ASSERT_TRUE(up);
  EXPECT_EQ(up->value, 2);
  EXPECT_FALSE(up->is_exact);
  const auto down = parse_price("0.0000000000014999", PriceUnit::kPerUnit);
  EXPECT_EQ(down->value, 1);
  EXPECT_FALSE(down->is_exact);
  const auto far_below = parse_price("9e-14", PriceUnit::kPerUnit);
  EXPECT_EQ(far_below->value, 0);
  EXPECT_FALSE(far_below->is_exact);
  // Zeros beyond the last place say nothing.
  EXPECT_EQ(per_million("0.1500000000000000"), 150'000);
}

TEST(ExactPrice, SaysWhoIsNoPrice) {
  for (const char* text : {"", ".", "-", "1.2.3", "1e", "1e5x", "0x10", "1,5", " 1", "1 ", "nan",
                           "1001", "1e99", "1e9999"}) {
    EXPECT_FALSE(parse_price(text, PriceUnit::kPerUnit)) << text;
  }
  EXPECT_EQ(parse_price("-1", PriceUnit::kPerMillion)->value, -1'000'000);
}

TEST(ExactPrice, WritesTheShortestTextAndReadsItBack) {
  EXPECT_EQ(price_text(150'000, PriceUnit::kPerUnit), "0.00000015");
  EXPECT_EQ(price_text(150'000, PriceUnit::kPerMillion), "0.15");
  EXPECT_EQ(price_text(3'000'000, PriceUnit::kPerMillion), "3");
  EXPECT_EQ(price_text(0, PriceUnit::kPerUnit), "0");
  for (const policy::Picodollars price : {std::int64_t{1}, std::int64_t{999'999},
                                          std::int64_t{123'456'789'012'345}, policy::kPriceMax}) {
    EXPECT_EQ(per_unit(price_text(price, PriceUnit::kPerUnit)), price);
    EXPECT_EQ(per_million(price_text(price, PriceUnit::kPerMillion)), price);
  }
}

}  // namespace
}  // namespace leat::control
