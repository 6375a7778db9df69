// SPDX-License-Identifier: Apache-2.0
#include "gateway/own_key_states.h"

namespace leat::gateway {

const OwnKeyStates::State* OwnKeyStates::find(const OwnKeyRef& key,
                                              policy::EndpointId endpoint) const {
  const auto found = states_.find(name_of(key.id, endpoint));
  const bool is_same = found != states_.end() && found->second.revision == key.revision;
  return is_same ? &found->second : nullptr;
}

// Null: there are too many, all of which say something still; or the key is gone with its request.
OwnKeyStates::State* OwnKeyStates::state_of(const OwnKeyRef& key, policy::EndpointId endpoint,
                                            Instant now) {
  if (is_request_key(key.id)) return nullptr;
  const std::uint64_t name = name_of(key.id, endpoint);
  if (states_.size() >= kStatesMax && !states_.contains(name)) {
    std::erase_if(states_, [&](const auto& each) {
      return each.second.rests_until <= now && !each.second.rate.is_limited(now);
    });
    if (states_.size() >= kStatesMax) return nullptr;
  }
  State& state = states_[name];
  // What is heard late of a secret that was replaced counts for nobody.
  if (key.revision < state.revision) return nullptr;
  if (key.revision > state.revision) state = {.revision = key.revision};
  return &state;
}

void OwnKeyStates::rest(const OwnKeyRef& key, Instant now) {
  if (State* state = state_of(key, policy::kNoId, now)) state->rests_until = now + kOwnKeyRest;
}

void OwnKeyStates::note_reply(const OwnKeyRef& key, policy::EndpointId endpoint, int status,
                              const policy::RateNotice& notice, Instant now) {
  if (State* state = state_of(key, endpoint, now)) state->rate.note_reply(status, notice, now);
}

bool OwnKeyStates::is_resting(const OwnKeyRef& key, Instant now) const {
  const State* const state = find(key, policy::kNoId);
  return state != nullptr && now < state->rests_until;
}

Instant OwnKeyStates::limited_until(const OwnKeyRef& key, policy::EndpointId endpoint) const {
  const State* const state = find(key, endpoint);
  return state == nullptr ? Instant{0} : state->rate.limited_until();
}

}  // namespace leat::gateway
