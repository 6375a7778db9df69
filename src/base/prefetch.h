// SPDX-License-Identifier: Apache-2.0
// Asking for memory before it is needed. A shard has thousands of streams in turn, none of which
// finds anything of its own in the caches: whoever knows what comes next can have several of them
// fetched at once, where one after the other waits for each.
#pragma once

#include <cstddef>

namespace leat {

inline constexpr std::size_t kCacheLineBytes = 64;

// Asks for all lines of it. The address need not be valid.
inline void prefetch(const void* begin, std::size_t bytes) {
  const char* const at = static_cast<const char*>(begin);
  for (std::size_t offset = 0; offset < bytes; offset += kCacheLineBytes) {
    __builtin_prefetch(at + offset);
  }
  __builtin_prefetch(at + bytes - 1);
}

template <class T>
void prefetch(const T& object) {
  prefetch(&object, sizeof object);
}

}  // namespace leat
