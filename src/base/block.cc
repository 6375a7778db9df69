// SPDX-License-Identifier: Apache-2.0
#include "base/block.h"

#include <cstdlib>
#include <new>

#include "base/check.h"

namespace leat {

BlockRef Block::allocate(std::size_t capacity) {
  void* memory = std::malloc(sizeof(Block) + capacity);
  LEAT_CHECK(memory != nullptr);
  return BlockRef(new (memory) Block(capacity));
}

void BlockRef::release(Block* block) {
  block->~Block();
  std::free(block);
}

}  // namespace leat
