// SPDX-License-Identifier: Apache-2.0
// LimitShard: the limits of one shard in simulated time, each in a shard's loop of its own; and
// Request, which takes of one key there. For tests of limits that shards, or processes, share.
#pragma once

#include <cstdint>
#include <span>

#include "gateway/key_table.h"
#include "gateway/owned_message.h"
#include "gateway/shard_limits.h"
#include "simulation/sim_io.h"

namespace leat::sim {

// One shard's limits in a loop of their own.
class LimitShard : private shard::MessageHandler {
 public:
  LimitShard(World& world, std::uint32_t index, gateway::PeerMail& peers,
             std::span<const gateway::RestoredQuantity> restored,
             std::span<const policy::CarriedQuantity> carried = {})
      : io_(world, io::Address::v4(10, 0, 0, static_cast<std::uint8_t>(index + 1), 0)),
        rng_(index),
        shard_(io_, rng_, index),
        limits_(shard_, {.peers = &peers, .life = 1, .restored = restored, .carried = carried}) {
    peers.attach(shard_, *this);
    io_.set_run_turn([this] {
      shard_.run_turn();
      ++turns_;
    });
  }
  void start() { io_.start(); }
  void open(gateway::PeerMail& peers) { peers.open(shard_.index(), io_.waker()); }
  void stop() { io_.stop(); }
  gateway::ShardLimits& limits() { return limits_; }
  shard::Shard& shard() { return shard_; }
  SimIo& io() { return io_; }
  std::uint64_t turns() const { return turns_; }

 private:
  void on_message(const shard::Message& message) override {
    limits_.take(gateway::owned_of<gateway::LeaseMail>(message));
  }
  SimIo io_;
  Rng rng_;
  shard::Shard shard_;
  gateway::ShardLimits limits_;
  std::uint64_t turns_ = 0;
};

class Request final : public policy::AdmissionTicket {
 public:
  Request(World& world, LimitShard& at) : world_(world), at_(at), asked_(world.now()) {}
  ~Request() { cancel(); }
  void ask(const gateway::KeyRow& key, const policy::AdmissionAmounts& amounts) {
    gateway::KeyDirectory::Found found{.fault = gateway::KeyFault::kNone, .key = &key};
    policy::AdmissionAccount& account = at_.limits().account_of(found, 1);
    at_.limits().admission().admit(account, amounts, *this, at_.shard().now());
    // The turn that this call stands for would run it by itself.
    at_.io().waker().wake();
  }
  void settle(const policy::AdmissionAmounts& used) {
    at_.limits().admission().settle(*this, used, at_.shard().now());
    at_.io().waker().wake();
  }
  void cancel() { at_.limits().admission().cancel(*this, at_.shard().now()); }
  Instant decided_at() const { return decided_; }

 private:
  void admission_decided() override { decided_ = world_.now(); }
  World& world_;
  LimitShard& at_;
  Instant asked_;
  Instant decided_ = kNever;
};

inline gateway::KeyRow key_of(std::uint32_t id) {
  gateway::KeyRow key;
  key.id = id;
  return key;
}

}  // namespace leat::sim
