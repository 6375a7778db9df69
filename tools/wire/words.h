// SPDX-License-Identifier: Apache-2.0
// The text that leat-mock answers and leat-load expects: word number i is a function of the
// request's messages, byte for byte. So every token can be checked without the two tools talking to
// each other, an answer meant for somebody else is caught at its first word, and so is a prompt
// that was altered on the way.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace leat::tools {

// Of the raw JSON text of the request's "messages". Not for secrets.
std::uint64_t seed_of(std::string_view messages);

// A blank and three syllables: one of a million words.
inline constexpr std::size_t kWordSize = 7;
void write_word(std::uint64_t seed, std::uint64_t index, char* out);

// Words 0 to count - 1.
std::string text_of(std::uint64_t seed, std::uint64_t count);

// Filler of about `size` bytes of valid JSON string content (escapes and non-ASCII included, as
// prompts have them), the same for the same size.
std::string filler(std::size_t size);

}  // namespace leat::tools
