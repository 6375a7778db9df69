// SPDX-License-Identifier: Apache-2.0
// Goal: a dashboard tells what /metrics tells, sums over shards, and shows money to operators
// alone. Method: counters and a board of known content, the frame read back as JSON.
#include "control/dashboard_frame.h"

#include <gtest/gtest.h>

#include "control/dashboard_history.h"
#include "control/json_tree.h"
#include "policy/catalogue_builder.h"

namespace leat::control {
namespace {

constexpr Instant kNow{7'200'000'000'000};
constexpr WallTime kWall{1'770'000'000'123'000'000};

policy::Catalogue catalogue_of_two() {
  policy::CatalogueBuilder builder;
  EXPECT_TRUE(builder.add_provider({.slug = "bento", .name = "Ben\"to"}));
  EXPECT_TRUE(builder.add_model({.id = "acme/one"}));
  for (const char* tag : {"bento", "bento/turbo", "bento/idle"}) {
    policy::EndpointSpec spec;
    spec.model = "acme/one";
    spec.provider = "bento";
    spec.tag = tag;
    spec.upstream_model = "m";
    spec.declared_free = policy::kFreeOfAll;
    EXPECT_TRUE(builder.add_endpoint(spec));
  }
  auto made = builder.finish();
  EXPECT_TRUE(made);
  return std::move(*made);
}

// A node of two shards whose second endpoint was asked twice and whose first is failing.
struct Node {
  policy::Catalogue catalogue = catalogue_of_two();
  policy::HealthBoard board{catalogue.endpoints().size()};
  gateway::Counters counters[2];
  gateway::EndpointCounterTable tables[2] = {
      gateway::EndpointCounterTable(catalogue.endpoints().size()),
      gateway::EndpointCounterTable(catalogue.endpoints().size())};
  std::map<policy::EndpointId, double> planned{{1, 0.75}};
  std::vector<const gateway::ShardReport*> reports;

