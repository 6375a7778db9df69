// SPDX-License-Identifier: Apache-2.0
// The metrics of a node: the shards' counters, summed when somebody asks, and the health of
// endpoints, as Prometheus text. Labels are of fixed sets: reasons, status classes, and what the
// catalogue holds; never a key, a path or an address.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "base/instant.h"
#include "gateway/counters.h"
#include "gateway/endpoint_counters.h"
#include "policy/catalogue.h"
#include "policy/health_board.h"

namespace leat::control {

// How many requests each reason refused; several faults share a reason. All reasons that there are.
std::map<std::string_view, std::uint64_t> refusals_by_reason(
    std::span<const gateway::Counters* const> shards);

std::string metrics_text(std::span<const gateway::Counters* const> shards);

// The process as the kernel sees it, by the names that Prometheus's own libraries use.
struct ProcessFacts {
  std::uint64_t resident_bytes = 0;
  std::uint64_t memory_max = 0;  // that it may hold
  std::int64_t began = 0;        // unix seconds
};
std::string process_metrics_text(const ProcessFacts& facts);

// Configurations since the process began.
struct ReloadFacts {
  std::uint32_t generation = 1;
  std::uint64_t applied = 0;
  std::uint64_t refused = 0;
  std::size_t former = 0;  // configurations that a request still runs by
};
std::string reload_metrics_text(const ReloadFacts& facts);

// Of the endpoints that anything was ever heard of, the last restart's included. REQUIRES: the
// board is of that catalogue.
std::string health_metrics_text(const policy::Catalogue& catalogue,
                                const policy::HealthBoard& board, Instant now);

// What requests did at each endpoint that was ever asked: attempts by outcome, times, tokens,
// money. The endpoints that were asked most have series of their own, the others are summed as
// `other`, which falls where one of them has become one of those: to a reader that is a restart of
// the counter. REQUIRES: the tables are of that catalogue.
inline constexpr std::size_t kEndpointSeriesMax = 100;
std::string endpoint_metrics_text(const policy::Catalogue& catalogue,
                                  std::span<const gateway::EndpointCounterTable* const> shards,
                                  std::size_t endpoints_max = kEndpointSeriesMax);

// How long clients waited, by the model that they were served: the most answered have series of
// their own, as above.
inline constexpr std::size_t kModelSeriesMax = 100;
std::string model_metrics_text(const policy::Catalogue& catalogue,
                               std::span<const gateway::EndpointCounterTable* const> shards,
                               std::size_t models_max = kModelSeriesMax);

}  // namespace leat::control
