// SPDX-License-Identifier: Apache-2.0
// Instant and Duration: monotonic time in nanoseconds. Time reaches a shard only through Io::now();
// nothing here reads a clock. Wall time (for `created` fields and budgets) is WallTime.
#pragma once

#include <compare>
#include <cstdint>

namespace leat {

struct Duration {
  std::int64_t ns = 0;

  constexpr auto operator<=>(const Duration&) const = default;
  constexpr Duration operator+(Duration other) const { return {ns + other.ns}; }
  constexpr Duration operator-(Duration other) const { return {ns - other.ns}; }
  constexpr Duration operator*(std::int64_t factor) const { return {ns * factor}; }
  constexpr std::int64_t ms() const { return ns / 1'000'000; }
  constexpr std::int64_t us() const { return ns / 1'000; }
  constexpr double seconds() const { return static_cast<double>(ns) * 1e-9; }
};

constexpr Duration nanoseconds(std::int64_t n) {
  return {n};
}
constexpr Duration microseconds(std::int64_t n) {
  return {n * 1'000};
}
constexpr Duration milliseconds(std::int64_t n) {
  return {n * 1'000'000};
}
constexpr Duration seconds(std::int64_t n) {
  return {n * 1'000'000'000};
}

// A point of the monotonic clock. kNever lies after all others.
struct Instant {
  std::int64_t ns = 0;

  constexpr auto operator<=>(const Instant&) const = default;
  constexpr Instant operator+(Duration d) const {
    return ns > INT64_MAX - d.ns ? Instant{INT64_MAX} : Instant{ns + d.ns};
  }
  constexpr Instant operator-(Duration d) const { return {ns - d.ns}; }
  constexpr Duration operator-(Instant other) const { return {ns - other.ns}; }
};
inline constexpr Instant kNever{INT64_MAX};

// Nanoseconds since 1970-01-01T00:00:00Z. May jump; never used for timers.
struct WallTime {
  std::int64_t unix_ns = 0;
  constexpr std::int64_t unix_seconds() const { return unix_ns / 1'000'000'000; }
};

}  // namespace leat
