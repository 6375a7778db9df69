// SPDX-License-Identifier: Apache-2.0
// HealthBoard: the merged health of every endpoint. One a process, owned by control: it takes the
// shards' summaries every 250 ms, and gives back what plans read (health_view.h) and what people
// read (HealthReport). All memory is taken at construction. No clock: time is an argument that
// never goes back.
//
// What is not known is never held against an endpoint. An endpoint that hangs is seen by the age of
// what waits there, long before the first-token limit: see is_hung in the .cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/instant.h"
#include "policy/breaker.h"
#include "policy/catalogue.h"
#include "policy/endpoint_windows.h"
#include "policy/first_token_limit.h"
#include "policy/health_ring.h"
#include "policy/health_view.h"

namespace leat::policy {

// What the endpoints' list publishes (`*_last_30m`, uptime).
struct HealthReport {
  Percentiles latency_s_5m{};
  Percentiles latency_s_30m{};
  Percentiles throughput_5m{};
  Percentiles throughput_30m{};
  std::int16_t uptime_permille_5m = EndpointHealth::kUptimeUnknown;
  std::int16_t uptime_permille_30m = EndpointHealth::kUptimeUnknown;
  std::int16_t uptime_permille_1d = EndpointHealth::kUptimeUnknown;
  std::uint32_t rate_limited_30m = 0;
  std::uint32_t waiting = 0;  // for a first token, now
  bool operator==(const HealthReport&) const = default;
};

class HealthBoard {
 public:
  explicit HealthBoard(std::size_t endpoints, const BreakerLimits& breaker = {},
                       const FirstTokenLimits& first_token = {});

  std::size_t endpoints() const { return rows_.size(); }
  // Those that anything was ever heard of, in that order: all others are as at construction.
  std::span<const EndpointId> known() const { return known_; }
  // Operator's limits of one endpoint (min = max: a fixed limit).
  void set_first_token_limits(EndpointId endpoint, const FirstTokenLimits& limits);

  void merge(EndpointId endpoint, const HealthSummary& summary, Instant now);
  // The endpoint says it is exhausted until then (rate_memory.h). The later of two holds.
  void limit_until(EndpointId endpoint, Instant until);
  // A shard sent the probe. False if one is out already: then that shard's was one too many, which
  // is counted as any other attempt.
  bool begin_probe(EndpointId endpoint, Instant now);

  // After a round of merges: brings the views up to date.
  void refresh(Instant now);
  // As of the last refresh. A probe that is due shows as kProbe.
  HealthView views() const { return views_; }
  // The breaker as one shard is to see it: a probe that is due shows as kProbe to one shard at a
  // time, and as kHalfOpen to the others. REQUIRES: shard < shards.
  BreakerState breaker_for(EndpointId endpoint, std::uint32_t shard, std::uint32_t shards) const;
  // Probes that are due pass on to the next shard, for that one may have no request to send.
  void pass_probes() { ++probe_turn_; }
  // All of it for one shard. REQUIRES: out.size() == endpoints(), shard < shards.
  void fill_view(std::uint32_t shard, std::uint32_t shards, std::span<EndpointHealth> out) const;

  Duration first_token_limit(EndpointId endpoint) const { return rows_[endpoint].limit; }
  Duration suspect_after(EndpointId endpoint) const { return rows_[endpoint].suspect_after; }
  // Of the last 30 minutes; 0 where too little is known.
  Duration first_token_p95(EndpointId endpoint) const { return rows_[endpoint].first_token_p95; }
  HealthReport report(EndpointId endpoint, Instant now) const;

  // For what keeps the state over a restart (health_state.h).
  const EndpointWindows& windows(EndpointId endpoint) const { return rows_[endpoint].windows; }
  EndpointWindows& windows_for_restore(EndpointId endpoint);
  void forget_all();

 private:
  struct Row {
    EndpointWindows windows;
    Breaker breaker;
    FirstTokenLimits limits;
    Duration limit{0};
    Duration suspect_after{0};
    Duration first_token_p95{0};
    std::int64_t waiting = 0;
    std::int64_t overdue = 0;
    std::int64_t overdue_at_token = 0;  // when a first token came last
    Instant token_at{0};                // that moment
    bool is_stale = true;               // its percentiles are to be taken again
    bool is_known = false;
  };
  Row& know(EndpointId endpoint);
  bool is_hung(const Row& row, Instant now) const;
  void measure(Row& row, EndpointHealth& view, Instant now);

  std::vector<Row> rows_;
  std::vector<EndpointHealth> views_;
  std::vector<EndpointId> known_;
  std::uint32_t turn_ = 0;
  std::uint32_t probe_turn_ = 0;
};

}  // namespace leat::policy
