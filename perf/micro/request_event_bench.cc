// SPDX-License-Identifier: Apache-2.0
// What logs and traces cost a shard: a request's place in a trace, and its event, put into the ring
// (aim: under 1 us a request together); and what they cost control: a line of the access log, and
// the spans of a request with one attempt.
#include <benchmark/benchmark.h>

#include <string>

#include "base/check.h"
#include "control/access_line.h"
#include "control/otlp_spans.h"
#include "gateway/request_teller.h"

namespace leat {
namespace {

using gateway::RequestEvent;

RequestEvent event_of(Instant now) {
  RequestEvent event;
  ledger::UsageRecord& record = event.record;
  record.generation_id = "gen-1lg4lbr-42b68b2q8qo8bl4vkgft";
  record.request_id = "req-1lg4lbr-adoev9jr8e19c0km9tbf";
  record.key_id = "production";
  record.user_id = "user-4711";
  record.session_id = "session-0815";
  record.app_title = "An app";
  record.api = "chat";
  record.model_asked = record.model_served = "openai/gpt-4o-mini";
  record.provider = record.endpoint = "openai";
  record.upstream_id = "chatcmpl-0123456789abcdefghij";
  record.finish_reason = record.native_finish_reason = "stop";
  record.add_attempt({.endpoint = "openai",
                      .provider = "openai",
                      .upstream_id = record.upstream_id,
                      .outcome = ledger::AttemptOutcome::kSucceeded,
                      .status = 200,
                      .latency = milliseconds(300),
                      .cost = 1'234});
  record.status = 200;
  record.tokens.prompt = 1'234;
  record.tokens.completion = 567;
  record.cost = record.charge = 1'234;
  record.total = Duration{now.ns};
  event.attempts[0] = {.model = "openai/gpt-4o-mini", .total = seconds(5)};
  event.trace = {.trace_id = {1}, .span_id = {2}, .flags = 1};
  return event;
}

void bench_tell(benchmark::State& state) {
  gateway::EventRing ring;
  gateway::Counters counters;
  const TraceSettings settings{.enabled = true};
  gateway::RequestTeller teller(&ring, settings, counters, 0);
  gateway::RequestStory story;
  Instant now{1};
  std::uint64_t read = 0;
  for (auto _ : state) {
    RequestEvent event = event_of(now);
    teller.tell(event, story, now);
    if ((++now.ns & 1'023) != 0) continue;
    state.PauseTiming();
    ring.drain([&](std::span<const char> bytes) { read += bytes.size(); });
    state.ResumeTiming();
  }
  LEAT_CHECK(counters.request_events_dropped.get() == 0);
  benchmark::DoNotOptimize(read);
}
BENCHMARK(bench_tell);

void bench_place(benchmark::State& state) {
  const std::string text =
      "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
      "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n";
  proto::RequestHead head;
  proto::RequestParser parser({8'192, 4'096, 64});
  LEAT_CHECK(parser.parse(text, head).complete());
  gateway::Counters counters;
  const TraceSettings settings{.enabled = true};
  const gateway::RequestTeller teller(nullptr, settings, counters, 0);
  gateway::RequestTrace trace;
  Rng rng(1);
  for (auto _ : state) {
    teller.place(head, rng, trace);
    benchmark::DoNotOptimize(trace);
  }
  LEAT_CHECK(trace.here.is_sampled());
}
BENCHMARK(bench_place);

void bench_line(benchmark::State& state) {
  const RequestEvent event = event_of({1});
  std::string out;
  for (auto _ : state) {
    out.clear();
    control::append_access_line(event, AccessFormat::kJson, out);
  }
  LEAT_CHECK(out.ends_with("}\n"));
}
BENCHMARK(bench_line);

void bench_spans(benchmark::State& state) {
  const RequestEvent event = event_of({1});
  const control::OtlpSpans spans((Options()));
  std::string out;
  for (auto _ : state) {
    out.clear();
    spans.append(event, out);
  }
  LEAT_CHECK(out.ends_with("}"));
}
BENCHMARK(bench_spans);

}  // namespace
}  // namespace leat

BENCHMARK_MAIN();
