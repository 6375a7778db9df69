// SPDX-License-Identifier: Apache-2.0
// RouteTrace: what the router did for one request, kept for `openrouter_metadata`
// (openrouter-api.md 3, item 6). There is one only where the client asked by header: nothing is
// recorded for anybody else. Belongs to its Exchange and outlives the plan, whose shard makes the
// next one meanwhile.
//
// Names are views of the catalogue, which outlives every request; the request's own words are
// copied.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/instant.h"
#include "dialect/router_metadata.h"
#include "dialect/routing_fields.h"
#include "policy/plan.h"

namespace leat::gateway {

class RouteTrace {
 public:
  // `came_in`: when the request did; attempts are told by their distance from it.
  explicit RouteTrace(Instant came_in) : came_in_(came_in) {}

  // Copies out what is told of the plan. REQUIRES: `requested` is not empty.
  void note_plan(const policy::Catalogue& catalogue, std::span<const dialect::ModelName> requested,
                 const policy::Plan& plan);

  // ---- Attempts: each began() is followed by one failed(), or is the one that answers ----
  // What the attempt is called by from then on.
  std::size_t began(const policy::Catalogue& catalogue, policy::EndpointId endpoint,
                    std::string_view model, std::uint8_t model_rank, policy::ParameterSet dropped,
                    Instant now);
  // It is to carry on the answer of one that broke.
  void continues(std::size_t attempt);
  // It is asked with a key of the client's own.
  void uses_own_key(std::size_t attempt);
  void first_token(std::size_t attempt, Instant now);
  // `status`: the provider's, or 0. `reason` is static.
  void failed(std::size_t attempt, int status, std::string_view reason, Instant now);

  // The attempt that did not fail has answered, now; it is told last. Views of this record, good
  // until it changes.
  dialect::RouterMetadata metadata(Instant now);

 private:
  struct Attempt {
    policy::EndpointId endpoint = policy::kNoId;
    std::string model;
    std::string_view provider;
    std::uint8_t model_rank = 0;
    policy::ParameterSet dropped;
    Instant started{};
    std::optional<Instant> first_token;
    std::optional<Instant> ended;
    int status = 0;
    std::string_view reason;
    bool continues = false;
    bool is_byok = false;
  };

  Instant came_in_;
  std::string requested_;
  dialect::RoutingStrategy strategy_ = dialect::RoutingStrategy::kDirect;
  std::vector<Attempt> attempts_;
  std::vector<dialect::RouterAttempt> told_attempts_;
  std::vector<policy::EndpointId> candidates_;  // of available_, one for one
  std::vector<dialect::RouterEndpoint> available_;
  std::vector<dialect::Exclusion> excluded_;
  std::int64_t endpoints_total_ = 0;
  policy::EndpointId sticky_ = policy::kNoId;
};

}  // namespace leat::gateway
