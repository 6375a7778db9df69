// SPDX-License-Identifier: Apache-2.0
#include "dialect/reasoning.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdlib>

namespace leat::dialect {
namespace {

// In the order of ReasoningEffort.
constexpr std::array<std::string_view, 8> kNames = {"",       "none", "minimal", "low",
                                                    "medium", "high", "xhigh",   "max"};

// Efforts of which every provider knows the three between (provider-formats.md 1b, 2.1): `minimal`
// and what is above `high` are refused by many.
ReasoningEffort effort_of_budget(std::int64_t budget, std::int64_t output_max) {
  if (output_max > 0) {
    if (budget >= output_max / 10 * 8) return ReasoningEffort::kHigh;
    return budget >= output_max / 2 ? ReasoningEffort::kMedium : ReasoningEffort::kLow;
  }
  if (budget >= 16'000) return ReasoningEffort::kHigh;
  return budget >= 4'096 ? ReasoningEffort::kMedium : ReasoningEffort::kLow;
}

ReasoningEffort nearest_of(ReasoningEffort wanted, std::span<const std::string_view> efforts) {
  ReasoningEffort best = ReasoningEffort::kUnset;
  int best_distance = 0;
  for (const std::string_view name : efforts) {
    const ReasoningEffort effort = reasoning_effort_of(name);
    if (effort == ReasoningEffort::kUnset || effort == ReasoningEffort::kNone) continue;
    const int distance = std::abs(static_cast<int>(effort) - static_cast<int>(wanted));
    // Of two as near the weaker, which costs less.
    const bool is_better = best == ReasoningEffort::kUnset || distance < best_distance ||
                           (distance == best_distance && effort < best);
    if (!is_better) continue;
    best = effort;
    best_distance = distance;
  }
  return best == ReasoningEffort::kUnset ? wanted : best;
}

}  // namespace

std::string_view reasoning_effort_name(ReasoningEffort effort) {
  return kNames[static_cast<std::size_t>(effort)];
}

ReasoningEffort reasoning_effort_of(std::string_view name) {
  for (std::size_t i = 1; i < kNames.size(); ++i) {
    if (name == kNames[i]) return static_cast<ReasoningEffort>(i);
  }
  return ReasoningEffort::kUnset;
}

ReasoningEffort effort_for(const ReasoningWish& wish, std::int64_t output_max,
                           std::span<const std::string_view> efforts) {
  ReasoningEffort effort = wish.effort;
  if (effort == ReasoningEffort::kUnset) {
    if (wish.max_tokens > 0) {
      effort = effort_of_budget(wish.max_tokens, output_max);
    } else if (wish.max_tokens == 0) {
      effort = ReasoningEffort::kNone;
    } else if (wish.enabled_set) {
      effort = ReasoningEffort::kMedium;
    }
  }
  if (wish.enabled_set && !wish.enabled) effort = ReasoningEffort::kNone;
  if (effort == ReasoningEffort::kUnset) return effort;
  if (effort != ReasoningEffort::kNone) return nearest_of(effort, efforts);
  const bool has_none = efforts.empty() || std::ranges::find(efforts, "none") != efforts.end();
  return has_none ? effort : ReasoningEffort::kUnset;
}

}  // namespace leat::dialect
