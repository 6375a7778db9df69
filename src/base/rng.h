// SPDX-License-Identifier: Apache-2.0
// Rng: the only source of chance in a shard, so that a seed replays a run exactly. Own
// distributions, since those of the standard library differ between implementations. Not for
// secrets: those come from the TLS library.
#pragma once

#include <cstdint>

namespace leat {

// xoshiro256++ (Blackman, Vigna 2019), seeded through splitmix64.
class Rng {
 public:
  explicit Rng(std::uint64_t seed);

  std::uint64_t next();
  // Uniform in [0, bound). REQUIRES: bound > 0.
  std::uint64_t below(std::uint64_t bound);
  // Uniform in [low, high], both included. REQUIRES: low <= high.
  std::int64_t between(std::int64_t low, std::int64_t high);
  // True with the given probability in [0, 1].
  bool chance(double probability);
  // Uniform in [0, 1).
  double unit();

 private:
  std::uint64_t state_[4];
};

}  // namespace leat
