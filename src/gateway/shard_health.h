// SPDX-License-Identifier: Apache-2.0
// ShardHealth: what one shard knows of every endpoint, and what it has to tell. It holds the view
// that plans read, the health ring of each endpoint that the shard has asked, the limits and the
// load of each provider key at each endpoint, and the news for the health board. Owned by the
// shard's Gateway; no clock: time is an argument.
//
//   began() -> [first_token()] -> ended()     once for each attempt
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/instant.h"
#include "base/rng.h"
#include "gateway/health_link.h"
#include "gateway/shard_report.h"
#include "gateway/snapshot.h"
#include "policy/health_ring.h"
#include "policy/health_view.h"
#include "policy/key_choice.h"
#include "policy/rate_headers.h"

namespace leat::gateway {

// One asking of one endpoint with one of its provider's keys.
struct HealthAttempt {
  // No key of the operator's: nothing is noted of any (own_key_states.h).
  static constexpr std::uint8_t kOwnKey = 0xff;

  policy::EndpointId endpoint = policy::kNoId;
  std::uint8_t key = 0;
  // Its wait for a first token is watched. Not that of a whole answer, which comes when it is
  // finished: how long that takes says nothing of whether the endpoint hangs.
  bool streams = false;
  Instant started{0};
  Duration first_token = policy::Outcome::kNoToken;  // from `started`
};

class ShardHealth {
 public:
  ShardHealth(const Snapshot& snapshot, std::uint32_t shard);

  policy::HealthView view() const { return views_; }
  std::span<const policy::HealthReport> reports() const { return reports_; }
  Duration first_token_limit(policy::EndpointId endpoint) const {
    return limits_[endpoint].first_token;
  }

  // Of the last 30 minutes; 0 where too little is known.
  Duration first_token_p95(policy::EndpointId endpoint) const {
    return limits_[endpoint].first_token_p95;
  }

  // What was known of the keys that both configurations have, at endpoints that both have at the
  // same place. Before anything is asked.
  void keep_keys(const ShardHealth& before, const Snapshot& then, const Snapshot& now_served,
                 Instant now);

  // Which key to ask it with; none: all are tried, limited or resting. Bit i of `tried` is key i.
  std::optional<std::uint8_t> choose_key(policy::EndpointId endpoint, std::uint64_t tried,
                                         Instant now, Rng& rng) const;
  std::size_t key_count(policy::EndpointId endpoint) const { return keys_of(endpoint).size(); }

  // ---- An attempt ----
  HealthAttempt began(policy::EndpointId endpoint, std::uint8_t key, bool streams, Instant now);
  void first_token(HealthAttempt& attempt, Instant now);
  // `outcome` but for its times, which are known here. wait: how long the provider asks to be left
  // alone, or 0.
  void ended(const HealthAttempt& attempt, policy::Outcome outcome, Duration wait, Instant now);
  // A reply's head came, with what it says of limits.
  void note_reply(const HealthAttempt& attempt, int status, const policy::RateNotice& notice,
                  Instant now);
  // The key itself was refused. The only one of a provider goes on: the breaker judges it.
  void rest_key(const HealthAttempt& attempt, Instant now);

  // ---- The board ----
  // What happened since the last time; may be empty.
  std::unique_ptr<HealthNews> take_news(Instant now);
  void apply(const HealthUpdate& update);
  // Appends the last outcomes of all endpoints, as their rings have them.
  void add_outcomes(Instant now, std::vector<EndpointOutcome>& to) const;

 private:
  struct EndpointLimits {
    Duration first_token{0};
    Duration suspect_after{0};
    Duration first_token_p95{0};
  };
  struct Touched {
    std::unique_ptr<policy::HealthRing> ring;
    bool has_news = false;
  };
  std::span<policy::KeyHealth> keys_of(policy::EndpointId endpoint) {
    return std::span(keys_).subspan(key_begins_[endpoint],
                                    key_begins_[endpoint + 1] - key_begins_[endpoint]);
  }
  std::span<const policy::KeyHealth> keys_of(policy::EndpointId endpoint) const {
    return const_cast<ShardHealth*>(this)->keys_of(endpoint);
  }
  // Null: the attempt's key is not the operator's.
  policy::KeyHealth* key_of(const HealthAttempt& attempt);
  policy::HealthRing& touch(policy::EndpointId endpoint);
  void tell_limit(policy::EndpointId endpoint, Instant now);

  std::uint32_t shard_;
  std::vector<policy::EndpointHealth> views_;  // these four by EndpointId
  std::vector<policy::HealthReport> reports_;
  std::vector<EndpointLimits> limits_;
  std::vector<Touched> touched_;
  std::vector<std::uint32_t> key_begins_;  // into keys_; one more than there are endpoints
  std::vector<policy::KeyHealth> keys_;
  // Those with attempts under way or news to tell: the others are not looked at.
  std::vector<policy::EndpointId> active_;
  std::vector<HealthNews::Limit> told_limits_;
  std::vector<policy::EndpointId> begun_probes_;
};

}  // namespace leat::gateway
