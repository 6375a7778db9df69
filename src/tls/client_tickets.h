// SPDX-License-Identifier: Apache-2.0
// ClientTickets: the sessions that peers let a ClientContext resume, by the name that the peer
// proved to have. One of TLS 1.3 is for one connection (RFC 8446, C.4); it can leave as a Ticket,
// for another shard or process, and is gone here then. Those of TLS 1.2 serve again and again, and
// stay. Belongs to its context's thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

typedef struct ssl_ctx_st SSL_CTX;
typedef struct ssl_session_st SSL_SESSION;

namespace leat::tls {

class ClientContext;

// A session as bytes: who has them can resume it, so they are a secret. Wiped at the end.
class Ticket {
 public:
  Ticket() = default;
  explicit Ticket(std::span<const std::uint8_t> bytes) : bytes_(bytes.begin(), bytes.end()) {}
  Ticket(Ticket&& other) noexcept = default;
  Ticket& operator=(Ticket&& other) noexcept;
  ~Ticket();

  std::span<const std::uint8_t> bytes() const { return bytes_; }

  // For memory that has held one.
  static void wipe(std::span<std::uint8_t> memory);

 private:
  std::vector<std::uint8_t> bytes_;
};

// Who lends and borrows tickets.
class TicketSink {
 public:
  // A connection to `name` begins, or a ticket of it has come. Inside the call neither the context
  // nor its sessions may be used.
  virtual void on_tickets(ClientContext& context, const std::string& name) = 0;

 protected:
  ~TicketSink() = default;
};

class ClientTickets {
 public:
  // More than a burst of new connections to one provider needs.
  static constexpr std::size_t kKeptMax = 8;

  // `tls` outlives it.
  explicit ClientTickets(SSL_CTX* tls) : tls_(tls) {}
  ClientTickets(const ClientTickets&) = delete;
  ClientTickets& operator=(const ClientTickets&) = delete;
  ~ClientTickets();

  // Connections that have begun and not shown a ticket yet.
  void expect(const std::string& name) { ++of_[name].expected; }
  void expect_no_more(const std::string& name);

  // Takes the reference. Of too many the oldest goes.
  void keep(const std::string& name, SSL_SESSION* session);
  // The newest, a reference for the caller; or null.
  SSL_SESSION* take(const std::string& name);

  // How many more connections have begun than have a ticket to show.
  std::size_t missing(const std::string& name) const;
  // How many tickets are there beyond those, and may leave.
  std::size_t spare(const std::string& name) const;
  // The oldest of these, as bytes; none: there is none.
  std::optional<Ticket> give(const std::string& name);
  // One that another context of the same roots and offer gave. Shown after our own. False: these
  // bytes are none, or there are enough.
  bool add(const std::string& name, const Ticket& ticket);
  std::vector<std::string> names() const;

 private:
  struct Peer {
    std::vector<SSL_SESSION*> sessions;  // the newest last
    std::size_t expected = 0;
  };
  static bool is_reusable(const Peer& peer);

  SSL_CTX* tls_;
  std::map<std::string, Peer> of_;
};

}  // namespace leat::tls
