// SPDX-License-Identifier: Apache-2.0
#include "tls/secret.h"

#include <algorithm>
#include <cstring>

namespace leat::tls {

namespace {

constexpr std::size_t kRegionBytes = 16 * 1024;

}  // namespace

std::string_view SecretArena::add(std::string_view secret) {
  if (secret.empty()) return {};
  Region& region = region_for(secret.size());
  char* place = region.pages->data() + region.used;
  std::memcpy(place, secret.data(), secret.size());
  region.used += secret.size();
  return {place, secret.size()};
}

SecretArena::Region& SecretArena::region_for(std::size_t bytes) {
  for (Region& region : regions_) {
    if (region.pages->capacity() - region.used >= bytes) return region;
  }
  Region& made = regions_.emplace_back();
  made.pages = std::make_unique<LockedPages>(std::max(bytes, kRegionBytes));
  if (!made.pages->is_locked()) locked_ = false;
  return made;
}

}  // namespace leat::tls
