// SPDX-License-Identifier: Apache-2.0
#include "control/settings_reader.h"

#include <fmt/format.h>

#include <algorithm>

namespace leat::control {

std::string joined(std::string_view path, std::string_view key) {
  return path.empty() ? std::string(key) : fmt::format("{}.{}", path, key);
}

bool expect(const TomlValue& value, TomlValue::Kind kind, std::string_view key, FaultList& faults) {
  if (value.kind == kind) return true;
  faults.add(value.line, key,
             fmt::format("is {}; write {}", kind_name(value.kind), kind_name(kind)));
  return false;
}

void store(const TomlValue& value, Range range, std::string_view key, std::int64_t& out,
           FaultList& faults) {
  if (!expect(value, TomlValue::Kind::kInteger, key, faults)) return;
  if (value.integer < range.min || value.integer > range.max) {
    faults.add(
        value.line, key,
        fmt::format("{} is out of range; write {} to {}", value.integer, range.min, range.max));
    return;
  }
  out = value.integer;
}

void store(const TomlValue& value, Range range, std::string_view key, std::uint32_t& out,
           FaultList& faults) {
  std::int64_t wide = out;
  store(value, range, key, wide, faults);
  out = static_cast<std::uint32_t>(wide);
}

void store(const TomlValue& value, Range range, std::string_view key, std::uint64_t& out,
           FaultList& faults) {
  std::int64_t wide = static_cast<std::int64_t>(out);
  store(value, range, key, wide, faults);
  out = static_cast<std::uint64_t>(wide);
}

void store(const TomlValue& value, Range, std::string_view key, bool& out, FaultList& faults) {
  if (expect(value, TomlValue::Kind::kBoolean, key, faults)) out = value.boolean;
}

void store(const TomlValue& value, Range range, std::string_view key, std::string& out,
           FaultList& faults) {
  if (!expect(value, TomlValue::Kind::kText, key, faults)) return;
  const auto size = static_cast<std::int64_t>(value.text.size());
  if (size < range.min || size > range.max) {
    faults.add(value.line, key,
               fmt::format("has {} bytes; write {} to {}", size, range.min, range.max));
    return;
  }
  const bool has_control = std::any_of(value.text.begin(), value.text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
  if (has_control) {
    faults.add(value.line, key, "has a control byte (line end, tab, NUL); write it without");
    return;
  }
  out = value.text;
}

std::optional<std::size_t> find_choice(const TomlValue& table, std::string_view path,
                                       std::string_view key,
                                       std::span<const std::string_view> words, FaultList& faults) {
  const TomlMember* const member = table.find(key);
  if (member == nullptr) return std::nullopt;
  const std::string full = joined(path, key);
  if (!expect(member->value, TomlValue::Kind::kText, full, faults)) return std::nullopt;
  const auto found = std::ranges::find(words, member->value.text);
  if (found != words.end()) return static_cast<std::size_t>(found - words.begin());
  faults.add(
      member->line, full,
      fmt::format("\"{}\" is not known; write \"{}\" or \"{}\"", printable(member->value.text),
                  fmt::join(words.first(words.size() - 1), "\", \""), words.back()));
  return std::nullopt;
}

void report_unknown(const TomlValue& table, std::string_view path,
                    std::span<const std::string_view> known, FaultList& faults) {
  for (const TomlMember& member : table.members) {
    if (std::find(known.begin(), known.end(), member.key) != known.end()) continue;
    faults.add_unknown(member.line, path, member.key, known);
  }
}

}  // namespace leat::control
