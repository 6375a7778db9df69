// SPDX-License-Identifier: Apache-2.0
// Goal: towards providers, whose TLS we do not choose: a chain with any fault of
// threats-and-faults.md 3.5 gets no application byte and says why; TLS 1.2 works and resumes, what
// is older or weaker does not; a server's KeyUpdate is answered whatever the reader does meanwhile.
// Method: our client against a server made of the bare library, in memory, since ServerContext
// would refuse to serve with most of this.
#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <functional>
#include <string>
#include <vector>

#include "support/test_certs.h"
#include "support/tls_wire.h"
#include "tls/context.h"
#include "tls/session.h"

namespace leat::tls {
namespace {

using test::Cert;
using test::CertSpec;
using test::Wire;

struct Plain final : PlainSink {
  std::string bytes;
  std::function<void()> on_bytes = [] {};
  void on_plain(std::span<char> more) override {
    bytes.append(more.data(), more.size());
    on_bytes();
  }
};

// What the servers of one test have in common.
class ForeignServer {
 public:
  ForeignServer(const Cert& cert, const std::vector<Cert>& above = {})
      : context_(SSL_CTX_new(TLS_method())) {
    X509* leaf = certificate_of(cert);
    BIO* text = BIO_new_mem_buf(cert.key_pem.data(), static_cast<int>(cert.key_pem.size()));
    EVP_PKEY* key = PEM_read_bio_PrivateKey(text, nullptr, nullptr, nullptr);
    EXPECT_EQ(SSL_CTX_use_certificate(context_, leaf), 1);
    EXPECT_EQ(SSL_CTX_use_PrivateKey(context_, key), 1);
    EVP_PKEY_free(key);
    BIO_free(text);
    X509_free(leaf);
    for (const Cert& each : above) SSL_CTX_add0_chain_cert(context_, certificate_of(each));
  }
  ~ForeignServer() { SSL_CTX_free(context_); }
  ForeignServer(const ForeignServer&) = delete;
  ForeignServer& operator=(const ForeignServer&) = delete;

  SSL_CTX* context() { return context_; }

 private:
  static X509* certificate_of(const Cert& cert) {
    BIO* text =
        BIO_new_mem_buf(cert.certificate_pem.data(), static_cast<int>(cert.certificate_pem.size()));
    X509* certificate = PEM_read_bio_X509(text, nullptr, nullptr, nullptr);
    BIO_free(text);
    return certificate;
  }

