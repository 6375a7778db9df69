// SPDX-License-Identifier: Apache-2.0
#include "gateway/successor.h"

#include <algorithm>
#include <cstring>

namespace leat::gateway {
namespace {

constexpr std::size_t kIpAt = sizeof(PassageToken);
constexpr std::size_t kPortAt = kIpAt + sizeof(io::Address::ip);
constexpr std::size_t kFamilyAt = kPortAt + sizeof(io::Address::port);

}  // namespace

std::array<char, kPreambleBytes> passage_preamble(const PassageToken& token,
                                                  const io::Address& client) {
  std::array<char, kPreambleBytes> bytes{};
  std::ranges::copy(token, bytes.begin());
  std::memcpy(bytes.data() + kIpAt, client.ip.data(), client.ip.size());
  std::memcpy(bytes.data() + kPortAt, &client.port, sizeof client.port);  // of one machine
  bytes[kFamilyAt] = client.is_v4 ? 1 : 0;
  return bytes;
}

std::optional<io::Address> read_preamble(const PassageToken& token,
                                         std::span<const char, kPreambleBytes> bytes) {
  unsigned different = 0;
  for (std::size_t i = 0; i < token.size(); ++i) {
    different |= static_cast<unsigned char>(token[i] ^ bytes[i]);
  }
  if (different != 0) return std::nullopt;
  io::Address client;
  std::memcpy(client.ip.data(), bytes.data() + kIpAt, client.ip.size());
  std::memcpy(&client.port, bytes.data() + kPortAt, sizeof client.port);
  client.is_v4 = bytes[kFamilyAt] == 1;
  return client;
}

}  // namespace leat::gateway
