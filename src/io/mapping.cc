// SPDX-License-Identifier: Apache-2.0
#include "io/mapping.h"

#include <sys/mman.h>

#include <cstdint>

namespace leat::io {

namespace {

constexpr std::size_t kHugePage = 2 * 1024 * 1024;

std::size_t rounded_up(std::size_t size) {
  return (size + kHugePage - 1) / kHugePage * kHugePage;
}

}  // namespace

void Mapping::Unmap::operator()(void* memory) const {
  munmap(memory, size);
}

Mapping::Memory Mapping::map(std::size_t size, int flags) {
  void* memory =
      mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE | flags, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  return Memory(memory, Unmap{size});
}

// More than is wanted, and what is too much before and behind is given back.
Mapping::Memory Mapping::map_aligned(std::size_t size) {
  Memory memory = map(size + kHugePage, 0);
  if (!memory) return nullptr;
  char* begin = static_cast<char*>(memory.release());
  const auto address = reinterpret_cast<std::uintptr_t>(begin);
  const std::size_t before = rounded_up(address) - address;
  if (before > 0) munmap(begin, before);
  if (before < kHugePage) munmap(begin + before + size, kHugePage - before);
  return Memory(begin + before, Unmap{size});
}

Mapping Mapping::take(std::size_t size, HugePages huge_pages) {
  if (huge_pages == HugePages::kUnasked) return Mapping(map(size, 0));
  size = rounded_up(size);
  if (huge_pages == HugePages::kReserved) {
    Memory memory = map(size, MAP_HUGETLB);
    // A cgroup may refuse what was reserved: by a signal to who touches it, but not here.
    if (memory && madvise(memory.get(), size, MADV_POPULATE_WRITE) == 0) {
      return Mapping(std::move(memory));
    }
  }
  Memory memory = map_aligned(size);
  if (memory) {
    madvise(memory.get(), size, MADV_HUGEPAGE);
    madvise(memory.get(), size, MADV_POPULATE_WRITE);
  }
  return Mapping(std::move(memory));
}

}  // namespace leat::io
