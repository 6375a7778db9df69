// SPDX-License-Identifier: Apache-2.0
// Looking for the first byte outside a class, 32 bytes at a time (Avx2Scan) or one at a time
// (ScalarScan, the reference that tests and fuzzers hold the other against). Of the layer's own.
//
// A scan is made over all bytes that may be read, so that the last block of a short line can be
// loaded from where 32 bytes exist. Never reads outside of them.
#pragma once

#include <immintrin.h>

#include <array>
#include <cstdint>
#include <string_view>

#include "proto/http1_bytes.h"

namespace leat::proto {

struct ScalarScan {
  explicit ScalarScan(std::string_view) {}

  // The first control byte but HTAB; `end` when there is none.
  const char* find_control(const char* at, const char* end) const {
    return find_outside<byte_class::kValue>(at, end);
  }
  const char* find_not_token(const char* at, const char* end) const {
    return find_outside<byte_class::kToken>(at, end);
  }
  const char* find_not_visible(const char* at, const char* end) const {
    return find_outside<byte_class::kVisible>(at, end);
  }

 private:
  template <std::uint8_t bit>
  static const char* find_outside(const char* at, const char* end) {
    while (at != end && (byte_class::kTable[static_cast<unsigned char>(*at)] & bit)) ++at;
    return at;
  }
};

struct Avx2Scan {
  explicit Avx2Scan(std::string_view readable)
      : begin_(readable.data()), end_(readable.data() + readable.size()) {}

  const char* find_control(const char* at, const char* end) const {
    return find(at, end, &control_mask, &ScalarScan::find_control);
  }
  const char* find_not_token(const char* at, const char* end) const {
    return find(at, end, &outside_mask<byte_class::kToken>, &ScalarScan::find_not_token);
  }
  const char* find_not_visible(const char* at, const char* end) const {
    return find(at, end, &outside_mask<byte_class::kVisible>, &ScalarScan::find_not_visible);
  }

 private:
  static constexpr std::ptrdiff_t kBlock = 32;
  using Scalar = const char* (ScalarScan::*)(const char*, const char*) const;

  // `mask_of` is a template argument in effect: both pointers are constants and fold away.
  template <class MaskOf>
  [[gnu::always_inline]] const char* find(const char* at, const char* end, MaskOf mask_of,
                                          Scalar scalar) const {
    while (end - at >= kBlock) {
      const std::uint32_t mask = mask_of(load(at));
      if (mask != 0) return at + __builtin_ctz(mask);
      at += kBlock;
    }
    if (at == end) return end;
    std::uint32_t mask = 0;
    if (end_ - at >= kBlock) {
      mask = mask_of(load(at));
    } else if (end_ - begin_ >= kBlock) {
      mask = mask_of(load(end_ - kBlock)) >> (kBlock - (end_ - at));
    } else {
      return (ScalarScan({}).*scalar)(at, end);
    }
    // What was found behind `end` is not ours to report.
    mask = _bzhi_u32(mask, static_cast<std::uint32_t>(end - at));
    return mask == 0 ? end : at + __builtin_ctz(mask);
  }

  static __m256i load(const char* at) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
  }

  // Below 0x20 but HTAB, or DEL.
  static std::uint32_t control_mask(__m256i bytes) {
    const __m256i low = _mm256_cmpeq_epi8(_mm256_min_epu8(bytes, _mm256_set1_epi8(0x1f)), bytes);
    const __m256i tab = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('\t'));
    const __m256i del = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(0x7f));
    const __m256i hit = _mm256_or_si256(_mm256_andnot_si256(tab, low), del);
    return static_cast<std::uint32_t>(_mm256_movemask_epi8(hit));
  }

  // A byte's class from two 16-entry tables: the low nibble's entry has a bit for each high nibble
  // (0..7) with which the byte is in the class. Bytes from 0x80 on are in none of these classes.
  template <std::uint8_t bit>
  static std::uint32_t outside_mask(__m256i bytes) {
    static constexpr auto kLow = low_nibble_table<bit>();
    static constexpr std::array<std::uint8_t, 32> kHigh = {
        1, 2, 4, 8, 16, 32, 64, 128, 0, 0, 0, 0, 0, 0, 0, 0,
        1, 2, 4, 8, 16, 32, 64, 128, 0, 0, 0, 0, 0, 0, 0, 0};
    const __m256i nibble = _mm256_set1_epi8(0x0f);
    const __m256i low = _mm256_shuffle_epi8(load_table(kLow), _mm256_and_si256(bytes, nibble));
    const __m256i high = _mm256_shuffle_epi8(load_table(kHigh),
                                             _mm256_and_si256(_mm256_srli_epi16(bytes, 4), nibble));
    const __m256i outside = _mm256_cmpeq_epi8(_mm256_and_si256(low, high), _mm256_setzero_si256());
    return static_cast<std::uint32_t>(_mm256_movemask_epi8(outside));
  }

  template <std::uint8_t bit>
  static constexpr std::array<std::uint8_t, 32> low_nibble_table() {
    std::array<std::uint8_t, 32> table{};
    for (unsigned c = 0; c < 0x80; ++c) {
      if (!(byte_class::kTable[c] & bit)) continue;
      const auto row = static_cast<std::uint8_t>(1u << (c >> 4));
      table[c & 15] |= row;
      table[16 + (c & 15)] |= row;
    }
    return table;
  }
  static __m256i load_table(const std::array<std::uint8_t, 32>& table) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(table.data()));
  }

  const char* begin_;
  const char* end_;
};

}  // namespace leat::proto
