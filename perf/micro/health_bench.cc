// SPDX-License-Identifier: Apache-2.0
// What health costs: an attempt told to its ring (aim: 50 ns for each of the three calls), a
// summary taken and merged, 5,000 endpoints refreshed, a key chosen, a conversation found.
#include <benchmark/benchmark.h>

#include <array>
#include <memory>

#include "base/check.h"
#include "base/rng.h"
#include "policy/health_board.h"
#include "policy/key_choice.h"
#include "policy/sticky_table.h"

namespace leat::policy {
namespace {

constexpr Instant kBegin{1'000'000'000'000};

void one_attempt(HealthRing& ring, Instant now) {
  ring.started(now);
  ring.first_token_came(now, now + milliseconds(200));
  ring.ended({.started = now,
              .ended = now + seconds(1),
              .first_token = milliseconds(200),
              .tokens_per_second = 60,
              .status = 200,
              .outcome = OutcomeClass::kSuccess});
}

void BM_HealthRing_Attempt(benchmark::State& state) {
  HealthRing ring;
  one_attempt(ring, kBegin);
  LEAT_CHECK(ring.take(kBegin, seconds(1)).successes == 1);
  Instant now = kBegin;
  for (auto _ : state) {
    now = now + microseconds(100);
    one_attempt(ring, now);
  }
  benchmark::DoNotOptimize(ring);
}
BENCHMARK(BM_HealthRing_Attempt);

void BM_HealthRing_Take(benchmark::State& state) {
  HealthRing ring;
  Instant now = kBegin;
  for (int i = 0; i < 100; ++i) ring.started(now);
  for (auto _ : state) {
    now = now + milliseconds(250);
    benchmark::DoNotOptimize(ring.take(now, seconds(1)));
  }
}
BENCHMARK(BM_HealthRing_Take);

void BM_HealthBoard_Merge(benchmark::State& state) {
  HealthBoard board(1);
  HealthRing ring;
  for (int i = 0; i < 100; ++i) one_attempt(ring, kBegin);
  const HealthSummary summary = ring.take(kBegin, seconds(1));
  Instant now = kBegin;
  for (auto _ : state) {
    now = now + milliseconds(250);
    board.merge(0, summary, now);
  }
}
BENCHMARK(BM_HealthBoard_Merge);

// Of 5,000 endpoints `range` had traffic in the last 250 ms.
void BM_HealthBoard_Refresh(benchmark::State& state) {
  constexpr std::size_t kEndpoints = 5'000;
  HealthBoard board(kEndpoints);
  HealthSummary summary;
  summary.successes = summary.first_tokens = 10;
  summary.first_token.counts[30] = summary.rate.counts[30] = 10;
  Instant now = kBegin;
  for (auto _ : state) {
    state.PauseTiming();
    now = now + milliseconds(250);
    for (std::int64_t i = 0; i < state.range(0); ++i) {
      board.merge(static_cast<EndpointId>(i), summary, now);
    }
    state.ResumeTiming();
    board.refresh(now);
  }
}
BENCHMARK(BM_HealthBoard_Refresh)->Arg(100)->Arg(5'000);

void BM_KeyChoice_EightKeys(benchmark::State& state) {
  std::array<KeyHealth, 8> keys;
  for (KeyHealth& key : keys) key.first_token_came(milliseconds(300), kBegin);
  Rng rng(1);
  LEAT_CHECK(choose_key(keys, 0, kBegin, rng).has_value());
  for (auto _ : state) benchmark::DoNotOptimize(choose_key(keys, 0, kBegin, rng));
}
BENCHMARK(BM_KeyChoice_EightKeys);

void BM_StickyTable_Find(benchmark::State& state) {
  StickyTable table(100'000);
  Rng rng(1);
  for (std::uint64_t i = 1; i <= 50'000; ++i) table.hold({i, i * 0x9e3779b97f4a7c15u}, i, kBegin);
  LEAT_CHECK(table.find({7, 7 * 0x9e3779b97f4a7c15u}, kBegin) == 7);
  for (auto _ : state) {
    const std::uint64_t i = rng.below(50'000) + 1;
    benchmark::DoNotOptimize(table.find({i, i * 0x9e3779b97f4a7c15u}, kBegin));
  }
}
BENCHMARK(BM_StickyTable_Find);

}  // namespace
}  // namespace leat::policy

BENCHMARK_MAIN();
