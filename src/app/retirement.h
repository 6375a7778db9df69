// SPDX-License-Identifier: Apache-2.0
// Retirement: what this process does when another takes its place (control/takeover.h): has its
// shards yield and its accounts rest, frees the ledger's folder, and, once the other is ready, has
// the shards pass their clients on, and tells it what their requests come to. Whatever fails on the
// way, it goes on as before. Part of the control shard, whose thread is its own.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "app/account_keeper.h"
#include "app/predecessors.h"
#include "app/shard_thread.h"
#include "control/ledger_keeper.h"
#include "control/takeover.h"
#include "shard/shard.h"

namespace leat::app {

class Retirement {
 public:
  struct Parts {
    shard::Shard* control = nullptr;
    const std::vector<std::unique_ptr<ShardThread>>* threads = nullptr;
    AccountKeeper* accounts = nullptr;
    Predecessors* before = nullptr;
    Duration grace{0};                           // for what runs
    control::LedgerKeeper* ledger = nullptr;     // null: no records are kept
    std::function<std::string()> conversations;  // as bytes, once all shards have yielded
    // What else is to be left to the other process, and taken back.
    std::function<void()> leave;
    std::function<void()> return_to_work;
    // Another process serves: this one is to end when what runs has ended.
    std::function<void()> retire;
  };
  // `sockets`: as TakeoverDoor.
  Retirement(Parts parts, const control::TakeoverSockets& sockets);

  // A shard has yielded.
  void note_yielded() { ++yielded_; }
  // Tickets that a shard leaves to the other process.
  void take(const shard::Message& message);
  // What limits stand at, of one shard; and what has ended there since.
  void take(std::unique_ptr<policy::CarriedQuantities> carried);
  void take(std::unique_ptr<policy::CarriedEnds> ends);
  // Another process has taken over.
  bool is_retired() const { return is_retired_; }
  void stop();

 private:
  void yield();
  void pass_on();
  void resume();
  void on_timer();
  void post_untold();
  bool ask_carried();
  void tell_ends();
  void on_ends_timer() { tell_ends(); }

  const Parts parts_;
  const gateway::Successor successor_;
  std::size_t yielded_ = 0;
  std::vector<gateway::LentTicket> tickets_;
  bool is_yielding_ = false;  // the other process waits for us
  bool has_yielded_ = false;  // and was told
  bool is_resuming_ = false;  // the ledger's folder is to be had again
  bool is_retired_ = false;
  // By shard; null: it has it. Empty until another process has taken over.
  std::vector<std::unique_ptr<gateway::Successor>> untold_;
  std::size_t carried_count_ = 0;  // shards that have told
  bool is_carrying_ = false;       // they were asked
  policy::CarriedQuantities carried_;
  policy::CarriedEnds ends_;  // which the other process has not been told
  Instant give_up_at_{kNever};
  Timer timer_{timer_callback<&Retirement::on_timer>, this};
  Timer ends_timer_{timer_callback<&Retirement::on_ends_timer>, this};
  std::unique_ptr<control::TakeoverDoor> door_;
};

}  // namespace leat::app
