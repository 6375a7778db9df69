// SPDX-License-Identifier: Apache-2.0
#include "shard/turn_arena.h"

#include <algorithm>

namespace leat::shard {

char* TurnArena::allocate(std::size_t size) {
  if (chunks_.empty() || used_ + size > chunks_[current_].size) next_chunk(size);
  char* place = chunks_[current_].bytes.get() + used_;
  used_ += size;
  return place;
}

void* TurnArena::allocate_aligned(std::size_t size) {
  constexpr std::size_t kAlign = alignof(void*);
  if (!chunks_.empty())
    used_ = std::min((used_ + kAlign - 1) & ~(kAlign - 1), chunks_[current_].size);
  return allocate(size);
}

bool TurnArena::extend(const char* end, std::size_t size) {
  if (chunks_.empty()) return false;
  Chunk& chunk = chunks_[current_];
  if (end != chunk.bytes.get() + used_ || used_ + size > chunk.size) return false;
  used_ += size;
  return true;
}

void TurnArena::next_chunk(std::size_t size) {
  used_ = 0;
  if (!chunks_.empty()) ++current_;
  while (current_ < chunks_.size() && chunks_[current_].size < size) ++current_;
  if (current_ < chunks_.size()) return;
  const std::size_t bytes = std::max(size, kChunkBytes);
  chunks_.push_back({std::make_unique_for_overwrite<char[]>(bytes), bytes});
  current_ = chunks_.size() - 1;
}

void TurnArena::reset() {
  if (chunks_.size() > kChunksKept) chunks_.resize(kChunksKept);
  current_ = 0;
  used_ = 0;
}

}  // namespace leat::shard