  Node() {
    counters[0].requests.add(3);
    counters[1].requests.add(4);
    counters[1].charged_nanodollars.add(1'500);
    counters[0].responses_by_class[2].add(6);
    counters[0].refused_by_kind[static_cast<std::size_t>(dialect::ErrorKind::kAuthentication)].add(
        2);
    counters[1].refused_by_fault[1].add(1);
    tables[0].at(1).attempts[0].add();
    tables[1].at(1).attempts[2].add();
    tables[1].at(1).charged_nanodollars.add(1'500);
    policy::HealthSummary fails;
    fails.failures = 9;
    fails.waiting_change = 2;
    board.merge(0, fails, kNow);
    policy::HealthSummary answers;
    answers.successes = answers.first_tokens = 100;
    answers.rate_limited = 1;
    answers.first_token.counts[policy::bucket_of_first_token(milliseconds(100))] = 100;
    board.merge(1, answers, kNow);
    board.refresh(kNow);
  }

  JsonValue frame(FrameReader reader) {
    const gateway::Counters* const shards[] = {&counters[0], &counters[1]};
    const gateway::EndpointCounterTable* const endpoints[] = {&tables[0], &tables[1]};
    const std::string text = dashboard_frame({.shards = shards,
                                              .endpoints = endpoints,
                                              .catalogue = catalogue,
                                              .board = board,
                                              .planned_shares = planned,
                                              .reports = reports,
                                              .now = kNow,
                                              .wall = kWall,
                                              .began = kNow - seconds(90)},
                                             reader);
    std::string why;
    auto parsed = parse_json(text, why);
    EXPECT_TRUE(parsed) << why << "\n" << text;
    return parsed ? std::move(*parsed) : JsonValue{};
  }
};

// The text of a member some levels down: "counters.requests"; "-": it is not there.
std::string at(const JsonValue& root, const std::string& path) {
  const JsonValue* value = &root;
  std::size_t from = 0;
  while (from <= path.size() && value != nullptr) {
    const std::size_t end = std::min(path.find('.', from), path.size());
    const std::string part = path.substr(from, end - from);
    if (value->is(JsonValue::Kind::kArray)) {
      const std::size_t index = std::stoul(part);
      value = index < value->items.size() ? &value->items[index] : nullptr;
    } else {
      value = value->find(part);
    }
    from = end + 1;
  }
  return value == nullptr ? "-" : value->text;
}

TEST(DashboardFrame, SumsTheShards) {
  Node node;
  const JsonValue frame = node.frame(FrameReader::kEverybody);
  EXPECT_EQ(at(frame, "counters.requests"), "7");
  EXPECT_EQ(at(frame, "at"), "1770000000123");
  EXPECT_EQ(at(frame, "uptime_s"), "90");
  EXPECT_EQ(at(frame, "shards"), "2");
  EXPECT_EQ(at(frame, "responses.2xx"), "6");
  EXPECT_EQ(at(frame, "refusals.authentication"), "2");
  EXPECT_EQ(frame.find("refusals")->members.size(), 2U) << "only reasons that were met";
}

TEST(DashboardFrame, ShowsMoneyToOperatorsAlone) {
  Node node;
  const JsonValue theirs = node.frame(FrameReader::kOperator);
  EXPECT_EQ(at(theirs, "money.charged_nanodollars"), "1500");
  EXPECT_EQ(at(theirs, "endpoints.0.charged_nanodollars"), "1500");
  const JsonValue everybodys = node.frame(FrameReader::kEverybody);
  EXPECT_EQ(at(everybodys, "money"), "-");
  EXPECT_EQ(at(everybodys, "endpoints.0.charged_nanodollars"), "-");
  EXPECT_EQ(at(everybodys, "endpoints.0.cost_nanodollars"), "-");
}

TEST(DashboardFrame, TellsOfEndpointsThatSomethingIsKnownOfTheBusiestFirst) {
  Node node;
  const JsonValue frame = node.frame(FrameReader::kEverybody);
  ASSERT_EQ(frame.find("endpoints")->items.size(), 2U);
  EXPECT_EQ(at(frame, "endpoints.0.endpoint"), "bento/turbo");
  EXPECT_EQ(at(frame, "endpoints.0.provider"), "Ben\"to");
  EXPECT_EQ(at(frame, "endpoints.0.attempts.succeeded"), "1");
  EXPECT_EQ(at(frame, "endpoints.0.attempts.refused"), "1");
  EXPECT_EQ(at(frame, "endpoints.0.attempts_5m"), "101");
  EXPECT_EQ(at(frame, "endpoints.0.planned_share"), "0.75");
  EXPECT_EQ(at(frame, "endpoints.0.uptime_30m"), "100");
  EXPECT_EQ(at(frame, "endpoints.0.status"), "0");
  EXPECT_EQ(at(frame, "endpoints.1.endpoint"), "bento");
  EXPECT_EQ(at(frame, "endpoints.1.status"), "-10") << "its breaker is open";
  EXPECT_EQ(at(frame, "endpoints.1.waiting"), "2");
  EXPECT_TRUE(frame.find("endpoints")->items[1].find("planned_share")->is(JsonValue::Kind::kNull));
  EXPECT_TRUE(frame.find("endpoints")->items[1].find("first_token_ms")->is(JsonValue::Kind::kNull));
}

TEST(DashboardFrame, TellsWhatRunsTheOldestFirstAndOnlyToOperators) {
  Node node;
  gateway::ShardReport shards[2];
  shards[0].running.push_back(
      {.id = "gen-1", .key = "shop", .model = "acme/one", .stage = "waiting", .age = seconds(1)});
  shards[1].running.push_back({.id = "gen-2",
                               .endpoint = 1,
                               .stage = "streaming",
                               .age = seconds(9),
                               .events = 5,
                               .attempts = 2});
  EXPECT_EQ(at(node.frame(FrameReader::kOperator), "running"), "-") << "nobody has said it";
  node.reports = {&shards[0], &shards[1]};
  const JsonValue frame = node.frame(FrameReader::kOperator);
  EXPECT_EQ(at(frame, "running.0.id"), "gen-2");
  EXPECT_EQ(at(frame, "running.0.endpoint"), "bento/turbo");
  EXPECT_EQ(at(frame, "running.0.age_ms"), "9000");
  EXPECT_EQ(at(frame, "running.0.events"), "5");
  EXPECT_EQ(at(frame, "running.1.key"), "shop");
  EXPECT_EQ(at(node.frame(FrameReader::kEverybody), "running"), "-");
}

TEST(DashboardFrame, OutcomesOfAllShardsAreOneStripTheNewestFirst) {
  Node node;
  gateway::ShardReport shards[2];
  shards[0].outcomes.push_back({1, {.outcome = policy::OutcomeClass::kSuccess}, seconds(5)});
  shards[1].outcomes.push_back(
      {1, {.status = 500, .outcome = policy::OutcomeClass::kFailure}, seconds(2)});
  for (int i = 0; i < 40; ++i) shards[1].outcomes.push_back({0, {}, seconds(i)});
  node.reports = {&shards[0], &shards[1]};
  const JsonValue frame = node.frame(FrameReader::kEverybody);
  EXPECT_EQ(at(frame, "endpoints.0.outcomes.0.outcome"), "failure");
  EXPECT_EQ(at(frame, "endpoints.0.outcomes.0.status"), "500");
  EXPECT_EQ(at(frame, "endpoints.0.outcomes.1.outcome"), "success");
  EXPECT_EQ(at(frame, "endpoints.0.outcomes.1.age_s"), "5");
  EXPECT_EQ(frame.find("endpoints")->items[1].find("outcomes")->items.size(), kFrameOutcomesMax);
}

TEST(DashboardHistory, RatesAreOfTheLastFiveSeconds) {
  DashboardHistory history;
  EXPECT_EQ(history.rates().requests, 0);
  for (std::uint64_t i = 0; i < 10; ++i) {
    history.add({.unix_ms = static_cast<std::int64_t>(1'000 * i),
                 .requests = i < 5 ? 0 : 10 * (i - 4),
                 .events = i < 9 ? 100U : 90U});
  }
  EXPECT_EQ(history.rates().requests, 10);
  EXPECT_EQ(history.rates().events, 0) << "never below nothing";
}

TEST(DashboardFrame, FirstTokensAreThoseOfAllEndpoints) {
  Node node;
  const double p50 = std::stod(at(node.frame(FrameReader::kEverybody), "first_token_ms_5m.p50"));
  EXPECT_GT(p50, 75);
  EXPECT_LT(p50, 125);
}

TEST(DashboardHistory, KeepsTheLastTenMinutesOldestFirst) {
  DashboardHistory history;
  for (std::uint64_t i = 0; i < 601; ++i) {
    history.add({.unix_ms = static_cast<std::int64_t>(i), .requests = 10 * i});
  }
  std::string why;
  const auto read = parse_json(history.json(), why);
  ASSERT_TRUE(read) << why;
  EXPECT_EQ(read->find("at")->items.size(), 600U);
  EXPECT_EQ(at(*read, "at.0"), "1");
  EXPECT_EQ(at(*read, "requests.599"), "6000");
}

TEST(DashboardHistory, ASampleSumsShardsAndRefusals) {
  gateway::Counters shards[2];
  shards[0].events_so_far.add(5);
  shards[1].events_so_far.add(6);
  shards[0].refused_by_kind[2].add(1);
  shards[1].refused_by_fault[1].add(1);
  shards[1].requests_open.add(3);
  const gateway::Counters* const all[] = {&shards[0], &shards[1]};
  const DashboardSample sample = sample_of(all, kWall);
  EXPECT_EQ(sample.unix_ms, 1'770'000'000'123);
  EXPECT_EQ(sample.events, 11U);
  EXPECT_EQ(sample.refused, 2U);
  EXPECT_EQ(sample.running, 3U);
}

}  // namespace
}  // namespace leat::control
