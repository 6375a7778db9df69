// SPDX-License-Identifier: Apache-2.0
// KeyLoads: what each client key has under way on this shard: requests, and bytes of bodies that
// wait. A key is in it while it has a request here, so it is as large as what runs.
#pragma once

#include <cstdint>
#include <unordered_map>

#include "base/check.h"

namespace leat::gateway {

struct KeyLoad {
  std::uint32_t key = 0;
  std::uint32_t requests = 0;
  std::uint64_t buffered_bytes = 0;
};

class KeyLoads {
 public:
  // Nothing where the key has nothing under way.
  KeyLoad of(std::uint32_t key) const {
    const auto found = loads_.find(key);
    return found == loads_.end() ? KeyLoad{.key = key} : found->second;
  }
  // A request more; the load stays where it is until that request's end().
  KeyLoad& begin(std::uint32_t key) {
    KeyLoad& load = loads_[key];
    load.key = key;
    ++load.requests;
    ++total_;
    return load;
  }
  // REQUIRES: the request holds no bytes any more.
  void end(KeyLoad& load) {
    --total_;
    if (--load.requests > 0) return;
    LEAT_CHECK(load.buffered_bytes == 0);
    loads_.erase(load.key);
  }
  // Requests under way, and the keys that have any.
  std::uint64_t total() const { return total_; }
  std::uint64_t keys() const { return loads_.size(); }
  bool is_empty() const { return loads_.empty(); }

 private:
  std::unordered_map<std::uint32_t, KeyLoad> loads_;
  std::uint64_t total_ = 0;
};

}  // namespace leat::gateway
