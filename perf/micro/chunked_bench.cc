// SPDX-License-Identifier: Apache-2.0
// ChunkedDecoder on what a provider sends: one event a chunk and a slice, many events in a slice,
// a large body in few chunks, and the worst a peer can do, one byte a chunk.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <string>
#include <string_view>

#include "proto/chunked.h"

namespace {

using leat::proto::ChunkedDecoder;
using leat::proto::ChunkStep;

std::string chunk(std::string_view payload) {
  char size[16];
  std::snprintf(size, sizeof size, "%zx\r\n", payload.size());
  return size + std::string(payload) + "\r\n";
}

std::string chunks(std::size_t count, std::size_t payload_bytes) {
  std::string body;
  for (std::size_t i = 0; i < count; ++i) body += chunk(std::string(payload_bytes, 'x'));
  return body;
}

// Reference: what went into chunks() must come out.
void check(const std::string& body, std::size_t payload_bytes) {
  ChunkedDecoder decoder;
  std::string_view in = body;
  std::string payload;
  for (;;) {
    const ChunkStep step = decoder.next(in);
    if (step.kind != ChunkStep::Kind::kData) break;
    payload += step.data;
  }
  if (payload != std::string(payload_bytes, 'x')) std::abort();
}

void BM_Chunked(benchmark::State& state) {
  const auto count = static_cast<std::size_t>(state.range(0));
  const auto payload_bytes = static_cast<std::size_t>(state.range(1));
  const std::string body = chunks(count, payload_bytes);
  check(body, count * payload_bytes);
  ChunkedDecoder decoder;
  for (auto _ : state) {
    std::string_view in = body;
    for (;;) {
      const ChunkStep step = decoder.next(in);
      if (step.kind != ChunkStep::Kind::kData) break;
      benchmark::DoNotOptimize(step.data.data());
    }
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(body.size()));
}
BENCHMARK(BM_Chunked)
    ->ArgNames({"chunks", "payload"})
    ->Args({1, 250})
    ->Args({8, 250})
    ->Args({4, 16384})
    ->Args({1000, 1});

}  // namespace

BENCHMARK_MAIN();
