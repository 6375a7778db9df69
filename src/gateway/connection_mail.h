// SPDX-License-Identifier: Apache-2.0
// ConnectionMail: what one shard has to tell another of connections to providers
// (connection_exchange.h) in one turn, by one message and one wake (owned_message.h). Made by its
// writer, owned by whoever takes it. A connection is in one place at a time: on a shard, or here;
// mail that nobody takes hangs up on it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "net/loose_stream.h"
#include "tls/context.h"

namespace leat::gateway {

// Whose connections: those that any shard would make in the same way, to the same provider.
struct ConnectionPeer {
  std::string provider;  // by its name in the configuration
  std::string host;
  std::uint16_t port = 0;
  bool is_tls = false;
  bool allows_private = false;
  tls::TicketScope scope;  // with TLS

  bool operator==(const ConnectionPeer&) const = default;
};

// A shard dials; who has one to spare may send it there.
struct ConnectionAsk {
  ConnectionPeer peer;
  std::uint32_t asker = 0;
};

struct LentConnection {
  ConnectionPeer peer;
  std::unique_ptr<net::LooseStream> stream;
};

struct ConnectionMail {
  std::vector<ConnectionAsk> asks;
  std::vector<LentConnection> lent;
};

}  // namespace leat::gateway
