// SPDX-License-Identifier: Apache-2.0
// A million client keys: looking one up, which every request does twice; making the first table of
// them all; changing one. Proves first that every key is found as itself and no other is.
// Lookups go through the keys in random order, so that nearly each is cold, as in life with a
// million keys and no favourites. Goals: 100 ns, 1 s, and 200 bytes a key on a node of 64 shards.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/rng.h"
#include "gateway/key_table.h"

namespace {

using leat::gateway::KeyDigest;
using leat::gateway::KeyDirectory;
using leat::gateway::KeyEntry;
using leat::gateway::KeyTable;

constexpr std::uint32_t kKeys = 1'000'000;

struct World {
  World() {
    leat::Rng rng(1);
    for (std::uint32_t i = 0; i < kKeys; ++i) {
      KeyEntry& entry = entries.emplace_back();
      for (std::uint8_t& byte : entry.row.digest) byte = static_cast<std::uint8_t>(rng.next());
      entry.row.id = i + 1;
    }
    table.assign(entries);
    directory.apply(table.whole());
    for (const KeyEntry& entry : entries) {
      const auto* found = directory.find(entry.row.digest);
      LEAT_CHECK(found != nullptr && found->id == entry.row.id);
      KeyDigest near = entry.row.digest;
      near[31] ^= 1;
      LEAT_CHECK(directory.find(near) == nullptr);
    }
    for (std::uint32_t i = 0; i < kKeys; ++i) {
      asked.push_back(entries[rng.below(kKeys)].row.digest);
    }
  }

  std::vector<KeyEntry> entries;
  KeyTable table;
  KeyDirectory directory;
  std::vector<KeyDigest> asked;
};

World& world() {
  static World made;
  return made;
}

// Each lookup waits for the one before, as lookups of different requests do.
void BM_KeyTableFind(benchmark::State& state) {
  World& w = world();
  std::size_t at = 0;
  for (auto _ : state) {
    const auto* found = w.directory.find(w.asked[at]);
    at = at + (found != nullptr ? 1 : 2);
    if (at >= kKeys) at = 0;
  }
  state.SetItemsProcessed(state.iterations());
  state.counters["bytes_per_key"] =
      static_cast<double>(w.table.bytes() + 64 * w.directory.bytes()) / kKeys;
}
BENCHMARK(BM_KeyTableFind);

// What the memory itself asks for: reads of which each says where the next one is, over as much of
// it as the rows take. A lookup is no dearer where the machine can foresee where it reads.
void BM_DependentRead(benchmark::State& state) {
  constexpr std::size_t kRowWords = sizeof(leat::gateway::KeyRow) / sizeof(std::uint64_t);
  constexpr std::size_t kRows = kKeys + kKeys / 2;
  static const std::vector<std::uint64_t> rows = [] {
    std::vector<std::uint64_t> order(kRows);
    for (std::size_t i = 0; i < kRows; ++i) order[i] = i;
    leat::Rng rng(2);
    for (std::size_t i = kRows - 1; i > 0; --i) std::swap(order[i], order[rng.below(i)]);
    std::vector<std::uint64_t> made(kRows * kRowWords);
    for (std::size_t i = 0; i < kRows; ++i) made[i * kRowWords] = order[i] * kRowWords;
    return made;
  }();
  std::uint64_t at = 0;
  for (auto _ : state) at = rows[at];
  benchmark::DoNotOptimize(at);
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_DependentRead);

void BM_KeyTableFindUnknown(benchmark::State& state) {
  World& w = world();
  std::size_t at = 0;
  for (auto _ : state) {
    KeyDigest digest = w.asked[at];
    digest[31] ^= 1;
    const auto* found = w.directory.find(digest);
    at = at + (found == nullptr ? 1 : 2);
    if (at >= kKeys) at = 0;
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_KeyTableFindUnknown);

void BM_KeyTableFirst(benchmark::State& state) {
  World& w = world();
  for (auto _ : state) {
    KeyTable table;
    table.assign(w.entries);
    KeyDirectory directory;
    directory.apply(table.whole());
    benchmark::DoNotOptimize(directory.find(w.asked[0]));
  }
}
BENCHMARK(BM_KeyTableFirst)->Unit(benchmark::kMillisecond);

void BM_KeyTableChange(benchmark::State& state) {
  World& w = world();
  std::size_t at = 0;
  for (auto _ : state) {
    w.directory.apply(w.table.put(w.entries[at]));
    at = (at + 1) % kKeys;
  }
}
BENCHMARK(BM_KeyTableChange);

}  // namespace

BENCHMARK_MAIN();
