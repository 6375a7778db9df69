// SPDX-License-Identifier: Apache-2.0
// The head parsers on what clients and providers really send, whole and in two slices, with the
// scalar scan beside them to show what the vectors are worth.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <memory>
#include <string_view>

#include "proto/http1_request.h"
#include "proto/http1_response.h"
#include "proto/http1_write.h"

namespace {

using namespace leat::proto;

// 430 bytes, 12 fields: an SDK on node.
constexpr std::string_view kRequest =
    "POST /v1/chat/completions HTTP/1.1\r\n"
    "host: 127.0.0.1:8080\r\n"
    "connection: keep-alive\r\n"
    "accept: application/json\r\n"
    "content-type: application/json\r\n"
    "user-agent: OpenAI/JS 4.77.0\r\n"
    "x-stainless-lang: js\r\n"
    "x-stainless-retry-count: 0\r\n"
    "authorization: Bearer sk-leat-0123456789abcdef0123456789abcdef\r\n"
    "accept-language: *\r\n"
    "sec-fetch-mode: cors\r\n"
    "accept-encoding: gzip, deflate\r\n"
    "content-length: 1112\r\n"
    "\r\n";

// A provider's reply behind a content network.
constexpr std::string_view kResponse =
    "HTTP/1.1 200 OK\r\n"
    "Date: Sat, 21 Nov 2026 05:00:00 GMT\r\n"
    "Content-Type: text/event-stream; charset=utf-8\r\n"
    "Transfer-Encoding: chunked\r\n"
    "Connection: keep-alive\r\n"
    "x-ratelimit-limit-requests: 10000\r\n"
    "x-ratelimit-limit-tokens: 2000000\r\n"
    "x-ratelimit-remaining-requests: 9999\r\n"
    "x-ratelimit-remaining-tokens: 1999992\r\n"
    "x-ratelimit-reset-requests: 6ms\r\n"
    "x-ratelimit-reset-tokens: 0s\r\n"
    "x-request-id: req_0123456789abcdef0123456789abcdef\r\n"
    "strict-transport-security: max-age=31536000; includeSubDomains; preload\r\n"
    "cf-cache-status: DYNAMIC\r\n"
    "Set-Cookie: __cf_bm=0123456789abcdef0123456789abcdef; path=/; HttpOnly; Secure\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "Server: edge\r\n"
    "\r\n";

// Reference: the values that were written above.
void check(const HeadStatus& status, const RequestHead& head) {
  const bool good = status.complete() && status.head_bytes == kRequest.size() &&
                    head.path == "/v1/chat/completions" && head.content_length == 1112u &&
                    head.fields.size() == 12 &&
                    head.fields.get(KnownField::kAuthorization).ends_with("abcdef");
  if (!good) std::abort();
}
void check(const HeadStatus& status, const ResponseHead& head) {
  const bool good = status.complete() && status.head_bytes == kResponse.size() && head.chunked &&
                    head.status == 200 && head.fields.size() == 16 &&
                    head.x_request_id == "req_0123456789abcdef0123456789abcdef";
  if (!good) std::abort();
}

template <class Parser, class Head>
void parse(benchmark::State& state, std::string_view bytes) {
  Parser parser;
  const auto head = std::make_unique<Head>();
  check(parser.parse(bytes, *head), *head);
  for (auto _ : state) {
    benchmark::DoNotOptimize(bytes);
    const HeadStatus status = parser.parse(bytes, *head);
    benchmark::DoNotOptimize(status);
    benchmark::DoNotOptimize(*head);
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes.size()));
}

void BM_Http1Request(benchmark::State& state) {
  parse<RequestParser, RequestHead>(state, kRequest);
}
void BM_Http1RequestScalar(benchmark::State& state) {
  parse<BasicRequestParser<ScalarScan>, RequestHead>(state, kRequest);
}
void BM_Http1Response(benchmark::State& state) {
  parse<ResponseParser, ResponseHead>(state, kResponse);
}
void BM_Http1ResponseScalar(benchmark::State& state) {
  parse<BasicResponseParser<ScalarScan>, ResponseHead>(state, kResponse);
}

// The head arrives in two slices: the second call walks it again to fill the head in.
void BM_Http1RequestInTwo(benchmark::State& state) {
  RequestParser parser;
  const auto head = std::make_unique<RequestHead>();
  for (auto _ : state) {
    if (!parser.parse(kRequest.substr(0, kRequest.size() / 2), *head).need_more()) std::abort();
    const HeadStatus status = parser.parse(kRequest, *head);
    benchmark::DoNotOptimize(status);
  }
  check(parser.parse(kRequest, *head), *head);
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(kRequest.size()));
}

void BM_WriteRequestHead(benchmark::State& state) {
  char memory[1024];
  const RequestOptions options{.target = "/v1/chat/completions",
                               .host = "api.openai.com",
                               .bearer = "sk-0123456789abcdef0123456789abcdef",
                               .content_length = 1112};
  const auto once = write_request_head(memory, options);
  const auto head = std::make_unique<RequestHead>();
  if (!once || !RequestParser().parse(*once, *head).complete()) std::abort();
  for (auto _ : state) {
    benchmark::DoNotOptimize(options);
    benchmark::DoNotOptimize(write_request_head(memory, options));
  }
}

BENCHMARK(BM_Http1Request);
BENCHMARK(BM_Http1RequestScalar);
BENCHMARK(BM_Http1RequestInTwo);
BENCHMARK(BM_Http1Response);
BENCHMARK(BM_Http1ResponseScalar);
BENCHMARK(BM_WriteRequestHead);

}  // namespace

BENCHMARK_MAIN();
