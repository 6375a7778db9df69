// SPDX-License-Identifier: Apache-2.0
// TLS in memory, both ends: a full handshake, a resumed one, an event of 250 bytes and a body from
// one end to the other, reading the authorities of a client, and what an open session costs in
// memory (counters bytes_client and bytes_server).
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "support/test_certs.h"
#include "tls/context.h"
#include "tls/session.h"

namespace {

using namespace leat;
using namespace leat::tls;

// What open sessions may cost at most. Measured with BoringSSL 13, the handshake's state shed:
// 2.9 kB a server's, 7.2 kB a client's after a full handshake, 3.2 kB after a resumed one.
constexpr double kServerBytesMax = 3500;
constexpr double kClientBytesMax = 8000;

const TicketSeed kSeed{.secret = {1}, .begin = {}};

struct Wire final : CipherOut {
  Wire() { bytes.reserve(64 * 1024); }
  char* extend(std::size_t size) override {
    bytes.resize(bytes.size() + size);
    return bytes.data() + bytes.size() - size;
  }
  std::string bytes;
};

struct Count final : PlainSink {
  void on_plain(std::span<char> more) override { bytes += more.size(); }
  std::size_t bytes = 0;
};

struct Pair {
  std::unique_ptr<TlsSession> client;
  std::unique_ptr<TlsSession> server;
};

class Bench {
 public:
  Bench() {
    const test::Cert authority = test::make_authority();
    const test::Cert cert = test::make_cert({}, &authority);
    server_ = std::move(*ServerContext::create(cert.certificate_pem, cert.key_pem, &kSeed));
    roots_ = std::move(*TrustedRoots::read(authority.certificate_pem));
    client_ = ClientContext::create(*roots_);
  }

  Pair connect(ClientContext& client) {
    Pair pair{std::move(*client.new_session("localhost")), server_->new_session(kSeed.begin)};
    (void)pair.client->start(to_server_);
    while (!to_server_.bytes.empty() || !to_client_.bytes.empty()) {
      carry(to_server_, *pair.server, to_client_);
      carry(to_client_, *pair.client, to_server_);
    }
    if (pair.client->state() != SessionState::kOpen) std::abort();
    return pair;
  }

  // One write at the server, fed to the client in one slice.
  void answer(Pair& pair, std::string_view text) {
    const std::size_t before = plain_.bytes;
    const std::string_view pieces[] = {text};
    if (!pair.server->write(pieces, to_client_)) std::abort();
    carry(to_client_, *pair.client, to_server_);
    if (plain_.bytes - before != text.size()) std::abort();
  }

  ClientContext& client() { return *client_; }
  std::unique_ptr<ClientContext> fresh_client() { return ClientContext::create(*roots_); }

 private:
  void carry(Wire& from, TlsSession& to, Wire& out) {
    if (from.bytes.empty()) return;
    to.feed(from.bytes, plain_, out);
    from.bytes.clear();
  }

  std::unique_ptr<ServerContext> server_;
  std::unique_ptr<ClientContext> client_;
  std::unique_ptr<const TrustedRoots> roots_;
  Wire to_server_;
  Wire to_client_;
  Count plain_;
};

void BM_TlsHandshakeFull(benchmark::State& state) {
  Bench bench;
  // Without a write of the server no tickets come.
  const auto client = bench.fresh_client();
  for (auto _ : state) {
    const Pair pair = bench.connect(*client);
    if (pair.client->is_resumed()) std::abort();
  }
}
BENCHMARK(BM_TlsHandshakeFull);

// With the write that brings the next handshake's tickets.
void BM_TlsHandshakeResumed(benchmark::State& state) {
  Bench bench;
  {
    Pair first = bench.connect(bench.client());
    bench.answer(first, "x");
  }
  for (auto _ : state) {
    Pair pair = bench.connect(bench.client());
    if (!pair.client->is_resumed()) std::abort();
    bench.answer(pair, "x");
  }
}
BENCHMARK(BM_TlsHandshakeResumed);

void BM_TlsWriteAndFeed(benchmark::State& state) {
  Bench bench;
  Pair pair = bench.connect(bench.client());
  const std::string text(static_cast<std::size_t>(state.range(0)), 'x');
  for (auto _ : state) bench.answer(pair, text);
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_TlsWriteAndFeed)->ArgName("bytes")->Arg(250)->Arg(1400)->Arg(16 * 1024);

void BM_TlsReadAuthorities(benchmark::State& state) {
  std::string bundle;
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    bundle += test::make_cert({.common_name = "authority " + std::to_string(i),
                               .subject_alt_name = "",
                               .is_authority = true,
                               .extended_key_usage = ""},
                              nullptr)
                  .certificate_pem;
  }
  for (auto _ : state) {
    if (!TrustedRoots::read(bundle)) std::abort();
  }
}
BENCHMARK(BM_TlsReadAuthorities)->ArgName("count")->Arg(140);

// Sanitizers replace the allocator and count nothing.
double heap_bytes() {
  return static_cast<double>(mallinfo2().uordblks);
}

void BM_TlsMemory(benchmark::State& state) {
  constexpr std::size_t kPairs = 500;
  Bench bench;
  bench.connect(bench.client());
  for (auto _ : state) {
    std::vector<Pair> pairs(kPairs);
    const double before = heap_bytes();
    // Full handshakes all, since tickets come with the first answers.
    for (Pair& pair : pairs) pair = bench.connect(bench.client());
    for (Pair& pair : pairs) bench.answer(pair, "first answer");
    const double with_both = heap_bytes();
    for (Pair& pair : pairs) pair.client.reset();
    const double with_servers = heap_bytes();
    const double server = (with_servers - before) / kPairs;
    const double client = (with_both - with_servers) / kPairs;
    state.counters["bytes_server"] = server;
    state.counters["bytes_client"] = client;
    if (server > kServerBytesMax || client > kClientBytesMax) std::abort();
  }
}
BENCHMARK(BM_TlsMemory)->Iterations(1)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
