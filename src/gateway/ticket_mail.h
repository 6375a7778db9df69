// SPDX-License-Identifier: Apache-2.0
// TicketMail: what one shard has to tell another of TLS tickets (ticket_exchange.h) in one turn, by
// one message and one wake (owned_message.h). Made by its writer, owned by whoever takes it. A
// ticket is in one place at a time: here, on a shard, or shown to its provider.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tls/context.h"

namespace leat::gateway {

// Whose tickets: the provider's by that name, for contexts that may show them.
struct TicketPeer {
  tls::TicketScope scope;
  std::string name;

  auto operator<=>(const TicketPeer&) const = default;
};

struct LentTicket {
  TicketPeer peer;
  tls::Ticket ticket;
};

// So many connections have begun without a ticket; what was asked before is asked no more. 0: none
// has, but the first one would have no ticket either.
struct TicketAsk {
  TicketPeer peer;
  std::uint32_t count = 0;
};

// For another process on this machine, in memory that is wiped; kLentBytesMax at most. None:
// longer.
inline constexpr std::size_t kLentBytesMax = 16 * 1024;
std::optional<tls::Ticket> write_lent(const LentTicket& lent);
std::optional<LentTicket> read_lent(std::span<const std::uint8_t> bytes);

// From one shard to another; and to control, when another process takes over.
struct TicketMail {
  std::uint32_t from = 0;
  // To a home.
  std::vector<LentTicket> spare;
  std::vector<TicketAsk> asks;
  // Of a home, or of the process before.
  std::vector<LentTicket> lent;
};

}  // namespace leat::gateway
