// SPDX-License-Identifier: Apache-2.0
// OwnKeyStates: what this shard was told by providers of own keys (BYOK): that one was refused, or
// is at its limit at an endpoint. It says nothing of the endpoint or of the operator's keys, so it
// is kept apart from their health. A secret that was replaced begins anew. Owned by the shard's
// Gateway; no clock. Allocates where a provider first says something of a key at an endpoint.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>

#include "base/instant.h"
#include "gateway/own_keys.h"
#include "policy/rate_memory.h"

namespace leat::gateway {

// A refused key is not asked first for so long: its owner may mend it at any moment.
inline constexpr Duration kOwnKeyRest = seconds(60);

class OwnKeyStates {
 public:
  // More pairs of key and endpoint are not remembered.
  static constexpr std::size_t kStatesMax = 16'384;

  // The key itself was refused, or its money is gone.
  void rest(const OwnKeyRef& key, Instant now);
  // A reply's head came, with what it says of limits.
  void note_reply(const OwnKeyRef& key, policy::EndpointId endpoint, int status,
                  const policy::RateNotice& notice, Instant now);

  // What was known under another catalogue; kNoId of `id_of`: that endpoint is gone.
  template <class IdOf>
  void keep(const OwnKeyStates& before, IdOf id_of) {
    for (const auto& [name, state] : before.states_) {
      const auto old = static_cast<policy::EndpointId>(name);
      const policy::EndpointId id = old == policy::kNoId ? old : id_of(old);
      if (id == policy::kNoId && old != policy::kNoId) continue;
      states_.emplace(name_of(static_cast<std::uint32_t>(name >> 32), id), state);
    }
  }

  bool is_resting(const OwnKeyRef& key, Instant now) const;
  // When the endpoint takes it again; past: now.
  Instant limited_until(const OwnKeyRef& key, policy::EndpointId endpoint) const;

  std::size_t size() const { return states_.size(); }

 private:
  struct State {
    std::uint32_t revision = 0;
    Instant rests_until{0};
    policy::RateMemory rate;
  };
  static std::uint64_t name_of(std::uint32_t key, policy::EndpointId endpoint) {
    return std::uint64_t{key} << 32 | endpoint;
  }
  const State* find(const OwnKeyRef& key, policy::EndpointId endpoint) const;
  State* state_of(const OwnKeyRef& key, policy::EndpointId endpoint, Instant now);

  std::unordered_map<std::uint64_t, State> states_;  // of a key as a whole: endpoint kNoId
};

}  // namespace leat::gateway
