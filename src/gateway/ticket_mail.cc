// SPDX-License-Identifier: Apache-2.0
#include "gateway/ticket_mail.h"

#include <algorithm>

namespace leat::gateway {

namespace {

// Roots, offer, the name's length; name and ticket follow.
constexpr std::size_t kRootsBytes = sizeof(tls::TicketScope::roots);
constexpr std::size_t kOfferAt = kRootsBytes;
constexpr std::size_t kNameSizeAt = kOfferAt + 1;
constexpr std::size_t kNameAt = kNameSizeAt + 1;
constexpr std::size_t kNameBytesMax = 255;  // of any name of a host

}  // namespace

std::optional<tls::Ticket> write_lent(const LentTicket& lent) {
  const auto& [peer, ticket] = lent;
  const std::size_t size = kNameAt + peer.name.size() + ticket.bytes().size();
  if (peer.name.size() > kNameBytesMax || size > kLentBytesMax) return std::nullopt;
  std::vector<std::uint8_t> bytes;
  bytes.reserve(size);  // so that no part of it is left behind
  bytes.insert(bytes.end(), peer.scope.roots.begin(), peer.scope.roots.end());
  bytes.push_back(static_cast<std::uint8_t>(peer.scope.offer));
  bytes.push_back(static_cast<std::uint8_t>(peer.name.size()));
  bytes.insert(bytes.end(), peer.name.begin(), peer.name.end());
  bytes.insert(bytes.end(), ticket.bytes().begin(), ticket.bytes().end());
  tls::Ticket written(bytes);
  tls::Ticket::wipe(bytes);
  return written;
}

std::optional<LentTicket> read_lent(std::span<const std::uint8_t> bytes) {
  if (bytes.size() < kNameAt || bytes.size() < kNameAt + bytes[kNameSizeAt]) return std::nullopt;
  if (bytes[kOfferAt] > static_cast<std::uint8_t>(tls::Offer::kHttp2AndHttp1)) return std::nullopt;
  TicketPeer peer;
  std::copy_n(bytes.begin(), kRootsBytes, peer.scope.roots.begin());
  peer.scope.offer = tls::Offer{bytes[kOfferAt]};
  const auto name = bytes.subspan(kNameAt, bytes[kNameSizeAt]);
  peer.name.assign(name.begin(), name.end());
  return LentTicket{std::move(peer), tls::Ticket(bytes.subspan(kNameAt + name.size()))};
}

}  // namespace leat::gateway
