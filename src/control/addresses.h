// SPDX-License-Identifier: Apache-2.0
// The two kinds of address that a configuration holds, from text: listeners and base URLs. Strict:
// one spelling for each thing, so that what was reviewed is what is connected to.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "leat/options.h"

namespace leat::control {

// The error says what is wrong and what to write; it never repeats the text (a URL may hold a key).
template <class T>
using Parsed = std::expected<T, std::string>;

// "127.0.0.1:8080", "[::1]:8080", "tls://0.0.0.0:8443".
Parsed<Listener> parse_listener(std::string_view text);

// "https://api.example.com/v1", "http://127.0.0.1:9000". Userinfo, query, fragment, escapes, empty
// and dot segments are refused: the upstream path is built from this and never from a client's
// bytes.
Parsed<BaseUrl> parse_base_url(std::string_view text);

// Whether the listener can be reached from this machine only.
bool is_loopback(const Listener& listener);

// Whether the host is an IP address (or a localhost name) that needs allow_private. Other names are
// checked when they have been resolved, at each connect.
bool is_private_host(std::string_view host);

// host:port as it is written in a configuration, IPv6 in brackets.
std::string to_string(const Listener& listener);

}  // namespace leat::control
