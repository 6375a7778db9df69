// SPDX-License-Identifier: Apache-2.0
// Block: a piece of memory that an operation of the kernel may still use after its owner is gone.
// Counted references, not atomic: a Block stays on its shard. Request bodies, and the rests of
// sends that the socket did not take at once, live in Blocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace leat {

class BlockRef;

class Block {
 public:
  // A block of `capacity` bytes, uninitialised, with one reference. Never null (out of memory
  // aborts).
  static BlockRef allocate(std::size_t capacity);

  char* data() { return reinterpret_cast<char*>(this + 1); }
  std::size_t capacity() const { return capacity_; }

  // Bytes filled so far, kept by whoever fills the block.
  std::size_t size = 0;

 private:
  friend class BlockRef;
  explicit Block(std::size_t capacity) : capacity_(capacity) {}
  std::size_t capacity_;
  std::uint64_t references_ = 1;
};

class BlockRef {
 public:
  BlockRef() = default;
  BlockRef(const BlockRef& other) : block_(other.block_) {
    if (block_ != nullptr) ++block_->references_;
  }
  BlockRef(BlockRef&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  BlockRef& operator=(BlockRef other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~BlockRef() { reset(); }

  void reset() {
    if (block_ != nullptr && --block_->references_ == 0) release(block_);
    block_ = nullptr;
  }
  explicit operator bool() const { return block_ != nullptr; }
  Block* operator->() const { return block_; }
  Block* get() const { return block_; }
  bool is_sole() const { return block_->references_ == 1; }
  // One more reference to a block that somebody holds.
  static BlockRef share(Block& block) {
    ++block.references_;
    return BlockRef(&block);
  }
  std::span<char> bytes() const { return {block_->data(), block_->size}; }

 private:
  friend class Block;
  explicit BlockRef(Block* block) : block_(block) {}
  static void release(Block* block);
  Block* block_ = nullptr;
};

}  // namespace leat
