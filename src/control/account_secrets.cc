// SPDX-License-Identifier: Apache-2.0
#include "control/account_secrets.h"

#include <fmt/format.h>
#include <string.h>

#include <algorithm>

#include "control/client_key.h"

namespace leat::control {

std::string operator_key_fault(std::string_view key) {
  if (key.size() >= kOperatorKeyMin) return {};
  return fmt::format("has {} characters, and opens everything; make one of {} or more", key.size(),
                     kOperatorKeyMin);
}

std::string master_key_fault(std::string_view hex) {
  std::array<std::uint8_t, tls::kAeadKeyBytes> key{};
  const bool is_key = parse_master_key(hex, key);
  const bool is_blank =
      std::all_of(key.begin(), key.end(), [&](std::uint8_t byte) { return byte == key[0]; });
  explicit_bzero(key.data(), key.size());
  if (!is_key) {
    return fmt::format(
        "is no master key: has {} characters; write 64 hex digits, as `openssl rand "
        "-hex 32` makes them",
        hex.size());
  }
  // Someone's placeholder: what it seals, everybody can open.
  return is_blank ? "is one byte over and over; write what `openssl rand -hex 32` makes"
                  : std::string();
}

bool parse_master_key(std::string_view hex, std::span<std::uint8_t, tls::kAeadKeyBytes> out) {
  KeyDigest bytes{};  // as many, written alike
  if (!parse_digest(hex, bytes)) return false;
  std::copy(bytes.begin(), bytes.end(), out.begin());
  explicit_bzero(bytes.data(), bytes.size());
  return true;
}

}  // namespace leat::control
