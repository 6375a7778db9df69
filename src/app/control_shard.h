// SPDX-License-Identifier: Apache-2.0
// ControlShard: the shard without data listeners, on the calling thread: signals, the admin
// listener, the data shards' log lines, health and accounts, and what the service manager is told.
// It owns the threads of the data shards: they are added once each, and end in shut_down().
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/account_keeper.h"
#include "app/configurations.h"
#include "app/conversation_keeper.h"
#include "app/dashboard_keeper.h"
#include "app/health_keeper.h"
#include "app/predecessors.h"
#include "app/reloader.h"
#include "app/request_keeper.h"
#include "app/retirement.h"
#include "app/shard_thread.h"
#include "control/admin_server.h"
#include "control/ledger_keeper.h"
#include "control/service_manager.h"
#include "control/surroundings.h"
#include "control/turn_watch.h"

namespace leat::app {

class ControlShard final : private io::PollHandler, private shard::MessageHandler {
 public:
  struct Parts {
    io::Io& io;
    Configurations& configurations;
    std::uint32_t shards;
    int signal_fd;               // a signalfd of those that end us, or have us load or open anew
    std::uint64_t memory_bytes;  // what the process may hold
    const control::Surroundings& surroundings;
    std::string config_file;  // empty: none
  };
  // What `parts` refer to outlives the control shard.
  explicit ControlShard(const Parts& parts);

  const std::atomic<std::uint32_t>& memory_percent() const { return memory_percent_; }
  const std::vector<std::unique_ptr<ShardThread>>& shards() const { return shards_; }
  void add(std::unique_ptr<ShardThread> thread);
  // What is wrong, or empty. `address`: where it listens.
  std::string open_admin(std::string& address);

  // From here on another process can take over. `sockets`: as TakeoverDoor.
  void open_takeover(control::LedgerKeeper* ledger, const control::TakeoverSockets& sockets);
  // Whether one has: then nothing is left that this one would keep.
  bool is_retired() const { return retirement_ != nullptr && retirement_->is_retired(); }

  HealthKeeper& health() { return health_; }
  ConversationKeeper& conversations() { return conversations_; }
  Predecessors& predecessors() { return predecessors_; }
  AccountKeeper& accounts() { return accounts_; }
  RequestKeeper& requests() { return requests_; }

  // Until a signal has ended it and the grace is over.
  void run();
  // After run(), or instead of it: the end of everything, in order.
  void shut_down(control::LedgerKeeper* ledger);

 private:
  void on_poll(int fd, int) override;
  void on_message(const shard::Message& message) override;
  void start_drain();
  void retire();
  void reload();
  Reloader::Parts reloader_parts(const Parts& parts);
  void begin_grace();
  std::string open_admin_socket();
  std::string metrics();
  std::optional<std::string> explain(std::string_view body, std::string_view key_name);
  void on_grace_over() { shard_.stop(); }
  void on_last_answers();
  void on_log_timer();
  void on_memory_timer();
  void on_watchdog_timer();
  void write_logs();

  Configurations& configurations_;
  const Options options_;  // to begin with: of those that are fixed
  Rng rng_;
  shard::Shard shard_;
  RequestKeeper requests_;  // its rings outlive the threads
  int signal_fd_;
  std::vector<std::unique_ptr<ShardThread>> shards_;
  ConversationKeeper conversations_;
  HealthKeeper health_;
  AccountKeeper accounts_;
  Reloader reloader_;
  DashboardKeeper dashboard_;
  std::unique_ptr<control::AdminServer> admin_;
  Predecessors predecessors_;
  std::unique_ptr<Retirement> retirement_;
  std::size_t drained_ = 0;
  bool draining_ = false;
  bool is_signalled_ = false;
  Instant answers_until_{kNever};
  std::uint64_t memory_bytes_;
  std::atomic<std::uint32_t> memory_percent_{0};
  const control::ServiceManager manager_;
  const std::int64_t began_;  // unix seconds
  control::TurnWatch turn_watch_;
  Timer watchdog_timer_{timer_callback<&ControlShard::on_watchdog_timer>, this};
  Timer memory_timer_{timer_callback<&ControlShard::on_memory_timer>, this};
  Timer grace_timer_{timer_callback<&ControlShard::on_grace_over>, this};
  Timer answers_timer_{timer_callback<&ControlShard::on_last_answers>, this};
  Timer log_timer_{timer_callback<&ControlShard::on_log_timer>, this};
};

}  // namespace leat::app
