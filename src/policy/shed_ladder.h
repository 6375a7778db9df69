// SPDX-License-Identifier: Apache-2.0
// ShedLadder: what a shard gives up, step by step, when its loop is late or memory is short
// (threats-and-faults.md 3.3 "memory shed"), and when it takes that up again.
//
//   kNone -> kShrinkTimeouts -> kNoKeepAlive -> kRefuseGreedy -> kRefuseAll -> kStopAccept
//
// Up one step a turn for lateness, which one hiccup may feign, and at once as far as memory asks;
// down one at a time, when both measures have been
// clearly below what took it there for a while: else it would swing with what it does itself.
// Lateness first refuses those who have their fair share of the shard already (has_fair_share()),
// and all only where that does not help; memory has no such step, since who is refused holds none.
//
// A value in its shard's gateway; pure, facts and time are arguments.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/instant.h"

namespace leat::policy {

enum class ShedStep : std::uint8_t {
  kNone,
  kShrinkTimeouts,  // idle times a quarter
  kNoKeepAlive,     // connections close after an answer
  kRefuseGreedy,    // who has a fair share already: 503
  kRefuseAll,       // 503
  kStopAccept,      // nobody is accepted
};
inline constexpr std::size_t kShedSteps = 6;

std::string_view name_of(ShedStep step);

// From where each step is taken; in the order of ShedStep, ascending.
struct ShedThresholds {
  std::array<Duration, kShedSteps> lag{};
  std::array<std::uint32_t, kShedSteps> memory_percent{};
};

class ShedLadder {
 public:
  // Facts that may move it. Call it as often as it is asked for: a turn in which it was moved
  // already (`now` unchanged) moves it no further.
  void update(const ShedThresholds& thresholds, Instant now, Duration lag,
              std::uint32_t memory_percent);
  // Somebody was refused: the step does what it is for, and is not left yet, however
  // little late the loop has become by that. Not for ever: a loop that is just full, of clients who
  // each wait for their answer, would stay there after one hiccup; so now and then it is tried
  // without.
  void keep(Instant now) {
    if (now - risen_at_ < kKeptTime) loud_at_ = now;
  }
  ShedStep step() const { return step_; }
  // What memory alone asks for: what costs time to save memory is not done for lateness.
  ShedStep memory_step() const { return memory_step_; }

 private:
  static constexpr Duration kKeptTime = seconds(30);

  Instant moved_at_{};
  Instant risen_at_{};
  Instant loud_at_{};  // when it was last too loud to go down
  ShedStep step_ = ShedStep::kNone;
  ShedStep memory_step_ = ShedStep::kNone;
};

// Whether a key has its fair share of what runs, or so much of it: `own` of `total` requests, where
// `keys` have any. Who has none under way never has.
constexpr bool has_fair_share(std::uint64_t own, std::uint64_t total, std::uint64_t keys,
                              std::uint64_t percent = 100) {
  return own > 0 && own * keys * 100 >= total * percent;
}

}  // namespace leat::policy
