// SPDX-License-Identifier: Apache-2.0
// What a shard answers when control asks what runs on it now: its oldest requests, and the last
// outcomes of each endpoint as its health rings have them. Asked once a second while somebody
// watches a dashboard; made in one walk, nothing is kept for it while requests run. Holds ids and
// names, never content or a key's text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/instant.h"
#include "policy/catalogue.h"
#include "policy/outcome.h"

namespace leat::gateway {

struct RunningRequest {
  // More than anybody looks through.
  static constexpr std::size_t kListedMax = 200;

  std::string id;
  std::string key;                              // its name, as records have it
  std::string model;                            // as asked for; empty: its body has not come
  policy::EndpointId endpoint = policy::kNoId;  // that is asked; kNoId: none yet
  std::string_view stage;                       // static
  Duration age{};
  std::uint64_t events = 0;    // of its stream, so far
  std::uint32_t attempts = 0;  // begun
};

struct EndpointOutcome {
  // Of all endpoints of a shard.
  static constexpr std::size_t kToldMax = 4'096;

  policy::EndpointId endpoint = policy::kNoId;
  policy::Outcome outcome;
  Duration age{};  // since its end
};

struct ShardReport {
  std::uint32_t shard = 0;
  std::uint32_t generation = 1;           // of the configuration whose endpoints these are
  std::vector<RunningRequest> running;    // the oldest first
  std::vector<EndpointOutcome> outcomes;  // the newest of an endpoint first
};

}  // namespace leat::gateway
