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

#include "app/configurations.h"
#include "control/account_thread.h"
#include "control/reload_result.h"
#include "control/surroundings.h"
#include "gateway/configuration.h"
#include "shard/shard.h"

namespace leat::app {

class Reloader {
 public:
  // What it works on, and what others do for it; all outlive it.
  struct Parts {
    shard::Shard* control = nullptr;
    Configurations* configurations = nullptr;
    const control::Surroundings* surroundings = nullptr;
    std::string config_file;        // empty: there is none, and nothing to load
    std::function<bool()> is_open;  // false: Leat is about to end, or is being taken over
    std::uint32_t shards = 0;
    // An order for one of them; take() has its answer. False: it has no room, and the order is the
    // caller's again.
    std::function<bool(std::uint32_t shard, std::unique_ptr<gateway::DeploymentOrder>& order)> post;
    // Whether a shard was not told yet to serve by the reload before this one.
    std::function<bool()> is_behind;
    // Makes the keys, and tells all shards to serve by what they have prepared; `then` hears what
    // is wrong, or nothing, in a later turn. False: it has too much to do, and never calls `then`.
    std::function<bool(std::shared_ptr<const control::AccountReload>,
                       std::function<void(const std::string& fault)> then)>
        make_keys;
    std::function<void(const LoadedConfiguration&)> on_served;
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
