// SPDX-License-Identifier: Apache-2.0
#include "control/import_parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>

namespace leat::control {
namespace {

bool is_slug_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
}

std::string folded(std::string_view text, std::string_view also) {
  std::string out;
  for (char c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (!is_slug_byte(c) && also.find(c) == std::string_view::npos) c = '-';
    if (c == '-' && (out.empty() || out.back() == '-')) continue;
    out += c;
  }
  while (out.ends_with('-')) out.pop_back();
  return out;
}

// "model:free" keeps its colon; "model-v1:0" is a version.
std::string with_variant(std::string_view slug) {
  const std::size_t colon = slug.rfind(':');
  if (colon == std::string_view::npos) return folded(slug, "_");
  const std::string_view suffix = slug.substr(colon + 1);
  const auto variant = policy::value_of<policy::Variant>(suffix);
  if (!variant || !policy::kStaticVariants.has(*variant)) return folded(slug, "_");
  return fmt::format("{}:{}", folded(slug.substr(0, colon), "_"), suffix);
}

}  // namespace

std::string slug_of(std::string_view text) {
  return folded(text, "");
}

std::string model_id_of(std::string_view name) {
  const std::size_t slash = name.rfind('/');
  if (slash == std::string_view::npos) return with_variant(name);
  std::string_view author = name.substr(0, slash);
  author = author.substr(author.rfind('/') + 1);  // npos + 1 is 0
  const std::string slug = with_variant(name.substr(slash + 1));
  const std::string folder = slug_of(author);
  return folder.empty() || folder == "models" ? slug : fmt::format("{}/{}", folder, slug);
}

std::string plain_text(std::string_view text, std::size_t size_max) {
  std::string out;
  for (const char c : text) {
    const bool is_control = static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    if (is_control && (out.empty() || out.back() == ' ')) continue;
    out += is_control ? ' ' : c;
  }
  if (out.size() > size_max) {
    // Not in the middle of a character of several bytes.
    std::size_t end = size_max;
    while (end > 0 && (static_cast<unsigned char>(out[end]) & 0xc0) == 0x80) --end;
    out.resize(end);
  }
  return out;
}

std::int64_t unix_seconds(std::string_view date) {
  int parts[3] = {0, 0, 1};
  for (int& part : parts) {
    const auto [end, error] = std::from_chars(date.data(), date.data() + date.size(), part);
    if (error != std::errc()) return 0;
    date.remove_prefix(static_cast<std::size_t>(end - date.data()));
    if (date.empty()) break;
    if (date.front() != '-') return 0;
    date.remove_prefix(1);
  }
  const std::chrono::year_month_day day{std::chrono::year(parts[0]),
                                        std::chrono::month(static_cast<unsigned>(parts[1])),
                                        std::chrono::day(static_cast<unsigned>(parts[2]))};
  if (!day.ok() || !date.empty() || parts[0] < 1970) return 0;
  return std::chrono::sys_seconds(std::chrono::sys_days(day)).time_since_epoch().count();
}

bool take_prices(const JsonValue& from, std::span<const PriceSource> sources, PriceUnit unit,
                 std::string_view subject, policy::Prices& prices, std::vector<ImportNote>& changed,
                 std::vector<ImportNote>& unplaced) {
  for (const PriceSource& source : sources) {
    const JsonValue* value = from.find(source.key);
    if (value == nullptr || value->is(JsonValue::Kind::kNull)) continue;
    const std::optional<ExactPrice> price = parse_price(value->text, unit);
    if (!price || price->value < 0) {
      unplaced.push_back({std::string(subject), fmt::format("its price `{}` is {}, which is none",
                                                            source.key, value->text)});
      return false;
    }
    if (!price->is_exact) {
      changed.push_back({std::string(subject),
                         fmt::format("its price `{}` of {} has more digits than are kept; rounded",
                                     source.key, value->text)});
    }
    prices[source.price_class] = price->value;
  }
  return true;
}

}  // namespace leat::control
