// SPDX-License-Identifier: Apache-2.0
// EventRing: what ended on one shard, for whoever tells of it: entries of bytes, one behind the
// other in a fixed ring. One writer, one reader, no lock. The writer fills an entry in place; where
// there is no room it is dropped, which the writer counts, since no request waits for a log.
//
//   [size | bytes, to a multiple of 8][size | bytes]...[kSkip] -> on from the front
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>

#include "base/check.h"

namespace leat::gateway {

class EventRing {
 public:
  // 4,000 entries of a usual size: a tenth of a second of 40,000 requests/s.
  static constexpr std::size_t kBytesUsual = std::size_t{2} << 20;

  // REQUIRES: a power of two.
  explicit EventRing(std::size_t bytes = kBytesUsual)
      : mask_(bytes - 1), bytes_(std::make_unique_for_overwrite<char[]>(bytes)) {
    LEAT_CHECK((bytes & mask_) == 0 && bytes >= 64);
  }

  // ---- Writer's side ----
  // Room for an entry of at most `most` bytes, to be filled and then commit()ted, or left; empty:
  // there is none.
  std::span<char> reserve(std::size_t most) {
    const std::size_t need = kHeader + padded(most);
    const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
    const std::size_t at = tail & mask_;
    const std::size_t to_end = mask_ + 1 - at;
    const std::size_t skipped = to_end < need ? to_end : 0;
    const std::uint64_t used = tail - head_.load(std::memory_order_acquire);
    if (used + skipped + need > mask_ + 1) return {};
    if (skipped != 0) put(at, kSkip);
    reserved_at_ = tail + skipped;
    return {bytes_.get() + (reserved_at_ & mask_) + kHeader, most};
  }
  // REQUIRES: after reserve(), of no more.
  void commit(std::size_t size) {
    put(reserved_at_ & mask_, size);
    tail_.store(reserved_at_ + kHeader + padded(size), std::memory_order_release);
  }

  // ---- Reader's side ----
  // Hands every entry there is to `take(std::span<const char>)`, which views the ring.
  template <class Take>
  void drain(Take take) {
    const std::uint64_t tail = tail_.load(std::memory_order_acquire);
    std::uint64_t head = head_.load(std::memory_order_relaxed);
    while (head != tail) {
      const std::size_t at = head & mask_;
      std::uint64_t size;
      std::memcpy(&size, bytes_.get() + at, kHeader);
      if (size == kSkip) {
        head += mask_ + 1 - at;
        continue;
      }
      take(std::span<const char>(bytes_.get() + at + kHeader, size));
      head += kHeader + padded(size);
      head_.store(head, std::memory_order_release);
    }
  }

 private:
  static constexpr std::size_t kHeader = sizeof(std::uint64_t);
  static constexpr std::uint64_t kSkip = UINT64_MAX;

  static std::size_t padded(std::size_t size) { return (size + 7) & ~std::size_t{7}; }
  void put(std::size_t at, std::uint64_t word) { std::memcpy(bytes_.get() + at, &word, kHeader); }

  const std::size_t mask_;
  const std::unique_ptr<char[]> bytes_;
  std::uint64_t reserved_at_ = 0;  // the writer's
  alignas(64) std::atomic<std::uint64_t> head_{0};
  alignas(64) std::atomic<std::uint64_t> tail_{0};
};

}  // namespace leat::gateway
