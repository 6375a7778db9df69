// SPDX-License-Identifier: Apache-2.0
// Goal: bytes cross TLS whole and in order however the network cuts them; an endpoint that cannot
// prove its name gets no application byte; a cut-off connection never looks like an end in order.
// Method: client and server in memory, certificates made on the spot.
#include "tls/session.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "base/rng.h"
#include "support/test_certs.h"
#include "support/tls_wire.h"
#include "tls/context.h"

namespace leat::tls {
namespace {

using test::Cert;
using test::CertSpec;
using test::Wire;

struct Plain final : PlainSink {
  std::string bytes;
  void on_plain(std::span<char> more) override { bytes.append(more.data(), more.size()); }
};

struct End {
  std::unique_ptr<TlsSession> session;
  Wire out;
  Plain in;
};

struct Pair {
  End client;
  End server;

  // Carries what each has written to the other, in pieces of at most `piece_max`, until nobody
  // writes.
  void carry(Rng& rng, std::size_t piece_max) {
    while (!client.out.bytes.empty() || !server.out.bytes.empty()) {
      move(client, server, rng, piece_max);
      move(server, client, rng, piece_max);
    }
  }
  static void move(End& from, End& to, Rng& rng, std::size_t piece_max) {
    std::string bytes;
    bytes.swap(from.out.bytes);
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t size = std::min<std::size_t>(rng.below(piece_max) + 1, bytes.size() - at);
      to.session->feed({bytes.data() + at, size}, to.in, to.out);
      at += size;
    }
  }
  bool is_open() const {
    return client.session->state() == SessionState::kOpen &&
           server.session->state() == SessionState::kOpen;
  }
};

const TicketSeed kSeed{.secret = {7}, .begin = {1000}};

void write(End& end, std::string_view text) {
  const std::string_view pieces[] = {text};
  ASSERT_TRUE(end.session->write(pieces, end.out).has_value());
}

std::unique_ptr<ClientContext> client_trusting(const std::string& roots_pem) {
  return ClientContext::create(**TrustedRoots::read(roots_pem));
}

class Session : public testing::Test {
 protected:
  Session() : authority_(test::make_authority()) {
    client_ = client_trusting(authority_.certificate_pem);
  }
  std::unique_ptr<ServerContext> server_for(const CertSpec& spec) {
    const Cert cert = test::make_cert(spec, &authority_);
    auto server = ServerContext::create(cert.certificate_pem, cert.key_pem, &kSeed);
    EXPECT_TRUE(server.has_value()) << (server ? "" : server.error().what);
    return server ? std::move(*server) : nullptr;
  }
  Pair connect(ServerContext& server, const std::string& name, std::size_t piece_max = 100'000) {
    Pair pair;
    pair.server.session = server.new_session(now_);
    auto session = client_->new_session(name);
    EXPECT_TRUE(session.has_value());
    pair.client.session = std::move(*session);
    EXPECT_TRUE(pair.client.session->start(pair.client.out).has_value());
    pair.carry(rng_, piece_max);
    return pair;
  }
  void expect_refused(const CertSpec& spec, const std::string& name, const Cert* issuer) {
    const Cert cert = test::make_cert(spec, issuer);
    auto server = ServerContext::create(cert.certificate_pem, cert.key_pem);
    ASSERT_TRUE(server.has_value()) << server.error().what;
    Pair pair = connect(**server, name);
    EXPECT_EQ(pair.client.session->state(), SessionState::kFailed);
    EXPECT_EQ(pair.client.session->error().code, Code::kUntrusted);
    EXPECT_EQ(pair.client.session->error().source, Source::kUpstream);
    // Not a byte of a request leaves.
    const std::string_view pieces[] = {"secret"};
    pair.client.out.bytes.clear();
    (void)pair.client.session->write(pieces, pair.client.out);
    EXPECT_TRUE(pair.client.out.bytes.empty());
    EXPECT_TRUE(pair.server.in.bytes.empty());
  }

