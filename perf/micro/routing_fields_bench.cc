// SPDX-License-Identifier: Apache-2.0
// What it costs to read what a request asks of the router, and to re-spell it for an endpoint, on a
// request of 1 KB with a full provider object. Aim: 600 ns to read.
#include <benchmark/benchmark.h>

#include <string>

#include "base/check.h"
#include "dialect/openai_request.h"
#include "dialect/request_headers.h"
#include "dialect/routing_fields.h"

namespace leat::dialect {
namespace {

std::string sample_body() {
  return R"({"model":"openai/gpt-oss-120b:nitro","models":["meta-llama/llama-3.3-70b-instruct"],)"
         R"("stream":true,"max_tokens":512,"temperature":0.7,"top_p":0.9,"seed":42,)"
         R"("provider":{"order":["deepinfra/turbo","together"],"ignore":["azure"],)"
         R"("allow_fallbacks":true,"require_parameters":true,"data_collection":"deny","zdr":false,)"
         R"("quantizations":["fp8","bf16"],"sort":{"by":"throughput","partition":"model"},)"
         R"("preferred_min_throughput":{"p50":40,"p90":15},"preferred_max_latency":2.5,)"
         R"("max_price":{"prompt":"0.5","completion":1.5}},"session_id":"conversation-8a6b4e0d",)"
         R"("usage":{"include":true},"messages":[{"role":"system","content":"You are brief."},)"
         R"({"role":"user","content":[{"type":"text","text":")" +
         std::string(150, 'x') +
         R"("},{"type":"image_url","image_url":{"url":"https://example.com/picture.png"}}]}],)"
         R"("tools":[{"type":"function","function":{"name":"weather","parameters":)"
         R"({"type":"object","properties":{"city":{"type":"string"}}}}}],"tool_choice":"auto"})";
}

void BM_RoutingFields_OneKb(benchmark::State& state) {
  const std::string body = sample_body();
  proto::JsonScanner scanner;
  LEAT_CHECK(scanner.scan(body, true) == proto::JsonStatus::kDone);
  for (auto _ : state) {
    RoutingFields fields;
    RoutingFault fault;
    LEAT_CHECK(read_routing_fields(scanner, body, fields, fault));
    benchmark::DoNotOptimize(fields.provider.quantizations);
  }
  state.counters["body"] = static_cast<double>(body.size());
}
BENCHMARK(BM_RoutingFields_OneKb);

// What most requests are: two messages, few fields, nothing of the router.
std::string plain_body() {
  return R"({"model":"bench","messages":[{"role":"system","content":"You are brief."},)"
         R"({"role":"user","content":")" +
         std::string(850, 'x') + R"("}],"max_tokens":400,"temperature":0.7,"stream":false})";
}

void BM_RoutingFields_PlainKb(benchmark::State& state) {
  const std::string body = plain_body();
  proto::JsonScanner scanner;
  LEAT_CHECK(scanner.scan(body, true) == proto::JsonStatus::kDone);
  for (auto _ : state) {
    RoutingFields fields;
    RoutingFault fault;
    LEAT_CHECK(read_routing_fields(scanner, body, fields, fault));
    benchmark::DoNotOptimize(fields.input_modalities);
  }
}
BENCHMARK(BM_RoutingFields_PlainKb);

void BM_StickyKey_Messages(benchmark::State& state) {
  const std::string body = sample_body();
  proto::JsonScanner scanner;
  LEAT_CHECK(scanner.scan(body, true) == proto::JsonStatus::kDone);
  RoutingFields fields;
  RoutingFault fault;
  LEAT_CHECK(read_routing_fields(scanner, body, fields, fault));
  fields.session_id = {};
  for (auto _ : state) benchmark::DoNotOptimize(sticky_key(fields, "").hash);
}
BENCHMARK(BM_StickyKey_Messages);

void BM_ShapeRequest_WithQuirks(benchmark::State& state) {
  const std::string body = sample_body();
  proto::JsonScanner scanner;
  LEAT_CHECK(scanner.scan(body, true) == proto::JsonStatus::kDone);
  ChatRequest request;
  LEAT_CHECK(!read_chat_request(scanner, body, request));
  const EndpointShape shape = {.model = "gpt-oss-120b",
                               .max_tokens_key = MaxTokensKey::kMaxCompletionTokens,
                               .dropped = {Parameter::kSeed, Parameter::kTopP}};
  for (auto _ : state) {
    proto::SpliceList pieces(body);
    LEAT_CHECK(shape_chat_request(scanner, body, request, shape, pieces));
    benchmark::DoNotOptimize(pieces.size());
  }
}
BENCHMARK(BM_ShapeRequest_WithQuirks);

}  // namespace
}  // namespace leat::dialect

BENCHMARK_MAIN();
