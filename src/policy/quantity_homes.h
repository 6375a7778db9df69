// SPDX-License-Identifier: Apache-2.0
// QuantityHomes: all quantities whose home is one shard. Each begins with the first ask that names
// it, for an ask carries its terms; budgets may be told before what the ledger knows of them. Owned
// by the shard; pure, and answers go to a GrantLink. No ask is to be heard before restore() was
// called for all that the ledger knows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "policy/quantity_home.h"

namespace leat::policy {

class QuantityHomes {
 public:
  explicit QuantityHomes(const LeaseOptions& options) : options_(options) {}

  // What was settled in the period of `at`, and what is open from a life before until it is settled
  // (with settle_held()) or `until`; added to what is known.
  void restore(QuantityId id, const QuantityTerms& terms, std::int64_t settled, std::int64_t open,
               Instant until, Moment at);

  // So much of what was open is settled by now, at `charged`.
  void settle_held(QuantityId id, const QuantityTerms& terms, std::int64_t held,
                   std::int64_t charged, Moment at);

  // A limit that is new, or changed: `settled` in the period of `at`, before it was there. What it
  // has counted itself is in that, and does not count twice.
  void begin_with(QuantityId id, const QuantityTerms& terms, std::int64_t settled, Moment at);

  // What another process is to go on with. `with_budgets`: or only what no ledger tells it.
  void carry(bool with_budgets, CarriedQuantities& to, Moment at);
  // As restore(): what one before this has told. And as settle_held().
  void carry_on(const CarriedQuantity& carried, Moment at);
  void settle_carried(const CarriedEnd& end, Moment at);

  // As LeaseOptions::hold, for what is granted from here on; never less than before.
  void hold_for(Duration hold);

  void hear(const LeaseAsk& ask, Moment at, GrantLink& link);
  void hear(const LeaseReturn& back, Moment at, GrantLink& link);
  // Every few milliseconds: what waited too long, what expired, and rates that are full again.
  // Bounded work a call.
  void tick(Moment at, GrantLink& link);

  // For those who ask what a key has left; null: nothing was ever taken of it.
  QuantityHome* find(QuantityId id);
  std::size_t size() const { return homes_.size(); }
  // An ask waits for what others have idle, and is refused by a tick().
  bool has_waiting() const { return !waiting_.empty(); }

 private:
  LeaseOptions options_;
  std::unordered_map<QuantityId, QuantityHome> homes_;
  std::vector<QuantityId> waiting_;  // homes where an ask waits for a recall
  std::size_t swept_bucket_ = 0;
};

}  // namespace leat::policy
