// SPDX-License-Identifier: Apache-2.0
#include "proto/json_writer.h"

#include <immintrin.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>

namespace leat::proto {
namespace {

// Bytes of the well-formed UTF-8 sequence at `at` (RFC 3629), 0 if there is none.
std::size_t sequence_size(const char* at, const char* end) {
  const auto byte = [at](int i) { return static_cast<unsigned char>(at[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0xc2 || lead > 0xf4) return 0;
  const std::size_t size = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  if (static_cast<std::size_t>(end - at) < size) return 0;
  const unsigned char low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  const unsigned char high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
  if (byte(1) < low || byte(1) > high) return 0;
  for (std::size_t i = 2; i < size; ++i) {
    if ((byte(static_cast<int>(i)) & 0xc0) != 0x80) return 0;
  }
  return size;
}

// The first byte from `at` on that cannot stand in a JSON string as it is, taking all beyond ASCII
// for such; or `end`.
const char* plain_end(const char* at, const char* end) {
  while (end - at >= 32) {
    const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
    // As signed bytes, controls and those beyond ASCII both lie below 0x20.
    const __m256i stop =
        _mm256_or_si256(_mm256_cmpgt_epi8(_mm256_set1_epi8(0x20), bytes),
                        _mm256_or_si256(_mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('"')),
                                        _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('\\'))));
    const auto mask = static_cast<unsigned>(_mm256_movemask_epi8(stop));
    if (mask != 0) return at + std::countr_zero(mask);
    at += 32;
  }
  while (at != end && static_cast<signed char>(*at) >= 0x20 && *at != '"' && *at != '\\') ++at;
  return at;
}

}  // namespace

void JsonWriter::escaped(std::string_view text) {
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at != end) {
    const char* stop = plain_end(at, end);
    raw({at, static_cast<std::size_t>(stop - at)});
    at = stop;
    if (at == end) return;
    if (static_cast<signed char>(*at) < 0) {
      const std::size_t size = sequence_size(at, end);
      raw(size != 0 ? std::string_view(at, size) : std::string_view("\xef\xbf\xbd"));
      at += size != 0 ? size : 1;
      continue;
    }
    switch (*at) {
      case '"':
        raw("\\\"");
        break;
      case '\\':
        raw("\\\\");
        break;
      case '\n':
        raw("\\n");
        break;
      case '\r':
        raw("\\r");
        break;
      case '\t':
        raw("\\t");
        break;
      default: {
        constexpr std::string_view kHex = "0123456789abcdef";
        const auto c = static_cast<unsigned char>(*at);
        const std::array<char, 6> escape = {'\\', 'u', '0', '0', kHex[c >> 4], kHex[c & 15]};
        raw({escape.data(), escape.size()});
      }
    }
    ++at;
  }
}

void JsonWriter::join_lines(std::size_t from) {
  std::replace_if(
      begin_ + from, at_, [](char c) { return c == '\n' || c == '\r'; }, ' ');
}

void JsonWriter::integer(std::int64_t value) {
  std::array<char, 20> digits;
  const auto result = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  raw({digits.data(), static_cast<std::size_t>(result.ptr - digits.data())});
}

void JsonWriter::dollars(std::int64_t nano_dollars) {
  constexpr std::int64_t kNano = 1'000'000'000;
  if (nano_dollars < 0) raw("-");
  // The quotient first: the smallest integer has no positive twin.
  const std::int64_t whole = nano_dollars / kNano;
  std::int64_t rest = nano_dollars % kNano;
  if (rest < 0) rest = -rest;
  integer(whole < 0 ? -whole : whole);
  if (rest == 0) return;
  std::array<char, 10> digits = {'.'};
  std::size_t size = 1;
  for (std::int64_t unit = kNano / 10; rest != 0; unit /= 10) {
    digits[size++] = static_cast<char>('0' + rest / unit);
    rest %= unit;
  }
  raw({digits.data(), size});
}

}  // namespace leat::proto
