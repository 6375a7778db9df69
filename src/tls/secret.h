// SPDX-License-Identifier: Apache-2.0
// SecretArena: the one place where provider keys live in memory: pages of its own between guard
// pages, locked (never swapped), left out of core dumps, wiped in a forked child, zeroed at the
// end. Made by main() and passed down; views of it go wherever a key is written from, no copies.
// Filled at start on one thread, read by all shards afterwards.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace leat::tls {

class SecretArena {
 public:
  SecretArena() = default;
  ~SecretArena();
  SecretArena(const SecretArena&) = delete;
  SecretArena& operator=(const SecretArena&) = delete;

  // Copies the secret in. The view holds as long as the arena.
  std::string_view add(std::string_view secret);
  // False: a page could not be locked (RLIMIT_MEMLOCK), so a key may reach swap.
  bool is_locked() const { return locked_; }

 private:
  struct Region {
    char* begin;       // of the mapping, guard page included
    std::size_t size;  // of the mapping, both guard pages included
    char* data;
    std::size_t capacity;
    std::size_t used;
  };
  Region& region_for(std::size_t bytes);

  std::vector<Region> regions_;
  bool locked_ = true;
};

}  // namespace leat::tls
