// SPDX-License-Identifier: Apache-2.0
// EndpointHealth: what a plan needs to know of an endpoint's recent past, as plain numbers. The
// health rings fill one for each endpoint of the catalogue and refresh them a few times a second;
// a plan reads them through a span indexed by EndpointId. Windows and rules: openrouter-api.md 2.6.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/instant.h"

namespace leat::policy {

// The percentiles that a request may set cutoffs for.
enum class Percentile : std::uint8_t { kP50, kP75, kP90, kP99 };
inline constexpr std::size_t kPercentiles = 4;

// A measure at each percentile; 0 is "not known".
using Percentiles = std::array<float, kPercentiles>;

enum class BreakerState : std::uint8_t {
  kClosed,
  kOpen,      // not to be asked, unless more than half of a model's endpoints are open
  kHalfOpen,  // its probe is out and no other request may go: as kOpen
  kProbe,     // the next request may be the probe: as if it were well, so that it is drawn
};

struct EndpointHealth {
  static constexpr std::int16_t kUptimeUnknown = -1;

  BreakerState breaker = BreakerState::kClosed;
  bool recent_outage = false;                     // a significant one in the last 30 s
  std::int16_t uptime_permille = kUptimeUnknown;  // of 5 minutes; unknown below 100 requests
  // Slow start: the share of its due traffic that an endpoint may draw, 1,000 when well.
  std::uint16_t weight_permille = 1'000;
  // Until when it said that it is exhausted (Retry-After, x-ratelimit-*); past: not limited.
  Instant limited_until{0};
  Percentiles latency_s{};   // to the first token, over 5 minutes
  Percentiles throughput{};  // tokens a second, over 5 minutes

  bool operator==(const EndpointHealth&) const = default;
};

// By EndpointId. An endpoint beyond its end is one that nothing is known of.
using HealthView = std::span<const EndpointHealth>;

}  // namespace leat::policy
