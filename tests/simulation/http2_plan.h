// SPDX-License-Identifier: Apache-2.0
// Http2Plan: who of a random world speaks HTTP/2. Drawn from the seed, apart from everything else.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "simulation/fault_plan.h"

namespace leat::sim {

struct Http2Plan {
  static constexpr std::size_t kMost = 8;
  std::array<bool, kMost> providers{};
  std::array<bool, kMost> clients{};
  // Nothing goes wrong but that clients do not read: what stalls then stalls for its own reasons.
  bool only_stalls = false;
  // ... or but that providers refuse streams and go away, which no request may suffer from.
  bool only_refusals = false;
};

// `all`: in this world most do, and in some of its kind nothing but stalls happens.
Http2Plan draw_http2_plan(std::uint64_t seed, bool all);
// The faults of worlds in which nothing but that happens.
FaultPlan stalls_only();
FaultPlan refusals_only();

}  // namespace leat::sim
