// SPDX-License-Identifier: Apache-2.0
#include "control/listed_health.h"

namespace leat::control {
namespace {

using policy::BreakerState;
using policy::EndpointHealth;

// openrouter-api.md 2.6.
constexpr std::int16_t kNormalPermille = 950;
constexpr std::int16_t kDegradedPermille = 800;

ListedStatus status_of(const EndpointHealth& health, Instant now) {
  if (health.breaker == BreakerState::kOpen) return ListedStatus::kNotAsked;
  const std::int16_t uptime = health.uptime_permille;
  const bool is_known = uptime != EndpointHealth::kUptimeUnknown;
  if (is_known && uptime < kDegradedPermille) return ListedStatus::kDown;
  if (health.limited_until > now) return ListedStatus::kRateLimited;
  if (health.recent_outage || health.breaker != BreakerState::kClosed) {
    return ListedStatus::kRecovering;
  }
  if (is_known && uptime < kNormalPermille) return ListedStatus::kDegraded;
  return ListedStatus::kNormal;
}

std::optional<double> percent_of(std::int16_t permille) {
  if (permille == EndpointHealth::kUptimeUnknown) return {};
  return permille / 10.0;
}

std::optional<ListedPercentiles> scaled(const policy::Percentiles& values, double factor) {
  const auto at = [&](policy::Percentile which) {
    return static_cast<double>(values[static_cast<std::size_t>(which)]) * factor;
  };
  using policy::Percentile;
  if (at(Percentile::kP50) == 0) return {};
  return ListedPercentiles{.p50 = at(Percentile::kP50),
                           .p75 = at(Percentile::kP75),
                           .p90 = at(Percentile::kP90),
                           .p99 = at(Percentile::kP99)};
}

}  // namespace

ListedHealth listed_health(const KnownHealth& known, policy::EndpointId endpoint) {
  constexpr double kMsPerSecond = 1'000;
  ListedHealth listed;
  if (endpoint < known.views.size()) listed.status = status_of(known.views[endpoint], known.now);
  if (endpoint >= known.reports.size()) return listed;
  const policy::HealthReport& report = known.reports[endpoint];
  listed.uptime_percent_5m = percent_of(report.uptime_permille_5m);
  listed.uptime_percent_30m = percent_of(report.uptime_permille_30m);
  listed.uptime_percent_1d = percent_of(report.uptime_permille_1d);
  listed.latency_ms_30m = scaled(report.latency_s_30m, kMsPerSecond);
  listed.tokens_per_second_30m = scaled(report.throughput_30m, 1);
  return listed;
}

}  // namespace leat::control
