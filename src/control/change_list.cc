// SPDX-License-Identifier: Apache-2.0
#include "control/change_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "control/listing_json.h"
#include "control/toml_quote.h"

namespace leat::control {
namespace {

using Kind = ConfigChange::Kind;

// A description may have 16 KiB: enough is told by its beginning.
constexpr std::size_t kValueBytesMax = 512;

std::string cut(std::string text) {
  if (text.size() <= kValueBytesMax) return text;
  std::size_t size = kValueBytesMax;
  // Not in the middle of a character (UTF-8).
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80) --size;
  text.resize(size);
  return text + "...";
}

constexpr std::array<std::string_view, 3> kKindNames = {"added", "removed", "changed"};

std::string for_terminal(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return text;
}

std::string line_of(const ConfigChange& change) {
  std::string line;
  switch (change.kind) {
    case Kind::kAdded:
      line = "+ " + change.what;
      if (!change.after.empty()) line += ": " + change.after;
      break;
    case Kind::kRemoved:
      line = "- " + change.what;
      break;
    case Kind::kChanged:
      line = fmt::format("~ {}: {} -> {}", change.what, change.before, change.after);
  }
  if (change.is_fixed) line += " (needs a restart or a takeover)";
  return for_terminal(std::move(line)) + '\n';
}

}  // namespace

void ChangeList::added(std::string what, std::string after) {
  changes_.push_back({.kind = Kind::kAdded,
                      .what = std::move(what),
                      .before = {},
                      .after = cut(std::move(after))});
}

void ChangeList::removed(std::string what, std::string before) {
  changes_.push_back({.kind = Kind::kRemoved,
                      .what = std::move(what),
                      .before = cut(std::move(before)),
                      .after = {}});
}

void ChangeList::setting(std::string_view path, std::string_view key, std::string before,
                         std::string after, Reload reload) {
  if (before == after) return;
  changes_.push_back({.kind = Kind::kChanged,
                      .what = path_of(path, key),
                      .before = cut(std::move(before)),
                      .after = cut(std::move(after)),
                      .is_fixed = reload == Reload::kFixed});
}

std::string path_of(std::string_view path, std::string_view name) {
  const bool is_bare = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
  });
  return fmt::format("{}.{}", path, is_bare ? std::string(name) : toml_quoted(name));
}

std::string value_text(const std::string& value, std::string_view fallback, bool is_default) {
  if (!is_default || fallback.empty()) return toml_quoted(value);
  return fallback == "none" ? "none" : fmt::format("({})", fallback);
}

std::string changes_text(std::span<const ConfigChange> changes) {
  if (changes.empty()) return "nothing changes\n";
  std::string text;
  for (const ConfigChange& change : changes) text += line_of(change);
  return text;
}

std::string changes_json(std::span<const ConfigChange> changes) {
  std::string json = "[";
  for (const ConfigChange& change : changes) {
    if (json.size() > 1) json += ',';
    json += fmt::format(R"({{"what":{},"kind":"{}","before":{},"after":{},"live":{}}})",
                        json_text(change.what), kKindNames[static_cast<std::size_t>(change.kind)],
                        json_text(change.before), json_text(change.after), !change.is_fixed);
  }
  return json + ']';
}

std::vector<ConfigChange> changes_of(const JsonValue& array) {
  std::vector<ConfigChange> changes;
  for (const JsonValue& item : array.items) {
    const auto kind = std::find(kKindNames.begin(), kKindNames.end(), item.text_of("kind"));
    changes.push_back({.kind = kind == kKindNames.end()
                                   ? Kind::kChanged
                                   : static_cast<Kind>(kind - kKindNames.begin()),
                       .what = std::string(item.text_of("what")),
                       .before = std::string(item.text_of("before")),
                       .after = std::string(item.text_of("after")),
                       .is_fixed = !item.is_true("live")});
  }
  return changes;
}

}  // namespace leat::control
