// SPDX-License-Identifier: Apache-2.0
// Admission: whether a request may be made, for one shard. All quantities of its key and of what
// the key belongs to are reserved together or not at all, from leases (quantity_lease.h), and
// settled together. Owned by the shard, pure: time is an argument, messages go to a LeaseLink and
// come by hear(). Allocates when an account or quantity is first met, never per request.
//
//     admit -> all leases have enough ------------------------------> kAdmitted -> settle or cancel
//           -> some are short: their homes are asked -> kWaiting --+-> decided: kAdmitted,
//           -> a home refused a moment ago -> kRefused             +-> kRefused, kUnanswered
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/instant.h"
#include "base/intrusive_list.h"
#include "policy/account_quantities.h"
#include "policy/carried_quantity.h"
#include "policy/quantity_lease.h"

namespace leat::policy {

// Where messages to homes go. An implementation queues, and never calls back.
class LeaseLink {
 public:
  virtual void send(ShardIndex home, const LeaseAsk& ask) = 0;
  virtual void send(ShardIndex home, const LeaseReturn& back) = 0;

 protected:
  ~LeaseLink() = default;
};

// What a request takes of each class: a bound when it is admitted, the truth when it is settled.
struct AdmissionAmounts {
  std::int64_t requests = 1;
  std::int64_t tokens = 0;     // of both token limits
  Nanodollars money = 0;       // what the client pays
  Nanodollars byok_money = 0;  // what it pays its provider itself; counts where asked to
};

enum class AdmissionState : std::uint8_t {
  kIdle,
  kWaiting,
  kAdmitted,
  kRefused,     // see refusal()
  kUnanswered,  // a home did not answer in kAdmissionWaitMax: overloaded
};

// A home answers in microseconds; beyond this something is wrong.
inline constexpr Duration kAdmissionWaitMax = milliseconds(250);

// Which limit refused, and what a client may be told of it.
struct AdmissionRefusal {
  LimitClass limit_class = LimitClass::kRequests;
  AccountLevel level = AccountLevel::kKey;
  BudgetPeriod period = BudgetPeriod::kNone;
  bool is_credit = false;
  std::int64_t limit = 0;
  std::int64_t remaining = 0;
  std::int64_t needed = 0;
  // The least after which all that refused may have room; LeaseGrant::kNoWait: no wait helps.
  Duration wait{0};
  Duration reset{0};  // until the whole limit is there again
};

// A limit as headers tell it: of all levels the one that leaves least.
struct LimitStatus {
  bool is_limited = false;
  std::int64_t limit = 0;
  std::int64_t remaining = 0;
  Duration reset{0};
};

class Admission;
struct AdmissionAccount;

// One request's place in admission: a member of what serves the request, not moved.
class AdmissionTicket : public ListNode<> {
 public:
  AdmissionState state() const { return state_; }
  bool is_admitted() const { return state_ == AdmissionState::kAdmitted; }
  // REQUIRES: kRefused.
  const AdmissionRefusal& refusal() const { return refusal_; }
  const AdmissionAmounts& reserved() const { return amounts_; }

 protected:
  AdmissionTicket() = default;
  // Not to be destroyed while kWaiting or kAdmitted: cancel() or settle() come first.
  ~AdmissionTicket() = default;

 private:
  friend class Admission;
  // What waited is decided. Called from hear(), settle(), cancel() and tidy(), never from admit();
  // may call any of them.
  virtual void admission_decided() = 0;

  AdmissionAccount* account_ = nullptr;
  AdmissionState state_ = AdmissionState::kIdle;
  AdmissionAmounts amounts_;
  Instant since_{0};                   // admitted, or begun to wait
  std::uint64_t place_ = 0;            // among all that were ever admitted, from 1
  std::int64_t* waits_for_ = nullptr;  // kWaiting: where what its queue waits for is summed up
  std::int64_t waits_amount_ = 0;
  AdmissionRefusal refusal_;
};

class Admission {
 public:
  // `generation`: of leases; in every life of this shard higher than in the one before, by a
  // million.
  Admission(ShardIndex shard, std::uint32_t shards, std::uint32_t generation, LeaseLink& link);
  ~Admission();
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;

