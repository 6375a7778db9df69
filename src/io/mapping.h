// SPDX-License-Identifier: Apache-2.0
// Mapping: memory of whole pages straight from the kernel, given back at its end. Huge pages (2 MiB
// in place of 4 KiB) spare the core address translations where memory is used from end to end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace leat::io {

enum class HugePages : std::uint8_t {
  kUnasked,      // what the kernel gives of itself
  kTransparent,  // asked for; given where the system allows it and has some
  kReserved      // of those set aside (vm.nr_hugepages), else as kTransparent
};

class Mapping {
 public:
  Mapping() = default;

  // `size` bytes of zeros; empty if there is no memory. Unless kUnasked they are there at once (a
  // page of 2 MiB that comes with the first byte makes it late), from a multiple of 2 MiB on.
  static Mapping take(std::size_t size, HugePages huge_pages = HugePages::kUnasked);

  explicit operator bool() const { return memory_ != nullptr; }
  void* get() const { return memory_.get(); }

 private:
  struct Unmap {
    std::size_t size;
    void operator()(void* memory) const;
  };
  using Memory = std::unique_ptr<void, Unmap>;
  explicit Mapping(Memory memory) : memory_(std::move(memory)) {}
  static Memory map(std::size_t size, int flags);
  static Memory map_aligned(std::size_t size);

  Memory memory_;
};

}  // namespace leat::io
