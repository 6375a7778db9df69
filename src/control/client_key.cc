// SPDX-License-Identifier: Apache-2.0
#include "control/client_key.h"

#include <fmt/format.h>
#include <sys/random.h>

#include "base/check.h"
#include "tls/digest.h"

namespace leat::control {
namespace {

constexpr std::string_view kPrefix = "sk-leat-v1-";
constexpr std::size_t kRandomDigits = 64;
constexpr std::size_t kSumDigits = 8;

// CRC-32 as in IEEE 802.3 (reflected, polynomial 0x04C11DB7), bit by bit: it runs once a key.
std::uint32_t crc32(std::string_view text) {
  std::uint32_t crc = 0xffffffff;
  for (const char c : text) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xedb88320u : 0u);
  }
  return ~crc;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

KeyDigest digest_of(std::string_view key) {
  return tls::sha256(key);
}

bool parse_digest(std::string_view hex, KeyDigest& out) {
  KeyDigest digest{};
  if (hex.size() != 2 * digest.size()) return false;
  for (std::size_t i = 0; i < digest.size(); ++i) {
    const int high = hex_value(hex[2 * i]);
    const int low = hex_value(hex[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    digest[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  out = digest;
  return true;
}

std::string make_client_key(const std::array<std::uint8_t, 32>& random) {
  std::string key(kPrefix);
  for (const std::uint8_t byte : random) key += fmt::format("{:02x}", byte);
  return key + fmt::format("{:08x}", crc32(key));
}

KeyForm form_of(std::string_view key) {
  if (!key.starts_with(kPrefix)) return KeyForm::kOther;
  if (key.size() != kPrefix.size() + kRandomDigits + kSumDigits) return KeyForm::kMistyped;
  const std::string_view summed = key.substr(0, key.size() - kSumDigits);
  const bool is_sound = fmt::format("{:08x}", crc32(summed)) == key.substr(summed.size());
  return is_sound ? KeyForm::kOurs : KeyForm::kMistyped;
}

std::string label_of(std::string_view key) {
  constexpr std::size_t kShown = 3;
  LEAT_CHECK(form_of(key) == KeyForm::kOurs);
  return fmt::format("{}...{}", key.substr(0, kPrefix.size() + kShown),
                     key.substr(key.size() - kShown));
}

std::array<std::uint8_t, 32> random_bytes() {
  std::array<std::uint8_t, 32> bytes{};
  // Up to 256 bytes come whole once the kernel has gathered chance at boot; it waits for that.
  LEAT_CHECK(getrandom(bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  return bytes;
}

}  // namespace leat::control
