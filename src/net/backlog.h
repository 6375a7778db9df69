// SPDX-License-Identifier: Apache-2.0
// Backlog: bytes that a socket had no room for, in order, in Blocks. Exists only while a stream is
// blocked, so that a stream whose peer reads costs nothing for it.
#pragma once

#include <cstddef>
#include <deque>
#include <string_view>

#include "base/block.h"

namespace leat::net {

class Backlog {
 public:
  struct Piece {
    BlockRef block;
    std::size_t offset;
    std::size_t size;
  };

  bool empty() const { return pieces_.empty(); }
  std::size_t bytes() const { return bytes_; }

  // Copies the bytes to the end (into the newest block where it has room and is not being sent).
  void append(std::string_view bytes);
  // Keeps a reference to the block's bytes instead.
  void append_block(Block& block, std::size_t offset, std::size_t size);
  // The piece to send first. REQUIRES: not empty. It stays until all of it is taken.
  Piece& front() { return pieces_.front(); }
  // The first bytes of the front piece have left. REQUIRES: it has so many.
  void take(std::size_t size);

 private:
  // A client that does not read holds one for as long as it likes: with its head it fills a page.
  // Where much waits, a piece is not to be little.
  static constexpr std::size_t kBlockBytesMin = 4 * 1024 - sizeof(Block);
  static constexpr std::size_t kBlockBytesMax = 16 * 1024;
  std::deque<Piece> pieces_;
  std::size_t bytes_ = 0;
};

}  // namespace leat::net
