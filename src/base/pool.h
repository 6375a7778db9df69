// SPDX-License-Identifier: Apache-2.0
// Pool: objects of one kind, in pages, recycled through a free list. Addresses are stable; memory
// is kept for reuse. Belongs to one shard. live() counts the objects in use: at the end of a run it
// is an oracle for leaks.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "base/check.h"

namespace leat {

template <class T, std::size_t kPerPage = 64>
class Pool {
 public:
  Pool() = default;
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  ~Pool() { LEAT_CHECK(live_ == 0); }

  template <class... Args>
  T* create(Args&&... args) {
    if (free_ == nullptr) add_page();
    Slot* slot = free_;
    free_ = slot->next;
    ++live_;
    return new (slot->storage) T(std::forward<Args>(args)...);
  }

  void destroy(T* object) {
    LEAT_CHECK(live_ > 0);
    object->~T();
    auto* slot = reinterpret_cast<Slot*>(object);
    slot->next = free_;
    free_ = slot;
    --live_;
  }

  std::size_t live() const { return live_; }

 private:
  union Slot {
    Slot* next;
    alignas(T) std::byte storage[sizeof(T)];
  };
  void add_page() {
    pages_.push_back(std::make_unique_for_overwrite<Slot[]>(kPerPage));
    Slot* page = pages_.back().get();
    for (std::size_t i = kPerPage; i-- > 0;) {
      page[i].next = free_;
      free_ = &page[i];
    }
  }
  std::vector<std::unique_ptr<Slot[]>> pages_;
  Slot* free_ = nullptr;
  std::size_t live_ = 0;
};

}  // namespace leat
