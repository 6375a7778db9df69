// SPDX-License-Identifier: Apache-2.0
#include "control/fault.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace leat::control {
namespace {

// Longer keys are nobody's misspelling; the bound keeps the rows below on the stack.
constexpr std::size_t kWordMax = 64;
constexpr std::size_t kPrintableMax = 60;

char folded(char c) {
  if (c == '-') return '_';
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// Insertions, deletions and replacements that turn `a` into `b`.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::array<std::size_t, kWordMax + 1> row{};
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (folded(a[i - 1]) == folded(b[j - 1]) ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

void replace_control(std::string& text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
}

}  // namespace

std::string Fault::to_string() const {
  std::string text = line == 0 ? fmt::format("{}: ", file) : fmt::format("{}:{}: ", file, line);
  if (!key.empty()) text += key + ": ";
  return text + what;
}

void FaultList::add(std::uint32_t line, std::string_view key, std::string what) {
  if (faults_.size() > kFaultsMax) return;
  if (faults_.size() == kFaultsMax) {
    faults_.push_back({file_, UINT32_MAX, "", "more faults follow; mend these first"});
    return;
  }
  replace_control(what);  // it may hold words of the TOML parser about the file
  const auto later =
      std::upper_bound(faults_.begin(), faults_.end(), line,
                       [](std::uint32_t at, const Fault& fault) { return at < fault.line; });
  // A key that two readers look at is wrong once.
  for (auto same = later; same != faults_.begin() && std::prev(same)->line == line; --same) {
    if (std::prev(same)->key == key && std::prev(same)->what == what) return;
  }
  faults_.insert(later, {file_, line, std::string(key), std::move(what)});
}

void FaultList::add_unknown(std::uint32_t line, std::string_view path, std::string_view key,
                            std::span<const std::string_view> known) {
  if (faults_.size() > kFaultsMax) return;
  const std::string full =
      path.empty() ? printable(key) : fmt::format("{}.{}", path, printable(key));
  const std::string_view suggestion = nearest(key, known);
  if (!suggestion.empty()) {
    add(line, full, fmt::format("unknown key; did you mean `{}`?", suggestion));
  } else {
    add(line, full, fmt::format("unknown key; known here: {}", fmt::join(known, ", ")));
  }
}

std::vector<Fault> FaultList::take() {
  if (faults_.size() > kFaultsMax) faults_.back().line = 0;
  return std::exchange(faults_, {});
}

std::string printable(std::string_view text) {
  std::string out(text.substr(0, kPrintableMax));
  replace_control(out);
  if (text.size() > kPrintableMax) out += "...";
  return out;
}

std::string_view nearest(std::string_view word, std::span<const std::string_view> known) {
  if (word.empty() || word.size() > kWordMax) return {};
  std::string_view best;
  // A third of the letters may differ: "lisen" finds "listen", "foo" finds nothing.
  std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (const std::string_view candidate : known) {
    if (candidate.size() > kWordMax) continue;
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

}  // namespace leat::control
