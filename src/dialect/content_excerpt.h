// SPDX-License-Identifier: Apache-2.0
// A request or an answer as a content log keeps it: the same JSON within a bound, without the
// base64 of images, sound and files. Pure; one walk over what is kept.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace leat::dialect {

struct ContentExcerpt {
  bool is_cut = false;              // there was more than found room
  std::uint64_t data_left_out = 0;  // bytes of base64, each run replaced by "[N bytes left out]"
};

// Appends `json` to `out`, white space between tokens dropped, in at most `bytes_max` bytes. What
// has no room is left out from its end, so that what stays is still JSON: whole members and
// elements, and the beginning of a text up to the end of a word, since half of a card number is one
// that nobody recognises any more. `json` may break off within a value, which counts as cut. What
// is no JSON gives something that may be none either.
ContentExcerpt append_excerpt(std::string_view json, std::size_t bytes_max, std::string& out);

// How much of `text`, escaped as in JSON, may stand before a cut at `size`: no more than that, no
// half of a character, an escape or a word, no digits at the end. May be 0. REQUIRES: size <=
// text.size().
std::size_t whole_words(std::string_view text, std::size_t size);

}  // namespace leat::dialect
