// SPDX-License-Identifier: Apache-2.0
#include "base/block.h"

#include <cstdlib>
#include <cstring>
#include <new>

#include "base/check.h"

namespace leat {

BlockRef Block::allocate(std::size_t capacity) {
  void* memory = std::malloc(sizeof(Block) + capacity);
  LEAT_CHECK(memory != nullptr);
  return BlockRef(new (memory) Block(capacity));
}

void BlockRef::release(Block* block) {
#ifdef LEAT_DCHECKS
  // Who still reads it, the kernel included, is to be found out.
  std::memset(block->data(), 0xdd, block->capacity());
#endif
  block->~Block();
  std::free(block);
}

}  // namespace leat
