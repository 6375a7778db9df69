// SPDX-License-Identifier: Apache-2.0
// AES-256-GCM for what is kept encrypted at rest (NIST SP 800-38D). A sealed text is the nonce, the
// ciphertext and the tag, one after the other. `context` is not kept but must be the same again:
// it says what the text is, so that nobody can put one sealed text in the place of another. Holds
// no key and no state.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace leat::tls {

inline constexpr std::size_t kAeadKeyBytes = 32;
inline constexpr std::size_t kAeadNonceBytes = 12;
inline constexpr std::size_t kAeadExtraBytes = kAeadNonceBytes + 16;  // sealed: this much longer

using AeadKey = std::span<const std::uint8_t, kAeadKeyBytes>;

// REQUIRES: `nonce` was not used with this key before; a random one will do for 2^32 texts.
std::string seal(AeadKey key, const std::array<std::uint8_t, kAeadNonceBytes>& nonce,
                 std::string_view text, std::string_view context);

// Writes the text to `out` and returns its size. None, and `out` zeroed: another key or context, a
// changed byte, or `out` is shorter than the text.
std::optional<std::size_t> unseal(AeadKey key, std::string_view sealed, std::string_view context,
                                  std::span<char> out);

}  // namespace leat::tls
