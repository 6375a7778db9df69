// SPDX-License-Identifier: Apache-2.0
// Attempts: asking the plan's candidates one after the other until one serves, and what is told to
// the client when none did.
#include <algorithm>
#include <array>
#include <span>
#include <string>

#include "base/uninitialized.h"
#include "gateway/client.h"
#include "gateway/endpoint_shape.h"
#include "gateway/exchange.h"
#include "gateway/gateway.h"
#include "policy/attempt_rule.h"

namespace leat::gateway {

namespace {

using dialect::Attempted;
using dialect::ErrorKind;
using ledger::AttemptOutcome;
using policy::OutcomeClass;

constexpr std::string_view kOwnKeyRefused =
    "The provider refused the key that the workspace brought, or its account is empty.";
constexpr std::string_view kRequestKeyRefused =
    "The provider refused the key that came with the request, or its account is empty.";
constexpr Duration kBackoffMax = milliseconds(50);  // full jitter before asking the same again
// Who wants to be left alone for longer is not waited for: the client may do that itself.
constexpr std::int64_t kWaitMsMax = 1'000;

ErrorKind kind_of_dial_failure(const Error& why) {
  if (why.code == Code::kTimedOut) return ErrorKind::kUpstreamTimeout;
  if (why.code == Code::kOverloaded) return ErrorKind::kOverloaded;
  return ErrorKind::kProviderUnavailable;
}

AttemptOutcome outcome_of(Attempted attempted) {
  switch (attempted) {
    case Attempted::kNotSent:
      return AttemptOutcome::kNotExecuted;
    case Attempted::kAmbiguous:
      return AttemptOutcome::kAmbiguous;
    case Attempted::kReplied:
      break;
  }
  return AttemptOutcome::kRefused;
}

bool is_refusal_of_key(dialect::KeyFate fate) {
  return fate == dialect::KeyFate::kBad || fate == dialect::KeyFate::kCooledLong;
}

// What a failure that a provider told says of the endpoint.
OutcomeClass outcome_of(const dialect::ProviderFailure& failure) {
  const dialect::RetryRow& row = dialect::retry_row(failure.failure);
  if (failure.failure == dialect::FailureClass::kRateLimit) return OutcomeClass::kRateLimited;
  // An error inside a 200 has no status that says more.
  if (failure.status < 400) {
    return row.blames_endpoint ? OutcomeClass::kFailure : OutcomeClass::kNotCounted;
  }
  return policy::class_of_status(failure.status);
}

// What the provider is told of the request's trace.
class TraceFields {
 public:
  TraceFields(const RequestTrace& trace, std::size_t attempt) {
    if (!trace.exists()) return;
    fields_[count_++] = {"traceparent", write_traceparent(trace.of_attempt(attempt), room_)};
    if (!trace.state.empty()) fields_[count_++] = {"tracestate", trace.state};
  }
  std::span<const proto::Field> fields() const { return std::span(fields_).first(count_); }

