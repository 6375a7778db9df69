// SPDX-License-Identifier: Apache-2.0
// DashboardKeeper: the dashboard at work: keeps the last minutes and, once a second, sends who
// watches a frame. While nobody does it takes one sample a second and builds nothing. Owned by the
// control shard, on whose thread all of it runs; costs the data shards nothing.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "app/configurations.h"
#include "app/health_keeper.h"
#include "app/shard_thread.h"
#include "base/rng.h"
#include "control/admin_server.h"
#include "control/dashboard_frame.h"
#include "control/dashboard_history.h"
#include "shard/shard.h"

namespace leat::app {

class DashboardKeeper {
 public:
  // All outlive the keeper.
  struct Parts {
    shard::Shard& control;
    const Configurations& configurations;
    const std::vector<std::unique_ptr<ShardThread>>& threads;
    HealthKeeper& health;
    Rng& rng;
  };
  explicit DashboardKeeper(const Parts& parts) : parts_(parts), began_(parts.control.now()) {}

  // `admin` outlives what is between this and stop().
  void start(control::AdminServer& admin, std::function<bool()> is_ready);
  void stop();
  // REQUIRES: kShardReport.
  void take(const shard::Message& message);
  // One, for who does not watch.
  std::string frame(bool is_operator);
  std::string history() const { return history_.json(); }
  // Another configuration: what was known by the former numbers of endpoints goes.
  void change();

 private:
  void on_second();
  void plan_shares();
  void send_frames();
  std::string make_frame(control::FrameReader reader);

  Parts parts_;
  Instant began_;
  control::AdminServer* admin_ = nullptr;  // null: stopped
  std::function<bool()> is_ready_;
  control::DashboardHistory history_;
  // As FrameInput has it, and when it is to be made anew.
  std::map<policy::EndpointId, double> planned_shares_;
  Instant plan_at_{0};
  Instant asked_at_ = kNever;                                               // by frame() last
  std::map<std::uint32_t, std::unique_ptr<gateway::ShardReport>> reports_;  // the last, by shard
  Timer timer_{timer_callback<&DashboardKeeper::on_second>, this};
};

}  // namespace leat::app
