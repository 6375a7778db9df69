// SPDX-License-Identifier: Apache-2.0
// Address: an IPv4 or IPv6 address with a port, as a value.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace leat::io {

struct Address {
  // IPv4 is kept v4-mapped (::ffff:a.b.c.d), so that one comparison serves both families.
  std::array<std::uint8_t, 16> ip{};
  std::uint16_t port = 0;
  bool is_v4 = false;

  bool operator==(const Address&) const = default;

  static Address v4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d,
                    std::uint16_t port);
  // Parses "1.2.3.4:80" or "[::1]:80"; no names.
  static std::optional<Address> parse(std::string_view text);
  // The reverse of parse().
  std::string to_string() const;

  bool is_loopback() const;  // 127/8, ::1
  // Loopback, private, link-local, shared, unspecified, multicast, v4-mapped of those:
  // what a provider's name must not resolve to unless `allow_private` is set
  // (RFC 1918, 6598, 3927, 4193, 4291).
  bool is_private() const;
};

}  // namespace leat::io
