// SPDX-License-Identifier: Apache-2.0
#include "tls/secret.h"

#include <openssl/mem.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace leat::tls {

namespace {

constexpr std::size_t kRegionBytes = 16 * 1024;

}  // namespace

SecretArena::~SecretArena() {
  for (Region& region : regions_) {
    OPENSSL_cleanse(region.data, region.capacity);
    munmap(region.begin, region.size);
  }
}

std::string_view SecretArena::add(std::string_view secret) {
  if (secret.empty()) return {};
  Region& region = region_for(secret.size());
  char* place = region.data + region.used;
  std::memcpy(place, secret.data(), secret.size());
  region.used += secret.size();
  return {place, secret.size()};
}

SecretArena::Region& SecretArena::region_for(std::size_t bytes) {
  for (Region& region : regions_) {
    if (region.capacity - region.used >= bytes) return region;
  }
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  const std::size_t capacity = (std::max(bytes, kRegionBytes) + page - 1) / page * page;
  const std::size_t size = capacity + 2 * page;
  void* mapping = mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  LEAT_CHECK(mapping != MAP_FAILED);
  char* data = static_cast<char*>(mapping) + page;
  LEAT_CHECK(mprotect(data, capacity, PROT_READ | PROT_WRITE) == 0);
  if (mlock(data, capacity) != 0) locked_ = false;
  madvise(data, capacity, MADV_DONTDUMP);
  madvise(data, capacity, MADV_WIPEONFORK);  // Available since kernel 4.14.
  regions_.push_back({static_cast<char*>(mapping), size, data, capacity, 0});
  return regions_.back();
}

}  // namespace leat::tls
