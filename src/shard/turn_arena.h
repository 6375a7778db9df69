// SPDX-License-Identifier: Apache-2.0
// TurnArena: memory for what one turn of the loop sends. Bytes written while completions are
// dispatched stay valid until the turn that submits them has returned; then all of it is taken back
// at once. Nothing in it is ever freed or destroyed singly.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace leat::shard {

class TurnArena {
 public:
  // Contiguous, uninitialised, 8-byte aligned when `size` is a multiple of 8 throughout; never
  // null.
  char* allocate(std::size_t size);
  // The same at pointer alignment, for arrays.
  void* allocate_aligned(std::size_t size);
  // Grows the allocation that ends at `end` by `size` bytes in place; false if something else was
  // allocated since or the chunk is full.
  bool extend(const char* end, std::size_t size);
  // Gives back the last `size` bytes of the newest allocation.
  void trim(std::size_t size) { used_ -= size; }
  void reset();

 private:
  static constexpr std::size_t kChunkBytes = 256 * 1024;
  static constexpr std::size_t kChunksKept = 8;  // 2 MiB stay warm, a burst beyond it is given back
  struct Chunk {
    std::unique_ptr<char[]> bytes;
    std::size_t size = 0;
  };
  void next_chunk(std::size_t size);

  std::vector<Chunk> chunks_;
  std::size_t current_ = 0;  // index into chunks_
  std::size_t used_ = 0;     // of the current chunk
};

}  // namespace leat::shard
