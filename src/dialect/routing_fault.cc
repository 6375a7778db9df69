// SPDX-License-Identifier: Apache-2.0
#include "dialect/routing_fault.h"

#include <algorithm>
#include <charconv>

namespace leat::dialect {

namespace {

constexpr std::size_t kUnknownKeyMax = 32;

bool is_harmless(std::string_view key) {
  return !key.empty() && key.size() <= kUnknownKeyMax && std::ranges::all_of(key, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

}  // namespace

void RoutingFault::append(std::string_view text) {
  const std::size_t size = std::min(text.size(), param_.size() - param_size_);
  std::copy_n(text.data(), size, param_.data() + param_size_);
  param_size_ = static_cast<std::uint8_t>(param_size_ + size);
}

bool RoutingFault::set_element(const char* message, std::string_view field, std::size_t index) {
  set(message, field);
  std::array<char, 24> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), index).ptr;
  append("[");
  append({digits.data(), static_cast<std::size_t>(end - digits.data())});
  append("]");
  return false;
}

bool RoutingFault::set_unknown(std::string_view field, std::string_view key) {
  set("unknown field", field);
  if (is_harmless(key)) {
    append(".");
    append(key);
  }
  return false;
}

}  // namespace leat::dialect
