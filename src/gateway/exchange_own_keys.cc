// SPDX-License-Identifier: Apache-2.0
// Attempts with provider keys that the client's workspace brought (BYOK), or that came with the
// request: which may be used now, what its provider said of it, and who pays. What is said of such
// a key is said of nobody else.
#include <algorithm>

#include "gateway/exchange.h"
#include "gateway/gateway.h"

namespace leat::gateway {

// The key to ask it with now: the operator's, or the own one that the stop stands for; none: it is
// limited, resting or gone.
std::optional<std::uint8_t> Exchange::key_for(const Stop& stop) {
  const Instant now = gateway_.shard().now();
  if (stop.own_key == 0) {
    return deployment_->health().choose_key(stop.endpoint, 0, now, gateway_.shard().rng());
  }
  const bool may_ask =
      may_use_own_key(stop) && !deployment_->own_key_states().is_resting(own_key_ref(stop), now);
  return may_ask ? std::optional(HealthAttempt::kOwnKey) : std::nullopt;
}

OwnKeyRef Exchange::own_key_ref(const Stop& stop) const {
  if (stop.own_key == 0) return {};
  const OwnKey* const own = gateway_.own_key(workspace_, stop.own_key);
  return {stop.own_key, own == nullptr ? 0 : own->revision};
}

// It is there and not at its limit.
bool Exchange::may_use_own_key(const Stop& stop) const {
  if (is_request_key(stop.own_key)) return true;
  const OwnKey* const own = gateway_.own_key(workspace_, stop.own_key);
  if (own == nullptr || own->secret == nullptr) return false;
  const Instant until =
      deployment_->own_key_states().limited_until({own->id, own->revision}, stop.endpoint);
  return until <= gateway_.shard().now();
}

// Nothing else is left to ask: a key that was refused of late may have been mended, and if not its
// owner had better hear so.
bool Exchange::choose_resting() {
  for (std::uint8_t i = 0; i < request_->stop_count; ++i) {
    if (request_->stops[i].own_key == 0 || !may_use_own_key(request_->stops[i])) continue;
    go_to(i, HealthAttempt::kOwnKey);
    return true;
  }
  return false;
}

// What leg_ is asked with; none: the own key was taken away meanwhile. Before the commit, or of an
// own key.
std::optional<std::string_view> Exchange::bearer() const {
  if (leg_->own_key.id == 0) return provider().bearers[asked().key];
  if (is_request_key(leg_->own_key.id)) return request_keys_->secret(leg_->own_key.id);
  const OwnKey* const own = gateway_.own_key(workspace_, leg_->own_key.id);
  if (own == nullptr || own->secret == nullptr) return std::nullopt;
  return own->secret->view();
}

// What a provider repeats of the key that it was asked with goes nowhere.
dialect::ProviderFailure Exchange::without_secret(const dialect::ProviderFailure& failure) const {
  dialect::ProviderFailure told = failure;
  // Which of the operator's it was is forgotten at the commit.
  if (leg_->own_key.id == 0) {
    for (const std::string_view secret : provider().bearers) told.hide(secret);
  } else if (const auto secret = bearer()) {
    told.hide(*secret);
  }
  return told;
}

// As a client pays for what leg_ brings.
MoneyTerms Exchange::money() const {
  MoneyTerms money = money_;
  money.uses_own_key = leg_->own_key.id != 0 && size_.was_executed;
  return money;
}

// What goes to the provider itself is reserved beside what the client pays here, for budgets that
// count both: of the plan's candidates, whichever comes to most.
void Exchange::raise_own_key_bound(const Stop& stop, const policy::ChargeDemand& demand,
                                   const policy::Bound& fee, policy::Bound& most) const {
  const policy::Catalogue& catalogue = deployment_->snapshot().catalogue();
  const policy::Bound list = policy::bound_of(catalogue, catalogue.endpoint(stop.endpoint), demand,
                                              {}, policy::UtcMoment::of(admitted_), false);
  most.money = std::max(most.money, fee.money + list.money);
  most.prompt_money = std::max(most.prompt_money, fee.prompt_money + list.prompt_money);
  most.output_tokens = std::max(most.output_tokens, list.output_tokens);
}

}  // namespace leat::gateway
