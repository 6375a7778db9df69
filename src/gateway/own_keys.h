// SPDX-License-Identifier: Apache-2.0
// OwnKeys: the provider keys that a workspace brought (BYOK), as shards need them: in the order in
// which they are used, with whom and what each is for, and the secret itself, which is wiped when
// no shard has it any more. Made by control, shared by shards, immutable.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "policy/account.h"
#include "policy/own_key.h"
#include "tls/secret_slots.h"

namespace leat::gateway {

using KeyDigest = std::array<std::uint8_t, 32>;

// From here on: keys that came with a request (request_keys.h), good for that one alone. Rows of
// the store are counted from 1 and never come so far.
inline constexpr std::uint32_t kRequestKeyIds = 0xffff'0000;
constexpr bool is_request_key(std::uint32_t id) {
  return id >= kRequestKeyIds;
}

struct OwnKey {
  std::uint32_t id = 0;                         // in the store; never 0
  std::uint32_t revision = 0;                   // of the secret: another one has another number
  policy::ProviderId provider = policy::kNoId;  // kNoId: none that is served here
  tls::SecretRef secret;                        // null: it could not be opened
  bool is_fallback = false;
  bool is_required = false;
  policy::Access access;                       // of it, the models
  std::optional<std::vector<KeyDigest>> keys;  // of clients; none: all

  bool allows_key(const KeyDigest& key) const;
};
using OwnKeys = std::vector<OwnKey>;

// An own key as an attempt remembers it: it may be changed or gone meanwhile.
struct OwnKeyRef {
  std::uint32_t id = 0;  // 0: shared capacity
  std::uint32_t revision = 0;
};

// Those that a request of this key for these models may use; a bit of OwnKeyRule::models for each.
// Views `rules`; those that have no room there are left out.
std::span<const policy::OwnKeyRule> own_key_rules(const OwnKeys& own_keys, const KeyDigest& key,
                                                  const policy::Catalogue& catalogue,
                                                  std::span<const policy::ModelRef> models,
                                                  std::span<policy::OwnKeyRule> rules);

}  // namespace leat::gateway
