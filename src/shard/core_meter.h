// SPDX-License-Identifier: Apache-2.0
// CoreMeter: what share of its core a shard uses, and, by that, how far streams are to be held back
// so that a receive and a send serve several of their events (engine.md 5).
//
// The share is CPU time by the time that passed, of spans of 50 ms, smoothed. A loop that is late
// could use more than it gets, and counts as one that uses all.
//
// The level, 0 to 1, grows while the share is above the threshold and shrinks while it is clearly
// below. It is not a function of the share: holding back lowers the share, so that such a level
// would swing between its ends. It takes a second from one end to the other at full use.
//
// A member of its shard; used from the shard's thread only.
#pragma once

#include "base/instant.h"

namespace leat::shard {

class CoreMeter {
 public:
  explicit CoreMeter(Instant now) : sampled_at_(now) {}

  // Whether sample() is to be called: asked once a turn.
  bool is_due(Instant now) const { return now - sampled_at_ >= kSpan; }
  // `cpu_time`: of the thread, in all; `lag`: LoadMeter::lag().
  void sample(Instant now, Duration cpu_time, Duration lag);

  double share() const { return share_; }
  // Above which share the level grows, in (0, 1).
  void set_threshold(double share) { threshold_ = share; }
  double level() const { return level_; }

 private:
  static constexpr Duration kSpan = milliseconds(50);

  Instant sampled_at_;
  Duration cpu_time_{};
  double share_ = 0;
  double threshold_ = 0.6;
  double level_ = 0;
};

}  // namespace leat::shard
