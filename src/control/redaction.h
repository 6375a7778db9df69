// SPDX-License-Identifier: Apache-2.0
// Redaction: what must not stand in a log of content is replaced by "[redacted:email]" and the
// like. By form alone, so it finds what looks like it and no more: a name or an address passes.
// Where a number is as likely something else (timestamps, ids, token probabilities), it has to
// prove itself: a card by its issuer, length, grouping and check digit, an account by its checksum.
// Pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "leat/options.h"

namespace leat::control {

// As the configuration calls them, by RedactKind.
inline constexpr std::array<std::string_view, kRedactKinds> kRedactNames = {
    "email", "card", "api_key", "phone", "iban"};

// Appends plain text to `out`; returns how many places were replaced. `kinds`: bits by RedactKind.
std::size_t append_redacted(std::string_view text, std::uint32_t kinds, std::string& out);

// The same of a JSON value: in every string, its escapes undone, keys among them, and in whole
// numbers; a string that is itself an object or array of JSON, as the arguments of a tool call are,
// is redacted as such. What is written is JSON if `json` is; strings are written anew, with U+FFFD
// for what is no character.
std::size_t append_redacted_json(std::string_view json, std::uint32_t kinds, std::string& out);

}  // namespace leat::control
