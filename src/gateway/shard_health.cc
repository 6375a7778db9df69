// SPDX-License-Identifier: Apache-2.0
#include "gateway/shard_health.h"

#include <algorithm>

#include "policy/first_token_limit.h"

namespace leat::gateway {

using policy::EndpointId;

ShardHealth::ShardHealth(const Snapshot& snapshot, std::uint32_t shard) : shard_(shard) {
  const auto endpoints = snapshot.catalogue().endpoints();
  views_.resize(endpoints.size());
  reports_.resize(endpoints.size());
  touched_.resize(endpoints.size());
  limits_.reserve(endpoints.size());
  key_begins_.reserve(endpoints.size() + 1);
  std::uint32_t keys = 0;
  for (const policy::Endpoint& endpoint : endpoints) {
    key_begins_.push_back(keys);
    const std::uint32_t connection = snapshot.connection_of(endpoint);
    // What nobody can reach is disabled, and in no plan.
    if (connection != RoutedCatalogue::kNoConnection) {
      keys += static_cast<std::uint32_t>(snapshot.providers()[connection].bearers.size());
    }
    const Duration limit =
        policy::first_token_limit({0}, snapshot.times_of(endpoint.model).first_token);
    limits_.push_back({limit, policy::suspect_after({0}, limit), {0}});
  }
  key_begins_.push_back(keys);
  keys_.resize(keys);
}

void ShardHealth::keep_keys(const ShardHealth& before, const Snapshot& then,
                            const Snapshot& now_served, Instant now) {
  const auto former = then.catalogue().endpoints();
  for (EndpointId old = 0; old < former.size(); ++old) {
    const EndpointId id = now_served.catalogue().find_endpoint(former[old].identity);
    const auto old_keys = before.keys_of(old);
    if (id == policy::kNoId || old_keys.empty() || keys_of(id).empty()) continue;
    const auto from = then.connection_of(former[old]);
    const auto to = now_served.connection_of(now_served.catalogue().endpoint(id));
    // What another machine says of a key is another matter.
    const auto& place = then.options().providers[from].base_url;
    if (place != now_served.options().providers[to].base_url) continue;
    const auto keys = keys_of(id);
    const auto& old_bearers = then.providers()[from].bearers;
    const auto& bearers = now_served.providers()[to].bearers;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const auto same = std::ranges::find(old_bearers, bearers[i]);
      if (same == old_bearers.end()) continue;
      // The only one does not rest (rest_key).
      keys[i] = old_keys[static_cast<std::size_t>(same - old_bearers.begin())].carried_over(
          keys.size() > 1);
    }
    tell_limit(id, now);
  }
}

std::optional<std::uint8_t> ShardHealth::choose_key(EndpointId endpoint, std::uint64_t tried,
                                                    Instant now, Rng& rng) const {
  const auto chosen = policy::choose_key(keys_of(endpoint), tried, now, rng);
  if (!chosen) return std::nullopt;
  return static_cast<std::uint8_t>(*chosen);
}

policy::KeyHealth* ShardHealth::key_of(const HealthAttempt& attempt) {
  if (attempt.key == HealthAttempt::kOwnKey) return nullptr;
  return &keys_of(attempt.endpoint)[attempt.key];
}

policy::HealthRing& ShardHealth::touch(EndpointId endpoint) {
  Touched& touched = touched_[endpoint];
  if (touched.ring == nullptr) touched.ring = std::make_unique<policy::HealthRing>();
  if (!touched.has_news) active_.push_back(endpoint);
  touched.has_news = true;
  return *touched.ring;
}

HealthAttempt ShardHealth::began(EndpointId endpoint, std::uint8_t key, bool streams, Instant now) {
  if (views_[endpoint].breaker == policy::BreakerState::kProbe) {
    // One is enough; the board hears of it with the next news.
    views_[endpoint].breaker = policy::BreakerState::kHalfOpen;
    begun_probes_.push_back(endpoint);
  }
  if (streams) touch(endpoint).started(now);
  const HealthAttempt attempt{.endpoint = endpoint, .key = key, .streams = streams, .started = now};
  if (policy::KeyHealth* const asked = key_of(attempt)) asked->began();
  return attempt;
}

