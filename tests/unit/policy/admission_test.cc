// SPDX-License-Identifier: Apache-2.0
// Goal: a request takes from every limit that it meets or from none, what it did not use comes
// back, and who is refused is told by which limit and until when. Method: several shards' admission
// and homes in one thread, messages delivered in drawn order; every promise by itself, then random
// requests held against sums.
#include "policy/admission.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <variant>
#include <vector>

#include "base/rng.h"
#include "policy/quantity_homes.h"

namespace leat::policy {
namespace {

class Ticket final : public AdmissionTicket {
 public:
  int times_told = 0;

 private:
  void admission_decided() override { ++times_told; }
};

constexpr std::int64_t kMidday = 1'700'049'600;  // 2023-11-15 12:00:00 UTC

class Shards {
 public:
  explicit Shards(std::uint32_t count, std::uint64_t seed = 1) : rng_(seed) {
    for (ShardIndex i = 0; i < count; ++i) {
      nodes_.push_back(std::make_unique<Node>(*this, i, count));
    }
  }

  Admission& at(std::size_t shard) { return nodes_[shard]->admission; }
  QuantityHomes& homes(std::size_t shard) { return nodes_[shard]->homes; }
  QuantityHome* home(const AccountQuantity& quantity) {
    return homes(home_of(quantity.id, static_cast<std::uint32_t>(nodes_.size()))).find(quantity.id);
  }
  std::size_t count() const { return nodes_.size(); }

  // The account of a key at a shard, as the gateway finds it.
  AdmissionAccount& account(std::size_t shard, const std::vector<AccountQuantity>& quantities,
                            AccountId key = 1, std::uint32_t version = 1) {
    AdmissionAccount* known = at(shard).find(key, version);
    return known != nullptr ? *known : at(shard).set_account(key, version, quantities);
  }
  AdmissionState admit(std::size_t shard, const std::vector<AccountQuantity>& quantities,
                       const AdmissionAmounts& amounts, Ticket& ticket) {
    at(shard).admit(account(shard, quantities), amounts, ticket, now);
    deliver_all();
    return ticket.state();
  }

