// SPDX-License-Identifier: Apache-2.0
#include "wire/words.h"

#include <cstring>

#include "base/rng.h"

namespace leat::tools {
namespace {

// The finaliser of splitmix64 (Steele, Lea, Flood 2014).
std::uint64_t mix(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

std::uint64_t load_word(const char* from, std::size_t size) {
  std::uint64_t word = 0;
  std::memcpy(&word, from, size);
  return word;
}

}  // namespace

std::uint64_t seed_of(std::string_view messages) {
  // Four independent lanes: one would be bound by the multiplier's latency on 200 KB prompts.
  constexpr std::uint64_t kOdd = 0x9e3779b97f4a7c15;
  std::uint64_t lane[4] = {1, 2, 3, 4};
  const char* at = messages.data();
  std::size_t left = messages.size();
  for (; left >= 32; left -= 32, at += 32) {
    for (std::size_t i = 0; i < 4; ++i) {
      lane[i] = (lane[i] ^ load_word(at + 8 * i, 8)) * kOdd;
      lane[i] ^= lane[i] >> 32;
    }
  }
  std::uint64_t seed = messages.size();
  for (const std::uint64_t value : lane) seed = mix(seed ^ value);
  for (; left > 0;) {
    const std::size_t size = left < 8 ? left : 8;
    seed = mix(seed ^ load_word(at, size) ^ (size << 56));
    at += size;
    left -= size;
  }
  return seed;
}

void write_word(std::uint64_t seed, std::uint64_t index, char* out) {
  static constexpr char kConsonants[] = "bcdfghjklmnprstvwxyz";
  static constexpr char kVowels[] = "aeiou";
  std::uint64_t bits = mix(seed + index * 0x9e3779b97f4a7c15);
  out[0] = ' ';
  for (int i = 0; i < 3; ++i) {
    out[1 + 2 * i] = kConsonants[bits % 20];
    bits /= 20;
    out[2 + 2 * i] = kVowels[bits % 5];
    bits /= 5;
  }
}

std::string text_of(std::uint64_t seed, std::uint64_t count) {
  std::string text(static_cast<std::size_t>(count) * kWordSize, ' ');
  for (std::uint64_t i = 0; i < count; ++i) write_word(seed, i, text.data() + i * kWordSize);
  return text;
}

std::string filler(std::size_t size) {
  Rng rng(size);
  std::string text;
  char word[kWordSize];
  while (text.size() + kWordSize <= size) {
    switch (rng.below(24)) {
      case 0:
        text += "\\n";
        break;
      case 1:
        text += "\\\"";
        break;
      case 2:
        text += "é";
        break;
      default:
        write_word(rng.next(), 0, word);
        text.append(word, kWordSize);
    }
  }
  text.append(size - text.size(), '.');
  return text;
}

}  // namespace leat::tools
