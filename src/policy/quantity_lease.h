// SPDX-License-Identifier: Apache-2.0
// QuantityLease: what one shard may spend of one quantity without asking its home. Knows when it
// runs short and how much to ask for, gives back what lies idle, and stops spending when its time
// is over. Owned by one shard; pure: time is an argument, messages are returned.
//
//     free -- reserve --> reserved -- settle(used) --> settled (the home is told)
//       ^                     |
//       +----- the rest ------+      idle, or recalled: free --> returned
//
// Of a rate that is not leased (quantity.h) the rest does not become free again but returns at
// once, since it is worth something to others only while the window counts it.
#pragma once

#include <cstdint>
#include <optional>

#include "base/instant.h"
#include "policy/quantity.h"

namespace leat::policy {

// What lay unused for so long is given back.
inline constexpr Duration kLeaseIdleMax = seconds(1);
// For so long after a refusal requests that need no less are refused without asking, but never
// longer than the home told to wait: a key at its limit costs the home a hundred messages a second
// and shard, however often it is tried.
inline constexpr Duration kRefusalBelievedMax = milliseconds(10);

class QuantityLease {
 public:
  // `generation`: later than any that this shard used before, in an earlier life too.
  QuantityLease(QuantityId id, const QuantityTerms& terms, ShardIndex shard, std::uint32_t shards,
                std::uint32_t generation);

  QuantityId id() const { return id_; }
  const QuantityTerms& terms() const { return terms_; }
  // Terms of a newer snapshot; the home hears of them with the next ask.
  void adopt(const QuantityTerms& terms);
  bool is_leased() const { return is_leased_; }

  // ---- Spending.
  bool has(std::int64_t amount, Instant now) const {
    return amount <= free_ && now < usable_until_;
  }
  // Its home has given up by now what was reserved then.
  bool is_of_before(std::int64_t reserved, Instant reserved_at) const {
    return old_reserved_ >= reserved && reserved_at <= began_at_;
  }
  // REQUIRES: has(amount, now).
  void reserve(std::int64_t amount, Instant now);
  // A reservation of `reserved`, made at `reserved_at`, came to `used`: 0 gives it back. More than
  // was reserved is not charged. What is returned, if anything, is to be sent.
  std::optional<LeaseReturn> settle(std::int64_t reserved, std::int64_t used, Instant reserved_at);

  // ---- Asking.
  bool is_asking() const { return asking_; }
  // The home refused as little as this a moment ago.
  bool is_refused(std::int64_t amount, Instant now) const {
    return now < refused_until_ && missing(amount, now) >= refused_;
  }
  // For something that needs `amount`, where `waiting` is what all need that wait. REQUIRES: it
  // does not have that much.
  LeaseAsk ask(std::int64_t amount, std::int64_t waiting, Instant now);
  // An ask for more before it is needed, if it is time for one.
  std::optional<LeaseAsk> ask_ahead(Instant now);

  // ---- Hearing.
  // True: it is the answer to the ask under way, so that who waits looks again. False: it tells
  // nothing to anyone.
  bool hear(const LeaseGrant& grant, Instant now);
  LeaseReturn hear(const LeaseRecall& recall, Instant now);

  // ---- A few times a second: what is idle or unreported. And whether anything is left to look
  // after.
  std::optional<LeaseReturn> tidy(Instant now);
  // What is free, idle or not, and what was spent: until there is nothing left to tell.
  std::optional<LeaseReturn> leave(Instant now);
  bool is_empty() const;

  // What was last heard, for headers. `remaining`: the home's and what is free here.
  std::int64_t remaining() const;
  Duration wait() const { return wait_; }  // of the last refusal
  Duration reset() const { return reset_; }
  Instant heard_at() const { return heard_at_; }

  std::int64_t free() const { return free_; }
  std::int64_t reserved() const { return reserved_; }
  // Spent, and not yet told to the home: lost with this shard, but for its ledger.
  std::int64_t unreported() const { return ahead_by(total_after(settled_, late_), reported_); }
  std::uint32_t generation() const { return generation_; }

 private:
  std::int64_t missing(std::int64_t amount, Instant now) const;
  LeaseTally tally();
  LeaseReturn give_back(std::int64_t amount, Instant taken_at);
  std::int64_t recent(Instant now);
  void begin_anew(Instant now);

  QuantityId id_;
  QuantityTerms terms_;
  ShardIndex shard_;
  std::uint32_t shards_;
  bool is_leased_;
  bool asking_ = false;
  std::uint32_t generation_;
  std::uint32_t number_ = 0;  // of the last ask
  std::int64_t free_ = 0;
  std::int64_t reserved_ = 0;
  std::int64_t granted_ = 0;  // totals of this generation
  std::int64_t returned_ = 0;
  std::int64_t settled_ = 0;
  std::int64_t late_ = 0;
  std::int64_t reported_ = 0;  // of settled_ and late_, what the home was told
  std::int64_t stale_ = 0;     // granted directly and not used in time: to be returned
  Instant stale_since_{0};
  Instant began_at_{-1};           // this generation
  std::int64_t old_reserved_ = 0;  // of reserved_, what was reserved in generations before
  Instant asked_at_{-1'000'000'000};
  Instant told_at_{-1'000'000'000};
  Instant usable_until_{0};
  Instant free_since_{0};  // of a rate that is not leased: when the oldest free unit was granted
  Instant used_at_{0};
  std::int64_t second_ = -1;  // what was reserved in this second and the one before
  std::int64_t used_now_ = 0;
  std::int64_t used_before_ = 0;
  std::int64_t refused_ = 0;
  Instant refused_until_{0};
  std::int64_t home_remaining_ = 0;
  Duration wait_{0};
  Duration reset_{0};
  Instant heard_at_{0};
};

}  // namespace leat::policy