  Cert authority_;
  std::unique_ptr<ClientContext> client_;
  Rng rng_{11};
  Instant now_ = kSeed.begin;
};

TEST_F(Session, AgreesOnAProtocolThatBothSpeak) {
  const auto server = server_for({});
  const std::pair<Offer, std::string_view> offers[] = {
      {Offer::kHttp1, "http/1.1"}, {Offer::kHttp2, ""}, {Offer::kHttp2AndHttp1, "http/1.1"}};
  for (const auto& [offer, chosen] : offers) {
    client_ = ClientContext::create(**TrustedRoots::read(authority_.certificate_pem), offer);
    Pair pair = connect(*server, "localhost");
    ASSERT_TRUE(pair.is_open());
    EXPECT_EQ(pair.client.session->alpn(), chosen);
  }
}

TEST_F(Session, CarriesBytesBothWaysAtAnyCut) {
  const auto server = server_for({});
  for (const std::size_t piece_max : {1, 3, 17, 1000, 100'000}) {
    Pair pair = connect(*server, "localhost", piece_max);
    ASSERT_TRUE(pair.is_open()) << piece_max;
    EXPECT_EQ(pair.client.session->alpn(), "http/1.1");
    EXPECT_EQ(pair.client.session->version(), 0x0304);
    std::string big(100'000, 'x');
    for (char& c : big) c = static_cast<char>('a' + rng_.below(26));
    write(pair.client, "hello");
    write(pair.client, big);
    write(pair.server, big);
    pair.carry(rng_, piece_max);
    EXPECT_EQ(pair.server.in.bytes, "hello" + big);
    EXPECT_EQ(pair.client.in.bytes, big);
  }
}

TEST_F(Session, GathersSmallPiecesInOneRecord) {
  const auto server = server_for({});
  Pair pair = connect(*server, "localhost");
  const std::string_view pieces[] = {"data: ", "{}", "\n\n", std::string_view("tail")};
  write(pair.server, "tickets go with the first write");
  pair.carry(rng_, 1000);
  pair.client.in.bytes.clear();
  ASSERT_TRUE(pair.server.session->write(pieces, pair.server.out).has_value());
  // 14 bytes, content type, tag, header: one record of TLS 1.3.
  EXPECT_EQ(pair.server.out.bytes.size(), 14u + 1 + 16 + 5);
  pair.carry(rng_, 5);
  EXPECT_EQ(pair.client.in.bytes, "data: {}\n\ntail");
}

TEST_F(Session, ResumesASessionOnce) {
  const auto server = server_for({});
  Pair first = connect(*server, "localhost");
  EXPECT_FALSE(first.client.session->is_resumed());
  write(first.server, "x");  // tickets come along
  first.carry(rng_, 1000);
  Pair second = connect(*server, "localhost");
  ASSERT_TRUE(second.is_open());
  EXPECT_TRUE(second.client.session->is_resumed());
}

// Contexts of one certificate and the given seeds: two shards of a process, or two processes.
class Tickets : public Session {
 protected:
  std::unique_ptr<ServerContext> shard(const TicketSeed* seed) {
    return std::move(*ServerContext::create(cert_.certificate_pem, cert_.key_pem, seed));
  }
  // The client gets tickets of `server`, sealed at now_.
  void fetch_tickets(ServerContext& server) {
    Pair first = connect(server, "localhost");
    write(first.server, "x");
    first.carry(rng_, 1000);
  }
  bool resumes(ServerContext& server) {
    const Pair pair = connect(server, "localhost");
    EXPECT_TRUE(pair.is_open());
    return pair.client.session->is_resumed();
  }

  const Cert cert_ = test::make_cert({}, &authority_);
};

TEST_F(Tickets, AnotherShardResumes) {
  const auto one = shard(&kSeed);
  const auto two = shard(&kSeed);
  fetch_tickets(*one);
  EXPECT_TRUE(resumes(*two));
}

TEST_F(Tickets, AnotherProcessDoesNot) {
  const auto one = shard(&kSeed);
  const TicketSeed other{.secret = {8}, .begin = kSeed.begin};
  fetch_tickets(*one);
  EXPECT_FALSE(resumes(*shard(&other)));
}

TEST_F(Tickets, NoneWithoutASeed) {
  const auto server = shard(nullptr);
  fetch_tickets(*server);
  EXPECT_FALSE(resumes(*server));
}

// Each time by a shard that has slept through all changes of keys until it is asked.
TEST_F(Tickets, AreAcceptedForOnePeriodMore) {
  const auto one = shard(&kSeed);
  const Instant last = kSeed.begin + TicketKeys::kPeriod - nanoseconds(1);
  const Duration tick = nanoseconds(1);
  now_ = last;
  fetch_tickets(*one);
  now_ = last + TicketKeys::kPeriod;
  EXPECT_TRUE(resumes(*shard(&kSeed)));
  fetch_tickets(*one);  // of the second period
  now_ = last + TicketKeys::kPeriod + tick;
  EXPECT_TRUE(resumes(*shard(&kSeed)));
  now_ = last + TicketKeys::kPeriod + TicketKeys::kPeriod + tick;
  EXPECT_FALSE(resumes(*shard(&kSeed)));
}

TEST_F(Session, CloseNotifyIsAnEndInOrder) {
  const auto server = server_for({});
  Pair pair = connect(*server, "localhost");
  write(pair.server, "last");
  pair.server.session->close_notify(pair.server.out);
  pair.carry(rng_, 7);
  EXPECT_EQ(pair.client.in.bytes, "last");
  EXPECT_EQ(pair.client.session->state(), SessionState::kClosed);
}

// A certificate is replaced while connections of the former one go on.
TEST_F(Session, KeepsTheContextThatItIsOf) {
  std::shared_ptr<ServerContext> server = server_for({});
  const std::weak_ptr<ServerContext> watched = server;
  Pair pair = connect(*server, "localhost");
  ASSERT_TRUE(pair.is_open());
  server.reset();
  ASSERT_FALSE(watched.expired());
  write(pair.server, "still here");
  pair.carry(rng_, 100'000);
  EXPECT_EQ(pair.client.in.bytes, "still here");
  pair.server.session.reset();
  EXPECT_TRUE(watched.expired()) << "with its last session it goes";
}

TEST_F(Session, GarbageFailsAndNeverCrashes) {
  const auto server = server_for({});
  for (int round = 0; round < 200; ++round) {
    Pair pair = connect(*server, "localhost");
    write(pair.client, "hello");
    std::string& bytes = pair.client.out.bytes;
    bytes[rng_.below(bytes.size())] ^= static_cast<char>(1 + rng_.below(255));
    pair.carry(rng_, 50);
    EXPECT_EQ(pair.server.in.bytes, "");
  }
  End plain_http;
  plain_http.session = server->new_session(now_);
  std::string request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
  EXPECT_EQ(plain_http.session->feed(request, plain_http.in, plain_http.out),
            SessionState::kFailed);
}

TEST_F(Session, NamesAndAddresses) {
  EXPECT_TRUE(
      connect(*server_for({.subject_alt_name = "DNS:*.example.com"}), "api.example.com").is_open());
  EXPECT_TRUE(connect(*server_for({.subject_alt_name = "IP:127.0.0.1"}), "127.0.0.1").is_open());
  EXPECT_FALSE(client_->new_session("").has_value());
}

TEST_F(Session, RefusesAnAuthorityThatHasExpired) {
  CertSpec spec;
  spec.common_name = "old authority";
  spec.subject_alt_name = spec.extended_key_usage = "";
  spec.is_authority = true;
  spec.begins_in_s = -7200;
  spec.ends_in_s = -60;
  const Cert old = test::make_cert(spec, nullptr);
  client_ = client_trusting(old.certificate_pem);
  expect_refused({}, "localhost", &old);
}

struct Refusal {
  const char* what;
  CertSpec spec;
  std::string name;
  bool by_stranger = false;
  bool by_itself = false;
};

TEST_F(Session, RefusesEveryBadCertificate) {
  const Cert stranger = test::make_authority();
  const Refusal cases[] = {
      {"wrong host", {.subject_alt_name = "DNS:other"}, "localhost"},
      {"common name only", {.common_name = "localhost", .subject_alt_name = ""}, "localhost"},
      {"wildcard too deep", {.subject_alt_name = "DNS:*.example.com"}, "a.b.example.com"},
      {"wildcard on a top level", {.subject_alt_name = "DNS:*.com"}, "example.com"},
      {"partial wildcard", {.subject_alt_name = "DNS:a*.example.com"}, "ab.example.com"},
      {"address not named", {.subject_alt_name = "DNS:localhost"}, "127.0.0.1"},
      {"another address", {.subject_alt_name = "IP:127.0.0.2"}, "127.0.0.1"},
      {"for clients only", {.extended_key_usage = "clientAuth"}, "localhost"},
      {"unknown authority", {}, "localhost", true},
      {"self-signed", {}, "localhost", false, true},
  };
  for (const Refusal& each : cases) {
    SCOPED_TRACE(each.what);
    const Cert* issuer = each.by_itself ? nullptr : each.by_stranger ? &stranger : &authority_;
    expect_refused(each.spec, each.name, issuer);
  }
}

TEST_F(Session, RefusesALeafAsAuthority) {
  const Cert leaf = test::make_cert({}, &authority_);
  const Cert below = test::make_cert({.common_name = "x"}, &leaf);
  auto server = ServerContext::create(below.certificate_pem + leaf.certificate_pem, below.key_pem);
  ASSERT_TRUE(server.has_value());
  Pair pair = connect(**server, "localhost");
  EXPECT_EQ(pair.client.session->state(), SessionState::kFailed);
}

TEST_F(Session, ServerRefusesWhatItCouldNotServeWith) {
  const Cert good = test::make_cert({}, &authority_);
  const Cert other = test::make_cert({}, &authority_);
  const auto fault = [](const std::string& certificate, const std::string& key) {
    const auto context = ServerContext::create(certificate, key);
    return context ? std::string() : std::string(context.error().what);
  };
  EXPECT_EQ(fault(good.certificate_pem, good.key_pem), "");
  EXPECT_EQ(fault(good.certificate_pem, other.key_pem), "the key is not the certificate's");
  EXPECT_NE(fault("", good.key_pem), "");
  EXPECT_NE(fault(good.certificate_pem, "nonsense"), "");
  const Cert early = test::make_cert({.begins_in_s = 3600}, &authority_);
  EXPECT_EQ(fault(early.certificate_pem, early.key_pem), "the certificate is not valid yet");
  const Cert late = test::make_cert({.ends_in_s = -60}, &authority_);
  EXPECT_EQ(fault(late.certificate_pem, late.key_pem), "the certificate has expired");
  const Cert weak = test::make_cert({.rsa_bits = 1024}, &authority_);
  EXPECT_EQ(fault(weak.certificate_pem, weak.key_pem),
            "an RSA key below 2048 bits is not accepted");
}

TEST_F(Session, ClientRefusesRootsWithoutACertificate) {
  EXPECT_FALSE(TrustedRoots::read("").has_value());
  EXPECT_FALSE(TrustedRoots::read("-----BEGIN NOTHING-----\n").has_value());
}

std::string damaged(std::string pem) {
  pem[pem.size() / 2] = '!';
  return pem;
}

TEST_F(Session, ServerRefusesADamagedChain) {
  const Cert cert = test::make_cert({}, &authority_);
  const auto context = ServerContext::create(
      cert.certificate_pem + damaged(authority_.certificate_pem), cert.key_pem);
  ASSERT_FALSE(context.has_value());
  EXPECT_STREQ(context.error().what, "the certificate chain is damaged");
}

// Shards look in one store at a time: each handshake is judged as if it were alone.
TEST_F(Session, ThreadsShareRoots) {
  const auto roots = std::move(*TrustedRoots::read(authority_.certificate_pem));
  const Cert stranger = test::make_authority();
  const Cert sound = test::make_cert({}, &authority_);
  const Cert unsound = test::make_cert({}, &stranger);
  const auto count_open = [&](const Cert& cert, int& open) {
    const auto client = ClientContext::create(*roots);
    const auto server = std::move(*ServerContext::create(cert.certificate_pem, cert.key_pem));
    Rng rng(1);
    for (int i = 0; i < 50; ++i) {
      Pair pair;
      pair.server.session = server->new_session({});
      pair.client.session = std::move(*client->new_session("localhost"));
      (void)pair.client.session->start(pair.client.out);
      pair.carry(rng, 100'000);
      open += pair.is_open();
    }
  };
  int open[4] = {};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] { count_open(i % 2 == 0 ? sound : unsound, open[i]); });
  }
  for (std::thread& each : threads) each.join();
  for (int i = 0; i < 4; ++i) EXPECT_EQ(open[i], i % 2 == 0 ? 50 : 0);
}

// One root that the library cannot read does not hide those behind it.
TEST_F(Session, ClientPassesOverADamagedRoot) {
  const Cert other = test::make_authority();
  client_ = client_trusting(damaged(other.certificate_pem) + authority_.certificate_pem);
  EXPECT_TRUE(connect(*server_for({}), "localhost").is_open());
}

}  // namespace
}  // namespace leat::tls
