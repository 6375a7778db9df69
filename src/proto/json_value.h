// SPDX-License-Identifier: Apache-2.0
// Light readers over JSON text: no tree, no allocation, views into the caller's bytes. They are
// made for text that JsonScanner has accepted, and stay within their bounds on any other bytes too
// (a provider's event is not validated first): malformed text reads as "absent", never as a crash.
//
// Object iteration:   JsonMembers members(text); JsonMember m; while (members.next(m)) …
// Array iteration:    JsonElements elements(text); std::string_view e; while (elements.next(e)) …
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "proto/json_cursor.h"

namespace leat::proto {

enum class JsonType : std::uint8_t { kObject, kArray, kString, kNumber, kTrue, kFalse, kNull };

// The type by the first byte; nothing if no value begins with it.
std::optional<JsonType> json_type(std::string_view value);

// One member of an object. `key` is without quotes and still escaped; `begin` points at the key's
// opening quote, and the member ends where `value` ends.
struct JsonMember {
  std::string_view key;
  std::string_view value;

  const char* begin() const { return key.data() - 1; }
  const char* end() const { return value.data() + value.size(); }
};

class JsonMembers {
 public:
  // No members if `object` is no object. What follows its closing brace is not looked at.
  explicit JsonMembers(std::string_view object) : cursor_(object) { open_ = cursor_.enter('{'); }
  // False at the end, and on malformed text (`well_formed()` tells which).
  bool next(JsonMember& member);
  bool well_formed() const { return cursor_.ok(); }

 private:
  JsonCursor cursor_;
  bool open_;
  bool first_ = true;
};

class JsonElements {
 public:
  explicit JsonElements(std::string_view array) : cursor_(array) { open_ = cursor_.enter('['); }
  bool next(std::string_view& element);
  bool well_formed() const { return cursor_.ok(); }

 private:
  JsonCursor cursor_;
  bool open_;
  bool first_ = true;
};

// Whether a key as it stands in JSON text says `name`, escapes undone. REQUIRES: `name` is plain
// ASCII of at most 64 bytes.
bool json_key_says(std::string_view escaped_key, std::string_view name);

// The value of the first member with this (plain ASCII) key, escaped spellings of it included.
std::optional<std::string_view> json_find(std::string_view object, std::string_view key);

// What a string value says, unescaped into `buffer` where it has escapes, else a view of `value`.
// Nothing if it is no string, does not fit, or has a broken escape. `value` includes the quotes.
std::optional<std::string_view> json_string(std::string_view value, std::span<char> buffer);

// The string's bytes between its quotes, still escaped; nothing if it is no string.
std::optional<std::string_view> json_raw_string(std::string_view value);

// An integer, also when spelt 12.0 or 1e3, that lies within [min, max].
std::optional<std::int64_t> json_integer(std::string_view value, std::int64_t min,
                                         std::int64_t max);
std::optional<double> json_double(std::string_view value);
std::optional<bool> json_bool(std::string_view value);
bool json_is_null(std::string_view value);

}  // namespace leat::proto
