// SPDX-License-Identifier: Apache-2.0
// AccountKeeper: the accounts at work. Owns the account store's thread, hands it what is asked of
// the management API, takes its answers, and tells every shard what has changed in the keys. A
// shard whose mailbox is full hears of it as soon as there is room, all at once. Owned by the
// control shard, on whose thread all of it runs; the thread is the store's alone.
//
// Without [accounts].store_file there is nothing to manage, and nothing outlives the process; keys
// of the configuration may still ask about themselves.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "app/configurations.h"
#include "app/material.h"
#include "app/shard_thread.h"
#include "control/ledger_usage.h"
#include "control/management_desk.h"
#include "gateway/key_table.h"
#include "shard/shard.h"

namespace leat::app {

class AccountKeeper final : public control::ManagementDesk, private io::PollHandler {
 public:
  // `threads` may still be empty; all outlive the keeper.
  AccountKeeper(shard::Shard& control, const Configurations& configurations,
                const std::vector<std::unique_ptr<ShardThread>>& threads);
  ~AccountKeeper() override;

  // Opens the store and reads all keys. What is wrong, or empty. Before there are shards. What
  // `secrets` view outlives the keeper. `ledger`: what was used until now; null: nobody knows.
  std::string start(const AccountSecrets& secrets, control::LedgerKeeper* ledger);
  // The keys that every shard begins with. REQUIRES: start().
  const gateway::KeyDelta& first() const { return thread_->first(); }
  // What of limits was used before this start. REQUIRES: start().
  std::span<const gateway::RestoredQuantity> restored() const { return restored_; }
  // Another process is about to own the accounts: nothing is asked any more, and nothing written
  // once is_idle(). resume() takes that back.
  void pause() { is_paused_ = true; }
  void resume() { is_paused_ = false; }
  bool is_idle() const { return waiting_.empty(); }
  // Other keys of the configuration, and another catalogue for all keys: the shards are told to
  // serve by what they have prepared, each with its keys. `then` hears what is wrong, or nothing,
  // in a later turn. False: too many wait.
  using Reloaded = std::function<void(const std::string& fault)>;
  bool reload(std::shared_ptr<const control::AccountReload> configuration, Reloaded then);
  // Whether a shard was not told yet to serve by what it has prepared.
  bool is_behind(std::uint32_t shard) const {
    return shard < orders_.size() && orders_[shard] != nullptr;
  }
  bool is_behind() const {
    return std::ranges::any_of(orders_, [](const auto& each) { return each != nullptr; });
  }
  // Does what was asked, answers nobody any more, tells shards nothing more.
  void stop();

  // What a client asks of its own account. REQUIRES: kAccountQuestion.
  void take(const shard::Message& message);

  bool is_open() const override;
  std::optional<control::ManagementActor> actor_of(std::string_view shown) const override;
  std::uint64_t ask(control::AccountJob job, Then then) override;
  void forget(std::uint64_t ticket) override { waiting_.erase(ticket); }

 private:
  // Wakes the control shard from the store's thread.
  class Bell final : public io::Waker {
   public:
    Bell();
    ~Bell();
    void wake() override;
    void clear();
    int fd() const { return fd_; }

   private:
    int fd_;
  };

  void restore_configured(control::QuantityRestore& restore) const;
  void settle_open(bool charge_ambiguous);
  Instant latest_end() const;
  void on_follow();
  void on_poll(int fd, int events) override;
  void take_answers();
  void tell_shards(const gateway::KeyDelta& delta);
  void settle_late(const gateway::LateSettlements& late);
  void reply(std::uint32_t shard, std::uint64_t ticket, const control::ManagementAnswer& answer);
  void post_untold();
  void take_reload(control::AccountDone& done);
  template <class Owned>
  bool post_each(std::vector<std::unique_ptr<Owned>>& all);

  shard::Shard& control_;
  const Options& options() const { return configurations_.current().options(); }

  const Configurations& configurations_;
  const std::vector<std::unique_ptr<ShardThread>>& threads_;
  const control::NoUsage no_usage_;
  std::unique_ptr<control::LedgerUsage> records_;  // the thread's, once that runs; null: none kept
  std::vector<gateway::RestoredQuantity> restored_;
  Bell bell_;
  std::unique_ptr<control::AccountThread> thread_;
  gateway::KeyDirectory keys_;  // as the shards have them: whose management keys are shown
  std::optional<gateway::KeyDigest> operator_key_;
  std::unordered_map<std::uint64_t, Then> waiting_;  // by ticket
  std::uint64_t last_ticket_ = 0;
  std::vector<std::unique_ptr<gateway::KeyDelta>> untold_;  // by shard; null: it has heard all
  std::vector<std::unique_ptr<gateway::DeploymentOrder>> orders_;  // the same; before untold_
  Reloaded reloaded_;                                              // null: no reload is under way
  struct Reply {
    std::uint32_t shard = 0;
    std::unique_ptr<gateway::AccountReply> reply;
  };
  std::vector<Reply> unsaid_;                                         // for the same reason
  std::vector<std::unique_ptr<gateway::LateSettlements>> unsettled_;  // by shard, as untold_
  control::LateRecords late_;
  bool is_following_ = false;
  bool is_paused_ = false;
  Timer follow_timer_{timer_callback<&AccountKeeper::on_follow>, this};
  Timer retry_timer_{timer_callback<&AccountKeeper::post_untold>, this};
};

}  // namespace leat::app
