// SPDX-License-Identifier: Apache-2.0
// QuantityRestore: what a start tells the homes of budgets, credit and a day's tokens
// (policy::QuantityHomes::restore), so that a restart gives nobody a fresh budget, and what they
// are told of a limit that is set while Leat runs (begin_with), so that what was used counts. Rates
// of a minute and concurrency begin anew: a process that died holds none.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_set>
#include <vector>

#include "base/instant.h"
#include "control/account_store.h"
#include "control/late_records.h"
#include "control/lost_leases.h"
#include "control/usage_book.h"
#include "gateway/shard_limits.h"
#include "policy/account_quantities.h"

namespace leat::control {

using gateway::RestoredQuantity;

class QuantityRestore {
 public:
  struct Options {
    WallTime now{};
    Instant until{0};             // see RestoredQuantity; a while after the longest request
    std::uint32_t version = 0;    // of the snapshot that the accounts are of
    LostLeases* lost = nullptr;   // what a power cut may have cost; null: nothing
    LateRecords* late = nullptr;  // is told of what is open; null: nobody is
  };
  // `book` outlives it, and has been fed with all that the ledger has.
  QuantityRestore(const UsageBook& book, const Options& options) : book_(book), options_(options) {}

  // The key's quantities and those of what it belongs to: each once, however often it is added.
  // `workspace`: null with a key that has none.
  void add(const policy::Key& key, const policy::Workspace* workspace,
           const policy::Organisation& organisation);
  // Every key of the store.
  StoreResult<void> add(AccountStore& store);
  // What was changed, and what it belongs to. What is gone by now adds nothing.
  StoreResult<void> add(AccountStore& store, const AccountChange& change);

  // Those of which anything was used. In the order added.
  std::vector<RestoredQuantity> take() { return std::move(restored_); }

 private:
  const UsageBook& book_;
  Options options_;
  std::unordered_set<policy::QuantityId> told_;
  std::vector<RestoredQuantity> restored_;
};

// What an earlier process had open is about to be recorded, and what its key pays is known: all of
// it, or nothing.
void settle_open(std::span<RestoredQuantity> restored, bool charge_ambiguous);

}  // namespace leat::control
