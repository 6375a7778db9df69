// SPDX-License-Identifier: Apache-2.0
#include "proto/utf8.h"

#include <immintrin.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace leat::proto {

namespace {

// The fast judge looks at every pair of neighbours at once. Each of three tables gives, for half of
// a byte of the pair, the faults that this half allows; a fault that all three allow is there
// (Keiser and Lemire, "Validating UTF-8 In Less Than One Instruction Per Byte", 2021). Whether a
// third and a fourth byte must follow is compared with where they do.
constexpr std::uint8_t kLeadAlone = 1 << 0;          // a lead byte that nothing continues
constexpr std::uint8_t kNothingToContinue = 1 << 1;  // a continuation after ASCII
constexpr std::uint8_t kOverlong3 = 1 << 2;
constexpr std::uint8_t kTooLarge = 1 << 3;  // beyond U+10FFFF: F4 90.., F5..
constexpr std::uint8_t kSurrogate = 1 << 4;
constexpr std::uint8_t kOverlong2 = 1 << 5;
constexpr std::uint8_t kOverlong4OrLarge = 1 << 6;  // F0 80.., and F5 80.. and beyond
constexpr std::uint8_t kContinuedTwice = 1 << 7;    // right only as a third or fourth byte
constexpr std::uint8_t kAnyLow = kLeadAlone | kNothingToContinue | kContinuedTwice;

struct Tables {
  std::uint8_t first_high[16];
  std::uint8_t first_low[16];
  std::uint8_t second_high[16];
};

constexpr Tables make_tables() {
  Tables t{};
  for (int i = 0; i < 16; ++i) {
    t.first_high[i] = i < 8 ? kNothingToContinue : i < 12 ? kContinuedTwice : kLeadAlone;
    t.first_low[i] = i < 4 ? kAnyLow : kAnyLow | kTooLarge;
    if (i > 4) t.first_low[i] |= kOverlong4OrLarge;
    t.second_high[i] =
        i < 8 || i > 11 ? kLeadAlone : kNothingToContinue | kContinuedTwice | kOverlong2;
  }
  t.first_high[0xc] |= kOverlong2;
  t.first_high[0xe] |= kOverlong3 | kSurrogate;
  t.first_high[0xf] |= kTooLarge | kOverlong4OrLarge;
  t.first_low[0] |= kOverlong2 | kOverlong3 | kOverlong4OrLarge;
  t.first_low[1] |= kOverlong2;
  t.first_low[0xd] |= kSurrogate;
  t.second_high[0x8] |= kOverlong3 | kOverlong4OrLarge;
  t.second_high[0x9] |= kOverlong3 | kTooLarge;
  t.second_high[0xa] |= kSurrogate | kTooLarge;
  t.second_high[0xb] |= kSurrogate | kTooLarge;
  return t;
}

constexpr Tables kTables = make_tables();

constexpr std::size_t kBlock = 64;
// A sequence's lead byte stands up to this far before what it asks for.
constexpr std::size_t kReach = 3;

__m256i load(const char* at) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
}

// Non-zero where the 32 bytes at `at` have a fault. Reads kReach bytes before them, too.
__m256i faults_in_32(const char* at) {
  const auto table = [](const std::uint8_t(&entries)[16]) {
    return _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(entries)));
  };
  const __m256i low_half = _mm256_set1_epi8(0x0f);
  const __m256i first = load(at - 1);
  const __m256i first_high = _mm256_and_si256(_mm256_srli_epi16(first, 4), low_half);
  const __m256i second_high = _mm256_and_si256(_mm256_srli_epi16(load(at), 4), low_half);
  const __m256i pair = _mm256_and_si256(
      _mm256_and_si256(
          _mm256_shuffle_epi8(table(kTables.first_high), first_high),
          _mm256_shuffle_epi8(table(kTables.first_low), _mm256_and_si256(first, low_half))),
      _mm256_shuffle_epi8(table(kTables.second_high), second_high));
  // Saturating: the top bit is set just behind a lead of three (E0 and up) or of four (F0 and up).
  const __m256i third = _mm256_subs_epu8(load(at - 2), _mm256_set1_epi8(0xe0 - 0x80));
  const __m256i fourth = _mm256_subs_epu8(load(at - 3), _mm256_set1_epi8(0xf0 - 0x80));
  const __m256i due = _mm256_and_si256(_mm256_or_si256(third, fourth),
                                       _mm256_set1_epi8(static_cast<char>(kContinuedTwice)));
  return _mm256_xor_si256(due, pair);
}

// `size` bytes, a multiple of kBlock, with kReach readable ones before them.
bool blocks_ok(const char* at, std::size_t size) {
  __m256i found = _mm256_setzero_si256();
  for (const char* end = at + size; at != end; at += 64) {
    // A block of ASCII needs a look only when a sequence may reach into it.
    const __m256i beyond =
        _mm256_or_si256(load(at - kReach), _mm256_or_si256(load(at), load(at + 32)));
    if (_mm256_movemask_epi8(beyond) == 0) continue;
    found = _mm256_or_si256(found, _mm256_or_si256(faults_in_32(at), faults_in_32(at + 32)));
  }
  return _mm256_testz_si256(found, found) != 0;
}

bool is_valid(std::string_view bytes) {
  // The first block has nothing before it and the last is not whole: both are judged in a copy,
  // between zeros.
  char edge[kReach + kBlock] = {};
  const std::size_t first = std::min(bytes.size(), kBlock);
  std::memcpy(edge + kReach, bytes.data(), first);
  if (!blocks_ok(edge + kReach, kBlock)) return false;
  const std::size_t whole = bytes.size() / kBlock * kBlock;
  if (whole > kBlock && !blocks_ok(bytes.data() + kBlock, whole - kBlock)) return false;
  if (whole == 0) return true;
  std::memset(edge, 0, sizeof edge);
  std::memcpy(edge, bytes.data() + whole - kReach, kReach + bytes.size() - whole);
  return blocks_ok(edge + kReach, kBlock);
}

// Bytes of the sequence that a lead byte promises, 0 for what cannot lead.
std::size_t sequence_size(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  return lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

// REQUIRES: `size` bytes at `at`, which its lead byte promises.
bool sequence_ok(const char* at, std::size_t size) {
  const auto byte = [at](std::size_t i) { return static_cast<unsigned char>(at[i]); };
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return false;
  }
  // The second byte carries the rules on overlong forms, surrogates and the end of Unicode.
  switch (byte(0)) {
    case 0xe0:
      return byte(1) >= 0xa0;
    case 0xed:
      return byte(1) < 0xa0;
    case 0xf0:
      return byte(1) >= 0x90;
    case 0xf4:
      return byte(1) < 0x90;
    default:
      return true;
  }
}

}  // namespace

std::size_t utf8_fault(std::string_view bytes) {
  if (is_valid(bytes)) return bytes.size();
  std::size_t at = 0;
  while (at < bytes.size()) {
    const std::size_t size = sequence_size(static_cast<unsigned char>(bytes[at]));
    if (size == 0 || bytes.size() - at < size || !sequence_ok(bytes.data() + at, size)) break;
    at += size;
  }
  return at;
}

std::size_t utf8_whole_size(std::string_view bytes) {
  for (std::size_t back = 1; back <= 3 && back <= bytes.size(); ++back) {
    const auto byte = static_cast<unsigned char>(bytes[bytes.size() - back]);
    if ((byte & 0xc0) == 0x80) continue;
    return sequence_size(byte) > back ? bytes.size() - back : bytes.size();
  }
  return bytes.size();
}

}  // namespace leat::proto
