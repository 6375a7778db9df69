// SPDX-License-Identifier: Apache-2.0
// SecretArena: where the configuration's secrets live in memory, in locked pages
// (locked_pages.h). Made by main() and passed down; views of it go wherever a key is written from,
// no copies. Filled at start on one thread, read by all shards afterwards. What comes and goes
// while Leat runs has secret_slots.h.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include "tls/locked_pages.h"

namespace leat::tls {

class SecretArena {
 public:
  SecretArena() = default;
  SecretArena(const SecretArena&) = delete;
  SecretArena& operator=(const SecretArena&) = delete;

  // Copies the secret in. The view holds as long as the arena.
  std::string_view add(std::string_view secret);
  // False: a page could not be locked (RLIMIT_MEMLOCK), so a key may reach swap.
  bool is_locked() const { return locked_; }

 private:
  struct Region {
    std::unique_ptr<LockedPages> pages;
    std::size_t used = 0;
  };
  Region& region_for(std::size_t bytes);

  std::vector<Region> regions_;
  bool locked_ = true;
};

}  // namespace leat::tls