  SSL_CTX* context_;
};

// One connection between our client and such a server.
class Connection {
 public:
  Connection(ForeignServer& server, ClientContext& client, const std::string& name)
      : session(std::move(*client.new_session(name))), ssl(SSL_new(server.context())) {
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    BIO_set_mem_eof_return(SSL_get_rbio(ssl), -1);
    SSL_set_accept_state(ssl);
    EXPECT_TRUE(session->start(out).has_value());
    for (int flight = 0; flight < 4; ++flight) {
      serve();
      receive();
    }
  }
  ~Connection() { SSL_free(ssl); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // The server reads what the client has written.
  void serve() {
    BIO_write(SSL_get_rbio(ssl), out.bytes.data(), static_cast<int>(out.bytes.size()));
    out.bytes.clear();
    char buffer[4096];
    for (int size; (size = SSL_read(ssl, buffer, sizeof buffer)) > 0;) {
      served.append(buffer, static_cast<std::size_t>(size));
    }
  }
  // The client reads what the server has written, in one slice.
  void receive() {
    std::string bytes(static_cast<std::size_t>(BIO_pending(SSL_get_wbio(ssl))), '\0');
    if (bytes.empty()) return;
    BIO_read(SSL_get_wbio(ssl), bytes.data(), static_cast<int>(bytes.size()));
    session->feed(bytes, in, out);
  }
  void answer(std::string_view text) {
    EXPECT_EQ(SSL_write(ssl, text.data(), static_cast<int>(text.size())),
              static_cast<int>(text.size()));
  }
  void write(std::string_view text, CipherOut& to) {
    const std::string_view pieces[] = {text};
    EXPECT_TRUE(session->write(pieces, to).has_value());
  }

  std::unique_ptr<TlsSession> session;
  SSL* ssl;
  Wire out;
  Plain in;
  std::string served;
};

std::unique_ptr<ClientContext> client_trusting(const Cert& authority) {
  return ClientContext::create(**TrustedRoots::read(authority.certificate_pem));
}

CertSpec authority_spec(const std::string& name) {
  return {
      .common_name = name, .subject_alt_name = "", .is_authority = true, .extended_key_usage = ""};
}

// ---- Certificates ------------------------------------------------------------------------------

// The text of the refusal, or "open".
std::string judged(const Cert& root, const Cert& leaf, const std::vector<Cert>& above = {},
                   const std::string& name = "localhost") {
  const auto client = client_trusting(root);
  ForeignServer server(leaf, above);
  Connection connection(server, *client, name);
  if (connection.session->state() == SessionState::kOpen) return "open";
  connection.write("an application byte", connection.out);
  connection.serve();
  EXPECT_EQ(connection.served, "");
  EXPECT_EQ(connection.session->state(), SessionState::kFailed);
  EXPECT_EQ(connection.session->error().code, Code::kUntrusted);
  EXPECT_EQ(connection.session->error().source, Source::kUpstream);
  return connection.session->error().what;
}

TEST(ForeignServer, ChainsAreFollowedToARoot) {
  const Cert root = test::make_authority();
  const Cert middle = test::make_cert(authority_spec("middle"), &root);
  const Cert leaf = test::make_cert({}, &middle);
  EXPECT_EQ(judged(root, leaf, {middle}), "open");
  EXPECT_EQ(judged(root, leaf), "unable to get local issuer certificate");
}

TEST(ForeignServer, TimeIsLookedAt) {
  const Cert root = test::make_authority();
  EXPECT_EQ(judged(root, test::make_cert({.ends_in_s = -60}, &root)), "certificate has expired");
  EXPECT_EQ(judged(root, test::make_cert({.begins_in_s = 3600}, &root)),
            "certificate is not yet valid");
}

TEST(ForeignServer, WeakKeysAndSignaturesAreRefused) {
  constexpr char kWeak[] = "a key or a signature of the certificate chain is too weak";
  const Cert root = test::make_authority();
  EXPECT_EQ(judged(root, test::make_cert({.rsa_bits = 2048}, &root)), "open");
  EXPECT_EQ(judged(root, test::make_cert({.rsa_bits = 1024}, &root)), kWeak);
  EXPECT_EQ(judged(root, test::make_cert({.is_signed_with_sha1 = true}, &root)), kWeak);
  CertSpec weak_middle = authority_spec("weak middle");
  weak_middle.rsa_bits = 1024;
  const Cert middle = test::make_cert(weak_middle, &root);
  EXPECT_EQ(judged(root, test::make_cert({}, &middle), {middle}), kWeak);
}

// Roots of the nineties are signed by themselves with SHA-1; that signature proves nothing anyway.
TEST(ForeignServer, ARootsOwnSignatureMayBeOld) {
  CertSpec old_root = authority_spec("old root");
  old_root.is_signed_with_sha1 = true;
  const Cert root = test::make_cert(old_root, nullptr);
  EXPECT_EQ(judged(root, test::make_cert({}, &root)), "open");
}

TEST(ForeignServer, AnAuthorityIsHeldToItsNames) {
  CertSpec spec = authority_spec("for example.com only");
  spec.name_constraints = "critical,permitted;DNS:example.com";
  const Cert root = test::make_authority();
  const Cert middle = test::make_cert(spec, &root);
  const Cert inside = test::make_cert({.subject_alt_name = "DNS:api.example.com"}, &middle);
  EXPECT_EQ(judged(root, inside, {middle}, "api.example.com"), "open");
  const Cert outside = test::make_cert({}, &middle);
  EXPECT_EQ(judged(root, outside, {middle}), "permitted subtree violation");
}

TEST(ForeignServer, TheRefusalSaysWhichCheckFailed) {
  const Cert root = test::make_authority();
  EXPECT_EQ(judged(root, test::make_cert({.subject_alt_name = "DNS:other"}, &root)),
            "Hostname mismatch");
  EXPECT_EQ(judged(root, test::make_cert({}, &root), {}, "127.0.0.1"), "IP address mismatch");
}

// ---- Versions, suites, names -------------------------------------------------------------------

TEST(ForeignServer, Tls12WorksAndItsSessionsAreUsedAgain) {
  const Cert root = test::make_authority();
  const auto client = client_trusting(root);
  ForeignServer server(test::make_cert({}, &root));
  SSL_CTX_set_max_proto_version(server.context(), TLS1_2_VERSION);
  for (int round = 0; round < 4; ++round) {
    Connection connection(server, *client, "localhost");
    ASSERT_EQ(connection.session->state(), SessionState::kOpen) << round;
    EXPECT_EQ(connection.session->version(), 0x0303);
    EXPECT_EQ(connection.session->is_resumed(), round > 0);
    connection.write("question", connection.out);
    connection.serve();
    connection.answer("answer");
    connection.receive();
    EXPECT_EQ(connection.served, "question");
    EXPECT_EQ(connection.in.bytes, "answer");
  }
}

// RFC 8446, C.4: tickets used twice let an onlooker tie connections together.
TEST(ForeignServer, Tls13TicketsAreUsedOnce) {
  const Cert root = test::make_authority();
  const auto client = client_trusting(root);
  ForeignServer server(test::make_cert({}, &root));
  SSL_CTX_set_num_tickets(server.context(), 2);
  {
    Connection first(server, *client, "localhost");
    first.answer("x");
    first.receive();
  }
  SSL_CTX_set_num_tickets(server.context(), 0);
  for (const bool resumed : {true, true, false}) {
    Connection next(server, *client, "localhost");
    EXPECT_EQ(next.session->state(), SessionState::kOpen);
    EXPECT_EQ(next.session->is_resumed(), resumed);
  }
}

// A resumed session is not verified again, so it must never serve another name.
TEST(ForeignServer, ASessionIsForTheNameItWasMadeFor) {
  const Cert root = test::make_authority();
  const auto client = client_trusting(root);
  ForeignServer server(test::make_cert({}, &root));
  Connection first(server, *client, "localhost");
  first.answer("x");
  first.receive();
  Connection other(server, *client, "other");
  EXPECT_EQ(other.session->state(), SessionState::kFailed);
  EXPECT_EQ(other.session->error().code, Code::kUntrusted);
}

TEST(ForeignServer, OldVersionsAndSuitesAreRefused) {
  const Cert root = test::make_authority();
  const auto client = client_trusting(root);
  ForeignServer old(test::make_cert({}, &root));
  SSL_CTX_set_min_proto_version(old.context(), TLS1_VERSION);
  SSL_CTX_set_max_proto_version(old.context(), TLS1_1_VERSION);
  EXPECT_EQ(Connection(old, *client, "localhost").session->error().code, Code::kProtocol);

  ForeignServer cbc(test::make_cert({}, &root));
  SSL_CTX_set_max_proto_version(cbc.context(), TLS1_2_VERSION);
  SSL_CTX_set_strict_cipher_list(cbc.context(), "ECDHE-ECDSA-AES128-SHA");
  EXPECT_EQ(Connection(cbc, *client, "localhost").session->error().code, Code::kProtocol);
}

TEST(ForeignServer, AHandshakeSignedWithSha1IsRefused) {
  const Cert root = test::make_authority();
  const auto client = client_trusting(root);
  ForeignServer server(test::make_cert({.rsa_bits = 2048}, &root));
  SSL_CTX_set_max_proto_version(server.context(), TLS1_2_VERSION);
  EXPECT_EQ(Connection(server, *client, "localhost").session->state(), SessionState::kOpen);
  const std::uint16_t old[] = {SSL_SIGN_RSA_PKCS1_SHA1};
  SSL_CTX_set_signing_algorithm_prefs(server.context(), old, 1);
  const auto stranger = client_trusting(root);  // it has no session to resume
  EXPECT_EQ(Connection(server, *stranger, "localhost").session->state(), SessionState::kFailed);
}

TEST(ForeignServer, NamesAreShownToTheServerAndAddressesAreNot) {
  const Cert root = test::make_authority();
  const auto client = client_trusting(root);
  ForeignServer server(test::make_cert({.subject_alt_name = "DNS:localhost,IP:127.0.0.1"}, &root));
  Connection by_name(server, *client, "localhost");
  EXPECT_STREQ(SSL_get_servername(by_name.ssl, TLSEXT_NAMETYPE_host_name), "localhost");
  Connection by_address(server, *client, "127.0.0.1");
  EXPECT_EQ(by_address.session->state(), SessionState::kOpen);
  EXPECT_EQ(SSL_get_servername(by_address.ssl, TLSEXT_NAMETYPE_host_name), nullptr);
}

// ---- While open --------------------------------------------------------------------------------

TEST(ForeignServer, AReaderMayWriteBeforeAKeyUpdateIsAnswered) {
  const Cert root = test::make_authority();
  const auto client = client_trusting(root);
  ForeignServer server(test::make_cert({}, &root));
  Connection connection(server, *client, "localhost");
  connection.answer("one ");
  ASSERT_EQ(SSL_key_update(connection.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
  connection.answer("two");
  connection.in.on_bytes = [&] { connection.write("heard. ", connection.out); };
  connection.receive();
  EXPECT_EQ(connection.session->state(), SessionState::kOpen) << connection.session->error().what;
  EXPECT_EQ(connection.in.bytes, "one two");
  connection.serve();
  connection.write("done", connection.out);
  connection.serve();
  EXPECT_EQ(connection.served, "heard. heard. done");
}

// An alert belongs to the output of the call that found its cause, whatever the reader wrote where.
TEST(ForeignServer, AReaderMayWriteBeforeADamagedRecordIsAlerted) {
  const Cert root = test::make_authority();
  const auto client = client_trusting(root);
  ForeignServer server(test::make_cert({}, &root));
  Connection connection(server, *client, "localhost");
  Wire elsewhere;
  connection.in.on_bytes = [&] { connection.write("heard", elsewhere); };
  connection.answer("sound");
  std::string bytes(static_cast<std::size_t>(BIO_pending(SSL_get_wbio(connection.ssl))), '\0');
  BIO_read(SSL_get_wbio(connection.ssl), bytes.data(), static_cast<int>(bytes.size()));
  bytes += std::string("\x17\x03\x03\x00\x20", 5) + std::string(32, 'z');
  connection.out.bytes.clear();
  EXPECT_EQ(connection.session->feed(bytes, connection.in, connection.out), SessionState::kFailed);
  EXPECT_EQ(connection.in.bytes, "sound");
  EXPECT_FALSE(elsewhere.bytes.empty());
  EXPECT_FALSE(connection.out.bytes.empty());
}

TEST(ForeignServer, WhatIsCutOffStaysOpen) {
  const Cert root = test::make_authority();
  const auto client = client_trusting(root);
  ForeignServer server(test::make_cert({}, &root));
  Connection connection(server, *client, "localhost");
  connection.answer("half of an answ");
  connection.receive();
  // No close_notify has come: a FIN now is for the caller to report as a broken connection.
  EXPECT_EQ(connection.session->state(), SessionState::kOpen);
}

}  // namespace
}  // namespace leat::tls
