// SPDX-License-Identifier: Apache-2.0
// What the two secrets of account management must be: the operator's key and the master key that
// seals provider keys. Judged when a configuration is checked and again when Leat starts, since
// what a source holds may have changed meanwhile. No text that comes from here repeats a secret.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "tls/aead.h"

namespace leat::control {

// Who has it has everything, and it may be chosen by people: longer than a client's
// (kChosenKeyMin).
inline constexpr std::size_t kOperatorKeyMin = 32;

// What is wrong with it, and what to do; empty: nothing.
std::string operator_key_fault(std::string_view key);
std::string master_key_fault(std::string_view hex);

// False: it is not 64 hex digits, and `out` holds nothing of it.
bool parse_master_key(std::string_view hex, std::span<std::uint8_t, tls::kAeadKeyBytes> out);

}  // namespace leat::control
