// SPDX-License-Identifier: Apache-2.0
// Prices: what an endpoint asks for a unit of each class, with the overrides that hold under
// conditions. Integer pico-dollars (1e-12 USD) a unit, since real prices lie below the nano-dollar
// in which money is counted: $0.0028 per million tokens is 2,800. The number is also micro-dollars
// per million units. Values only; the time comes in as an argument (openrouter-api.md 1.2).
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "base/instant.h"
#include "policy/terms.h"

namespace leat::policy {

using Picodollars = std::int64_t;

// The dearest price that a catalogue may hold: $1,000 a unit. A price times a count is to be taken
// in 128 bits.
inline constexpr Picodollars kPriceMax = 1'000'000'000'000'000;

struct Prices {
  // The class was not stated. Not the same as 0, which is free.
  static constexpr Picodollars kUnstated = -1;

  constexpr Prices() { values.fill(kUnstated); }
  constexpr Picodollars operator[](PriceClass c) const {
    return values[static_cast<std::size_t>(c)];
  }
  constexpr Picodollars& operator[](PriceClass c) { return values[static_cast<std::size_t>(c)]; }
  // What a unit costs: the stated price, else that of the class it is a part of (a reasoning token
  // is a completion token, a cached one a prompt token), else 0.
  Picodollars charged(PriceClass c) const {
    const Picodollars stated = (*this)[c];
    return stated != kUnstated ? stated : charged_as_part(c);
  }

  constexpr bool operator==(const Prices&) const = default;

  Picodollars charged_as_part(PriceClass c) const;

  std::array<Picodollars, kPriceClasses> values;
};

// Whether a prompt that the provider still has costs less than one that it has not.
inline bool rewards_staying(const Prices& prices) {
  return prices.charged(PriceClass::kInputCacheRead) < prices.charged(PriceClass::kPrompt);
}

// A moment of the week in UTC, as overrides see it.
struct UtcMoment {
  std::uint8_t weekday = 0;  // 0 is Sunday
  std::uint16_t minute = 0;  // of the day

  static UtcMoment of(WallTime now);
};

// Prices that take the place of the standing ones while all its conditions hold. Stated classes
// replace; later entries win, class by class.
struct PriceOverride {
  static constexpr std::uint16_t kAnyMinute = 0xffff;

  std::uint64_t prompt_tokens_over = 0;  // "min_prompt_tokens": strictly more than this
  std::uint16_t utc_start = kAnyMinute;  // minute of the day; half-open, may wrap midnight
  std::uint16_t utc_end = kAnyMinute;    // both or neither are given
  std::uint8_t utc_days = 0x7f;          // bit 0 is Sunday; all unless told
  bool has_prompt_condition = false;     // whether prompt_tokens_over counts
  Prices prices;

  bool holds(std::uint64_t prompt_tokens, UtcMoment now) const;
};

// The prices of this very request.
Prices prices_at(const Prices& standing, std::span<const PriceOverride> overrides,
                 std::uint64_t prompt_tokens, UtcMoment now);

}  // namespace leat::policy
