// SPDX-License-Identifier: Apache-2.0
#include "gateway/health_desk.h"

#include <utility>

#include "base/check.h"
#include "policy/health_state.h"

namespace leat::gateway {
namespace {

using policy::BreakerState;
using policy::EndpointId;

// A report is made of an endpoint with news, and of each other one this often (10 s): it changes
// only by what falls out of its windows.
constexpr std::uint64_t kReportTicks = 40;
// Where no shard has anything to tell, none has requests to probe with: passing a probe on every
// tick would only wake them all.
constexpr std::uint64_t kIdleProbeTicks = 8;
// Of a shard that takes no messages; what is beyond is forgotten.
constexpr std::size_t kUntoldConversationsMax = 65'536;

}  // namespace

HealthDesk::HealthDesk(const Snapshot& snapshot, std::uint32_t shards, Post post)
    : board_(snapshot.catalogue().endpoints().size()), post_(std::move(post)) {
  const auto endpoints = snapshot.catalogue().endpoints();
  identities_.reserve(endpoints.size());
  entries_.resize(endpoints.size());
  for (EndpointId id = 0; id < endpoints.size(); ++id) {
    identities_.push_back(endpoints[id].identity);
    board_.set_first_token_limits(id, snapshot.times_of(endpoints[id].model).first_token);
    // What every shard begins with: ShardHealth().
    entries_[id].row = {.endpoint = id,
                        .view = {},
                        .first_token_limit = board_.first_token_limit(id),
                        .suspect_after = board_.suspect_after(id),
                        .report = {}};
  }
  shards_.resize(shards);
  for (Shard& shard : shards_) shard.breakers.resize(endpoints.size(), BreakerState::kClosed);
}

void HealthDesk::take(const HealthNews& news, Instant now) {
  LEAT_CHECK(news.shard < shards_.size());
  has_news_ = true;
  // Before the summaries, which may hold the probe's end.
  for (const EndpointId endpoint : news.probes) {
    board_.begin_probe(endpoint, now);
    // What the shard itself made of it.
    shards_[news.shard].breakers[endpoint] = BreakerState::kHalfOpen;
  }
  for (const HealthNews::Summary& each : news.summaries) {
    board_.merge(each.endpoint, each.summary, now);
    entries_[each.endpoint].has_news = true;
  }
  for (const HealthNews::Limit& each : news.limits) board_.limit_until(each.endpoint, each.until);
  for (std::uint32_t i = 0; i < shards_.size(); ++i) {
    auto& untold = shards_[i].conversations;
    if (i == news.shard || untold.size() >= kUntoldConversationsMax) continue;
    untold.insert(untold.end(), news.conversations.begin(), news.conversations.end());
  }
}

void HealthDesk::refresh(Instant now) {
  board_.refresh(now);
  refreshed_ = now;
}

void HealthDesk::update_entry(EndpointId endpoint, Instant now) {
  Entry& entry = entries_[endpoint];
  HealthUpdate::Row row = entry.row;
  row.view = board_.views()[endpoint];
  row.view.breaker = BreakerState::kClosed;
  row.first_token_limit = board_.first_token_limit(endpoint);
  row.suspect_after = board_.suspect_after(endpoint);
  row.first_token_p95 = board_.first_token_p95(endpoint);
  if (entry.has_news || (tick_ + endpoint) % kReportTicks == 0) {
    row.report = board_.report(endpoint, now);
    entry.has_news = false;
  }
  if (row == entry.row) return;
  entry.row = row;
  entry.changed = tick_;
}

void HealthDesk::tell(std::uint32_t index) {
  Shard& shard = shards_[index];
  const auto shards = static_cast<std::uint32_t>(shards_.size());
  auto update = std::make_unique<HealthUpdate>();
  for (const EndpointId endpoint : board_.known()) {
    const BreakerState breaker = board_.breaker_for(endpoint, index, shards);
    const Entry& entry = entries_[endpoint];
    if (entry.changed <= shard.told && breaker == shard.breakers[endpoint]) continue;
    update->rows.push_back(entry.row);
    update->rows.back().view.breaker = breaker;
  }
  update->conversations = std::move(shard.conversations);
  shard.conversations.clear();
  if (!update->is_empty()) {
    if (!post_(index, update)) {
      shard.conversations = std::move(update->conversations);
      return;
    }
    for (const EndpointId endpoint : board_.known()) {
      shard.breakers[endpoint] = board_.breaker_for(endpoint, index, shards);
    }
  }
  shard.told = tick_;
}

void HealthDesk::tick(Instant now) {
  ++tick_;
  refresh(now);
  if (has_news_ || tick_ % kIdleProbeTicks == 0) board_.pass_probes();
  has_news_ = false;
  for (const EndpointId endpoint : board_.known()) update_entry(endpoint, now);
  for (std::uint32_t i = 0; i < shards_.size(); ++i) tell(i);
}

std::vector<std::uint8_t> HealthDesk::state(Instant now, WallTime wall) const {
  return policy::write_health(board_, identities_, now, wall);
}

Result<void> HealthDesk::restore(std::span<const std::uint8_t> bytes, Instant now, WallTime wall) {
  LEAT_CHECK(tick_ == 0);
  return policy::read_health(bytes, identities_, now, wall, board_);
}

policy::HealthView HealthDesk::view(Instant now) {
  if (now - refreshed_ >= kHealthInterval) refresh(now);
  return board_.views();
}

}  // namespace leat::gateway
