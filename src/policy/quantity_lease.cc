// SPDX-License-Identifier: Apache-2.0
#include "policy/quantity_lease.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace leat::policy {
namespace {

constexpr std::int64_t kSecondNs = 1'000'000'000;
// Ahead of need is asked when less is free than goes in an eighth of a second.
constexpr std::int64_t kAheadPart = 8;
// And not more often than this, or the last of a quantity would be passed to and fro.
constexpr Duration kAheadEach = milliseconds(10);
// What was spent is told so often, if nothing else is. Nobody waits for it: it is out already.
constexpr Duration kReportEach = milliseconds(250);
// An ask that nobody answered is made again.
constexpr Duration kAskAgain = milliseconds(100);

std::int64_t sum(std::int64_t a, std::int64_t b) {
  return a > INT64_MAX - b ? INT64_MAX : a + b;
}

}  // namespace

QuantityLease::QuantityLease(QuantityId id, const QuantityTerms& terms, ShardIndex shard,
                             std::uint32_t shards, std::uint32_t generation)
    : id_(id),
      terms_(terms),
      shard_(shard),
      shards_(shards),
      is_leased_(policy::is_leased(terms, shards)),
      generation_(generation),
      home_remaining_(terms.limit) {}

void QuantityLease::adopt(const QuantityTerms& terms) {
  if (!is_later(terms.version, terms_.version)) return;
  const bool changes_way =
      is_leased_ != policy::is_leased(terms, shards_) || terms.window != terms_.window;
  terms_ = terms;
  is_leased_ = policy::is_leased(terms, shards_);
  refused_until_ = Instant{0};
  // The home forgets what it had granted by the other way of counting.
  if (changes_way && terms.kind == QuantityKind::kRate) begin_anew(used_at_);
}

// The home has given up what this lease had. What is reserved stays so, but neither it nor the rest
// of it is of the new generation; what the home was not told yet is told as late.
void QuantityLease::begin_anew(Instant now) {
  ++generation_;
  began_at_ = now;
  old_reserved_ = reserved_;
  late_ = unreported();
  free_ = stale_ = granted_ = returned_ = settled_ = reported_ = 0;
  asking_ = false;
}

LeaseTally QuantityLease::tally() {
  reported_ = total_after(settled_, late_);
  return {.quantity = id_,
          .shard = shard_,
          .generation = generation_,
          .returned = returned_,
          .settled = settled_,
          .late = late_};
}

LeaseReturn QuantityLease::give_back(std::int64_t amount, Instant taken_at) {
  returned_ = total_after(returned_, amount);
  return {.tally = tally(), .taken_at = taken_at};
}

std::int64_t QuantityLease::recent(Instant now) {
  const std::int64_t second = now.ns / kSecondNs;
  if (second != second_) {
    used_before_ = second == second_ + 1 ? used_now_ : 0;
    used_now_ = 0;
    second_ = second;
  }
  return sum(used_before_, used_now_);
}

void QuantityLease::reserve(std::int64_t amount, Instant now) {
  LEAT_CHECK(has(amount, now));
  recent(now);
  used_now_ = sum(used_now_, amount);
  free_ -= amount;
  reserved_ = sum(reserved_, amount);
  used_at_ = now;
}

std::optional<LeaseReturn> QuantityLease::settle(std::int64_t reserved, std::int64_t used,
                                                 Instant reserved_at) {
  LEAT_CHECK(reserved >= 0 && reserved <= reserved_);
  const std::int64_t spent =
      terms_.kind == QuantityKind::kConcurrency ? 0 : std::clamp<std::int64_t>(used, 0, reserved);
  const std::int64_t rest = reserved - spent;
  reserved_ -= reserved;
  if (is_of_before(reserved, reserved_at)) {
    old_reserved_ -= reserved;
    late_ = total_after(late_, spent);
    return std::nullopt;
  }
  settled_ = total_after(settled_, spent);
  if (rest == 0) return std::nullopt;
  if (is_leased_) {
    free_ = sum(free_, rest);
    return std::nullopt;
  }
  return give_back(rest, reserved_at - kDirectUseMax);
}

std::int64_t QuantityLease::missing(std::int64_t amount, Instant now) const {
  const bool counts = is_leased_ || now < usable_until_;
  return std::max<std::int64_t>(amount - (counts ? free_ : 0), 0);
}

