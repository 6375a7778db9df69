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

}  // namespace
}  // namespace leat::control
