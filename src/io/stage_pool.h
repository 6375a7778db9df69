// SPDX-License-Identifier: Apache-2.0
// StagePool: arguments of staged operations that the kernel reads when they are submitted. They
// stay where they are until reset(), which forgets all at once and keeps the memory. Private to io.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <vector>

namespace leat::io {

template <class T>
class StagePool {
 public:
  // A place to be overwritten; it may hold what an earlier round left there.
  T& take() {
    if (used_ == pages_.size() * kPage) pages_.push_back(std::make_unique<std::array<T, kPage>>());
    T& place = (*pages_[used_ / kPage])[used_ % kPage];
    ++used_;
    return place;
  }
  void reset() { used_ = 0; }

 private:
  static constexpr std::size_t kPage = 64;
  std::vector<std::unique_ptr<std::array<T, kPage>>> pages_;
  std::size_t used_ = 0;
};

}  // namespace leat::io
