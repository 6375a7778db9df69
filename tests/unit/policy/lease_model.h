// SPDX-License-Identifier: Apache-2.0
// LeaseModel: one quantity, its home and the leases of several shards in one thread, with mailboxes
// that keep each pair's order and nothing else: which message arrives next is drawn. Checks after
// every step that no more is settled, reserved, free and on its way than the limit.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <optional>
#include <variant>
#include <vector>

#include "base/rng.h"
#include "policy/quantity_home.h"
#include "policy/quantity_lease.h"

namespace leat::policy {

class LeaseModel : public GrantLink {
 public:
  struct Settings {
    QuantityTerms terms;
    LeaseOptions options;
    Duration delay_max = milliseconds(5);  // of a message
    Duration tidy_each = seconds(1'000'000);
    double twice = 0;  // how likely a message arrives once more, later
  };
  struct Open {
    std::int64_t amount = 0;
    Instant at{0};
  };
  struct Shard {
    Shard(const Settings& settings, ShardIndex index)
        : lease(7, settings.terms, index, settings.options.shards, 1) {}
    QuantityLease lease;
    std::deque<std::int64_t> waiting;
    std::vector<Open> open;
    std::uint32_t lives = 1;
    bool is_mute = false;  // nothing reaches it, nor comes from it
  };

  LeaseModel(const Settings& settings, std::uint64_t seed)
      : settings_(settings), home_(7, settings.terms, settings.options), rng_(seed) {
    for (ShardIndex i = 0; i < settings.options.shards; ++i) shards_.emplace_back(settings, i);
  }

  void send(ShardIndex to, const LeaseGrant& grant) override { post(to, false, grant); }
  void send(ShardIndex to, const LeaseRecall& recall) override { post(to, false, recall); }

