// SPDX-License-Identifier: Apache-2.0
// AccountKeeper: the accounts at work. Owns the account store's thread, hands it what is asked of
// the management API, takes its answers, and tells every shard what has changed in the keys
// (control::ShardNews). Owned by the control shard, on whose thread all of it runs; the thread is
// the store's alone.
//
// Without [accounts].store_file there is nothing to manage, and nothing outlives the process; keys
// of the configuration may still ask about themselves.
#pragma once

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
#include "control/shard_news.h"
#include "gateway/key_table.h"
#include "shard/shard.h"

namespace leat::app {

class AccountKeeper final : public control::ManagementDesk,
                            private io::PollHandler,
                            private control::ShardNews::Post {
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
  bool is_behind(std::uint32_t shard) const { return news_.is_behind(shard); }
  bool is_behind() const { return news_.is_behind(); }
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
  Instant latest_end() const;
  void on_follow();
  void on_poll(int fd, int events) override;
  void take_answers();
  void tell_news();
  void take_reload(control::AccountDone& done);
  // control::ShardNews::Post
  std::size_t shards() const override { return threads_.size(); }
  bool post(std::size_t shard, std::unique_ptr<gateway::KeyDelta>& delta) override {
    return threads_[shard]->post(delta);
  }
  bool post(std::size_t shard, std::unique_ptr<gateway::DeploymentOrder>& order) override {
    return threads_[shard]->post(order);
  }
  bool post(std::size_t shard, std::unique_ptr<gateway::LateSettlements>& late) override {
    return threads_[shard]->post(late);
  }
  bool post(std::size_t shard, std::unique_ptr<gateway::AccountReply>& reply) override {
    return threads_[shard]->post(reply);
  }

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
  control::ShardNews news_{*this};
  Reloaded reloaded_;  // null: no reload is under way
  control::LateRecords late_;
  bool is_following_ = false;
  bool is_paused_ = false;
  Timer follow_timer_{timer_callback<&AccountKeeper::on_follow>, this};
  Timer retry_timer_{timer_callback<&AccountKeeper::tell_news>, this};
};

}  // namespace leat::app
