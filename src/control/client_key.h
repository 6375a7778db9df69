// SPDX-License-Identifier: Apache-2.0
// Client keys: how one is made and what is kept of it. 256 random bits need no slow hash; the
// prefix lets secret scanners find a leaked key, the checksum lets them tell one from a lookalike,
// and people a slip of the hand from a key that is not known (threats-and-faults.md 3.5). Whoever
// shows a key to a listener is told neither: all bad keys get one answer.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace leat::control {

using KeyDigest = std::array<std::uint8_t, 32>;

// Of a key that an operator chose. Sixteen random letters are beyond guessing over a network;
// fewer, or an unset variable, would leave the door open.
inline constexpr std::size_t kChosenKeyMin = 16;

// SHA-256 of the key's text.
KeyDigest digest_of(std::string_view key);

// From 64 hex digits, either case; false, and `out` as it was, if that is not what it is.
bool parse_digest(std::string_view hex, KeyDigest& out);

// "sk-leat-v1-" + 64 hex digits of `random` + 8 of the CRC-32 over all before it.
std::string make_client_key(const std::array<std::uint8_t, 32>& random);

// What a text is, by itself: nothing is looked up.
enum class KeyForm : std::uint8_t {
  kOurs,      // made as above
  kMistyped,  // begins like one of ours, but a digit is wrong, missing or too many
  kOther,     // of another kind
};
KeyForm form_of(std::string_view key);

// What may be shown of a key of ours, "sk-leat-v1-0e6...1c9": enough to find it in a list, 24 of
// its 256 bits. REQUIRES: kOurs.
std::string label_of(std::string_view key);

// 32 bytes from the kernel; the only place of src/control that asks for chance.
std::array<std::uint8_t, 32> random_bytes();

}  // namespace leat::control
