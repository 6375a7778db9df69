// SPDX-License-Identifier: Apache-2.0
// Address to and from the kernel's form. Private to io.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include "io/address.h"

namespace leat::io {

// Room for the two families that we speak, and nothing for those we do not.
union SocketAddress {
  sockaddr any;
  sockaddr_in v4;
  sockaddr_in6 v6;
};

// Fills `out` and returns the length that counts.
socklen_t to_kernel(const Address& address, SocketAddress& out);
// Another family than IPv4 or IPv6 gives the unspecified address. A v4-mapped one becomes IPv4.
Address from_kernel(const SocketAddress& address);

}  // namespace leat::io
