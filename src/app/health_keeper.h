// SPDX-License-Identifier: Apache-2.0
// HealthKeeper: the health desk at work: takes the news that the shards' messages bring, ticks, and
// posts what the desk says to the shards; keeps what it knows in Options::routing.health_file; and
// passes on what comes of conversations. Owned by the control shard, on whose thread all of it
// runs. What goes wrong with the file is said on stderr.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "app/configurations.h"
#include "app/conversation_keeper.h"
#include "app/shard_thread.h"
#include "control/health_file.h"
#include "gateway/health_desk.h"
#include "shard/shard.h"

namespace leat::app {

class HealthKeeper {
 public:
  // `count`: how many there will be in `threads`, which may still be empty and outlives the keeper.
  // `is_behind`: whether a shard has not been told of the configuration that this is of.
  // `conversations` outlives the keeper.
  HealthKeeper(shard::Shard& control, ConversationKeeper& conversations,
               const LoadedConfiguration& configuration, std::uint32_t count,
               const std::vector<std::unique_ptr<ShardThread>>& threads,
               std::function<bool(std::uint32_t shard)> is_behind);

  // Another configuration, which the shards are told to serve by: what is known of endpoints that
  // it has too goes on.
  void change(const LoadedConfiguration& configuration);

  // Before any news.
  void load(const control::Surroundings& surroundings);
  // Another process keeps it from here on; or does not, after all.
  void leave() { control_.wheel().cancel(save_timer_); }
  void return_to_work() { on_save(); }
  // When all shards are there: they hear at once of what was loaded.
  void begin();
  // After the last news.
  void save();
  // REQUIRES: kHealthNews.
  void take(const shard::Message& message);

  // Until change().
  gateway::HealthDesk& desk() { return *desk_; }

 private:
  std::unique_ptr<gateway::HealthDesk> make_desk(const LoadedConfiguration& configuration);
  void on_tick();
  void on_save();

  shard::Shard& control_;
  ConversationKeeper& conversations_;
  const std::uint32_t count_;
  const std::vector<std::unique_ptr<ShardThread>>& threads_;
  const std::function<bool(std::uint32_t)> is_behind_;
  std::uint32_t generation_ = 0;  // whose endpoints desk_ knows
  std::unique_ptr<gateway::HealthDesk> desk_;
  control::HealthFile file_;
  Timer tick_timer_{timer_callback<&HealthKeeper::on_tick>, this};
  Timer save_timer_{timer_callback<&HealthKeeper::on_save>, this};
};

}  // namespace leat::app
