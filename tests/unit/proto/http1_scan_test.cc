// SPDX-License-Identifier: Apache-2.0
// Goal: the vector scan finds exactly what the scalar one finds, and reads no byte outside of what
// it was given.
// Method: every byte value at every place of buffers of every size up to three blocks, in memory of
// exact size (the sanitizers watch its edges); the classes themselves against the RFC's wording.
#include "proto/http1_scan.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string_view>

namespace leat::proto {
namespace {

struct Found {
  std::ptrdiff_t control, not_token, not_visible;
  bool operator==(const Found&) const = default;
};

template <class Scan>
Found find_all(std::string_view readable, std::size_t from, std::size_t to) {
  const Scan scan(readable);
  const char* const at = readable.data() + from;
  const char* const end = readable.data() + to;
  return {scan.find_control(at, end) - at, scan.find_not_token(at, end) - at,
          scan.find_not_visible(at, end) - at};
}

TEST(Http1Scan, FindsWhatTheScalarScanFinds) {
  for (std::size_t size = 1; size <= 96; ++size) {
    const auto memory = std::make_unique<char[]>(size);
    const std::string_view readable(memory.get(), size);
    for (std::size_t place = 0; place < size; ++place) {
      std::memset(memory.get(), 'a', size);
      for (int byte = 0; byte < 256; ++byte) {
        memory[place] = static_cast<char>(byte);
        ASSERT_EQ(find_all<Avx2Scan>(readable, 0, size), find_all<ScalarScan>(readable, 0, size))
            << "byte " << byte << " at " << place << " of " << size;
      }
    }
  }
}

TEST(Http1Scan, LooksOnlyBetweenItsBounds) {
  constexpr std::size_t kSize = 80;
  const auto memory = std::make_unique<char[]>(kSize);
  const std::string_view readable(memory.get(), kSize);
  for (std::size_t from = 0; from <= kSize; ++from) {
    for (std::size_t to = from; to <= kSize; ++to) {
      std::memset(memory.get(), '\n', kSize);
      std::memset(memory.get() + from, 'a', to - from);
      const auto length = static_cast<std::ptrdiff_t>(to - from);
      ASSERT_EQ(find_all<Avx2Scan>(readable, from, to), (Found{length, length, length}));
      if (from == to) continue;
      memory[to - 1] = '\r';
      ASSERT_EQ(find_all<Avx2Scan>(readable, from, to),
                (Found{length - 1, length - 1, length - 1}));
    }
  }
}

TEST(Http1Scan, ClassesAreThoseOfTheRfc) {
  const std::string_view tchar_marks = "!#$%&'*+-.^_`|~";
  for (int i = 0; i < 256; ++i) {
    const auto byte = static_cast<unsigned char>(i);
    const bool alnum = (i >= '0' && i <= '9') || (i >= 'A' && i <= 'Z') || (i >= 'a' && i <= 'z');
    const bool mark =
        i != 0 && i < 0x80 && tchar_marks.find(static_cast<char>(byte)) != std::string_view::npos;
    EXPECT_EQ(is_token_byte(byte), alnum || mark) << i;
    EXPECT_EQ(is_visible_byte(byte), i > 0x20 && i < 0x7f) << i;
    EXPECT_EQ(is_value_byte(byte), i == '\t' || (i >= 0x20 && i != 0x7f)) << i;
    const std::string_view hex = "0123456789abcdef";
    const std::size_t lower = hex.find(static_cast<char>(i >= 'A' && i <= 'F' ? i | 0x20 : i));
    EXPECT_EQ(hex_value(byte), i < 0x80 && lower != std::string_view::npos ? int(lower) : -1) << i;
  }
}

}  // namespace
}  // namespace leat::proto
