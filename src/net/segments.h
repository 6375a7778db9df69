// SPDX-License-Identifier: Apache-2.0
// SegmentList: what a stream has to send in this turn, as a chain of byte ranges. The first link is
// inline, further ones live in the turn's arena, so that what a stream writes in one go stays one
// range. Ranges point into the same arena, or into a Block that its owner keeps. Copies share the
// chain.
#pragma once

#include <cstddef>

#include "base/block.h"
#include "shard/turn_arena.h"

namespace leat::net {

struct Segment {
  char* data = nullptr;
  std::size_t size = 0;
  Block* block = nullptr;  // null: arena bytes; else `data` points into this block
  Segment* next = nullptr;
};

class SegmentList {
 public:
  bool empty() const { return bytes_ == 0; }
  const Segment* first() const { return empty() ? nullptr : &first_; }
  std::size_t count() const { return count_; }
  std::size_t bytes() const { return bytes_; }

  // Appends a range; adjacent arena ranges become one.
  void append(shard::TurnArena& arena, char* data, std::size_t size, Block* block);
  void clear() { *this = SegmentList(); }

 private:
  Segment first_;
  Segment* last_ = nullptr;  // null: first_ (so that a copy is right by itself)
  std::size_t count_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace leat::net
