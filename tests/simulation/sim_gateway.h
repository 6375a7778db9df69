// SPDX-License-Identifier: Apache-2.0
// SimGateway: the gateway of one simulated world, as main() would make it but for Io and resolver:
// its shards, and the health desk that they tell their news to and hear from four times a second.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "gateway/gateway.h"
#include "gateway/health_desk.h"
#include "gateway/snapshot.h"
#include "shard/shard.h"
#include "simulation/sim_io.h"
#include "simulation/sim_keeping.h"
#include "simulation/sim_resolver.h"

namespace leat::sim {

struct SimShard {
  SimShard(World& world, const gateway::Snapshot& snapshot, std::uint32_t index,
           std::span<const io::Address> providers, gateway::PeerMail& peers, SimKeeping* keeping);
  ~SimShard();

  SimIo io;
  Rng rng;
  shard::Shard shard;
  SimResolver resolver;
  shard::Mailbox mailbox;
  Duration hold_max{};  // no event of any stream may wait for longer
  gateway::Counters counters;
  gateway::LogRing log;
  std::unique_ptr<gateway::Gateway> gateway;
};

class SimGateway {
 public:
  // `providers`: where each of the snapshot's is to be found under its host's name. `keeping`: of
  // its ledger, a process of which it becomes; null: it has none.
  SimGateway(World& world, const gateway::Snapshot& snapshot,
             std::span<const io::Address> providers, SimKeeping* keeping = nullptr);
  ~SimGateway();

  // Binds the same address on every shard and starts them.
  void listen(const io::Address& address, bool half_close_allowed);
  void tell_to_drain();
  // From here on every shard serves by another configuration, which outlives it: as Reloader does,
  // each shard when it looks into its mailbox. REQUIRES: `generation` is higher than any before.
  void reload(const gateway::Snapshot& snapshot, std::uint32_t generation);
  // After the drain, in steps: every shard's ledger is closed in order. False: turns are needed.
  bool finish_ledgers();
  // As kill -9: no shard runs any more, and its machine ends its connections. The object stays
  // until the world has ended.
  void kill();
  // As if every endpoint had answered well lately, its first tokens taking that long. Shards hear
  // of it with the next health update.
  void remember_first_tokens(Duration took);

  std::span<const std::unique_ptr<SimShard>> shards() const { return shards_; }
  const policy::HealthBoard& board() const { return desk_->board(); }
  // Its breaker has opened at some time.
  bool was_ejected(policy::EndpointId endpoint) const { return was_ejected_[endpoint]; }

 private:
  void on_health_tick(std::uint64_t);
  bool post(std::uint32_t shard, std::unique_ptr<gateway::HealthUpdate>& update);
  std::unique_ptr<gateway::HealthDesk> make_desk(const gateway::Snapshot& snapshot);

  World& world_;
  gateway::PeerMail peers_;
  SimKeeping* keeping_;
  bool is_killed_ = false;
  std::uint32_t shards_count_;
  std::uint32_t generation_ = 1;
  std::unique_ptr<gateway::HealthDesk> desk_;
  std::vector<bool> was_ejected_;  // by EndpointId
  std::vector<std::unique_ptr<SimShard>> shards_;
};

}  // namespace leat::sim
