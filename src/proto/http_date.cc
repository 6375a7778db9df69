// SPDX-License-Identifier: Apache-2.0
#include "proto/http_date.h"

#include <chrono>
#include <cstring>

namespace leat::proto {

void write_http_date(std::int64_t unix_seconds, std::span<char, kHttpDateBytes> to) {
  using namespace std::chrono;
  constexpr char kDays[] = "SunMonTueWedThuFriSat";
  constexpr char kMonths[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
  const sys_seconds time{seconds(unix_seconds)};
  const sys_days day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(time - day);
  const auto two_digits = [&to](std::size_t at, unsigned value) {
    to[at] = static_cast<char>('0' + value / 10 % 10);
    to[at + 1] = static_cast<char>('0' + value % 10);
  };
  std::memcpy(to.data(), "www, dd mmm yyyy hh:mm:ss GMT", kHttpDateBytes);
  std::memcpy(&to[0], kDays + std::size_t{3} * weekday(day).c_encoding(), 3);
  std::memcpy(&to[8], kMonths + std::size_t{3} * (static_cast<unsigned>(date.month()) - 1), 3);
  const auto year = static_cast<unsigned>(static_cast<int>(date.year()));
  two_digits(5, static_cast<unsigned>(date.day()));
  two_digits(12, year / 100);
  two_digits(14, year % 100);
  two_digits(17, static_cast<unsigned>(clock.hours().count()));
  two_digits(20, static_cast<unsigned>(clock.minutes().count()));
  two_digits(23, static_cast<unsigned>(clock.seconds().count()));
}

}  // namespace leat::proto
