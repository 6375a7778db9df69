// SPDX-License-Identifier: Apache-2.0
// Successor: the process that takes over from this one (docs/operating.md, "Upgrade"). A client
// that keeps its connection to us and sends another request is passed on: its bytes go to a
// listener of the successor on loopback, behind a preamble that says whose they are and shows a
// token that only the two processes know. Pure values.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>

#include "io/address.h"

namespace leat::gateway {

using PassageToken = std::array<char, 32>;

struct Successor {
  io::Address address;
  PassageToken token{};
};

// Token, the client's address, its port and 1 for IPv4, zeros.
inline constexpr std::size_t kPreambleBytes = 64;
std::array<char, kPreambleBytes> passage_preamble(const PassageToken& token,
                                                  const io::Address& client);
// The client's address; none: the token is another. Takes one time for whatever is wrong with it.
std::optional<io::Address> read_preamble(const PassageToken& token,
                                         std::span<const char, kPreambleBytes> bytes);

}  // namespace leat::gateway
