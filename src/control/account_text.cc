// SPDX-License-Identifier: Apache-2.0
#include "control/account_text.h"

#include <fmt/format.h>

#include <charconv>
#include <chrono>

#include "base/check.h"
#include "control/listing_json.h"

namespace leat::control {
namespace {

constexpr std::int64_t kNanosPerDollar = 1'000'000'000;
constexpr std::int64_t kDollarsMax = 1'000'000'000;
constexpr int kNanoDigits = 9;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Two or four digits at `at`, or -1.
int digits_at(std::string_view text, std::size_t at, std::size_t count) {
  if (at + count > text.size()) return -1;
  int value = 0;
  for (const char c : text.substr(at, count)) {
    if (!is_digit(c)) return -1;
    value = value * 10 + (c - '0');
  }
  return value;
}

// "Z" or "+hh:mm": seconds ahead of UTC.
std::optional<std::int64_t> zone_of(std::string_view text) {
  if (text == "Z" || text == "z") return 0;
  if (text.size() != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':') return std::nullopt;
  const int hours = digits_at(text, 1, 2);
  const int minutes = digits_at(text, 4, 2);
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return std::nullopt;
  return (text[0] == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
}

}  // namespace

std::optional<policy::Nanodollars> parse_dollars(std::string_view text) {
  const bool is_negative = text.starts_with('-');
  if (is_negative) text.remove_prefix(1);
  const std::size_t mark = text.find_first_of("eE");
  int exponent = 0;
  if (mark != std::string_view::npos) {
    std::string_view power = text.substr(mark + 1);
    if (power.starts_with('+')) power.remove_prefix(1);
    const auto [end, error] = std::from_chars(power.data(), power.data() + power.size(), exponent);
    if (error != std::errc() || end != power.data() + power.size()) return std::nullopt;
    if (exponent < -1'000 || exponent > 1'000) return std::nullopt;
    text = text.substr(0, mark);
  }
  std::string digits;
  int places = 0;
  bool has_point = false;
  for (const char c : text) {
    if (c == '.' && !has_point) {
      has_point = true;
    } else if (is_digit(c)) {
      digits += c;
      places += has_point ? 1 : 0;
    } else {
      return std::nullopt;
    }
  }
  if (digits.empty()) return std::nullopt;
  while (digits.size() > 1 && digits.back() == '0') {
    digits.pop_back();
    --places;
  }
  // The value is digits * 10^(exponent - places) dollars.
  const int zeros = exponent - places + kNanoDigits;
  std::int64_t value = 0;
  for (const char c : digits) {
    if (value > kDollarsMax * kNanosPerDollar / 10) return std::nullopt;
    value = value * 10 + (c - '0');
  }
  if (value == 0) return 0;
  if (zeros < 0) return std::nullopt;
  for (int i = 0; i < zeros; ++i) {
    if (value > kDollarsMax * kNanosPerDollar / 10) return std::nullopt;
    value *= 10;
  }
  if (value > kDollarsMax * kNanosPerDollar) return std::nullopt;
  return is_negative ? -value : value;
}

std::string dollars_text(policy::Nanodollars money) {
  const bool is_negative = money < 0;
  const std::uint64_t size =
      is_negative ? ~static_cast<std::uint64_t>(money) + 1 : static_cast<std::uint64_t>(money);
  std::string text = fmt::format("{}.{:09}", size / kNanosPerDollar, size % kNanosPerDollar);
  while (text.ends_with('0')) text.pop_back();
  if (text.ends_with('.')) text.pop_back();
  return is_negative ? "-" + text : text;
}

std::string iso_time(std::int64_t unix_seconds) {
  using namespace std::chrono;
  const sys_seconds moment{std::chrono::seconds(unix_seconds)};
  const sys_days day = floor<days>(moment);
  const year_month_day date = day;
  const hh_mm_ss time(moment - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.000Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     time.hours().count(), time.minutes().count(), time.seconds().count());
}

std::optional<std::int64_t> parse_iso_time(std::string_view text) {
  using namespace std::chrono;
  constexpr std::size_t kFixed = sizeof "2026-11-21T14:55:16" - 1;
  if (text.size() <= kFixed || text[4] != '-' || text[7] != '-' ||
      (text[10] != 'T' && text[10] != 't') || text[13] != ':' || text[16] != ':') {
    return std::nullopt;
  }
  const int parts[] = {digits_at(text, 0, 4),  digits_at(text, 5, 2),  digits_at(text, 8, 2),
                       digits_at(text, 11, 2), digits_at(text, 14, 2), digits_at(text, 17, 2)};
  for (const int part : parts) {
    if (part < 0) return std::nullopt;
  }
  const year_month_day date{year(parts[0]), month(static_cast<unsigned>(parts[1])),
                            day(static_cast<unsigned>(parts[2]))};
  if (!date.ok() || parts[3] > 23 || parts[4] > 59 || parts[5] > 60) return std::nullopt;
  std::string_view rest = text.substr(kFixed);
  if (rest.starts_with('.')) {
    const std::size_t end = rest.find_first_not_of("0123456789", 1);
    if (end == std::string_view::npos || end == 1) return std::nullopt;
    rest = rest.substr(end);
  }
  const auto zone = zone_of(rest);
  if (!zone) return std::nullopt;
  const std::int64_t midnight = sys_seconds(sys_days(date)).time_since_epoch().count();
  return midnight + parts[3] * 3600 + parts[4] * 60 + parts[5] - *zone;
}

std::string list_json(const std::vector<std::string>& names) {
  std::string out = "[";
  for (const std::string& name : names) {
    if (out.size() > 1) out += ',';
    out += json_text(name);
  }
  return out + "]";
}

std::optional<std::vector<std::string>> list_of(const JsonValue& value) {
  if (!value.is(JsonValue::Kind::kArray)) return std::nullopt;
  std::vector<std::string> names;
  for (const JsonValue& item : value.items) {
    if (!item.is(JsonValue::Kind::kText)) return std::nullopt;
    names.push_back(item.text);
  }
  return names;
}

std::string access_text(const policy::Access& access) {
  std::string out;
  const auto member = [&out](std::string_view key, const std::string& value) {
    out += fmt::format("{}\"{}\":{}", out.empty() ? "{" : ",", key, value);
  };
  const KeyRouting& routing = access.routing;
  if (access.has_models) member("models", list_json(access.models));
  if (routing.has_only) member("only", list_json(routing.only));
  if (!routing.ignore.empty()) member("ignore", list_json(routing.ignore));
  if (!routing.regions.empty()) member("regions", list_json(routing.regions));
  if (routing.zdr) member("zdr", "true");
  if (routing.deny_data_collection) member("deny_data_collection", "true");
  return out.empty() ? out : out + "}";
}

std::optional<policy::Access> access_of(std::string_view text) {
  policy::Access access;
  if (text.empty()) return access;
  std::string why;
  const auto root = parse_json(text, why);
  if (!root || !root->is(JsonValue::Kind::kObject)) return std::nullopt;
  bool is_sound = true;
  const auto read = [&](std::string_view key, std::vector<std::string>& names) {
    const JsonValue* value = root->find(key);
    if (value == nullptr) return false;
    const auto list = list_of(*value);
    is_sound &= list.has_value();
    if (list) names = *list;
    return true;
  };
  KeyRouting& routing = access.routing;
  access.has_models = read("models", access.models);
  routing.has_only = read("only", routing.only);
  read("ignore", routing.ignore);
  read("regions", routing.regions);
  routing.zdr = root->is_true("zdr");
  routing.deny_data_collection = root->is_true("deny_data_collection");
  if (!is_sound) return std::nullopt;
  return access;
}

std::string uuid_text(std::string_view random) {
  LEAT_CHECK(random.size() >= 16);
  std::string text;
  for (std::size_t i = 0; i < 16; ++i) {
    auto byte = static_cast<unsigned char>(random[i]);
    if (i == 6) byte = static_cast<unsigned char>((byte & 0x0f) | 0x40);
    if (i == 8) byte = static_cast<unsigned char>((byte & 0x3f) | 0x80);
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += fmt::format("{:02x}", byte);
  }
  return text;
}

}  // namespace leat::control
