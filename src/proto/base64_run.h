// SPDX-License-Identifier: Apache-2.0
// How far a text goes on as base64: 32 bytes at once, since images have megabytes of it.
#pragma once

#include <immintrin.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace leat::proto {

// Of either alphabet (RFC 4648, 4 and 5), the padding among them.
constexpr bool is_base64(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
         c == '/' || c == '=' || c == '-' || c == '_';
}

// Bytes at the front of `text` that are base64.
inline std::size_t base64_run(std::string_view text) {
  // A byte is one of them if its halves have a bit in common: a bit for each row of the ASCII table
  // (2 and so on to 7, of which 4 and 6 are alike), in the second table set for each column.
  const __m256i rows =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 0, 1, 2, 4, 8, 4, 16, 0, 0, 0, 0, 0, 0, 0, 0));
  const __m256i columns = _mm256_broadcastsi128_si256(
      _mm_setr_epi8(26, 30, 30, 30, 30, 30, 30, 30, 30, 30, 28, 5, 4, 7, 4, 13));
  const __m256i low_half = _mm256_set1_epi8(15);
  constexpr std::size_t kStep = 32;
  std::size_t at = 0;
  for (; at + kStep <= text.size(); at += kStep) {
    const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(text.data() + at));
    const __m256i row =
        _mm256_shuffle_epi8(rows, _mm256_and_si256(_mm256_srli_epi16(bytes, 4), low_half));
    const __m256i column = _mm256_shuffle_epi8(columns, _mm256_and_si256(bytes, low_half));
    const __m256i others = _mm256_cmpeq_epi8(_mm256_and_si256(row, column), _mm256_setzero_si256());
    const auto mask = static_cast<std::uint32_t>(_mm256_movemask_epi8(others));
    if (mask != 0) return at + static_cast<std::size_t>(std::countr_zero(mask));
  }
  while (at < text.size() && is_base64(text[at])) ++at;
  return at;
}

}  // namespace leat::proto
