// SPDX-License-Identifier: Apache-2.0
#include "policy/admission.h"

#include <algorithm>

#include "base/check.h"

namespace leat::policy {
namespace {

// Of one call of tidy(): at 100 ns each, a fifth of a millisecond.
constexpr int kTidiedMax = 2'000;
constexpr std::size_t kSweptBucketsMax = 256;
// An account that nobody used for so long is forgotten; meeting it again costs a microsecond.
constexpr Duration kAccountUnusedMax = seconds(60);

std::int64_t amount_of(const AccountQuantity& quantity, const AdmissionAmounts& amounts) {
  switch (quantity.limit_class) {
    case LimitClass::kConcurrency:
      return 1;
    case LimitClass::kRequests:
      return amounts.requests;
    case LimitClass::kTokens:
    case LimitClass::kDayTokens:
      return amounts.tokens;
    case LimitClass::kMoney:
      break;
  }
  if (!quantity.counts_byok) return amounts.money;
  return amounts.money > INT64_MAX - amounts.byok_money ? INT64_MAX
                                                        : amounts.money + amounts.byok_money;
}

}  // namespace

// One quantity, of all accounts that have it.
struct Admission::Slot : ListNode<> {
  Slot(const AccountQuantity& quantity, ShardIndex shard, std::uint32_t shards,
       std::uint32_t generation)
      : lease(quantity.id, quantity.terms, shard, shards, generation) {}

