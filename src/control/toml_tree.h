// SPDX-License-Identifier: Apache-2.0
// TomlValue: a parsed TOML document as a plain tree in which every key and value knows its line.
// It keeps toml++ out of all other files. Tables list their members in the order of the file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace leat::control {

struct TomlMember;

struct TomlValue {
  enum class Kind : std::uint8_t { kBoolean, kInteger, kFloat, kText, kArray, kTable, kDate };

  Kind kind = Kind::kTable;
  std::uint32_t line = 0;
  bool boolean = false;
  std::int64_t integer = 0;
  std::string text;
  std::vector<TomlValue> items;
  std::vector<TomlMember> members;

  // The member of a table; null when there is none. The tree owns it.
  const TomlMember* find(std::string_view key) const;
};

struct TomlMember {
  std::string key;
  std::uint32_t line = 0;
  TomlValue value;
};

struct TomlSyntaxError {
  std::uint32_t line = 0;
  std::string what;
};

// The parser stops at the first error of syntax: nothing after it can be trusted to mean anything.
std::variant<TomlValue, TomlSyntaxError> parse_toml(std::string_view text);

// The same without the short way for plain files (plain_toml.h), which must make no difference.
std::variant<TomlValue, TomlSyntaxError> parse_toml_by_library(std::string_view text);

// "a whole number", "text", …: for messages.
std::string_view kind_name(TomlValue::Kind kind);

}  // namespace leat::control