void ShardHealth::first_token(HealthAttempt& attempt, Instant now) {
  attempt.first_token = now - attempt.started;
  if (!attempt.streams) return;
  touch(attempt.endpoint).first_token_came(attempt.started, now);
  if (policy::KeyHealth* const key = key_of(attempt))
    key->first_token_came(attempt.first_token, now);
}

void ShardHealth::ended(const HealthAttempt& attempt, policy::Outcome outcome, Duration wait,
                        Instant now) {
  outcome.started = attempt.started;
  outcome.ended = now;
  policy::HealthRing& ring = touch(attempt.endpoint);
  if (attempt.streams) {
    outcome.first_token = attempt.first_token;
    ring.ended(outcome);
  } else {
    ring.ended_unwatched(outcome);
  }
  policy::KeyHealth* const key = key_of(attempt);
  if (key == nullptr) return;
  key->ended();
  const bool is_bad = outcome.outcome == policy::OutcomeClass::kFailure ||
                      outcome.outcome == policy::OutcomeClass::kRateLimited;
  if (is_bad) key->failed(wait, now);
}

void ShardHealth::note_reply(const HealthAttempt& attempt, int status,
                             const policy::RateNotice& notice, Instant now) {
  policy::KeyHealth* const key = key_of(attempt);
  if (key == nullptr) return;
  key->rate().note_reply(status, notice, now);
  tell_limit(attempt.endpoint, now);
}

void ShardHealth::rest_key(const HealthAttempt& attempt, Instant now) {
  const auto keys = keys_of(attempt.endpoint);
  if (keys.size() < 2 || attempt.key == HealthAttempt::kOwnKey) return;
  keys[attempt.key].rest(now + policy::kKeyRest);
  tell_limit(attempt.endpoint, now);
}

// An endpoint is limited while all its keys are.
void ShardHealth::tell_limit(EndpointId endpoint, Instant now) {
  const Instant until = policy::keys_usable_from(keys_of(endpoint));
  if (until <= now || until <= views_[endpoint].limited_until) return;
  views_[endpoint].limited_until = until;
  told_limits_.push_back({endpoint, until});
}

std::unique_ptr<HealthNews> ShardHealth::take_news(Instant now) {
  auto news = std::make_unique<HealthNews>();
  news->shard = shard_;
  std::size_t kept = 0;
  for (const EndpointId endpoint : active_) {
    policy::HealthRing& ring = *touched_[endpoint].ring;
    const policy::HealthSummary summary = ring.take(now, limits_[endpoint].suspect_after);
    if (!summary.is_empty()) news->summaries.push_back({endpoint, summary});
    // What waits grows older without anything else happening.
    if (ring.waiting() > 0) {
      active_[kept++] = endpoint;
    } else {
      touched_[endpoint].has_news = false;
    }
  }
  active_.resize(kept);
  news->limits.swap(told_limits_);
  news->probes.swap(begun_probes_);
  return news;
}

void ShardHealth::add_outcomes(Instant now, std::vector<EndpointOutcome>& to) const {
  for (EndpointId endpoint = 0; endpoint < touched_.size(); ++endpoint) {
    const policy::HealthRing* ring = touched_[endpoint].ring.get();
    if (ring == nullptr || to.size() >= EndpointOutcome::kToldMax) continue;
    for (std::size_t i = 0; i < ring->outcomes(); ++i) {
      const policy::Outcome& outcome = ring->outcome(i);
      to.push_back({endpoint, outcome, now - outcome.ended});
    }
  }
}

void ShardHealth::apply(const HealthUpdate& update) {
  for (const HealthUpdate::Row& row : update.rows) {
    policy::EndpointHealth& view = views_[row.endpoint];
    // What this shard heard itself may be newer.
    const Instant limited_until = std::max(view.limited_until, row.view.limited_until);
    view = row.view;
    view.limited_until = limited_until;
    reports_[row.endpoint] = row.report;
    limits_[row.endpoint] = {row.first_token_limit, row.suspect_after, row.first_token_p95};
  }
  // The board does not know yet of probes that are told with the next news.
  for (const EndpointId endpoint : begun_probes_) {
    if (views_[endpoint].breaker == policy::BreakerState::kProbe) {
      views_[endpoint].breaker = policy::BreakerState::kHalfOpen;
    }
  }
}

}  // namespace leat::gateway
