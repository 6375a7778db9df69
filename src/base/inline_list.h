// SPDX-License-Identifier: Apache-2.0
// InlineList: up to N values within its owner, of which only those that were added are ever
// written. An array of texts writes all its places when it is made; for a bound that hardly any
// request comes near, that is most of what the request's record costs. Values only, no owner of
// anything; one thread.
#pragma once

#include <cstddef>
#include <new>
#include <span>
#include <type_traits>

#include "base/check.h"

namespace leat {

template <typename T, std::size_t N>
class InlineList {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

 public:
  InlineList() = default;
  // The values lie in it, and views of them are handed out.
  InlineList(const InlineList&) = delete;
  InlineList& operator=(const InlineList&) = delete;

  static constexpr std::size_t capacity() { return N; }
  std::size_t size() const { return size_; }
  bool is_full() const { return size_ == N; }

  // REQUIRES: not full.
  void add(const T& value) {
    LEAT_CHECK(size_ < N);
    ::new (static_cast<void*>(bytes_ + size_ * sizeof(T))) T(value);
    ++size_;
  }
  std::span<const T> values() const {
    return {std::launder(reinterpret_cast<const T*>(bytes_)), size_};
  }
  std::span<T> values() { return {std::launder(reinterpret_cast<T*>(bytes_)), size_}; }

 private:
  std::size_t size_ = 0;
  alignas(T) std::byte bytes_[N * sizeof(T)];
};

}  // namespace leat
