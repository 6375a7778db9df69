// SPDX-License-Identifier: Apache-2.0
#include "tls/digest.h"

#include <openssl/sha.h>

namespace leat::tls {

std::array<std::uint8_t, 32> sha256(std::string_view bytes) {
  std::array<std::uint8_t, 32> digest;
  SHA256(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size(), digest.data());
  return digest;
}

}  // namespace leat::tls
