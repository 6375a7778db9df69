// SPDX-License-Identifier: Apache-2.0
// LogRing: lines from one shard to the thread that writes them. Bounded, one writer, one reader, no
// lock; full means the line is dropped and counted, since a log must never hold up a stream
// (threats-and-faults.md F36). Lines hold reasons and ids, never a byte that a peer sent.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>

namespace leat::gateway {

class LogRing {
 public:
  static constexpr std::size_t kLineBytesMax = 252;

  LogRing() : lines_(std::make_unique<std::array<Line, kCapacity>>()) {}

  // Writer's side; longer lines are cut. False: dropped.
  bool push(std::string_view line) {
    const std::size_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - head_.load(std::memory_order_acquire) == kCapacity) return false;
    Line& slot = (*lines_)[tail % kCapacity];
    slot.size =
        static_cast<std::uint32_t>(line.size() < kLineBytesMax ? line.size() : kLineBytesMax);
    std::memcpy(slot.text, line.data(), slot.size);
    tail_.store(tail + 1, std::memory_order_release);
    return true;
  }

  // Reader's side: hands every line there is to `take(std::string_view)`.
  template <class Take>
  void drain(Take take) {
    const std::size_t tail = tail_.load(std::memory_order_acquire);
    std::size_t head = head_.load(std::memory_order_relaxed);
    for (; head != tail; ++head) {
      const Line& slot = (*lines_)[head % kCapacity];
      take(std::string_view(slot.text, slot.size));
    }
    head_.store(head, std::memory_order_release);
  }

 private:
  static constexpr std::size_t kCapacity = 1024;
  struct Line {
    std::uint32_t size;
    char text[kLineBytesMax];
  };
  std::unique_ptr<std::array<Line, kCapacity>> lines_;
  alignas(64) std::atomic<std::size_t> head_{0};
  alignas(64) std::atomic<std::size_t> tail_{0};
};

}  // namespace leat::gateway
