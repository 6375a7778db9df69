// SPDX-License-Identifier: Apache-2.0
// Goal: an operator sees who spent what on which day, and what prices did; others see their own;
// apps that name themselves cannot push anybody's numbers out. Method: records, and what is told of
// them.
#include "control/dashboard_usage.h"

#include <gtest/gtest.h>

#include "control/dashboard_record.h"
#include "control/json_tree.h"

namespace leat::control {
namespace {

constexpr std::int64_t kDay = 86'400;
constexpr std::int64_t kNow = 20'000 * kDay + 3'600;  // an hour into a day

WallTime at(std::int64_t seconds) {
  return {seconds * 1'000'000'000};
}

ledger::UsageRecord record(std::int64_t began, std::string_view key, std::int64_t charge) {
  ledger::UsageRecord made;
  made.generation_id = "gen-1";
  made.key_id = key;
  made.organisation_id = "#7";
  made.app_title = "shop";
  made.model_asked = made.model_served = "acme/one";
  made.provider = "bento";
  made.endpoint = "bento";
  made.tokens.prompt = 600;
  made.tokens.completion = 400;
  made.charge = charge;
  made.cost = charge;
  made.began = at(began);
  return made;
}

struct Told {
  UsageTable days;
  UsageIndex index;
  std::map<std::string, std::string, std::less<>> names{{"#3", "storefront"}};
  std::vector<BudgetUse> budgets;
  UsageViewer viewer{.is_operator = true, .organisation = "", .key = ""};

  void add(const ledger::UsageRecord& one) {
    days.add(one);
    index.add(one);
  }
  JsonValue tell() const {
    std::string why;
    const std::string text = usage_json({days, index, viewer, names, budgets, at(kNow)});
    auto parsed = parse_json(text, why);
    EXPECT_TRUE(parsed) << why << "\n" << text;
    return parsed ? std::move(*parsed) : JsonValue{};
  }
};

const JsonValue& row(const JsonValue& told, std::string_view by, std::size_t index) {
  return told.find("by")->find(by)->items.at(index);
}

TEST(DashboardUsage, AddsUpByDayModelKeyProviderAndApp) {
  Told told;
  told.add(record(kNow, "#3", 2'000'000'000));
  told.add(record(kNow - kDay, "#4", 1'000'000'000));
  told.add(record(kNow - 31 * kDay, "#4", 50'000'000'000));  // before what is told
  const JsonValue usage = told.tell();
  EXPECT_EQ(usage.find("days")->items.size(), 31U);
  EXPECT_EQ(usage.find("totals")->find("charge")->items.at(30).text, "2");
  EXPECT_EQ(usage.find("totals")->find("charge")->items.at(29).text, "1");
  EXPECT_EQ(usage.find("totals")->find("tokens")->items.at(30).text, "1000");
  EXPECT_EQ(row(usage, "key", 0).text_of("name"), "storefront");
  EXPECT_EQ(row(usage, "key", 1).text_of("name"), "#4");
  EXPECT_EQ(row(usage, "model", 0).find("requests")->items.at(29).text, "1");
  EXPECT_EQ(row(usage, "provider", 0).text_of("name"), "bento");
  EXPECT_EQ(row(usage, "app", 0).text_of("name"), "shop");
  EXPECT_EQ(row(usage, "app", 0).find("charge")->items.at(30).text, "2");
}

TEST(DashboardUsage, OthersSeeWhatTheirOrganisationDid) {
  Told told;
  told.add(record(kNow, "#3", 2'000'000'000));
  told.viewer = {.is_operator = false, .organisation = "#8", .key = ""};
  const JsonValue nothing = told.tell();
  EXPECT_TRUE(nothing.find("by")->find("key")->items.empty());
  EXPECT_TRUE(nothing.find("by")->find("app")->items.empty());
  told.viewer.organisation = "#7";
  EXPECT_EQ(told.tell().find("by")->find("app")->items.size(), 1U);
}

TEST(DashboardUsage, WhatIsBeyondTheFirstIsOneRow) {
  Told told;
  for (int i = 0; i < 40; ++i) {
    told.add(record(kNow, "#" + std::to_string(100 + i), 1'000'000'000 + i));
  }
  const JsonValue usage = told.tell();
  const auto& rows = usage.find("by")->find("key")->items;
  ASSERT_EQ(rows.size(), kUsageRowsMax);
  EXPECT_EQ(rows.front().text_of("name"), "#139");
  EXPECT_EQ(rows.back().text_of("name"), "(others)");
  EXPECT_EQ(rows.back().find("requests")->items.at(30).text, "16");
}

TEST(DashboardUsage, TellsHowBudgetsBurn) {
  Told told;
  // 20,000 days after 1970-01-01 is a Friday: four days and an hour of the week have passed.
  told.budgets.push_back(
      {"storefront", policy::BudgetPeriod::kDaily, 10'000'000'000, 4'000'000'000, 97'000'000'000});
  told.budgets.push_back({"batch", policy::BudgetPeriod::kNone, 1, 0, 0});
  const JsonValue usage = told.tell();
  const JsonValue& one = usage.find("budgets")->items.at(0);
  EXPECT_EQ(one.text_of("key"), "storefront");
  EXPECT_EQ(one.number_of("limit"), "10");
  EXPECT_EQ(one.number_of("used"), "4");
  EXPECT_EQ(one.number_of("days_left"), "0.958");
  EXPECT_NEAR(std::stod(std::string(one.number_of("burn_day"))), 24, 0.01);
  EXPECT_TRUE(usage.find("budgets")->items.at(1).find("days_left")->is(JsonValue::Kind::kNull));
}

TEST(DashboardUsage, TellsHowSharesMovedWhenPricesChanged) {
  Told told;
  const auto add = [&](std::int64_t day, std::uint64_t version, std::string_view endpoint,
                       std::int64_t cost) {
    ledger::UsageRecord one = record(kNow - day * kDay, "#3", cost);
    one.price_version = version;
    one.endpoint = endpoint;
    told.add(one);
  };
  add(3, 9, "bento", 1'000'000);  // a dollar a million
  add(3, 9, "sushi", 1'000'000);
  add(1, 4, "bento", 2'000'000);  // dearer; the number of a list says nothing of its time
  add(1, 4, "sushi", 1'000'000);
  add(1, 4, "sushi", 1'000'000);
  add(1, 4, "sushi", 1'000'000);
  const JsonValue usage = told.tell();
  const auto& moves = usage.find("price_changes")->items;
  ASSERT_EQ(moves.size(), 2U);
  EXPECT_EQ(moves[0].text_of("endpoint"), "bento");
  EXPECT_EQ(moves[0].number_of("price_before"), "1");
  EXPECT_EQ(moves[0].number_of("price_after"), "2");
  EXPECT_EQ(moves[0].number_of("share_before"), "0.5000");
  EXPECT_EQ(moves[0].number_of("share_after"), "0.2500");
  EXPECT_EQ(moves[1].number_of("share_after"), "0.7500");
  told.viewer = {.is_operator = false, .organisation = "#7", .key = ""};
  EXPECT_TRUE(told.tell().find("price_changes")->items.empty()) << "of everybody together";
}

TEST(UsageIndex, IsTheSameAfterItWasWrittenDown) {
  UsageIndex index;
  index.add(record(kNow, "#3", 5));
  index.add(record(kNow - kDay, "#3", 6));
  const std::string state = index.encode();
  UsageIndex read;
  ASSERT_TRUE(read.decode(state));
  EXPECT_EQ(read.encode(), state);
  EXPECT_EQ(read.prices().begin()->second.requests, 2);
  for (std::size_t size = 0; size < state.size(); ++size) {
    EXPECT_FALSE(read.decode(std::string_view(state).substr(0, size))) << size;
  }
  EXPECT_EQ(read.encode(), state) << "what it cannot read changes nothing";
}

TEST(UsageIndex, ForgetsDaysAndIsBounded) {
  UsageIndex index;
  index.add(record(kNow - 40 * kDay, "#3", 5));
  index.forget_before(static_cast<std::int32_t>(kNow / kDay - 31));
  EXPECT_EQ(index.apps().size(), 0U);
  EXPECT_TRUE(index.prices().empty());
  for (std::size_t i = 0; i < UsageIndex::kPlacesMax + 10; ++i) {
    ledger::UsageRecord one = record(kNow, "#3", 5);
    const std::string model = "m" + std::to_string(i);
    one.model_served = model;
    index.add(one);
  }
  EXPECT_EQ(index.prices().size(), UsageIndex::kPlacesMax);
}

TEST(RequestLife, TellsEveryAttempt) {
  ledger::UsageRecord one = record(kNow, "storefront", 1'500'000);
  one.status = 200;
  one.total = milliseconds(900);
  one.flags.is_streamed = true;
  one.add_attempt({.endpoint = "bento",
                   .provider = "bento",
                   .outcome = ledger::AttemptOutcome::kRefused,
                   .status = 500,
                   .latency = microseconds(1'500)});
  one.add_attempt({.endpoint = "su\"shi", .started = milliseconds(2)});
  std::string why;
  const auto life = parse_json(life_json(one), why);
  ASSERT_TRUE(life) << why;
  EXPECT_EQ(life->text_of("key"), "storefront");
  EXPECT_EQ(life->number_of("charge"), "0.0015");
  EXPECT_EQ(life->number_of("total_ms"), "900.000");
  EXPECT_EQ(life->find("flags")->items.at(0).text, "streamed");
  const auto& attempts = life->find("attempts")->items;
  ASSERT_EQ(attempts.size(), 2U);
  EXPECT_EQ(attempts[0].text_of("outcome"), "refused");
  EXPECT_EQ(attempts[0].number_of("status"), "500");
  EXPECT_EQ(attempts[0].number_of("latency_ms"), "1.500");
  EXPECT_EQ(attempts[1].text_of("endpoint"), "su\"shi");
  EXPECT_EQ(attempts[1].number_of("started_ms"), "2.000");
}

}  // namespace
}  // namespace leat::control
