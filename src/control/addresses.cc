// SPDX-License-Identifier: Apache-2.0
#include "control/addresses.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "io/address.h"

namespace leat::control {
namespace {

// RFC 1035 2.3.4.
constexpr std::size_t kNameMax = 253;
constexpr std::size_t kLabelMax = 63;
constexpr std::size_t kPathMax = 512;

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return port;
}

std::string bracketed(std::string_view host) {
  return host.find(':') == std::string_view::npos ? std::string(host) : fmt::format("[{}]", host);
}

bool is_ip(std::string_view host) {
  return io::Address::parse(fmt::format("{}:1", bracketed(host))).has_value();
}

// Letters, digits, hyphens and dots; the last label is no number, since "1.2.3" or "0x7f.1" would
// be taken for an IPv4 address by some resolvers and pass by the check of literals.
bool is_host_name(std::string_view host) {
  if (host.empty() || host.size() > kNameMax) return false;
  std::string_view label;
  for (std::string_view rest = host;;) {
    const std::size_t dot = rest.find('.');
    label = rest.substr(0, dot);
    if (label.empty() || label.size() > kLabelMax) return false;
    if (label.front() == '-' || label.back() == '-') return false;
    if (!std::all_of(label.begin(), label.end(),
                     [](char c) { return is_alphanumeric(c) || c == '-' || c == '_'; })) {
      return false;
    }
    if (dot == std::string_view::npos) break;
    rest.remove_prefix(dot + 1);
  }
  return !(label.front() >= '0' && label.front() <= '9');
}

Parsed<std::string> parse_path_prefix(std::string_view path) {
  if (path.ends_with('/')) path.remove_suffix(1);
  if (path.size() > kPathMax) return std::unexpected("the path is too long");
  for (std::string_view rest = path; !rest.empty();) {
    rest.remove_prefix(1);  // the slash
    const std::string_view segment = rest.substr(0, rest.find('/'));
    if (segment.empty() || segment == "." || segment == "..") {
      return std::unexpected("the path has an empty or a dot segment; write it without");
    }
    if (!std::all_of(segment.begin(), segment.end(), [](char c) {
          return is_alphanumeric(c) ||
                 std::string_view("-._~@:=").find(c) != std::string_view::npos;
        })) {
      return std::unexpected("the path may hold letters, digits and -._~@:= only");
    }
    rest.remove_prefix(segment.size());
  }
  return std::string(path);
}

// Splits "host:port", "[v6]:port" and both without a port (then nullopt text).
struct HostPort {
  std::string_view host;
  std::optional<std::string_view> port;
};

Parsed<HostPort> split_authority(std::string_view authority) {
  HostPort parts;
  if (authority.starts_with('[')) {
    const std::size_t end = authority.find(']');
    if (end == std::string_view::npos) return std::unexpected("the bracket is not closed");
    parts.host = authority.substr(1, end - 1);
    authority.remove_prefix(end + 1);
    if (!authority.empty() && !authority.starts_with(':')) {
      return std::unexpected("after ] only :PORT may follow");
    }
  } else {
    parts.host = authority.substr(0, authority.find(':'));
    authority.remove_prefix(parts.host.size());
    if (is_ip(parts.host) && parts.host.find(':') != std::string_view::npos) {
      return std::unexpected("write an IPv6 address in brackets");
    }
  }
  if (!authority.empty()) parts.port = authority.substr(1);
  return parts;
}

}  // namespace

Parsed<Listener> parse_listener(std::string_view text) {
  constexpr std::string_view kForm = "write \"IP:PORT\", \"[IPv6]:PORT\" or \"tls://IP:PORT\"";
  Listener listener;
  if (text.starts_with("tls://")) {
    listener.tls = true;
    text.remove_prefix(6);
  }
  if (text.find("://") != std::string_view::npos) {
    return std::unexpected(fmt::format("only tls:// may stand in front; {}", kForm));
  }
  const std::size_t colon = text.rfind(':');
  const auto port =
      colon == std::string_view::npos ? std::nullopt : parse_port(text.substr(colon + 1));
  if (!port) return std::unexpected(fmt::format("no port from 0 to 65535; {}", kForm));
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return std::unexpected(fmt::format("an IPv6 address stands in brackets; {}", kForm));
  }
  if (!is_ip(host)) {
    return std::unexpected(
        fmt::format("not an IP address (names are not resolved here); {}", kForm));
  }
  listener.host = std::string(host);
  listener.port = *port;
  return listener;
}

Parsed<BaseUrl> parse_base_url(std::string_view text) {
  BaseUrl url;
  if (text.starts_with("https://")) {
    text.remove_prefix(8);
  } else if (text.starts_with("http://")) {
    text.remove_prefix(7);
    url.tls = false;
    url.port = 80;
  } else {
    return std::unexpected("must begin with https://");
  }
  if (text.find('?') != std::string_view::npos) {
    return std::unexpected("has a query; write it without, a key belongs into api_key");
  }
  if (text.find('#') != std::string_view::npos) {
    return std::unexpected("has a fragment; write it without");
  }
  const std::string_view authority = text.substr(0, text.find('/'));
  if (authority.find('@') != std::string_view::npos) {
    return std::unexpected("has a user or password; write it without, a key belongs into api_key");
  }
  auto prefix = parse_path_prefix(text.substr(authority.size()));
  if (!prefix) return std::unexpected(std::move(prefix.error()));
  url.path_prefix = std::move(*prefix);

  const auto parts = split_authority(authority);
  if (!parts) return std::unexpected(parts.error());
  if (!is_ip(parts->host) && !is_host_name(parts->host)) {
    return std::unexpected("the host is neither a name nor an IP address");
  }
  const std::uint16_t scheme_port = url.port;
  if (parts->port) {
    const auto port = parse_port(*parts->port);
    if (!port || *port == 0) return std::unexpected("the port must be 1 to 65535");
    url.port = *port;
  }
  url.host = std::string(parts->host);
  std::transform(url.host.begin(), url.host.end(), url.host.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  url.authority = bracketed(url.host);
  if (url.port != scheme_port) url.authority += fmt::format(":{}", url.port);
  return url;
}

bool is_loopback(const Listener& listener) {
  const auto address = io::Address::parse(to_string(listener));
  return address && address->is_loopback();
}

bool is_private_host(std::string_view host) {
  // RFC 6761 6.3: these names mean this machine.
  if (host == "localhost" || host.ends_with(".localhost")) return true;
  const auto address = io::Address::parse(fmt::format("{}:1", bracketed(host)));
  return address && address->is_private();
}

std::string to_string(const Listener& listener) {
  return fmt::format("{}:{}", bracketed(listener.host), listener.port);
}

}  // namespace leat::control
