// SPDX-License-Identifier: Apache-2.0
#include "policy/health_board.h"

#include <algorithm>

#include "base/check.h"

namespace leat::policy {
namespace {

// "Significant" is not defined by OpenRouter: three failures in 30 s that are at least half of what
// counted. One failure says little, and one in a hundred is no outage.
constexpr std::uint32_t kOutageFailures = 3;
constexpr std::int64_t kHungOverdue = 3;
// Below this many first tokens, a p99 says nothing.
constexpr std::uint64_t kFirstTokensMin = 20;
// Percentiles of an endpoint that nothing was heard of are taken again every 16th refresh (4 s):
// they change only by what falls out of the window.
constexpr std::uint32_t kIdleRefreshes = 16;

bool is_outage(const Counts& counts) {
  return counts.failures >= kOutageFailures && counts.failures >= counts.successes;
}

// 0: too little is known.
Duration first_token_of(const Distributions& of, double share) {
  if (of.first_token.count() < kFirstTokensMin) return {0};
  return {static_cast<std::int64_t>(percentile(of.first_token, share, kFirstTokenUnit) * 1e9)};
}

}  // namespace

HealthBoard::HealthBoard(std::size_t endpoints, const BreakerLimits& breaker,
                         const FirstTokenLimits& first_token)
    : rows_(endpoints), views_(endpoints) {
  known_.reserve(endpoints);
  for (Row& row : rows_) {
    row.breaker = Breaker(breaker);
    row.limits = first_token;
    row.limit = policy::first_token_limit({0}, first_token);
    row.suspect_after = policy::suspect_after({0}, row.limit);
  }
}

void HealthBoard::set_first_token_limits(EndpointId endpoint, const FirstTokenLimits& limits) {
  Row& row = rows_[endpoint];
  row.limits = limits;
  row.limit = policy::first_token_limit({0}, limits);
  row.suspect_after = policy::suspect_after({0}, row.limit);
  row.is_stale = true;
}

HealthBoard::Row& HealthBoard::know(EndpointId endpoint) {
  LEAT_CHECK(endpoint < rows_.size());
  Row& row = rows_[endpoint];
  if (!row.is_known) known_.push_back(endpoint);
  row.is_known = true;
  return row;
}

void HealthBoard::merge(EndpointId endpoint, const HealthSummary& summary, Instant now) {
  Row& row = know(endpoint);
  const bool was_out = row.breaker.state(now) != BreakerState::kClosed;
  row.breaker.record(now, summary.first_tokens, summary.failures);
  // Its probe has shown that the outage is over: slow start is the caution from here on. Left to
  // age out, the outage would keep it from all traffic for the rest of the 30 s.
  if (was_out && row.breaker.state(now) == BreakerState::kClosed) row.windows.half_minute = {};
  row.windows.merge(summary, now);
  row.waiting += summary.waiting_change;
  row.overdue += summary.overdue_change;
  if (summary.first_tokens > 0) {
    row.token_at = now;
    row.overdue_at_token = row.overdue;
  }
  row.overdue_at_token = std::min(row.overdue_at_token, row.overdue);
  row.is_stale = true;
}

void HealthBoard::limit_until(EndpointId endpoint, Instant until) {
  know(endpoint);
  Instant& held = views_[endpoint].limited_until;
  held = std::max(held, until);
}

bool HealthBoard::begin_probe(EndpointId endpoint, Instant now) {
  LEAT_CHECK(endpoint < rows_.size());
  Breaker& breaker = rows_[endpoint].breaker;
  if (breaker.state(now) != BreakerState::kProbe) return false;
  breaker.begin_probe(now);
  views_[endpoint].breaker = BreakerState::kHalfOpen;
  return true;
}

// Hung: since the last first token, several more attempts wait for longer than is normal, and that
// token is older than a normal wait. Slow requests among quick ones are none: tokens keep coming.
bool HealthBoard::is_hung(const Row& row, Instant now) const {
  return row.overdue - row.overdue_at_token >= kHungOverdue &&
         now - row.token_at >= row.suspect_after;
}

void HealthBoard::measure(Row& row, EndpointHealth& view, Instant now) {
  const Distributions recent = row.windows.five_minutes.sum(now);
  view.uptime_permille = uptime_permille(recent.counts);
  view.latency_s = first_token_percentiles(recent);
  view.throughput = rate_percentiles(recent);
  const Distributions longer = row.windows.half_hour.sum(now);
  row.limit = policy::first_token_limit(first_token_of(longer, 0.99), row.limits);
  row.suspect_after = policy::suspect_after(first_token_of(recent, 0.99), row.limit);
  row.first_token_p95 = first_token_of(longer, 0.95);
  row.is_stale = false;
}

void HealthBoard::refresh(Instant now) {
  ++turn_;
  for (const EndpointId i : known_) {
    Row& row = rows_[i];
    EndpointHealth& view = views_[i];
    if (row.is_stale || (turn_ + i) % kIdleRefreshes == 0) measure(row, view, now);
    const bool hung = is_hung(row, now);
    if (hung) row.breaker.trip(now);
    view.recent_outage = hung || is_outage(row.windows.half_minute.sum(now));
    view.breaker = row.breaker.state(now);
    view.weight_permille = row.breaker.weight_permille(now);
  }
}

BreakerState HealthBoard::breaker_for(EndpointId endpoint, std::uint32_t shard,
                                      std::uint32_t shards) const {
  LEAT_CHECK(endpoint < views_.size() && shard < shards);
  const BreakerState breaker = views_[endpoint].breaker;
  const bool is_anothers =
      breaker == BreakerState::kProbe && (probe_turn_ + endpoint) % shards != shard;
  return is_anothers ? BreakerState::kHalfOpen : breaker;
}

void HealthBoard::fill_view(std::uint32_t shard, std::uint32_t shards,
                            std::span<EndpointHealth> out) const {
  LEAT_CHECK(out.size() == views_.size());
  std::ranges::copy(views_, out.begin());
  for (const EndpointId id : known_) out[id].breaker = breaker_for(id, shard, shards);
}

HealthReport HealthBoard::report(EndpointId endpoint, Instant now) const {
  LEAT_CHECK(endpoint < rows_.size());
  const Row& row = rows_[endpoint];
  const Distributions recent = row.windows.five_minutes.sum(now);
  const Distributions longer = row.windows.half_hour.sum(now);
  return {
      .latency_s_5m = first_token_percentiles(recent),
      .latency_s_30m = first_token_percentiles(longer),
      .throughput_5m = rate_percentiles(recent),
      .throughput_30m = rate_percentiles(longer),
      .uptime_permille_5m = uptime_permille(recent.counts),
      .uptime_permille_30m = uptime_permille(longer.counts),
      .uptime_permille_1d = uptime_permille(row.windows.day.sum(now)),
      .rate_limited_30m = longer.rate_limited,
      .waiting = static_cast<std::uint32_t>(std::max<std::int64_t>(row.waiting, 0)),
  };
}

EndpointWindows& HealthBoard::windows_for_restore(EndpointId endpoint) {
  Row& row = know(endpoint);
  row.is_stale = true;
  return row.windows;
}

void HealthBoard::forget_all() {
  for (Row& row : rows_) {
    row.windows = {};
    row.is_stale = true;
  }
}

}  // namespace leat::policy
