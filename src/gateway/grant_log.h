// SPDX-License-Identifier: Apache-2.0
// GrantLog: holds what the homes of a shard grant of budgets until the shard's ledger has it
// durably (ledger/grant.h); then it goes on its way. Without a disk it waits until there is one:
// who asked hears that nobody answers. Owned by the shard's ShardLimits.
#pragma once

#include <cstdint>

#include "base/pool.h"
#include "gateway/shard_ledger.h"
#include "ledger/grant.h"
#include "policy/quantity.h"

namespace leat::gateway {

class GrantLog final : private ledger::DurableListener {
 public:
  class Sink {
   public:
    // Never from within send().
    virtual void pass_on(policy::ShardIndex to, const policy::LeaseGrant& grant) = 0;

   protected:
    ~Sink() = default;
  };

  // `sink` outlives it; the ledger is there as long as send() is called.
  GrantLog(ShardLedger& ledger, Sink& sink);
  ~GrantLog();
  GrantLog(const GrantLog&) = delete;
  GrantLog& operator=(const GrantLog&) = delete;

  // `entry`: of the grant's quantity, with this grant in it.
  void send(policy::ShardIndex to, const policy::LeaseGrant& grant, const ledger::Grant& entry);

 private:
  static constexpr std::uint64_t kUnwritten = UINT64_MAX;
  struct Waiting final : ledger::DurableWaiter, ListNode<Waiting> {
    Waiting(GrantLog& owner, policy::ShardIndex asker, const policy::LeaseGrant& what,
            const ledger::Grant& written)
        : log(owner), to(asker), grant(what), entry(written) {}
    void on_durable(bool is_durable) override;

    GrantLog& log;
    policy::ShardIndex to;
    policy::LeaseGrant grant;
    ledger::Grant entry;
    std::uint64_t sequence = kUnwritten;  // of its entry in the ledger
  };

  void on_durable_until(std::uint64_t sequence) override;
  void write(Waiting& waiting);
  void pass_on(Waiting& waiting);

  ShardLedger& ledger_;
  Sink& sink_;
  Pool<Waiting> pool_;
  IntrusiveList<Waiting, Waiting> waiting_;
  IntrusiveList<Waiting, Waiting> late_;  // for want of a disk
};

}  // namespace leat::gateway
