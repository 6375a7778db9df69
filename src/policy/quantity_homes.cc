// SPDX-License-Identifier: Apache-2.0
#include "policy/quantity_homes.h"

#include <algorithm>
#include <utility>

namespace leat::policy {
namespace {

// A call looks at so many buckets: a million quantities are seen through in a minute at 5 ms each.
constexpr std::size_t kSweptBucketsMax = 128;

}  // namespace

void QuantityHomes::restore(QuantityId id, const QuantityTerms& terms, std::int64_t settled,
                            std::int64_t open, Instant until, Moment at) {
  QuantityHome& home = homes_.try_emplace(id, id, terms, options_).first->second;
  home.charge(settled, at);
  if (open > 0) home.hold(open, until, at);
}

void QuantityHomes::settle_held(QuantityId id, const QuantityTerms& terms, std::int64_t held,
                                std::int64_t charged, Moment at) {
  homes_.try_emplace(id, id, terms, options_).first->second.settle_held(held, charged, at);
}

void QuantityHomes::begin_with(QuantityId id, const QuantityTerms& terms, std::int64_t settled,
                               Moment at) {
  QuantityHome& home = homes_.try_emplace(id, id, terms, options_).first->second;
  // A shard that heard of the limit sooner may have been granted some of it: that comes on top.
  const bool is_new = !is_later(terms.version, home.first_version());
  const std::int64_t counted = is_new ? 0 : home.settled(at) + home.outstanding();
  if (settled > counted) home.charge(settled - counted, at);
}

void QuantityHomes::carry(bool with_budgets, CarriedQuantities& to, Moment at) {
  for (auto& [id, home] : homes_) {
    if (home.terms().kind == QuantityKind::kBudget && !with_budgets) continue;
    if (auto carried = home.carried(at)) to.push_back(std::move(*carried));
  }
}

void QuantityHomes::carry_on(const CarriedQuantity& carried, Moment at) {
  QuantityTerms terms = carried.terms;
  terms.version = 0;  // of another process: our first are newer
  homes_.try_emplace(carried.id, carried.id, terms, options_).first->second.carry_on(carried, at);
}

void QuantityHomes::settle_carried(const CarriedEnd& end, Moment at) {
  // What nobody knows has been forgotten since nothing of it counts any more.
  if (QuantityHome* home = find(end.id)) home->settle_carried(end, at);
}

QuantityHome* QuantityHomes::find(QuantityId id) {
  const auto found = homes_.find(id);
  return found == homes_.end() ? nullptr : &found->second;
}

void QuantityHomes::hold_for(Duration hold) {
  if (hold <= options_.hold) return;
  options_.hold = hold;
  for (auto& [id, home] : homes_) home.hold_for(hold);
}

void QuantityHomes::hear(const LeaseAsk& ask, Moment at, GrantLink& link) {
  const QuantityId id = ask.tally.quantity;
  QuantityHome& home = homes_.try_emplace(id, id, ask.terms, options_).first->second;
  home.hear(ask, at, link);
  if (home.has_waiting() && std::ranges::find(waiting_, id) == waiting_.end()) {
    waiting_.push_back(id);
  }
}

void QuantityHomes::hear(const LeaseReturn& back, Moment at, GrantLink& link) {
  // None that this home ever knew: it began anew, and what is returned was never its.
  if (QuantityHome* home = find(back.tally.quantity)) home->hear(back, at, link);
}

void QuantityHomes::tick(Moment at, GrantLink& link) {
  std::erase_if(waiting_, [&](QuantityId id) {
    QuantityHome* home = find(id);
    if (home == nullptr) return true;
    if (home->deadline() <= at.now) home->tick(at, link);
    return !home->has_waiting();
  });
  const std::size_t buckets = homes_.bucket_count();
  for (std::size_t i = 0; i < std::min(buckets, kSweptBucketsMax); ++i) {
    swept_bucket_ = (swept_bucket_ + 1) % buckets;
    std::vector<QuantityId> idle;
    for (auto it = homes_.begin(swept_bucket_); it != homes_.end(swept_bucket_); ++it) {
      if (it->second.deadline() <= at.now) it->second.tick(at, link);
      if (it->second.is_idle(at)) idle.push_back(it->first);
    }
    for (const QuantityId id : idle) homes_.erase(id);
  }
}

}  // namespace leat::policy
