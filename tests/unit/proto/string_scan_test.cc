// SPDX-License-Identifier: Apache-2.0
// Goal: the fast way through a string stops where a slow one does, wherever blocks end.
// Method: a reading byte by byte as the reference; runs of backslashes of every length at every
// offset, and random texts of the bytes that matter.
#include "proto/string_scan.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "base/rng.h"

namespace leat::proto {
namespace {

struct Stop {
  std::size_t at;
  bool escaped;
  bool operator==(const Stop&) const = default;
};

Stop reference(std::string_view text) {
  Stop stop{0, false};
  while (stop.at < text.size()) {
    const char c = text[stop.at];
    if (c == '"' || static_cast<unsigned char>(c) < 0x20) break;
    if (c != '\\') {
      ++stop.at;
      continue;
    }
    const bool is_short =
        stop.at + 1 < text.size() &&
        std::string_view("\"\\/bfnrt").find(text[stop.at + 1]) != std::string_view::npos;
    if (!is_short) break;
    stop.escaped = true;
    stop.at += 2;
  }
  return stop;
}

// In memory of just this size, so that a sanitizer sees what is read beyond it.
Stop scan(std::string_view text) {
  const std::unique_ptr<char[]> bytes(new char[text.size()]);
  text.copy(bytes.get(), text.size());
  Stop stop{0, false};
  stop.at = static_cast<std::size_t>(
      string_stop(bytes.get(), bytes.get() + text.size(), stop.escaped) - bytes.get());
  return stop;
}

TEST(StringScan, CountsBackslashesAcrossBlocks) {
  for (std::size_t offset = 0; offset < 200; ++offset) {
    for (const std::size_t run : {1, 2, 3, 4, 31, 32, 33, 63, 64, 65, 129}) {
      for (const char* tail : {"\"", "n", "u0041", "x", "\n", ""}) {
        std::string text = std::string(offset, 'a') + std::string(run, '\\') + tail;
        EXPECT_EQ(scan(text), reference(text)) << offset << ' ' << run << ' ' << tail;
        text += std::string(150, 'b') + "\"";
        EXPECT_EQ(scan(text), reference(text)) << offset << ' ' << run << ' ' << tail;
      }
    }
  }
}

TEST(StringScan, AgreesWithTheReference) {
  Rng rng(5);
  constexpr std::string_view kBytes = "\\\\\\\"/bfnrtuxyz \x01\x1f\x7f\xc3\xa9";
  for (int round = 0; round < 50'000; ++round) {
    std::string text(rng.below(300), 'p');
    const double odd_rate = rng.chance(0.5) ? 0.01 : 0.2;
    for (char& c : text) {
      if (rng.chance(odd_rate)) c = kBytes[rng.below(kBytes.size())];
    }
    EXPECT_EQ(scan(text), reference(text)) << round;
  }
}

}  // namespace
}  // namespace leat::proto
