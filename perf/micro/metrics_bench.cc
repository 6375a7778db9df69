// SPDX-License-Identifier: Apache-2.0
// What metrics cost a shard for each request (goal: at most 1 us): the counters of a request with
// one attempt and of its endpoint, with its times in their histograms. Nothing is counted for a
// token.
#include <benchmark/benchmark.h>

#include "base/check.h"
#include "gateway/counters.h"
#include "gateway/endpoint_counters.h"
#include "gateway/usage_notes.h"

namespace leat {
namespace {

constexpr std::size_t kEndpoints = 1'000;

gateway::Metered metered() {
  gateway::Metered made;
  made.measured.usage.prompt = 1'234;
  made.measured.usage.completion = 567;
  made.charge.upstream = made.charge.charged = 1'234;
  return made;
}

// What Gateway and Exchange add for a stream that went well, but for the endpoint's.
void count_request(gateway::Counters& counters, const gateway::Metered& metered) {
  counters.requests_open.add();
  counters.attempts.add();
  counters.prompt_tokens.add(static_cast<std::uint64_t>(metered.measured.usage.prompt));
  counters.completion_tokens.add(static_cast<std::uint64_t>(metered.measured.usage.completion));
  counters.settled.add();
  counters.cost_nanodollars.add(static_cast<std::uint64_t>(metered.charge.upstream));
  counters.charged_nanodollars.add(static_cast<std::uint64_t>(metered.charge.charged));
  counters.shortfall_nanodollars.add(0);
  counters.events_relayed.add(567);
}

void bench_request(benchmark::State& state) {
  gateway::Counters counters;
  gateway::EndpointCounterTable table(kEndpoints);
  const gateway::Metered used = metered();
  policy::EndpointId endpoint = 0;
  Instant now{1};
  for (auto _ : state) {
    // Another one each time: what requests find in the cache of a node with many models.
    endpoint = (endpoint + 7) % kEndpoints;
    gateway::UsageNotes notes(now, WallTime{});
    const std::uint8_t attempt = notes.began(endpoint, false, now);
    notes.first_token(attempt, now + milliseconds(300));
    notes.ended(attempt, ledger::AttemptOutcome::kSucceeded, 200, now + seconds(5));
    notes.count(table, used, {.endpoint = endpoint, .now = now + seconds(5)});
    count_request(counters, used);
    now = now + microseconds(10);
  }
  std::uint64_t tokens = 0;
  for (policy::EndpointId id = 0; id < kEndpoints; ++id) {
    tokens += table.at(id).completion_tokens.get();
  }
  LEAT_CHECK(tokens == counters.completion_tokens.get() && tokens > 0);
}
BENCHMARK(bench_request);

}  // namespace
}  // namespace leat

BENCHMARK_MAIN();