 private:
  std::array<char, proto::TraceParent::kTextBytes> room_;
  std::array<proto::Field, 2> fields_;
  std::size_t count_ = 0;
};

}  // namespace

// ---- One attempt -------------------------------------------------------------------------------

// The plan's first candidate that has a key to be asked with.
bool Exchange::choose_first() {
  Request& request = *request_;
  for (std::uint8_t i = 0; i < request.stop_count; ++i) {
    const auto key = key_for(request.stops[i]);
    if (!key) continue;
    go_to(i, *key);
    return true;
  }
  if (choose_resting()) return true;
  refuse_plan({.kind = ErrorKind::kCapacityExhausted});
  return false;
}

void Exchange::go_to(std::uint8_t stop, std::uint8_t key) {
  Asked& asked = this->asked();
  if (stop != asked.stop) {
    asked.keys_tried = 0;
    asked.again = false;
  }
  asked.stop = stop;
  asked.key = key;
  if (key != HealthAttempt::kOwnKey) asked.keys_tried |= std::uint64_t{1} << key;
  request_->last_stop = std::max(request_->last_stop, stop);
  leg_->endpoint = request_->stops[stop].endpoint;
  leg_->own_key = own_key_ref(request_->stops[stop]);
}

void Exchange::attempt() {
  Request& request = *request_;
  const policy::Catalogue& catalogue = deployment_->snapshot().catalogue();
  const policy::Model& model = catalogue.model(endpoint().model);
  leg_->model_name = model.id;
  if (model.is_pattern()) {
    leg_->model_name.resize(leg_->model_name.size() - 1);
    leg_->model_name += stop().rest;
  } else if (endpoint().variant) {
    leg_->model_name.append(":").append(name_of(*endpoint().variant));
  }
  request_deadline_ = started_ + deployment_->snapshot().times_of(endpoint().model).request_max;
  const Instant now = gateway_.shard().now();
  Upstream& upstream = deployment_->upstream_of(endpoint());
  if (request.attempts == 0) {
    count_in_budgets(false, nullptr);
  } else if (!asked().is_hedge) {
    gateway_.counters().retries.add();
  }
  ++request.attempts;
  asked().written = false;
  gateway_.counters().attempts.add();
  state_ = State::kAsking;
  leg_->state = Leg::State::kConnecting;
  leg_->is_paused = false;  // said of the connection of the attempt before
  leg_->stalled_since = kNever;
  leg_->started = leg_->last_progress = now;
  leg_->health = deployment_->health().began(leg_->endpoint, asked().key, streams_, now);
  if (trace_ != nullptr) {
    asked().traced = trace_->began(catalogue, leg_->endpoint, leg_->model_name, stop().model_rank,
                                   stop().dropped, now);
    if (is_carrying_on()) trace_->continues(asked().traced);
    if (leg_->own_key.id != 0) trace_->uses_own_key(asked().traced);
  }
  leg_->note = notes_.began(leg_->endpoint, leg_->own_key.id != 0, now);
  plan_hedge();
  set_deadline();
  auto call = upstream.pool->acquire(*leg_, asked().fresh_connection);
  asked().fresh_connection = false;
  if (call && *call == nullptr) return;  // on_upstream() follows
  on_upstream(std::move(call));
}

void Exchange::on_upstream(Result<net::UpstreamCall*> call) {
  if (!call) {
    gateway_.counters().upstream_failures.add();
    return failed(kind_of_dial_failure(call.error()), Attempted::kNotSent);
  }
  send_request(**call);
}

// Messages and tools in the endpoint's words, if those are others; `shape` then points into them.
bool Exchange::respell(dialect::EndpointShape& shape) {
  const Request& request = *request_;
  BlockRef& out = asked().respelt;
  out.reset();
  const std::size_t size = dialect::respelling_size(request.scanner, request.chat, shape);
  if (size == 0) return true;
  const std::string_view body(request.body->data(), request.body->size);
  out = Block::allocate(size);
  proto::JsonWriter writer({out->data(), size});
  if (!dialect::respell_lists(request.scanner, body, request.chat, writer, shape)) return false;
  out->size = writer.size();
  return true;
}

void Exchange::send_request(net::UpstreamCall& call) {
  Request& request = *request_;
  const std::string_view body(request.body->data(), request.body->size);
  const policy::ModelRef ref{.rest = stop().rest};
  dialect::EndpointShape shape = shape_for(deployment_->snapshot().catalogue(), endpoint(),
                                           ref.upstream_name(endpoint()), stop().dropped, kind_);
  if (const std::uint32_t cap = default_cap()) shape.output_default = cap;
  shape.reasoning_on = stop().reasoning_on && kind_ == RequestKind::kChat;
  if (is_carrying_on()) {
    const auto by = continues_by(deployment_->snapshot().catalogue(), endpoint());
    dialect::shape_continuation(by, *continuation_->so_far, shape);
  }
  LEAT_UNINITIALIZED proto::SpliceList pieces(body);
  call.begin(*leg_);
  const auto secret = bearer();
  if (!secret) {
    call.cancel();
    end_attempt(OutcomeClass::kNotCounted, 0, {});
    return failed(ErrorKind::kProviderUnavailable, Attempted::kNotSent);
  }
  if (!respell(shape) ||
      !dialect::shape_chat_request(request.scanner, body, request.chat, shape, pieces)) {
    call.cancel();
    return failed_here(ErrorKind::kInvalidRequest);
  }
  leg_->upstream = &call;
  proto::RequestOptions options;
  options.target = provider().target(kind_);
  options.host = provider().host;
  options.bearer = *secret;
  options.content_length = pieces.size();
  options.accept = streams_ ? "text/event-stream" : "application/json";
  TraceFields trace(client_->story().trace, leg_->note);
  options.fields = trace.fields();
  // What was written anew is nearly all of the body.
  const BlockRef& respelt = asked().respelt;
  Block* const most = respelt ? respelt.get() : request.body.get();
  const net::RequestBody whole{.block = most, .pieces = pieces.pieces()};
  const auto copied = call.send(options, whole);
  if (!copied) {
    drop_upstream();
    if (copied.error().retry == Retry::kNotExecuted) {
      gateway_.counters().upstream_failures.add();
      return failed(ErrorKind::kProviderUnavailable, Attempted::kNotSent);
    }
    return failed_here(ErrorKind::kServer);
  }
  gateway_.counters().body_bytes_copied.add(*copied + (respelt ? respelt->size : 0));
  asked().written = true;
  leg_->state = Leg::State::kWaiting;
  leg_->started = leg_->last_progress = gateway_.shard().now();
  set_deadline();
}

// ---- How it ended ------------------------------------------------------------------------------

void Exchange::end_attempt(OutcomeClass outcome, int status, Duration wait) {
  if (leg_->health.endpoint == policy::kNoId) return;
  policy::Outcome ended;
  ended.status = static_cast<std::uint16_t>(status);
  ended.outcome = outcome;
  if (outcome != OutcomeClass::kSuccess && outcome != OutcomeClass::kNotCounted) {
    ended.fault = policy::Fault::kProvider;
  }
  deployment_->health().ended(leg_->health, ended, wait, gateway_.shard().now());
  leg_->health.endpoint = policy::kNoId;
}

void Exchange::succeeded(const dialect::ChatUsage& usage) {
  if (leg_->health.endpoint == policy::kNoId) return;
  const Instant now = gateway_.shard().now();
  policy::Outcome ended{.status = 200, .outcome = OutcomeClass::kSuccess};
  const double took = (now - leg_->health.started).seconds();
  if (usage.completion > 0 && took > 0) {
    ended.tokens_per_second = static_cast<float>(static_cast<double>(usage.completion) / took);
  }
  deployment_->health().ended(leg_->health, ended, {}, now);
  leg_->health.endpoint = policy::kNoId;
  if (rewards_staying(endpoint().prices)) {
    gateway_.conversations().answered(conversation_, endpoint().identity, usage.cached > 0, now);
  }
}

// A failure that the provider itself told us of.
void Exchange::provider_failed(const dialect::ProviderFailure& failure) {
  gateway_.counters().upstream_failures.add();
  const bool tells_wait = failure.wait_ms != dialect::ProviderFailure::kNoWait;
  const dialect::KeyFate fate = dialect::retry_row(failure.failure).key_fate;
  const bool is_own_matter = leg_->own_key.id != 0 && fate != dialect::KeyFate::kKept;
  if (is_refusal_of_key(fate)) {
    const Instant now = gateway_.shard().now();
    if (is_own_matter) deployment_->own_key_states().rest(leg_->own_key, now);
    deployment_->health().rest_key(leg_->health, now);
  }
  end_attempt(is_own_matter ? OutcomeClass::kNotCounted : outcome_of(failure), failure.status,
              milliseconds(tells_wait ? failure.wait_ms : std::int64_t{0}));
  notes_.ended(leg_->note, AttemptOutcome::kRefused, failure.status, gateway_.shard().now());
  request_->failure = without_secret(failure);
  request_->has_failure_detail = true;
  request_->errors.add(failure, provider_name());
  if (trace_ != nullptr) {
    trace_->failed(asked().traced, failure.status, dialect::retry_row(failure.failure).name,
                   gateway_.shard().now());
  }
  move_on(Attempted::kReplied, failure);
}

// One that nobody told: no connection, a reset, a time limit, garbage.
void Exchange::failed(ErrorKind kind, Attempted attempted) {
  leg_->drop();
  end_attempt(kind == ErrorKind::kOverloaded ? OutcomeClass::kNotCounted : OutcomeClass::kFailure,
              0, {});
  notes_.ended(leg_->note, outcome_of(attempted), 0, gateway_.shard().now());
  request_->has_failure_detail = false;
  request_->errors.add(kind, provider_name());
  if (trace_ != nullptr) {
    trace_->failed(asked().traced, 0, dialect::error_row(kind).error_type, gateway_.shard().now());
  }
  move_on(attempted, {});
}

// Ours or the client's: no other endpoint would mend it.
void Exchange::failed_here(ErrorKind kind) {
  end_attempt(OutcomeClass::kNotCounted, 0, {});
  request_->has_failure_detail = false;
  request_->errors.add(kind, provider_name());
  if (other_goes_on()) return;
  give_up();
}

// ---- What is tried next ------------------------------------------------------------------------

bool Exchange::is_over_time() const {
  return gateway_.shard().now() >= request_deadline_;
}

bool Exchange::has_stop(bool same_model) const {
  const Request& request = *request_;
  for (std::uint8_t i = request.last_stop + 1; i < request.stop_count; ++i) {
    if ((request.stops[i].model_rank == stop().model_rank) == same_model) return true;
  }
  return false;
}

// In the shard's budget and in that of every provider that the plan holds, `counted` apart.
void Exchange::count_in_budgets(bool is_retry, const policy::RetryBudget* counted) {
  const Instant now = gateway_.shard().now();
  const auto note = [&](policy::RetryBudget& budget) {
    return is_retry ? budget.count_retry(now) : budget.count_request(now);
  };
  note(deployment_->retry_budget());
  std::array<const policy::RetryBudget*, kStopsMax + 1> done{counted};
  std::size_t count = 1;
  for (const Stop& each : std::span(request_->stops).first(request_->stop_count)) {
    const auto& target = deployment_->snapshot().catalogue().endpoint(each.endpoint);
    policy::RetryBudget& budget = deployment_->upstream_of(target).budget;
    const auto known = std::span(done).first(count);
    if (std::ranges::find(known, &budget) != known.end()) continue;
    done[count++] = &budget;
    note(budget);
  }
}

// Whether one more attempt fits the request's number and the provider's budget; counted if so.
bool Exchange::may_attempt(std::uint8_t stop, bool is_same_endpoint) {
  const Request& request = *request_;
  const policy::Endpoint& target =
      deployment_->snapshot().catalogue().endpoint(request.stops[stop].endpoint);
  const policy::NextAttempt next{.attempts_made = request.attempts,
                                 .is_sdk_retry = is_sdk_retry_,
                                 .is_same_endpoint = is_same_endpoint};
  const Instant now = gateway_.shard().now();
  policy::RetryBudget& budget = deployment_->upstream_of(target).budget;
  auto verdict = policy::AttemptVerdict::kNoBudget;
  if (deployment_->retry_budget().has_room(now)) {
    verdict =
        policy::allow_attempt(next, {deployment_->limits().attempts_per_request_max}, budget, now);
  }
  if (verdict == policy::AttemptVerdict::kNoBudget) {
    gateway_.counters().retry_budget_exhausted.add();
  }
  if (verdict != policy::AttemptVerdict::kGo) return false;
  count_in_budgets(true, &budget);
  return true;
}

// To the next candidate of the same model, or of another, that has a key and a budget left.
bool Exchange::move_to(bool same_model) {
  Request& request = *request_;
  const std::uint8_t rank = stop().model_rank;
  for (std::uint8_t i = request.last_stop + 1; i < request.stop_count; ++i) {
    if ((request.stops[i].model_rank == rank) != same_model) continue;
    if (is_carrying_on() && !may_carry(request.stops[i])) continue;
    const auto key = key_for(request.stops[i]);
    if (!key || !may_attempt(i, false)) continue;
    go_to(i, *key);
    attempt();
    return true;
  }
  return false;
}

bool Exchange::ask_again(const dialect::ProviderFailure& failure) {
  if (failure.wait_ms > kWaitMsMax || !may_attempt(asked().stop, true)) return false;
  asked().again = asked().fresh_connection = true;
  state_ = State::kBackoff;
  const Duration jitter{gateway_.shard().rng().between(0, kBackoffMax.ns)};
  const Duration wait = milliseconds(std::max<std::int64_t>(failure.wait_ms, 0));
  gateway_.shard().wheel().set(leg_->timer, gateway_.shard().now() + jitter + wait);
  return true;
}

void Exchange::move_on(Attempted attempted, const dialect::ProviderFailure& failure) {
  if (other_goes_on()) return;
  Request& request = *request_;
  if (is_over_time()) return give_up();
  std::optional<std::uint8_t> other_key;
  if (leg_->own_key.id == 0) {
    other_key = deployment_->health().choose_key(leg_->endpoint, asked().keys_tried,
                                                 gateway_.shard().now(), gateway_.shard().rng());
  }
  dialect::NextOptions options;
  options.is_client_key = leg_->own_key.id != 0;
  options.has_other_key = other_key.has_value();
  options.has_other_endpoint = has_stop(true);
  options.has_other_model = has_stop(false);
  options.same_was_asked_twice = asked().again;
  options.is_sdk_retry = is_sdk_retry_;
  options.is_stateful = request.chat.stateful;
  options.retry_ambiguous = provider().options->retry_ambiguous;
  if (is_carrying_on()) {
    options.has_other_endpoint = has_carrier();
    options.has_other_model = false;
    options.same_was_asked_twice = true;
  }
  // What cannot be had is taken away until something can, or nothing is left.
  while (true) {
    switch (dialect::next_step(attempted, failure, options)) {
      case dialect::NextStep::kOtherKey:
        if (may_attempt(asked().stop, false)) {
          go_to(asked().stop, *other_key);
          return attempt();
        }
        options.has_other_key = false;
        break;
      case dialect::NextStep::kOtherEndpoint:
        if (move_to(true)) return;
        options.has_other_endpoint = false;
        break;
      case dialect::NextStep::kOtherModel:
        if (move_to(false)) return;
        options.has_other_model = false;
        break;
      case dialect::NextStep::kSameEndpoint:
        if (ask_again(failure)) return;
        return give_up();
      case dialect::NextStep::kNone:
        return give_up();
    }
  }
}

// The models that were asked for and the providers that were come to, asked or passed over, for who
// is told to come again.
void Exchange::list_asked(const dialect::FinalAnswer& answer, RefusalLists& lists) const {
  const policy::Catalogue& catalogue = deployment_->snapshot().catalogue();
  std::size_t models = 0;
  std::size_t providers = 0;
  const auto add = [](std::span<std::string_view> list, std::size_t& count, std::string_view name) {
    const auto told = list.first(count);
    if (count < list.size() && std::ranges::find(told, name) == told.end()) list[count++] = name;
  };
  const auto stops = std::span(request_->stops).first(request_->stop_count);
  for (std::size_t i = 0; i < stops.size(); ++i) {
    const policy::Endpoint& endpoint = catalogue.endpoint(stops[i].endpoint);
    add(lists.models, models, catalogue.model(endpoint.model).id);
    if (i > request_->last_stop) continue;
    add(lists.providers, providers, catalogue.provider(endpoint.provider).name);
  }
  lists.availability.retry_after_s = answer.retry_after_s;
  lists.availability.requested_models = std::span(lists.models).first(models);
  lists.availability.affected_providers = std::span(lists.providers).first(providers);
}

// No candidate is left: what failed is the answer.
void Exchange::give_up() {
  if (is_carrying_on()) return tell_break();
  Request& request = *request_;
  const dialect::FinalAnswer answer = request.errors.answer();
  dialect::ErrorDetail detail;
  detail.provider_name = provider_name();
  detail.previous_errors = request.errors.previous_errors();
  RefusalLists lists;
  list_asked(answer, lists);
  detail.availability = &lists.availability;
  if (request.has_failure_detail) {
    detail.provider_code = request.failure.code();
    detail.provider_raw = request.failure.message();
    // What is the client's own doing is best told in the provider's words.
    const dialect::RetryRow& row = dialect::retry_row(request.failure.failure);
    if (!row.blames_endpoint) {
      detail.message = request.failure.message();
    } else if (leg_->own_key.id != 0 && is_refusal_of_key(row.key_fate)) {
      // Those words are not kept, for they may repeat the key.
      detail.message = is_request_key(leg_->own_key.id) ? kRequestKeyRefused : kOwnKeyRefused;
    }
  }
  error_type_ = dialect::error_row(answer.kind).error_type;
  status_ = dialect::error_row(answer.kind).status;
  gateway_.refused(dialect::error_row(answer.kind).error_type, key(), client_->peer(),
                   request.body ? request.body->size : 0);
  settle_unserved();
  client_->answer_error(
      answer.kind, detail,
      {.retry_after_s = answer.retry_after_s, .should_retry = answer.should_retry});
  over(true);
}

}  // namespace leat::gateway
