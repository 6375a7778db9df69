// SPDX-License-Identifier: Apache-2.0
// Between the plan and the first attempt: what the request may come to at most is reserved of every
// limit that it meets, or it is refused; and whatever way it ends, what it did not use comes back.
// Who meets no limit passes with a look at the rows of its key.
#include <algorithm>

#include "gateway/charge_demand.h"
#include "gateway/client.h"
#include "gateway/exchange.h"
#include "gateway/gateway.h"
#include "gateway/succession.h"

namespace leat::gateway {

namespace {

using dialect::ErrorKind;
using dialect::LimitKind;
using dialect::LimitOwner;
using policy::LimitClass;

struct ClassRow {
  LimitKind kind;
  const char* reason;  // in the log
};
// In the order of LimitClass.
constexpr ClassRow kClasses[policy::kLimitClasses] = {
    {LimitKind::kConcurrency, "limit_concurrency"}, {LimitKind::kRequests, "limit_requests"},
    {LimitKind::kTokens, "limit_tokens"},           {LimitKind::kDayTokens, "limit_day_tokens"},
    {LimitKind::kBudget, "limit_budget"},
};

// In the order of AccountLevel.
constexpr LimitOwner kOwners[] = {LimitOwner::kKey, LimitOwner::kWorkspace,
                                  LimitOwner::kOrganisation};

std::int64_t wait_ms(Duration wait) {
  return wait == policy::LeaseGrant::kNoWait ? dialect::LimitRefusal::kNoWait : wait.ms() + 1;
}

dialect::RateLine line_of(const policy::LimitStatus& status) {
  return {.is_limited = status.is_limited,
          .limit = status.limit,
          .remaining = status.remaining,
          .reset_ms = status.reset == policy::LeaseGrant::kNoWait ? 0 : status.reset.ms()};
}

std::int64_t as_amount(std::uint64_t tokens) {
  return static_cast<std::int64_t>(std::min<std::uint64_t>(tokens, INT64_MAX));
}

// The dearer of both in money, and the more tokens of each kind.
void raise(policy::Bound& bound, const policy::Bound& other) {
  bound.is_priced = bound.is_priced || other.is_priced;
  if (other.money >= bound.money) {
    bound.money = other.money;
    bound.prompt_money = other.prompt_money;
  }
  bound.prompt_tokens = std::max(bound.prompt_tokens, other.prompt_tokens);
  bound.output_tokens = std::max(bound.output_tokens, other.output_tokens);
}

// Whether it asks a price of its own for a prompt that is kept for an hour.
bool prices_cache_hours(const policy::Catalogue& catalogue, const policy::Endpoint& endpoint) {
  constexpr auto kHour = static_cast<std::size_t>(policy::PriceClass::kInputCacheWrite1h);
  const auto asks = [](const policy::Prices& prices) { return prices.values[kHour] > 0; };
  return asks(endpoint.prices) ||
         std::ranges::any_of(catalogue.overrides_of(endpoint),
                             [&](const policy::PriceOverride& item) { return asks(item.prices); });
}

// Its limits are the successor's to grant.
bool has_yielded(Gateway& gateway) {
  return gateway.succession() != nullptr && gateway.succession()->is_yielded();
}

}  // namespace

// Put off, so that a thousand that wait for one are not decided within each other.
void Exchange::Ticket::admission_decided() {
  exchange_.note_rates();
  exchange_.gateway_.shard().defer(exchange_);
}

// ---- What is to be reserved --------------------------------------------------------------------

// Of the plan's candidates, in the request's stops. False: it was refused.
bool Exchange::take_limits(const KeyDirectory::Found& found, const dialect::RoutingFields& fields) {
  Request& request = *request_;
  output_default_max_ = found.key->output_default_max;
  limits_met_ = limits_met(found);
  if (!limits_met_.any()) return true;
  const std::string_view body(request.body->data(), request.body->size);
  policy::ChargeDemand demand =
      demand_of(body, kind_, fields, request.chat, request.input, output_default_max_);
  const auto stops = [&] { return std::span(request.stops).first(request.stop_count); };
  const policy::Catalogue& catalogue = deployment_->snapshot().catalogue();
  const bool may_cost = std::ranges::any_of(stops(), [&](const Stop& stop) {
    return prices_cache_hours(catalogue, catalogue.endpoint(stop.endpoint));
  });
  demand.caches_for_an_hour = may_cost && may_cache(body);
  // What has no price could cost anything: only who has no money limit may ask it.
  std::uint8_t kept = 0;
  for (Stop& stop : stops()) {
    const policy::Bound bound = bound_at(stop, demand);
    if (limits_met_.money && !bound.is_priced) continue;
    raise(request.bound, bound);
    if (stop.own_key != 0) raise_own_key_bound(stop, demand, bound, request.own_key_bound);
    if (&request.stops[kept] != &stop) request.stops[kept] = std::move(stop);
    ++kept;
  }
  request.stop_count = kept;
  if (kept == 0) return refuse_unpriced();
  request.amounts.tokens = as_amount(request.bound.tokens());
  request.amounts.money = limits_met_.money ? request.bound.money : 0;
  add_second_prompt(demand);
  if (limits_met_.money) {
    request.amounts.byok_money =
        std::max<policy::Nanodollars>(0, request.own_key_bound.money - request.amounts.money);
  }
  account_ = &gateway_.account_of(found);
  return true;
}

policy::Bound Exchange::bound_at(const Stop& stop, const policy::ChargeDemand& demand) const {
  const policy::Catalogue& catalogue = deployment_->snapshot().catalogue();
  const policy::UtcMoment moment = policy::UtcMoment::of(admitted_);
  return policy::bound_of(catalogue, catalogue.endpoint(stop.endpoint), demand, money_.terms,
                          moment, stop.own_key != 0);
}

// Who carries a broken stream on is asked with the prompt and with what had come of the answer.
void Exchange::add_second_prompt(policy::ChargeDemand demand) {
  Request& request = *request_;
  if (!streams_ || kind_ != RequestKind::kChat || request.stop_count < 2) return;
  demand.text_bytes += request.bound.output_tokens;
  policy::Bound second;
  policy::Bound own_second;
  for (const Stop& stop : std::span(request.stops).first(request.stop_count)) {
    const policy::Catalogue& catalogue = deployment_->snapshot().catalogue();
    const policy::Endpoint& endpoint = catalogue.endpoint(stop.endpoint);
    if (!deployment_->snapshot().rules_of(endpoint.model).continuation || !continues(stop))
      continue;
    const policy::Bound bound = bound_at(stop, demand);
    second.prompt_money = std::max(second.prompt_money, bound.prompt_money);
    second.prompt_tokens = std::max(second.prompt_tokens, bound.prompt_tokens);
    if (stop.own_key != 0) raise_own_key_bound(stop, demand, bound, own_second);
  }
  request.amounts.tokens += as_amount(second.prompt_tokens);
  request.own_key_bound.money += own_second.prompt_money;
  request.own_key_bound.prompt_money += own_second.prompt_money;
  if (limits_met_.money) request.amounts.money += second.prompt_money;
}

// The output cap that goes upstream where the request states none; 0: none.
std::uint32_t Exchange::default_cap() const {
  const policy::Catalogue& catalogue = deployment_->snapshot().catalogue();
  const policy::Model& model = catalogue.model(endpoint().model);
  const bool is_bounded = limits_met_.tokens || limits_met_.money || output_default_max_ != 0;
  if (kind_ == RequestKind::kEmbeddings) return 0;
  return is_bounded ? policy::default_output_cap(model, endpoint(), output_default_max_)
                    : model.output_default_max;
}

// ---- Asking ------------------------------------------------------------------------------------

void Exchange::admit() {
  if (account_ == nullptr) return begin();
  // Nothing is granted that cannot be written down: it need not wait for that.
  if (gateway_.ledger() != nullptr && !gateway_.ledger()->admits()) return refuse_record();
  if (has_yielded(gateway_)) return refuse_yielded();
  policy::Admission& admission = gateway_.shard_limits().admission();
  const policy::AdmissionState state =
      admission.admit(*account_, request_->amounts, ticket_, gateway_.shard().now());
  if (state == policy::AdmissionState::kWaiting) {
    state_ = State::kAdmitting;
    return;
  }
  note_rates();
  admitted_or_not();
}

void Exchange::admitted_or_not() {
  if (!ticket_.is_admitted()) return refuse_limit();
  // What was granted after we had yielded is given back (over()): the successor knows not of it.
  if (has_yielded(gateway_)) return refuse_yielded();
  begin();
}

// For a refusal, now that the account is known to be there: later in the turn it may be forgotten.
void Exchange::note_rates() {
  if (ticket_.is_admitted()) return;
  if (gateway_.knows_account(key(), account_)) request_->rates = rate_lines();
  account_ = nullptr;
}

// The first attempt: from here on it is a request that is recorded, whatever becomes of it.
void Exchange::begin() {
  if (limits_met_.money) money_.reserved = request_->amounts.money;
  if (begin_record()) attempt();
}

// ---- Refusing ----------------------------------------------------------------------------------

bool Exchange::refuse_unpriced() {
  gateway_.refused("unpriced", key(), client_->peer(), request_->body->size);
  client_->answer_error(ErrorKind::kUnpriced, {}, {});
  over(true);
  return false;
}

void Exchange::refuse_yielded() {
  gateway_.refused("yielded", key(), client_->peer(), request_->body->size);
  client_->answer_error(ErrorKind::kOverloaded, {}, {});
  over(true);
}

void Exchange::refuse_limit() {
  const bool is_answered = ticket_.state() == policy::AdmissionState::kRefused;
  dialect::LimitRefusal refusal;
  refusal.kind = LimitKind::kUnanswered;
  const char* reason = "limit_unanswered";
  if (is_answered) {
    const policy::AdmissionRefusal& why = ticket_.refusal();
    const ClassRow& row = kClasses[static_cast<std::size_t>(why.limit_class)];
    // Of a budget that counts what an own key's provider asks.
    const bool is_own =
        why.limit_class == LimitClass::kMoney && why.needed > request_->amounts.money;
    const policy::Bound& bound = is_own ? request_->own_key_bound : request_->bound;
    reason = row.reason;
    refusal.kind = why.is_credit ? LimitKind::kCredit : row.kind;
    refusal.owner = kOwners[static_cast<std::size_t>(why.level)];
    refusal.period = policy::name_of(why.period);
    refusal.limit = why.limit;
    refusal.needed = why.needed;
    refusal.wait_ms = wait_ms(why.wait);
    refusal.requested_tokens = bound.output_tokens;
    const policy::Nanodollars second_prompt = is_own ? 0 : request_->amounts.money - bound.money;
    refusal.affordable_tokens = policy::affordable_output(bound, why.remaining - second_prompt);
  }
  const dialect::LimitAnswer answer(face_, refusal, request_->rates, now_unix_ms());
  error_type_ = dialect::error_row(answer.kind()).error_type;
  status_ = static_cast<std::uint16_t>(answer.status());
  gateway_.refused(reason, key(), client_->peer(), request_->body->size);
  gateway_.counters().refused_by_kind[static_cast<std::size_t>(answer.kind())].add();
  char room[dialect::kErrorBytesMax];
  proto::JsonWriter body(room);
  answer.write_body(body);
  client_->answer(answer.status(), "application/json", body.text(), answer.fields());
  over(true);
}

// ---- Telling and settling ----------------------------------------------------------------------

std::int64_t Exchange::now_unix_ms() const {
  return gateway_.shard().io().wall_now().unix_ns / 1'000'000;
}

// REQUIRES: it is admitted, or was until a moment ago.
dialect::RateLines Exchange::rate_lines() const {
  if (account_ == nullptr) return {};
  const policy::Admission& admission = gateway_.shard_limits().admission();
  return {.requests = line_of(admission.status(*account_, LimitClass::kRequests)),
          .tokens = line_of(admission.status(*account_, LimitClass::kTokens))};
}

// What was used of what was reserved. A request that the client left before anything came was made
// all the same, since its provider was asked; one that nobody served was not.
void Exchange::settle_limits(const Metered& metered) {
  if (!ticket_.is_admitted()) return;
  policy::Admission& admission = gateway_.shard_limits().admission();
  const Instant now = gateway_.shard().now();
  const bool was_left = client_ == nullptr && leg_->state == Leg::State::kWaiting;
  if (!size_.was_executed && !was_left) return admission.cancel(ticket_, now);
  const dialect::ChatUsage& usage = metered.measured.usage;
  policy::AdmissionAmounts used;
  if (size_.was_executed) {
    used.tokens =
        std::max<std::int64_t>(usage.prompt, 0) + std::max<std::int64_t>(usage.completion, 0);
    used.money = metered.charge.charged;
    if (leg_->own_key.id != 0) used.byok_money = metered.charge.upstream;
  }
  admission.settle(ticket_, used, now);
}

// Whatever has not been settled comes back.
void Exchange::release_limits() {
  if (account_ == nullptr) return;
  gateway_.shard_limits().admission().cancel(ticket_, gateway_.shard().now());
  account_ = nullptr;
}

}  // namespace leat::gateway
