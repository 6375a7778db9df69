// SPDX-License-Identifier: Apache-2.0
// JsonValue: a parsed JSON document as a plain tree in which a number keeps the text that it was
// written in, so that a price never passes through floating point. It keeps simdjson, which does
// the parsing, out of all other files. For files that operators import; nothing on a shard.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace leat::control {

struct JsonMember;

struct JsonValue {
  enum class Kind : std::uint8_t { kNull, kBoolean, kNumber, kText, kArray, kObject };

  Kind kind = Kind::kNull;
  bool boolean = false;
  std::string text;  // of a text: itself; of a number: as it was written
  std::vector<JsonValue> items;
  std::vector<JsonMember> members;  // in the order of the file

  bool is(Kind wanted) const { return kind == wanted; }
  // The member of an object; null when there is none. The tree owns it.
  const JsonValue* find(std::string_view key) const;
  // The member's value if it is of that kind; else what stands for absent.
  std::string_view text_of(std::string_view key) const;    // empty
  std::string_view number_of(std::string_view key) const;  // empty
  bool is_true(std::string_view key) const;                // false
  // A whole number from 0 to what 32 bits hold, also where it was written as 1e6; 0 for anything
  // else.
  std::uint32_t count_of(std::string_view key) const;
};

struct JsonMember {
  std::string key;
  JsonValue value;
};

// Nothing, with the parser's words in `why`, if the text is not JSON.
std::optional<JsonValue> parse_json(std::string_view text, std::string& why);

}  // namespace leat::control
