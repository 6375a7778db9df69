// SPDX-License-Identifier: Apache-2.0
// Goal: what was put into a shard's ring comes out whole and in order, what does not fit is refused
// and harms nothing, and a reader on another thread may come at any time.
// Method: entries of many sizes around the ring's end; a writer and a reader at once.
#include "gateway/event_ring.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "base/rng.h"

namespace leat::gateway {
namespace {

bool put(EventRing& ring, std::string_view text, std::size_t most) {
  const std::span<char> room = ring.reserve(most);
  if (room.empty()) return false;
  text.copy(room.data(), text.size());
  ring.commit(text.size());
  return true;
}

std::vector<std::string> take(EventRing& ring) {
  std::vector<std::string> out;
  ring.drain([&](std::span<const char> bytes) { out.emplace_back(bytes.data(), bytes.size()); });
  return out;
}

TEST(EventRing, EntriesComeOutInOrderWhateverTheirSize) {
  EventRing ring(1024);
  Rng rng(7);
  for (int round = 0; round < 2000; ++round) {
    std::vector<std::string> sent;
    for (std::uint64_t n = rng.below(4); n > 0; --n) {
      const std::string text(rng.below(120) + 1, static_cast<char>('a' + round % 26));
      ASSERT_TRUE(put(ring, text, 120));
      sent.push_back(text);
    }
    ASSERT_EQ(take(ring), sent);
  }
}

TEST(EventRing, AFullRingRefusesAndKeepsWhatItHas) {
  EventRing ring(256);
  std::vector<std::string> kept;
  for (int i = 0; i < 100; ++i) {
    const std::string text = "entry " + std::to_string(i);
    if (put(ring, text, 32)) kept.push_back(text);
  }
  EXPECT_GE(kept.size(), 5u);
  EXPECT_LT(kept.size(), 20u);
  EXPECT_EQ(take(ring), kept);
  EXPECT_TRUE(put(ring, "again", 32));
  EXPECT_EQ(take(ring), std::vector<std::string>{"again"});
}

TEST(EventRing, AReservationThatIsLeftTakesNoPlace) {
  EventRing ring(256);
  for (int i = 0; i < 50; ++i) EXPECT_FALSE(ring.reserve(200).empty());
  EXPECT_TRUE(take(ring).empty());
}

TEST(EventRing, AReaderOnAnotherThreadSeesEveryEntryOnce) {
  EventRing ring(512);
  constexpr int kEntries = 200'000;
  std::thread writer([&] {
    for (int i = 0; i < kEntries;) i += put(ring, std::to_string(i), 64) ? 1 : 0;
  });
  int next = 0;
  bool in_order = true;
  while (next < kEntries) {
    ring.drain([&](std::span<const char> bytes) {
      in_order = in_order && std::string(bytes.data(), bytes.size()) == std::to_string(next);
      ++next;
    });
  }
  writer.join();
  EXPECT_TRUE(in_order);
}

}  // namespace
}  // namespace leat::gateway
