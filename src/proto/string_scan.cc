// SPDX-License-Identifier: Apache-2.0
#include "proto/string_scan.h"

#include <immintrin.h>

#include <bit>
#include <cstdint>

namespace leat::proto {

namespace {

bool is_stop(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\';
}

// Bit i: byte i is a quote, a backslash or a control character.
std::uint32_t stops(const char* at) {
  const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
  const __m256i control = _mm256_cmpeq_epi8(_mm256_min_epu8(bytes, _mm256_set1_epi8(0x1f)), bytes);
  const __m256i quote = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('"'));
  const __m256i backslash = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('\\'));
  return static_cast<std::uint32_t>(
      _mm256_movemask_epi8(_mm256_or_si256(control, _mm256_or_si256(quote, backslash))));
}

// The last bytes, too few for a block.
const char* stop_bytewise(const char* at, const char* end, bool& escaped) {
  while (at != end) {
    if (!is_stop(*at)) {
      ++at;
    } else if (*at == '\\' && end - at >= 2 && is_short_escape(at[1])) {
      escaped = true;
      at += 2;
    } else {
      break;
    }
  }
  return at;
}

#pragma GCC diagnostic push
// gcc 12's own header makes "undefined" vectors from themselves (its bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"

#define LEAT_AVX512 [[gnu::target("avx512f,avx512bw,avx512vl")]]

// Bit i: byte i may follow a backslash (is_short_escape). Looked up by the halves of the byte: a
// bit stands for a high half that has such characters.
LEAT_AVX512 inline std::uint64_t short_escapes(__m512i bytes) {
  const __m512i by_low =
      _mm512_broadcast_i32x4(_mm_setr_epi8(0, 0, 1 | 4 | 8, 0, 8, 0, 4, 0, 0, 0, 0, 0, 2, 0, 4, 1));
  const __m512i by_high =
      _mm512_broadcast_i32x4(_mm_setr_epi8(0, 0, 1, 0, 0, 2, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0));
  const __m512i half = _mm512_set1_epi8(0x0f);
  return _mm512_test_epi8_mask(
      _mm512_shuffle_epi8(by_low, _mm512_and_si512(bytes, half)),
      _mm512_shuffle_epi8(by_high, _mm512_and_si512(_mm512_srli_epi16(bytes, 4), half)));
}

// Without a branch on what the text holds, since escapes come where no predictor expects them. A
// run of backslashes of odd length escapes the byte behind it: adding the bit of its first place
// carries to the place behind its last, whose parity tells (Langdale and Lemire, "Parsing Gigabytes
// of JSON per Second", 2019, section 3.1.1). Returns where less than a block is left, or a stop.
LEAT_AVX512 const char* stop_by_64(const char* at, const char* end, bool& escaped) {
  constexpr std::uint64_t kEven = 0x5555'5555'5555'5555;
  std::uint64_t backslashes_passed = 0;
  while (end - at > 64) {
    const __m512i bytes = _mm512_loadu_si512(at);
    const std::uint64_t quotes = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('"'));
    const std::uint64_t controls = _mm512_cmplt_epu8_mask(bytes, _mm512_set1_epi8(0x20));
    std::uint64_t backslashes = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('\\'));
    int size = 64;
    if (std::countl_one(backslashes) % 2 != 0) [[unlikely]] {
      // What the last byte escapes is in the next block, so that byte is left to it.
      size = 63;
      backslashes &= ~(std::uint64_t{1} << 63);
    }
    const std::uint64_t starts = backslashes & ~(backslashes << 1);
    const std::uint64_t ends_of_even = (backslashes + (starts & kEven)) & ~backslashes;
    const std::uint64_t ends_of_odd = (backslashes + (starts & ~kEven)) & ~backslashes;
    const std::uint64_t behind = (ends_of_even & ~kEven) | (ends_of_odd & kEven);
    const std::uint64_t bad = behind & ~short_escapes(bytes);
    const std::uint64_t stop = (quotes & ~behind) | controls | bad;
    if (stop != 0) {
      int place = std::countr_zero(stop);
      if ((behind >> place & 1) != 0) --place;
      backslashes_passed |= backslashes & ((std::uint64_t{1} << place) - 1);
      at += place;
      break;
    }
    backslashes_passed |= backslashes;
    at += size;
  }
  escaped |= backslashes_passed != 0;
  return at;
}

#pragma GCC diagnostic pop
#undef LEAT_AVX512

}  // namespace

bool is_short_escape(char c) {
  switch (c) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
      return true;
    default:
      return false;
  }
}

const char* string_stop(const char* at, const char* end, bool& escaped) {
  // Most strings are keys and words: they end within the first block.
  bool is_long = false;
  while (end - at > 32) {
    const char* next = at + 32;
    for (std::uint32_t mask = stops(at); mask != 0;) {
      const int i = std::countr_zero(mask);
      if (at[i] != '\\' || !is_short_escape(at[i + 1])) return at + i;
      escaped = true;
      if (i == 31) ++next;
      mask &= ~(std::uint32_t{3} << i);
    }
    at = next;
    if (!is_long && end - at > 64 && __builtin_cpu_supports("avx512bw")) {
      is_long = true;
      at = stop_by_64(at, end, escaped);
    }
  }
  return stop_bytewise(at, end, escaped);
}

}  // namespace leat::proto
