// SPDX-License-Identifier: Apache-2.0
// GrantLog: holds what the homes of a shard grant of budgets until the shard's ledger has it
// durably (ledger/grant.h); then it goes on its way. What could not be written does not go: who
// asked asks again, or is told that nobody answers. Owned by the shard's ShardLimits.
#pragma once

#include <cstdint>

#include "base/pool.h"
#include "gateway/shard_ledger.h"
#include "ledger/grant.h"
#include "policy/quantity.h"

namespace leat::gateway {

class GrantLog {
 public:
  class Sink {
   public:
    // Never from within send().
    virtual void pass_on(policy::ShardIndex to, const policy::LeaseGrant& grant) = 0;

   protected:
    ~Sink() = default;
  };

  // `sink` outlives it; the ledger is there as long as send() is called.
  GrantLog(ShardLedger& ledger, Sink& sink) : ledger_(ledger), sink_(sink) {}
  ~GrantLog();
  GrantLog(const GrantLog&) = delete;
  GrantLog& operator=(const GrantLog&) = delete;

  // `entry`: of the grant's quantity, with this grant in it.
  void send(policy::ShardIndex to, const policy::LeaseGrant& grant, const ledger::Grant& entry);

 private:
  struct Waiting final : ledger::DurableWaiter, ListNode<Waiting> {
    Waiting(GrantLog& owner, policy::ShardIndex asker, const policy::LeaseGrant& what)
        : log(owner), to(asker), grant(what) {}
    void on_durable(bool is_durable) override;

    GrantLog& log;
    policy::ShardIndex to;
    policy::LeaseGrant grant;
  };

  ShardLedger& ledger_;
  Sink& sink_;
  Pool<Waiting> pool_;
  IntrusiveList<Waiting, Waiting> waiting_;
};

}  // namespace leat::gateway
