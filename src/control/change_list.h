// SPDX-License-Identifier: Apache-2.0
// The parts of config_changes(): a list that changes are added to, and the comparison of one table
// of the file by the rows of the table of settings.
#pragma once

#include <concepts>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "control/config_changes.h"
#include "control/option_table.h"

namespace leat::control {

class ChangeList {
 public:
  // Something that has a name came or went.
  void added(std::string what, std::string after = {});
  void removed(std::string what, std::string before = {});
  // Nothing if the two texts are the same.
  void setting(std::string_view path, std::string_view key, std::string before, std::string after,
               Reload reload = Reload::kLive);

  std::vector<ConfigChange> take() { return std::move(changes_); }

 private:
  std::vector<ConfigChange> changes_;
};

// "path.name", the name in quotes where TOML needs them.
std::string path_of(std::string_view path, std::string_view name);

// How a setting of a form of its own is written.
template <class T>
struct TextOf {
  std::string_view key;
  std::string (*text)(const T&);
};

// The value of a plain setting as the file would write it; `is_default`: that of a struct nobody
// filled.
template <std::integral Number>
std::string value_text(Number value, std::string_view fallback, bool is_default) {
  if (is_default && fallback == "none") return "none";
  if constexpr (std::is_same_v<Number, bool>) return value ? "true" : "false";
  return std::to_string(value);
}
std::string value_text(const std::string& value, std::string_view fallback, bool is_default);

// Adds what differs between two tables of the file. Rows of a form of their own that `own` does not
// have are left to the caller; `skip(row)` are told elsewhere.
template <class S, class Skip>
void add_changes(std::string_view path, std::span<const Setting<S>> rows,
                 std::type_identity_t<std::span<const TextOf<S>>> own, const S& before,
                 const S& after, Skip skip, ChangeList& changes) {
  for (const Setting<S>& row : rows) {
    std::visit(
        [&](auto target) {
          if constexpr (std::is_same_v<decltype(target), OwnForm>) {
            for (const TextOf<S>& each : own) {
              if (each.key != row.key || skip(row)) continue;
              changes.setting(path, row.key, each.text(before), each.text(after), row.reload);
            }
          } else {
            if (before.*target == after.*target || skip(row)) return;
            const auto text = [&](const S& side) {
              return value_text(side.*target, row.fallback, side.*target == S{}.*target);
            };
            changes.setting(path, row.key, text(before), text(after), row.reload);
          }
        },
        row.target);
  }
}

template <class S>
void add_changes(std::string_view path, std::span<const Setting<S>> rows,
                 std::type_identity_t<std::span<const TextOf<S>>> own, const S& before,
                 const S& after, ChangeList& changes) {
  add_changes(
      path, rows, own, before, after, [](const Setting<S>&) { return false; }, changes);
}

// Calls `gone(a)`, `come(b)` or `both(a, b)` for what two lists hold, matched by `name`.
template <class List, class Name, class Gone, class Come, class Both>
void match_by_name(const List& before, const List& after, Name name, Gone gone, Come come,
                   Both both) {
  using Item = std::remove_reference_t<decltype(*before.begin())>;
  const auto index = [&](const List& list) {
    std::unordered_map<std::string_view, Item*> by_name;
    for (auto& item : list) by_name.emplace(name(item), &item);
    return by_name;
  };
  const auto old_ones = index(before);
  const auto new_ones = index(after);
  for (auto& item : before) {
    if (!new_ones.contains(name(item))) gone(item);
  }
  for (auto& item : after) {
    const auto old = old_ones.find(name(item));
    if (old == old_ones.end()) {
      come(item);
    } else {
      both(*old->second, item);
    }
  }
}

// What is known of providers, models and endpoints, and the aliases, of two catalogues.
void add_provider_facts(const gateway::RoutedCatalogue& before,
                        const gateway::RoutedCatalogue& after, const Options& options_before,
                        const Options& options_after, ChangeList& changes);
void add_model_facts(const gateway::RoutedCatalogue& before, const policy::Model& model_before,
                     const gateway::RoutedCatalogue& after, const policy::Model& model_after,
                     ChangeList& changes);
void add_aliases(const policy::Catalogue& before, const policy::Catalogue& after,
                 ChangeList& changes);

}  // namespace leat::control
