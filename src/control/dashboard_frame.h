// SPDX-License-Identifier: Apache-2.0
// The frame that a dashboard and `leat top` are sent each second: one JSON object with what the
// node counts and knows of its endpoints at this moment. Built of the same words as /metrics, when
// somebody watches; pure.
//
// What everybody may see who reaches the admin listener is what /metrics says: counts, health, no
// name but the catalogue's. Money, and the requests that run now with the names of their keys, are
// for operators. Never a secret, a prompt or a key's text.
//
// Counters are told as they stand. Members are added, never renamed; what is not known is null.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/instant.h"
#include "control/dashboard_history.h"
#include "gateway/counters.h"
#include "gateway/endpoint_counters.h"
#include "gateway/shard_report.h"
#include "policy/catalogue.h"
#include "policy/health_board.h"

namespace leat::control {

enum class FrameReader : std::uint8_t { kEverybody, kOperator };

struct FrameInput {
  std::span<const gateway::Counters* const> shards;
  // Of this catalogue, as the board is.
  std::span<const gateway::EndpointCounterTable* const> endpoints;
  const policy::Catalogue& catalogue;
  const policy::HealthBoard& board;
  // By endpoint: the share of its model's requests that a plan would give it now; of those that are
  // not in it nothing is told.
  const std::map<policy::EndpointId, double>& planned_shares;
  // The shards' last; those that have not answered yet are missing.
  std::span<const gateway::ShardReport* const> reports = {};
  DashboardRates rates;
  Instant now{};
  WallTime wall{};
  Instant began{};  // when the process did
  bool is_ready = true;
};

// More endpoints than a person looks through: those that were asked most.
inline constexpr std::size_t kFrameEndpointsMax = 100;
// Of an endpoint, from all shards.
inline constexpr std::size_t kFrameOutcomesMax = 32;
// The oldest ones.
inline constexpr std::size_t kFrameRunningMax = 200;

std::string dashboard_frame(const FrameInput& input, FrameReader reader);

}  // namespace leat::control
