// SPDX-License-Identifier: Apache-2.0
// LockedPages: memory for secrets: pages of its own between guard pages, locked (never swapped),
// left out of core dumps, wiped in a forked child, zeroed and given back at the end. Owned by who
// shares it out; knows nothing of what is in it.
#pragma once

#include <cstddef>

namespace leat::tls {

class LockedPages {
 public:
  // `bytes` or more, rounded up to whole pages; zeroed.
  explicit LockedPages(std::size_t bytes);
  ~LockedPages();
  LockedPages(const LockedPages&) = delete;
  LockedPages& operator=(const LockedPages&) = delete;

  char* data() const { return data_; }
  std::size_t capacity() const { return capacity_; }
  // False: they could not be locked (RLIMIT_MEMLOCK), so a secret may reach swap.
  bool is_locked() const { return locked_; }

 private:
  char* begin_;       // of the mapping, guard page included
  std::size_t size_;  // of the mapping, both guard pages included
  char* data_;
  std::size_t capacity_;
  bool locked_;
};

}  // namespace leat::tls
