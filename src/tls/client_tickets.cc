// SPDX-License-Identifier: Apache-2.0
#include "tls/client_tickets.h"

#include <openssl/err.h>
#include <openssl/mem.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <utility>

namespace leat::tls {

// ---- Ticket ------------------------------------------------------------------------------------

Ticket& Ticket::operator=(Ticket&& other) noexcept {
  if (this == &other) return *this;
  wipe(bytes_);
  bytes_ = std::move(other.bytes_);
  return *this;
}

Ticket::~Ticket() {
  wipe(bytes_);
}

void Ticket::wipe(std::span<std::uint8_t> memory) {
  OPENSSL_cleanse(memory.data(), memory.size());
}

// ---- ClientTickets -----------------------------------------------------------------------------

ClientTickets::~ClientTickets() {
  for (auto& [name, peer] : of_) {
    for (SSL_SESSION* session : peer.sessions) SSL_SESSION_free(session);
  }
}

void ClientTickets::expect_no_more(const std::string& name) {
  const auto found = of_.find(name);
  if (found != of_.end() && found->second.expected > 0) --found->second.expected;
}

void ClientTickets::keep(const std::string& name, SSL_SESSION* session) {
  auto& kept = of_[name].sessions;
  if (kept.size() >= kKeptMax) {
    SSL_SESSION_free(kept.front());
    kept.erase(kept.begin());
  }
  kept.push_back(session);
}

SSL_SESSION* ClientTickets::take(const std::string& name) {
  const auto found = of_.find(name);
  if (found == of_.end() || found->second.sessions.empty()) return nullptr;
  auto& kept = found->second.sessions;
  SSL_SESSION* session = kept.back();
  // A ticket of TLS 1.3 tells two connections apart only if it is used once (RFC 8446, C.4).
  if (SSL_SESSION_should_be_single_use(session) == 1) {
    kept.pop_back();
  } else {
    SSL_SESSION_up_ref(session);
  }
  return session;
}

// The newest is what the next connection shows; with it all of them can.
bool ClientTickets::is_reusable(const Peer& peer) {
  return !peer.sessions.empty() && SSL_SESSION_should_be_single_use(peer.sessions.back()) == 0;
}

std::size_t ClientTickets::missing(const std::string& name) const {
  const auto found = of_.find(name);
  if (found == of_.end() || is_reusable(found->second)) return 0;
  const Peer& peer = found->second;
  return peer.expected - std::min(peer.expected, peer.sessions.size());
}

std::size_t ClientTickets::spare(const std::string& name) const {
  const auto found = of_.find(name);
  if (found == of_.end() || is_reusable(found->second)) return 0;
  const Peer& peer = found->second;
  return peer.sessions.size() - std::min(peer.expected, peer.sessions.size());
}

std::optional<Ticket> ClientTickets::give(const std::string& name) {
  if (spare(name) == 0) return std::nullopt;
  auto& kept = of_.at(name).sessions;
  SSL_SESSION* const session = kept.front();
  // What the peer changed to TLS 1.3 since: those of before go with it.
  const bool may_leave = SSL_SESSION_should_be_single_use(session) == 1;
  std::uint8_t* bytes = nullptr;
  std::size_t size = 0;
  std::optional<Ticket> given;
  if (may_leave && SSL_SESSION_to_bytes(session, &bytes, &size) == 1) {
    given.emplace(std::span<const std::uint8_t>(bytes, size));
    OPENSSL_cleanse(bytes, size);
  }
  OPENSSL_free(bytes);
  ERR_clear_error();
  kept.erase(kept.begin());
  SSL_SESSION_free(session);
  return given;
}

bool ClientTickets::add(const std::string& name, const Ticket& ticket) {
  Peer& peer = of_[name];
  if (peer.sessions.size() >= kKeptMax) return false;
  SSL_SESSION* const session =
      SSL_SESSION_from_bytes(ticket.bytes().data(), ticket.bytes().size(), tls_);
  if (session == nullptr) {
    ERR_clear_error();
    return false;
  }
  peer.sessions.insert(peer.sessions.begin(), session);
  return true;
}

std::vector<std::string> ClientTickets::names() const {
  std::vector<std::string> names;
  for (const auto& [name, peer] : of_) {
    if (!peer.sessions.empty()) names.push_back(name);
  }
  return names;
}

}  // namespace leat::tls
