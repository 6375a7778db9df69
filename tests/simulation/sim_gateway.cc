// SPDX-License-Identifier: Apache-2.0
#include "simulation/sim_gateway.h"

#include <algorithm>

#include "base/check.h"
#include "gateway/configured_keys.h"
#include "gateway/owned_message.h"

namespace leat::sim {

namespace {

constexpr int kLastTurns = 8;

// Where a shard's connections to providers come from: each from a host of its own, so that
// providers can tell the shards apart.
io::Address host_of(std::uint32_t shard) {
  return io::Address::v4(10, 0, 0, static_cast<std::uint8_t>(shard + 1), 0);
}

}  // namespace

SimShard::SimShard(World& world, const gateway::Snapshot& snapshot, std::uint32_t index,
                   std::span<const io::Address> providers, gateway::PeerMail& peers,
                   SimKeeping* keeping)
    : io(world, host_of(index)),
      rng(world.rng().next()),
      shard(io, rng, index),
      resolver(world, shard) {
  const auto& options = snapshot.options().providers;
  LEAT_CHECK(providers.size() == options.size());
  for (std::size_t i = 0; i < options.size(); ++i) {
    resolver.add(options[i].base_url.host, {providers[i]});
  }
  hold_max = milliseconds(snapshot.options().hold.ms_max);
  for (const Model& model : snapshot.options().models) {
    hold_max = std::max(hold_max, milliseconds(model.hold_ms_max));
  }
  io.set_hold_max(hold_max);
  gateway::GatewayParts parts;
  parts.resolver = &resolver;
  parts.counters = &counters;
  parts.log = &log;
  const gateway::KeyDelta keys =
      gateway::configured_delta(snapshot.options(), snapshot.catalogue());
  parts.keys = &keys;
  parts.limits.peers = &peers;
  if (keeping != nullptr) {
    parts.ledger = keeping->parts(index);
    keeping->attach(index, mailbox, io.waker());
  }
  auto configuration = std::make_shared<gateway::Configuration>();
  configuration->snapshot = &snapshot;
  gateway = std::make_unique<gateway::Gateway>(shard, std::move(configuration),
                                               gateway::DeploymentTls(), parts);
  shard.attach_mailbox(mailbox, gateway->message_handler());
  peers.attach(shard, gateway->message_handler());
  io.set_run_turn([this] { shard.run_turn(); });
}

SimShard::~SimShard() {
  // What came after the shard's last turn.
  shard::Message message;
  while (mailbox.take(message)) {
    gateway::discard(message);
  }
}

SimGateway::SimGateway(World& world, const gateway::Snapshot& snapshot,
                       std::span<const io::Address> providers, SimKeeping* keeping)
    : world_(world),
      peers_(snapshot.options().server.shards),
      keeping_(keeping),
      shards_count_(snapshot.options().server.shards),
      desk_(make_desk(snapshot)),
      was_ejected_(snapshot.catalogue().endpoints().size(), false) {
  if (keeping != nullptr) keeping->start(snapshot.options().server.shards);
  for (std::uint32_t i = 0; i < snapshot.options().server.shards; ++i) {
    shards_.push_back(std::make_unique<SimShard>(world, snapshot, i, providers, peers_, keeping));
    shards_.back()->gateway->on_health_news = [this](std::unique_ptr<gateway::HealthNews>& news) {
      if (news->generation == generation_) desk_->take(*news, world_.now());
      return true;
    };
  }
  // Not in step with the shards' own interval.
  const Duration first = nanoseconds(world.rng().between(0, gateway::kHealthInterval.ns));
  world.schedule(world.now() + first, EventKind::kActor,
                 event_callback<&SimGateway::on_health_tick>, this);
}

// One that was killed still holds what it was at.
SimGateway::~SimGateway() {
  for (const auto& shard : shards_) shard->gateway->shut_down();
  for (int i = 0; i < kLastTurns; ++i) {
    for (const auto& shard : shards_) shard->shard.run_turn();
  }
}

void SimGateway::listen(const io::Address& address, bool half_close_allowed) {
  for (const auto& shard : shards_) {
    LEAT_CHECK(shard->gateway->listen(address, false, half_close_allowed).has_value());
    shard->io.start();
    peers_.open(shard->shard.index(), shard->io.waker());
  }
}

std::unique_ptr<gateway::HealthDesk> SimGateway::make_desk(const gateway::Snapshot& snapshot) {
  return std::make_unique<gateway::HealthDesk>(
      snapshot, shards_count_,
      [this](std::uint32_t shard, std::unique_ptr<gateway::HealthUpdate>& update) {
        update->generation = generation_;
        return post(shard, update);
      });
}

void SimGateway::reload(const gateway::Snapshot& snapshot, std::uint32_t generation) {
  auto configuration = std::make_shared<gateway::Configuration>();
  configuration->generation = generation_ = generation;
  configuration->snapshot = &snapshot;
  using Step = gateway::DeploymentOrder::Step;
  for (const auto& shard : shards_) {
    for (const Step step : {Step::kPrepare, Step::kServe}) {
      auto order = std::make_unique<gateway::DeploymentOrder>();
      order->step = step;
      order->configuration = configuration;
      order->keys = gateway::configured_delta(snapshot.options(), snapshot.catalogue());
      order->keys.version += generation << 16;  // of a table that was made anew
      LEAT_CHECK(shard->mailbox.post(gateway::message_of(std::move(order))));
    }
    shard->io.waker().wake();
  }
  const WallTime wall = WallTime{world_.now().ns};
  const auto known = desk_->state(world_.now(), wall);
  desk_ = make_desk(snapshot);
  LEAT_CHECK(desk_->restore(known, world_.now(), wall).has_value());
  was_ejected_.assign(snapshot.catalogue().endpoints().size(), false);
}

void SimGateway::tell_to_drain() {
  for (const auto& shard : shards_) {
    LEAT_CHECK(shard->mailbox.post({.kind = shard::Message::Kind::kDrain}));
    shard->io.waker().wake();
  }
}

bool SimGateway::finish_ledgers() {
  bool is_finished = true;
  for (const auto& shard : shards_) {
    is_finished = shard->gateway->finish_ledger() && is_finished;
    shard->io.waker().wake();
  }
  return is_finished;
}

void SimGateway::kill() {
  is_killed_ = true;
  for (const auto& shard : shards_) shard->io.kill();
  if (keeping_ != nullptr) keeping_->kill();
}

void SimGateway::remember_first_tokens(Duration took) {
  constexpr std::uint32_t kEnough = 50;
  gateway::HealthNews news;
  for (std::size_t i = 0; i < was_ejected_.size(); ++i) {
    auto& [endpoint, summary] = news.summaries.emplace_back();
    endpoint = static_cast<policy::EndpointId>(i);
    summary.successes = summary.first_tokens = kEnough;
    summary.first_token.counts[policy::bucket_of_first_token(took)] = kEnough;
  }
  desk_->take(news, world_.now());
}

void SimGateway::on_health_tick(std::uint64_t) {
  if (is_killed_) return;
  desk_->tick(world_.now());
  const policy::HealthView views = board().views();
  for (std::size_t i = 0; i < views.size(); ++i) {
    if (views[i].breaker != policy::BreakerState::kClosed) was_ejected_[i] = true;
  }
  world_.schedule(world_.now() + gateway::kHealthInterval, EventKind::kActor,
                  event_callback<&SimGateway::on_health_tick>, this);
}

bool SimGateway::post(std::uint32_t shard, std::unique_ptr<gateway::HealthUpdate>& update) {
  const shard::Message message = gateway::message_of(std::move(update));
  if (!shards_[shard]->mailbox.post(message)) {
    update = gateway::owned_of<gateway::HealthUpdate>(message);
    return false;
  }
  shards_[shard]->io.waker().wake();
  return true;
}

}  // namespace leat::sim
