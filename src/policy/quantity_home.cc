// SPDX-License-Identifier: Apache-2.0
#include "policy/quantity_home.h"

#include <algorithm>

namespace leat::policy {
namespace {

__extension__ using Wide = __int128;

// Nobody knows when a request ends: a second is when to look again.
constexpr Duration kConcurrencyWait = seconds(1);

}  // namespace

QuantityHome::QuantityHome(QuantityId id, const QuantityTerms& terms, const LeaseOptions& options)
    : id_(id),
      terms_(terms),
      first_version_(terms.version),
      options_(options),
      balance_(terms.limit),
      window_(terms.window + kDirectUseMax) {}

QuantityHome::Share& QuantityHome::share_of(const LeaseTally& tally) {
  const auto found = std::ranges::find(shares_, tally.shard, &Share::shard);
  if (found != shares_.end()) return *found;
  Share share;
  share.shard = tally.shard;
  share.generation = tally.generation;
  // It was known here once, and forgotten when nothing was out: its totals say nothing any more.
  share.is_fenced = tally.returned != 0 || tally.settled != 0;
  shares_.push_back(share);
  return shares_.back();
}

void QuantityHome::adopt(const QuantityTerms& terms) {
  if (!is_later(terms.version, terms_.version)) return;
  const bool was_leased = leased();
  const Duration old_window = terms_.window;
  terms_ = terms;
  balance_.set_limit(terms.limit);
  if (was_leased == leased() && old_window == terms_.window) return;
  // What was taken from the one counter cannot be given back to the other.
  window_ = SlidingWindow(terms_.window + kDirectUseMax);
  bucket_ = {};
  if (terms_.kind != QuantityKind::kRate) return;
  for (Share& share : shares_) {
    share.is_fenced = true;
    share.outstanding = share.orphaned = 0;
  }
}

// The clock on the wall may jump back; a period that began does not end by that.
void QuantityHome::roll(WallTime wall) {
  if (terms_.kind != QuantityKind::kBudget) return;
  const std::int64_t begin = budget_window(terms_.period, wall).begin;
  if (begin <= period_begin_) return;
  period_begin_ = begin;
  balance_.restart();
}

// Gives back what was taken and not used.
void QuantityHome::release(std::int64_t amount, Instant taken_at, Instant now) {
  if (terms_.kind != QuantityKind::kRate) {
    balance_.give_back(amount);
  } else if (leased()) {
    bucket_.give_back(rate(), amount, now);
  } else {
    window_.give_back(amount, taken_at, now);
  }
}

// What expired with its lease. A rate comes back by itself.
void QuantityHome::give_up(std::int64_t amount) {
  if (terms_.kind != QuantityKind::kRate) balance_.give_back(amount);
}

bool QuantityHome::take(std::int64_t amount, Instant now) {
  if (terms_.kind != QuantityKind::kRate) return balance_.try_reserve(amount);
  if (leased()) return bucket_.try_take(rate(), amount, now);
  return window_.try_take(terms_.limit, amount, now);
}

std::int64_t QuantityHome::available(Moment at) {
  roll(at.wall);
  if (terms_.kind != QuantityKind::kRate) return balance_.available();
  return leased() ? bucket_.available(rate(), at.now) : window_.available(terms_.limit, at.now);
}

std::int64_t QuantityHome::settled(Moment at) {
  roll(at.wall);
  return balance_.settled();
}

std::int64_t QuantityHome::outstanding() const {
  std::int64_t sum = 0;
  for (const Share& share : shares_) sum += share.outstanding + share.orphaned;
  return sum;
}

void QuantityHome::charge(std::int64_t amount, Moment at) {
  roll(at.wall);
  balance_.charge(amount);
}

void QuantityHome::hold(std::int64_t amount, Instant until, Moment at) {
  if (terms_.kind == QuantityKind::kRate) return;
  const std::int64_t held = std::clamp<std::int64_t>(amount, 0, available(at));
  LEAT_CHECK(balance_.try_reserve(held));
  Share share;
  share.shard = kNoShard;
  share.orphaned = held;
  share.orphans_expire = until;
  shares_.push_back(share);
}

void QuantityHome::settle_held(std::int64_t held, std::int64_t charged, Moment at) {
  roll(at.wall);
  std::int64_t left = std::max<std::int64_t>(charged, 0);
  for (Share& share : shares_) {
    if (share.shard != kNoShard) continue;
    const std::int64_t taken = std::clamp<std::int64_t>(held, 0, share.orphaned);
    share.orphaned -= taken;
    const std::int64_t settled = std::min(left, taken);
    balance_.settle(taken, settled);
    left -= settled;
    held -= taken;
  }
  balance_.charge(left);
}

std::optional<CarriedQuantity> QuantityHome::carried(Moment at) {
  roll(at.wall);
  CarriedQuantity carried;
  carried.id = id_;
  carried.terms = terms_;
  carried.settled = balance_.settled();
  carried.period_begin = period_begin_;
  // Of processes before this one, that still run.
  for (const Share& share : shares_) {
    if (share.shard != kNoShard) continue;
    carried.open += share.orphaned;
    carried.until = std::max(carried.until, share.orphans_expire);
  }
  if (terms_.kind == QuantityKind::kRate && leased()) carried.full_at = bucket_.full_at(at.now);
  window_.each(at.now, [&](Instant taken_at, std::int64_t amount) {
    carried.takings.push_back({taken_at, amount});
  });
  const bool counts = carried.settled > 0 || carried.open > 0 || carried.full_at > at.now;
  if (!counts && carried.takings.empty()) return std::nullopt;
  return carried;
}

void QuantityHome::carry_on(const CarriedQuantity& carried, Moment at) {
  roll(at.wall);
  if (carried.period_begin == period_begin_) balance_.charge(carried.settled);
  if (carried.open > 0) hold(carried.open, carried.until, at);
  if (terms_.kind != QuantityKind::kRate) return;
  if (carried.full_at > bucket_.full_at(at.now)) bucket_.set_full_at(carried.full_at);
  // None is of a time to come: else it would count for too long.
  for (const RateTaking& each : carried.takings)
    window_.add(each.amount, std::min(each.at, at.now));
}

void QuantityHome::settle_carried(const CarriedEnd& end, Moment at) {
  switch (terms_.kind) {
    case QuantityKind::kRate:
      return release(std::max<std::int64_t>(end.reserved - end.used, 0), end.taken_at, at.now);
    case QuantityKind::kConcurrency:
      return settle_held(end.reserved, 0, at);
    case QuantityKind::kBudget:
      return settle_held(end.reserved, end.used, at);
  }
}

bool QuantityHome::is_idle(Moment at) {
  if (terms_.kind == QuantityKind::kBudget || !waiting_.empty() || outstanding() != 0) return false;
  return reset_in(at).ns == 0;
}

// False: the message is of a generation that is over.
bool QuantityHome::take_tally(Share& share, const LeaseTally& tally, Instant taken_at, Moment at) {
  if (is_later(tally.generation, share.generation)) {
    share.orphaned += share.outstanding;
    share.orphans_expire = std::max(share.orphans_expire, share.expires);
    share.generation = tally.generation;
    share.granted = share.returned = share.settled = share.late = share.outstanding = 0;
    share.awaited_round = 0;
    share.is_fenced = false;
  }
  if (tally.generation != share.generation) return false;
  share.is_silent = false;
  const std::int64_t settled = std::max<std::int64_t>(ahead_by(tally.settled, share.settled), 0);
  const std::int64_t returned = std::max<std::int64_t>(ahead_by(tally.returned, share.returned), 0);
  const std::int64_t late = std::max<std::int64_t>(ahead_by(tally.late, share.late), 0);
  share.late = total_after(share.late, late);
  share.settled = total_after(share.settled, settled);
  share.returned = total_after(share.returned, returned);
  // No more comes back than is out. What was spent beyond it, by a lease that had been given up,
  // was spent.
  const std::int64_t leased_settled = std::min(settled, share.outstanding);
  const std::int64_t back = std::min(returned, share.outstanding - leased_settled);
  share.outstanding -= leased_settled + back;
  if (terms_.kind == QuantityKind::kBudget) {
    balance_.settle(leased_settled, leased_settled);
    balance_.charge(settled - leased_settled);
    balance_.charge(late);
  } else if (terms_.kind == QuantityKind::kConcurrency) {
    balance_.give_back(leased_settled);
  }
  release(back, taken_at, at.now);
  return !share.is_fenced;
}

void QuantityHome::hear(const LeaseAsk& ask, Moment at, GrantLink& link) {
  adopt(ask.terms);
  roll(at.wall);
  Share& share = share_of(ask.tally);
  const Waiting waiting{
      .shard = share.shard, .number = ask.number, .needed = ask.needed, .wanted = ask.wanted};
  if (!take_tally(share, ask.tally, at.now, at)) {
    // It names the generation that is over: an old message does not end the one that goes on.
    link.send(share.shard, LeaseGrant{.quantity = id_,
                                      .generation = ask.tally.generation,
                                      .answer = LeaseAnswer::kFenced});
    return;
  }
  // A shard asks anew only when it has given up on its last ask.
  std::erase_if(waiting_, [&](const Waiting& other) { return other.shard == share.shard; });
  waiting_.push_back(waiting);
  serve(at, link);
}

void QuantityHome::hear(const LeaseReturn& back, Moment at, GrantLink& link) {
  roll(at.wall);
  Share& share = share_of(back.tally);
  if (!take_tally(share, back.tally, back.taken_at, at)) return;
  if (back.round == share.awaited_round) share.awaited_round = 0;
  serve(at, link);
}

// First come, first served: who needs little does not pass who needs much.
void QuantityHome::serve(Moment at, GrantLink& link) {
  while (!waiting_.empty()) {
    Waiting& first = waiting_.front();
    Share& share = *std::ranges::find(shares_, first.shard, &Share::shard);
    if (!grant(share, first, at, link)) {
      if (recall_for(first, at, link)) return;
      answer(share, LeaseAnswer::kRefused, first, at, link);
    }
    waiting_.erase(waiting_.begin());
  }
}

bool QuantityHome::grant(Share& share, const Waiting& waiting, Moment at, GrantLink& link) {
  const std::int64_t left = available(at);
  if (waiting.needed > left) return false;
  std::int64_t amount = waiting.needed;
  if (leased()) {
    // Half of an even part: enough for all who ask next, and small when little is left.
    const std::int64_t part = left / (2 * std::int64_t{options_.shards});
    amount = std::max(amount, std::min(waiting.wanted, part));
  }
  LEAT_CHECK(take(amount, at.now));
  share.granted = total_after(share.granted, amount);
  share.outstanding += amount;
  share.spend_until = at.now + (leased() ? options_.spend : kDirectUseMax);
  share.expires = share.spend_until + options_.hold;
  answer(share, LeaseAnswer::kGranted, waiting, at, link);
  return true;
}

// Asks all others for what they have idle, once for who is first. True: wait for their answers.
bool QuantityHome::recall_for(Waiting& waiting, Moment at, GrantLink& link) {
  if (!leased()) return false;
  if (waiting.round == 0) {
    Wide most = available(at);
    for (const Share& share : shares_) most += share.shard == waiting.shard ? 0 : share.outstanding;
    if (waiting.needed > most) return false;
    if (++round_ == 0) ++round_;
    waiting.round = round_;
    waiting.until = at.now + options_.recall_max;
    for (Share& share : shares_) {
      if (share.outstanding == 0 || share.shard == waiting.shard) continue;
      share.awaited_round = share.is_silent ? 0 : round_;
      link.send(share.shard,
                LeaseRecall{.quantity = id_, .generation = share.generation, .round = round_});
    }
  }
  bool is_awaited = false;
  for (Share& share : shares_) {
    if (share.awaited_round == 0) continue;
    if (at.now >= waiting.until) {
      // Nobody is to wait for it again before it has said something.
      share.is_silent = true;
      share.awaited_round = 0;
    }
    is_awaited = is_awaited || share.awaited_round != 0;
  }
  return is_awaited;
}

void QuantityHome::answer(const Share& share, LeaseAnswer answer, const Waiting& waiting, Moment at,
                          GrantLink& link) {
  LeaseGrant message;
  message.quantity = id_;
  message.generation = share.generation;
  message.answer = answer;
  message.number = waiting.number;
  message.granted = share.granted;
  message.spend_until = share.spend_until;
  message.remaining = available(at);
  message.reset = reset_in(at);
  if (answer == LeaseAnswer::kRefused) message.wait = wait_for(waiting.needed, at);
  link.send(share.shard, message);
}

Duration QuantityHome::wait_for(std::int64_t amount, Moment at) {
  if (amount > terms_.limit) return LeaseGrant::kNoWait;
  switch (terms_.kind) {
    case QuantityKind::kBudget:
      return reset_in(at);
    case QuantityKind::kConcurrency:
      return kConcurrencyWait;
    case QuantityKind::kRate:
      break;
  }
  const Instant fits = leased() ? bucket_.fits_at(rate(), amount, at.now)
                                : window_.fits_at(terms_.limit, amount, at.now);
  return fits == kNever ? LeaseGrant::kNoWait : fits - at.now;
}

Duration QuantityHome::reset_in(Moment at) {
  switch (terms_.kind) {
    case QuantityKind::kBudget: {
      const std::int64_t end = budget_window(terms_.period, at.wall).end;
      if (terms_.period == BudgetPeriod::kNone) return LeaseGrant::kNoWait;
      return Duration{std::max<std::int64_t>(end * 1'000'000'000 - at.wall.unix_ns, 0)};
    }
    case QuantityKind::kConcurrency:
      return Duration{0};
    case QuantityKind::kRate:
      break;
  }
  return (leased() ? bucket_.full_at(at.now) : window_.empty_at(at.now)) - at.now;
}

void QuantityHome::tick(Moment at, GrantLink& link) {
  roll(at.wall);
  for (Share& share : shares_) {
    if (share.orphaned > 0 && at.now >= share.orphans_expire) {
      give_up(share.orphaned);
      share.orphaned = 0;
    }
    if (share.outstanding > 0 && at.now >= share.expires) {
      give_up(share.outstanding);
      share.outstanding = 0;
      share.is_fenced = true;
      share.awaited_round = 0;
    }
  }
  std::erase_if(shares_,
                [](const Share& share) { return share.shard == kNoShard && share.orphaned == 0; });
  serve(at, link);
}

Instant QuantityHome::deadline() const {
  const bool waits = !waiting_.empty() && waiting_.front().round != 0;
  Instant first = waits ? waiting_.front().until : kNever;
  for (const Share& share : shares_) {
    if (share.orphaned > 0) first = std::min(first, share.orphans_expire);
    if (share.outstanding > 0) first = std::min(first, share.expires);
  }
  return first;
}

}  // namespace leat::policy
