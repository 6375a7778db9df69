// SPDX-License-Identifier: Apache-2.0
// OwnKeyRule: a provider key that the client's workspace brought (BYOK), as far as a plan hangs on
// it. Each is a copy of its own of every endpoint of its provider, before shared capacity or, as a
// fallback, after it (openrouter-api.md 2.13). Made for one request by the gateway, of the keys
// whose filters let that request use them; holds no secret.
#pragma once

#include <cstddef>
#include <cstdint>

#include "policy/catalogue.h"

namespace leat::policy {

// Of one workspace; where keys are made sees to it.
inline constexpr std::size_t kOwnKeysMax = 64;

struct OwnKeyRule {
  std::uint32_t id = 0;  // what candidates call it; never 0
  ProviderId provider = kNoId;
  std::uint32_t models = 0;  // bit r: it may be used for RouteRequest::models[r]
  bool is_fallback = false;  // after shared capacity
  bool is_required = false;  // shared capacity of its provider is not used
  bool is_readable = true;   // false: nobody can be asked with it, and what it requires holds

  bool applies_to(std::uint8_t model_rank, ProviderId asked) const {
    return provider == asked && (models >> model_rank & 1) != 0;
  }
};

}  // namespace leat::policy
