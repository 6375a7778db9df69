// SPDX-License-Identifier: Apache-2.0
// Goal: what is allocated in a turn never overlaps and stays put until reset(). Method: fill
// patterns, check them all at the end.
#include "shard/turn_arena.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "base/rng.h"

namespace leat::shard {
namespace {

TEST(TurnArena, AllocationsKeepTheirBytes) {
  Rng rng(3);
  TurnArena arena;
  for (int turn = 0; turn < 20; ++turn) {
    struct Piece {
      char* data;
      std::size_t size;
      char fill;
    };
    std::vector<Piece> pieces;
    for (int i = 0; i < 3000; ++i) {
      const std::size_t size = rng.chance(0.01) ? rng.below(700'000) + 1 : rng.below(600) + 1;
      char* data =
          rng.chance(0.2) ? static_cast<char*>(arena.allocate_aligned(size)) : arena.allocate(size);
      const char fill = static_cast<char>(rng.below(256));
      std::memset(data, fill, size);
      std::size_t kept = size;
      if (rng.chance(0.3)) {
        kept = rng.below(size) + 1;
        arena.trim(size - kept);
      }
      pieces.push_back({data, kept, fill});
    }
    for (const Piece& piece : pieces) {
      for (std::size_t i = 0; i < piece.size; ++i) ASSERT_EQ(piece.data[i], piece.fill);
    }
    arena.reset();
  }
}

TEST(TurnArena, AlignedMeansAlignedForPointers) {
  TurnArena arena;
  arena.allocate(3);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(arena.allocate_aligned(24)) % alignof(void*), 0u);
}

TEST(TurnArena, NeighboursTouchSoThatOneSendCarriesThem) {
  TurnArena arena;
  char* first = arena.allocate(100);
  arena.trim(40);
  EXPECT_EQ(arena.allocate(10), first + 60);
}

}  // namespace
}  // namespace leat::shard
