// SPDX-License-Identifier: Apache-2.0
// Goal: a statement's tables each add up to its total, to the nano-dollar; nothing that clients or
// operators wrote breaks out of JSON, CSV, the page or the terminal; what is told of a period is
// that period's. Method: random records whose sums are made again from what was printed.
#include "control/statement.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "control/account_text.h"
#include "control/json_tree.h"
#include "control/usage_book.h"

namespace leat::control {
namespace {

constexpr std::int64_t kDay = 86'400'000'000'000;
constexpr std::int64_t kFirst = 1'789'948'800'000'000'000;  // 2026-09-21T00:00:00Z

ledger::UsageRecord record(std::int64_t charge) {
  ledger::UsageRecord record;
  record.organisation_id = "#2";
  record.key_id = "#17";
  record.model_served = "some/model";
  record.provider = "one";
  record.endpoint = "one/fp8";
  record.began = {kFirst};
  record.charge = charge;
  return record;
}

Statement statement_of(const UsageTable& table) {
  Statement statement{.organisation = "#2",
                      .from = {kFirst},
                      .until = {kFirst + 30 * kDay},
                      .made = {kFirst},
                      .breakdowns = {},
                      .total = {}};
  for (const UsageBy by : kUsageBys) statement.breakdowns.push_back(breakdown_of(table, by));
  statement.total = statement.breakdowns.front().total;
  return statement;
}

TEST(UsageTable, AddsUpWhatIsTheSameAndTellsApartWhatIsNot) {
  UsageTable table;
  ledger::UsageRecord one = record(5);
  one.cost = 4;
  one.shortfall = 2;
  one.tokens = {.prompt = 10, .cached = 3, .completion = 7, .reasoning = 6};
  table.add(one);
  table.add(one);
  EXPECT_EQ(table.size(), 1u);
  table.each([](const UsageTable::Row& row) {
    EXPECT_EQ(row.sums, (UsageSums{.requests = 2,
                                   .prompt_tokens = 20,
                                   .cached_tokens = 6,
                                   .completion_tokens = 14,
                                   .reasoning_tokens = 12,
                                   .charge = 10,
                                   .cost = 8,
                                   .shortfall = 4}));
    EXPECT_EQ(row.field(UsageField::kEndpoint), "one/fp8");
  });
  one.flags.is_byok = true;
  one.byok_fee = 1;
  one.began = {kFirst + kDay - 1};
  table.add(one);
  EXPECT_EQ(table.size(), 1u) << "the same day";
  table.each([](const UsageTable::Row& row) {
    EXPECT_EQ(row.sums.cost, 8) << "the client's own provider key is no cost of the operator's";
    EXPECT_EQ(row.sums.byok_cost, 4);
    EXPECT_EQ(row.sums.byok_fee, 1);
  });
  one.began = {kFirst + kDay};
  table.add(one);
  one.endpoint = "one/bf16";
  table.add(one);
  one.model_served = "";
  one.model_asked = "some/model:nitro";
  table.add(one);
  EXPECT_EQ(table.size(), 4u);
  table.forget_before(day_of({kFirst + kDay}));
  EXPECT_EQ(table.size(), 3u);
}

TEST(UsageTable, WhenItIsFullNothingIsLost) {
  UsageTable table(3);
  for (int i = 0; i < 10; ++i) {
    const std::string key = "#" + std::to_string(i);
    ledger::UsageRecord each = record(7);
    each.key_id = key;
    table.add(each);
  }
  EXPECT_EQ(table.size(), 4u);
  const UsageBreakdown keys = breakdown_of(table, UsageBy::kKey);
  EXPECT_EQ(keys.total.charge, 70);
  EXPECT_EQ(keys.lines.front().name, "");
  EXPECT_EQ(keys.lines.front().sums.requests, 7);
  EXPECT_EQ(breakdown_of(table, UsageBy::kModel).lines.front().name, "(others)");
}

TEST(UsageTable, ItsStateIsReadBackWholeOrNotAtAll) {
  UsageTable table;
  table.add(record(5));
  ledger::UsageRecord other = record(6);
  other.tokens.prompt = 8;
  other.key_id = "first";
  table.add(other);
  const std::string state = table.encode();
  UsageTable swapped;
  swapped.add(other);
  swapped.add(record(5));
  EXPECT_EQ(swapped.encode(), state) << "whatever order it came in";
  UsageTable read;
  read.add(record(1));
  for (std::size_t cut = 0; cut < state.size(); ++cut) {
    ASSERT_FALSE(read.decode(std::string_view(state).substr(0, cut))) << cut;
  }
  EXPECT_FALSE(read.decode(state + "x"));
  EXPECT_EQ(breakdown_of(read, UsageBy::kKey).total.charge, 1) << "nothing changed";
  ASSERT_TRUE(read.decode(state));
  EXPECT_EQ(read.encode(), state);
  EXPECT_EQ(breakdown_of(read, UsageBy::kKey).total.prompt_tokens, 8);
}

TEST(Statement, EveryTableAddsUpToTheTotalAsItIsPrinted) {
  std::mt19937_64 random(20261121);
  for (int round = 0; round < 50; ++round) {
    UsageTable table;
    std::int64_t charged = 0;
    for (std::size_t i = 0; i < 1 + random() % 200; ++i) {
      ledger::UsageRecord each = record(static_cast<std::int64_t>(random() % 10'000'000'000));
      const std::string key = "#" + std::to_string(random() % 5);
      const std::string model = "m/" + std::to_string(random() % 5);
      const std::string provider = "p" + std::to_string(random() % 3);
      each.key_id = key;
      each.model_served = model;
      each.provider = provider;
      each.began.unix_ns += static_cast<std::int64_t>(random() % 30) * kDay;
      each.cost = static_cast<std::int64_t>(random() % 10'000'000'000);
      each.tokens.prompt = static_cast<std::int64_t>(random() % 1'000'000);
      table.add(each);
      charged += each.charge;
    }
    const Statement statement = statement_of(table);
    EXPECT_EQ(statement.total.charge, charged);
    std::string why;
    const auto json = parse_json(statement_json(statement), why);
    ASSERT_TRUE(json) << why;
    for (const UsageBy by : kUsageBys) {
      const JsonValue* rows = json->find("by_" + std::string(name_of(by)));
      ASSERT_NE(rows, nullptr);
      for (const UsageColumn& column : kUsageColumns) {
        std::int64_t sum = 0;
        for (const JsonValue& row : rows->items) {
          const std::string& text = row.find(column.name)->text;
          sum += column.is_money ? *parse_dollars(text) : std::stoll(text);
        }
        ASSERT_EQ(sum, statement.total.*column.value) << name_of(by) << ' ' << column.name;
        const std::string& total = json->find("total")->find(column.name)->text;
        ASSERT_EQ(sum, column.is_money ? *parse_dollars(total) : std::stoll(total));
      }
    }
  }
}

TEST(Statement, LinesAreInAnOrderThatPeopleExpect) {
  UsageTable table;
  for (const auto& [model, charge, day] :
       {std::tuple("small", 1, 2), std::tuple("large", 100, 9), std::tuple("middle", 10, 1)}) {
    ledger::UsageRecord each = record(charge);
    each.model_served = model;
    each.began.unix_ns += day * kDay;
    table.add(each);
  }
  const UsageBreakdown models = breakdown_of(table, UsageBy::kModel);
  ASSERT_EQ(models.lines.size(), 3u);
  EXPECT_EQ(models.lines[0].name, "large");
  EXPECT_EQ(models.lines[1].name, "middle");
  const UsageBreakdown days = breakdown_of(table, UsageBy::kDay);
  EXPECT_EQ(days.lines[0].name, "2026-09-22");
  EXPECT_EQ(days.lines[2].name, "2026-09-30");
  for (const char* name : {"same-b", "same-a"}) {
    ledger::UsageRecord each = record(5);
    each.model_served = name;
    table.add(each);
  }
  EXPECT_EQ(breakdown_of(table, UsageBy::kModel).lines[2].name, "same-a");
}

TEST(Statement, WhatPeopleWroteStaysText) {
  UsageTable table;
  ledger::UsageRecord nasty = record(1'500);
  nasty.key_id = "<script>alert('x')</script>&\"";
  nasty.provider = "=HYPERLINK(\"x\"),\n";
  nasty.model_served = "bad\xff\x1b[31m";
  table.add(nasty);
  Statement statement = statement_of(table);
  statement.organisation = "<img src=x onerror=y>";
  const std::string page = statement_html(statement);
  EXPECT_EQ(page.find("<script"), page.npos);
  EXPECT_EQ(page.find("<img"), page.npos);
  EXPECT_NE(page.find("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;&quot;"), page.npos);
  EXPECT_EQ(page.find('\xff'), page.npos);
  EXPECT_EQ(page.find('\x1b'), page.npos);
  EXPECT_EQ(page.find("http:"), page.npos);
  EXPECT_EQ(page.find("https:"), page.npos);
  EXPECT_NE(page.find("default-src 'none'"), page.npos);
  EXPECT_NE(page.find("0.0000015"), page.npos);
  const std::string csv = statement_csv(statement);
  EXPECT_NE(csv.find("provider,\"'=HYPERLINK(\"\"x\"\"),\n\",1,"), csv.npos) << csv;
  std::string why;
  EXPECT_TRUE(parse_json(statement_json(statement), why)) << why;
  const std::string terminal = breakdown_text(statement.breakdowns[0]);
  EXPECT_EQ(terminal.find('\x1b'), terminal.npos);
  EXPECT_EQ(std::count(terminal.begin(), terminal.end(), '\n'), 3);
}

TEST(Statement, APageSaysWhenSomethingIsLost) {
  Statement statement = statement_of(UsageTable());
  EXPECT_EQ(statement_html(statement).find("not complete"), std::string::npos);
  EXPECT_NE(statement_json(statement).find("\"complete\":true"), std::string::npos);
  statement.is_whole = false;
  EXPECT_NE(statement_html(statement).find("not complete"), std::string::npos);
  EXPECT_NE(statement_json(statement).find("\"complete\":false"), std::string::npos);
}

TEST(Statement, ATableForPeopleHasItsColumnsInLine) {
  UsageTable table;
  table.add(record(2'000'000'001));
  const std::string text = breakdown_text(breakdown_of(table, UsageBy::kModel));
  const std::size_t width = text.find('\n');
  for (std::size_t at = 0; at < text.size(); at += width + 1) EXPECT_EQ(text[at + width], '\n');
  EXPECT_NE(text.find("2.000000001"), text.npos);
  std::string why;
  const auto json = parse_json(breakdown_json(breakdown_of(table, UsageBy::kProvider)), why);
  ASSERT_TRUE(json) << why;
  EXPECT_EQ(json->find("by_provider")->items[0].find("provider")->text, "one");
}

}  // namespace
}  // namespace leat::control
