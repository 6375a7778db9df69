// SPDX-License-Identifier: Apache-2.0
#include "control/explain.h"

#include <algorithm>
#include <memory>

#include "dialect/routing_fields.h"
#include "gateway/route_planning.h"
#include "policy/plan_admission.h"
#include "policy/plan_order.h"
#include "proto/json_scan.h"

namespace leat::control {
namespace {

using dialect::ErrorKind;
using policy::RequestTier;
using policy::ServiceTier;
using policy::SortBy;

class Explainer {
 public:
  explicit Explainer(const ExplainInput& input) : input_(input), utc_(at(input.wall)) {}

  Explanation explain(std::string_view body, Rng& rng) {
    const auto& keys = input_.snapshot.options().keys;
    if (!keys.empty()) out_.key = keys[static_cast<std::size_t>(input_.key)].name;
    if (body.size() > input_.snapshot.limits().body_bytes_max) {
      refuse(ErrorKind::kPayloadTooLarge, {}, {});
      return std::move(out_);
    }
    proto::JsonScanner scanner(gateway::json_limits(input_.snapshot.limits()));
    if (scanner.scan(body, true) != proto::JsonStatus::kDone) {
      refuse(dialect::error_kind(scanner.fault().kind), scanner.fault().what, scanner.fault().key);
      return std::move(out_);
    }
    plan(scanner, body, rng);
    return std::move(out_);
  }

 private:
  static policy::UtcMoment at(WallTime wall) { return policy::UtcMoment::of(wall); }

  void refuse(ErrorKind kind, std::string_view message, std::string_view param) {
    const std::string_view plain = dialect::error_row(kind).message;
    out_.refusal = {kind, std::string(message.empty() ? plain : message), std::string(param)};
  }

  // As Exchange::plan() does.
  void plan(const proto::JsonScanner& scanner, std::string_view body, Rng& rng) {
    dialect::ChatRequest chat;
    dialect::RoutingFields fields;
    dialect::RoutingFault fault;
    if (!gateway::read_request(scanner, body, chat, fields, fault)) {
      return refuse(ErrorKind::kInvalidRequest, fault.message(), fault.param());
    }
    gateway::PlanningFacts facts;
    facts.health = input_.health;
    facts.now = input_.now;
    facts.wall = input_.wall;
    const auto& keys = input_.snapshot.options().keys;
    policy::Access stated;
    if (!keys.empty()) stated.routing = keys[static_cast<std::size_t>(input_.key)].routing;
    const auto access = gateway::resolve_access(stated, catalogue());
    facts.access = access.get();
    facts.body_bytes = body.size();
    facts.output_max = chat.output_max;
    const auto planner = std::make_unique<gateway::RoutePlanner>();
    if (const auto refusal = planner->make(input_.snapshot, fields, facts, rng)) {
      refuse(refusal->kind, refusal->message, refusal->param);
      out_.refusal->retry_after_s = refusal->retry_after_s;
    }
    for (const policy::Candidate& candidate : planner->plan().candidates()) {
      add(planner->request(), candidate);
    }
    for (const policy::Excluded& excluded : planner->plan().excluded()) {
      add(planner->request(), excluded);
    }
  }

  const policy::Catalogue& catalogue() const { return input_.snapshot.catalogue(); }

  Explanation::Endpoint described(const policy::RouteRequest& request,
                                  policy::EndpointId id) const {
    const policy::Endpoint& endpoint = catalogue().endpoint(id);
    const policy::Prices prices = policy::prices_at(
        endpoint.prices, catalogue().overrides_of(endpoint), request.prompt_tokens, utc_);
    return {.id = id,
            .model = catalogue().model(endpoint.model).id,
            .tag = endpoint.tag,
            .provider = catalogue().provider(endpoint.provider).name,
            .prompt = prices[policy::PriceClass::kPrompt],
            .completion = prices[policy::PriceClass::kCompletion]};
  }

  void add(const policy::RouteRequest& request, const policy::Candidate& candidate) {
    const policy::Endpoint& endpoint = catalogue().endpoint(candidate.endpoint);
    out_.candidates.push_back({.endpoint = described(request, candidate.endpoint),
                               .reasons = reasons_of(request, candidate, endpoint),
                               .first_chance = candidate.first_chance,
                               .dropped = candidate.dropped,
                               .reasoning_on = candidate.reasoning_on});
  }

  void add(const policy::RouteRequest& request, const policy::Excluded& excluded) {
    const policy::Endpoint& endpoint = catalogue().endpoint(excluded.endpoint);
    Explanation::Excluded told{.endpoint = described(request, excluded.endpoint),
                               .reason = excluded.reason};
    if (excluded.reason == policy::Exclusion::kParameters ||
        excluded.reason == policy::Exclusion::kSoftParameters) {
      told.missing =
          (request.parameters & policy::kListedParameters) - policy::supported_by(endpoint);
    }
    out_.excluded.push_back(std::move(told));
  }

  std::vector<PlaceReason> reasons_of(const policy::RouteRequest& request,
                                      const policy::Candidate& candidate,
                                      const policy::Endpoint& endpoint) const {
    std::vector<PlaceReason> reasons;
    const auto add_if = [&](bool holds, PlaceReason reason) {
      if (holds) reasons.push_back(reason);
    };
    const policy::EndpointHealth& health = policy::health_of(input_.health, candidate.endpoint);
    const bool priority =
        request.tier == RequestTier::kPriority && endpoint.tier == ServiceTier::kPriority;
    const bool flex = request.tier == RequestTier::kFlex && endpoint.tier == ServiceTier::kFlex;
    add_if(policy::is_listed(request, endpoint), PlaceReason::kListed);
    add_if(candidate.is_sticky, PlaceReason::kSticky);
    add_if(priority || flex, PlaceReason::kTier);
    const SortBy sort = candidate.sort;
    const bool drawn = candidate.first_chance > 0;
    const bool as_written =
        sort == SortBy::kNone && !drawn && catalogue().model(endpoint.model).keeps_order;
    add_if(sort == SortBy::kPrice || (sort == SortBy::kNone && !drawn && !as_written),
           PlaceReason::kPrice);
    add_if(sort == SortBy::kThroughput, PlaceReason::kThroughput);
    add_if(sort == SortBy::kLatency, PlaceReason::kLatency);
    add_if(drawn, PlaceReason::kDrawn);
    add_if(as_written, PlaceReason::kAsWritten);
    add_if(candidate.is_demoted, PlaceReason::kDemoted);
    add_if(health.recent_outage, PlaceReason::kRecentOutage);
    add_if(health.uptime_permille != policy::EndpointHealth::kUptimeUnknown &&
               health.uptime_permille < policy::kUptimeNormalPermille,
           PlaceReason::kLowUptime);
    add_if(health.breaker == policy::BreakerState::kProbe, PlaceReason::kProbe);
    add_if(candidate.is_last_resort, PlaceReason::kLastResort);
    return reasons;
  }

  const ExplainInput& input_;
  const policy::UtcMoment utc_;
  Explanation out_;
};

}  // namespace

Explanation explain(std::string_view body, const ExplainInput& input, Rng& rng) {
  return Explainer(input).explain(body, rng);
}

std::optional<int> find_key_named(const Options& options, std::string_view name) {
  const auto found = std::ranges::find_if(options.keys, [&](const ClientKey& key) {
    return !key.is_removed && (name.empty() || key.name == name);
  });
  if (found == options.keys.end()) return name.empty() ? std::optional(0) : std::nullopt;
  return static_cast<int>(found - options.keys.begin());
}

}  // namespace leat::control
