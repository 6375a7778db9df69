// SPDX-License-Identifier: Apache-2.0
// Goal: whoever watches a node sees which endpoints are out, and its series are told apart. Method:
// a board with one endpoint of each state, and the whole text.
#include "control/metrics.h"

#include <gtest/gtest.h>

#include "policy/catalogue_builder.h"

namespace leat::control {
namespace {

constexpr Instant kBegin{7'200'000'000'000};

policy::Catalogue small_catalogue() {
  policy::CatalogueBuilder builder;
  EXPECT_TRUE(builder.add_provider({.slug = "bento"}));
  EXPECT_TRUE(builder.add_model({.id = "acme/one"}));
  for (const char* tag : {"bento", "bento/fp8", "bento/turbo", "bento/free"}) {
    policy::EndpointSpec spec;
    spec.model = "acme/one";
    spec.provider = "bento";
    spec.tag = tag;
    spec.upstream_model = "m";
    spec.declared_free = policy::kFreeOfAll;
    if (spec.tag == "bento/free") spec.facts.variant = policy::Variant::kFree;
    EXPECT_TRUE(builder.add_endpoint(spec));
  }
  auto made = builder.finish();
  EXPECT_TRUE(made);
  return std::move(*made);
}

policy::EndpointId id_of(const policy::Catalogue& catalogue, std::string_view tag) {
  for (policy::EndpointId id = 0; id < catalogue.endpoints().size(); ++id) {
    if (catalogue.endpoint(id).tag == tag) return id;
  }
  ADD_FAILURE() << tag;
  return 0;
}

TEST(HealthMetrics, SayWhichEndpointsAreOut) {
  const policy::Catalogue catalogue = small_catalogue();
  policy::HealthBoard board(catalogue.endpoints().size());
  policy::HealthSummary waits;
  waits.waiting_change = 3;
  waits.successes = waits.first_tokens = 999;
  waits.failures = 1;
  board.merge(id_of(catalogue, "bento"), waits, kBegin);
  policy::HealthSummary fails;
  fails.failures = 9;
  board.merge(id_of(catalogue, "bento/free"), fails, kBegin);
  board.merge(id_of(catalogue, "bento/fp8"), fails, kBegin + seconds(2));
  board.refresh(kBegin + seconds(2));
  EXPECT_EQ(health_metrics_text(catalogue, board, kBegin + seconds(2)),
            "# HELP leat_endpoint_breaker Whether an endpoint is asked: 0 as usual, 1 by one "
            "request that finds out, 2 not.\n"
            "# TYPE leat_endpoint_breaker gauge\n"
            "leat_endpoint_breaker{model=\"acme/one\",endpoint=\"bento\"} 0\n"
            "leat_endpoint_breaker{model=\"acme/one:free\",endpoint=\"bento/free\"} 1\n"
            "leat_endpoint_breaker{model=\"acme/one\",endpoint=\"bento/fp8\"} 2\n"
            "# HELP leat_endpoint_uptime_5m Share of attempts that an endpoint answered well, "
            "where there were a hundred.\n"
            "# TYPE leat_endpoint_uptime_5m gauge\n"
            "leat_endpoint_uptime_5m{model=\"acme/one\",endpoint=\"bento\"} 0.999\n"
            "# HELP leat_endpoint_waiting Attempts that wait for their first token.\n"
            "# TYPE leat_endpoint_waiting gauge\n"
            "leat_endpoint_waiting{model=\"acme/one\",endpoint=\"bento\"} 3\n"
            "leat_endpoint_waiting{model=\"acme/one:free\",endpoint=\"bento/free\"} 0\n"
            "leat_endpoint_waiting{model=\"acme/one\",endpoint=\"bento/fp8\"} 0\n");
}

using gateway::EndpointCounterTable;
using ledger::AttemptOutcome;

void note_answer(EndpointCounterTable& table, policy::EndpointId id, Duration first_token,
                 Duration whole) {
  auto& counters = table.at(id);
  counters.attempts[static_cast<std::size_t>(AttemptOutcome::kSucceeded)].add();
  counters.first_token.note(first_token);
  counters.answer.note(whole);
}

bool has_line(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

TEST(EndpointMetrics, SumTheShardsAndCountTimesByBounds) {
  const policy::Catalogue catalogue = small_catalogue();
  EndpointCounterTable first(catalogue.endpoints().size());
  EndpointCounterTable second(catalogue.endpoints().size());
  const policy::EndpointId id = id_of(catalogue, "bento/fp8");
  note_answer(first, id, milliseconds(1), milliseconds(26));  // on a bound, and beyond one
  note_answer(second, id, milliseconds(2), milliseconds(25));
  note_answer(second, id, seconds(601), seconds(601));  // beyond all
  second.at(id).attempts[static_cast<std::size_t>(AttemptOutcome::kRefused)].add();
  first.at(id).prompt_tokens.add(7);
  second.at(id).charged_nanodollars.add(1'500);
  const EndpointCounterTable* const shards[] = {&first, &second};
  const std::string text = endpoint_metrics_text(catalogue, shards);
  const std::string labels = R"(model="acme/one",endpoint="bento/fp8")";
  for (const auto& [name, value] : std::initializer_list<std::pair<std::string, std::string>>{
           {"leat_endpoint_attempts_total{" + labels + R"(,outcome="succeeded"})", "3"},
           {"leat_endpoint_attempts_total{" + labels + R"(,outcome="refused"})", "1"},
           {"leat_endpoint_first_token_seconds_bucket{" + labels + R"(,le="0.001"})", "1"},
           {"leat_endpoint_first_token_seconds_bucket{" + labels + R"(,le="0.003"})", "2"},
           {"leat_endpoint_first_token_seconds_bucket{" + labels + R"(,le="600"})", "2"},
           {"leat_endpoint_first_token_seconds_bucket{" + labels + R"(,le="+Inf"})", "3"},
           {"leat_endpoint_first_token_seconds_count{" + labels + "}", "3"},
           {"leat_endpoint_first_token_seconds_sum{" + labels + "}", "601.003"},
           {"leat_endpoint_answer_seconds_bucket{" + labels + R"(,le="0.01"})", "0"},
           {"leat_endpoint_answer_seconds_bucket{" + labels + R"(,le="0.025"})", "1"},
           {"leat_endpoint_answer_seconds_bucket{" + labels + R"(,le="0.05"})", "2"},
           {"leat_endpoint_prompt_tokens_total{" + labels + "}", "7"},
           {"leat_endpoint_charged_nanodollars_total{" + labels + "}", "1500"}}) {
    EXPECT_TRUE(has_line(text, name + " " + value)) << name << "\n" << text;
  }
  EXPECT_EQ(text.find("bento/turbo"), std::string::npos) << "never asked";
}

TEST(EndpointMetrics, HaveSeriesForTheMostAskedAndOneForTheOthers) {
  const policy::Catalogue catalogue = small_catalogue();
  EndpointCounterTable table(catalogue.endpoints().size());
  const auto ask = [&](std::string_view tag, int times) {
    for (int i = 0; i < times; ++i) {
      note_answer(table, id_of(catalogue, tag), milliseconds(1), milliseconds(1));
    }
  };
  ask("bento", 1);
  ask("bento/turbo", 5);
  ask("bento/free", 3);
  const EndpointCounterTable* const shards[] = {&table};
  const std::string text = endpoint_metrics_text(catalogue, shards, 1);
  const std::string name = "leat_endpoint_attempts_total{model=";
  const std::string outcome = R"(,outcome="succeeded"} )";
  EXPECT_TRUE(has_line(text, name + R"("acme/one",endpoint="bento/turbo")" + outcome + "5"));
  EXPECT_TRUE(has_line(text, name + R"("other",endpoint="other")" + outcome + "4")) << text;
  EXPECT_EQ(text.find("bento/free"), std::string::npos);
}

TEST(ModelMetrics, TellHowLongClientsWaitedByModelWhoeverAnswered) {
  const policy::Catalogue catalogue = small_catalogue();
  EndpointCounterTable first(catalogue.endpoints().size());
  EndpointCounterTable second(catalogue.endpoints().size());
  const auto waited = [&](EndpointCounterTable& table, std::string_view tag, Duration first_token,
                          Duration whole) {
    auto& counters = table.at(id_of(catalogue, tag));
    counters.request_first_token.note(first_token);
    counters.request_answer.note(whole);
  };
  waited(first, "bento", milliseconds(3), milliseconds(30));
  waited(second, "bento/fp8", milliseconds(4), seconds(601));
  waited(second, "bento/free", milliseconds(1), milliseconds(1));
  // One that was asked and answered nobody
  second.at(id_of(catalogue, "bento/turbo")).first_token.note(milliseconds(1));
  const EndpointCounterTable* const shards[] = {&first, &second};
  const std::string text = model_metrics_text(catalogue, shards);
  const std::string labels = R"({model="acme/one")";
  for (const auto& [name, value] : std::initializer_list<std::pair<std::string, std::string>>{
           {"leat_request_first_token_seconds_bucket" + labels + R"(,le="0.001"})", "0"},
           {"leat_request_first_token_seconds_bucket" + labels + R"(,le="0.003"})", "1"},
           {"leat_request_first_token_seconds_bucket" + labels + R"(,le="0.01"})", "2"},
           {"leat_request_first_token_seconds_sum" + labels + "}", "0.007"},
           {"leat_request_answer_seconds_bucket" + labels + R"(,le="600"})", "1"},
           {"leat_request_answer_seconds_count" + labels + "}", "2"},
           {R"(leat_request_answer_seconds_count{model="acme/one:free"})", "1"}}) {
    EXPECT_TRUE(has_line(text, name + " " + value)) << name << "\n" << text;
  }
  EXPECT_EQ(text.find("turbo"), std::string::npos) << text;
  const std::string fewer = model_metrics_text(catalogue, shards, 1);
  EXPECT_TRUE(has_line(fewer, "leat_request_answer_seconds_count" + labels + "} 2"));
  EXPECT_TRUE(has_line(fewer, R"(leat_request_answer_seconds_count{model="other"} 1)")) << fewer;
  EXPECT_EQ(fewer.find("free"), std::string::npos) << fewer;
}

TEST(Metrics, CommitsOfTheLedgerAreCountedByWhatTheyTook) {
  gateway::Counters first;
  gateway::Counters second;
  first.ledger_commits_by_time[2].set(3);  // within 200 us
  second.ledger_commits_by_time.back().set(1);
  first.ledger_commit_us.set(450);
  second.ledger_commit_us.set(3'000'000);
  const gateway::Counters* const shards[] = {&first, &second};
  const std::string text = metrics_text(shards);
  for (const auto& [name, value] : std::initializer_list<std::pair<std::string, std::string>>{
           {R"(leat_ledger_commit_seconds_bucket{le="0.0001"})", "0"},
           {R"(leat_ledger_commit_seconds_bucket{le="0.0002"})", "3"},
           {R"(leat_ledger_commit_seconds_bucket{le="2.5"})", "3"},
           {R"(leat_ledger_commit_seconds_bucket{le="+Inf"})", "4"},
           {"leat_ledger_commit_seconds_sum", "3.00045"},
           {"leat_ledger_commit_seconds_count", "4"}}) {
    EXPECT_TRUE(has_line(text, name + " " + value)) << name;
  }
}

}  // namespace
}  // namespace leat::control
