// SPDX-License-Identifier: Apache-2.0
#include "net/segments.h"

#include <new>

namespace leat::net {

void SegmentList::append(shard::TurnArena& arena, char* data, std::size_t size, Block* block) {
  if (size == 0) return;
  if (empty()) {
    first_ = {data, size, block, nullptr};
    bytes_ = size;
    count_ = 1;
    return;
  }
  bytes_ += size;
  Segment& last = last_ != nullptr ? *last_ : first_;
  if (block == nullptr && last.block == nullptr && last.data + last.size == data) {
    last.size += size;
    return;
  }
  last.next = new (arena.allocate_aligned(sizeof(Segment))) Segment{data, size, block, nullptr};
  last_ = last.next;
  ++count_;
}

}  // namespace leat::net
