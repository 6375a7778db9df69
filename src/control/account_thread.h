// SPDX-License-Identifier: Apache-2.0
// AccountThread: the account store on a thread of its own, since its syncs would stall a loop. The
// control shard posts requests to the management API and is woken when one was answered; with the
// answer comes what the shards must hear of. The order is that of posting, and a change is on disk
// before it is answered.
//
//   control shard --AccountJob--> thread: Management, then KeyPublisher::follow()
//   control shard <--AccountDone-- (waker)
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <semaphore>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "base/handover.h"
#include "control/key_publisher.h"
#include "control/management.h"
#include "control/restored_quantities.h"
#include "io/io.h"

namespace leat::control {

// Another configuration, for the keys beside the store's and what all keys may ask for.
struct AccountReload {
  const policy::Catalogue* catalogue = nullptr;
  const Options* options = nullptr;
  std::shared_ptr<const void> owner;  // of both
};

// A request as Management takes it, with texts of its own. `ticket` is the poster's.
struct AccountJob {
  std::uint64_t ticket = 0;
  bool is_follow = false;  // only to take in what the ledger has by now; the rest does not count
  std::shared_ptr<const AccountReload> reload;  // not null: this; the rest does not count
  std::string method;
  std::string path;
  std::string query;
  std::string body;
  ManagementActor actor;
  std::string organisation;  // by name; see ManagementRequest
  WallTime now;
};

struct AccountDone {
  std::uint64_t ticket = 0;
  ManagementAnswer answer;
  gateway::KeyDelta delta;  // may be empty; of a reload: all keys, unless there is a fault
  bool is_reload = false;
  gateway::LateSettlements late;
  // One line for the log: shards may lag behind the store, or cannot use what is there; or empty.
  std::string fault;
};

struct AccountSetup {
  std::string store_file;
  const policy::Catalogue* catalogue = nullptr;  // outlives the thread
  const UsageSource* usage = nullptr;            // outlives it; asked on it
  std::optional<tls::AeadKey> master;            // in locked memory that outlives it
  // Whose `keys` stand beside the store's; outlives the thread. Null: none do.
  const Options* options = nullptr;
  // What `usage` is, if it is this; asked on the thread.
  LedgerUsage* ledger = nullptr;
  // Is told of all accounts, for limits to go on where they were. Null: nobody is.
  QuantityRestore* restore = nullptr;
  // What processes that still run had open; outlives the thread. Null: nothing.
  const LateRecords* late = nullptr;
  WallTime now;
};

class AccountThread {
 public:
  static constexpr std::size_t kJobsMax = 64;

  // Opens the store and reads all keys before it returns: who cannot, must not serve. `waker` wakes
  // the thread that calls everything else here.
  static StoreResult<std::unique_ptr<AccountThread>> start(const AccountSetup& setup,
                                                           io::Waker& waker);
  // After what was posted.
  ~AccountThread();
  AccountThread(const AccountThread&) = delete;
  AccountThread& operator=(const AccountThread&) = delete;

  // All keys as they were at the start: every shard's first delta.
  const gateway::KeyDelta& first() const { return first_; }
  // As AccountDone::fault, of them.
  const std::string& first_fault() const { return first_fault_; }
  // False: too many wait, or were answered and not taken.
  bool post(AccountJob job);
  // None: nothing was answered since.
  std::optional<AccountDone> take();

 private:
  AccountThread(std::unique_ptr<AccountStore> store, const AccountSetup& setup, io::Waker& waker);
  void run();
  AccountDone done(const AccountJob& job);
  AccountDone reload(const AccountJob& job);
  void use(const AccountReload& configuration);
  void tell_changes(WallTime now, AccountDone& done);
  StoreResult<gateway::KeyDelta> delta_of_changes(WallTime now);

  std::unique_ptr<AccountStore> store_;
  Management management_;
  KeyPublisher publisher_;
  AccountReload configuration_;  // that publisher_ and management_ use
  // Of the store, that the shards were not told of yet; is_behind_: nor can be, but with all keys.
  std::vector<AccountChange> changes_;
  bool is_behind_ = false;
  LedgerUsage* ledger_;
  const LateRecords* late_;
  gateway::KeyDelta first_;
  std::string first_fault_;
  io::Waker& waker_;
  Handover<AccountJob, kJobsMax> jobs_;
  Handover<AccountDone, kJobsMax> answers_;
  std::size_t in_flight_ = 0;  // the poster's: bounds both rings
  std::counting_semaphore<> work_{0};
  std::thread thread_;
};

}  // namespace leat::control
