// SPDX-License-Identifier: Apache-2.0
// Goal: a session that leaves the library after its handshake goes on as if it had not: towards the
// library itself as client and as server, through changes of keys on either side, with tickets
// delivered and resumed, ends in order and cut off; and it stays where it cannot leave.
// Method: ours in memory against the library's own object, and against ours, with either choice of
// records at each end.
#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <functional>
#include <string>

#include "base/rng.h"
#include "support/test_certs.h"
#include "support/tls_wire.h"
#include "tls/context.h"
#include "tls/record13.h"
#include "tls/session.h"

namespace leat::tls {
namespace {

using test::Wire;
struct Plain final : PlainSink {
  std::string bytes;
  std::function<void()> on_bytes = [] {};
  void on_plain(std::span<char> more) override {
    bytes.append(more.data(), more.size());
    on_bytes();
  }
};

const TicketSeed kSeed{.secret = {7}, .begin = {1000}};

void write(TlsSession& session, std::string_view text, CipherOut& out) {
  const std::string_view pieces[] = {text};
  ASSERT_TRUE(session.write(pieces, out).has_value());
}

// Contexts of ours with one authority.
class OwnRecords : public testing::Test {
 protected:
  OwnRecords()
      : authority_(test::make_authority()),
        cert_(test::make_cert({}, &authority_)),
        roots_(std::move(*TrustedRoots::read(authority_.certificate_pem))) {}

  std::unique_ptr<ServerContext> server(Records records) {
    return std::move(*ServerContext::create(cert_.certificate_pem, cert_.key_pem, &kSeed, records));
  }
  std::unique_ptr<ClientContext> client(Records records) {
    return ClientContext::create(*roots_, Offer::kHttp1, records);
  }

  const test::Cert authority_;
  const test::Cert cert_;
  const std::unique_ptr<const TrustedRoots> roots_;
  Rng rng_{19};
};

// One session of ours and the library's object at the other end.
class LibraryPeer {
 public:
  LibraryPeer(SSL_CTX* context, std::unique_ptr<TlsSession> ours)
      : session(std::move(ours)), ssl(SSL_new(context)) {
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    BIO_set_mem_eof_return(SSL_get_rbio(ssl), -1);
  }
  ~LibraryPeer() { SSL_free(ssl); }
  LibraryPeer(const LibraryPeer&) = delete;
  LibraryPeer& operator=(const LibraryPeer&) = delete;

  // Whatever either has written reaches the other, ours in pieces of at most `piece_max`.
  void carry(Rng& rng, std::size_t piece_max = 100'000) {
    while (read_ours() || feed_ours(rng, piece_max)) continue;
  }
  bool read_ours() {
    const bool any = !out.bytes.empty();
    BIO_write(SSL_get_rbio(ssl), out.bytes.data(), static_cast<int>(out.bytes.size()));
    out.bytes.clear();
    char buffer[4096];
    for (int size; (size = SSL_read(ssl, buffer, sizeof buffer)) > 0;) {
      read.append(buffer, static_cast<std::size_t>(size));
    }
    return any;
  }
  bool feed_ours(Rng& rng, std::size_t piece_max) {
    std::string bytes(static_cast<std::size_t>(BIO_pending(SSL_get_wbio(ssl))), '\0');
    if (bytes.empty()) return false;
    BIO_read(SSL_get_wbio(ssl), bytes.data(), static_cast<int>(bytes.size()));
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t size = std::min<std::size_t>(rng.below(piece_max) + 1, bytes.size() - at);
      session->feed({bytes.data() + at, size}, in, out);
      at += size;
    }
    return true;
  }
  void answer(std::string_view text) {
    ASSERT_EQ(SSL_write(ssl, text.data(), static_cast<int>(text.size())),
              static_cast<int>(text.size()));
  }
  void say(std::string_view text) { write(*session, text, out); }

