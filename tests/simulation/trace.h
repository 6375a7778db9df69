// SPDX-License-Identifier: Apache-2.0
// Trace: a running hash over everything that happens in a simulated world. Two runs of one seed
// that end with the same value went the same way; it is the test of our own determinism. Not for
// adversaries.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace leat::sim {

class Trace {
 public:
  void mix(std::uint64_t word) {
    hash_ = (hash_ ^ word) * 0x9fb21c651e98df25;
    hash_ ^= hash_ >> 29;
  }
  void mix(std::string_view bytes) { mix(digest(bytes)); }
  std::uint64_t value() const { return hash_; }

  static std::uint64_t digest(std::string_view bytes) {
    std::uint64_t hash = 0x2545f4914f6cdd1d ^ bytes.size();
    std::size_t at = 0;
    for (; at + 8 <= bytes.size(); at += 8) {
      std::uint64_t word;
      std::memcpy(&word, bytes.data() + at, 8);
      hash = (hash ^ word) * 0x9fb21c651e98df25;
      hash ^= hash >> 32;
    }
    std::uint64_t rest = 0;
    std::memcpy(&rest, bytes.data() + at, bytes.size() - at);
    hash = (hash ^ rest) * 0x9fb21c651e98df25;
    return hash ^ (hash >> 31);
  }

 private:
  std::uint64_t hash_ = 0xcbf29ce484222325;
};

}  // namespace leat::sim