  QuantityLease lease;
  IntrusiveList<AdmissionTicket> waiting;
  std::int64_t waited_for = 0;  // by all of `waiting`
  std::uint32_t accounts = 0;   // that name it
};

struct Admission::Entry {
  AccountQuantity quantity;
  Slot* slot = nullptr;
};

// What a key's requests meet, as of one snapshot. Requests that are open settle by that which
// admitted them, so a newer snapshot makes a new one.
struct AdmissionAccount {
  AccountId key = 0;
  std::uint32_t version = 0;
  std::uint32_t open = 0;  // tickets, admitted or waiting
  Instant used{0};
  std::vector<Admission::Entry> entries;
};

Admission::Admission(ShardIndex shard, std::uint32_t shards, std::uint32_t generation,
                     LeaseLink& link)
    : shard_(shard), shards_(shards), generation_(generation), link_(link) {}

Admission::~Admission() = default;

AdmissionAccount* Admission::find(AccountId key, std::uint32_t version) {
  const auto found = accounts_.find(key);
  if (found == accounts_.end() || found->second->version != version) return nullptr;
  return found->second.get();
}

Admission::Slot& Admission::slot_of(const AccountQuantity& quantity) {
  std::unique_ptr<Slot>& slot = slots_[quantity.id];
  if (slot == nullptr) {
    slot = std::make_unique<Slot>(quantity, shard_, shards_, ++generation_);
  } else {
    slot->lease.adopt(quantity.terms);
  }
  ++slot->accounts;
  return *slot;
}

AdmissionAccount& Admission::set_account(AccountId key, std::uint32_t version,
                                         const std::vector<AccountQuantity>& quantities) {
  auto made = std::make_unique<AdmissionAccount>();
  made->key = key;
  made->version = version;
  made->entries.reserve(quantities.size());
  for (const AccountQuantity& quantity : quantities) {
    made->entries.push_back({quantity, &slot_of(quantity)});
  }
  std::unique_ptr<AdmissionAccount>& place = accounts_[key];
  std::swap(place, made);
  if (made != nullptr) retire(std::move(made));
  return *place;
}

void Admission::retire(std::unique_ptr<AdmissionAccount> account) {
  if (account->open > 0) {
    retired_.push_back(std::move(account));
    return;
  }
  drop_slots(*account);
}

void Admission::drop_slots(AdmissionAccount& account) {
  for (Entry& entry : account.entries) {
    if (--entry.slot->accounts == 0) erase_if_unused(*entry.slot);
  }
}

// What is not empty yet is erased by tidy().
void Admission::erase_if_unused(Slot& slot) {
  if (slot.accounts != 0 || !slot.lease.is_empty() || !slot.waiting.empty()) return;
  // A lease that begins anew must not be taken for this one.
  generation_ = std::max(generation_, slot.lease.generation());
  slots_.erase(slot.lease.id());
}

AdmissionState Admission::admit(AdmissionAccount& account, const AdmissionAmounts& amounts,
                                AdmissionTicket& ticket, Instant now) {
  LEAT_CHECK(ticket.account_ == nullptr);
  LEAT_CHECK(amounts.requests >= 0 && amounts.tokens >= 0 && amounts.money >= 0 &&
             amounts.byok_money >= 0);
  ticket.account_ = &account;
  ticket.amounts_ = amounts;
  ticket.since_ = now;
  account.used = now;
  ++account.open;
  return decide(ticket, true, now);
}

// Reserves all, or refuses, or asks for what is short and puts the ticket into the queue of the
// first such quantity. `is_new`: it does not pass those who wait already.
AdmissionState Admission::decide(AdmissionTicket& ticket, bool is_new, Instant now) {
  Slot* short_of = nullptr;
  std::int64_t short_by = 0;
  bool is_refused = false;
  for (Entry& entry : ticket.account_->entries) {
    const std::int64_t amount = amount_of(entry.quantity, ticket.amounts_);
    Slot& slot = *entry.slot;
    const bool queues = is_new && !slot.waiting.empty();
    if (amount == 0 || (slot.lease.has(amount, now) && !queues)) continue;
    if (slot.lease.is_refused(amount, now)) is_refused = true;
    if (short_of == nullptr) {
      short_of = &slot;
      short_by = amount;
    }
  }
  if (is_refused) {
    refuse(ticket, now);
  } else if (short_of == nullptr) {
    reserve(ticket, now);
  } else {
    wait(ticket, *short_of, short_by, is_new);
    for (Entry& entry : ticket.account_->entries) {
      const std::int64_t amount = amount_of(entry.quantity, ticket.amounts_);
      if (amount > 0 && !entry.slot->lease.has(amount, now)) ask(*entry.slot, amount, now);
    }
  }
  return ticket.state_;
}

void Admission::wait(AdmissionTicket& ticket, Slot& slot, std::int64_t amount, bool is_new) {
  ticket.state_ = AdmissionState::kWaiting;
  ticket.waits_for_ = &slot.waited_for;
  ticket.waits_amount_ = std::min(amount, INT64_MAX - slot.waited_for);
  slot.waited_for += ticket.waits_amount_;
  if (is_new) {
    slot.waiting.push_back(ticket);
  } else {
    slot.waiting.push_front(ticket);
  }
}

void Admission::leave_queue(AdmissionTicket& ticket) {
  ticket.unlink();
  *ticket.waits_for_ -= ticket.waits_amount_;
}

void Admission::ask(Slot& slot, std::int64_t amount, Instant now) {
  if (slot.lease.is_asking()) return;
  if (!slot.is_linked()) active_.push_back(slot);
  link_.send(home_of(slot.lease.id(), shards_), slot.lease.ask(amount, slot.waited_for, now));
}

void Admission::reserve(AdmissionTicket& ticket, Instant now) {
  for (Entry& entry : ticket.account_->entries) {
    const std::int64_t amount = amount_of(entry.quantity, ticket.amounts_);
    if (amount == 0) continue;
    Slot& slot = *entry.slot;
    slot.lease.reserve(amount, now);
    if (const auto ahead = slot.lease.ask_ahead(now)) {
      link_.send(home_of(slot.lease.id(), shards_), *ahead);
    }
  }
  ticket.state_ = AdmissionState::kAdmitted;
  ticket.since_ = now;
  ticket.place_ = ++admitted_;
}

// Names the first quantity that refused and the longest of their waits: sooner is too soon for one
// of them.
void Admission::refuse(AdmissionTicket& ticket, Instant now) {
  AdmissionRefusal refusal;
  bool is_first = true;
  for (const Entry& entry : ticket.account_->entries) {
    const QuantityLease& lease = entry.slot->lease;
    const std::int64_t amount = amount_of(entry.quantity, ticket.amounts_);
    if (amount == 0 || lease.has(amount, now) || !lease.is_refused(amount, now)) continue;
    const Duration since = now - lease.heard_at();
    const auto left = [&](Duration told) {
      return told == LeaseGrant::kNoWait ? told : std::max(told - since, Duration{0});
    };
    if (is_first) {
      refusal = {.limit_class = entry.quantity.limit_class,
                 .level = entry.quantity.level,
                 .period = entry.quantity.terms.period,
                 .is_credit = entry.quantity.is_credit,
                 .limit = lease.terms().limit,
                 .remaining = lease.remaining(),
                 .needed = amount,
                 .wait = left(lease.wait()),
                 .reset = left(lease.reset())};
    }
    refusal.wait = std::max(refusal.wait, left(lease.wait()));
    is_first = false;
  }
  ticket.refusal_ = refusal;
  ticket.state_ = AdmissionState::kRefused;
  --ticket.account_->open;
  ticket.account_ = nullptr;
}

void Admission::settle(AdmissionTicket& ticket, const AdmissionAmounts& used, Instant now) {
  LEAT_CHECK(ticket.state_ == AdmissionState::kAdmitted);
  release(ticket, used, now);
}

void Admission::cancel(AdmissionTicket& ticket, Instant now) {
  switch (ticket.state_) {
    case AdmissionState::kWaiting: {
      AdmissionAccount& account = *ticket.account_;
      leave_queue(ticket);
      ticket.state_ = AdmissionState::kIdle;
      ticket.account_ = nullptr;
      --account.open;
      look_again(account, now);
      break;
    }
    case AdmissionState::kAdmitted:
      release(ticket, {.requests = 0}, now);
      break;
    default:
      ticket.unlink();  // decided, not yet told
      ticket.state_ = AdmissionState::kIdle;
      break;
  }
}

// Returns of a reservation what was not used.
void Admission::release(AdmissionTicket& ticket, const AdmissionAmounts& used, Instant now) {
  ticket.unlink();
  AdmissionAccount& account = *ticket.account_;
  for (Entry& entry : account.entries) {
    const std::int64_t reserved = amount_of(entry.quantity, ticket.amounts_);
    if (reserved == 0) continue;
    const std::int64_t spent = amount_of(entry.quantity, used);
    note_end(ticket, entry.slot->lease,
             {.id = entry.quantity.id, .reserved = reserved, .used = spent});
    if (const auto back = entry.slot->lease.settle(reserved, spent, ticket.since_)) {
      send_back(*back);
    }
  }
  ticket.state_ = AdmissionState::kIdle;
  ticket.account_ = nullptr;
  account.used = now;
  --account.open;
  look_again(account, now);
}

void Admission::look_again(AdmissionAccount& account, Instant now) {
  for (Entry& entry : account.entries) {
    if (!entry.slot->waiting.empty()) look_again(*entry.slot, now);
  }
  tell_decided();
}

void Admission::send_back(const LeaseReturn& back) {
  link_.send(home_of(back.tally.quantity, shards_), back);
}

// Decides those who wait for a quantity, in their order, until one of them goes on waiting.
void Admission::look_again(Slot& slot, Instant now) {
  while (AdmissionTicket* ticket = slot.waiting.first()) {
    leave_queue(*ticket);
    const AdmissionState state = decide(*ticket, false, now);
    if (state != AdmissionState::kWaiting) {
      decided_.push_back(*ticket);
    } else if (slot.waiting.first() == ticket) {
      break;
    }
  }
}

void Admission::tell_decided() {
  while (AdmissionTicket* ticket = decided_.pop_front()) ticket->admission_decided();
}

void Admission::hear(const LeaseGrant& grant, Instant now) {
  const auto found = slots_.find(grant.quantity);
  if (found == slots_.end()) return;
  Slot& slot = *found->second;
  if (!slot.lease.hear(grant, now)) return;
  if (!slot.is_linked()) active_.push_back(slot);
  look_again(slot, now);
  tell_decided();
}

void Admission::hear(const LeaseRecall& recall, Instant now) {
  const auto found = slots_.find(recall.quantity);
  if (found != slots_.end()) {
    send_back(found->second->lease.hear(recall, now));
    return;
  }
  // Forgotten here: it has nothing, and says so, for somebody waits for it. Totals of nothing are
  // ahead of none.
  LeaseReturn nothing;
  nothing.tally = {.quantity = recall.quantity, .shard = shard_, .generation = recall.generation};
  nothing.round = recall.round;
  send_back(nothing);
}

LimitStatus Admission::status(const AdmissionAccount& account, LimitClass limit_class) const {
  LimitStatus status;
  for (const Entry& entry : account.entries) {
    if (entry.quantity.limit_class != limit_class) continue;
    const QuantityLease& lease = entry.slot->lease;
    if (status.is_limited && lease.remaining() >= status.remaining) continue;
    status = {.is_limited = true,
              .limit = lease.terms().limit,
              .remaining = lease.remaining(),
              .reset = lease.reset()};
  }
  return status;
}

void Admission::tidy_slot(Slot& slot, Instant now) {
  if (const auto back = slot.lease.tidy(now)) send_back(*back);
  while (AdmissionTicket* ticket = slot.waiting.first()) {
    if (now - ticket->since_ < kAdmissionWaitMax) break;
    leave_queue(*ticket);
    ticket->state_ = AdmissionState::kUnanswered;
    --ticket->account_->open;
    ticket->account_ = nullptr;
    decided_.push_back(*ticket);
  }
  // Whose ask was never answered asks again.
  if (!slot.waiting.empty() && !slot.lease.is_asking()) look_again(slot, now);
}

void Admission::tidy(Instant now) {
  Slot* const last = active_.empty() ? nullptr : &active_.back();
  for (int i = 0; i < kTidiedMax && last != nullptr; ++i) {
    Slot& slot = *active_.pop_front();
    const bool is_last = &slot == last;
    tidy_slot(slot, now);
    if (!slot.lease.is_empty() || !slot.waiting.empty()) {
      if (!slot.is_linked()) active_.push_back(slot);
    } else {
      erase_if_unused(slot);
    }
    if (is_last) break;
  }
  std::erase_if(retired_, [&](std::unique_ptr<AdmissionAccount>& account) {
    if (account->open > 0) return false;
    drop_slots(*account);
    return true;
  });
  forget_unused(now);
  tell_decided();
}

// ---- For another process -----------------------------------------------------------------------

bool Admission::leave(Instant now) {
  bool is_asking = false;
  for (Slot* slot = active_.first(); slot != nullptr; slot = active_.after(*slot)) {
    while (const auto back = slot->lease.leave(now)) send_back(*back);
    is_asking = is_asking || slot->lease.is_asking();
  }
  return !is_asking;
}

bool Admission::is_carried(const QuantityTerms& terms) const {
  return terms.kind != QuantityKind::kBudget || carries_budgets_;
}

void Admission::carry(bool with_budgets, Instant until, CarriedQuantities& to) {
  carried_to_ = admitted_;
  carries_budgets_ = with_budgets;
  for (const auto& [id, slot] : slots_) {
    const QuantityTerms& terms = slot->lease.terms();
    const std::int64_t reserved = slot->lease.reserved();
    // Of a rate the home has counted it.
    if (reserved == 0 || terms.kind == QuantityKind::kRate || !is_carried(terms)) continue;
    CarriedQuantity carried;
    carried.id = id;
    carried.terms = terms;
    carried.open = reserved;
    carried.until = until;
    to.push_back(std::move(carried));
  }
}

void Admission::note_end(const AdmissionTicket& ticket, const QuantityLease& lease,
                         CarriedEnd end) {
  if (ticket.place_ > carried_to_ || !is_carried(lease.terms())) return;
  end.used = std::clamp<std::int64_t>(end.used, 0, end.reserved);
  end.taken_at = ticket.since_ - kDirectUseMax;
  const bool is_counted = !lease.is_of_before(end.reserved, ticket.since_);
  const bool is_of_rate = lease.terms().kind == QuantityKind::kRate;
  if (!is_of_rate || (is_counted && end.used < end.reserved)) ends_.push_back(end);
}

void Admission::forget_ends() {
  carried_to_ = 0;
  ends_.clear();
}

// Looks at some of the accounts each time.
void Admission::forget_unused(Instant now) {
  const std::size_t buckets = accounts_.bucket_count();
  for (std::size_t i = 0; i < std::min(buckets, kSweptBucketsMax); ++i) {
    swept_bucket_ = (swept_bucket_ + 1) % buckets;
    std::vector<AccountId> unused;
    for (auto at = accounts_.begin(swept_bucket_); at != accounts_.end(swept_bucket_); ++at) {
      const AdmissionAccount& account = *at->second;
      if (account.open == 0 && now - account.used >= kAccountUnusedMax) unused.push_back(at->first);
    }
    for (const AccountId key : unused) {
      const std::unique_ptr<AdmissionAccount> account = std::move(accounts_[key]);
      accounts_.erase(key);
      drop_slots(*account);
    }
  }
}

}  // namespace leat::policy