  std::unique_ptr<TlsSession> session;
  SSL* ssl;
  Wire out;
  Plain in;
  std::string read;
};

struct ContextFree {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using ContextPtr = std::unique_ptr<SSL_CTX, ContextFree>;

ContextPtr library_client() {
  ContextPtr context(SSL_CTX_new(TLS_method()));
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_CLIENT);
  return context;
}

ContextPtr library_server(const test::Cert& cert) {
  ContextPtr context(SSL_CTX_new(TLS_method()));
  BIO* text =
      BIO_new_mem_buf(cert.certificate_pem.data(), static_cast<int>(cert.certificate_pem.size()));
  X509* leaf = PEM_read_bio_X509(text, nullptr, nullptr, nullptr);
  BIO_free(text);
  text = BIO_new_mem_buf(cert.key_pem.data(), static_cast<int>(cert.key_pem.size()));
  EVP_PKEY* key = PEM_read_bio_PrivateKey(text, nullptr, nullptr, nullptr);
  BIO_free(text);
  EXPECT_EQ(SSL_CTX_use_certificate(context.get(), leaf), 1);
  EXPECT_EQ(SSL_CTX_use_PrivateKey(context.get(), key), 1);
  EVP_PKEY_free(key);
  X509_free(leaf);
  return context;
}

std::string text_of(Rng& rng, std::size_t size) {
  std::string text(size, 'x');
  for (char& c : text) c = static_cast<char>('a' + rng.below(26));
  return text;
}

// ---- Against the library -----------------------------------------------------------------------

// Both roles: what differs is who is `ours`.
class Interop : public OwnRecords, public testing::WithParamInterface<bool> {
 protected:
  bool is_server() const { return GetParam(); }
  std::unique_ptr<LibraryPeer> connect(std::size_t piece_max = 100'000) {
    auto peer = is_server() ? std::make_unique<LibraryPeer>(library_client_.get(),
                                                            server_->new_session(kSeed.begin))
                            : std::make_unique<LibraryPeer>(library_server_.get(),
                                                            *client_->new_session("localhost"));
    if (is_server()) {
      SSL_set_connect_state(peer->ssl);
    } else {
      SSL_set_accept_state(peer->ssl);
      EXPECT_TRUE(peer->session->start(peer->out).has_value());
    }
    peer->carry(rng_, piece_max);
    EXPECT_EQ(peer->session->state(), SessionState::kOpen);
    return peer;
  }
  // The first question and its answer, behind which ours has left.
  std::unique_ptr<LibraryPeer> connect_and_leave(std::size_t piece_max = 100'000) {
    auto peer = connect(piece_max);
    EXPECT_FALSE(peer->session->has_own_records());
    exchange(*peer, "question", "answer", piece_max);
    EXPECT_TRUE(peer->session->has_own_records());
    return peer;
  }
  // Each in the direction that it has in HTTP.
  void exchange(LibraryPeer& peer, const std::string& question, const std::string& answer,
                std::size_t piece_max = 100'000) {
    peer.read.clear();
    peer.in.bytes.clear();
    if (is_server()) {
      peer.answer(question);
      peer.carry(rng_, piece_max);
      peer.say(answer);
    } else {
      peer.say(question);
      peer.carry(rng_, piece_max);
      peer.answer(answer);
    }
    peer.carry(rng_, piece_max);
    EXPECT_EQ(peer.session->state(), SessionState::kOpen) << peer.session->error().what;
    EXPECT_TRUE(peer.in.bytes == (is_server() ? question : answer));
    EXPECT_TRUE(peer.read == (is_server() ? answer : question));
  }

