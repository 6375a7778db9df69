// SPDX-License-Identifier: Apache-2.0
// Goal: what accounts have used is what the ledger's records say, in whatever order they come, and
// a restart gives nobody a fresh budget, credit or day of tokens. Method: records of days around
// the ends of weeks and months; random ones against sums made the slow way; the state written,
// read and spoiled.
#include "control/usage_book.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <random>
#include <string>

#include "control/restored_quantities.h"
#include "gateway/configured_keys.h"

namespace leat::control {
namespace {

using policy::AccountLevel;
using policy::BudgetPeriod;
using policy::LimitClass;

constexpr std::int64_t kDay = 86'400'000'000'000;
constexpr std::int64_t kHour = kDay / 24;
// 2026-11-30; the next day begins a month and not a week.
constexpr std::int64_t kMonday = 1'795'996'800'000'000'000;

ledger::UsageRecord record(std::int64_t at, std::int64_t charge) {
  ledger::UsageRecord record;
  record.generation_id = "gen-1";
  record.key_id = "#17";
  record.workspace_id = "#3";
  record.organisation_id = "#2";
  record.began = {at};
  record.charge = charge;
  return record;
}

struct Sums {
  std::int64_t total = 0, daily = 0, weekly = 0, monthly = 0;
  bool operator==(const Sums&) const = default;
};
Sums of(const SpentMoney& money) {
  return {money.total, money.daily, money.weekly, money.monthly};
}

TEST(UsageBook, NothingUsedIsNothingSpent) {
  const UsageBook book;
  EXPECT_EQ(of(book.of_key(17, {kMonday}).charged), Sums());
  EXPECT_EQ(book.of(AccountLevel::kWorkspace, 3, {kMonday}).tokens_today, 0);
  EXPECT_EQ(book.records(), 0u);
}

TEST(UsageBook, DaysWeeksAndMonthsEndWhereLimitsEndThem) {
  UsageBook book;
  book.add(record(kMonday - kDay, 1));  // Sunday, November
  book.add(record(kMonday, 10));        // Monday, November
  EXPECT_EQ(of(book.of_key(17, {kMonday + kHour}).charged), (Sums{11, 10, 10, 11}));
  book.add(record(kMonday + kDay, 100));  // Tuesday, December
  EXPECT_EQ(of(book.of_key(17, {kMonday + kDay}).charged), (Sums{111, 100, 110, 100}));
  EXPECT_EQ(of(book.of_key(17, {kMonday + 2 * kDay}).charged), (Sums{111, 0, 110, 100}));
  EXPECT_EQ(of(book.of_key(17, {kMonday + 7 * kDay}).charged), (Sums{111, 0, 0, 100}));
  EXPECT_EQ(of(book.of_key(17, {kMonday + 32 * kDay}).charged), (Sums{111, 0, 0, 0}));
  EXPECT_EQ(book.charged(), 111);
}

TEST(UsageBook, AClockThatWasAheadCostsNobodyTheirDay) {
  UsageBook book;
  book.add(record(kMonday, 10));
  book.add(record(kMonday + 40 * kDay, 1));  // it was wrong for a minute
  book.add(record(kMonday + kHour, 5));
  EXPECT_EQ(of(book.of_key(17, {kMonday + kHour}).charged), (Sums{16, 15, 15, 15}));
  EXPECT_EQ(of(book.of_key(17, {kMonday + 40 * kDay}).charged), (Sums{16, 1, 1, 1}));
  UsageBook restarted;
  ASSERT_TRUE(restarted.decode(book.encode()));
  EXPECT_EQ(of(restarted.of_key(17, {kMonday + kHour}).charged), (Sums{16, 15, 15, 15}));
}

TEST(UsageBook, ARequestCountsWhereItWasSettled) {
  UsageBook book;
  ledger::UsageRecord late = record(kMonday - 1, 5);
  late.total = seconds(2);
  book.add(late);
  EXPECT_EQ(of(book.of_key(17, {kMonday}).charged), (Sums{5, 5, 5, 5}));
}

TEST(UsageBook, EveryLevelCountsAndNoOther) {
  UsageBook book;
  book.add(record(kMonday, 7));
  ledger::UsageRecord other = record(kMonday, 100);
  other.key_id = "#18";
  other.workspace_id = "";
  book.add(other);
  EXPECT_EQ(book.of_key(17, {kMonday}).charged.total, 7);
  EXPECT_EQ(book.of_key(18, {kMonday}).charged.total, 100);
  EXPECT_EQ(book.of_key(3, {kMonday}).charged.total, 0) << "a workspace is no key";
  EXPECT_EQ(book.of(AccountLevel::kWorkspace, 3, {kMonday}).usage.charged.total, 7);
  EXPECT_EQ(book.of_organisation(2, {kMonday}).charged.total, 107);
}

TEST(UsageBook, KeysOfTheConfigurationAreFoundByName) {
  UsageBook book{AccountNames({"first", "second"})};
  ledger::UsageRecord named = record(kMonday, 7);
  named.key_id = "second";
  book.add(named);
  named.key_id = "anonymous";
  named.charge = 9;
  book.add(named);
  named.key_id = "-";
  book.add(named);
  EXPECT_EQ(book.of_key(gateway::kConfiguredKeys, {kMonday}).charged.total, 0);
  EXPECT_EQ(book.of_key(gateway::kConfiguredKeys + 1, {kMonday}).charged.total, 7);
  EXPECT_EQ(book.of_key(gateway::kConfiguredKeys + 2, {kMonday}).charged.total, 0);
  EXPECT_EQ(book.of_key(gateway::kAnonymousKey, {kMonday}).charged.total, 9);
}

TEST(UsageBook, OwnProviderKeysAndTokensAreCountedApart) {
  UsageBook book;
  ledger::UsageRecord own = record(kMonday, 3);
  own.cost = 1'000;
  own.flags.is_byok = true;
  own.tokens = {.prompt = 20, .cached = 15, .completion = 4, .reasoning = 3};
  book.add(own);
  ledger::UsageRecord shared = record(kMonday, 50);
  shared.cost = 40;
  shared.tokens = {.prompt = 100};
  book.add(shared);
  const AccountUsage usage = book.of_key(17, {kMonday});
  EXPECT_EQ(of(usage.charged), (Sums{53, 53, 53, 53}));
  EXPECT_EQ(of(usage.byok), (Sums{1'000, 1'000, 1'000, 1'000}));
  EXPECT_EQ(book.of(AccountLevel::kKey, 17, {kMonday + kDay - 1}).tokens_today, 124);
  EXPECT_EQ(book.of(AccountLevel::kKey, 17, {kMonday + kDay}).tokens_today, 0);
  book.add(record(kMonday + kDay, 1));
  EXPECT_EQ(book.of(AccountLevel::kKey, 17, {kMonday + kDay}).tokens_today, 0);
}

TEST(UsageBook, SumsStayAtTheMostAndNothingMakesThemLess) {
  UsageBook book;
  book.add(record(kMonday, INT64_MAX - 1));
  book.add(record(kMonday, 5));
  book.add(record(kMonday, -5));
  EXPECT_EQ(of(book.of_key(17, {kMonday}).charged),
            (Sums{INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX}));
}

// The sums that the records have by definition.
Sums slow_sums(const std::vector<ledger::UsageRecord>& records, std::int64_t now) {
  Sums sums;
  const auto is_in = [&](BudgetPeriod period, std::int64_t at) {
    const auto window = policy::budget_window(period, {now});
    return at / 1'000'000'000 >= window.begin && at / 1'000'000'000 < window.end;
  };
  for (const auto& each : records) {
    const std::int64_t at = each.began.unix_ns;
    sums.total += each.charge;
    if (is_in(BudgetPeriod::kDaily, at)) sums.daily += each.charge;
    if (is_in(BudgetPeriod::kWeekly, at)) sums.weekly += each.charge;
    if (is_in(BudgetPeriod::kMonthly, at)) sums.monthly += each.charge;
  }
  return sums;
}

TEST(UsageBook, AnyOrderGivesTheSumsThatTheRecordsHave) {
  std::mt19937_64 random(20261121);
  for (int round = 0; round < 200; ++round) {
    std::vector<ledger::UsageRecord> records;
    std::int64_t newest = 0;
    for (std::size_t i = 0; i < 1 + random() % 30; ++i) {
      const auto at = static_cast<std::int64_t>(random() % (70 * 24)) * kHour;
      newest = std::max(newest, kMonday + at);
      records.push_back(record(kMonday + at, static_cast<std::int64_t>(random() % 1000)));
    }
    UsageBook in_order;
    for (const auto& each : records) in_order.add(each);
    std::shuffle(records.begin(), records.end(), random);
    UsageBook shuffled;
    for (const auto& each : records) shuffled.add(each);
    EXPECT_EQ(in_order.encode(), shuffled.encode());
    for (const std::int64_t later : {0L, kHour, kDay, 5 * kDay, 20 * kDay}) {
      ASSERT_EQ(of(shuffled.of_key(17, {newest + later}).charged),
                slow_sums(records, newest + later));
    }
  }
}

TEST(UsageBook, WhatWasOpenCountsUntilItsRecordComes) {
  UsageBook book;
  const ledger::OpenRequest open{
      .generation_id = "gen-open", .key_id = "#17", .organisation_id = "#2", .reserved = 400};
  book.hold(open);
  book.hold(open);
  EXPECT_EQ(book.of(AccountLevel::kKey, 17, {kMonday}).reserved, 400);
  EXPECT_EQ(book.of(AccountLevel::kOrganisation, 2, {kMonday}).reserved, 400);
  book.add(record(kMonday, 1));
  EXPECT_EQ(book.of(AccountLevel::kKey, 17, {kMonday}).reserved, 400) << "another's record";
  ledger::UsageRecord settled = record(kMonday, 30);
  settled.generation_id = "gen-open";
  book.add(settled);
  EXPECT_EQ(book.of(AccountLevel::kKey, 17, {kMonday}).reserved, 0);
  EXPECT_EQ(book.of(AccountLevel::kOrganisation, 2, {kMonday}).reserved, 0);
  EXPECT_EQ(book.of_key(17, {kMonday}).charged.total, 31);
}

TEST(UsageBook, EntriesAreReadAndWhatCannotBeReadIsCounted) {
  UsageBook book;
  std::vector<char> room(ledger::kRecordBytesMax);
  const std::size_t size = ledger::encode(record(kMonday, 6), room);
  const std::span<const char> payload(room.data(), size);
  book.on_entry({}, {.kind = ledger::FrameKind::kUsage, .payload = payload});
  book.on_entry({}, {.kind = ledger::FrameKind::kGrant, .payload = payload});
  book.on_entry({}, {.kind = ledger::FrameKind::kUsage, .payload = payload.first(size - 1)});
  EXPECT_EQ(book.records(), 1u);
  EXPECT_EQ(book.unreadable(), 1u);
  EXPECT_EQ(book.charged(), 6);
}

TEST(UsageBook, ItsStateIsReadBackWholeOrNotAtAll) {
  UsageBook book;
  ledger::UsageRecord own = record(kMonday, 3);
  own.cost = 1'000;
  own.flags.is_byok = true;
  own.tokens.prompt = 20;
  book.add(own);
  book.add(record(kMonday - 3 * kDay, 4));
  const std::string state = book.encode();
  UsageBook read;
  ASSERT_TRUE(read.decode(state));
  EXPECT_EQ(read.encode(), state);
  EXPECT_EQ(of(read.of_key(17, {kMonday}).charged), of(book.of_key(17, {kMonday}).charged));
  EXPECT_EQ(read.of_key(17, {kMonday}).byok.total, 1'000);
  EXPECT_EQ(read.of(AccountLevel::kWorkspace, 3, {kMonday}).tokens_today, 20);
  EXPECT_EQ(read.records(), 2u);
  for (std::size_t cut = 0; cut < state.size(); ++cut) {
    EXPECT_FALSE(read.decode(std::string_view(state).substr(0, cut))) << cut;
  }
  EXPECT_FALSE(read.decode(state + "x"));
  EXPECT_EQ(read.encode(), state) << "what could not be read changed nothing";
}

// Archives of what retention removed may be as old.
TEST(UsageBook, TheStateOfTheVersionBeforeIsReadAsItsOneDay) {
  std::array<char, 512> room;
  ledger::VarintWriter out(room);
  for (const std::uint64_t head : {1, 7, 0}) out.number(head);
  out.signed_number(111);
  out.number(1);
  out.bytes("#17");
  out.signed_number(day_of({kMonday + kDay}));  // Tuesday, December
  for (const std::int64_t sum : {111, 100, 110, 100, 9, 6, 7, 8, 77}) out.signed_number(sum);
  out.number(0);
  out.number(0);
  const std::string state(room.data(), out.size());
  EXPECT_FALSE(UsageBook::is_current(state));
  UsageBook book;
  ASSERT_TRUE(book.decode(state));
  EXPECT_TRUE(UsageBook::is_current(book.encode()));
  EXPECT_EQ(book.records(), 7u);
  EXPECT_EQ(of(book.of_key(17, {kMonday + kDay}).charged), (Sums{111, 100, 110, 100}));
  EXPECT_EQ(of(book.of_key(17, {kMonday + kDay}).byok), (Sums{9, 6, 7, 8}));
  EXPECT_EQ(book.of(AccountLevel::kKey, 17, {kMonday + kDay}).tokens_today, 77);
  EXPECT_EQ(of(book.of_key(17, {kMonday + 2 * kDay}).charged), (Sums{111, 0, 110, 100}));
}

class Restore : public testing::Test {
 protected:
  Restore() {
    key.id = 17;
    key.workspace = 3;
    key.organisation = 2;
    workspace.id = 3;
    organisation.id = 2;
    ledger::UsageRecord own = record(kMonday, 3);
    own.cost = 1'000;
    own.flags.is_byok = true;
    own.tokens.completion = 20;
    book.add(own);
    book.add(record(kMonday - kDay, 40));
  }
  std::vector<RestoredQuantity> restored(std::int64_t now = kMonday) {
    QuantityRestore restore(book, {.now = {now}, .until = Instant{99}, .version = 5});
    restore.add(key, &workspace, organisation);
    restore.add(key, &workspace, organisation);
    return restore.take();
  }

  UsageBook book;
  policy::Key key;
  policy::Workspace workspace;
  policy::Organisation organisation;
};

TEST_F(Restore, ABudgetIsToldWhatWasSpentOfItsPeriod) {
  key.quota.budgets[BudgetPeriod::kDaily] = 500;
  workspace.quota.budgets[BudgetPeriod::kMonthly] = 600;
  workspace.quota.counts_byok = true;
  workspace.quota.rates.tokens_per_day = 7;
  const auto made = restored();
  std::map<policy::QuantityId, std::int64_t> settled;
  for (const auto& each : made) {
    settled[each.id] += each.settled;
    EXPECT_EQ(each.terms.version, 5u);
    EXPECT_EQ(each.until.ns, 99);
  }
  ASSERT_EQ(settled.size(), 3u);
  EXPECT_EQ(settled[policy::quantity_id(AccountLevel::kKey, 17, LimitClass::kMoney,
                                        BudgetPeriod::kDaily, false)],
            3);
  EXPECT_EQ(settled[policy::quantity_id(AccountLevel::kWorkspace, 3, LimitClass::kMoney,
                                        BudgetPeriod::kMonthly, false)],
            1'043)
      << "once, however many keys it has";
  EXPECT_EQ(settled[policy::quantity_id(AccountLevel::kWorkspace, 3, LimitClass::kDayTokens,
                                        BudgetPeriod::kDaily, false)],
            20);
}

TEST_F(Restore, CreditIsWhatWasEverCharged) {
  organisation.is_prepaid = true;
  organisation.granted = 10'000;
  organisation.quota.counts_byok = true;
  const auto made = restored(kMonday + 400 * kDay);
  ASSERT_EQ(made.size(), 1u);
  EXPECT_EQ(made[0].id, policy::quantity_id(AccountLevel::kOrganisation, 2, LimitClass::kMoney,
                                            BudgetPeriod::kNone, true));
  EXPECT_EQ(made[0].terms.limit, 10'000);
  EXPECT_EQ(made[0].settled, 43);
}

TEST_F(Restore, WhatWasOpenIsTakenFromMoneyAndRatesBeginAnew) {
  key.quota.budgets[BudgetPeriod::kNone] = 500;
  key.quota.rates.requests_per_minute = 5;
  key.quota.rates.concurrency = 5;
  key.quota.rates.tokens_per_day = 5'000;
  book.hold({.generation_id = "gen-open", .key_id = "#17", .reserved = 70});
  const auto made = restored(kMonday + kDay);
  ASSERT_EQ(made.size(), 1u) << "nothing was used of the new day's tokens";
  EXPECT_EQ(made[0].settled, 43);
  EXPECT_EQ(made[0].open, 70);
}

// What died with its process is charged with money or not at all: see settle_open().
TEST_F(Restore, TokensAndOwnKeysCountAsOpenOnlyOfAProcessThatStillRuns) {
  key.quota.budgets[BudgetPeriod::kNone] = 5'000;
  key.quota.counts_byok = true;
  key.quota.rates.tokens_per_day = 5'000;
  book.hold({.generation_id = "gen-open",
             .key_id = "#17",
             .reserved = 70,
             .byok_reserved = 800,
             .tokens_reserved = 90});
  const auto open_of = [&](LateRecords* late) {
    QuantityRestore restore(book, {.now = {kMonday}, .late = late});
    restore.add(key, &workspace, organisation);
    std::map<LimitClass, std::int64_t> open;
    for (const auto& each : restore.take()) {
      const bool is_money = each.terms.period == BudgetPeriod::kNone;
      open[is_money ? LimitClass::kMoney : LimitClass::kDayTokens] = each.open;
    }
    return open;
  };
  EXPECT_EQ(open_of(nullptr), (std::map<LimitClass, std::int64_t>{{LimitClass::kMoney, 70},
                                                                  {LimitClass::kDayTokens, 0}}));
  LateRecords late;
  EXPECT_EQ(open_of(&late), (std::map<LimitClass, std::int64_t>{{LimitClass::kMoney, 870},
                                                                {LimitClass::kDayTokens, 90}}));
}

TEST_F(Restore, WhatAPowerCutMayHaveCostCountsAsSpentInItsPeriod) {
  key.quota.budgets[BudgetPeriod::kDaily] = 500;
  organisation.quota.budgets[BudgetPeriod::kNone] = 900;
  const auto today =
      policy::quantity_id(AccountLevel::kKey, 17, LimitClass::kMoney, BudgetPeriod::kDaily, false);
  const std::int64_t begin = policy::budget_window(BudgetPeriod::kDaily, {kMonday}).begin;
  LostLeases lost;
  ASSERT_TRUE(lost.read(std::to_string(today) + " 70 " + std::to_string(begin) + "\n"));
  const auto settled_at = [&](std::int64_t now) {
    QuantityRestore restore(book, {.now = {now}, .lost = &lost});
    restore.add(key, &workspace, organisation);
    std::map<policy::QuantityId, std::int64_t> settled;
    for (const auto& each : restore.take()) settled[each.id] = each.settled;
    return settled;
  };
  auto monday = settled_at(kMonday);
  EXPECT_EQ(monday[today], 3 + 70);
  EXPECT_EQ(monday.size(), 2u);
  for (const auto& [id, settled] : monday) {
    if (id == today) continue;
    EXPECT_EQ(settled, 43) << "nothing was lost of it";
  }
  EXPECT_FALSE(settled_at(kMonday + kDay).contains(today)) << "a new day";
}

TEST(SettleOpen, WhatWasOpenIsPaidWholeOrNotAtAll) {
  std::vector<RestoredQuantity> restored(3);
  restored[0] = {.settled = 3, .open = 7};
  restored[1] = {.settled = 5, .open = 0};
  restored[2] = {.settled = INT64_MAX - 1, .open = 2};
  auto charged = restored;
  settle_open(charged, true);
  EXPECT_EQ(charged[0].settled, 10);
  EXPECT_EQ(charged[1].settled, 5);
  EXPECT_EQ(charged[2].settled, INT64_MAX) << "more than can be counted is the most";
  settle_open(restored, false);
  EXPECT_EQ(restored[0].settled, 3);
  EXPECT_EQ(restored[2].settled, INT64_MAX - 1);
  for (const auto& all : {charged, restored}) {
    for (const RestoredQuantity& each : all) EXPECT_EQ(each.open, 0);
  }
}

}  // namespace
}  // namespace leat::control
