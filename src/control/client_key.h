// SPDX-License-Identifier: Apache-2.0
// Client keys: how one is made and what is kept of it. 256 random bits need no slow hash; the
// prefix lets secret scanners find a leaked key, the checksum lets them tell one from a lookalike.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace leat::control {

using KeyDigest = std::array<std::uint8_t, 32>;

// SHA-256 of the key's text.
KeyDigest digest_of(std::string_view key);

// From 64 hex digits, either case; false, and `out` as it was, if that is not what it is.
bool parse_digest(std::string_view hex, KeyDigest& out);

// "sk-leat-" + 64 hex digits of `random` + 8 of the CRC-32 over all before it.
std::string make_client_key(const std::array<std::uint8_t, 32>& random);

// 32 bytes from the kernel; the only place of src/control that asks for chance.
std::array<std::uint8_t, 32> random_bytes();

}  // namespace leat::control
