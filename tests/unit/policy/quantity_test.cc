// SPDX-License-Identifier: Apache-2.0
// Goal: however messages are delayed, crossed or doubled, and whichever shard dies, leases never
// make quantity; nothing is stranded where nobody needs it; small limits are exact. Method: a model
// of home and shards (lease_model.h) under drawn schedules, then the single promises one by one.
#include "policy/quantity.h"

#include <gtest/gtest.h>

#include <limits>

#include "lease_model.h"
#include "policy/quantity_homes.h"

namespace leat::policy {
namespace {

QuantityTerms budget(std::int64_t limit, BudgetPeriod period = BudgetPeriod::kNone) {
  return {.kind = QuantityKind::kBudget, .period = period, .limit = limit};
}
QuantityTerms rate(std::int64_t limit) {
  return {.kind = QuantityKind::kRate, .limit = limit};
}
QuantityTerms concurrency(std::int64_t limit) {
  return {.kind = QuantityKind::kConcurrency, .limit = limit};
}

constexpr Duration kRequestMax = milliseconds(100);

// Requests come, end, are given up; clocks go on; shards tidy and die. A request that began in time
// is told of before the lease expires: kRequestMax, a tidying and a message's delay later, with
// steps of 20 ms, is less than hold.
void live(LeaseModel& model, int steps, std::int64_t amount_max, bool with_deaths) {
  Rng& rng = model.rng();
  for (int step = 0; step < steps; ++step) {
    const auto at = static_cast<ShardIndex>(rng.below(model.shards()));
    LeaseModel::Shard& shard = model.shard(at);
    const std::uint64_t what = rng.below(100);
    if (what < 35) {
      model.request(at, rng.between(1, amount_max));
    } else if (what < 55) {
      const std::int64_t amount = shard.open.empty() ? 0 : shard.open.front().amount;
      model.settle_one(at, rng.chance(0.2) ? 2 * amount : rng.between(0, amount));
    } else if (what < 90) {
      model.deliver_any();
    } else if (what < 94) {
      model.tidy(at);
    } else if (what < 99 || !with_deaths) {
      model.advance(milliseconds(rng.between(0, 20)));
    } else {
      model.die(at);
    }
    for (ShardIndex i = 0; i < model.shards(); ++i) {
      while (!model.shard(i).open.empty() &&
             model.now() - model.shard(i).open.front().at >= kRequestMax) {
        model.settle_one(i, model.shard(i).open.front().amount);
      }
    }
    model.check();
    if (testing::Test::HasFatalFailure()) return;
  }
}

// Lets everything end: all comes back to the home but what was spent.
void calm(LeaseModel& model) {
  for (int round = 0; round < 40; ++round) {
    for (ShardIndex at = 0; at < model.shards(); ++at) {
      while (!model.shard(at).open.empty()) model.settle_one(at, 0);
      model.tidy(at);
    }
    model.deliver_all();
    model.advance(milliseconds(300));
    model.check();
    if (testing::Test::HasFatalFailure()) return;
    if (model.is_quiet() && model.home().outstanding() == 0) return;
  }
}

LeaseModel::Settings settings_of(const QuantityTerms& terms, Rng& rng) {
  LeaseModel::Settings settings;
  settings.terms = terms;
  settings.options.shards = static_cast<std::uint32_t>(rng.between(1, 9));
  settings.options.spend = milliseconds(rng.between(5, 60));
  settings.options.hold = milliseconds(200);
  settings.options.recall_max = milliseconds(rng.between(1, 20));
  settings.delay_max = milliseconds(rng.between(1, 30));
  settings.tidy_each = milliseconds(20);
  return settings;
}

TEST(Quantity, NothingIsMadeInTenThousandSchedules) {
  Rng rng(20);
  for (std::uint64_t seed = 0; seed < 10'000; ++seed) {
    const std::int64_t limit = rng.between(1, 2'000);
    LeaseModel::Settings settings =
        settings_of(seed % 4 == 3 ? concurrency(limit) : budget(limit), rng);
    if (seed % 3 == 1) settings.twice = 0.2;
    LeaseModel model(settings, seed);
    live(model, 120, 1 + limit / rng.between(1, 20), seed % 2 == 1);
    ASSERT_FALSE(HasFatalFailure()) << "seed " << seed;
    calm(model);
    ASSERT_FALSE(HasFatalFailure()) << "seed " << seed;
    EXPECT_EQ(model.home().outstanding(), 0) << "leaked, seed " << seed;
    EXPECT_EQ(model.home().settled(model.moment()), model.spent()) << "seed " << seed;
    EXPECT_EQ(model.home().available(model.moment()), limit - model.spent()) << "seed " << seed;
  }
}

// 200 at once on a budget for exactly ten.
TEST(Quantity, ExactlyTenOfTwoHundredAreAdmitted) {
  constexpr std::int64_t kEach = 1'000'003;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    LeaseModel::Settings settings;
    settings.terms = budget(10 * kEach);
    settings.options.shards = 1 + static_cast<std::uint32_t>(seed % 16);
    LeaseModel model(settings, seed);
    for (std::size_t i = 0; i < 200; ++i) {
      model.request(static_cast<ShardIndex>(model.rng().below(model.shards())), kEach);
      if (model.rng().chance(0.5)) model.deliver_any();
    }
    model.deliver_all();
    EXPECT_EQ(model.admitted, 10) << seed;
    EXPECT_EQ(model.refused, 190) << seed;
    model.check();
    // Nine cost nothing: nine more fit, wherever they come.
    for (ShardIndex at = 0; at < model.shards(); ++at) {
      while (!model.shard(at).open.empty()) {
        model.settle_one(at, model.shard(at).open.front().amount * (model.spent() == 0 ? 1 : 0));
      }
    }
    model.advance(milliseconds(20));
    for (int i = 0; i < 30; ++i) {
      model.request(static_cast<ShardIndex>(model.rng().below(model.shards())), kEach);
      model.deliver_all();
    }
    EXPECT_EQ(model.admitted, 19) << seed;
  }
}

TEST(Quantity, ThreeAMinuteOnSixteenShardsIsThreeInAnyMinute) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    LeaseModel::Settings settings;
    settings.terms = rate(3);
    settings.options.shards = 16;
    settings.delay_max = milliseconds(45);  // there and back within kDirectUseMax
    LeaseModel model(settings, seed);
    for (int i = 0; i < 30'000; ++i) {  // ten minutes
      model.request(static_cast<ShardIndex>(model.rng().below(16)), 1);
      if (model.rng().chance(0.4)) model.deliver_any();
      model.advance(milliseconds(model.rng().between(0, 40)));
      if (i % 10 == 0) model.tidy(static_cast<ShardIndex>(model.rng().below(16)));
    }
    const auto& taken = model.admissions;
    for (std::size_t i = 3; i < taken.size(); ++i) {
      ASSERT_GE((taken[i] - taken[i - 3]).ns, seconds(60).ns) << "four in a minute, seed " << seed;
    }
    ASSERT_GE(taken.size(), 27u) << "and not fewer: ten minutes hold nine whole windows at least";
  }
}

