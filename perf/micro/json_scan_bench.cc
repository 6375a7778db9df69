// SPDX-License-Identifier: Apache-2.0
// What it costs to know a request body, and to re-spell it for an endpoint: a small one, a prompt
// of long strings, one of many short values, one beyond ASCII. Aims: 2 GB/s on long strings, below
// 1 us for 1 KB.
#include <benchmark/benchmark.h>
#include <simdjson.h>

#include <string>

#include "base/check.h"
#include "proto/json_scan.h"
#include "proto/splice.h"

namespace leat::proto {
namespace {

std::string request_of(std::string_view content, std::size_t bytes) {
  std::string body = R"({"model":"openai/gpt-4o","stream":true,"max_tokens":512,"messages":[)";
  while (body.size() < bytes) {
    body += R"({"role":"user","content":")";
    body += content;
    body += "\"},";
  }
  return body + R"({"role":"user","content":"?"}],"temperature":0.7,"user":"u-1"})";
}

std::string repeated(std::string_view text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

// Two lines of prose and a line of code, as prompts have them.
const std::string kProse = repeated(
    R"(The mill stands where the leat meets the river, and has done so for longer than the deeds say.\n)"
    R"(Its wheel turns at the pace of the water.\n    if (x == \"y\") return 1;\n)",
    10);

void verify(const std::string& body) {
  JsonScanner scanner;
  LEAT_CHECK(scanner.scan(body, true) == JsonStatus::kDone);
  simdjson::dom::parser parser;
  std::string_view model;
  LEAT_CHECK(parser.parse(body)["model"].get(model) == simdjson::SUCCESS);
  const std::string_view found = scanner.find(TopKey::kModel)->value(body);
  LEAT_CHECK(found.substr(1, found.size() - 2) == model);
}

void scan(benchmark::State& state, const std::string& body) {
  verify(body);
  for (auto _ : state) {
    JsonScanner scanner;
    benchmark::DoNotOptimize(scanner.scan(body, true));
    benchmark::DoNotOptimize(scanner.find(TopKey::kModel));
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(body.size()));
}

void BM_JsonScan_Small(benchmark::State& state) {
  scan(state, request_of("Say hello.", 900));
}
BENCHMARK(BM_JsonScan_Small);

void BM_JsonScan_LongStrings(benchmark::State& state) {
  scan(state, request_of(kProse, 20'000));
}
BENCHMARK(BM_JsonScan_LongStrings);

void BM_JsonScan_BeyondAscii(benchmark::State& state) {
  scan(state, request_of(repeated("水は低きに流れる。", 100), 20'000));
}
BENCHMARK(BM_JsonScan_BeyondAscii);

void BM_JsonScan_ManyValues(benchmark::State& state) {
  scan(state,
       R"({"model":"m","x":[)" + repeated(R"({"a":1,"b":[true,null],"c":"d"},)", 600) + "0]}");
}
BENCHMARK(BM_JsonScan_ManyValues);

// The same bytes in the pieces that a socket gives.
void BM_JsonScan_AsReceived(benchmark::State& state) {
  const std::string body = request_of(kProse, 200'000);
  verify(body);
  for (auto _ : state) {
    JsonScanner scanner;
    for (std::size_t size = 1'400; size < body.size(); size += 1'400) {
      benchmark::DoNotOptimize(scanner.scan(std::string_view(body).substr(0, size), false));
    }
    benchmark::DoNotOptimize(scanner.scan(body, true));
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(body.size()));
}
BENCHMARK(BM_JsonScan_AsReceived);

void BM_Splice_ThreeEdits(benchmark::State& state) {
  const std::string body = request_of(kProse, 20'000);
  JsonScanner scanner;
  LEAT_CHECK(scanner.scan(body, true) == JsonStatus::kDone);
  for (auto _ : state) {
    MemberEdits edits;
    edits.replace_value(*scanner.find(TopKey::kModel), "\"gpt-4o-2024-11-20\"");
    edits.remove(*scanner.find(TopKey::kUser));
    edits.insert(R"("stream_options":{"include_usage":true})");
    SpliceList list(body);
    LEAT_CHECK(edits.lay_out(scanner, body, list));
    benchmark::DoNotOptimize(list.pieces().data());
  }
}
BENCHMARK(BM_Splice_ThreeEdits);

}  // namespace
}  // namespace leat::proto

BENCHMARK_MAIN();
