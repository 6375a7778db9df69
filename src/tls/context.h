// SPDX-License-Identifier: Apache-2.0
// ServerContext, ClientContext: what the sessions of one shard have in common: certificate, trusted
// roots, tickets, buffers. Made from what somebody else read; each shard makes its own, so that
// nothing here is shared between threads but the roots, which only are looked in.
//
// TLS 1.2 and 1.3, AEAD suites only, ALPN http/1.1 and, where it is wanted, h2, no renegotiation,
// no early data (a replayed POST is money: threats-and-faults.md 3.4).
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "tls/session.h"
#include "tls/ticket_keys.h"
#include "tls/trusted_roots.h"

typedef struct ssl_ctx_st SSL_CTX;
typedef struct ssl_session_st SSL_SESSION;
typedef struct bio_method_st BIO_METHOD;

namespace leat::tls {

// Common to both.
class Context {
 public:
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

 protected:
  explicit Context(Records records);
  ~Context();
  // An SSL with our BIO on it.
  SSL* new_ssl();

  const Records records_;
  SSL_CTX* ctx_;
  BIO_METHOD* bio_method_;
  std::unique_ptr<char[]> scratch_;
};

// One that is held by shared_ptr lives until its last session has ended, too.
class ServerContext : private Context, public std::enable_shared_from_this<ServerContext> {
 public:
  // The chain has the leaf first. Refused: unreadable or damaged PEM, a key that is not the leaf's,
  // a leaf that is expired or not yet valid, RSA below 2048 bits. Contexts of one ticket seed
  // resume each other's sessions; without one there are no tickets.
  static Result<std::unique_ptr<ServerContext>> create(const std::string& certificate_pem,
                                                       const std::string& key_pem,
                                                       const TicketSeed* tickets = nullptr,
                                                       Records records = Records::kOwn,
                                                       bool speaks_http2 = false);
  // `now` is what changes the ticket keys.
  std::unique_ptr<TlsSession> new_session(Instant now);

 private:
  explicit ServerContext(Records records) : Context(records) {}
  void choose_protocol(bool speaks_http2);
  Result<void> load(const std::string& certificate_pem, const std::string& key_pem);
  void use_tickets(const TicketSeed& seed);

  std::optional<TicketKeys> tickets_;
};

// What a client offers by ALPN, the first preferred.
enum class Offer : std::uint8_t { kHttp1, kHttp2, kHttp2AndHttp1 };

// As ServerContext.
class ClientContext : private Context, public std::enable_shared_from_this<ClientContext> {
 public:
  static std::unique_ptr<ClientContext> create(const TrustedRoots& roots,
                                               Offer offer = Offer::kHttp1,
                                               Records records = Records::kOwn);
  ~ClientContext();
  // The peer must prove to be `server_name`, a host name or an IP literal: by a chain to a root and
  // a subject alternative name. Refused too: RSA below 2048 bits or SHA-1 anywhere in the chain but
  // in a root's own signature. An empty name is refused (the library would check nothing).
  Result<std::unique_ptr<TlsSession>> new_session(const std::string& server_name);

 private:
  ClientContext(const TrustedRoots& roots, Offer offer, Records records);
  void keep_session(const std::string& server_name, SSL_SESSION* session);
  SSL_SESSION* take_session(const std::string& server_name);
  static int on_new_session(SSL* ssl, SSL_SESSION* session);

  // More than a burst of new connections to one provider needs.
  static constexpr std::size_t kSessionsPerNameMax = 8;
  std::map<std::string, std::vector<SSL_SESSION*>> sessions_;  // the newest last
};

}  // namespace leat::tls
