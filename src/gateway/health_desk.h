// SPDX-License-Identifier: Apache-2.0
// HealthDesk: where what the shards see of endpoints comes together, and goes out again as each
// shard's view. Holds the HealthBoard of a snapshot's catalogue. Owned by control, whose thread is
// the only one to use it; no clock (time is an argument that never goes back), no thread, no file.
//
//   take(news) of every shard, as they come -> tick() every kHealthInterval -> post(shard, update)
//
// A shard is told of an endpoint only when something about it has changed since it was told last,
// so a desk at rest wakes nobody.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/instant.h"
#include "base/result.h"
#include "gateway/health_link.h"
#include "gateway/snapshot.h"
#include "policy/health_board.h"

namespace leat::gateway {

class HealthDesk {
 public:
  // Takes an update for a shard, unless it cannot now: false, `update` is as it was, and what has
  // changed is told with the next tick.
  using Post = std::function<bool(std::uint32_t shard, std::unique_ptr<HealthUpdate>& update)>;

  HealthDesk(const Snapshot& snapshot, std::uint32_t shards, Post post);

  // REQUIRES: news of this snapshot's shards.
  void take(const HealthNews& news, Instant now);
  // Every shard is given what is new since it was told last.
  void tick(Instant now);

  // ---- Over a restart (policy/health_state.h) ----
  std::vector<std::uint8_t> state(Instant now, WallTime wall) const;
  // The next tick tells every shard all of it. kInvalid: nothing is known, as before.
  // REQUIRES: nothing was taken yet.
  Result<void> restore(std::span<const std::uint8_t> bytes, Instant now, WallTime wall);

  // ---- For control's own answers ----
  const policy::HealthBoard& board() const { return board_; }
  // For a plan that no shard makes. Valid until the next call of anything here.
  policy::HealthView view(Instant now);

 private:
  // Of one endpoint: what shards were told, but for the breaker, which differs by shard.
  struct Entry {
    HealthUpdate::Row row;
    std::uint64_t changed = 0;  // the tick that found it different
    bool has_news = true;       // since its report was made
  };
  struct Shard {
    std::uint64_t told = 0;                       // the last tick that it knows all of
    std::vector<policy::BreakerState> breakers;   // as it sees them; by EndpointId
    std::vector<HeldConversation> conversations;  // that others told of, and it was not told yet
  };
  void refresh(Instant now);
  void update_entry(policy::EndpointId endpoint, Instant now);
  void tell(std::uint32_t index);

  policy::HealthBoard board_;
  std::vector<std::uint64_t> identities_;  // these two by EndpointId
  std::vector<Entry> entries_;
  std::vector<Shard> shards_;
  Post post_;
  std::uint64_t tick_ = 0;
  bool has_news_ = false;  // since the last tick
  Instant refreshed_{0};
};

}  // namespace leat::gateway
