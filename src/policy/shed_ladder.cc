// SPDX-License-Identifier: Apache-2.0
#include "policy/shed_ladder.h"

#include "base/check.h"

namespace leat::policy {

namespace {

// A step is left when the measures were so far below it for so long. Whoever stays on it while
// there is room loses little, since requests are refused in turns that are late only; who leaves it
// while load is refused has all of that load until it is on it again. So the time is that in which
// what was refused comes back (retry-after is a second at least).
constexpr std::int64_t kLeaveLagPercent = 50;
constexpr std::uint32_t kLeaveMemoryPercent = 2;  // points below
constexpr Duration kQuietTime = seconds(1);

constexpr ShedStep above(ShedStep step) {
  return static_cast<ShedStep>(static_cast<std::uint8_t>(step) + 1);
}
constexpr ShedStep below(ShedStep step) {
  return static_cast<ShedStep>(static_cast<std::uint8_t>(step) - 1);
}

struct Measures {
  Duration lag;
  std::uint32_t memory_percent;
};

bool is_asked_for(ShedStep step, const ShedThresholds& thresholds, const Measures& measures) {
  const auto at = static_cast<std::size_t>(step);
  return measures.lag >= thresholds.lag[at] ||
         measures.memory_percent >= thresholds.memory_percent[at];
}

bool is_left(ShedStep step, const ShedThresholds& thresholds, const Measures& measures) {
  const auto at = static_cast<std::size_t>(step);
  return measures.lag.ns < thresholds.lag[at].ns / 100 * kLeaveLagPercent &&
         measures.memory_percent + kLeaveMemoryPercent < thresholds.memory_percent[at];
}

}  // namespace

std::string_view name_of(ShedStep step) {
  switch (step) {
    case ShedStep::kNone:
      return "none";
    case ShedStep::kShrinkTimeouts:
      return "shrink_timeouts";
    case ShedStep::kNoKeepAlive:
      return "no_keep_alive";
    case ShedStep::kRefuseGreedy:
      return "refuse_greedy";
    case ShedStep::kRefuseAll:
      return "refuse_all";
    case ShedStep::kStopAccept:
      return "stop_accept";
  }
  LEAT_UNREACHABLE("a step of no ladder");
}

void ShedLadder::update(const ShedThresholds& thresholds, Instant now, Duration lag,
                        std::uint32_t memory_percent) {
  if (now <= moved_at_) return;
  const Measures measures{lag, memory_percent};
  memory_step_ = ShedStep::kNone;
  for (std::size_t i = 1; i < kShedSteps; ++i) {
    if (memory_percent >= thresholds.memory_percent[i]) memory_step_ = static_cast<ShedStep>(i);
  }
  const bool is_rising =
      step_ != ShedStep::kStopAccept && is_asked_for(above(step_), thresholds, measures);
  if (is_rising || memory_step_ > step_) {
    step_ = memory_step_ > step_ ? memory_step_ : above(step_);
    moved_at_ = risen_at_ = loud_at_ = now;
    return;
  }
  if (step_ == ShedStep::kNone) return;
  if (!is_left(step_, thresholds, measures)) {
    loud_at_ = now;
    return;
  }
  // Each step down takes its quiet time; a long silence takes several at once.
  while (step_ != ShedStep::kNone && now - loud_at_ >= kQuietTime &&
         is_left(step_, thresholds, measures)) {
    step_ = below(step_);
    loud_at_ = loud_at_ + kQuietTime;
    moved_at_ = now;
  }
}

}  // namespace leat::policy
