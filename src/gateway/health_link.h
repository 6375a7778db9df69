// SPDX-License-Identifier: Apache-2.0
// What shards and the health board tell each other, by message: a shard its HealthNews every 250 ms
// where there are any, the desk (health_desk.h) in return a HealthUpdate of what has changed
// (owned_message.h).
#pragma once

#include <cstdint>
#include <vector>

#include "base/instant.h"
#include "gateway/conversations.h"
#include "policy/health_board.h"

namespace leat::gateway {

inline constexpr Duration kHealthInterval = milliseconds(250);

struct HealthNews {
  struct Summary {
    policy::EndpointId endpoint = policy::kNoId;
    policy::HealthSummary summary;
  };
  struct Limit {
    policy::EndpointId endpoint = policy::kNoId;
    Instant until{0};  // when the first of the shard's keys for it may be used again
  };
  std::uint32_t shard = 0;
  // Of the configuration whose endpoints these are; HeldConversation names them for all.
  std::uint32_t generation = 1;
  std::vector<Summary> summaries;
  std::vector<Limit> limits;
  std::vector<policy::EndpointId> probes;       // that the shard began
  std::vector<HeldConversation> conversations;  // for the other shards

  bool is_empty() const {
    return summaries.empty() && limits.empty() && probes.empty() && conversations.empty();
  }
};

struct HealthUpdate {
  struct Row {
    policy::EndpointId endpoint = policy::kNoId;
    policy::EndpointHealth view;
    Duration first_token_limit{0};
    Duration suspect_after{0};
    Duration first_token_p95{0};  // 0: not known
    policy::HealthReport report;
    bool operator==(const Row&) const = default;
  };
  std::uint32_t generation = 1;  // of the configuration whose endpoints these are
  std::vector<Row> rows;
  std::vector<HeldConversation> conversations;  // that other shards told of

  bool is_empty() const { return rows.empty() && conversations.empty(); }
};

}  // namespace leat::gateway
