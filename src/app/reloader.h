// SPDX-License-Identifier: Apache-2.0
// Reloader: another configuration for a running Leat, whole or not at all:
//
//   file --load_config--> sound? --changes--> none that is fixed? --> made (secrets, certificates)
//     --> one shard makes its deployment of it --> the others do --> the accounts make its keys
//     --> every shard serves by it
//
// Whatever fails on the way is said, and the last good one goes on; requests that run end by the
// configuration that they began with. Reading blocks the control shard for as long as files take:
// data shards do not notice. Part of the control shard, whose thread is its own.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "app/account_keeper.h"
#include "app/configurations.h"
#include "app/health_keeper.h"
#include "app/shard_thread.h"
#include "control/reload_result.h"
#include "control/surroundings.h"
#include "shard/shard.h"

namespace leat::app {

class Reloader {
 public:
  struct Parts {
    shard::Shard* control = nullptr;
    Configurations* configurations = nullptr;
    const std::vector<std::unique_ptr<ShardThread>>* threads = nullptr;
    HealthKeeper* health = nullptr;
    AccountKeeper* accounts = nullptr;
    const control::Surroundings* surroundings = nullptr;
    std::string config_file;        // empty: there is none, and nothing to load
    std::function<bool()> is_open;  // false: Leat is about to end, or is being taken over
  };
  explicit Reloader(Parts parts);

  using Then = std::function<void(const control::ReloadResult&)>;
  // `is_trial`: only whether it would do, and what would change. `then` is called once, at once or
  // in a later turn.
  void reload(bool is_trial, Then then);
  // REQUIRES: kDeploymentReport.
  void take(const shard::Message& message);
  // What is under way is not waited for.
  void stop();

  std::uint64_t applied_count() const { return applied_; }
  std::uint64_t refused_count() const { return refused_; }

 private:
  struct Running {
    std::shared_ptr<LoadedConfiguration> next;
    std::vector<control::ConfigChange> changes;
    Then then;
    std::size_t prepared = 0;  // shards
    bool is_left_to_accounts = false;
  };
  control::ReloadResult read(std::shared_ptr<LoadedConfiguration>& next) const;
  void prepare(std::uint32_t shard);
  void ask_accounts();
  void serve();
  void give_up(const std::string& why);
  void finish(control::ReloadResult outcome, const Then& then);
  void on_timer();

  const Parts parts_;
  std::unique_ptr<Running> running_;  // null: none is under way
  std::uint64_t attempt_ = 0;         // counts what shards were asked to prepare
  std::uint64_t applied_ = 0;
  std::uint64_t refused_ = 0;
  Instant give_up_at_ = kNever;
  Timer timer_{timer_callback<&Reloader::on_timer>, this};
};

}  // namespace leat::app