  bool deliver_any() {
    std::vector<Lane*> full;
    for (Lane& lane : lanes_) {
      if (!lane.messages.empty()) full.push_back(&lane);
    }
    if (full.empty()) return false;
    Lane& lane = *full[rng_.below(full.size())];
    const Message message = lane.messages.front();
    lane.messages.pop_front();
    Node& to = *nodes_[lane.to];
    if (const auto* ask = std::get_if<LeaseAsk>(&message)) to.homes.hear(*ask, moment(), to);
    if (const auto* back = std::get_if<LeaseReturn>(&message)) to.homes.hear(*back, moment(), to);
    if (const auto* grant = std::get_if<LeaseGrant>(&message)) to.admission.hear(*grant, now);
    if (const auto* recall = std::get_if<LeaseRecall>(&message)) to.admission.hear(*recall, now);
    return true;
  }
  void deliver_all() {
    while (deliver_any()) {
    }
  }
  void drop_all() {
    for (Lane& lane : lanes_) lane.messages.clear();
  }
  void pass(Duration time) {
    now = now + time;
    for (const auto& node : nodes_) {
      node->admission.tidy(now);
      node->homes.tick(moment(), *node);
    }
  }
  void pass_and_deliver(Duration time) {
    pass(time);
    deliver_all();
  }
  Moment moment() const { return {now, WallTime{kMidday * 1'000'000'000 + now.ns}}; }
  Rng& rng() { return rng_; }

  Instant now{1'000'000'000};
  std::int64_t messages = 0;

 private:
  using Message = std::variant<LeaseAsk, LeaseReturn, LeaseGrant, LeaseRecall>;
  struct Lane {
    ShardIndex from = 0;
    ShardIndex to = 0;
    std::deque<Message> messages;
  };
  struct Node final : LeaseLink, GrantLink {
    Node(Shards& all_shards, ShardIndex self, std::uint32_t count)
        : all(all_shards),
          index(self),
          admission(self, count, 1, *this),
          homes({.shards = count}) {}
    void send(ShardIndex home, const LeaseAsk& ask) override { all.post(index, home, ask); }
    void send(ShardIndex home, const LeaseReturn& back) override { all.post(index, home, back); }
    void send(ShardIndex to, const LeaseGrant& grant) override { all.post(index, to, grant); }
    void send(ShardIndex to, const LeaseRecall& recall) override { all.post(index, to, recall); }

    Shards& all;
    ShardIndex index;
    Admission admission;
    QuantityHomes homes;
  };

  void post(ShardIndex from, ShardIndex to, const Message& message) {
    ++messages;
    const auto lane = std::ranges::find_if(
        lanes_, [&](const Lane& each) { return each.from == from && each.to == to; });
    if (lane != lanes_.end()) {
      lane->messages.push_back(message);
    } else {
      lanes_.push_back({.from = from, .to = to, .messages = {message}});
    }
  }

  Rng rng_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::deque<Lane> lanes_;
};

struct Accounts {
  Key key{.id = 11, .workspace = 5, .organisation = 3};
  Workspace workspace{.id = 5, .organisation = 3};
  Organisation organisation{.id = 3};

  std::vector<AccountQuantity> quantities(std::uint32_t version = 1) const {
    return quantities_of(key, &workspace, organisation, version);
  }
};

const AccountQuantity& of(const std::vector<AccountQuantity>& all, LimitClass limit_class,
                          AccountLevel level = AccountLevel::kKey) {
  return *std::ranges::find_if(all, [&](const AccountQuantity& each) {
    return each.limit_class == limit_class && each.level == level;
  });
}

// ---- What a key's requests meet.

TEST(AccountQuantities, OnlyWhatIsLimited) {
  Accounts accounts;
  EXPECT_TRUE(accounts.quantities().empty());
  accounts.key.quota.rates.requests_per_minute = 100;
  accounts.workspace.quota.budgets[BudgetPeriod::kMonthly] = 500;
  accounts.workspace.quota.counts_byok = true;
  accounts.organisation.is_prepaid = true;
  accounts.organisation.granted = 900;
  accounts.organisation.quota.rates.concurrency = 7;
  accounts.organisation.quota.rates.tokens_per_day = std::uint64_t{1} << 63;
  const auto made = accounts.quantities(4);
  ASSERT_EQ(made.size(), 5u);
  EXPECT_EQ(made[0].limit_class, LimitClass::kConcurrency);
  EXPECT_EQ(made[0].terms.kind, QuantityKind::kConcurrency);
  const AccountQuantity& requests = of(made, LimitClass::kRequests);
  EXPECT_EQ(requests.terms.kind, QuantityKind::kRate);
  EXPECT_EQ(requests.terms.window.ns, seconds(60).ns);
  EXPECT_EQ(requests.terms.limit, 100);
  EXPECT_EQ(requests.terms.version, 4u);
  const AccountQuantity& day = of(made, LimitClass::kDayTokens, AccountLevel::kOrganisation);
  EXPECT_EQ(day.terms.kind, QuantityKind::kBudget);
  EXPECT_EQ(day.terms.period, BudgetPeriod::kDaily);
  EXPECT_EQ(day.terms.limit, INT64_MAX);
  const AccountQuantity& budget = of(made, LimitClass::kMoney, AccountLevel::kWorkspace);
  EXPECT_EQ(budget.terms.period, BudgetPeriod::kMonthly);
  EXPECT_TRUE(budget.counts_byok);
  EXPECT_FALSE(budget.is_credit);
  EXPECT_TRUE(of(made, LimitClass::kMoney, AccountLevel::kOrganisation).is_credit);
  EXPECT_EQ(quantities_of(accounts.key, nullptr, accounts.organisation, 1).size(), 4u);
}

TEST(AccountQuantities, EveryQuantityHasANameOfItsOwn) {
  std::vector<QuantityId> ids;
  std::vector<int> homes(8);
  for (AccountId account = 1; account <= 1'000; ++account) {
    for (const AccountLevel level : {AccountLevel::kKey, AccountLevel::kWorkspace}) {
      for (std::size_t c = 0; c < kLimitClasses; ++c) {
        ids.push_back(
            quantity_id(level, account, static_cast<LimitClass>(c), BudgetPeriod::kDaily, false));
        ++homes[home_of(ids.back(), 8)];
      }
    }
    ids.push_back(
        quantity_id(AccountLevel::kKey, account, LimitClass::kMoney, BudgetPeriod::kNone, true));
    ids.push_back(
        quantity_id(AccountLevel::kKey, account, LimitClass::kMoney, BudgetPeriod::kNone, false));
  }
  std::ranges::sort(ids);
  EXPECT_TRUE(std::ranges::adjacent_find(ids) == ids.end());
  for (const int count : homes) EXPECT_NEAR(count, 1'250, 200) << "no home has most of them";
}

// ---- All or nothing.

Accounts limited() {
  Accounts accounts;
  accounts.key.quota.rates = {.requests_per_minute = 5,
                              .tokens_per_minute = 10'000,
                              .tokens_per_day = 100'000,
                              .concurrency = 4};
  accounts.workspace.quota.budgets[BudgetPeriod::kMonthly] = 1'000;
  return accounts;
}
constexpr AdmissionAmounts kSmall{.tokens = 100, .money = 10};

TEST(Admission, NoLimitNoQuestion) {
  Shards shards(2);
  Ticket ticket;
  EXPECT_EQ(shards.at(0).admit(shards.account(0, {}), kSmall, ticket, shards.now),
            AdmissionState::kAdmitted);
  EXPECT_EQ(shards.messages, 0);
  shards.at(0).settle(ticket, kSmall, shards.now);
  EXPECT_EQ(ticket.state(), AdmissionState::kIdle);
}

TEST(Admission, TakesFromEveryLimitAndGivesBackTheDifference) {
  Shards shards(4);
  const auto quantities = limited().quantities();
  Ticket ticket;
  ASSERT_EQ(shards.admit(2, quantities, {.tokens = 4'000, .money = 700}, ticket),
            AdmissionState::kAdmitted);
  EXPECT_EQ(ticket.times_told, 1);
  EXPECT_GE(shards.home(of(quantities, LimitClass::kDayTokens))->outstanding(), 4'000);
  shards.at(2).settle(ticket, {.tokens = 1'500, .money = 300}, shards.now);
  shards.pass_and_deliver(seconds(3));
  shards.pass_and_deliver(seconds(3));
  const auto left = [&](LimitClass limit_class, AccountLevel level = AccountLevel::kKey) {
    return shards.home(of(quantities, limit_class, level))->available(shards.moment());
  };
  EXPECT_EQ(left(LimitClass::kDayTokens), 100'000 - 1'500);
  EXPECT_EQ(left(LimitClass::kMoney, AccountLevel::kWorkspace), 700);
  EXPECT_EQ(left(LimitClass::kRequests), 4) << "a request that was made is not given back";
  EXPECT_EQ(shards.home(of(quantities, LimitClass::kConcurrency)), nullptr)
      << "free again, and forgotten";
}

TEST(Admission, WhatOneLimitRefusesTakesNothingFromTheOthers) {
  Shards shards(4);
  const auto quantities = limited().quantities();
  Ticket ticket;
  EXPECT_EQ(shards.admit(1, quantities, {.tokens = 100, .money = 1'001}, ticket),
            AdmissionState::kRefused);
  const AdmissionRefusal& refusal = ticket.refusal();
  EXPECT_EQ(refusal.limit_class, LimitClass::kMoney);
  EXPECT_EQ(refusal.level, AccountLevel::kWorkspace);
  EXPECT_EQ(refusal.period, BudgetPeriod::kMonthly);
  EXPECT_EQ(refusal.limit, 1'000);
  EXPECT_EQ(refusal.remaining, 1'000);
  EXPECT_EQ(refusal.needed, 1'001);
  EXPECT_EQ(refusal.wait.ns, LeaseGrant::kNoWait.ns) << "it will not fit next month either";
  for (int i = 0; i < 3; ++i) shards.pass_and_deliver(seconds(2));
  for (const AccountQuantity& quantity : quantities) {
    QuantityHome* home = shards.home(quantity);
    if (home == nullptr) continue;
    EXPECT_EQ(home->outstanding(), 0);
    EXPECT_EQ(home->available(shards.moment()), quantity.terms.limit);
  }
}

TEST(Admission, CancellingGivesBackAllOfIt) {
  Shards shards(2);
  const auto quantities = limited().quantities();
  std::vector<Ticket> tickets(8);
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 4; ++i) {
      ASSERT_EQ(shards.admit(0, quantities, kSmall, tickets[static_cast<std::size_t>(i)]),
                AdmissionState::kAdmitted)
          << round;
    }
    for (int i = 0; i < 4; ++i)
      shards.at(0).cancel(tickets[static_cast<std::size_t>(i)], shards.now);
    shards.deliver_all();
  }
  EXPECT_EQ(shards.at(0).find(1, 1), &shards.account(0, quantities));
}

TEST(Admission, FiveAMinuteAndNoMore) {
  Shards shards(4);
  Accounts accounts;
  accounts.key.quota.rates.requests_per_minute = 5;
  const auto quantities = accounts.quantities();
  for (std::size_t i = 0; i < 5; ++i) {
    Ticket ticket;
    ASSERT_EQ(shards.admit(i % 4, quantities, kSmall, ticket), AdmissionState::kAdmitted);
    shards.at(i % 4).settle(ticket, kSmall, shards.now);
    shards.pass_and_deliver(seconds(1));
  }
  Ticket refused;
  EXPECT_EQ(shards.admit(3, quantities, kSmall, refused), AdmissionState::kRefused);
  EXPECT_EQ(refused.refusal().limit_class, LimitClass::kRequests);
  EXPECT_EQ(refused.refusal().remaining, 0);
  EXPECT_EQ(refused.refusal().wait.ms(), 55'100);
  EXPECT_EQ(refused.refusal().reset.ms(), 59'100);
  shards.now = shards.now + milliseconds(1);
  Ticket again;
  EXPECT_EQ(shards.at(3).admit(shards.account(3, quantities), kSmall, again, shards.now),
            AdmissionState::kRefused)
      << "at once, without asking";
  EXPECT_EQ(again.refusal().wait.ms(), 55'099);
  shards.pass_and_deliver(milliseconds(55'099));
  EXPECT_EQ(shards.admit(3, quantities, kSmall, again), AdmissionState::kAdmitted);
  shards.at(3).cancel(again, shards.now);
}

TEST(Admission, ConcurrencyIsFreeAgainWhenARequestEnds) {
  Shards shards(3);
  Accounts accounts;
  accounts.key.quota.rates.concurrency = 2;
  const auto quantities = accounts.quantities();
  Ticket first, second, third;
  ASSERT_EQ(shards.admit(0, quantities, kSmall, first), AdmissionState::kAdmitted);
  ASSERT_EQ(shards.admit(1, quantities, kSmall, second), AdmissionState::kAdmitted);
  EXPECT_EQ(shards.admit(2, quantities, kSmall, third), AdmissionState::kRefused);
  EXPECT_EQ(third.refusal().limit_class, LimitClass::kConcurrency);
  shards.at(0).settle(first, kSmall, shards.now);
  shards.pass_and_deliver(milliseconds(20));
  EXPECT_EQ(shards.admit(2, quantities, kSmall, third), AdmissionState::kAdmitted)
      << "recalled from the shard where it lies idle";
  shards.at(1).cancel(second, shards.now);
  shards.at(2).cancel(third, shards.now);
}

TEST(Admission, OfSeveralRefusalsTheLongestWait) {
  Shards shards(1);
  Accounts accounts;
  accounts.key.quota.rates.requests_per_minute = 60;
  accounts.organisation.quota.rates.tokens_per_day = 1'000;
  const auto quantities = accounts.quantities();
  std::vector<Ticket> tickets(60);
  for (Ticket& ticket : tickets) {
    ASSERT_EQ(shards.admit(0, quantities, {.tokens = 16}, ticket), AdmissionState::kAdmitted);
    shards.at(0).settle(ticket, {.tokens = 16}, shards.now);
  }
  Ticket refused;
  // The first answer refuses it; the second is known a moment later.
  shards.admit(0, quantities, {.tokens = 900}, refused);
  shards.admit(0, quantities, {.tokens = 900}, refused);
  ASSERT_EQ(refused.state(), AdmissionState::kRefused);
  EXPECT_EQ(refused.refusal().limit_class, LimitClass::kRequests) << "the first in order";
  EXPECT_GT(refused.refusal().wait.ns, seconds(40'000).ns) << "midnight is twelve hours away";
}

// ---- Money.

TEST(Admission, OwnKeysCountWhereTheyAreToCount) {
  Shards shards(1);
  Accounts accounts;
  accounts.key.quota.budgets[BudgetPeriod::kDaily] = 100;
  accounts.workspace.quota.budgets[BudgetPeriod::kDaily] = 100;
  accounts.workspace.quota.counts_byok = true;
  const auto quantities = accounts.quantities();
  Ticket ticket;
  EXPECT_EQ(shards.admit(0, quantities, {.money = 5, .byok_money = 96}, ticket),
            AdmissionState::kRefused);
  EXPECT_EQ(ticket.refusal().level, AccountLevel::kWorkspace);
  EXPECT_EQ(shards.admit(0, quantities, {.money = INT64_MAX, .byok_money = INT64_MAX}, ticket),
            AdmissionState::kRefused);
  shards.pass_and_deliver(milliseconds(20));
  ASSERT_EQ(shards.admit(0, quantities, {.money = 5, .byok_money = 95}, ticket),
            AdmissionState::kAdmitted);
  shards.at(0).settle(ticket, {.money = 4, .byok_money = 90}, shards.now);
  shards.pass_and_deliver(seconds(2));
  const auto settled = [&](AccountLevel level) {
    return shards.home(of(quantities, LimitClass::kMoney, level))->settled(shards.moment());
  };
  EXPECT_EQ(settled(AccountLevel::kKey), 4);
  EXPECT_EQ(settled(AccountLevel::kWorkspace), 94);
}

TEST(Admission, WhatCostsNothingNeedsNoMoney) {
  Shards shards(1);
  Accounts accounts;
  accounts.key.quota.budgets[BudgetPeriod::kNone] = 0;
  Ticket ticket;
  EXPECT_EQ(shards.admit(0, accounts.quantities(), {.money = 0}, ticket),
            AdmissionState::kAdmitted);
  shards.at(0).settle(ticket, {.money = 0}, shards.now);
  EXPECT_EQ(shards.admit(0, accounts.quantities(), {.money = 1}, ticket), AdmissionState::kRefused);
}

TEST(Admission, ExactlyTenOfTwoHundredOnEightShards) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Shards shards(8, seed);
    Accounts accounts;
    accounts.key.quota.budgets[BudgetPeriod::kMonthly] = 10'000'000'030;
    accounts.key.quota.rates = {.requests_per_minute = 100'000,
                                .tokens_per_minute = 100'000'000,
                                .tokens_per_day = 1'000'000'000,
                                .concurrency = 1'000};
    const auto quantities = accounts.quantities();
    std::vector<Ticket> tickets(200);
    std::vector<std::size_t> where;
    for (Ticket& ticket : tickets) {
      where.push_back(shards.rng().below(8));
      shards.at(where.back())
          .admit(shards.account(where.back(), quantities),
                 {.tokens = 1'000, .money = 1'000'000'003}, ticket, shards.now);
      if (shards.rng().chance(0.5)) shards.deliver_any();
    }
    shards.deliver_all();
    std::int64_t admitted = 0;
    for (const Ticket& ticket : tickets) {
      admitted += ticket.is_admitted();
      if (ticket.is_admitted()) continue;
      ASSERT_EQ(ticket.state(), AdmissionState::kRefused) << seed;
      EXPECT_EQ(ticket.refusal().limit_class, LimitClass::kMoney);
    }
    EXPECT_EQ(admitted, 10) << seed;
    for (std::size_t i = 0; i < tickets.size(); ++i) {
      shards.at(where[i]).cancel(tickets[i], shards.now);
    }
  }
}

// ---- Waiting.

TEST(Admission, WhoWaitsIsServedInOrder) {
  Shards shards(1);
  Accounts accounts;
  accounts.key.quota.budgets[BudgetPeriod::kNone] = 100;
  const auto quantities = accounts.quantities();
  AdmissionAccount& account = shards.account(0, quantities);
  Ticket large, small;
  EXPECT_EQ(shards.at(0).admit(account, {.money = 100}, large, shards.now),
            AdmissionState::kWaiting);
  EXPECT_EQ(shards.at(0).admit(account, {.money = 1}, small, shards.now), AdmissionState::kWaiting);
  shards.deliver_all();
  EXPECT_EQ(large.state(), AdmissionState::kAdmitted);
  EXPECT_EQ(small.state(), AdmissionState::kRefused);
  EXPECT_EQ(small.times_told, 1);
  shards.at(0).cancel(large, shards.now);
}

TEST(Admission, WhoGoesAwayWhileWaitingHoldsUpNobody) {
  Shards shards(2);
  const auto quantities = limited().quantities();
  Ticket gone, next;
  AdmissionAccount& account = shards.account(0, quantities);
  shards.at(0).admit(account, kSmall, gone, shards.now);
  shards.at(0).admit(account, kSmall, next, shards.now);
  shards.at(0).cancel(gone, shards.now);
  EXPECT_EQ(gone.state(), AdmissionState::kIdle);
  shards.deliver_all();
  EXPECT_EQ(gone.times_told, 0);
  EXPECT_EQ(next.state(), AdmissionState::kAdmitted);
  shards.at(0).cancel(next, shards.now);
  for (int i = 0; i < 70; ++i) shards.pass_and_deliver(seconds(2));
  EXPECT_EQ(shards.at(0).accounts(), 0u) << "nothing is left open";
}

TEST(Admission, AnAskThatIsLostIsMadeAgain) {
  Shards shards(2);
  const auto quantities = limited().quantities();
  Ticket ticket;
  shards.at(0).admit(shards.account(0, quantities), kSmall, ticket, shards.now);
  shards.drop_all();
  shards.pass(milliseconds(99));
  shards.deliver_all();
  EXPECT_EQ(ticket.state(), AdmissionState::kWaiting);
  shards.pass(milliseconds(1));
  shards.deliver_all();
  EXPECT_EQ(ticket.state(), AdmissionState::kAdmitted);
  shards.at(0).cancel(ticket, shards.now);
}

TEST(Admission, AHomeThatDoesNotAnswerIsNotWaitedForLong) {
  Shards shards(2);
  const auto quantities = limited().quantities();
  Ticket ticket;
  shards.at(0).admit(shards.account(0, quantities), kSmall, ticket, shards.now);
  shards.drop_all();
  shards.pass(milliseconds(249));
  EXPECT_EQ(ticket.state(), AdmissionState::kWaiting);
  shards.drop_all();
  shards.pass(milliseconds(1));
  EXPECT_EQ(ticket.state(), AdmissionState::kUnanswered);
  EXPECT_EQ(ticket.times_told, 1);
  shards.drop_all();
  shards.pass(milliseconds(100));
  EXPECT_EQ(shards.admit(0, quantities, kSmall, ticket), AdmissionState::kAdmitted)
      << "lost messages lose nothing for good";
  shards.at(0).cancel(ticket, shards.now);
}

TEST(Admission, FromALeaseNothingIsAsked) {
  Shards shards(4);
  Accounts accounts;
  accounts.key.quota.rates = {.requests_per_minute = 1'000'000,
                              .tokens_per_minute = 1'000'000'000,
                              .tokens_per_day = 1'000'000'000'000,
                              .concurrency = 10'000};
  accounts.key.quota.budgets[BudgetPeriod::kMonthly] = 1'000'000'000'000;
  const auto quantities = accounts.quantities();
  int without_waiting = 0;
  for (int i = 0; i < 10'000; ++i) {
    Ticket ticket;
    const AdmissionAmounts amounts{.tokens = 1'000, .money = 1'000'000};
    without_waiting += shards.at(0).admit(shards.account(0, quantities), amounts, ticket,
                                          shards.now) == AdmissionState::kAdmitted;
    shards.deliver_all();
    ASSERT_TRUE(ticket.is_admitted());
    shards.at(0).settle(ticket, {.tokens = 600, .money = 400'000}, shards.now);
    shards.pass(milliseconds(1));
  }
  EXPECT_GT(without_waiting, 9'990);
  EXPECT_LT(shards.messages, 2'000);
}

// ---- Snapshots, headers, memory.

TEST(Admission, ANewSnapshotHoldsWhileOldRequestsEndByTheirs) {
  Shards shards(1);
  Accounts accounts;
  accounts.key.quota.budgets[BudgetPeriod::kNone] = 1'000;
  Ticket open;
  ASSERT_EQ(shards.admit(0, accounts.quantities(1), {.money = 800}, open),
            AdmissionState::kAdmitted);
  accounts.key.quota.budgets[BudgetPeriod::kNone] = 900;
  accounts.key.quota.rates.concurrency = 1;
  const auto newer = accounts.quantities(2);
  EXPECT_EQ(shards.at(0).find(1, 2), nullptr);
  AdmissionAccount& account = shards.at(0).set_account(1, 2, newer);
  Ticket ticket;
  shards.at(0).admit(account, {.money = 101}, ticket, shards.now);
  shards.deliver_all();
  EXPECT_EQ(ticket.state(), AdmissionState::kRefused);
  shards.pass_and_deliver(milliseconds(20));
  shards.at(0).admit(account, {.money = 100}, ticket, shards.now);
  shards.deliver_all();
  EXPECT_EQ(ticket.state(), AdmissionState::kAdmitted) << "the old one holds no concurrency";
  shards.at(0).settle(open, {.money = 500}, shards.now);
  shards.at(0).settle(ticket, {.money = 100}, shards.now);
  shards.pass_and_deliver(seconds(2));
  EXPECT_EQ(shards.home(of(newer, LimitClass::kMoney))->settled(shards.moment()), 600);
}

TEST(Admission, HeadersTellTheLimitThatLeavesLeast) {
  Shards shards(2);
  Accounts accounts;
  accounts.key.quota.rates.requests_per_minute = 30;
  accounts.workspace.quota.rates.requests_per_minute = 20;
  accounts.organisation.quota.rates.requests_per_minute = 50;
  const auto quantities = accounts.quantities();
  AdmissionAccount& account = shards.account(0, quantities);
  EXPECT_FALSE(shards.at(0).status(account, LimitClass::kTokens).is_limited);
  LimitStatus status = shards.at(0).status(account, LimitClass::kRequests);
  EXPECT_TRUE(status.is_limited);
  EXPECT_EQ(status.remaining, 20);
  for (int i = 0; i < 3; ++i) {
    Ticket ticket;
    ASSERT_EQ(shards.admit(0, quantities, kSmall, ticket), AdmissionState::kAdmitted);
    shards.at(0).settle(ticket, kSmall, shards.now);
  }
  status = shards.at(0).status(account, LimitClass::kRequests);
  EXPECT_EQ(status.limit, 20);
  EXPECT_EQ(status.remaining, 17);
  EXPECT_EQ(status.reset.ms(), 60'100);
}

TEST(Admission, WhatNobodyUsesIsForgottenAndMakesNothingWhenItComesBack) {
  Shards shards(2);
  Accounts accounts;
  accounts.key.quota.budgets[BudgetPeriod::kNone] = 1'000;
  accounts.key.quota.rates.requests_per_minute = 100'000;
  const auto quantities = accounts.quantities();
  for (int life = 0; life < 3; ++life) {
    Ticket ticket;
    ASSERT_EQ(shards.admit(0, quantities, {.money = 300}, ticket), AdmissionState::kAdmitted);
    shards.at(0).settle(ticket, {.money = 300}, shards.now);
    for (int i = 0; i < 70; ++i) shards.pass_and_deliver(seconds(2));
    EXPECT_EQ(shards.at(0).accounts(), 0u);
    EXPECT_EQ(shards.at(0).quantities(), 0u);
  }
  Ticket ticket;
  EXPECT_EQ(shards.admit(0, quantities, {.money = 101}, ticket), AdmissionState::kRefused);
  shards.pass_and_deliver(milliseconds(20));
  EXPECT_EQ(shards.admit(0, quantities, {.money = 100}, ticket), AdmissionState::kAdmitted);
  shards.at(0).cancel(ticket, shards.now);
}

// Its lease was given up meanwhile, and its quantity begins anew twice over.
TEST(Admission, ARequestThatRunsTooLongIsChargedAndMakesNothing) {
  Shards shards(1);
  Accounts accounts;
  accounts.key.quota.budgets[BudgetPeriod::kNone] = 1'000;
  const auto quantities = accounts.quantities();
  Ticket ticket;
  ASSERT_EQ(shards.admit(0, quantities, {.money = 300}, ticket), AdmissionState::kAdmitted);
  for (int i = 0; i < 100; ++i) shards.pass_and_deliver(seconds(10));
  EXPECT_EQ(shards.home(quantities[0])->outstanding(), 0);
  shards.at(0).settle(ticket, {.money = 300}, shards.now);
  shards.pass_and_deliver(seconds(1));
  EXPECT_EQ(shards.home(quantities[0])->settled(shards.moment()), 300);
  ASSERT_EQ(shards.admit(0, quantities, {.money = 100}, ticket), AdmissionState::kAdmitted);
  shards.at(0).settle(ticket, {.money = 100}, shards.now);
  for (int i = 0; i < 70; ++i) shards.pass_and_deliver(seconds(2));
  ASSERT_EQ(shards.at(0).quantities(), 0u);
  ASSERT_EQ(shards.admit(0, quantities, {.money = 50}, ticket), AdmissionState::kAdmitted);
  Ticket more;
  EXPECT_EQ(shards.admit(0, quantities, {.money = 551}, more), AdmissionState::kRefused);
  shards.pass_and_deliver(milliseconds(20));
  EXPECT_EQ(shards.admit(0, quantities, {.money = 550}, more), AdmissionState::kAdmitted);
  shards.at(0).cancel(more, shards.now);
  shards.at(0).cancel(ticket, shards.now);
}

// What was given back was lost on the way: the home believes it out, and nobody is to wait for it.
TEST(Admission, WhoForgotAQuantityStillAnswersARecall) {
  Shards shards(2);
  Accounts accounts;
  accounts.key.quota.budgets[BudgetPeriod::kNone] = 1'000;
  const auto quantities = accounts.quantities();
  Ticket ticket;
  ASSERT_EQ(shards.admit(0, quantities, {.money = 300}, ticket), AdmissionState::kAdmitted);
  shards.at(0).settle(ticket, {.money = 0}, shards.now);
  for (int i = 0; i < 70; ++i) {
    shards.pass(seconds(2));
    shards.drop_all();
  }
  ASSERT_EQ(shards.at(0).quantities(), 0u);
  ASSERT_EQ(shards.home(quantities[0])->outstanding(), 300);
  EXPECT_EQ(shards.admit(1, quantities, {.money = 900}, ticket), AdmissionState::kRefused);
  shards.pass_and_deliver(milliseconds(20));
  EXPECT_EQ(shards.admit(1, quantities, {.money = 700}, ticket), AdmissionState::kAdmitted);
  shards.at(1).cancel(ticket, shards.now);
}

TEST(Admission, ALimitThatIsTakenAwayGivesBackItsLease) {
  Shards shards(1);
  Accounts accounts;
  accounts.key.quota.budgets[BudgetPeriod::kNone] = 1'000;
  const auto quantities = accounts.quantities();
  Ticket ticket;
  ASSERT_EQ(shards.admit(0, quantities, {.money = 300}, ticket), AdmissionState::kAdmitted);
  shards.at(0).settle(ticket, {.money = 100}, shards.now);
  shards.at(0).set_account(1, 2, {});
  for (int i = 0; i < 3; ++i) shards.pass_and_deliver(seconds(1));
  EXPECT_EQ(shards.home(quantities[0])->settled(shards.moment()), 100);
  EXPECT_EQ(shards.home(quantities[0])->outstanding(), 0);
  EXPECT_EQ(shards.at(0).quantities(), 0u);
}

// A home forgets a rate that is full again, while a shard still knows of its lease.
TEST(Admission, AHomeThatForgotAndALeaseThatDidNotGetOn) {
  Shards shards(1);
  Accounts accounts;
  accounts.key.quota.rates.requests_per_minute = 100'000;
  const auto quantities = accounts.quantities();
  for (int round = 0; round < 3; ++round) {
    Ticket ticket;
    ASSERT_EQ(shards.admit(0, quantities, kSmall, ticket), AdmissionState::kAdmitted) << round;
    shards.at(0).settle(ticket, kSmall, shards.now);
    for (int i = 0; i < 5; ++i) shards.pass_and_deliver(seconds(2));
    ASSERT_EQ(shards.home(quantities[0]), nullptr);
    ASSERT_EQ(shards.at(0).quantities(), 1u);
  }
}

// What the ledger knew at start counts, and what was open when the last life ended counts until it
// is settled.
TEST(Admission, ARestartForgetsNothing) {
  Shards shards(2);
  Accounts accounts;
  accounts.key.quota.budgets[BudgetPeriod::kMonthly] = 1'000;
  const auto quantities = accounts.quantities();
  const AccountQuantity& budget = quantities[0];
  shards.homes(home_of(budget.id, 2))
      .restore(budget.id, budget.terms, 600, 350, shards.now + seconds(60), shards.moment());
  Ticket ticket;
  EXPECT_EQ(shards.admit(0, quantities, {.money = 51}, ticket), AdmissionState::kRefused);
  EXPECT_EQ(ticket.refusal().remaining, 50) << "what could be afforded";
  shards.pass_and_deliver(seconds(59));
  EXPECT_EQ(shards.admit(0, quantities, {.money = 51}, ticket), AdmissionState::kRefused);
  shards.home(budget)->charge(120, shards.moment());
  shards.pass_and_deliver(seconds(1));
  EXPECT_EQ(shards.admit(0, quantities, {.money = 281}, ticket), AdmissionState::kRefused);
  EXPECT_EQ(ticket.refusal().remaining, 280);
}

TEST(Admission, ARestartHoldsNoMoreThanThereIs) {
  const QuantityTerms terms{.kind = QuantityKind::kBudget, .limit = 100};
  QuantityHome home(7, terms, {.shards = 2});
  const Moment at{Instant{1'000'000}, WallTime{}};
  home.charge(70, at);
  home.hold(500, at.now + seconds(1), at);
  EXPECT_EQ(home.available(at), 0);
  EXPECT_EQ(home.outstanding(), 30);
}

// More credit was taken back than was given: a request is refused like any other.
TEST(Admission, CreditBelowNothingRefuses) {
  Accounts accounts;
  accounts.organisation.is_prepaid = true;
  accounts.organisation.granted = -5'000;
  const auto made = accounts.quantities();
  ASSERT_EQ(made.size(), 1u);
  EXPECT_TRUE(made[0].is_credit);
  EXPECT_EQ(made[0].terms.limit, 0);
}

// Random requests of three keys of one organisation: no budget is ever passed, and when all is
// done, all that was not used is there.
TEST(Admission, HoldsUnderRandomUse) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    Shards shards(1 + static_cast<std::uint32_t>(seed % 5), seed);
    Rng& rng = shards.rng();
    Accounts accounts;
    accounts.organisation.is_prepaid = true;
    accounts.organisation.granted = rng.between(100, 20'000);
    accounts.organisation.quota.rates.concurrency = static_cast<std::uint64_t>(rng.between(1, 30));
    accounts.workspace.quota.budgets[BudgetPeriod::kWeekly] = rng.between(100, 20'000);
    std::vector<std::vector<AccountQuantity>> keys;
    for (AccountId key = 1; key <= 3; ++key) {
      accounts.key.id = key;
      accounts.key.quota.budgets[BudgetPeriod::kNone] = rng.between(100, 9'000);
      keys.push_back(accounts.quantities());
    }
    struct Running {
      Ticket ticket;
      std::size_t shard = 0;
    };
    std::vector<std::unique_ptr<Running>> running;
    std::int64_t spent = 0;
    const auto finish = [&](std::size_t i) {
      Running& one = *running[i];
      if (one.ticket.is_admitted() && rng.chance(0.8)) {
        const std::int64_t cost = rng.between(0, one.ticket.reserved().money);
        spent += cost;
        shards.at(one.shard).settle(one.ticket, {.money = cost}, shards.now);
      } else {
        shards.at(one.shard).cancel(one.ticket, shards.now);
      }
      running.erase(running.begin() + static_cast<std::ptrdiff_t>(i));
    };
    for (int step = 0; step < 2'000; ++step) {
      const std::uint64_t what = rng.below(10);
      if (what < 3) {
        auto& one = *running.emplace_back(std::make_unique<Running>());
        one.shard = rng.below(shards.count());
        const AccountId key = 1 + rng.below(3);
        AdmissionAccount& account = shards.account(one.shard, keys[key - 1], key);
        shards.at(one.shard).admit(account, {.money = rng.between(0, 300)}, one.ticket, shards.now);
      } else if (what < 5) {
        if (!running.empty()) finish(rng.below(running.size()));
      } else if (what < 9) {
        shards.deliver_any();
      } else {
        shards.pass(milliseconds(rng.between(0, 30)));
      }
      std::int64_t open = 0;
      std::uint64_t concurrent = 0;
      for (const auto& one : running) {
        if (!one->ticket.is_admitted()) continue;
        open += one->ticket.reserved().money;
        ++concurrent;
      }
      ASSERT_LE(spent + open, accounts.organisation.granted) << seed;
      ASSERT_LE(spent + open, accounts.workspace.quota.budgets[BudgetPeriod::kWeekly]) << seed;
      ASSERT_LE(concurrent, accounts.organisation.quota.rates.concurrency) << seed;
    }
    shards.deliver_all();
    while (!running.empty()) finish(running.size() - 1);
    for (int i = 0; i < 6; ++i) shards.pass_and_deliver(seconds(2));
    const AccountQuantity& credit = keys[0].back();
    ASSERT_TRUE(credit.is_credit);
    if (QuantityHome* home = shards.home(credit)) {
      EXPECT_EQ(home->settled(shards.moment()), spent) << seed;
      EXPECT_EQ(home->outstanding(), 0) << seed;
    }
  }
}

}  // namespace
}  // namespace leat::policy