  // What is known of a key, by the snapshot of that version; null: tell it by set_account. Valid
  // until the next set_account or tidy.
  AdmissionAccount* find(AccountId key, std::uint32_t version);
  AdmissionAccount& set_account(AccountId key, std::uint32_t version,
                                const std::vector<AccountQuantity>& quantities);

  // REQUIRES: the ticket is neither waiting nor admitted; no amount is negative.
  AdmissionState admit(AdmissionAccount& account, const AdmissionAmounts& amounts,
                       AdmissionTicket& ticket, Instant now);
  // It came to `used`; what is more than was reserved is not charged. REQUIRES: admitted.
  void settle(AdmissionTicket& ticket, const AdmissionAmounts& used, Instant now);
  // Nothing was done: all comes back. Of a ticket in any state.
  void cancel(AdmissionTicket& ticket, Instant now);

  // For headers, on any answer. Exact as of the home's last word and what is free here.
  LimitStatus status(const AdmissionAccount& account, LimitClass limit_class) const;

  void hear(const LeaseGrant& grant, Instant now);
  void hear(const LeaseRecall& recall, Instant now);
  // Every 10 to 50 ms: gives back what is idle, reports what was spent, answers who waited too
  // long, forgets accounts that nobody uses. Bounded work a call.
  void tidy(Instant now);

  // ---- Where another process takes over, once nobody is to be admitted any more.
  // Gives back all that is not reserved. True: no home was asked for more and has not answered.
  bool leave(Instant now);
  // What those hold that are admitted; and, from here on, what becomes of them, until
  // forget_ends(). `with_budgets`: as QuantityHomes::carry().
  void carry(bool with_budgets, Instant until, CarriedQuantities& to);
  CarriedEnds take_ends() { return std::exchange(ends_, {}); }
  void put_back(CarriedEnds&& ends) {
    if (!ends_.empty()) ends.insert(ends.end(), ends_.begin(), ends_.end());
    ends_ = std::move(ends);
  }
  bool has_ends() const { return !ends_.empty(); }
  void forget_ends();

  // Somebody waits, or something is reserved or held of a lease: tidy() has work.
  bool is_active() const { return !active_.empty(); }
  std::size_t accounts() const { return accounts_.size(); }
  std::size_t quantities() const { return slots_.size(); }

 private:
  struct Slot;
  struct Entry;
  friend struct AdmissionAccount;

  Slot& slot_of(const AccountQuantity& quantity);
  void retire(std::unique_ptr<AdmissionAccount> account);
  void drop_slots(AdmissionAccount& account);
  void erase_if_unused(Slot& slot);
  AdmissionState decide(AdmissionTicket& ticket, bool is_new, Instant now);
  void refuse(AdmissionTicket& ticket, Instant now);
  void reserve(AdmissionTicket& ticket, Instant now);
  void ask(Slot& slot, std::int64_t amount, Instant now);
  void wait(AdmissionTicket& ticket, Slot& slot, std::int64_t amount, bool is_new);
  void leave_queue(AdmissionTicket& ticket);
  void look_again(Slot& slot, Instant now);
  void look_again(AdmissionAccount& account, Instant now);
  void release(AdmissionTicket& ticket, const AdmissionAmounts& used, Instant now);
  bool is_carried(const QuantityTerms& terms) const;
  void note_end(const AdmissionTicket& ticket, const QuantityLease& lease, CarriedEnd end);
  void tell_decided();
  void tidy_slot(Slot& slot, Instant now);
  void forget_unused(Instant now);
  void send_back(const LeaseReturn& back);

  ShardIndex shard_;
  std::uint32_t shards_;
  std::uint32_t generation_;
  LeaseLink& link_;
  std::unordered_map<QuantityId, std::unique_ptr<Slot>> slots_;
  std::unordered_map<AccountId, std::unique_ptr<AdmissionAccount>> accounts_;
  std::vector<std::unique_ptr<AdmissionAccount>>
      retired_;                 // of older snapshots, with requests still open
  IntrusiveList<Slot> active_;  // slots whose leases are not empty
  IntrusiveList<AdmissionTicket> decided_;
  std::size_t swept_bucket_ = 0;  // of accounts_
  std::uint64_t admitted_ = 0;
  // Those whose place is not beyond it were told of by carry(); 0: none was.
  std::uint64_t carried_to_ = 0;
  bool carries_budgets_ = false;
  CarriedEnds ends_;
};

}  // namespace leat::policy
