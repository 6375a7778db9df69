// SPDX-License-Identifier: Apache-2.0
#include "dialect/wait_time.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace leat::dialect {

namespace {

// A plain number from here on is a Unix time in seconds (2001), from the next on in milliseconds.
constexpr double kUnixSecondsMin = 1e9;
constexpr double kUnixMillisMin = 1e12;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::int64_t bounded(double milliseconds) {
  if (!(milliseconds > 0)) return 0;
  return static_cast<std::int64_t>(
      std::ceil(std::min(milliseconds, static_cast<double>(kWaitMsMax))));
}

std::int64_t until(double unix_ms, std::int64_t now_unix_ms) {
  return bounded(unix_ms - static_cast<double>(now_unix_ms));
}

// A number without sign or exponent at the front of `text`, which moves past it.
std::optional<double> take_number(std::string_view& text) {
  if (text.empty() || !is_digit(text.front())) return std::nullopt;
  double number = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

// Exactly `size` digits at the front.
std::optional<int> take_digits(std::string_view& text, std::size_t size) {
  if (text.size() < size) return std::nullopt;
  int number = 0;
  for (std::size_t i = 0; i < size; ++i) {
    if (!is_digit(text[i])) return std::nullopt;
    number = number * 10 + (text[i] - '0');
  }
  text.remove_prefix(size);
  return number;
}

bool take(std::string_view& text, std::string_view what) {
  if (!text.starts_with(what)) return false;
  text.remove_prefix(what.size());
  return true;
}

// Seconds since 1970 of a civil time in UTC; nothing if there is no such day or time.
std::optional<double> unix_seconds(int year, int month, int day, int hour, int minute,
                                   double second) {
  constexpr std::array<int, 12> kDaysBefore = {0,   31,  59,  90,  120, 151,
                                               181, 212, 243, 273, 304, 334};
  if (year < 1970 || month < 1 || month > 12 || day < 1 || day > 31) return std::nullopt;
  if (hour > 23 || minute > 59 || !(second < 61)) return std::nullopt;
  // Leap days up to the end of the year before, or of this one once February is over.
  const int leap_year = month > 2 ? year : year - 1;
  const int leaps = leap_year / 4 - leap_year / 100 + leap_year / 400 - 477;
  const int days =
      (year - 1970) * 365 + leaps + kDaysBefore[static_cast<std::size_t>(month - 1)] + day - 1;
  return days * 86'400.0 + hour * 3'600.0 + minute * 60.0 + second;
}

std::optional<double> read_duration(std::string_view text) {
  struct Unit {
    std::string_view name;
    double milliseconds;
  };
  // `ms` before `m`: the longer name wins.
  static constexpr Unit kUnits[] = {
      {"ms", 1}, {"us", 1e-3}, {"ns", 1e-6}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1'000},
  };
  double total = 0;
  while (!text.empty()) {
    const auto number = take_number(text);
    if (!number) return std::nullopt;
    const auto unit =
        std::ranges::find_if(kUnits, [&](const Unit& each) { return text.starts_with(each.name); });
    if (unit == std::end(kUnits)) return std::nullopt;
    text.remove_prefix(unit->name.size());
    total += *number * unit->milliseconds;
  }
  return total;
}

// 2026-01-02T03:04:05.6Z, or with an offset.
std::optional<double> read_rfc3339(std::string_view text) {
  const auto year = take_digits(text, 4);
  if (!year || !take(text, "-")) return std::nullopt;
  const auto month = take_digits(text, 2);
  if (!month || !take(text, "-")) return std::nullopt;
  const auto day = take_digits(text, 2);
  if (!day || !(take(text, "T") || take(text, "t") || take(text, " "))) return std::nullopt;
  const auto hour = take_digits(text, 2);
  if (!hour || !take(text, ":")) return std::nullopt;
  const auto minute = take_digits(text, 2);
  if (!minute || !take(text, ":")) return std::nullopt;
  const auto second = take_number(text);
  if (!second) return std::nullopt;
  const auto seconds = unix_seconds(*year, *month, *day, *hour, *minute, *second);
  if (!seconds) return std::nullopt;
  if (text == "Z" || text == "z") return *seconds;
  const bool ahead = take(text, "+");
  if (!ahead && !take(text, "-")) return std::nullopt;
  const auto offset_hours = take_digits(text, 2);
  if (!offset_hours || !take(text, ":")) return std::nullopt;
  const auto offset_minutes = take_digits(text, 2);
  if (!offset_minutes || !text.empty()) return std::nullopt;
  const double offset = *offset_hours * 3'600.0 + *offset_minutes * 60.0;
  return ahead ? *seconds - offset : *seconds + offset;
}

// Sun, 06 Nov 1994 08:49:37 GMT (RFC 9110, 5.6.7); the two forms of old are not read.
std::optional<double> read_http_date(std::string_view text) {
  static constexpr std::string_view kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::size_t comma = text.find(", ");
  if (comma == std::string_view::npos) return std::nullopt;
  text.remove_prefix(comma + 2);
  const auto day = take_digits(text, 2);
  if (!day || !take(text, " ") || text.size() < 3) return std::nullopt;
  const auto month = std::ranges::find(kMonths, text.substr(0, 3));
  if (month == std::end(kMonths)) return std::nullopt;
  text.remove_prefix(3);
  if (!take(text, " ")) return std::nullopt;
  const auto year = take_digits(text, 4);
  if (!year || !take(text, " ")) return std::nullopt;
  const auto hour = take_digits(text, 2);
  if (!hour || !take(text, ":")) return std::nullopt;
  const auto minute = take_digits(text, 2);
  if (!minute || !take(text, ":")) return std::nullopt;
  const auto second = take_digits(text, 2);
  if (!second || text != " GMT") return std::nullopt;
  const int month_number = static_cast<int>(month - std::begin(kMonths)) + 1;
  return unix_seconds(*year, month_number, *day, *hour, *minute, *second);
}

}  // namespace

std::optional<std::int64_t> read_wait_ms(std::string_view value, std::int64_t now_unix_ms) {
  value = trimmed(value);
  std::string_view rest = value;
  const auto number = take_number(rest);
  if (number && rest.empty()) {
    if (*number >= kUnixMillisMin) return until(*number, now_unix_ms);
    if (*number >= kUnixSecondsMin) return until(*number * 1'000, now_unix_ms);
    return bounded(*number * 1'000);
  }
  if (number) {
    if (const auto duration = read_duration(value)) return bounded(*duration);
  }
  auto seconds = read_rfc3339(value);
  if (!seconds) seconds = read_http_date(value);
  if (!seconds) return std::nullopt;
  return until(*seconds * 1'000, now_unix_ms);
}

std::optional<std::int64_t> read_wait_ms_field(std::string_view value) {
  value = trimmed(value);
  const auto number = take_number(value);
  if (!number || !value.empty()) return std::nullopt;
  return bounded(*number);
}

}  // namespace leat::dialect
