// SPDX-License-Identifier: Apache-2.0
// The adaptive first-token limit: how long an attempt may wait for its first content before it is
// cut and the next candidate is asked. Four times what one request in a hundred took, so that an
// endpoint of slow models is not cut for being itself (design.md, "Defaults that people meet").
#pragma once

#include <algorithm>

#include "base/instant.h"

namespace leat::policy {

struct FirstTokenLimits {
  Duration min = seconds(10);
  Duration max = seconds(120);
  std::int64_t factor = 4;
};

// p99: of the last 30 minutes; 0 where too little is known, which gives the maximum: a new endpoint
// is not to be judged by a guess. An operator's fixed limit is min = max.
constexpr Duration first_token_limit(Duration p99, const FirstTokenLimits& limits) {
  if (p99.ns <= 0 || p99.ns > limits.max.ns / limits.factor) return limits.max;
  return std::clamp(p99 * limits.factor, limits.min, std::max(limits.min, limits.max));
}

// How long a wait is normal: beyond it an attempt is overdue, and many such at once are a hung
// endpoint, seen before the limit cuts them. Half the limit at most, half a second at least.
constexpr Duration suspect_after(Duration p99, Duration limit) {
  const Duration half{limit.ns / 2};
  if (p99.ns <= 0 || p99.ns > half.ns / 3) return half;
  return std::min(half, std::max(milliseconds(500), p99 * 3));
}

}  // namespace leat::policy
