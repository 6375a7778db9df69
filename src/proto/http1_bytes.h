// SPDX-License-Identifier: Apache-2.0
// Classes of bytes in HTTP/1.1 (RFC 9110 5.5, 5.6.2; RFC 9112 2.2), one table, for the parsers, the
// chunked decoder and the writers. Of the layer's own; others ask is_token() and its kin.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace leat::proto {

namespace byte_class {
inline constexpr std::uint8_t kToken = 1;    // tchar
inline constexpr std::uint8_t kValue = 2;    // HTAB, SP, VCHAR, obs-text
inline constexpr std::uint8_t kVisible = 4;  // VCHAR
inline constexpr std::uint8_t kHost = 8;     // of a host's name, as far as we accept one

constexpr std::array<std::uint8_t, 256> make_table() {
  std::array<std::uint8_t, 256> table{};
  const auto mark = [&table](std::string_view bytes, std::uint8_t bit) {
    for (const char c : bytes) table[static_cast<unsigned char>(c)] |= bit;
  };
  const std::string_view letters_and_digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  for (unsigned c = 0x21; c < 0x7f; ++c) table[c] |= kVisible | kValue;
  for (unsigned c = 0x80; c < 0x100; ++c) table[c] |= kValue;
  mark(" \t", kValue);
  mark(letters_and_digits, kToken | kHost);
  mark("!#$%&'*+-.^_`|~", kToken);
  mark("-._~", kHost);
  return table;
}
inline constexpr std::array<std::uint8_t, 256> kTable = make_table();
}  // namespace byte_class

inline bool is_token_byte(unsigned char c) {
  return byte_class::kTable[c] & byte_class::kToken;
}
inline bool is_value_byte(unsigned char c) {
  return byte_class::kTable[c] & byte_class::kValue;
}
inline bool is_visible_byte(unsigned char c) {
  return byte_class::kTable[c] & byte_class::kVisible;
}
inline bool is_host_byte(unsigned char c) {
  return byte_class::kTable[c] & byte_class::kHost;
}
inline bool is_digit(unsigned char c) {
  return c >= '0' && c <= '9';
}
inline char to_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}

// -1 for what is no hex digit.
inline int hex_value(unsigned char c) {
  if (is_digit(c)) return c - '0';
  const unsigned char lower = c | 0x20;
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

}  // namespace leat::proto
