// SPDX-License-Identifier: Apache-2.0
#include "gateway/shedding.h"

#include <algorithm>
#include <utility>

namespace leat::gateway {

using policy::ShedStep;

namespace {

// How much later than for the greedy everybody is refused.
constexpr std::int64_t kRefuseAllFactor = 10;
// While it refuses, it does so from a part of the lateness on at which refusing began: that is
// where a backlog is told from a full loop, this is how long it takes to refuse. Between the two
// parts more and more are refused, since all that wait in a turn have one lateness: a yes or no for
// all of them at once makes turns with far too much to do and turns with nothing.
constexpr std::int64_t kRefuseSomePercent = 10;
constexpr std::int64_t kRefusePercent = 50;
// How many can run is learnt from a lag above or below such a part of it. Above, it is no more than
// do run, and less by a half a second at twice that, twice as fast at most, down to a part: what
// runs has to end first. Without lag and where all are taken, it is more by a tenth a second, since
// who is one too many is so for as long as he runs; after each second without lag twice as fast, so
// that what was learnt from a pause of others, or of other requests, does not last. One always may.
constexpr std::int64_t kSteadyPercent = 2;
constexpr std::int64_t kOffMaxPercent = 200;
constexpr std::int64_t kLessPerSecondPercent = 50;
constexpr std::int64_t kLeastPercent = 75;
constexpr std::int64_t kMorePerSecondPercent = 10;
constexpr std::int64_t kMorePerSecondMaxPercent = 200;
constexpr Duration kLearntFromMax = milliseconds(100);  // of one turn
constexpr Duration kSpan = milliseconds(250);
// Up to there a key is served that has less than so much of its fair share: refusing all who have
// more is enough to be in time again, unless keys are as many as requests.
constexpr std::int64_t kSparedPercent = 50;
constexpr std::int64_t kShrink = 4;
// What a request takes until it waits for its provider: about as much as so many completions of
// streams.
constexpr std::int64_t kRequestCompletions = 10;

policy::ShedThresholds thresholds_of(const Limits& limits) {
  const Duration refuse = milliseconds(limits.late_refuse_ms);
  return {.lag = {Duration{}, milliseconds(limits.late_shrink_timeouts_ms),
                  milliseconds(limits.late_no_keep_alive_ms), refuse, refuse * kRefuseAllFactor,
                  milliseconds(limits.late_stop_accept_ms)},
          .memory_percent = {0, limits.memory_shrink_timeouts_percent,
                             limits.memory_no_keep_alive_percent, limits.memory_refuse_percent,
                             limits.memory_refuse_percent, limits.memory_stop_accept_percent}};
}

}  // namespace

ShedStep Shedding::step(const Limits& limits) {
  const Instant now = shard_.now();
  if (now == updated_at_) return ladder_.step();
  const Instant last = std::exchange(updated_at_, now);
  const std::uint32_t memory =
      memory_percent_ != nullptr ? memory_percent_->load(std::memory_order_relaxed) : 0;
  const ShedStep before = ladder_.step();
  const Duration lag = shard_.lag();
  ladder_.update(thresholds_of(limits), now, lag, memory);
  learn(limits, now - last, lag);
  counters_.turn_lag_us.set(static_cast<std::uint64_t>(lag.us()));
  const ShedStep after = ladder_.step();
  if (after != before) {
    counters_.shed_at_step[static_cast<std::size_t>(before)].set(0);
    for (auto i = static_cast<std::size_t>(before); i < static_cast<std::size_t>(after); ++i) {
      counters_.shed_climbs[i + 1].add();
    }
  }
  counters_.shed_at_step[static_cast<std::size_t>(after)].set(1);
  return after;
}

bool Shedding::is_memory_short(const Limits& limits) {
  step(limits);
  return ladder_.memory_step() >= ShedStep::kRefuseGreedy;
}

Duration Shedding::lateness() const {
  return shard_.lateness() + std::max(busy_until_ - shard_.now(), Duration{});
}

void Shedding::let_in() {
  const Duration work = shard_.completion_time() * kRequestCompletions;
  busy_until_ = std::max(busy_until_, shard_.now()) + work;
}

// Lateness is left to tell of bursts. By lag, which is nothing where a loop has room now and then:
// by the lateness of all turns a core's quota, which pauses every few milliseconds, would be taken
// for load: a third of what could be served was refused.
void Shedding::learn(const Limits& limits, Duration elapsed, Duration lag) {
  if (ladder_.step() < ShedStep::kRefuseGreedy) {
    room_ = kNotLearnt;
    return;
  }
  const std::int64_t most = std::max(most_, most_before_) * kMillion;
  if (most == 0 || shard_.now() - span_began_ > kSpan * 2) return;  // nobody has asked
  const std::int64_t steady = milliseconds(limits.late_refuse_ms).ns * kSteadyPercent / 100;
  const std::int64_t off = std::min<std::int64_t>((lag.ns - steady) * 100 / steady, kOffMaxPercent);
  if (room_ == kNotLearnt) {
    room_ = most;
    late_at_ = shard_.now();
  }
  const auto part = [&](std::int64_t percent, std::int64_t per_second) {
    const Duration over = std::min(elapsed, kLearntFromMax);
    return room_ / 100 * percent / 100 * per_second / 1000 * over.us() / 1000;
  };
  if (off > 0) {
    late_at_ = shard_.now();
    room_ = std::min(room_, most);
    room_ = std::max(room_ - part(off, kLessPerSecondPercent), most / 100 * kLeastPercent);
  } else if (is_full()) {
    const std::int64_t calm_s = (shard_.now() - late_at_).ns / seconds(1).ns;
    room_ += part(100, std::min(kMorePerSecondPercent << std::min<std::int64_t>(calm_s, 8),
                                kMorePerSecondMaxPercent));
  }
  room_ = std::max(room_, kMillion);
}

void Shedding::note_running(std::uint64_t running) {
  running_ = static_cast<std::int64_t>(running);
  if (shard_.now() - span_began_ >= kSpan) {
    most_before_ = shard_.now() - span_began_ < kSpan * 2 ? most_ : 0;
    most_ = 0;
    span_began_ = shard_.now();
  }
  most_ = std::max(most_, running_);
}

// Of a hundred who ask and may be refused, so many are.
std::int64_t Shedding::pressure(const Limits& limits) const {
  const std::int64_t percent = milliseconds(limits.late_refuse_ms).ns / 100;
  const std::int64_t above =
      std::max<std::int64_t>(lateness().ns / percent - kRefuseSomePercent, 0);
  const std::int64_t by_lateness = above * 100 / (kRefusePercent - kRefuseSomePercent);
  return is_full() ? 100 : std::min<std::int64_t>(by_lateness, 100);
}

// Of its fair share, from which on a key may be refused: all of it in a turn that is hardly late,
// the spared part where it is late, nothing where everybody is refused.
std::uint64_t Shedding::share_percent(const Limits& limits) const {
  const Duration all = milliseconds(limits.late_refuse_ms) * kRefuseAllFactor;
  if (lateness() >= all) return 0;
  return static_cast<std::uint64_t>(100 - pressure(limits) * (100 - kSparedPercent) / 100);
}

bool Shedding::accepts(const Limits& limits) {
  if (step(limits) < ShedStep::kStopAccept) return true;
  return ladder_.memory_step() < ShedStep::kStopAccept && pressure(limits) < 100;
}

bool Shedding::refuses(const Limits& limits, const KeyLoads& loads, std::uint32_t key) {
  note_running(loads.total());
  const ShedStep now = step(limits);
  if (now < ShedStep::kRefuseGreedy) return false;
  if (!may_refuse(limits, loads, key, now)) {
    let_in();
    return false;
  }
  ladder_.keep(shard_.now());
  return true;
}

bool Shedding::may_refuse(const Limits& limits, const KeyLoads& loads, std::uint32_t key,
                          ShedStep now) {
  const bool is_short = ladder_.memory_step() >= ShedStep::kRefuseGreedy;
  const auto chance = static_cast<std::uint64_t>(pressure(limits));
  if (!is_short && shard_.rng().below(100) >= chance) return false;
  const std::uint64_t percent = is_short ? 0 : share_percent(limits);
  if (policy::has_fair_share(loads.of(key).requests, loads.total(), loads.keys(), percent)) {
    counters_.shed_greedy.add();
    return true;
  }
  if (now < ShedStep::kRefuseAll || percent > 0) return false;
  counters_.shed_all.add();
  return true;
}

bool Shedding::keeps_alive(const Limits& limits, bool is_tls, bool is_refused) {
  if (step(limits) < ShedStep::kNoKeepAlive) return true;
  const bool moves_clients = shards_ > 1 && !is_tls && !is_refused;
  return ladder_.memory_step() < ShedStep::kNoKeepAlive && !moves_clients;
}

Duration Shedding::idle_time(const Limits& limits, std::uint32_t ms) {
  const bool is_shrunk = step(limits) >= ShedStep::kShrinkTimeouts;
  return milliseconds(is_shrunk ? ms / kShrink : ms);
}

}  // namespace leat::gateway
