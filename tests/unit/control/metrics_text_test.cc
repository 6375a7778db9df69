// SPDX-License-Identifier: Apache-2.0
// Goal: Prometheus reads what is written, whatever a label holds, and counters lose no digit.
// Method: the text compared with the exposition format's rules, byte by byte.
#include "control/metrics_text.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>

namespace leat::control {
namespace {

TEST(MetricsText, WritesFamiliesAndSamples) {
  MetricsText text;
  text.family("leat_requests_total", "Requests by outcome.", MetricKind::kCounter);
  text.sample({{"outcome", "ok"}, {"shard", "0"}}, std::uint64_t{18446744073709551615u});
  text.sample({{"outcome", "error"}, {"shard", "0"}}, std::uint64_t{0});
  text.family("leat_load", "Share of time spent working.", MetricKind::kGauge);
  text.sample({}, 0.25);
  EXPECT_EQ(text.text(),
            "# HELP leat_requests_total Requests by outcome.\n"
            "# TYPE leat_requests_total counter\n"
            "leat_requests_total{outcome=\"ok\",shard=\"0\"} 18446744073709551615\n"
            "leat_requests_total{outcome=\"error\",shard=\"0\"} 0\n"
            "# HELP leat_load Share of time spent working.\n"
            "# TYPE leat_load gauge\n"
            "leat_load 0.25\n");
}

TEST(MetricsText, EscapesWhatWouldEndALabelOrALine) {
  MetricsText text;
  text.family("leat_x", "back\\slash\nand \"quote\"", MetricKind::kGauge);
  text.sample({{"key", "a\\b\"c\nd"}}, std::uint64_t{1});
  EXPECT_EQ(text.text(),
            "# HELP leat_x back\\\\slash\\nand \"quote\"\n"
            "# TYPE leat_x gauge\n"
            "leat_x{key=\"a\\\\b\\\"c\\nd\"} 1\n");
}

TEST(MetricsText, HistogramsEndWithInfinitySumAndCount) {
  MetricsText text;
  text.family("leat_first_token_seconds", "Time to the first token.", MetricKind::kHistogram);
  constexpr std::array<Bucket, 2> buckets{{{0.1, 3}, {1, 5}}};
  constexpr std::array<Label, 1> labels{{{"provider", "mock"}}};
  text.histogram(labels, buckets, 4.5, 6);
  EXPECT_EQ(text.text(),
            "# HELP leat_first_token_seconds Time to the first token.\n"
            "# TYPE leat_first_token_seconds histogram\n"
            "leat_first_token_seconds_bucket{provider=\"mock\",le=\"0.1\"} 3\n"
            "leat_first_token_seconds_bucket{provider=\"mock\",le=\"1\"} 5\n"
            "leat_first_token_seconds_bucket{provider=\"mock\",le=\"+Inf\"} 6\n"
            "leat_first_token_seconds_sum{provider=\"mock\"} 4.5\n"
            "leat_first_token_seconds_count{provider=\"mock\"} 6\n");
}

TEST(MetricsText, WritesNumbersThatAreNone) {
  MetricsText text;
  text.family("leat_x", "X.", MetricKind::kGauge);
  text.sample({}, std::numeric_limits<double>::infinity());
  text.sample({}, -std::numeric_limits<double>::infinity());
  text.sample({}, std::numeric_limits<double>::quiet_NaN());
  text.sample({}, 1e-9);
  EXPECT_NE(text.text().find("leat_x +Inf\nleat_x -Inf\nleat_x NaN\nleat_x 1e-09\n"),
            std::string::npos)
      << text.text();
}

}  // namespace
}  // namespace leat::control
