// SPDX-License-Identifier: Apache-2.0
#include "allocations.h"

#include <atomic>
#include <cstdlib>
#include <new>

namespace {
std::atomic<std::size_t> made = 0;
}  // namespace

std::size_t allocations_made() {
  return made;
}

#ifdef LEAT_THREADS_SANITIZED
extern "C" void __sanitizer_malloc_hook(const volatile void*, std::size_t) {
  ++made;
}
#else
void* operator new(std::size_t size) {
  ++made;
  void* memory = std::malloc(size);
  if (memory == nullptr) std::abort();
  return memory;
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
#endif
