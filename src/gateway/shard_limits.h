// SPDX-License-Identifier: Apache-2.0
// ShardLimits: what one shard has to do with limits (design.md, "Quantities"). It holds the shard's
// Admission, the homes of the quantities that are this shard's, and the mail between both and those
// of the other shards; and it knows which limits a key's requests meet. Owned by the shard's
// Gateway; wakes the shard only while somebody waits or something is reserved or leased.
//
//     admit() .. a lease is short --ask--> home: this shard's, later in the turn
//                                          or another's, by PeerMail, one batch a turn
//     home --grant--> lease --> who waits is told: AdmissionTicket::admission_decided()
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/instant.h"
#include "gateway/grant_log.h"
#include "gateway/key_table.h"
#include "gateway/lease_mail.h"
#include "gateway/peer_mail.h"
#include "gateway/restored_quantity.h"
#include "policy/admission.h"
#include "policy/carried_quantity.h"
#include "policy/quantity_homes.h"
#include "shard/shard.h"

namespace leat::gateway {

struct LimitSetup {
  PeerMail* peers = nullptr;  // null: this shard is the only one
  // Of this process, higher than of any before: leases of a life before are told apart by it.
  std::uint32_t life = 0;
  // Longer than any request runs, or what it reserved would be given up under it.
  Duration hold = seconds(960);
  // Of all shards; each takes its own. Read by the constructor only.
  std::span<const RestoredQuantity> restored;
  std::span<const policy::CarriedQuantity> carried;  // the same, of a process before this one
};

// What a request may take beyond its own time limit until it is settled.
inline constexpr Duration kSettleTime = seconds(60);

// Which kinds of limits a key's requests meet, its own or those of what it belongs to.
struct LimitsMet {
  bool requests = false;  // a minute, or at once
  bool tokens = false;
  bool money = false;

  bool any() const { return requests || tokens || money; }
};
LimitsMet limits_met(const KeyDirectory::Found& found);

class ShardLimits final : private policy::LeaseLink,
                          private policy::GrantLink,
                          private shard::Deferred,
                          private GrantLog::Sink {
 public:
  ShardLimits(shard::Shard& shard, const LimitSetup& setup);
  ShardLimits(const ShardLimits&) = delete;
  ShardLimits& operator=(const ShardLimits&) = delete;
  ~ShardLimits();

  // From here on a grant of a budget waits until the ledger has it. It is there as long as turns
  // are.
  void keep_grants(ShardLedger& ledger);

  // Limits that are new on what was used before (KeyDelta::used). Of all shards; those of this one
  // are taken.
  void begin_with(std::span<const RestoredQuantity> used);

  // What another process that still runs has settled. As begin_with().
  void settle_late(const LateSettlements& settled);

  // What a process before this one was serving has ended. As begin_with().
  void settle_carried(const policy::CarriedEnds& ends);

  // ---- Leaving the limits to another process (succession.h): leave(), until that has said all
  // there is; freeze(); once all shards have, carry().
  // Gives back what no request holds. True: it was heard, and nothing is asked of homes.
  bool leave();
  // From here on nothing more is told to homes. `until`: as policy::CarriedQuantity.
  void freeze(Instant until);
  // What the homes of this shard have, and what its requests held when it froze.
  policy::CarriedQuantities carry();
  // What of that has ended since.
  bool has_ends() const { return admission_.has_ends(); }
  policy::CarriedEnds take_ends() { return admission_.take_ends(); }
  void put_back(policy::CarriedEnds&& ends) { admission_.put_back(std::move(ends)); }
  // It was for good; or it was not: homes hear all that was kept from them.
  void pass_on();
  void resume();

  // As LimitSetup::hold, where that has become longer.
  void hold_for(Duration hold) { homes_.hold_for(hold); }

  policy::Admission& admission() { return admission_; }
  // What the key's requests meet. `version`: of the keys (KeyDirectory::version). REQUIRES:
  // limits_met(found).any(). Valid until the next call or the shard's next turn.
  policy::AdmissionAccount& account_of(const KeyDirectory::Found& found, std::uint32_t version);
  // What other shards say.
  void take(std::unique_ptr<LeaseMail> mail);

  // What was said to other shards about leases, ever.
  struct Said {
    std::uint64_t asks = 0;
    std::uint64_t returns = 0;
    std::uint64_t grants = 0;
    std::uint64_t recalls = 0;
  };
  const Said& said() const { return said_; }
  // Quantities whose home is this shard.
  std::size_t homes_count() const { return homes_.size(); }

  // ---- For tests: the simulator's oracles, and whether the shard would rest.
  policy::QuantityHomes& homes() { return homes_; }
  bool is_resting() const { return !timer_.is_set(); }

 private:
  void send(policy::ShardIndex home, const policy::LeaseAsk& ask) override;
  void send(policy::ShardIndex home, const policy::LeaseReturn& back) override;
  void send(policy::ShardIndex to, const policy::LeaseGrant& grant) override;
  void send(policy::ShardIndex to, const policy::LeaseRecall& recall) override;
  void pass_on(policy::ShardIndex to, const policy::LeaseGrant& grant) override;
  void run_deferred() override;
  void on_timer();

  LeaseMail& outgoing(policy::ShardIndex to);
  bool must_be_kept(const policy::LeaseGrant& grant);
  void log_grants();
  void hear(const LeaseMail& mail);
  void keep(std::unique_ptr<LeaseMail> used);
  bool post_all();
  void set_timer();
  policy::Moment moment() const { return {shard_.now(), shard_.io().wall_now()}; }

  shard::Shard& shard_;
  PeerMail* peers_;
  std::uint32_t shards_;
  policy::Admission admission_;
  policy::QuantityHomes homes_;
  std::vector<std::unique_ptr<LeaseMail>> outgoing_;  // by shard; null: there is nothing to say
  std::vector<std::unique_ptr<LeaseMail>> spare_;     // empty ones, to be written again
  struct Granted {
    policy::ShardIndex to = 0;
    policy::LeaseGrant grant;
  };
  std::vector<Granted> unlogged_;  // this turn
  std::unique_ptr<GrantLog> log_;  // null: grants go at once
  // What would have been said to homes since it froze. Null: it has not.
  struct Frozen {
    struct Kept {
      policy::ShardIndex home = 0;
      policy::LeaseReturn back;
    };
    policy::CarriedQuantities held;
    std::vector<Kept> kept;
    bool is_for_good = false;
  };
  std::unique_ptr<Frozen> frozen_;
  Said said_;
  bool is_kept_back_ = false;  // a mailbox was full
  Instant rests_at_{0};        // what was last heard or said may want looking after until then
  Timer timer_{timer_callback<&ShardLimits::on_timer>, this};
};

}  // namespace leat::gateway
