// SPDX-License-Identifier: Apache-2.0
// Breaker: keeps requests from an endpoint that fails, and lets them back gently. One per endpoint,
// owned by whoever owns the HealthBoard (or by a shard alone); fed with counts, asked for a state.
// Pure: time is an argument.
//
//             failures, or hung               open time is over          begin_probe()
//   kClosed ---------------------> kOpen ------------------------> kProbe -----------> kHalfOpen
//      ^                            ^                                ^                  |  |  |
//      |  slow start: 10 % -> 100 % |        a failure: twice        |  no word         |  |  |
//      |  of its traffic            +------- the open time ----------|------------------+  |  |
//      |                                                             +---------------------+  |
//      +--------------------------------- a success ------------------------------------------+
//
// Every state but kClosed ends by time alone, so none can last for ever. How many endpoints of a
// model may be out at once (half) is decided where all are in view: plan.h.
#pragma once

#include <array>
#include <cstdint>

#include "base/instant.h"
#include "policy/health_view.h"

namespace leat::policy {

// The rules' numbers; threats-and-faults.md F1, F31.
struct BreakerLimits {
  std::uint32_t failures = 5;          // within 10 s, and at least half of what counted; .cc
  Duration open_first = seconds(1);    // doubled by each probe that fails
  Duration open_max = seconds(2);      // back in traffic within 2 s of the endpoint's return
  Duration probe_max = seconds(10);    // no word from the probe for so long: another may go
  Duration slow_start = seconds(10);   // after recovery; linear
  std::uint32_t start_permille = 100;  // of its due traffic at the beginning of it
};

class Breaker {
 public:
  Breaker() = default;
  explicit Breaker(const BreakerLimits& limits) : limits_(limits) {}

  // Signs of life (first tokens: the end of a stream would come minutes late) and failures since
  // the last call; only what counts (policy/outcome.h). In kOpen nothing counts: those are attempts
  // that began before. REQUIRES: now never goes back between calls.
  void record(Instant now, std::uint32_t first_tokens, std::uint32_t failures);
  // Opens at once: what is in flight is overdue (a hung endpoint).
  void trip(Instant now);
  // The next request is the probe. REQUIRES: state(now) == kProbe.
  void begin_probe(Instant now);

  BreakerState state(Instant now) const;
  // The share of its due traffic that the endpoint may draw.
  std::uint16_t weight_permille(Instant now) const;
  // When the open time ends; in the past where it is not open.
  Instant open_until() const { return open_until_; }

 private:
  enum class Phase : std::uint8_t { kClosed, kOpen, kHalfOpen };
  static constexpr std::int64_t kSlots = 20;
  static constexpr std::int64_t kSlotNs = 500'000'000;
  struct Slot {
    std::uint32_t first_tokens = 0;
    std::uint32_t failures = 0;
  };
  bool is_starting(Instant now) const;
  void advance(Instant now);
  bool fails_lately() const;
  void open(Instant now);
  void close(Instant now);

  BreakerLimits limits_;
  Phase phase_ = Phase::kClosed;
  Duration open_time_{0};
  Instant open_until_{0};   // kOpen
  Instant probe_until_{0};  // kHalfOpen
  bool has_recovered_ = false;
  Instant recovered_at_{0};
  std::int64_t tick_ = -1;  // the newest slot's
  std::array<Slot, kSlots> slots_{};
};

}  // namespace leat::policy
