// SPDX-License-Identifier: Apache-2.0
// Handover: a ring by which one thread gives values to one other. The giver owns `tail_`, the taker
// `head_`; each publishes with release and reads the other's with acquire. No lock, no wait: a full
// ring refuses, an empty one has nothing. What is left at the end goes with it.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <optional>
#include <utility>

namespace leat {

template <class T, std::size_t kCapacity>
class Handover {
 public:
  // Giver's side. False: full, and `value` is as it was.
  bool give(T& value) {
    const std::size_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - head_.load(std::memory_order_acquire) >= kCapacity) return false;
    ring_[tail % kCapacity] = std::move(value);
    tail_.store(tail + 1, std::memory_order_release);
    return true;
  }
  // Taker's side. None: empty.
  std::optional<T> take() {
    const std::size_t head = head_.load(std::memory_order_relaxed);
    if (head == tail_.load(std::memory_order_acquire)) return std::nullopt;
    std::optional<T> value(std::move(ring_[head % kCapacity]));
    head_.store(head + 1, std::memory_order_release);
    return value;
  }

 private:
  std::array<T, kCapacity> ring_;
  alignas(64) std::atomic<std::size_t> head_{0};
  alignas(64) std::atomic<std::size_t> tail_{0};
};

}  // namespace leat
