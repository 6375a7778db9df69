// SPDX-License-Identifier: Apache-2.0
#include "control/exact_price.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace leat::control {
namespace {

// A digit at position 10^-12 is one pico-dollar.
constexpr int kDecimalsPerUnit = 12;
constexpr int kDecimalsPerMillion = 6;
// No price has an exponent near this; the bound keeps sums of exponents far from overflow.
constexpr int kExponentMax = 1'000;

int decimals_of(PriceUnit unit) {
  return unit == PriceUnit::kPerUnit ? kDecimalsPerUnit : kDecimalsPerMillion;
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

struct Decimal {
  std::string digits;  // without the point
  int scale = 0;       // the value is digits × 10^scale
  bool is_negative = false;
};

std::optional<int> parse_exponent(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  int exponent = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), exponent);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  if (exponent < -kExponentMax || exponent > kExponentMax) return {};
  return exponent;
}

std::optional<Decimal> parse_decimal(std::string_view text) {
  Decimal decimal;
  if (text.starts_with('-') || text.starts_with('+')) {
    decimal.is_negative = text.front() == '-';
    text.remove_prefix(1);
  }
  bool has_point = false;
  std::size_t at = 0;
  for (; at < text.size(); ++at) {
    if (is_digit(text[at])) {
      decimal.digits += text[at];
      if (has_point) --decimal.scale;
    } else if (text[at] == '.' && !has_point) {
      has_point = true;
    } else {
      break;
    }
  }
  // A number of that many digits is no price, and would make the arithmetic below slow.
  constexpr std::size_t kDigitsMax = 64;
  if (decimal.digits.empty() || decimal.digits.size() > kDigitsMax) return {};
  if (at == text.size()) return decimal;
  if (text[at] != 'e' && text[at] != 'E') return {};
  const std::optional<int> exponent = parse_exponent(text.substr(at + 1));
  if (!exponent) return {};
  decimal.scale += *exponent;
  return decimal;
}

}  // namespace

PriceUnit unit_of(policy::PriceClass price_class) {
  switch (price_class) {
    case policy::PriceClass::kRequest:
    case policy::PriceClass::kImage:
    case policy::PriceClass::kWebSearch:
      return PriceUnit::kPerUnit;
    default:
      return PriceUnit::kPerMillion;
  }
}

std::optional<ExactPrice> parse_price(std::string_view text, PriceUnit unit) {
  const std::optional<Decimal> decimal = parse_decimal(text);
  if (!decimal) return {};
  const int scale = decimal->scale + decimals_of(unit);
  const auto size = static_cast<int>(decimal->digits.size());
  ExactPrice price;
  // The digits left of the pico-dollar's point, then zeros up to it.
  const int whole = std::clamp(size + scale, 0, size);
  for (int i = 0; i < whole; ++i) {
    price.value = price.value * 10 + (decimal->digits[static_cast<std::size_t>(i)] - '0');
    if (price.value > policy::kPriceMax) return {};
  }
  for (int i = 0; i < scale && price.value != 0; ++i) {
    price.value *= 10;
    if (price.value > policy::kPriceMax) return {};
  }
  const std::string_view below =
      std::string_view(decimal->digits).substr(static_cast<std::size_t>(whole));
  price.is_exact = below.find_first_not_of('0') == std::string_view::npos;
  // More places below the pico-dollar than there are digits: what is there is less than half of it.
  if (size + scale >= 0 && !below.empty() && below.front() >= '5') ++price.value;
  if (price.value > policy::kPriceMax) return {};
  if (decimal->is_negative) price.value = -price.value;
  return price;
}

std::string price_text(policy::Picodollars price, PriceUnit unit) {
  std::string text = fmt::format("{:0{}}", price, decimals_of(unit) + 1);
  text.insert(text.size() - static_cast<std::size_t>(decimals_of(unit)), 1, '.');
  text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.pop_back();
  return text;
}

}  // namespace leat::control
