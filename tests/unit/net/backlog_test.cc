// SPDX-License-Identifier: Apache-2.0
// Goal: what a socket had no room for keeps its order and every byte, and a little of it costs
// little memory. Method: appended in pieces of many sizes, taken from the front meanwhile.
#include "net/backlog.h"

#include <gtest/gtest.h>

#include <string>

#include "base/rng.h"

namespace leat::net {
namespace {

std::string take_front(Backlog& backlog) {
  const Backlog::Piece& piece = backlog.front();
  // As much as a peer makes room for.
  const std::size_t size = std::min<std::size_t>(piece.size, 1'000);
  std::string bytes(piece.block->data() + piece.offset, size);
  backlog.take(size);
  return bytes;
}

TEST(Backlog, KeepsEveryByteInOrder) {
  Rng rng(7);
  Backlog backlog;
  std::string written, taken;
  for (int i = 0; i < 2'000; ++i) {
    const std::string bytes(rng.below(rng.chance(0.05) ? 40'000 : 300),
                            static_cast<char>('a' + i % 26));
    written += bytes;
    backlog.append(bytes);
    if (rng.chance(0.3) && !backlog.empty()) taken += take_front(backlog);
    ASSERT_EQ(backlog.bytes(), written.size() - taken.size());
  }
  while (!backlog.empty()) taken += take_front(backlog);
  EXPECT_EQ(taken, written);
  EXPECT_EQ(backlog.bytes(), 0u);
}

TEST(Backlog, TheFrontIsNotTouchedWhileItIsSent) {
  Backlog backlog;
  backlog.append("first");
  const char* const data = backlog.front().block->data();
  backlog.append("second");
  EXPECT_EQ(backlog.front().block->data(), data);
  EXPECT_EQ(backlog.front().size, 5u);
}

TEST(Backlog, TakesAsMuchMemoryAsItsSizeAsksFor) {
  Backlog backlog;
  backlog.append("first");
  EXPECT_EQ(backlog.front().block->capacity(), 5u);
  backlog.append("x");
  backlog.take(backlog.front().size);
  EXPECT_EQ(backlog.front().block->capacity(), 4'096u - sizeof(Block));
  for (int i = 0; i < 1'000; ++i) backlog.append(std::string(100, 'x'));
  std::size_t largest = 0;
  for (; !backlog.empty(); backlog.take(backlog.front().size)) {
    largest = std::max(largest, backlog.front().block->capacity());
  }
  EXPECT_EQ(largest, 16'384u);
}

}  // namespace
}  // namespace leat::net
