// SPDX-License-Identifier: Apache-2.0
#include "tls/locked_pages.h"

#include <openssl/mem.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/check.h"

namespace leat::tls {

LockedPages::LockedPages(std::size_t bytes) {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  capacity_ = (bytes + page - 1) / page * page;
  size_ = capacity_ + 2 * page;
  void* mapping = mmap(nullptr, size_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  LEAT_CHECK(mapping != MAP_FAILED);
  begin_ = static_cast<char*>(mapping);
  data_ = begin_ + page;
  LEAT_CHECK(mprotect(data_, capacity_, PROT_READ | PROT_WRITE) == 0);
  locked_ = mlock(data_, capacity_) == 0;
  madvise(data_, capacity_, MADV_DONTDUMP);
  madvise(data_, capacity_, MADV_WIPEONFORK);  // Available since kernel 4.14.
}

LockedPages::~LockedPages() {
  OPENSSL_cleanse(data_, capacity_);
  munmap(begin_, size_);
}

}  // namespace leat::tls
