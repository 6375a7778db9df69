// SPDX-License-Identifier: Apache-2.0
// Digests and comparison for keys, without the library's headers.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace leat::tls {

std::array<std::uint8_t, 32> sha256(std::string_view bytes);

// In a time that does not depend on where they differ. By words, in place: the library's loop over
// bytes takes ten times as long, and every request looks its key up.
inline bool equal_constant_time(const std::array<std::uint8_t, 32>& a,
                                const std::array<std::uint8_t, 32>& b) {
  std::uint64_t x[4];
  std::uint64_t y[4];
  std::memcpy(x, a.data(), sizeof x);
  std::memcpy(y, b.data(), sizeof y);
  std::uint64_t difference = (x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3]);
  // The compiler must not see that one word would often do.
  asm("" : "+r"(difference));
  return difference == 0;
}

}  // namespace leat::tls
