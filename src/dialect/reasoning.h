// SPDX-License-Identifier: Apache-2.0
// What a client wishes of reasoning, in OpenRouter's words (openrouter-api.md 4.7), and the one
// word that OpenAI's API has for it. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace leat::dialect {

// From the weakest; the values between kNone and kMax are neighbours.
enum class ReasoningEffort : std::uint8_t {
  kUnset,
  kNone,
  kMinimal,
  kLow,
  kMedium,
  kHigh,
  kXhigh,
  kMax,
};
std::string_view reasoning_effort_name(ReasoningEffort effort);
// kUnset for what is no effort's name.
ReasoningEffort reasoning_effort_of(std::string_view name);

struct ReasoningWish {
  static constexpr std::int64_t kUnset = -1;
  ReasoningEffort effort = ReasoningEffort::kUnset;  // of `reasoning` or `reasoning_effort`
  std::int64_t max_tokens = kUnset;
  bool enabled_set = false;
  bool enabled = false;
  bool exclude = false;  // not to be shown: `exclude`, or `include_reasoning` false

  // Whether it says how much to reason, or whether to.
  bool asks() const {
    return effort != ReasoningEffort::kUnset || max_tokens != kUnset || enabled_set;
  }
};

// The wish as an effort: a budget of tokens by its share of the output cap (`output_max`, or
// negative), by OpenRouter's shares, else by its size; and the nearest of the efforts that the
// model has, if it names any. "Off" goes before all else and is never made into more: it is kNone,
// or kUnset for a model whose efforts have no such. kUnset: the wish asks for nothing.
ReasoningEffort effort_for(const ReasoningWish& wish, std::int64_t output_max,
                           std::span<const std::string_view> efforts);

}  // namespace leat::dialect
