// SPDX-License-Identifier: Apache-2.0
// LoadMeter: how busy a shard's loop is, and how late.
//
// Busy is told by the rate of completions: that rate does not change with the size of the batches
// that the loop waits for, so the answer does not swing with its own effect, as completions per
// turn would.
//
// Late is by how much turns end after the moment by which they were to end at the latest: work, or
// others on the core, or the end of its quota, kept the loop from what was there already. A turn
// that had nothing to wait for, or slept too long for nobody, is not late. It needs no clock
// reading beside the turn's; a turn of no deadline near by is given one (probe_by) once turns take
// long, as only then can there be anything to find. Turns that are short may be late too, by what
// they leave behind: Io tells (waiting_time()).
//
// Lag is the lateness that does not go away: the least of the last turns. A loop that has room left
// catches up between two hiccups, and its lag is nothing, however late single turns are; one that
// has none is late in every turn, even by little (as CoDel tells a standing queue, RFC 8289 4.2).
//
// A member of its shard; used from the shard's thread only.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/instant.h"

namespace leat::shard {

class LoadMeter {
 public:
  explicit LoadMeter(Instant now)
      : window_begin_(now), counted_at_(now), wake_by_(now), span_begin_(now) {}

  // By when the next turn should end so that its lateness can be told; kNever: it need not.
  Instant probe_by() const;
  // Before each turn: when it will end at the latest, if nothing keeps it.
  void begin_turn(Instant wake_by) { wake_by_ = wake_by < counted_at_ ? counted_at_ : wake_by; }
  // How late the running turn is, or the last one was: what came waited about so long, or twice
  // that, before anybody looked at it. `waited`: Io::waiting_time() of the running turn.
  Duration lateness(Instant now, Duration waited = {}) const;
  // How late every turn has been lately, the running one included: in the last 50 to 100 ms and at
  // least the last three turns. `now`: the running turn's, or the last one's.
  Duration lag(Instant now, Duration waited = {}) const {
    return std::min(standing(), lateness(now, waited));
  }
  // Once a turn: what it brought, when it ended, and what that had waited.
  void count(Instant now, std::uint64_t completions, Duration waited = {});
  // What a completion takes, by the clock, all that follows from it in its turn included; of a loop
  // that does not sleep.
  Duration completion_time() const { return completion_time_; }
  // Latched between two rates, so that a load at the edge does not flicker.
  bool is_busy() const { return is_busy_; }

 private:
  void note_lateness(Instant now, Duration waited);

  static constexpr Duration kSpanEmpty{INT64_MAX};
  // The least lateness of the span that is under way and of the one before it.
  Duration standing() const { return std::min(least_before_, least_); }

  Instant window_begin_;
  std::uint64_t in_window_ = 0;
  Instant counted_at_;  // the last turn's time
  Instant wake_by_;     // of the running turn
  Duration late_{};     // of the turn that ended then
  Instant span_begin_;
  std::uint32_t span_turns_ = 0;
  Duration least_{kSpanEmpty};
  Duration least_before_{};         // of the span before
  Duration interval_{};             // between the last two turns
  Instant long_at_{INT64_MIN / 2};  // when last a turn was long
  Duration completion_time_{};
  std::uint64_t in_turn_ = 0;  // what the last turn brought
  bool is_busy_ = false;
};

}  // namespace leat::shard
