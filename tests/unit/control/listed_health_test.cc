// SPDX-License-Identifier: Apache-2.0
// Goal: people who look at an endpoint see how it does: the worst that holds of it, times in
// milliseconds, shares in percent, and null for what nobody knows. Method: one fact at a time, each
// limit from both sides.
#include "control/listed_health.h"

#include <gtest/gtest.h>

#include <vector>

namespace leat::control {
namespace {

using policy::BreakerState;
using policy::EndpointHealth;

constexpr Instant kNow{1'000};

ListedStatus status(const EndpointHealth& health) {
  const std::vector<EndpointHealth> views{EndpointHealth(), health};
  return listed_health({.views = views, .now = kNow}, 1).status;
}

TEST(ListedHealth, NothingIsKnownBeyondTheEnd) {
  const std::vector<EndpointHealth> views{{.breaker = BreakerState::kOpen}};
  const std::vector<policy::HealthReport> reports(1);
  const ListedHealth listed = listed_health({views, reports, kNow}, 1);
  EXPECT_EQ(listed.status, ListedStatus::kNormal);
  EXPECT_FALSE(listed.uptime_percent_5m || listed.uptime_percent_30m || listed.uptime_percent_1d);
  EXPECT_FALSE(listed.latency_ms_30m || listed.tokens_per_second_30m);
}

TEST(ListedHealth, EachStateHasItsNumber) {
  EXPECT_EQ(status({}), ListedStatus::kNormal);
  EXPECT_EQ(status({.uptime_permille = 950}), ListedStatus::kNormal);
  EXPECT_EQ(status({.uptime_permille = 949}), ListedStatus::kDegraded);
  EXPECT_EQ(status({.uptime_permille = 800}), ListedStatus::kDegraded);
  EXPECT_EQ(status({.uptime_permille = 799}), ListedStatus::kDown);
  EXPECT_EQ(status({.uptime_permille = 0}), ListedStatus::kDown);
  EXPECT_EQ(status({.recent_outage = true}), ListedStatus::kRecovering);
  EXPECT_EQ(status({.breaker = BreakerState::kHalfOpen}), ListedStatus::kRecovering);
  EXPECT_EQ(status({.breaker = BreakerState::kProbe}), ListedStatus::kRecovering);
  EXPECT_EQ(status({.limited_until = kNow}), ListedStatus::kNormal);
  EXPECT_EQ(status({.limited_until = kNow + Duration{1}}), ListedStatus::kRateLimited);
  EXPECT_EQ(status({.breaker = BreakerState::kOpen}), ListedStatus::kNotAsked);
}

TEST(ListedHealth, TheWorstIsTold) {
  EndpointHealth health{.recent_outage = true, .uptime_permille = 900};
  EXPECT_EQ(status(health), ListedStatus::kRecovering);
  health.limited_until = kNow + Duration{1};
  EXPECT_EQ(status(health), ListedStatus::kRateLimited);
  health.uptime_permille = 100;
  EXPECT_EQ(status(health), ListedStatus::kDown);
  health.breaker = BreakerState::kOpen;
  EXPECT_EQ(status(health), ListedStatus::kNotAsked);
}

// The numbers are OpenRouter's.
TEST(ListedHealth, NumbersAreThoseOfTheApi) {
  EXPECT_EQ(static_cast<int>(ListedStatus::kNormal), 0);
  EXPECT_EQ(static_cast<int>(ListedStatus::kDegraded), -1);
  EXPECT_EQ(static_cast<int>(ListedStatus::kRecovering), -2);
  EXPECT_EQ(static_cast<int>(ListedStatus::kRateLimited), -3);
  EXPECT_EQ(static_cast<int>(ListedStatus::kDown), -5);
  EXPECT_EQ(static_cast<int>(ListedStatus::kNotAsked), -10);
}

TEST(ListedHealth, MeasuresAreInTheUnitsOfTheApi) {
  const policy::HealthReport report{.latency_s_5m = {9, 9, 9, 9},
                                    .latency_s_30m = {0.25F, 0.5F, 1, 2},
                                    .throughput_5m = {9, 9, 9, 9},
                                    .throughput_30m = {80, 60, 40, 20},
                                    .uptime_permille_5m = 1'000,
                                    .uptime_permille_30m = 995,
                                    .uptime_permille_1d = 0};
  const std::vector<policy::HealthReport> reports{report};
  const ListedHealth listed = listed_health({.reports = reports}, 0);
  EXPECT_EQ(listed.uptime_percent_5m, 100.0);
  EXPECT_EQ(listed.uptime_percent_30m, 99.5);
  EXPECT_EQ(listed.uptime_percent_1d, 0.0);
  ASSERT_TRUE(listed.latency_ms_30m && listed.tokens_per_second_30m);
  EXPECT_EQ(listed.latency_ms_30m->p50, 250);
  EXPECT_EQ(listed.latency_ms_30m->p75, 500);
  EXPECT_EQ(listed.latency_ms_30m->p90, 1'000);
  EXPECT_EQ(listed.latency_ms_30m->p99, 2'000);
  EXPECT_EQ(listed.tokens_per_second_30m->p50, 80);
  EXPECT_EQ(listed.tokens_per_second_30m->p99, 20);
}

}  // namespace
}  // namespace leat::control
