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
// With records of our own: what stays of either.
constexpr double kServerBytesMax = 3500;
constexpr double kClientBytesMax = 8000;
constexpr double kOwnBytesMax = 2000;

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
  explicit Bench(bool own_records = true)
      : records_(own_records ? Records::kOwn : Records::kLibrary) {
    const test::Cert authority = test::make_authority();
    const test::Cert cert = test::make_cert({}, &authority);
    server_ =
        std::move(*ServerContext::create(cert.certificate_pem, cert.key_pem, &kSeed, records_));
    roots_ = std::move(*TrustedRoots::read(authority.certificate_pem));
    client_ = ClientContext::create(*roots_, Offer::kHttp1, records_);
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
    const std::string_view pieces[] = {text};
    answer(pair, pieces);
  }
  void answer(Pair& pair, std::span<const std::string_view> pieces) {
    std::size_t expected = plain_.bytes;
    for (const std::string_view piece : pieces) expected += piece.size();
    if (!pair.server->write(pieces, to_client_)) std::abort();
    carry(to_client_, *pair.client, to_server_);
    if (plain_.bytes != expected) std::abort();
  }

  ClientContext& client() { return *client_; }
  std::unique_ptr<ClientContext> fresh_client() {
    return ClientContext::create(*roots_, Offer::kHttp1, records_);
  }

 private:
  const Records records_;
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

// With the write that brings the next handshake's tickets, behind which both ends leave the library
// if they have records of their own.
void BM_TlsHandshakeResumed(benchmark::State& state) {
  Bench bench(state.range(0) != 0);
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
BENCHMARK(BM_TlsHandshakeResumed)->ArgName("own")->Arg(0)->Arg(1);

// Both ends of it: sealed by one, opened by the other.
void BM_TlsWriteAndFeed(benchmark::State& state) {
  Bench bench(state.range(0) != 0);
  Pair pair = bench.connect(bench.client());
  const std::string text(static_cast<std::size_t>(state.range(1)), 'x');
  // The first takes the tickets along; a session with records of its own has left behind it.
  bench.answer(pair, text);
  if (pair.client->has_own_records() != (state.range(0) != 0)) std::abort();
  for (auto _ : state) bench.answer(pair, text);
  state.SetBytesProcessed(state.iterations() * state.range(1));
}
BENCHMARK(BM_TlsWriteAndFeed)
    ->ArgNames({"own", "bytes"})
    ->ArgsProduct({{0, 1}, {250, 1400, 16 * 1024}});

// As the relay writes: head, bytes of the event and tail in pieces.
void BM_TlsWriteOfPieces(benchmark::State& state) {
  Bench bench(state.range(0) != 0);
  Pair pair = bench.connect(bench.client());
  const std::string text(250, 'x');
  bench.answer(pair, text);
  const std::string_view all(text);
  const std::string_view pieces[] = {all.substr(0, 6), all.substr(6, 236), all.substr(242)};
  for (auto _ : state) bench.answer(pair, pieces);
}
BENCHMARK(BM_TlsWriteOfPieces)->ArgName("own")->Arg(0)->Arg(1);

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
  const bool own = state.range(0) != 0;
  Bench bench(own);
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
    if (server > (own ? kOwnBytesMax : kServerBytesMax)) std::abort();
    if (client > (own ? kOwnBytesMax : kClientBytesMax)) std::abort();
  }
}
BENCHMARK(BM_TlsMemory)
    ->ArgName("own")
    ->Arg(0)
    ->Arg(1)
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
