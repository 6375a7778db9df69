// SPDX-License-Identifier: Apache-2.0
// ServerContext, ClientContext: what the sessions of one shard have in common: certificate, trusted
// roots, tickets, buffers. Made from what somebody else read; each shard makes its own, so that
// nothing here is shared between threads but the roots, which only are looked in.
//
// TLS 1.2 and 1.3, AEAD suites only, ALPN http/1.1 and, where it is wanted, h2, no renegotiation,
// no early data (a replayed POST is money: threats-and-faults.md 3.4).
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "tls/client_tickets.h"
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

// Whose tickets a context may show: those of contexts that trust the same roots and offer the same,
// since a resumed session is not verified again.
struct TicketScope {
  std::array<std::uint8_t, 32> roots{};  // TrustedRoots::digest()
  Offer offer = Offer::kHttp1;

  auto operator<=>(const TicketScope&) const = default;
};

// As ServerContext.
class ClientContext : private Context, public std::enable_shared_from_this<ClientContext> {
 public:
  static std::unique_ptr<ClientContext> create(const TrustedRoots& roots,
                                               Offer offer = Offer::kHttp1,
                                               Records records = Records::kOwn);
  // The peer must prove to be `server_name`, a host name or an IP literal: by a chain to a root and
  // a subject alternative name. Refused too: RSA below 2048 bits or SHA-1 anywhere in the chain but
  // in a root's own signature. An empty name is refused (the library would check nothing).
  //
  // What was resumable is looked for when the session is started, not before: until then another
  // may have it, and a connection that is never made uses none up.
  Result<std::unique_ptr<TlsSession>> new_session(const std::string& server_name);

  // Peers named by an address are not resumed: they are tests and neighbours.
  static bool has_tickets(const std::string& server_name);
  ClientTickets& tickets() { return tickets_; }
  const TicketScope& scope() const { return scope_; }
  // Null: nobody lends or borrows. Outlives the context, or is taken away before.
  void set_ticket_sink(TicketSink* sink) { sink_ = sink; }

 private:
  friend class TlsSession;
  ClientContext(const TrustedRoots& roots, Offer offer, Records records);
  // Of a session that is about to be started; and of one that never was.
  static void show_ticket(SSL* ssl);
  static void expect_no_more(SSL* ssl);
  static int on_new_session(SSL* ssl, SSL_SESSION* session);

  const TicketScope scope_;
  ClientTickets tickets_{ctx_};
  TicketSink* sink_ = nullptr;
};

}  // namespace leat::tls
