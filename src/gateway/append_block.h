// SPDX-License-Identifier: Apache-2.0
// Bytes to the end of a block that grows.
#pragma once

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>

#include "base/block.h"

namespace leat::gateway {

// Views into the block as it was are void after it.
inline void append(BlockRef& block, std::string_view bytes, std::size_t capacity_min) {
  const std::size_t size = block ? block->size : 0;
  if (!block || size + bytes.size() > block->capacity()) {
    BlockRef larger = Block::allocate(std::max(capacity_min, 2 * (size + bytes.size())));
    if (size != 0) std::memcpy(larger->data(), block->data(), size);
    larger->size = size;
    block = std::move(larger);
  }
  std::memcpy(block->data() + size, bytes.data(), bytes.size());
  block->size = size + bytes.size();
}

}  // namespace leat::gateway
