// SPDX-License-Identifier: Apache-2.0
#include "gateway/shard_limits.h"

#include <algorithm>
#include <utility>

namespace leat::gateway {

namespace {

// While an ask waits at a home of this shard for what others have idle, or mail for a full mailbox.
constexpr Duration kTickEach = milliseconds(2);
// While something is reserved or held of a lease (Admission::tidy).
constexpr Duration kTidyEach = milliseconds(20);
// For homes and accounts that may be forgotten ...
constexpr Duration kSweepEach = seconds(1);
// ... as long after the last that was heard of any: a window, and what it takes to look at all.
constexpr Duration kSweptFor = seconds(90);
// Mail to oneself that brings mail to oneself: an ask, its grant, an ask ahead, its grant.
constexpr int kRoundsMax = 8;
// Lives of a process have generations of leases of their own.
constexpr std::uint32_t kGenerationsPerLife = 1'000'000;

bool has_budget(const policy::Budgets& budgets) {
  return std::ranges::any_of(budgets.amounts, [](policy::Nanodollars amount) {
    return amount != policy::Budgets::kUnlimited;
  });
}

void add(const policy::Quota& quota, LimitsMet& met) {
  constexpr auto kUnlimited = policy::RateLimits::kUnlimited;
  const policy::RateLimits& rates = quota.rates;
  met.requests =
      met.requests || rates.requests_per_minute != kUnlimited || rates.concurrency != kUnlimited;
  met.tokens =
      met.tokens || rates.tokens_per_minute != kUnlimited || rates.tokens_per_day != kUnlimited;
  met.money = met.money || has_budget(quota.budgets);
}

}  // namespace

LimitsMet limits_met(const KeyDirectory::Found& found) {
  const KeyRow& key = *found.key;
  LimitsMet met;
  met.requests =
      key.requests_per_minute != KeyRow::kUnlimited || key.concurrency != KeyRow::kUnlimited;
  met.tokens = key.tokens_per_minute != policy::RateLimits::kUnlimited ||
               key.tokens_per_day != policy::RateLimits::kUnlimited;
  met.money = key.budget != policy::Budgets::kUnlimited;
  if (found.workspace != nullptr) add(found.workspace->quota, met);
  if (found.organisation == nullptr) return met;
  add(found.organisation->quota, met);
  met.money = met.money || found.organisation->is_prepaid;
  return met;
}

ShardLimits::ShardLimits(shard::Shard& shard, const LimitSetup& setup)
    : shard_(shard),
      peers_(setup.peers),
      shards_(setup.peers != nullptr ? setup.peers->shards() : 1),
      admission_(static_cast<policy::ShardIndex>(shard.index()), shards_,
                 setup.life * kGenerationsPerLife, *this),
      homes_({.shards = shards_, .hold = setup.hold}),
      outgoing_(shards_) {
  LEAT_CHECK(shard.index() < shards_);
  for (const RestoredQuantity& each : setup.restored) {
    if (policy::home_of(each.id, shards_) != shard.index()) continue;
    homes_.restore(each.id, each.terms, each.settled, each.open, each.until, moment());
    if (each.open > 0) rests_at_ = std::max(rests_at_, each.until + kSweptFor);
  }
  for (const policy::CarriedQuantity& each : setup.carried) {
    if (policy::home_of(each.id, shards_) != shard.index()) continue;
    homes_.carry_on(each, moment());
    rests_at_ = std::max({rests_at_, each.until + kSweptFor, shard.now() + kSweptFor});
  }
  set_timer();
}

ShardLimits::~ShardLimits() = default;

void ShardLimits::begin_with(std::span<const RestoredQuantity> used) {
  for (const RestoredQuantity& each : used) {
    if (policy::home_of(each.id, shards_) != shard_.index()) continue;
    homes_.begin_with(each.id, each.terms, each.settled, moment());
  }
}

void ShardLimits::settle_late(const LateSettlements& settled) {
  for (const LateSettlement& each : settled) {
    if (policy::home_of(each.id, shards_) != shard_.index()) continue;
    homes_.settle_held(each.id, each.terms, each.held, each.charged, moment());
  }
}

// ---- Another process ---------------------------------------------------------------------------

void ShardLimits::settle_carried(const policy::CarriedEnds& ends) {
  for (const policy::CarriedEnd& each : ends) {
    if (policy::home_of(each.id, shards_) != shard_.index()) continue;
    homes_.settle_carried(each, moment());
  }
}

bool ShardLimits::leave() {
  const bool is_answered = admission_.leave(shard_.now());
  const bool is_said = std::ranges::all_of(outgoing_, [](const auto& mail) { return !mail; });
  return is_answered && is_said && unlogged_.empty();
}

// What its ledger has a process learns from that: budgets are carried only where none is kept.
void ShardLimits::freeze(Instant until) {
  frozen_ = std::make_unique<Frozen>();
  admission_.carry(log_ == nullptr, until, frozen_->held);
}

policy::CarriedQuantities ShardLimits::carry() {
  if (frozen_ == nullptr) return {};
  policy::CarriedQuantities all = std::exchange(frozen_->held, {});
  homes_.carry(log_ == nullptr, all, moment());
  return all;
}

void ShardLimits::pass_on() {
  if (frozen_ == nullptr) return;
  frozen_->is_for_good = true;
  frozen_->kept.clear();
}

void ShardLimits::resume() {
  admission_.forget_ends();
  const auto frozen = std::exchange(frozen_, nullptr);
  if (frozen == nullptr) return;
  for (const Frozen::Kept& each : frozen->kept) send(each.home, each.back);
}

policy::AdmissionAccount& ShardLimits::account_of(const KeyDirectory::Found& found,
                                                  std::uint32_t version) {
  if (policy::AdmissionAccount* known = admission_.find(found.key->id, version)) return *known;
  policy::Key key;
  key.id = found.key->id;
  key.quota = found.key->quota();
  policy::Workspace workspace;
  if (found.workspace != nullptr) {
    workspace.id = found.workspace->id;
    workspace.quota = found.workspace->quota;
  }
  policy::Organisation organisation;
  if (found.organisation != nullptr) {
    organisation.id = found.organisation->id;
    organisation.quota = found.organisation->quota;
    organisation.is_prepaid = found.organisation->is_prepaid;
    organisation.granted = found.organisation->granted;
  }
  const policy::Workspace* const above = found.workspace != nullptr ? &workspace : nullptr;
  return admission_.set_account(key.id, version,
                                policy::quantities_of(key, above, organisation, version));
}

// ---- Mail --------------------------------------------------------------------------------------

// What is said is put off to the end of the turn: one batch for each shard, and nobody is called
// back from within a call of theirs.
LeaseMail& ShardLimits::outgoing(policy::ShardIndex to) {
  shard_.defer(*this);
  std::unique_ptr<LeaseMail>& mail = outgoing_[to];
  if (mail != nullptr) return *mail;
  if (spare_.empty()) {
    mail = std::make_unique<LeaseMail>();
  } else {
    mail = std::move(spare_.back());
    spare_.pop_back();
  }
  mail->from = static_cast<policy::ShardIndex>(shard_.index());
  return *mail;
}

void ShardLimits::send(policy::ShardIndex home, const policy::LeaseAsk& ask) {
  ++said_.asks;
  outgoing(home).asks.push_back(ask);
}

void ShardLimits::send(policy::ShardIndex home, const policy::LeaseReturn& back) {
  if (frozen_ != nullptr) {
    if (!frozen_->is_for_good) frozen_->kept.push_back({home, back});
    return;
  }
  ++said_.returns;
  outgoing(home).returns.push_back(back);
}

void ShardLimits::send(policy::ShardIndex to, const policy::LeaseGrant& grant) {
  ++said_.grants;
  if (!must_be_kept(grant)) return pass_on(to, grant);
  unlogged_.push_back({to, grant});
  shard_.defer(*this);
}

void ShardLimits::keep_grants(ShardLedger& ledger) {
  log_ = std::make_unique<GrantLog>(ledger, static_cast<GrantLog::Sink&>(*this));
}

void ShardLimits::pass_on(policy::ShardIndex to, const policy::LeaseGrant& grant) {
  outgoing(to).grants.push_back(grant);
}

// Of rates and concurrency nothing is left after a power cut.
bool ShardLimits::must_be_kept(const policy::LeaseGrant& grant) {
  if (log_ == nullptr || grant.answer != policy::LeaseAnswer::kGranted) return false;
  const policy::QuantityHome* const home = homes_.find(grant.quantity);
  return home != nullptr && home->terms().kind == policy::QuantityKind::kBudget;
}

// Put off until the homes have done their work: what is settled and out is then what it came to.
void ShardLimits::log_grants() {
  const policy::Moment at = moment();
  for (const Granted& each : unlogged_) {
    policy::QuantityHome& home = *homes_.find(each.grant.quantity);
    log_->send(each.to, each.grant,
               {.quantity = each.grant.quantity,
                .committed = home.settled(at) + home.outstanding(),
                .period_begin = policy::budget_window(home.terms().period, at.wall).begin});
  }
  unlogged_.clear();
}

void ShardLimits::send(policy::ShardIndex to, const policy::LeaseRecall& recall) {
  ++said_.recalls;
  outgoing(to).recalls.push_back(recall);
}

void ShardLimits::take(std::unique_ptr<LeaseMail> mail) {
  hear(*mail);
  keep(std::move(mail));
  set_timer();
}

// What comes back first, so that those who ask find it.
void ShardLimits::hear(const LeaseMail& mail) {
  rests_at_ = std::max(rests_at_, shard_.now() + kSweptFor);
  const policy::Moment at = moment();
  for (const policy::LeaseReturn& each : mail.returns) homes_.hear(each, at, *this);
  for (const policy::LeaseAsk& each : mail.asks) homes_.hear(each, at, *this);
  for (const policy::LeaseGrant& each : mail.grants) admission_.hear(each, at.now);
  for (const policy::LeaseRecall& each : mail.recalls) admission_.hear(each, at.now);
}

// Batches wander between shards; none keeps more than it could send at once.
void ShardLimits::keep(std::unique_ptr<LeaseMail> used) {
  if (spare_.size() >= shards_) return;
  used->clear();
  spare_.push_back(std::move(used));
}

void ShardLimits::run_deferred() {
  std::unique_ptr<LeaseMail>& own = outgoing_[shard_.index()];
  for (int i = 0; i < kRoundsMax && own != nullptr; ++i) {
    std::unique_ptr<LeaseMail> mail = std::move(own);
    hear(*mail);
    keep(std::move(mail));
  }
  log_grants();
  is_kept_back_ = !post_all();
  // What was said meanwhile has left too: there is nothing to come back for.
  if (own == nullptr) unlink();
  set_timer();
}

// False: a mailbox was full. What was to go there stays, and grows, until the next try.
bool ShardLimits::post_all() {
  bool all = true;
  for (std::uint32_t to = 0; to < shards_; ++to) {
    if (to == shard_.index() || outgoing_[to] == nullptr) continue;
    all = peers_->post(shard_.index(), to, outgoing_[to]) && all;
  }
  return all;
}

// ---- What time brings --------------------------------------------------------------------------

void ShardLimits::on_timer() {
  admission_.tidy(shard_.now());
  homes_.tick(moment(), *this);
  if (is_kept_back_) shard_.defer(*this);
  set_timer();
}

void ShardLimits::set_timer() {
  const Instant now = shard_.now();
  Duration next{0};
  if (is_kept_back_ || homes_.has_waiting()) {
    next = kTickEach;
  } else if (admission_.is_active()) {
    next = kTidyEach;
  } else if (now < rests_at_) {
    next = kSweepEach;
  } else {
    shard_.wheel().cancel(timer_);
    return;
  }
  if (!timer_.is_set() || timer_.deadline() > now + next) {
    shard_.wheel().set(timer_, now + next);
  }
}

}  // namespace leat::gateway
