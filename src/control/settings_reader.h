// SPDX-License-Identifier: Apache-2.0
// Reads one table of the file by the rows of the table of settings: unknown keys, wrong types and
// values out of range become faults; the rest is stored. Rows with a form of their own are left to
// the caller (config_sections.h).
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "control/fault.h"
#include "control/option_table.h"
#include "control/toml_tree.h"

namespace leat::control {

// "a.b" of "a" and "b"; "b" of "" and "b".
std::string joined(std::string_view path, std::string_view key);

// Whether the value is of this kind; a fault if not.
bool expect(const TomlValue& value, TomlValue::Kind kind, std::string_view key, FaultList& faults);

struct Range {
  std::int64_t min;
  std::int64_t max;
};

// A whole number within the range; unchanged, and a fault, if it is not.
void store(const TomlValue& value, Range range, std::string_view key, std::int64_t& out,
           FaultList& faults);
void store(const TomlValue& value, Range range, std::string_view key, std::uint32_t& out,
           FaultList& faults);
void store(const TomlValue& value, Range range, std::string_view key, std::uint64_t& out,
           FaultList& faults);
void store(const TomlValue& value, Range range, std::string_view key, bool& out, FaultList& faults);
// Text of that many bytes, without control bytes: it may end up in a header or a log.
void store(const TomlValue& value, Range range, std::string_view key, std::string& out,
           FaultList& faults);

// The place among `words` of what the table says there; a fault if it says something else. None:
// that, or it says nothing.
std::optional<std::size_t> find_choice(const TomlValue& table, std::string_view path,
                                       std::string_view key,
                                       std::span<const std::string_view> words, FaultList& faults);
// The same as a value of the enumeration in whose order the words stand; unchanged if there is
// none.
template <class Choice>
void read_choice(const TomlValue& table, std::string_view path, std::string_view key,
                 std::span<const std::string_view> words, Choice& to, FaultList& faults) {
  if (const auto place = find_choice(table, path, key, words, faults)) {
    to = static_cast<Choice>(*place);
  }
}

// The keys of a table of settings.
template <class S>
std::vector<std::string_view> keys_of(std::span<const Setting<S>> settings) {
  std::vector<std::string_view> keys;
  for (const Setting<S>& row : settings) keys.push_back(row.key);
  return keys;
}

// The keys of two tables of settings that one table of the file is read by, each once.
template <class A, class B>
std::vector<std::string_view> keys_of(std::span<const Setting<A>> first,
                                      std::span<const Setting<B>> second) {
  std::vector<std::string_view> keys = keys_of(first);
  for (const std::string_view key : keys_of(second)) {
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(key);
  }
  return keys;
}

// A fault for each member whose key is none of `known`.
void report_unknown(const TomlValue& table, std::string_view path,
                    std::span<const std::string_view> known, FaultList& faults);

// Stores the members that have a row; the others are left alone.
template <class S>
void read_known_settings(const TomlValue& table, std::string_view path,
                         std::span<const Setting<S>> settings, S& out, FaultList& faults) {
  for (const TomlMember& member : table.members) {
    for (const Setting<S>& row : settings) {
      if (row.key != member.key) continue;
      std::visit(
          [&](auto target) {
            if constexpr (!std::is_same_v<decltype(target), OwnForm>) {
              store(member.value, {row.min, row.max}, joined(path, member.key), out.*target,
                    faults);
            }
          },
          row.target);
      break;
    }
  }
}

template <class S>
void read_settings(const TomlValue& table, std::string_view path,
                   std::span<const Setting<S>> settings, S& out, FaultList& faults) {
  read_known_settings(table, path, settings, out, faults);
  report_unknown(table, path, keys_of(settings), faults);
}

}  // namespace leat::control
