// SPDX-License-Identifier: Apache-2.0
#include "gateway/route_trace.h"

#include <algorithm>

namespace leat::gateway {

namespace {

using dialect::RouterAttempt;
using dialect::RoutingStrategy;

// How the first model's name leads to a model.
RoutingStrategy strategy_of(const policy::Catalogue& catalogue, std::string_view name) {
  const auto alias = std::ranges::find(catalogue.aliases(), name, &policy::Alias::name);
  if (alias == catalogue.aliases().end()) return RoutingStrategy::kDirect;
  return alias->is_latest ? RoutingStrategy::kLatest : RoutingStrategy::kAlias;
}

}  // namespace

void RouteTrace::note_plan(const policy::Catalogue& catalogue,
                           std::span<const dialect::ModelName> requested,
                           const policy::Plan& plan) {
  requested_ = requested.front().full;
  strategy_ = strategy_of(catalogue, requested.front().base);
  const auto candidates = plan.candidates();
  const auto excluded = plan.excluded();
  endpoints_total_ = static_cast<std::int64_t>(candidates.size() + excluded.size());
  for (const policy::Candidate& candidate : candidates) {
    if (candidate.is_sticky) sticky_ = candidate.endpoint;
    const policy::Endpoint& endpoint = catalogue.endpoint(candidate.endpoint);
    candidates_.push_back(candidate.endpoint);
    available_.push_back(
        {catalogue.model(endpoint.model).id, catalogue.provider(endpoint.provider).name});
  }
  for (const policy::Excluded& out :
       excluded.first(std::min(excluded.size(), dialect::kToldEndpointsMax))) {
    const policy::Endpoint& endpoint = catalogue.endpoint(out.endpoint);
    excluded_.push_back({endpoint.tag, catalogue.model(endpoint.model).id, name_of(out.reason)});
  }
}

std::size_t RouteTrace::began(const policy::Catalogue& catalogue, policy::EndpointId endpoint,
                              std::string_view model, std::uint8_t model_rank,
                              policy::ParameterSet dropped, Instant now) {
  Attempt& attempt = attempts_.emplace_back();
  attempt.endpoint = endpoint;
  attempt.model = model;
  attempt.provider = catalogue.provider(catalogue.endpoint(endpoint).provider).name;
  attempt.started = now;
  attempt.model_rank = model_rank;
  attempt.dropped = dropped;
  return attempts_.size() - 1;
}

void RouteTrace::continues(std::size_t attempt) {
  attempts_[attempt].continues = true;
}

void RouteTrace::uses_own_key(std::size_t attempt) {
  attempts_[attempt].is_byok = true;
}

void RouteTrace::first_token(std::size_t attempt, Instant now) {
  attempts_[attempt].first_token = now;
}

void RouteTrace::failed(std::size_t attempt, int status, std::string_view reason, Instant now) {
  Attempt& failed = attempts_[attempt];
  if (failed.ended) return;
  failed.ended = now;
  failed.status = status;
  failed.reason = reason;
}

dialect::RouterMetadata RouteTrace::metadata(Instant now) {
  dialect::RouterMetadata metadata;
  metadata.requested = requested_;
  // In the order in which they began, but for the one that a hedge did not beat.
  std::ranges::stable_partition(attempts_,
                                [](const Attempt& each) { return each.ended.has_value(); });
  told_attempts_.clear();
  for (const Attempt& attempt : attempts_) {
    const bool answers = !attempt.ended;
    RouterAttempt told{attempt.model, attempt.provider, answers ? 200 : attempt.status};
    told.started_ms = (attempt.started - came_in_).ms();
    if (attempt.first_token) told.first_token_ms = (*attempt.first_token - attempt.started).ms();
    told.duration_ms = (attempt.ended.value_or(now) - attempt.started).ms();
    told.reason = attempt.reason;
    told.continues = attempt.continues;
    told_attempts_.push_back(told);
  }
  const Attempt answering = attempts_.empty() ? Attempt() : attempts_.back();
  const policy::EndpointId selected = answering.endpoint;
  metadata.strategy = answering.model_rank == 0 ? strategy_ : RoutingStrategy::kFallback;
  for (std::size_t i = 0; i < available_.size(); ++i) {
    available_[i].selected = candidates_[i] == selected;
  }
  if (!told_attempts_.empty()) metadata.generation_time_ms = told_attempts_.back().duration_ms;
  metadata.is_byok = answering.is_byok;
  metadata.is_sticky = selected != policy::kNoId && selected == sticky_;
  metadata.attempts = told_attempts_;
  metadata.available = available_;
  metadata.endpoints_total = endpoints_total_;
  metadata.exclusions = excluded_;
  metadata.dropped_parameters = dialect::ParameterSet(answering.dropped.bits());
  return metadata;
}

}  // namespace leat::gateway
