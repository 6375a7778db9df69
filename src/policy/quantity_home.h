// SPDX-License-Identifier: Apache-2.0
// QuantityHome: the truth of one quantity, at its home shard. It grants leases to those that ask,
// smaller ones the less is left, recalls what lies idle at one shard when another is short, and
// answers small rates itself from a sliding window. What is settled and what is out on leases never
// passes the limit. Pure: time is an argument, answers go to a GrantLink. Allocates when a shard
// asks for the first time.
//
//     ask -> there is enough -> granted
//         -> others may have some idle -> recalled; the ask waits -> granted
//                                                                 -> refused
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/instant.h"
#include "policy/balance.h"
#include "policy/carried_quantity.h"
#include "policy/quantity.h"
#include "policy/rate_bucket.h"
#include "policy/sliding_window.h"

namespace leat::policy {

// Where a home's answers go. Called while the home works: an implementation queues, and never calls
// back.
class GrantLink {
 public:
  virtual void send(ShardIndex to, const LeaseGrant& grant) = 0;
  virtual void send(ShardIndex to, const LeaseRecall& recall) = 0;

 protected:
  ~GrantLink() = default;
};

struct LeaseOptions {
  std::uint32_t shards = 1;
  // A lease is spent from for so long after its last grant: bounds how long what one shard holds
  // may be out of date.
  Duration spend = seconds(2);
  // What was reserved in time may be settled for so long after: the longest request. Then the lease
  // is given up: a shard that died loses it until here.
  Duration hold = seconds(960);
  // How long an ask waits for what others have idle. A round trip between shards takes far less.
  Duration recall_max = milliseconds(20);
};

// Both clocks, read at once.
struct Moment {
  Instant now{0};
  WallTime wall{0};
};

class QuantityHome {
 public:
  QuantityHome(QuantityId id, const QuantityTerms& terms, const LeaseOptions& options);

  void hear(const LeaseAsk& ask, Moment at, GrantLink& link);
  void hear(const LeaseReturn& back, Moment at, GrantLink& link);
  // Gives up what expired and refuses who waited too long. To be called when deadline() has come.
  void tick(Moment at, GrantLink& link);
  Instant deadline() const;

  // What the ledger knows to be settled in the period of `at`: at start, before anyone asks; later
  // what a lease that was given up turned out to have spent.
  void charge(std::int64_t amount, Moment at);

  // What a life of this process before had open and nobody has settled yet: it counts as out, until
  // then at the longest. Told before anyone asks.
  void hold(std::int64_t amount, Instant until, Moment at);

  // So much of what is held was settled, at `charged`. What had been given up by then, or was never
  // held, is charged all the same.
  void settle_held(std::int64_t held, std::int64_t charged, Moment at);

  // What another process is to know of it, but for what leases hold, which is theirs to tell; none:
  // nothing of it counts.
  std::optional<CarriedQuantity> carried(Moment at);
  // What another process has told, before anyone asks; and what became of it.
  void carry_on(const CarriedQuantity& carried, Moment at);
  void settle_carried(const CarriedEnd& end, Moment at);

  // As LeaseOptions::hold, for what is granted from here on.
  void hold_for(Duration hold) { options_.hold = hold; }

  const QuantityTerms& terms() const { return terms_; }
  // Of the terms that it began with.
  std::uint32_t first_version() const { return first_version_; }
  // Of a budget: what was settled in its period. What is out on leases, spent or not.
  std::int64_t settled(Moment at);
  std::int64_t outstanding() const;
  std::int64_t available(Moment at);
  bool has_waiting() const { return !waiting_.empty(); }
  // Nothing would be lost with it: of a rate or concurrency only, since a budget's past counts.
  bool is_idle(Moment at);

 private:
  static constexpr ShardIndex kNoShard = 0xffff;
  // What is known of one shard's lease.
  struct Share {
    ShardIndex shard = 0;
    std::uint32_t generation = 0;
    bool is_fenced = false;
    bool is_silent = false;           // it did not answer a recall, nor say anything since
    std::uint32_t awaited_round = 0;  // it was recalled and has not answered; 0: not
    std::int64_t granted = 0;
    std::int64_t returned = 0;
    std::int64_t settled = 0;
    std::int64_t late = 0;
    std::int64_t outstanding = 0;
    Instant spend_until{0};
    Instant expires{0};
    std::int64_t orphaned = 0;  // out in earlier generations
    Instant orphans_expire{0};
  };
  struct Waiting {
    ShardIndex shard = 0;
    std::uint32_t number = 0;
    std::int64_t needed = 0;
    std::int64_t wanted = 0;
    std::uint32_t round = 0;  // of the recall that was made for it; 0: none yet
    Instant until{0};         // when it no longer waits for that
  };

  bool leased() const { return is_leased(terms_, options_.shards); }
  Rate rate() const {
    return {.limit = terms_.limit, .window = terms_.window, .burst = terms_.limit};
  }
  Share& share_of(const LeaseTally& tally);
  void adopt(const QuantityTerms& terms);
  void roll(WallTime wall);
  bool take_tally(Share& share, const LeaseTally& tally, Instant taken_at, Moment at);
  void release(std::int64_t amount, Instant taken_at, Instant now);
  void give_up(std::int64_t amount);
  bool take(std::int64_t amount, Instant now);
  void serve(Moment at, GrantLink& link);
  bool recall_for(Waiting& waiting, Moment at, GrantLink& link);
  bool grant(Share& share, const Waiting& waiting, Moment at, GrantLink& link);
  void answer(const Share& share, LeaseAnswer answer, const Waiting& waiting, Moment at,
              GrantLink& link);
  Duration wait_for(std::int64_t amount, Moment at);
  Duration reset_in(Moment at);

  QuantityId id_;
  QuantityTerms terms_;
  std::uint32_t first_version_;
  LeaseOptions options_;
  Balance balance_;       // of budgets and concurrency
  RateBucket bucket_;     // of rates that are leased
  SlidingWindow window_;  // of those that are not
  std::int64_t period_begin_ = INT64_MIN;
  std::uint32_t round_ = 0;
  std::vector<Share> shares_;     // of shards that ever asked
  std::vector<Waiting> waiting_;  // first come, first served; one a shard
};

}  // namespace leat::policy
