// SPDX-License-Identifier: Apache-2.0
// Explanation: what the gateway would do with a request, and why, without doing it: every candidate
// in its order with what put it there, every other endpoint of the models with the rule that shut
// it out, or the refusal that the client would get. Made by the very functions that plan a request
// (gateway/route_planning.h), so it cannot tell another story. Where chance decides, it shows one
// draw and each endpoint's chance; where a conversation is held by an endpoint (a shard's sticky
// table) is not known here. Holds names of the catalogue, of parameters and of models, never the
// request's other text, and no secret.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/instant.h"
#include "base/rng.h"
#include "dialect/errors.h"
#include "gateway/snapshot.h"
#include "policy/plan.h"

namespace leat::control {

// What speaks for or against an endpoint's place. IF YOU ADD A VALUE: add its row in
// explain_render.cc.
enum class PlaceReason : std::uint8_t {
  kListed,        // provider.order names it
  kSticky,        // the conversation is there
  kTier,          // of the service tier that was asked for
  kPrice,         // sorted by, or all that is left to go by
  kThroughput,    // sorted by
  kLatency,       // sorted by
  kDrawn,         // drawn by chance; see first_chance
  kAsWritten,     // nobody said what its model costs: the order of the configuration
  kDemoted,       // misses a preferred threshold
  kRecentOutage,  // had one within 30 s
  kLowUptime,     // below what is normal
  kProbe,         // its breaker lets a request through
  kLastResort,    // its breaker is open, but too many others' are
};
inline constexpr std::size_t kPlaceReasons = 13;

struct Explanation {
  // Views of the snapshot. Prices are those of this request at this hour, for a token;
  // policy::Prices::kUnstated: nobody said.
  struct Endpoint {
    policy::EndpointId id = policy::kNoId;
    std::string_view model;
    std::string_view tag;
    std::string_view provider;  // display name
    policy::Picodollars prompt = policy::Prices::kUnstated;
    policy::Picodollars completion = policy::Prices::kUnstated;
  };
  struct Candidate {
    Endpoint endpoint;
    std::vector<PlaceReason> reasons;
    double first_chance = 0;       // of being drawn before its peers; 0: there was no draw
    policy::ParameterSet dropped;  // of the request, left out upstream
    bool reasoning_on = false;     // by `:thinking`
  };
  struct Excluded {
    Endpoint endpoint;
    policy::Exclusion reason = policy::Exclusion::kDisabled;
    policy::ParameterSet missing;  // of the request, where that is the reason
  };
  struct Refusal {
    dialect::ErrorKind kind = dialect::ErrorKind::kInvalidRequest;
    std::string message;
    std::string param;  // the field that is wrong, or empty
    std::int64_t retry_after_s = -1;
  };

  std::string_view key;  // its name; empty where there are no keys
  std::vector<Candidate> candidates;
  std::vector<Excluded> excluded;
  std::optional<Refusal> refusal;
};

// What an explanation hangs on beyond the request.
struct ExplainInput {
  const gateway::Snapshot& snapshot;  // outlives the explanation
  int key = 0;                        // index into Options::keys
  policy::HealthView health;          // empty: nothing is known
  Instant now{};
  WallTime wall{};
};

// `body`: as a client would POST it to /api/v1/chat/completions.
Explanation explain(std::string_view body, const ExplainInput& input, Rng& rng);

// For people: some lines for each endpoint.
std::string explanation_text(const Explanation& explanation);
// One object with stable keys: outcome ("planned" or "refused"), key, candidates, excluded, error
// (null where planned).
std::string explanation_json(const Explanation& explanation);

// The key of that name, or the first one if `name` is empty; none: there is no such key.
std::optional<int> find_key_named(const Options& options, std::string_view name);

}  // namespace leat::control
