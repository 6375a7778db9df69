// SPDX-License-Identifier: Apache-2.0
#include "policy/endpoint_windows.h"

namespace leat::policy {
namespace {

constexpr std::array<double, kPercentiles> kShares = {0.5, 0.75, 0.9, 0.99};
constexpr std::uint64_t kCountedMin = 100;

}  // namespace

void EndpointWindows::merge(const HealthSummary& summary, Instant now) {
  const Counts counts{summary.successes, summary.failures};
  // First tokens, not successes: a failure is known when it happens, a success only minutes later,
  // at the end of its stream.
  half_minute.slot_at(now)->merge({summary.first_tokens, summary.failures});
  day.slot_at(now)->merge(counts);
  for (Distributions* slot : {five_minutes.slot_at(now), half_hour.slot_at(now)}) {
    slot->counts.merge(counts);
    slot->rate_limited += summary.rate_limited;
    slot->first_token.merge(summary.first_token);
    slot->rate.merge(summary.rate);
  }
}

std::int16_t uptime_permille(const Counts& counts) {
  if (counts.counted() < kCountedMin) return EndpointHealth::kUptimeUnknown;
  return static_cast<std::int16_t>(std::uint64_t{counts.successes} * 1'000 / counts.counted());
}

Percentiles first_token_percentiles(const Distributions& of) {
  Percentiles all{};
  for (std::size_t i = 0; i < kPercentiles; ++i) {
    all[i] = static_cast<float>(percentile(of.first_token, kShares[i], kFirstTokenUnit));
  }
  return all;
}

Percentiles rate_percentiles(const Distributions& of) {
  Percentiles all{};
  for (std::size_t i = 0; i < kPercentiles; ++i) {
    all[i] = static_cast<float>(percentile(of.rate, 1 - kShares[i], kRateUnit));
  }
  return all;
}

}  // namespace leat::policy
