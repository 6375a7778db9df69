// SPDX-License-Identifier: Apache-2.0
#include "control/toml_tree.h"

#include <algorithm>

// Debian's shared library has the throwing parser only, so this one file compiles the other in.
#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#include <toml++/toml.h>

namespace leat::control {
namespace {

// Recursion is bounded by the parser's own limit on nesting (TOML_MAX_NESTED_VALUES, 256).
TomlValue converted(const toml::node& node) {
  TomlValue value;
  value.line = node.source().begin.line;
  switch (node.type()) {
    case toml::node_type::boolean:
      value.kind = TomlValue::Kind::kBoolean;
      value.boolean = node.as_boolean()->get();
      break;
    case toml::node_type::integer:
      value.kind = TomlValue::Kind::kInteger;
      value.integer = node.as_integer()->get();
      break;
    case toml::node_type::floating_point:
      value.kind = TomlValue::Kind::kFloat;
      break;
    case toml::node_type::string:
      value.kind = TomlValue::Kind::kText;
      value.text = node.as_string()->get();
      break;
    case toml::node_type::array:
      value.kind = TomlValue::Kind::kArray;
      for (const toml::node& item : *node.as_array()) value.items.push_back(converted(item));
      break;
    case toml::node_type::table:
      value.kind = TomlValue::Kind::kTable;
      for (const auto& [key, member] : *node.as_table()) {
        value.members.push_back({std::string(key.str()),
                                 static_cast<std::uint32_t>(key.source().begin.line),
                                 converted(member)});
      }
      // toml++ sorts by name; the file's order is what operators see and endpoints' order means.
      std::stable_sort(value.members.begin(), value.members.end(),
                       [](const TomlMember& a, const TomlMember& b) { return a.line < b.line; });
      break;
    default:
      value.kind = TomlValue::Kind::kDate;
      break;
  }
  return value;
}

}  // namespace

const TomlMember* TomlValue::find(std::string_view key) const {
  const auto found = std::find_if(members.begin(), members.end(),
                                  [key](const TomlMember& member) { return member.key == key; });
  return found == members.end() ? nullptr : &*found;
}

std::variant<TomlValue, TomlSyntaxError> parse_toml(std::string_view text) {
  const toml::parse_result result = toml::parse(text);
  if (!result) {
    return TomlSyntaxError{result.error().source().begin.line,
                           std::string(result.error().description())};
  }
  TomlValue root = converted(result.table());
  root.line = 1;
  return root;
}

std::string_view kind_name(TomlValue::Kind kind) {
  switch (kind) {
    case TomlValue::Kind::kBoolean:
      return "true or false";
    case TomlValue::Kind::kInteger:
      return "a whole number";
    case TomlValue::Kind::kFloat:
      return "a number with a point";
    case TomlValue::Kind::kText:
      return "text";
    case TomlValue::Kind::kArray:
      return "an array";
    case TomlValue::Kind::kTable:
      return "a table";
    case TomlValue::Kind::kDate:
      return "a date or time";
  }
  return "something else";
}

}  // namespace leat::control
