// SPDX-License-Identifier: Apache-2.0
#include "simulation/limit_watch.h"

#include <algorithm>
#include <string>

#include "gateway/configured_keys.h"

namespace leat::sim {

namespace {

constexpr Duration kLookEach = milliseconds(70);
constexpr Duration kMinute = seconds(60);

std::string name_of(const policy::AccountQuantity& quantity) {
  return "limit " + std::to_string(static_cast<int>(quantity.limit_class)) + " of " +
         std::to_string(quantity.terms.limit);
}

}  // namespace

LimitWatch::LimitWatch(World& world, SimGateway& gateway, const gateway::Snapshot& snapshot)
    : world_(world), gateway_(gateway) {
  for (std::size_t i = 0; i < snapshot.options().keys.size(); ++i) {
    const policy::Key key = gateway::configured_key(snapshot.options(), i);
    const auto all = policy::quantities_of(key, nullptr, {}, 1);
    quantities_.insert(quantities_.end(), all.begin(), all.end());
  }
}

void LimitWatch::start() {
  if (quantities_.empty()) return;
  world_.schedule(world_.now() + kLookEach, EventKind::kActor, event_callback<&LimitWatch::on_tick>,
                  this);
}

void LimitWatch::on_tick(std::uint64_t) {
  check();
  start();
}

// Whether its home can record what it grants.
bool LimitWatch::can_write(const policy::AccountQuantity& quantity) const {
  const auto shards = static_cast<std::uint32_t>(gateway_.shards().size());
  gateway::ShardLedger* const ledger =
      gateway_.shards()[policy::home_of(quantity.id, shards)]->gateway->ledger();
  return ledger == nullptr || ledger->admits();
}

// Null: nobody has asked for it yet, or not for long.
policy::QuantityHome* LimitWatch::home_of(const policy::AccountQuantity& quantity,
                                          policy::Moment& at) {
  const auto shards = static_cast<std::uint32_t>(gateway_.shards().size());
  SimShard& shard = *gateway_.shards()[policy::home_of(quantity.id, shards)];
  at = {shard.io.now(), shard.io.wall_now()};
  return shard.gateway->shard_limits().homes().find(quantity.id);
}

std::int64_t LimitWatch::charged() const {
  std::uint64_t sum = 0;
  for (const auto& shard : gateway_.shards()) sum += shard->counters.charged_nanodollars.get();
  return static_cast<std::int64_t>(sum);
}

void LimitWatch::check() {
  for (const policy::AccountQuantity& quantity : quantities_) {
    if (quantity.terms.kind == policy::QuantityKind::kRate) continue;
    policy::Moment at;
    policy::QuantityHome* const home = home_of(quantity, at);
    if (home == nullptr) continue;
    const std::int64_t taken = home->settled(at) + home->outstanding();
    if (taken > quantity.terms.limit) {
      world_.violation(name_of(quantity) + " is passed: " + std::to_string(taken));
    }
    const bool is_for_ever = quantity.terms.period == policy::BudgetPeriod::kNone;
    if (quantity.limit_class != policy::LimitClass::kMoney || !is_for_ever) continue;
    if (charged() > quantity.terms.limit) world_.violation("more was charged than the budget");
  }
}

void LimitWatch::check_at_rest() {
  check();
  for (const auto& shard : gateway_.shards()) {
    if (shard->gateway->shard_limits().admission().is_active()) {
      world_.violation("a shard still holds something of a limit");
    }
  }
  for (const policy::AccountQuantity& quantity : quantities_) {
    policy::Moment at;
    policy::QuantityHome* const home = home_of(quantity, at);
    if (home == nullptr) continue;
    // A grant that could not be written down, for want of a disk, waits for one.
    const bool may_be_out = !can_write(quantity);
    if (home->outstanding() != 0 && !may_be_out) {
      world_.violation(name_of(quantity) + ": something is still out");
    }
    const bool is_for_ever = quantity.terms.period == policy::BudgetPeriod::kNone;
    if (quantity.limit_class != policy::LimitClass::kMoney || !is_for_ever) continue;
    if (home->settled(at) != charged()) {
      world_.violation("settled " + std::to_string(home->settled(at)) + ", but charged " +
                       std::to_string(charged()));
    }
  }
}

void LimitWatch::check_minutes(std::span<const Instant> asked, Duration slack) {
  for (const policy::AccountQuantity& quantity : quantities_) {
    if (quantity.limit_class != policy::LimitClass::kRequests) continue;
    const auto most = static_cast<std::size_t>(quantity.terms.limit);
    for (std::size_t i = most; i < asked.size(); ++i) {
      if (asked[i] - asked[i - most] >= kMinute - slack) continue;
      world_.violation(name_of(quantity) + " a minute is passed");
    }
  }
}

}  // namespace leat::sim
