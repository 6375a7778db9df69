// SPDX-License-Identifier: Apache-2.0
// Hedging: a second leg beside one that waits for its first content. Whichever has content first
// answers, and the other is hung up on in the same turn. Streams only: a whole answer comes when it
// is finished, so that its waiting says nothing of the endpoint.
#include "gateway/client.h"
#include "gateway/exchange.h"
#include "gateway/gateway.h"

namespace leat::gateway {

using ledger::AttemptOutcome;

policy::HedgeFacts Exchange::hedge_facts() const {
  policy::HedgeFacts facts;
  facts.attempt_began = leg_->health.started;
  facts.first_token_p95 = deployment_->health().first_token_p95(leg_->endpoint);
  facts.has_other_endpoint = has_stop(true);
  // What must not be asked a second time after a reset must not be asked twice at once.
  facts.is_stateful = request_->chat.stateful || !provider().options->retry_ambiguous;
  facts.is_hedged = hedge_ != nullptr;
  facts.next = {.attempts_made = request_->attempts, .is_sdk_retry = is_sdk_retry_};
  return facts;
}

// For the attempt that begins.
void Exchange::plan_hedge() {
  const policy::HedgeSettings& settings = deployment_->snapshot().times_of(endpoint().model).hedge;
  // Half of an answer is not asked for twice.
  if (!settings.is_on || !streams_ || is_carrying_on()) return;
  request_->hedge_at = policy::hedge_at(hedge_facts(), settings);
}

// It waits too long: another endpoint of the model is asked too, if there is one that may be.
void Exchange::hedge() {
  Request& request = *request_;
  const policy::HedgeFacts facts = hedge_facts();
  const policy::HedgeSettings& settings = deployment_->snapshot().times_of(endpoint().model).hedge;
  const Instant now = gateway_.shard().now();
  // What is usual there may have become more since.
  const Instant due = policy::hedge_at(facts, settings);
  request.hedge_at = due > now ? due : kNever;
  set_deadline();
  if (due > now) return;
  // What has begun to fail moves on by itself, once it is known how it failed.
  const bool waits = leg_->state == Leg::State::kConnecting ||
                     leg_->state == Leg::State::kWaiting || leg_->is_holding();
  if (!waits || leg_->is_paused) return;
  const std::uint8_t rank = stop().model_rank;
  for (std::uint8_t i = request.last_stop + 1; i < request.stop_count; ++i) {
    // The same endpoint with another key would wait as long.
    if (request.stops[i].model_rank != rank || request.stops[i].endpoint == leg_->endpoint)
      continue;
    const auto key = key_for(request.stops[i]);
    if (!key || !may_hedge(i, facts)) continue;
    hedge_ = std::make_unique<Leg>(*this);
    leg_ = hedge_.get();
    asked().is_hedge = true;
    go_to(i, *key);
    gateway_.counters().hedges.add();
    return attempt();
  }
}

// Counted in the budgets if so.
bool Exchange::may_hedge(std::uint8_t stop, const policy::HedgeFacts& facts) {
  const policy::Catalogue& catalogue = deployment_->snapshot().catalogue();
  const policy::Endpoint& target = catalogue.endpoint(request_->stops[stop].endpoint);
  const Instant now = gateway_.shard().now();
  policy::RetryBudget& budget = deployment_->upstream_of(target).budget;
  if (!deployment_->retry_budget().has_half(now) ||
      !policy::allow_hedge(facts, deployment_->snapshot().times_of(target.model).hedge,
                           {deployment_->limits().attempts_per_request_max}, budget, now)) {
    return false;
  }
  count_in_budgets(true, &budget);
  return true;
}

// leg_ has failed. True: the other one may still bring the answer, and nothing else is to be done.
bool Exchange::other_goes_on() {
  asked().is_hedge = false;
  Leg* const other = other_leg();
  if (other == nullptr || !other->is_under_way()) return false;
  leg_->stop(gateway_.shard().wheel());
  leg_ = other;
  return true;
}

// leg_ has the first content.
void Exchange::commit_leg() {
  if (asked().is_hedge) gateway_.counters().hedges_won.add();
  if (hedge_ == nullptr) return;
  drop_other(leg_ == hedge_.get() ? policy::Fault::kOutpaced : policy::Fault::kOurs);
  other_leg()->relay = Relay();
  if (leg_ == &first_) hedge_.reset();
}

// Hangs up on the other leg, if there is one: what it asked ends as nothing that counts for or
// against its endpoint.
void Exchange::drop_other(policy::Fault fault) {
  Leg* const other = other_leg();
  if (other == nullptr || !other->is_under_way()) return;
  const Instant now = gateway_.shard().now();
  const Asked& its = request_->asked[other == &first_ ? 0 : 1];
  other->stop(gateway_.shard().wheel());
  const policy::Outcome ended{.outcome = policy::OutcomeClass::kNotCounted, .fault = fault};
  deployment_->health().ended(other->health, ended, {}, now);
  other->health.endpoint = policy::kNoId;
  notes_.ended(other->note,
               its.written ? AttemptOutcome::kHedgedAway : AttemptOutcome::kNotExecuted, 0, now);
  if (trace_ != nullptr) trace_->failed(its.traced, 0, "hedge_lost", now);
}

}  // namespace leat::gateway