LeaseAsk QuantityLease::ask(std::int64_t amount, std::int64_t waiting, Instant now) {
  asking_ = true;
  ++number_;
  asked_at_ = told_at_ = now;
  LeaseAsk message;
  message.needed = amount;
  if (!is_leased_) {
    message.needed = missing(amount, now);
    if (free_ > 0 && now >= usable_until_) {
      // What is granted next must not pass for as old as this.
      if (stale_ == 0) stale_since_ = free_since_;
      stale_ = sum(stale_, free_);
      free_ = 0;
    }
  } else if (amount > 0) {
    // Two shards that each held a part of what they need would take it from each other for ever:
    // all parts go home, and whole amounts come back.
    returned_ = total_after(returned_, free_);
    free_ = 0;
  }
  message.tally = tally();
  message.terms = terms_;
  message.number = number_;
  message.wanted = sum(std::max(waiting, message.needed), recent(now));
  return message;
}

std::optional<LeaseAsk> QuantityLease::ask_ahead(Instant now) {
  if (asking_ || !is_leased_ || now - asked_at_ < kAheadEach) return std::nullopt;
  const std::int64_t spent = recent(now);
  const bool is_low = free_ < spent / kAheadPart;
  const bool ends_soon = free_ > 0 && now + kAskAgain >= usable_until_ && spent > 0;
  if (!is_low && !ends_soon) return std::nullopt;
  return ask(0, 0, now);
}

bool QuantityLease::is_empty() const {
  return free_ == 0 && stale_ == 0 && reserved_ == 0 && !asking_ && unreported() == 0;
}

bool QuantityLease::hear(const LeaseGrant& grant, Instant now) {
  if (grant.generation != generation_) return false;
  if (grant.answer == LeaseAnswer::kFenced) {
    begin_anew(now);
    return true;
  }
  const std::int64_t brought = ahead_by(grant.granted, granted_);
  const bool brings = brought > 0;
  if (brings) {
    if (free_ == 0) {
      // Not later than the home counts it from.
      free_since_ = grant.spend_until - kDirectUseMax;
    }
    free_ = sum(free_, brought);
    granted_ = grant.granted;
  }
  // The oldest of what is not leased must be used first, and all of it in time.
  usable_until_ =
      is_leased_ ? std::max(usable_until_, grant.spend_until) : free_since_ + kDirectUseMax;
  if (grant.number != number_ || !asking_) return brings;
  asking_ = false;
  heard_at_ = now;
  home_remaining_ = grant.remaining;
  reset_ = grant.reset;
  if (grant.answer == LeaseAnswer::kRefused) {
    wait_ = grant.wait;
    refused_ = sum(grant.remaining, 1);
    refused_until_ = now + std::min(grant.wait, kRefusalBelievedMax);
  }
  return true;
}

LeaseReturn QuantityLease::hear(const LeaseRecall& recall, Instant now) {
  told_at_ = now;
  std::int64_t idle = 0;
  if (recall.generation == generation_) {
    idle = free_;
    free_ = 0;
  }
  LeaseReturn message = give_back(idle, now);
  message.round = recall.round;
  return message;
}

std::optional<LeaseReturn> QuantityLease::tidy(Instant now) {
  if (asking_ && now - asked_at_ >= kAskAgain) asking_ = false;
  if (stale_ > 0) {
    const std::int64_t stale = stale_;
    stale_ = 0;
    return give_back(stale, stale_since_);
  }
  const bool is_over = now >= usable_until_;
  const bool is_idle = now - used_at_ >= kLeaseIdleMax;
  if (free_ > 0 && (is_over || is_idle)) {
    const std::int64_t idle = free_;
    free_ = 0;
    return give_back(idle, free_since_);
  }
  if (unreported() == 0 || now - told_at_ < kReportEach) return std::nullopt;
  told_at_ = now;
  return give_back(0, now);
}

std::optional<LeaseReturn> QuantityLease::leave(Instant now) {
  if (stale_ > 0) return give_back(std::exchange(stale_, 0), stale_since_);
  if (free_ == 0) return unreported() != 0 ? std::optional(give_back(0, now)) : std::nullopt;
  const std::int64_t idle = free_;
  free_ = 0;
  return give_back(idle, free_since_);
}

std::int64_t QuantityLease::remaining() const {
  const std::int64_t most = std::max<std::int64_t>(terms_.limit, 0);  // credit may be below 0
  return std::clamp<std::int64_t>(sum(home_remaining_, free_), 0, most);
}

}  // namespace leat::policy
