// SPDX-License-Identifier: Apache-2.0
// Which of several keys (or addresses) of one endpoint the next attempt uses: of two drawn at
// random, the one of the lower score (engine.md 10), so that shards that know little of each other
// do not all run to the same best one. The score is what waiting would cost there: the peak of its
// recent first-token times, by what is in flight, over what is left of its limits. A failure is a
// penalty, never a fast sample. Owned by one shard; no clock, no allocation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/instant.h"
#include "base/rng.h"
#include "policy/rate_memory.h"

namespace leat::policy {

class KeyHealth {
 public:
  void began() { ++in_flight_; }
  void ended();
  void first_token_came(Duration took, Instant now);
  // Failed or refused. wait: how long it says it is away, 0 where it does not.
  void failed(Duration wait, Instant now);
  // The key itself is refused (401, 403) or its money is gone (402, insufficient_quota): only a
  // person can mend that, so it rests for long.
  void rest(Instant until) { rests_until_ = until > rests_until_ ? until : rests_until_; }

  // The same key in another configuration, where none of its requests runs yet. `rests`: whether it
  // goes on resting.
  KeyHealth carried_over(bool rests) const {
    KeyHealth made = *this;
    made.in_flight_ = 0;
    if (!rests) made.rests_until_ = Instant{0};
    return made;
  }

  RateMemory& rate() { return rate_; }
  const RateMemory& rate() const { return rate_; }
  std::uint32_t in_flight() const { return in_flight_; }
  Instant usable_from() const;
  // Lower is better; in seconds. REQUIRES: usable_from() <= now.
  double score(Instant now) const;

 private:
  double decayed(double value, Instant since, Instant now) const;

  RateMemory rate_;
  Instant rests_until_{0};
  double peak_s_ = 0;     // of first-token times, decaying
  double penalty_s_ = 0;  // of the last failure, decaying
  Instant peak_at_{0};
  Instant penalty_at_{0};
  std::uint32_t in_flight_ = 0;
};

inline constexpr Duration kKeyRest = seconds(600);
inline constexpr std::size_t kKeysMax = 64;

// Bit i of `tried` is set where keys[i] was used by this request before. None: all are tried,
// limited or resting. REQUIRES: keys.size() <= kKeysMax.
std::optional<std::size_t> choose_key(std::span<const KeyHealth> keys, std::uint64_t tried,
                                      Instant now, Rng& rng);

// When the first of them may be used: what the endpoint's EndpointHealth::limited_until is.
Instant keys_usable_from(std::span<const KeyHealth> keys);

}  // namespace leat::policy
