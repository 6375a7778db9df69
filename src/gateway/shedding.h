// SPDX-License-Identifier: Apache-2.0
// Shedding: what a shard that is late, or short of memory, does not do: policy's ShedLadder, with
// this shard's facts. A refused request costs little and is told when to come back; what runs is
// left alone.
//
// On a step that refuses or accepts nobody for lateness, that is so while the turn in which
// somebody came is late, by a part of what led to the step: room is used as soon as there is some,
// and who is refused has not waited for long. The later it is, the more are refused, and the less
// of a fair share it takes, until nobody is served who comes. How many requests can run at once is
// learnt: by lateness alone as much of it would be needed at all times as refuses so many, and who
// is let in burdens the loop for as long as an answer streams: what was let in too many in a turn
// that was in time would be late for seconds. What was let in and is to be done yet counts as
// lateness, or all who come in one turn that is not late would make the next ones late. Closing
// connections for lateness is for those without TLS: it moves clients to other shards, but with TLS
// each new connection costs more than several requests. A refusal closes for memory only, being
// cheaper than what would follow.
//
// A member of its shard's gateway.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/instant.h"
#include "gateway/counters.h"
#include "gateway/key_loads.h"
#include "leat/options.h"
#include "policy/shed_ladder.h"
#include "shard/shard.h"

namespace leat::gateway {

class Shedding {
 public:
  // `memory_percent`: of memory_bytes_max, written by control; null: not known. All outlive it.
  // `shards`: that clients may come to.
  Shedding(shard::Shard& shard, Counters& counters,
           const std::atomic<std::uint32_t>* memory_percent, std::uint32_t shards)
      : shard_(shard), counters_(counters), memory_percent_(memory_percent), shards_(shards) {}

  // Brings the ladder up to date, at most once a turn, and says where it is.
  policy::ShedStep step(const Limits& limits);
  bool accepts(const Limits& limits);
  // Whether a request of this key is refused now; counts it if so, and counts on it if not.
  bool refuses(const Limits& limits, const KeyLoads& loads, std::uint32_t key);
  bool keeps_alive(const Limits& limits, bool is_tls, bool is_refused);
  // A time that an idle or slow client may take, in milliseconds, as it is at this step.
  Duration idle_time(const Limits& limits, std::uint32_t ms);
  // Memory has come to where requests are refused.
  bool is_memory_short(const Limits& limits);
  // When who was refused may come back, in seconds: spread, that they do not come at once.
  std::int64_t retry_after_s() { return static_cast<std::int64_t>(1 + shard_.rng().below(3)); }

 private:
  bool may_refuse(const Limits& limits, const KeyLoads& loads, std::uint32_t key,
                  policy::ShedStep now);
  Duration lateness() const;
  std::int64_t pressure(const Limits& limits) const;
  void learn(const Limits& limits, Duration elapsed, Duration lag);
  void let_in();
  void note_running(std::uint64_t running);
  bool is_full() const { return room_ != kNotLearnt && (running_ + 1) * kMillion > room_; }
  std::uint64_t share_percent(const Limits& limits) const;

  static constexpr std::int64_t kMillion = 1'000'000;
  static constexpr std::int64_t kNotLearnt = -1;

  shard::Shard& shard_;
  Counters& counters_;
  const std::atomic<std::uint32_t>* memory_percent_;
  const std::uint32_t shards_;
  policy::ShedLadder ladder_;
  Instant updated_at_{-1};
  Instant busy_until_{-1};  // by what was let in
  // Requests under way, as those found who asked: the last one, and the most of the last spans.
  std::int64_t running_ = 0;
  std::int64_t most_ = 0;
  std::int64_t most_before_ = 0;
  Instant span_began_{};
  Instant late_at_{};
  std::int64_t room_ = kNotLearnt;  // for requests at once, in millionths: learnt on the ladder
};

}  // namespace leat::gateway
