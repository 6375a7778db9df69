// SPDX-License-Identifier: Apache-2.0
// Quantities with a limit, and what shards tell each other of them (design.md, "Quantities").
// Values only, carried by mailboxes.
//
// One shard, the quantity's home, knows the truth (QuantityHome). Others hold leases of it
// (QuantityLease) and spend from those without asking:
//
//     lease  -- LeaseAsk ------>  home     "I am short of so much"
//            <------ LeaseGrant --         "you have had so much by now", or "no, wait so long"
//            <----- LeaseRecall --         "another is short: what have you idle?"
//            -- LeaseReturn -->            "I have spent and given back so much by now"
//
// Every message tells totals since its lease's generation began, not differences: one that comes
// late, twice or out of order tells nothing new, and so never makes quantity. Who lost count (a
// shard that began anew) or was given up (a lease that expired) goes on in a new generation. What
// of the old one is still out counts as spent until it expires.
//
// A rate of fewer than 64 x shards a window is not leased: each taking is asked of the home, which
// counts a sliding window, and is to be used within kDirectUseMax or given back.
#pragma once

#include <cstdint>

#include "base/instant.h"
#include "policy/account.h"

namespace leat::policy {

// Names one quantity of one account in all shards; spread evenly over all numbers.
using QuantityId = std::uint64_t;
using ShardIndex = std::uint16_t;

enum class QuantityKind : std::uint8_t {
  kRate,         // so much in each window
  kBudget,       // so much in each calendar period, or ever
  kConcurrency,  // so much at a time
};

struct QuantityTerms {
  QuantityKind kind = QuantityKind::kBudget;
  BudgetPeriod period = BudgetPeriod::kNone;  // of a budget
  std::uint32_t version = 0;                  // of the snapshot they are from; the newest holds
  std::int64_t limit = 0;
  Duration window = seconds(60);  // of a rate; all of the limit may come at once
};

inline constexpr std::int64_t kLeasedRateMinPerShard = 64;

// Within this a directly granted unit is used. The home counts it for as much longer than the
// window, so that the takings themselves, wherever they happen, keep to the limit exactly.
inline constexpr Duration kDirectUseMax = milliseconds(100);

constexpr bool is_leased(const QuantityTerms& terms, std::uint32_t shards) {
  return terms.kind != QuantityKind::kRate || terms.limit >= kLeasedRateMinPerShard * shards;
}

constexpr ShardIndex home_of(QuantityId id, std::uint32_t shards) {
  return static_cast<ShardIndex>(id % shards);
}

// Totals wrap, and so do numbers of rounds, generations and versions: what counts is which of two
// is ahead, and by how much.
constexpr std::int64_t ahead_by(std::int64_t later, std::int64_t earlier) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(later) -
                                   static_cast<std::uint64_t>(earlier));
}
constexpr std::int64_t total_after(std::int64_t total, std::int64_t amount) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(total) +
                                   static_cast<std::uint64_t>(amount));
}
constexpr bool is_later(std::uint32_t a, std::uint32_t b) {
  return static_cast<std::int32_t>(a - b) > 0;
}

// What a lease came to since its generation began. None of it ever shrinks.
struct LeaseTally {
  QuantityId quantity = 0;
  ShardIndex shard = 0;
  std::uint32_t generation = 0;
  std::int64_t returned = 0;
  std::int64_t settled = 0;
  // Settled of what was reserved in generations before, which the home had given up.
  std::int64_t late = 0;
};

struct LeaseAsk {
  LeaseTally tally;
  QuantityTerms terms;
  std::uint32_t number = 0;  // of this lease's asks; the answer names it
  // Of use only with all of it. 0: nobody waits.
  std::int64_t needed = 0;
  std::int64_t wanted = 0;  // at best; not less than `needed`
};

struct LeaseReturn {
  LeaseTally tally;
  std::uint32_t round = 0;  // of the recall that it answers; 0: of none
  Instant taken_at{0};      // with a rate that is not leased: when, at the earliest, it was taken
};

enum class LeaseAnswer : std::uint8_t {
  kGranted,
  kRefused,  // not even `needed` is there, nor idle elsewhere
  kFenced,   // the generation is over: begin a new one
};

struct LeaseGrant {
  static constexpr Duration kNoWait{INT64_MAX};

  QuantityId quantity = 0;
  std::uint32_t generation = 0;
  LeaseAnswer answer = LeaseAnswer::kGranted;
  std::uint32_t number = 0;      // of the ask
  std::int64_t granted = 0;      // in all, in this generation
  Instant spend_until{0};        // no reservation is made from it later
  std::int64_t remaining = 0;    // what the home still has
  Duration wait = Duration{0};   // refused: when it may be there; kNoWait: never, or not known
  Duration reset = Duration{0};  // when the whole limit is there again if nothing more is spent
};

struct LeaseRecall {
  QuantityId quantity = 0;
  std::uint32_t generation = 0;
  std::uint32_t round = 0;
};

}  // namespace leat::policy
