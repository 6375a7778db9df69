// SPDX-License-Identifier: Apache-2.0
// The first byte chooses who is fed (bit 0: a server, else a client), whether a true ClientHello
// goes before (bit 1, servers only) and steers the cuts; the rest is what a peer without our keys
// sends. However it is cut, the session ends in the same state with the same answer, and nobody who
// has not finished a handshake gets a byte of plaintext through.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/rng.h"
#include "support/test_certs.h"
#include "support/tls_wire.h"
#include "tls/context.h"
#include "tls/session.h"

namespace {

using namespace leat;
using namespace leat::tls;

using test::Wire;

struct NoPlain final : PlainSink {
  void on_plain(std::span<char>) override { LEAT_UNREACHABLE("plaintext without a handshake"); }
};

const TicketSeed kSeed{.secret = {1}, .begin = {}};

// Made for each input: nothing is kept from one to the next. A key on P-256 costs 50 us.
struct World {
  World() : authority(test::make_authority()) {
    const test::Cert cert = test::make_cert({}, &authority);
    auto made_server = ServerContext::create(cert.certificate_pem, cert.key_pem, &kSeed);
    const auto roots = TrustedRoots::read(authority.certificate_pem);
    LEAT_CHECK(made_server.has_value() && roots.has_value());
    server = std::move(*made_server);
    client = ClientContext::create(**roots);
  }
  test::Cert authority;
  std::unique_ptr<ServerContext> server;
  std::unique_ptr<ClientContext> client;
};

struct Outcome {
  SessionState state;
  Code code;
  bool answered;
  bool operator==(const Outcome&) const = default;
};

template <class NextSize>
Outcome feed(World& world, bool as_server, std::string_view hello, std::string_view input,
             NextSize next_size) {
  Wire out;
  NoPlain sink;
  std::unique_ptr<TlsSession> session;
  if (as_server) {
    session = world.server->new_session(kSeed.begin);
  } else {
    auto made = world.client->new_session("localhost");
    LEAT_CHECK(made.has_value());
    session = std::move(*made);
    LEAT_CHECK(session->start(out).has_value());
    out.bytes.clear();
  }
  std::string bytes(hello);
  bytes += input;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t size = std::min<std::size_t>(next_size(), bytes.size() - at);
    // A slice of exact size on the heap lets the sanitizers see a read past the end.
    const std::unique_ptr<char[]> slice(new char[size]);
    bytes.copy(slice.get(), size, at);
    session->feed({slice.get(), size}, sink, out);
    at += size;
  }
  LEAT_CHECK(session->state() == SessionState::kHandshaking ||
             session->state() == SessionState::kFailed);
  const bool failed = session->state() == SessionState::kFailed;
  LEAT_CHECK(!failed || session->error().what[0] != '\0');
  return {session->state(), failed ? session->error().code : Code::kInternal, !out.bytes.empty()};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  const bool as_server = (data[0] & 1) != 0;
  World world;
  Wire hello;
  if (as_server && (data[0] & 2) != 0) {
    auto client = world.client->new_session("localhost");
    LEAT_CHECK(client.has_value() && (*client)->start(hello).has_value());
  }
  const Outcome whole =
      feed(world, as_server, hello.bytes, input, [] { return std::size_t{1} << 20; });
  Rng rng(data[0]);
  const auto in_pieces = [&] { return static_cast<std::size_t>(1 + rng.below(300)); };
  LEAT_CHECK(feed(world, as_server, hello.bytes, input, in_pieces) == whole);
  return 0;
}
