// SPDX-License-Identifier: Apache-2.0
// ListedHealth: what an endpoint's object says of its recent days, in the API's units and numbers
// (openrouter-api.md 1.2, 2.6), from what shards and the health board know. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "base/instant.h"
#include "policy/catalogue.h"
#include "policy/health_board.h"

namespace leat::control {

// By EndpointId; of endpoints beyond either's end nothing is known.
struct KnownHealth {
  policy::HealthView views;
  std::span<const policy::HealthReport> reports;
  Instant now{0};  // for what an endpoint said of its limits
};

// OpenRouter publishes the numbers and not what they stand for: these meanings are ours. Lower is
// worse; of several that hold, the worst is told.
enum class ListedStatus : std::int8_t {
  kNormal = 0,
  kDegraded = -1,     // uptime of 5 minutes below 95 %: later in the order
  kRecovering = -2,   // an outage just now, or its breaker waits for a probe
  kRateLimited = -3,  // it said that it is exhausted
  kDown = -5,         // uptime of 5 minutes below 80 %: asked only when nothing else is left
  kNotAsked = -10,    // its breaker is open
};

struct ListedPercentiles {
  double p50 = 0;
  double p75 = 0;
  double p90 = 0;
  double p99 = 0;
};

// What is not known is null in the answer.
struct ListedHealth {
  ListedStatus status = ListedStatus::kNormal;
  std::optional<double> uptime_percent_5m;
  std::optional<double> uptime_percent_30m;
  std::optional<double> uptime_percent_1d;
  std::optional<ListedPercentiles> latency_ms_30m;  // time to the first token
  std::optional<ListedPercentiles> tokens_per_second_30m;
};

ListedHealth listed_health(const KnownHealth& known, policy::EndpointId endpoint);

}  // namespace leat::control
