// SPDX-License-Identifier: Apache-2.0
// ShardThread: one data shard on a thread of its own. Everything that the shard uses is made on
// that thread (the kernel ties a ring to it) and destroyed there. Others reach it through its
// mailbox, counters() and log() only.
#pragma once

#include <atomic>
#include <future>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "control/ledger_keeper.h"
#include "control/placement.h"
#include "control/surroundings.h"
#include "gateway/gateway.h"
#include "io/uring_io.h"
#include "leat/options.h"
#include "tls/ticket_keys.h"

namespace leat::app {

struct ShardSetup {
  std::uint32_t index = 0;
  int core = -1;  // to be pinned to; -1: not
  std::uint64_t seed = 0;
  // Of UringOptions.
  std::vector<std::uint32_t> steering;
  io::HugePages huge_pages = io::HugePages::kUnasked;
  std::uint32_t napi_busy_poll_us = 0;
  std::vector<io::Address> listen;               // one for each Options::server.listen
  std::vector<io::InheritedListener> inherited;  // some of those, open already
  // Where clients of processes before us come in (control/takeover.h); none: nowhere.
  std::optional<gateway::Successor> passage;
  std::uint32_t connections_max = 0;
  std::uint64_t buffered_bodies_max = 0;
  const std::atomic<std::uint32_t>* memory_percent = nullptr;
  std::shared_ptr<const gateway::Configuration> configuration;  // to begin with
  gateway::EventRing* events = nullptr;             // null: nobody is told of ended requests
  gateway::ContentRing* contents = nullptr;         // null: no content is logged
  const gateway::KeyDelta* keys = nullptr;          // read until started() only
  gateway::TicketMail* provider_tickets = nullptr;  // of the process before; as `keys`
  // Of processes before; as `keys`.
  std::span<const policy::HeldConversation> conversations;
  control::LedgerKeeper* ledger = nullptr;  // null: no records are kept
  gateway::LimitSetup limits;               // its mail outlives the shards
  const control::Surroundings* surroundings = nullptr;
  const tls::TicketSeed* tickets = nullptr;  // of the process; outlives the shards
};

// How the start went: the addresses that were bound, or what is wrong.
struct ShardStarted {
  std::vector<io::Address> bound;
  std::string fault;  // empty: it serves
  control::ShardPlace place;
};

class ShardThread {
 public:
  // Starts the thread and waits until it serves or has failed.
  // The shard says in outbox() that it has drained, and wakes the control shard.
  ShardThread(const ShardSetup& setup, io::Waker& control_waker);
  ~ShardThread();

  const ShardStarted& started() const { return started_; }
  const gateway::Counters& counters() const { return counters_; }
  gateway::LogRing& log() { return log_; }
  // Messages of this shard to the control shard: one writer, one reader.
  shard::Mailbox& outbox() { return outbox_; }
  // REQUIRES: the shard serves, or has ended by a message of ours.
  void post(const shard::Message& message);
  // False, and what was to be posted is left: it does not keep up with its messages.
  bool post(std::unique_ptr<gateway::HealthUpdate>& update);
  bool post(std::unique_ptr<gateway::KeyDelta>& delta);
  bool post(std::unique_ptr<gateway::AccountReply>& reply);
  bool post(std::unique_ptr<gateway::LateSettlements>& late);
  bool post(std::unique_ptr<gateway::Successor>& successor);
  bool post(std::unique_ptr<policy::CarriedEnds>& ends);
  bool post(std::unique_ptr<gateway::DeploymentOrder>& order);
  // Asks for a ShardReport, which comes in outbox(); nothing comes if it does not keep up.
  void ask_report();
  void join();

 private:
  template <class Owned>
  bool post_and_wake(std::unique_ptr<Owned>& owned);
  void run(std::promise<ShardStarted>& started);
  std::string set_up();
  std::string make_tls(const gateway::Configuration& configuration, gateway::DeploymentTls& tls);
  void listen_to_gateway();
  void tear_down();
  bool pin();

  ShardSetup setup_;
  io::Waker& control_waker_;
  shard::Mailbox inbox_;
  shard::Mailbox outbox_;
  gateway::Counters counters_;
  gateway::LogRing log_;
  ShardStarted started_;
  // Made and destroyed on the thread.
  std::unique_ptr<io::UringIo> io_;
  std::unique_ptr<Rng> rng_;
  std::unique_ptr<shard::Shard> shard_;
  std::unique_ptr<net::Resolver> resolver_;
  std::unique_ptr<gateway::Gateway> gateway_;
  io::Waker* waker_ = nullptr;
  std::thread thread_;
};

}  // namespace leat::app
