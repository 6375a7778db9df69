// SPDX-License-Identifier: Apache-2.0
// What shards and the health board tell each other, by message: a shard its HealthNews every 250 ms
// where there are any, the desk (health_desk.h) in return a HealthUpdate of what has changed. Each
// is made by its writer and owned by whoever took the message; Message::value is the pointer.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/instant.h"
#include "gateway/conversations.h"
#include "policy/health_board.h"
#include "shard/mailbox.h"

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
  std::vector<Row> rows;
  std::vector<HeldConversation> conversations;  // that other shards told of

  bool is_empty() const { return rows.empty() && conversations.empty(); }
};

inline shard::Message message_of(std::unique_ptr<HealthNews> news) {
  return {shard::Message::Kind::kHealthNews, reinterpret_cast<std::uintptr_t>(news.release())};
}
inline shard::Message message_of(std::unique_ptr<HealthUpdate> update) {
  return {shard::Message::Kind::kHealthUpdate, reinterpret_cast<std::uintptr_t>(update.release())};
}
// REQUIRES: a message of that kind, taken once.
inline std::unique_ptr<HealthNews> news_of(const shard::Message& message) {
  return std::unique_ptr<HealthNews>(reinterpret_cast<HealthNews*>(message.value));
}
inline std::unique_ptr<HealthUpdate> update_of(const shard::Message& message) {
  return std::unique_ptr<HealthUpdate>(reinterpret_cast<HealthUpdate*>(message.value));
}
// Of a message that nobody will take: what it points to goes.
inline void discard(const shard::Message& message) {
  if (message.kind == shard::Message::Kind::kHealthNews) news_of(message).reset();
  if (message.kind == shard::Message::Kind::kHealthUpdate) update_of(message).reset();
}

}  // namespace leat::gateway