TEST(Quantity, ASmallRateIsAskedOfTheHomeAndALargeOneLeased) {
  EXPECT_FALSE(is_leased(rate(63), 1));
  EXPECT_TRUE(is_leased(rate(64), 1));
  EXPECT_FALSE(is_leased(rate(64 * 16 - 1), 16));
  EXPECT_TRUE(is_leased(rate(64 * 16), 16));
  EXPECT_TRUE(is_leased(budget(1), 16));
}

TEST(Quantity, ALargeRateIsMostlySpentWithoutAsking) {
  LeaseModel::Settings settings;
  settings.terms = rate(60'000);
  settings.options.shards = 4;
  LeaseModel model(settings, 1);
  for (int i = 0; i < 20'000; ++i) {  // 500 a second in all
    const auto at = static_cast<ShardIndex>(i % 4);
    model.request(at, 1);
    model.settle_one(at, 1);
    model.deliver_all();
    model.advance(milliseconds(2));
    if (i % 125 == 0) model.tidy(at);
  }
  EXPECT_EQ(model.admitted, 20'000);
  EXPECT_LT(model.messages, 2'000) << "a message for every ten requests at the most";
}

TEST(Quantity, ALargeRateHoldsAcrossShards) {
  LeaseModel::Settings settings;
  settings.terms = rate(6'000);  // a hundred a second, and 6,000 at once
  settings.options.shards = 8;
  LeaseModel model(settings, 1);
  for (int i = 0; i < 60'000; ++i) {  // a thousand a second for a minute
    model.request(static_cast<ShardIndex>(model.rng().below(8)), 1);
    model.deliver_all();
    model.advance(milliseconds(1));
  }
  EXPECT_LE(model.admitted, 12'000) << "the burst and what the rate brought";
  EXPECT_GE(model.admitted, 11'500) << "and nearly all of that";
}

// One shard took nearly all of it, spends none, and says so when it is asked.
TEST(Quantity, WhatLiesIdleAtOneShardComesToAnotherAtOnce) {
  for (const QuantityTerms& terms : {budget(1'000), concurrency(1'000)}) {
    LeaseModel::Settings settings;
    settings.terms = terms;
    settings.options.shards = 4;
    LeaseModel model(settings, 3);
    model.request(0, 900);
    model.deliver_all();
    model.settle_one(0, 0);
    ASSERT_EQ(model.shard(0).lease.free(), 900);
    const Instant asked = model.now();
    model.request(1, 950);
    model.deliver_all();
    EXPECT_EQ(model.admitted, 2);
    EXPECT_EQ(model.now(), asked) << "messages alone, no timer";
    EXPECT_EQ(model.shard(0).lease.free(), 0);
  }
}

TEST(Quantity, WhoAsksForMuchLeavesSomeToTheOthers) {
  LeaseModel::Settings settings;
  settings.terms = budget(1'000);
  settings.options.shards = 4;
  LeaseModel model(settings, 3);
  model.request(0, 10);
  model.deliver_all();
  EXPECT_EQ(model.home().outstanding(), 10);
  for (int i = 0; i < 60; ++i) model.request(1, 10);
  // The first asks for itself, the second for all that wait by then.
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(model.deliver_any());
  EXPECT_EQ(model.home().outstanding(), 20 + 980 / 8) << "half of an even part";
}

// Nothing lies idle where all is spent: nobody is asked for it.
TEST(Quantity, WhatIsSpentIsNotRecalled) {
  LeaseModel::Settings settings;
  settings.terms = budget(1'000);
  settings.options.shards = 8;
  LeaseModel model(settings, 3);
  for (ShardIndex at = 0; at < 8; ++at) {
    model.request(at, 125);
    model.deliver_all();
  }
  ASSERT_EQ(model.admitted, 8);
  for (ShardIndex at = 0; at < 7; ++at) model.settle_one(at, 125);
  for (int i = 0; i < 2; ++i) {
    model.advance(milliseconds(300));
    for (ShardIndex at = 0; at < 8; ++at) model.tidy(at);
    model.deliver_all();
  }
  const std::int64_t before = model.messages;
  model.request(0, 126);  // more than what the last one has, be it idle
  model.deliver_all();
  EXPECT_EQ(model.refused, 1);
  EXPECT_EQ(model.messages - before, 2) << "an ask and its refusal";
}

// A shard that answers nothing holds up the first who needs what it has, and nobody after.
TEST(Quantity, ASilentShardIsWaitedForOnce) {
  LeaseModel::Settings settings;
  settings.terms = budget(1'000);
  settings.options.shards = 2;
  settings.options.recall_max = milliseconds(20);
  LeaseModel model(settings, 3);
  model.request(0, 600);
  model.deliver_all();
  model.shard(0).is_mute = true;
  model.request(1, 600);
  model.deliver_all();
  EXPECT_EQ(model.refused, 0) << "it may answer yet";
  model.advance(milliseconds(20));
  model.deliver_all();
  EXPECT_EQ(model.refused, 1);
  model.advance(milliseconds(20));
  model.request(1, 600);
  model.deliver_all();
  EXPECT_EQ(model.refused, 2) << "at once";
}

TEST(Quantity, WhatASmallRateDidNotUseIsThereForOthersAtOnce) {
  LeaseModel::Settings settings;
  settings.terms = rate(100);
  settings.options.shards = 2;
  LeaseModel model(settings, 3);
  model.request(0, 60);
  model.deliver_all();
  model.advance(seconds(2));
  model.settle_one(0, 10);
  model.deliver_all();
  EXPECT_EQ(model.home().available(model.moment()), 90);
  model.request(1, 90);
  model.deliver_all();
  EXPECT_EQ(model.admitted, 2);
}

// What was granted directly and not used in time goes back; what is granted next is not held
// for as old.
TEST(Quantity, ADirectGrantIsForAMoment) {
  QuantityLease lease(7, rate(5), 0, 2, 1);
  const Instant now{1'000'000'000};
  LeaseGrant grant;
  grant.quantity = 7;
  grant.generation = 1;
  const auto ask_and_hear = [&](std::int64_t granted, Instant at) {
    grant.number = lease.ask(1, 1, at).number;
    grant.granted = granted;
    grant.spend_until = at + kDirectUseMax;
    EXPECT_TRUE(lease.hear(grant, at));
  };
  ask_and_hear(1, now);
  EXPECT_TRUE(lease.has(1, now + milliseconds(99)));
  EXPECT_FALSE(lease.has(1, now + milliseconds(100)));
  const Instant later = now + milliseconds(150);
  ask_and_hear(2, later);
  EXPECT_TRUE(lease.has(1, later + milliseconds(50)));
  EXPECT_FALSE(lease.has(2, later + milliseconds(50)));
  const auto back = lease.tidy(later + milliseconds(50));
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->tally.returned, 1);
  EXPECT_EQ(back->taken_at, now) << "so that it stops counting when it would have";
}

TEST(Quantity, WhatLiesIdleComesBackByItself) {
  LeaseModel::Settings settings;
  settings.terms = budget(1'000);
  settings.options.shards = 2;
  LeaseModel model(settings, 3);
  model.request(0, 400);
  model.deliver_all();
  model.settle_one(0, 100);
  model.advance(milliseconds(900));
  model.tidy(0);
  model.deliver_all();
  EXPECT_EQ(model.home().settled(model.moment()), 100) << "what was spent is told";
  EXPECT_GE(model.shard(0).lease.free(), 300) << "it may still be of use here";
  model.advance(kLeaseIdleMax);
  model.tidy(0);
  model.deliver_all();
  EXPECT_EQ(model.home().outstanding(), 0);
  EXPECT_EQ(model.home().available(model.moment()), 900);
}

TEST(Quantity, ADeadShardLosesItsLeaseUntilItExpires) {
  LeaseModel::Settings settings;
  settings.terms = budget(1'000);
  settings.options.shards = 2;
  settings.options.spend = seconds(2);
  settings.options.hold = seconds(10);
  LeaseModel model(settings, 3);
  model.request(0, 600);
  model.deliver_all();
  model.die(0);
  model.request(0, 100);  // it lives again, and knows nothing
  model.deliver_all();
  model.request(1, 600);
  model.deliver_all();
  for (int i = 0; i < 5; ++i) {
    model.advance(milliseconds(10));
    model.deliver_all();
  }
  EXPECT_EQ(model.admitted, 2);
  EXPECT_EQ(model.refused, 1) << "600 are lost with the dead";
  model.advance(seconds(12));
  model.tidy(0);
  model.deliver_all();
  model.request(1, 600);
  model.deliver_all();
  EXPECT_EQ(model.admitted, 3);
}

// A shard that everybody took for dead: it spends nothing more, and what it had spent counts.
TEST(Quantity, ALeaseThatWasGivenUpMakesNothing) {
  LeaseModel::Settings settings;
  settings.terms = budget(1'000);
  settings.options.shards = 2;
  settings.options.hold = seconds(10);
  LeaseModel model(settings, 3);
  model.request(0, 300);
  model.deliver_all();
  const std::int64_t free = model.shard(0).lease.free();
  model.advance(seconds(13));
  ASSERT_EQ(model.home().outstanding(), 0);
  EXPECT_FALSE(model.shard(0).lease.has(std::min<std::int64_t>(free, 1), model.now()));
  model.request(1, 1'000);
  model.deliver_all();
  EXPECT_EQ(model.admitted, 2);
  model.request(0, 1);
  model.deliver_all();
  EXPECT_EQ(model.refused, 1);
  EXPECT_EQ(model.shard(0).lease.free(), 0);
  model.settle_one(0, 200);  // 100 of these 300 do not come back a second time
  model.advance(milliseconds(300));
  model.tidy(0);
  model.deliver_all();
  EXPECT_EQ(model.shard(0).lease.free(), 0);
  EXPECT_EQ(model.home().settled(model.moment()), 200);
  EXPECT_EQ(model.home().outstanding(), 1'000) << "the other's is still its own";
}

TEST(Quantity, ARefusalTellsHowLongToWait) {
  const auto refused = [](const QuantityTerms& terms, std::int64_t amount) {
    LeaseModel::Settings settings;
    settings.terms = terms;
    settings.options.shards = 1;
    LeaseModel model(settings, 1);
    model.request(0, terms.limit);
    model.deliver_all();
    EXPECT_EQ(model.admitted, 1);
    model.request(0, amount);
    model.deliver_all();
    EXPECT_EQ(model.refused, 1);
    EXPECT_EQ(model.shard(0).lease.remaining(), 0);
    return model.shard(0).lease.wait();
  };
  EXPECT_EQ(refused(rate(3), 1).ns, (seconds(60) + kDirectUseMax).ns);
  EXPECT_EQ(refused(rate(600), 10).ns, seconds(1).ns);
  EXPECT_EQ(refused(rate(600), 601).ns, LeaseGrant::kNoWait.ns) << "never, however long one waits";
  EXPECT_EQ(refused(concurrency(5), 1).ns, seconds(1).ns);
  EXPECT_EQ(refused(budget(5), 1).ns, LeaseGrant::kNoWait.ns);
  // 1,700,001,000 s is the 14th of November 2023, 22:30:00: midnight is 5,400 s away.
  EXPECT_EQ(refused(budget(5, BudgetPeriod::kDaily), 1).ns, seconds(5'400).ns);
}

// A key that is tried a thousand times costs its home few messages.
TEST(Quantity, ARefusalIsBelievedForAMoment) {
  LeaseModel::Settings settings;
  settings.terms = rate(2);
  settings.options.shards = 2;
  LeaseModel model(settings, 1);
  for (int i = 0; i < 1'000; ++i) {
    model.request(0, 1);
    model.deliver_all();
    model.advance(microseconds(10));
  }
  EXPECT_EQ(model.admitted, 2);
  EXPECT_LE(model.messages, 8);
  model.advance(seconds(61));
  model.request(0, 1);
  model.deliver_all();
  EXPECT_EQ(model.admitted, 3);
}

TEST(Quantity, ARefusalIsOfThoseWhoNeedAsMuchAndNoLongerThanItSays) {
  LeaseModel::Settings settings;
  settings.terms = rate(60'000);  // one a millisecond
  settings.options.shards = 1;
  LeaseModel model(settings, 1);
  const auto ask = [&](std::int64_t amount) {
    model.request(0, amount);
    model.deliver_all();
  };
  ask(59'900);
  ask(101);
  ASSERT_EQ(model.refused, 1);
  ask(100);
  EXPECT_EQ(model.admitted, 2) << "there was as much as that";
  ask(2);
  ASSERT_EQ(model.refused, 2);
  model.advance(milliseconds(1));
  ask(2);
  ASSERT_EQ(model.refused, 3) << "one millisecond too soon";
  model.advance(milliseconds(1));
  ask(2);
  EXPECT_EQ(model.admitted, 3);
}

// Among very many quantities, who waits for an answer does not wait for its turn to be swept.
TEST(Quantity, AHomeOfManyTicksThoseWhereSomeoneWaits) {
  struct Grants final : GrantLink {
    void send(ShardIndex, const LeaseGrant& grant) override { last = grant; }
    void send(ShardIndex, const LeaseRecall&) override { ++recalls; }
    LeaseGrant last;
    int recalls = 0;
  } grants;
  QuantityHomes homes({.shards = 2, .recall_max = milliseconds(20)});
  Moment at{Instant{1'000'000'000}, WallTime{}};
  const auto ask = [&](QuantityId id, ShardIndex shard, std::int64_t needed) {
    LeaseAsk message;
    message.tally = {.quantity = id, .shard = shard, .generation = 1};
    message.terms = budget(100);
    message.number = 1;
    message.needed = message.wanted = needed;
    homes.hear(message, at, grants);
  };
  for (QuantityId id = 0; id < 5'000; ++id) ask(id, 0, 60);
  for (const QuantityId id : {QuantityId{3}, QuantityId{2'900}, QuantityId{4'999}}) {
    grants.last = {};
    ask(id, 1, 60);
    EXPECT_EQ(grants.last.quantity, 0u) << "it waits for the recall";
    at.now = at.now + milliseconds(20);
    homes.tick(at, grants);
    EXPECT_EQ(grants.last.quantity, id);
    EXPECT_EQ(grants.last.answer, LeaseAnswer::kRefused);
  }
  EXPECT_EQ(grants.recalls, 3);
  EXPECT_EQ(homes.size(), 5'000u) << "a budget's past counts";
}

// Hears what homes grant.
struct GrantSum final : GrantLink {
  void send(ShardIndex, const LeaseGrant& grant) override { granted += grant.granted; }
  void send(ShardIndex, const LeaseRecall&) override {}
  std::int64_t granted = 0;
};

class NewLimit : public testing::Test {
 protected:
  static QuantityTerms terms(std::uint32_t version, std::int64_t limit = 100) {
    QuantityTerms made = budget(limit);
    made.version = version;
    return made;
  }
  // All that it grants to a shard that wants everything.
  std::int64_t taken(std::uint32_t version, std::int64_t needed, std::int64_t limit = 100) {
    LeaseAsk ask;
    ask.tally = {.quantity = 7, .shard = 0, .generation = 1};
    ask.terms = terms(version, limit);
    ask.number = ++number;
    ask.needed = ask.wanted = needed;
    GrantSum grants;
    homes.hear(ask, at, grants);
    return grants.granted;
  }

  QuantityHomes homes{{.shards = 1}};
  Moment at{Instant{1'000'000'000}, WallTime{}};
  std::uint32_t number = 0;
};

TEST_F(NewLimit, CountsWhatWasUsedBefore) {
  homes.begin_with(7, terms(3), 60, at);
  EXPECT_EQ(homes.find(7)->available(at), 40);
}

TEST_F(NewLimit, CountsItOnTopOfWhatAFasterShardGot) {
  ASSERT_EQ(taken(3, 10), 10);
  homes.begin_with(7, terms(3), 60, at);
  EXPECT_EQ(homes.find(7)->available(at), 30);
}

TEST_F(NewLimit, ThatIsOnlyAnotherSumCountsNothingTwice) {
  ASSERT_EQ(taken(3, 10), 10);  // of which the ledger knows all or less
  homes.begin_with(7, terms(4, 200), 10, at);
  homes.begin_with(7, terms(5, 200), 4, at);
  EXPECT_EQ(homes.find(7)->available(at), 90) << "its terms come with the next ask";
  homes.begin_with(7, terms(6, 200), 25, at);
  EXPECT_EQ(homes.find(7)->available(at), 75) << "used while it was not there";
}

TEST(Quantity, ANewPeriodBeginsAtMidnight) {
  QuantityHome home(7, budget(1'000, BudgetPeriod::kDaily), {.shards = 2});
  const WallTime evening{1'700'001'000'000'000'000};
  const WallTime midnight{(1'700'001'000 + 5'400) * std::int64_t{1'000'000'000}};
  const Instant now{1'000'000'000'000};
  home.charge(800, {now, evening});
  EXPECT_EQ(home.available({now, evening}), 200);
  EXPECT_EQ(home.available({now, {midnight.unix_ns - 1}}), 200);
  EXPECT_EQ(home.available({now, midnight}), 1'000);
  home.charge(300, {now, midnight});
  EXPECT_EQ(home.settled({now, evening}), 300) << "a clock that goes back begins no new day";
}

TEST(Quantity, NewTermsHoldAtOnceAndOldOnesDoNotComeBack) {
  LeaseModel::Settings settings;
  settings.terms = budget(1'000);
  settings.options.shards = 2;
  LeaseModel model(settings, 1);
  model.request(0, 800);
  model.deliver_all();
  QuantityTerms lower = settings.terms;
  lower.limit = 500;
  lower.version = 1;
  model.shard(0).lease.adopt(lower);
  model.request(0, 300);
  model.deliver_all();
  EXPECT_EQ(model.admitted, 1);
  model.request(1, 100);  // this shard still has the old snapshot
  model.deliver_all();
  EXPECT_EQ(model.admitted, 1);
  EXPECT_EQ(model.home().terms().limit, 500);
}

TEST(Quantity, ARateThatBeginsToBeLeasedIsNotDoubled) {
  LeaseModel::Settings settings;
  settings.terms = rate(100);  // on two shards: asked of the home
  settings.options.shards = 2;
  LeaseModel model(settings, 1);
  for (int i = 0; i < 100; ++i) {
    model.request(0, 1);
    model.deliver_all();
  }
  ASSERT_EQ(model.admitted, 100);
  QuantityTerms higher = rate(200);
  higher.version = 1;
  model.shard(0).lease.adopt(higher);
  model.shard(1).lease.adopt(higher);
  model.request(1, 1);
  model.deliver_all();
  // What was taken under the old way of counting comes back to nobody under the new one.
  for (int i = 0; i < 100; ++i) model.settle_one(0, 0);
  model.deliver_all();
  for (int i = 0; i < 300; ++i) {
    model.request(static_cast<ShardIndex>(i % 2), 1);
    model.deliver_all();
  }
  EXPECT_EQ(model.admitted, 100 + 200);
}

// What one lease is granted and gives back, over and over, is far more than 64 bits hold.
TEST(Quantity, TotalsWrapWithoutHarm) {
  constexpr std::int64_t kLimit = std::numeric_limits<std::int64_t>::max() - 5;
  LeaseModel::Settings settings;
  settings.terms = budget(kLimit);
  settings.options.shards = 2;
  LeaseModel model(settings, 1);
  for (int i = 0; i < 100; ++i) {
    const auto at = static_cast<ShardIndex>(i % 2);
    model.request(at, kLimit - 1'000);
    model.deliver_all();
    ASSERT_EQ(model.admitted, i + 1);
    model.settle_one(at, 7);
    model.check();
  }
  for (int i = 0; i < 8; ++i) {
    model.advance(seconds(1));
    model.tidy(0);
    model.tidy(1);
    model.deliver_all();
  }
  EXPECT_EQ(model.home().settled(model.moment()), 700);
  EXPECT_EQ(model.home().available(model.moment()), kLimit - 700);
}

TEST(Quantity, ALimitBelowNothingLeavesNothing) {
  QuantityLease lease(7, budget(-5), 0, 2, 1);
  EXPECT_EQ(lease.remaining(), 0);
}

TEST(Quantity, TheGrantOfAnotherGenerationIsNotTaken) {
  QuantityLease lease(7, budget(1'000), 0, 2, 5);
  const Instant now{1'000'000'000};
  lease.ask(10, 10, now);
  LeaseGrant grant;
  grant.quantity = 7;
  grant.number = 1;
  grant.granted = 10;
  grant.spend_until = now + seconds(1);
  grant.generation = 4;
  EXPECT_FALSE(lease.hear(grant, now));
  EXPECT_EQ(lease.free(), 0);
  grant.generation = 5;
  EXPECT_TRUE(lease.hear(grant, now));
  EXPECT_FALSE(lease.hear(grant, now)) << "twice";
  EXPECT_EQ(lease.free(), 10);
  EXPECT_TRUE(lease.has(10, now));
  EXPECT_FALSE(lease.has(10, now + seconds(1)));
}

TEST(Quantity, WhatAnotherProcessHasOpenIsHeldUntilItIsSettled) {
  constexpr QuantityId kId = 7;
  const QuantityTerms terms = budget(100);
  QuantityHomes homes({.shards = 1});
  const Moment at{Instant{0} + seconds(1), {}};
  homes.restore(kId, terms, 20, 50, at.now + seconds(60), at);
  QuantityHome& home = *homes.find(kId);
  EXPECT_EQ(home.available(at), 30);
  homes.settle_held(kId, terms, 30, 10, at);
  EXPECT_EQ(home.settled(at), 30);
  EXPECT_EQ(home.available(at), 50) << "20 are held still";
  homes.settle_held(kId, terms, 20, 20, at);
  EXPECT_EQ(home.available(at), 50);
  homes.settle_held(kId, terms, 5, 5, at);
  EXPECT_EQ(home.settled(at), 55) << "what was never held is charged all the same";
  EXPECT_EQ(home.available(at), 45);
}

// One unit, asked for by that shard.
void take_one(QuantityHome& home, ShardIndex shard, Instant now) {
  LeaseAsk ask;
  ask.tally = {.quantity = 7, .shard = shard, .generation = 1};
  ask.terms = home.terms();
  ask.number = ask.needed = ask.wanted = 1;
  GrantSum grants;
  home.hear(ask, {now, {}}, grants);
  EXPECT_EQ(grants.granted, 1);
}

// What the next process has of it.
QuantityHome carried_on(QuantityHome& home, Moment at) {
  const auto carried = home.carried(at);
  EXPECT_TRUE(carried.has_value());
  QuantityHome next(7, home.terms(), {.shards = 2});
  if (carried) next.carry_on(*carried, at);
  return next;
}

TEST(Quantity, AWindowGoesOnInAnotherProcess) {
  QuantityHome home(7, rate(3), {.shards = 2});
  const Instant begin{1'000'000'000'000};
  take_one(home, 0, begin);
  take_one(home, 1, begin + seconds(50));
  const Moment at{begin + seconds(55), {}};
  QuantityHome next = carried_on(home, at);
  EXPECT_EQ(next.available(at), 1);
  // The second came to nothing, so it is free again; what was taken before it is not.
  next.settle_carried({.id = 7, .reserved = 1, .used = 0, .taken_at = begin + seconds(49)}, at);
  EXPECT_EQ(next.available(at), 2);
  next.settle_carried({.id = 7, .reserved = 1, .used = 0, .taken_at = begin + seconds(49)}, at);
  EXPECT_EQ(next.available(at), 2);
  EXPECT_EQ(next.available({begin + seconds(61), {}}), 3) << "the first no longer counts";
  EXPECT_FALSE(home.carried({begin + seconds(120), {}}).has_value()) << "nothing of it counts";
}

TEST(Quantity, ABudgetIsOfItsPeriodInAnotherProcessToo) {
  const WallTime noon{1'700'049'600ll * 1'000'000'000};
  QuantityHome home(7, budget(100, BudgetPeriod::kDaily), {.shards = 2});
  home.charge(30, {.wall = noon});
  home.hold(20, Instant{1'000}, {.wall = noon});
  QuantityHome next = carried_on(home, {.wall = noon});
  EXPECT_EQ(next.available({.wall = noon}), 50);
  next.settle_carried({.id = 7, .reserved = 20, .used = 5}, {.wall = noon});
  EXPECT_EQ(next.available({.wall = noon}), 65);
  // Told after midnight: yesterday's is gone, what is open is not.
  const auto carried = home.carried({.wall = noon});
  ASSERT_TRUE(carried.has_value());
  QuantityHome late(7, home.terms(), {.shards = 2});
  const Moment tomorrow{.wall = {noon.unix_ns + 86'400ll * 1'000'000'000}};
  late.carry_on(*carried, tomorrow);
  EXPECT_EQ(late.available(tomorrow), 80);
}

TEST(Quantity, WhatIsHeldIsGivenUpInTheEndAndChargedAllTheSame) {
  constexpr QuantityId kId = 7;
  const QuantityTerms terms = budget(100);
  QuantityHomes homes({.shards = 1});
  class Nobody final : public GrantLink {
   public:
    void send(ShardIndex, const LeaseGrant&) override {}
    void send(ShardIndex, const LeaseRecall&) override {}
  };
  Nobody nobody;
  Moment at{Instant{0} + seconds(1), {}};
  homes.restore(kId, terms, 0, 50, at.now + seconds(60), at);
  at.now = at.now + seconds(61);
  homes.find(kId)->tick(at, nobody);
  EXPECT_EQ(homes.find(kId)->available(at), 100);
  homes.settle_held(kId, terms, 50, 40, at);
  EXPECT_EQ(homes.find(kId)->available(at), 60);
}

}  // namespace
}  // namespace leat::policy
