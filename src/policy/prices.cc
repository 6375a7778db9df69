// SPDX-License-Identifier: Apache-2.0
#include "policy/prices.h"

namespace leat::policy {
namespace {

// What a class is a part of; itself where it stands alone.
constexpr PriceClass whole_of(PriceClass c) {
  switch (c) {
    case PriceClass::kInternalReasoning:
    case PriceClass::kImageOutput:
    case PriceClass::kAudioOutput:
      return PriceClass::kCompletion;
    case PriceClass::kInputCacheRead:
    case PriceClass::kInputCacheWrite:
    case PriceClass::kImageToken:
    case PriceClass::kAudio:
      return PriceClass::kPrompt;
    case PriceClass::kInputCacheWrite1h:
      return PriceClass::kInputCacheWrite;
    case PriceClass::kInputAudioCache:
      return PriceClass::kAudio;
    default:
      return c;
  }
}

}  // namespace

Picodollars Prices::charged_as_part(PriceClass c) const {
  while ((*this)[c] == kUnstated) {
    const PriceClass whole = whole_of(c);
    if (whole == c) return 0;
    c = whole;
  }
  return (*this)[c];
}

UtcMoment UtcMoment::of(WallTime now) {
  constexpr std::int64_t kDay = 86'400;
  const std::int64_t seconds = now.unix_seconds();
  // 1970-01-01 was a Thursday.
  return {.weekday = static_cast<std::uint8_t>((seconds / kDay + 4) % 7),
          .minute = static_cast<std::uint16_t>(seconds % kDay / 60)};
}

bool PriceOverride::holds(std::uint64_t prompt_tokens, UtcMoment now) const {
  if (has_prompt_condition && prompt_tokens <= prompt_tokens_over) return false;
  if ((utc_days >> now.weekday & 1) == 0) return false;
  if (utc_start == kAnyMinute) return true;
  if (utc_start <= utc_end) return now.minute >= utc_start && now.minute < utc_end;
  return now.minute >= utc_start || now.minute < utc_end;
}

Prices prices_at(const Prices& standing, std::span<const PriceOverride> overrides,
                 std::uint64_t prompt_tokens, UtcMoment now) {
  Prices prices = standing;
  for (const PriceOverride& override : overrides) {
    if (!override.holds(prompt_tokens, now)) continue;
    for (std::size_t i = 0; i < kPriceClasses; ++i) {
      if (override.prices.values[i] != Prices::kUnstated) {
        prices.values[i] = override.prices.values[i];
      }
    }
  }
  return prices;
}

}  // namespace leat::policy
