// SPDX-License-Identifier: Apache-2.0
// Prices from decimal text to whole pico-dollars and back, without a floating point number between
// them: what a file says is what is charged, to the last digit.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "policy/prices.h"

namespace leat::control {

// What one price in a file is for. kPerMillion is how people write the prices of tokens.
enum class PriceUnit : std::uint8_t { kPerUnit, kPerMillion };

// The unit in which our own files state a class: dollars per million tokens; requests, images and
// searches in dollars apiece. The same convention as `provider.max_price` of the API.
PriceUnit unit_of(policy::PriceClass price_class);

struct ExactPrice {
  policy::Picodollars value = 0;
  bool is_exact = true;  // false: the text had digits below a pico-dollar; rounded half up
};

// Dollars as JSON or TOML write a number: digits, at most one point, an exponent, a sign in front.
// Nothing if it is no such number, or beyond what a price can be in either direction (negative
// ones stay negative: whoever asks says why they do not do).
std::optional<ExactPrice> parse_price(std::string_view text, PriceUnit unit);

// The shortest text without an exponent that parse_price() reads as `price` again. `price` >= 0.
std::string price_text(policy::Picodollars price, PriceUnit unit);

}  // namespace leat::control