  // A request at a shard: admitted, refused, or it waits for an answer.
  void request(ShardIndex at, std::int64_t amount) {
    shards_[at].waiting.push_back(amount);
    look_again(at);
  }
  void settle_one(ShardIndex at, std::int64_t used) {
    Shard& shard = shards_[at];
    if (shard.open.empty()) return;
    const Open open = shard.open.front();
    shard.open.erase(shard.open.begin());
    const std::int64_t spent = std::min(used, open.amount);
    if (settings_.terms.kind == QuantityKind::kBudget) spent_ += spent;
    if (const auto back = shard.lease.settle(open.amount, used, open.at)) post_home(at, *back);
    look_again(at);
  }
  // Delivers some message, or none where none is under way.
  bool deliver_any() {
    std::vector<std::size_t> lanes;
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
      if (!lanes_[i].messages.empty()) lanes.push_back(i);
    }
    if (lanes.empty()) return false;
    deliver(lanes_[lanes[rng_.below(lanes.size())]]);
    return true;
  }
  void deliver_all() {
    while (deliver_any()) {
    }
  }
  // Nothing is under way, nor waits to be said.
  bool is_quiet() const {
    return std::ranges::all_of(lanes_, [](const Lane& lane) { return lane.messages.empty(); }) &&
           std::ranges::all_of(shards_, [](const Shard& shard) { return shard.lease.is_empty(); });
  }
  void advance(Duration by) {
    now_ = now_ + by;
    if (now_ - tidied_ >= settings_.tidy_each) {
      tidied_ = now_;
      for (ShardIndex i = 0; i < shards_.size(); ++i) tidy(i);
    }
    for (Lane& lane : lanes_) {
      while (!lane.messages.empty() && now_ - lane.messages.front().sent >= settings_.delay_max) {
        deliver(lane);
      }
    }
    if (home_.deadline() <= now_) home_.tick(moment(), *this);
  }
  void tidy(ShardIndex at) {
    if (const auto back = shards_[at].lease.tidy(now_)) post_home(at, *back);
    look_again(at);
  }
  // All that it had is lost with it; what it said still arrives, and what it spent is in the
  // ledger.
  void die(ShardIndex at) {
    Shard& dead = shards_[at];
    lost_ += dead.lease.unreported();
    home_.charge(dead.lease.unreported(), moment());
    dead.lease =
        QuantityLease(7, settings_.terms, at, settings_.options.shards, ++dead.lives * 1'000);
    refused += static_cast<std::int64_t>(dead.waiting.size());
    dead.waiting.clear();
    dead.open.clear();
  }

  void check() {
    if (settings_.terms.kind == QuantityKind::kRate) return;
    std::int64_t held = spent_;
    for (const Shard& shard : shards_) {
      held += shard.lease.reserved() + (shard.lease.has(1, now_) ? shard.lease.free() : 0);
    }
    ASSERT_LE(held, settings_.terms.limit) << "quantity was made";
    // Of what the dead spent the home knows from the ledger, and has it out on their leases yet.
    ASSERT_LE(home_.settled(moment()) + home_.outstanding(), settings_.terms.limit + lost_);
    ASSERT_GE(home_.available(moment()), 0);
  }

  Moment moment() const { return {now_, WallTime{1'700'000'000'000'000'000 + now_.ns}}; }
  Instant now() const { return now_; }
  QuantityHome& home() { return home_; }
  Shard& shard(ShardIndex at) { return shards_[at]; }
  std::size_t shards() const { return shards_.size(); }
  std::int64_t spent() const { return spent_; }
  Rng& rng() { return rng_; }

  std::int64_t admitted = 0;
  std::int64_t refused = 0;
  std::int64_t messages = 0;
  std::vector<Instant> admissions;

 private:
  using Message = std::variant<LeaseAsk, LeaseReturn, LeaseGrant, LeaseRecall>;
  struct Posted {
    Instant sent;
    Message message;
  };
  struct Lane {
    ShardIndex shard = 0;
    bool to_home = false;
    std::deque<Posted> messages;
  };

  void post(ShardIndex shard, bool to_home, const Message& message) {
    ++messages;
    for (Lane& lane : lanes_) {
      if (lane.shard == shard && lane.to_home == to_home) {
        lane.messages.push_back({now_, message});
        return;
      }
    }
    lanes_.push_back({.shard = shard, .to_home = to_home, .messages = {{now_, message}}});
  }
  void post_home(ShardIndex from, const Message& message) { post(from, true, message); }

  void deliver(Lane& lane) {
    const Posted posted = lane.messages.front();
    lane.messages.pop_front();
    const ShardIndex at = lane.shard;
    if (shards_[at].is_mute) return;
    if (rng_.chance(settings_.twice)) lane.messages.push_back({now_, posted.message});
    if (const auto* ask = std::get_if<LeaseAsk>(&posted.message)) {
      home_.hear(*ask, moment(), *this);
    } else if (const auto* back = std::get_if<LeaseReturn>(&posted.message)) {
      home_.hear(*back, moment(), *this);
    } else if (const auto* grant = std::get_if<LeaseGrant>(&posted.message)) {
      if (shards_[at].lease.hear(*grant, now_)) look_again(at);
    } else if (const auto* recall = std::get_if<LeaseRecall>(&posted.message)) {
      post_home(at, shards_[at].lease.hear(*recall, now_));
    }
  }

  void look_again(ShardIndex at) {
    Shard& shard = shards_[at];
    const std::int64_t before = admitted;
    while (!shard.waiting.empty()) {
      const std::int64_t amount = shard.waiting.front();
      if (shard.lease.has(amount, now_)) {
        shard.lease.reserve(amount, now_);
        shard.open.push_back({amount, now_});
        admissions.push_back(now_);
        ++admitted;
      } else if (shard.lease.is_refused(amount, now_)) {
        ++refused;
      } else {
        if (!shard.lease.is_asking()) {
          std::int64_t waiting = 0;
          for (const std::int64_t each : shard.waiting) waiting += each;
          post_home(at, shard.lease.ask(amount, waiting, now_));
        }
        return;
      }
      shard.waiting.pop_front();
    }
    if (admitted == before) return;
    if (const auto ahead = shard.lease.ask_ahead(now_)) post_home(at, *ahead);
  }

  Settings settings_;
  QuantityHome home_;
  Rng rng_;
  Instant now_{1'000'000'000'000};
  Instant tidied_ = now_;
  std::deque<Shard> shards_;
  std::deque<Lane> lanes_;
  std::int64_t spent_ = 0;
  std::int64_t lost_ = 0;
};

}  // namespace leat::policy
