// SPDX-License-Identifier: Apache-2.0
#include "control/core_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace leat::control {
namespace {

constexpr std::uint32_t kCoresMax = 8'192;  // the most that Linux is built for
constexpr std::size_t kWordBits = 32;

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
  return text;
}

std::optional<std::uint32_t> number_of(std::string_view text, int base = 10) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Calls `take(part)` for what stands between commas; false as soon as it does.
template <class Take>
bool each_part(std::string_view text, Take take) {
  for (;;) {
    const std::size_t comma = text.find(',');
    if (!take(text.substr(0, comma))) return false;
    if (comma == std::string_view::npos) return true;
    text.remove_prefix(comma + 1);
  }
}

void bring_in_order(CoreSet& cores) {
  std::ranges::sort(cores);
  cores.erase(std::ranges::unique(cores).begin(), cores.end());
}

}  // namespace

CoreSet parse_core_list(std::string_view text) {
  CoreSet cores;
  const bool is_list = each_part(trimmed(text), [&](std::string_view part) {
    const std::size_t dash = part.find('-');
    const auto first = number_of(part.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : number_of(part.substr(dash + 1));
    if (!first || !last || *last >= kCoresMax) return false;
    for (std::uint32_t core = *first; core <= *last; ++core) cores.push_back(core);
    return true;
  });
  if (!is_list) return {};
  bring_in_order(cores);
  return cores;
}

CoreSet parse_core_mask(std::string_view text) {
  std::vector<std::uint32_t> words;
  const bool is_mask = each_part(trimmed(text), [&](std::string_view part) {
    const auto word = number_of(part, 16);
    if (word) words.push_back(*word);
    return word.has_value() && words.size() <= kCoresMax / kWordBits;
  });
  if (!is_mask) return {};
  std::ranges::reverse(words);
  CoreSet cores;
  for (std::uint32_t bit = 0; bit < words.size() * kWordBits; ++bit) {
    if ((words[bit / kWordBits] >> bit % kWordBits & 1) != 0) cores.push_back(bit);
  }
  return cores;
}

std::string core_list_text(const CoreSet& cores) {
  std::string text;
  for (std::size_t i = 0; i < cores.size();) {
    std::size_t last = i;
    while (last + 1 < cores.size() && cores[last + 1] == cores[last] + 1) ++last;
    text += fmt::format("{}{}", text.empty() ? "" : ",", cores[i]);
    if (last > i) text += fmt::format("-{}", cores[last]);
    i = last + 1;
  }
  return text.empty() ? "none" : text;
}

std::string core_mask_text(const CoreSet& cores) {
  if (cores.empty()) return "0";
  std::vector<std::uint32_t> words(cores.back() / kWordBits + 1);
  for (const std::uint32_t core : cores) words[core / kWordBits] |= 1U << core % kWordBits;
  std::string text = fmt::format("{:x}", words.back());
  for (std::size_t i = words.size() - 1; i-- > 0;) text += fmt::format(",{:08x}", words[i]);
  return text;
}

}  // namespace leat::control
