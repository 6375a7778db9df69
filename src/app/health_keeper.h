// SPDX-License-Identifier: Apache-2.0
// HealthKeeper: the health desk at work: takes the news that the shards' messages bring, ticks, and
// posts what the desk says to the shards. Owned by the control shard, on whose thread all of it
// runs.
#pragma once

#include <memory>
#include <vector>

#include "app/shard_thread.h"
#include "gateway/health_desk.h"
#include "shard/shard.h"

namespace leat::app {

class HealthKeeper {
 public:
  // `count`: how many there will be in `threads`, which may still be empty and outlives the keeper.
  HealthKeeper(shard::Shard& control, const gateway::Snapshot& snapshot, std::uint32_t count,
               const std::vector<std::unique_ptr<ShardThread>>& threads);

  // When all shards are there.
  void begin() { on_tick(); }
  // REQUIRES: kHealthNews.
  void take(const shard::Message& message);

  gateway::HealthDesk& desk() { return desk_; }

 private:
  void on_tick();

  shard::Shard& control_;
  gateway::HealthDesk desk_;
  Timer timer_{timer_callback<&HealthKeeper::on_tick>, this};
};

}  // namespace leat::app
