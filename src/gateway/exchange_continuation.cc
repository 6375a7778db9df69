// SPDX-License-Identifier: Apache-2.0
// A stream that broke after its first content, carried on by another endpoint of the same model
// where the operator allowed it: the one exception to the commit rule. Once a request, within its
// attempts, budgets and time; the attempts are those of any request, but that the client has half
// of its answer, so that what they end in is the rest of it or an error event.
#include "gateway/client.h"
#include "gateway/endpoint_shape.h"
#include "gateway/exchange.h"
#include "gateway/gateway.h"

namespace leat::gateway {

using dialect::ErrorKind;

bool Exchange::continues(const Stop& stop) const {
  const policy::Catalogue& catalogue = deployment_->snapshot().catalogue();
  return continues_by(catalogue, catalogue.endpoint(stop.endpoint)) !=
         dialect::ContinuesBy::kNothing;
}

// One answer has one payer: what began on an own key is not carried on by shared capacity.
bool Exchange::may_carry(const Stop& stop) const {
  return continues(stop) && (stop.own_key != 0) == (leg_->own_key.id != 0);
}

// Whether an endpoint of this model that continues a text is left in the plan.
bool Exchange::has_carrier() const {
  const Request& request = *request_;
  for (std::uint8_t i = request.last_stop + 1; i < request.stop_count; ++i) {
    const Stop& other = request.stops[i];
    if (other.model_rank == stop().model_rank && may_carry(other)) return true;
  }
  return false;
}

// A stream begins: whether its text is kept, or it is what carries another on.
void Exchange::prepare_continuation(RelayOptions& options, dialect::ChatIdentity& identity) {
  if (is_carrying_on()) {
    // The relay forgets those of the broken stream.
    gateway_.counters().events_relayed.add(leg_->relay.events());
    options.continues = true;
    identity.continued_from = continuation_->provider;
    return;
  }
  const Request& request = *request_;
  const bool is_allowed = deployment_->snapshot().rules_of(endpoint().model).continuation;
  if (!is_allowed || kind_ != RequestKind::kChat || !has_carrier()) return;
  const std::string_view body(request.body->data(), request.body->size);
  if (!dialect::may_be_continued(request.scanner, body, request.chat)) return;
  if (continuation_ == nullptr) {
    continuation_ =
        std::make_unique<Continuation>(deployment_->limits().continuation_text_bytes_max);
  }
  options.so_far = &*continuation_->so_far;
}

// What of a running stream was kept just now.
void Exchange::mind_text() {
  if (!leg_->relay.is_noting() || !leg_->relay.is_committed()) return;
  const dialect::TextSoFar& so_far = *continuation_->so_far;
  if (!so_far.is_plain()) {
    // From here on it is a stream like any other.
    leg_->relay.stop_noting();
    continuation_.reset();
    return release_request();
  }
  const std::size_t held = so_far.bytes_held();
  if (held <= continuation_->bytes_charged) return;
  charge_body(held - continuation_->bytes_charged);
  continuation_->bytes_charged = held;
}

bool Exchange::can_carry_on(dialect::Attempted attempted,
                            const dialect::ProviderFailure& failure) const {
  const bool has_text = leg_->state == Leg::State::kStreaming && leg_->relay.is_noting();
  if (!has_text || client_ == nullptr || leg_->relay.finish_seen() || is_over_time()) return false;
  const Request& request = *request_;
  dialect::NextOptions options;
  options.has_other_endpoint = has_carrier();
  options.same_was_asked_twice = true;
  options.is_stateful = request.chat.stateful;
  options.retry_ambiguous = provider().options->retry_ambiguous;
  if (dialect::next_step(attempted, failure, options) != dialect::NextStep::kOtherEndpoint) {
    return false;
  }
  const std::uint32_t output_default = default_cap();
  return dialect::can_be_continued(
      request.scanner, {request.body->data(), request.body->size}, *continuation_->so_far,
      output_default > 0 ? std::int64_t{output_default} : dialect::kUnset);
}

// After the commit. `failure`: what the provider told, if `attempted` is kReplied. `end`: as of
// cut().
void Exchange::broke(ErrorKind kind, dialect::Attempted attempted,
                     const dialect::ProviderFailure* failure, policy::AnswerEnd end) {
  const dialect::ProviderFailure told =
      failure != nullptr ? without_secret(*failure) : dialect::ProviderFailure();
  dialect::ErrorDetail detail;
  if (failure != nullptr) {
    detail.provider_name = provider_name();
    detail.message = told.message();
    detail.provider_code = told.code();
  }
  if (!can_carry_on(attempted, told)) return cut(kind, detail, end);
  client_->stream().hold_sends({});  // nothing more comes for a while
  Continuation& continuation = *continuation_;
  // Paid for like the rest, unless nobody takes over.
  continuation.metered = meter_stream(leg_->relay.usage(), policy::AnswerEnd::kBlank);
  continuation.endpoint = leg_->endpoint;
  notes_.broke(leg_->note, continuation.metered.charge.upstream, leg_->relay.upstream_id(),
               gateway_.shard().now());
  continuation.stage = Continuation::Stage::kOpen;
  asked().is_hedge = false;
  continuation.provider = provider_name();
  continuation.kind = kind;
  continuation.failure = told;
  continuation.has_failure_detail = failure != nullptr;
  end_attempt(policy::OutcomeClass::kFailure, 200, {});
  if (trace_ != nullptr) {
    trace_->failed(asked().traced, 200, dialect::error_row(kind).error_type,
                   gateway_.shard().now());
  }
  if (!move_to(true)) tell_break();
}

// Nobody carries it on: the client hears of what broke, not of who could not mend it.
void Exchange::tell_break() {
  const Continuation& continuation = *continuation_;
  dialect::ErrorDetail detail;
  if (continuation.has_failure_detail) {
    detail.provider_name = continuation.provider;
    detail.message = continuation.failure.message();
    detail.provider_code = continuation.failure.code();
  }
  cut(continuation.kind, detail);
}

// The first content of who carries the stream on.
void Exchange::close_seam() {
  continuation_->stage = Continuation::Stage::kDone;
  size_.prompt_bytes += continuation_->so_far->text().size();
  continuation_->so_far.reset();
  gateway_.counters().streams_continued.add();
}

}  // namespace leat::gateway