  const std::unique_ptr<ServerContext> server_ = server(Records::kOwn);
  const std::unique_ptr<ClientContext> client_ = client(Records::kOwn);
  const ContextPtr library_client_ = library_client();
  const ContextPtr library_server_ = library_server(cert_);
};

std::string role_name(const testing::TestParamInfo<bool>& info) {
  return info.param ? "OursIsServer" : "OursIsClient";
}
INSTANTIATE_TEST_SUITE_P(Roles, Interop, testing::Bool(), role_name);

TEST_P(Interop, BytesCrossAtAnyCut) {
  for (const std::size_t piece_max : {1, 3, 300, 100'000}) {
    const auto peer = connect_and_leave(piece_max);
    for (const std::size_t size : {1, 250, 16'384, 40'000}) {
      exchange(*peer, text_of(rng_, size), text_of(rng_, size), piece_max);
    }
    EXPECT_EQ(peer->session->version(), 0x0304);
  }
}

TEST_P(Interop, KeysChangeOnEitherSide) {
  const auto peer = connect_and_leave();
  for (const int request : {SSL_KEY_UPDATE_NOT_REQUESTED, SSL_KEY_UPDATE_REQUESTED}) {
    for (int round = 0; round < 5; ++round) {
      ASSERT_EQ(SSL_key_update(peer->ssl, request), 1);
      exchange(*peer, text_of(rng_, 300), text_of(rng_, 300), 40);
    }
  }
}

// Before ours has left: the answer to it is the library's, and must go out first.
TEST_P(Interop, GoesOnWithoutItsContextWhereItIsDetached) {
  const auto peer = connect_and_leave();
  ASSERT_TRUE(peer->session->can_detach());
  const std::unique_ptr<TlsSession> before = std::exchange(peer->session, peer->session->detach());
  EXPECT_EQ(before->state(), SessionState::kClosed);
  EXPECT_FALSE(before->can_detach());
  write(*before, "by nobody", peer->out);
  before->close_notify(peer->out);
  EXPECT_TRUE(peer->out.bytes.empty());
  for (int i = 0; i < 3; ++i) exchange(*peer, text_of(rng_, 40'000), text_of(rng_, 40'000), 1'000);
}

TEST_P(Interop, IsDetachedBetweenTwoRecordsOnly) {
  const auto peer = connect();
  EXPECT_FALSE(peer->session->can_detach());  // the library's
  exchange(*peer, "question", "answer");
  peer->in.bytes.clear();
  peer->answer("the next");
  std::string record(1'000, '\0');
  record.resize(static_cast<std::size_t>(
      BIO_read(SSL_get_wbio(peer->ssl), record.data(), static_cast<int>(record.size()))));
  peer->session->feed({record.data(), 3}, peer->in, peer->out);
  EXPECT_FALSE(peer->session->can_detach());
  peer->session->feed({record.data() + 3, record.size() - 3}, peer->in, peer->out);
  EXPECT_EQ(peer->in.bytes, "the next");
  EXPECT_TRUE(peer->session->can_detach());
}

TEST_P(Interop, KeysChangeBeforeOursLeaves) {
  const auto peer = connect();
  ASSERT_EQ(SSL_key_update(peer->ssl, SSL_KEY_UPDATE_REQUESTED), 1);
  exchange(*peer, "question", "answer");
  EXPECT_TRUE(peer->session->has_own_records());
  exchange(*peer, "another question", "another answer");
}

TEST_P(Interop, AGoodbyeOfThePeerIsAnEndInOrder) {
  const auto peer = connect_and_leave();
  peer->answer("last");
  EXPECT_EQ(SSL_shutdown(peer->ssl), 0);
  peer->in.bytes.clear();
  peer->carry(rng_, 3);
  EXPECT_EQ(peer->in.bytes, "last");
  EXPECT_EQ(peer->session->state(), SessionState::kClosed);
}

TEST_P(Interop, OursIsAnEndInOrderForThePeer) {
  const auto peer = connect_and_leave();
  peer->read.clear();
  peer->say("last");
  peer->session->close_notify(peer->out);
  peer->read_ours();
  EXPECT_EQ(peer->read, "last");
  EXPECT_EQ(SSL_get_shutdown(peer->ssl), SSL_RECEIVED_SHUTDOWN);
  // The peer may still be read.
  peer->in.bytes.clear();
  peer->answer("heard");
  peer->carry(rng_);
  EXPECT_EQ(peer->in.bytes, "heard");
  EXPECT_EQ(peer->session->state(), SessionState::kOpen);
}

TEST_P(Interop, WithoutAGoodbyeItStaysOpen) {
  const auto peer = connect_and_leave();
  peer->answer("half of an answ");
  peer->carry(rng_);
  EXPECT_EQ(peer->session->state(), SessionState::kOpen);
}

TEST_P(Interop, AFatalAlertFails) {
  const auto peer = connect_and_leave();
  SSL_send_fatal_alert(peer->ssl, SSL_AD_INTERNAL_ERROR);
  peer->carry(rng_);
  EXPECT_EQ(peer->session->state(), SessionState::kFailed);
  EXPECT_EQ(peer->session->error().code, Code::kProtocol);
  EXPECT_EQ(peer->session->error().source, is_server() ? Source::kDownstream : Source::kUpstream);
  EXPECT_STREQ(peer->session->error().what, "internal error");
}

TEST_P(Interop, ADamagedRecordIsAlertedSoThatThePeerReadsIt) {
  const auto peer = connect_and_leave();
  peer->in.bytes.clear();
  std::string bad("\x17\x03\x03\x00\x20", 5);
  bad += std::string(32, 'z');
  EXPECT_EQ(peer->session->feed(bad, peer->in, peer->out), SessionState::kFailed);
  EXPECT_EQ(peer->in.bytes, "");
  peer->read_ours();
  EXPECT_EQ(ERR_GET_REASON(ERR_peek_last_error()), SSL_R_SSLV3_ALERT_BAD_RECORD_MAC);
  ERR_clear_error();
  peer->say("nothing more");
  EXPECT_TRUE(peer->out.bytes.empty());
}

// A reader that answers from within, on both sides of the border.
TEST_P(Interop, AReaderMayWrite) {
  const auto peer = connect();
  peer->in.on_bytes = [&] { write(*peer->session, "heard. ", peer->out); };
  for (int i = 0; i < 3; ++i) {
    peer->answer("one ");
    ASSERT_EQ(SSL_key_update(peer->ssl, SSL_KEY_UPDATE_REQUESTED), 1);
    peer->answer("two ");
    peer->carry(rng_);
  }
  EXPECT_EQ(peer->session->state(), SessionState::kOpen) << peer->session->error().what;
  EXPECT_TRUE(peer->session->has_own_records());
  EXPECT_EQ(peer->in.bytes, "one two one two one two ");
  EXPECT_EQ(peer->read, "heard. heard. heard. heard. heard. heard. ");
}

// While the library holds a part of a record nobody else can read the rest.
TEST_P(Interop, LeavesBetweenTwoRecordsOnly) {
  const auto peer = connect();
  const auto bytes_of_peer = [&] {
    std::string bytes(static_cast<std::size_t>(BIO_pending(SSL_get_wbio(peer->ssl))), '\0');
    BIO_read(SSL_get_wbio(peer->ssl), bytes.data(), static_cast<int>(bytes.size()));
    return bytes;
  };
  peer->answer("first ");
  peer->answer("second ");
  std::string bytes = bytes_of_peer();
  const std::size_t cut = bytes.size() - 3;
  peer->session->feed({bytes.data(), cut}, peer->in, peer->out);
  EXPECT_EQ(peer->in.bytes, "first ");
  peer->say("meanwhile");
  EXPECT_EQ(peer->session->has_own_records(), !is_server()) << "a client has left before it";
  peer->session->feed({bytes.data() + cut, 3}, peer->in, peer->out);
  EXPECT_EQ(peer->in.bytes, "first second ");
  EXPECT_TRUE(peer->session->has_own_records());
  peer->carry(rng_);
  EXPECT_EQ(peer->read, "meanwhile");
  exchange(*peer, "question", "answer");
}

TEST_F(OwnRecords, Tls12StaysWithTheLibrary) {
  const auto ours = server(Records::kOwn);
  const ContextPtr context = library_client();
  SSL_CTX_set_max_proto_version(context.get(), TLS1_2_VERSION);
  LibraryPeer peer(context.get(), ours->new_session(kSeed.begin));
  SSL_set_connect_state(peer.ssl);
  peer.carry(rng_);
  for (int i = 0; i < 3; ++i) {
    peer.answer("question");
    peer.carry(rng_);
    peer.say("answer");
    peer.carry(rng_);
  }
  EXPECT_EQ(peer.read, "answeransweranswer");
  EXPECT_EQ(peer.session->version(), 0x0303);
  EXPECT_FALSE(peer.session->has_own_records());
}

// The library counts what its client gets.
TEST_F(OwnRecords, TicketsGoWithTheFirstWrite) {
  const auto ours = server(Records::kOwn);
  const ContextPtr context = library_client();
  static int tickets;
  tickets = 0;
  SSL_CTX_sess_set_new_cb(context.get(), [](SSL*, SSL_SESSION*) {
    ++tickets;
    return 0;
  });
  LibraryPeer peer(context.get(), ours->new_session(kSeed.begin));
  SSL_set_connect_state(peer.ssl);
  peer.carry(rng_);
  EXPECT_EQ(tickets, 0);
  peer.say("answer");
  EXPECT_TRUE(peer.session->has_own_records());
  peer.carry(rng_);
  EXPECT_EQ(tickets, 2);
  EXPECT_EQ(peer.read, "answer");
}

// ---- Ours at both ends -------------------------------------------------------------------------

struct OurPair {
  OurPair(ServerContext& at, ClientContext& from)
      : server(at.new_session(kSeed.begin)), client(std::move(*from.new_session("localhost"))) {
    EXPECT_TRUE(client->start(to_server).has_value());
    carry();
  }
  void carry() {
    while (!to_server.bytes.empty() || !to_client.bytes.empty()) {
      move(to_server, *server, at_server, to_client);
      move(to_client, *client, at_client, to_server);
    }
  }
  static void move(Wire& from, TlsSession& to, Plain& in, Wire& out) {
    std::string bytes;
    bytes.swap(from.bytes);
    if (!bytes.empty()) to.feed(bytes, in, out);
  }
  std::unique_ptr<TlsSession> server;
  std::unique_ptr<TlsSession> client;
  Wire to_server;
  Wire to_client;
  Plain at_server;
  Plain at_client;
};

TEST_F(OwnRecords, EitherChoiceAtEachEnd) {
  for (const Records at_server : {Records::kOwn, Records::kLibrary}) {
    for (const Records at_client : {Records::kOwn, Records::kLibrary}) {
      const auto from = client(at_client);
      const auto at = server(at_server);
      for (int round = 0; round < 3; ++round) {
        OurPair pair(*at, *from);
        for (int i = 0; i < 5; ++i) {
          write(*pair.client, "question", pair.to_server);
          pair.carry();
          write(*pair.server, "answer", pair.to_client);
          pair.carry();
        }
        EXPECT_EQ(pair.at_server.bytes.size(), 5 * 8u);
        EXPECT_EQ(pair.at_client.bytes.size(), 5 * 6u);
        EXPECT_EQ(pair.server->has_own_records(), at_server == Records::kOwn);
        EXPECT_EQ(pair.client->has_own_records(), at_client == Records::kOwn);
        EXPECT_EQ(pair.client->is_resumed(), round > 0);
        EXPECT_EQ(pair.server->is_resumed(), round > 0);
        EXPECT_EQ(pair.client->alpn(), "http/1.1");
        EXPECT_EQ(pair.server->alpn(), "http/1.1");
      }
    }
  }
}

}  // namespace
}  // namespace leat::tls
