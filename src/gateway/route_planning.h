// SPDX-License-Identifier: Apache-2.0
// RoutePlanner: from what a request says (dialect::RoutingFields) to a plan (policy::make_plan),
// and from a plan that leaves nothing to the refusal that tells why. The one place where the words
// of both layers meet. Used by each shard for its requests and by `leat explain`; holds about 70
// KiB, one a shard. Pure but for its memory: facts, time and chance are arguments.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/instant.h"
#include "base/rng.h"
#include "dialect/errors.h"
#include "dialect/openai_request.h"
#include "dialect/routing_fields.h"
#include "gateway/key_access.h"
#include "gateway/own_keys.h"
#include "gateway/snapshot.h"
#include "policy/plan.h"

namespace leat::gateway {

// What a body may be like at most.
proto::JsonLimits json_limits(const Limits& limits);

// All of a chat request's body that a plan hangs on. False with `fault` set: 400. REQUIRES: as
// dialect::read_routing_fields().
bool read_request(const proto::JsonScanner& scanner, std::string_view body,
                  dialect::ChatRequest& chat, dialect::RoutingFields& fields,
                  dialect::RoutingFault& fault);

// What a plan hangs on beyond the request's own words.
struct PlanningFacts {
  policy::HealthView health;  // empty: nothing is known
  Instant now{};
  WallTime wall{};
  const KeyAccess* access = nullptr;                 // what the key allows; null: everything
  std::span<const policy::OwnKeyRule> request_keys;  // that came with it, before the others
  const OwnKeys* own_keys = nullptr;                 // that its workspace brought; null: none
  KeyDigest key{};                                   // with own keys: whose request it is
  std::uint64_t sticky = 0;      // Endpoint::identity that the conversation went to; 0: none
  std::uint64_t body_bytes = 0;  // of the request: bounds its tokens from below
  std::int64_t output_max = -1;  // the cap that the request states, or -1
  // What it asks its model for; none: as `modalities` of the request says, else text.
  policy::ModalitySet output;
};

// Why there is no plan. The client's doing or nobody's; never a provider's answer.
struct PlanRefusal {
  dialect::ErrorKind kind = dialect::ErrorKind::kNoEndpoints;
  std::string message;
  const char* param = "";
  std::int64_t retry_after_s = -1;  // with kCapacityExhausted
};

// A refusal's lists for an answer: views of the catalogue and of the plan, good until the next one.
struct RefusalLists {
  std::array<dialect::Exclusion, dialect::kExclusionsMax> exclusions;
  std::array<std::string_view, dialect::kListedMax> models;
  std::array<std::string_view, dialect::kListedMax> excluded_by;
  std::array<std::string_view, dialect::kListedMax> providers;
  dialect::Availability availability;
};

class RoutePlanner {
 public:
  // The plan is then plan(). REQUIRES: `fields` lives until the plan is used no more.
  std::optional<PlanRefusal> make(const Snapshot& snapshot, const dialect::RoutingFields& fields,
                                  const PlanningFacts& facts, Rng& rng);

  const policy::Plan& plan() const { return plan_; }
  // What the plan was made for. Views of this planner and of the fields.
  const policy::RouteRequest& request() const { return request_; }
  // The request's models in its order; Candidate::model_rank is an index of it.
  std::span<const policy::ModelRef> models() const {
    return std::span(models_).first(model_count_);
  }

  // What a refusal for want of endpoints says beyond its message. Fills `lists`, which the result
  // views.
  dialect::ErrorDetail detail_of(const PlanRefusal& refusal, const Snapshot& snapshot,
                                 RefusalLists& lists) const;

 private:
  std::optional<PlanRefusal> resolve_models(const policy::Catalogue& catalogue,
                                            const dialect::RoutingFields& fields,
                                            const KeyAccess* access);
  std::span<const policy::SlugMatch> resolve_slugs(const policy::Catalogue& catalogue,
                                                   std::span<const std::string_view> slugs);
  void set_request(const Snapshot& snapshot, const dialect::RoutingFields& fields,
                   const PlanningFacts& facts);
  PlanRefusal refusal_of(const dialect::RoutingFields& fields, const PlanningFacts& facts) const;
  PlanRefusal refusal_of_variant(const dialect::RoutingFields& fields) const;

  policy::Plan plan_;
  std::array<policy::OwnKeyRule, policy::kOwnKeysMax> own_keys_;
  policy::RouteRequest request_;
  std::array<policy::ModelRef, dialect::kModelsMax> models_;
  std::array<policy::SlugMatch, dialect::kProviderSlugsMax> slugs_;
  std::size_t model_count_ = 0;
  std::size_t slug_count_ = 0;
};

}  // namespace leat::gateway
