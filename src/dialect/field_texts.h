// SPDX-License-Identifier: Apache-2.0
// FieldTexts: what string values of a body say. One without escapes stays a view of the body; the
// few with escapes are unescaped into a fixed room here. Must not move while its views are used.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include "proto/json_value.h"

namespace leat::dialect {

// What a key or a word (the text between quotes) says, escapes undone into `room`. Empty where that
// is longer than the room, which no known word is. Looks for a backslash once, where comparing with
// each word of a table would look each time.
inline std::string_view plain_word(std::string_view escaped, std::span<char> room) {
  for (const char c : escaped) {
    if (c != '\\') continue;
    // The quotes stand around it: it comes from JSON text.
    return proto::json_string({escaped.data() - 1, escaped.size() + 2}, room).value_or("");
  }
  return escaped;
}

class FieldTexts {
 public:
  FieldTexts() = default;
  FieldTexts(const FieldTexts&) = delete;
  FieldTexts& operator=(const FieldTexts&) = delete;

  // `value` with its quotes. Nothing if it is no string, says more than `size_max` bytes, or the
  // room is used up.
  std::optional<std::string_view> take(std::string_view value, std::size_t size_max) {
    const auto raw = proto::json_raw_string(value);
    if (!raw) return std::nullopt;
    if (raw->find('\\') == std::string_view::npos) {
      return raw->size() <= size_max ? raw : std::nullopt;
    }
    const auto text = proto::json_string(value, std::span(room_).subspan(used_));
    if (!text || text->size() > size_max) return std::nullopt;
    used_ += text->size();
    return text;
  }

 private:
  std::size_t used_ = 0;
  std::array<char, 1'024> room_;
};

}  // namespace leat::dialect
