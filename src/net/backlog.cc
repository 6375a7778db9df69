// SPDX-License-Identifier: Apache-2.0
#include "net/backlog.h"

#include <algorithm>
#include <cstring>

namespace leat::net {

void Backlog::append(std::string_view bytes) {
  if (bytes.empty()) return;
  bytes_ += bytes.size();
  // The front piece may be in the kernel's hands: only later ones grow.
  if (pieces_.size() > 1) {
    Piece& last = pieces_.back();
    Block& block = *last.block.get();
    const bool owned = last.offset == 0 && last.size == block.size && last.block.is_sole();
    if (owned) {
      const std::size_t taken = std::min(bytes.size(), block.capacity() - block.size);
      std::memcpy(block.data() + block.size, bytes.data(), taken);
      block.size += taken;
      last.size += taken;
      bytes.remove_prefix(taken);
      if (bytes.empty()) return;
    }
  }
  const std::size_t usual = std::clamp(bytes_, kBlockBytesMin, kBlockBytesMax);
  BlockRef block = Block::allocate(pieces_.empty() ? bytes.size() : std::max(bytes.size(), usual));
  std::memcpy(block->data(), bytes.data(), bytes.size());
  block->size = bytes.size();
  pieces_.push_back({std::move(block), 0, bytes.size()});
}

void Backlog::append_block(Block& block, std::size_t offset, std::size_t size) {
  if (size == 0) return;
  bytes_ += size;
  pieces_.push_back({BlockRef::share(block), offset, size});
}

void Backlog::take(std::size_t size) {
  Piece& piece = pieces_.front();
  bytes_ -= size;
  piece.offset += size;
  piece.size -= size;
  if (piece.size == 0) pieces_.pop_front();
}

}  // namespace leat::net
