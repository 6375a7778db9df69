// SPDX-License-Identifier: Apache-2.0
#include "io/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

#include "io/sockaddr.h"

namespace leat::io {

namespace {

constexpr std::array<std::uint8_t, 12> kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool has_mapped_prefix(const std::array<std::uint8_t, 16>& ip) {
  return std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), ip.begin());
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, port);
  if (text.empty() || error != std::errc{} || stop != end) return std::nullopt;
  return port;
}

// What must not be reached through a name that somebody else controls. `ip` points at 4 bytes.
bool is_private_v4(const std::uint8_t* ip) {
  const std::uint8_t a = ip[0];
  const std::uint8_t b = ip[1];
  return a == 0 || a == 10 || a == 127 ||     // this network, RFC 1918, loopback
         (a == 100 && (b & 0xc0) == 64) ||    // 100.64/10, RFC 6598
         (a == 169 && b == 254) ||            // link-local, RFC 3927: also cloud metadata
         (a == 172 && (b & 0xf0) == 16) ||    // 172.16/12, RFC 1918
         (a == 192 && b == 168) || a >= 224;  // RFC 1918; multicast, reserved, broadcast
}

// IPv6 forms that carry an IPv4 address which a translator on the way would reach: v4-mapped and
// v4-compatible (RFC 4291 2.5.5), 64:ff9b::/96 (RFC 6052), 2002::/16 (RFC 3056). Null: none.
const std::uint8_t* embedded_v4(const std::array<std::uint8_t, 16>& ip) {
  const auto zeros = [&](std::size_t from, std::size_t to) {
    return std::all_of(ip.begin() + from, ip.begin() + to, [](std::uint8_t b) { return b == 0; });
  };
  if (has_mapped_prefix(ip) || zeros(0, 12)) return ip.data() + 12;
  if (ip[0] == 0 && ip[1] == 0x64 && ip[2] == 0xff && ip[3] == 0x9b && zeros(4, 12)) {
    return ip.data() + 12;
  }
  if (ip[0] == 0x20 && ip[1] == 0x02) return ip.data() + 2;
  return nullptr;
}

bool is_v6_loopback(const std::array<std::uint8_t, 16>& ip) {
  return ip[15] == 1 && std::all_of(ip.begin(), ip.end() - 1, [](auto b) { return b == 0; });
}

}  // namespace

Address Address::v4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d,
                    std::uint16_t port) {
  Address address;
  std::copy(kMappedPrefix.begin(), kMappedPrefix.end(), address.ip.begin());
  address.ip[12] = a;
  address.ip[13] = b;
  address.ip[14] = c;
  address.ip[15] = d;
  address.port = port;
  address.is_v4 = true;
  return address;
}

std::optional<Address> Address::parse(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::optional<std::uint16_t> port = parse_port(text.substr(colon + 1));
  if (!port) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  Address address;
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    const std::string inner(host.substr(1, host.size() - 2));
    if (inet_pton(AF_INET6, inner.c_str(), address.ip.data()) != 1) return std::nullopt;
    address.is_v4 = has_mapped_prefix(address.ip);
  } else {
    address = v4(0, 0, 0, 0, 0);
    if (inet_pton(AF_INET, std::string(host).c_str(), address.ip.data() + 12) != 1) {
      return std::nullopt;
    }
  }
  address.port = *port;
  return address;
}

std::string Address::to_string() const {
  char text[INET6_ADDRSTRLEN] = {};
  if (is_v4) {
    inet_ntop(AF_INET, ip.data() + 12, text, sizeof text);
    return std::string(text) + ':' + std::to_string(port);
  }
  inet_ntop(AF_INET6, ip.data(), text, sizeof text);
  return '[' + std::string(text) + "]:" + std::to_string(port);
}

bool Address::is_loopback() const {
  return has_mapped_prefix(ip) ? ip[12] == 127 : is_v6_loopback(ip);
}

bool Address::is_private() const {
  if (is_v6_loopback(ip)) return true;
  if (const std::uint8_t* inner = embedded_v4(ip)) return is_private_v4(inner);
  return (ip[0] & 0xfe) == 0xfc ||                  // fc00::/7, RFC 4193
         (ip[0] == 0xfe && (ip[1] & 0x80) != 0) ||  // fe80::/10, and site-local fec0::/10
         ip[0] == 0xff;                             // multicast
}

socklen_t to_kernel(const Address& address, SocketAddress& out) {
  out = {};
  if (address.is_v4) {
    out.v4.sin_family = AF_INET;
    out.v4.sin_port = htons(address.port);
    std::copy_n(address.ip.begin() + 12, 4, reinterpret_cast<std::uint8_t*>(&out.v4.sin_addr));
    return sizeof out.v4;
  }
  out.v6 = {};
  out.v6.sin6_family = AF_INET6;
  out.v6.sin6_port = htons(address.port);
  std::copy(address.ip.begin(), address.ip.end(), out.v6.sin6_addr.s6_addr);
  return sizeof out.v6;
}

Address from_kernel(const SocketAddress& address) {
  Address result;
  if (address.any.sa_family == AF_INET) {
    const auto* ip = reinterpret_cast<const std::uint8_t*>(&address.v4.sin_addr);
    return Address::v4(ip[0], ip[1], ip[2], ip[3], ntohs(address.v4.sin_port));
  }
  if (address.any.sa_family == AF_INET6) {
    std::copy_n(address.v6.sin6_addr.s6_addr, 16, result.ip.begin());
    result.port = ntohs(address.v6.sin6_port);
    result.is_v4 = has_mapped_prefix(result.ip);
  }
  return result;
}

}  // namespace leat::io
