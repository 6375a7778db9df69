// SPDX-License-Identifier: Apache-2.0
// The answer as events, as they come.
#include <algorithm>
#include <charconv>
#include <string>

#include "gateway/client.h"
#include "gateway/exchange.h"
#include "gateway/gateway.h"
#include "proto/http1_write.h"

namespace leat::gateway {

namespace {

using dialect::ErrorKind;
using ledger::AttemptOutcome;
using policy::AnswerEnd;

// After [DONE] the provider has this long to end its reply in order, so that its connection can be
// kept. Nobody waits for it.
constexpr Duration kTrailTime = seconds(1);

}  // namespace

// ---- Streams -----------------------------------------------------------------------------------

void Exchange::read_events(std::string_view bytes) {
  const RelayStep step = leg_->relay.read(bytes, *leg_);
  mind_text();
  take_step(step);
}

// The commit point: from here on nothing is tried again, and what only the request needed goes.
net::Stream& Exchange::on_commit() {
  commit_leg();
  if (is_carrying_on()) {
    close_seam();
  } else {
    const dialect::LimitFields limits(face_, rate_lines(), now_unix_ms());
    client_->begin_stream(id_, limits.fields());
  }
  status_ = 200;
  deployment_->health().first_token(leg_->health, gateway_.shard().now());
  notes_.first_token(leg_->note, gateway_.shard().now());
  if (trace_ != nullptr) trace_->first_token(asked().traced, gateway_.shard().now());
  request_->hedge_at = kNever;
  if (!leg_->relay.is_noting()) release_request();
  return client_->stream();
}

void Exchange::take_step(RelayStep step) {
  switch (step) {
    case RelayStep::kGoOn:
      return;
    case RelayStep::kDone:
      return finish_stream();
    case RelayStep::kError: {
      dialect::ProviderFailure failure;
      dialect::read_failure(leg_->relay.error(), failure);
      drop_upstream();
      if (!leg_->relay.is_committed()) return provider_failed(failure);
      gateway_.counters().upstream_failures.add();
      return broke(dialect::retry_row(failure.failure).kind, dialect::Attempted::kReplied,
                   &failure);
    }
    case RelayStep::kInvalid:
    case RelayStep::kTooLarge:
      drop_upstream();
      gateway_.counters().upstream_failures.add();
      if (!leg_->relay.is_committed()) {
        return failed(ErrorKind::kUpstreamProtocol, dialect::Attempted::kReplied);
      }
      return broke(ErrorKind::kUpstreamProtocol, dialect::Attempted::kReplied, nullptr,
                   step == RelayStep::kTooLarge ? AnswerEnd::kBlank : AnswerEnd::kError);
  }
}

// [DONE] was read, or the reply has ended.
void Exchange::finish_stream() {
  const bool reply_ended = leg_->upstream == nullptr;
  if (reply_ended) {
    const RelayStep last = leg_->relay.read_end(*leg_);
    if (last != RelayStep::kGoOn && last != RelayStep::kDone) return take_step(last);
    const bool whole = last == RelayStep::kDone || leg_->relay.finish_seen();
    if (!whole && leg_->relay.is_committed()) {
      // Truncated is not finished (design.md): never a clean end.
      gateway_.counters().upstream_failures.add();
      return broke(ErrorKind::kUpstreamClosed, dialect::Attempted::kReplied, nullptr);
    }
  }
  if (!leg_->relay.is_committed()) {
    // An end without any content is a failure that the next endpoint may mend.
    drop_upstream();
    gateway_.counters().upstream_failures.add();
    return failed(ErrorKind::kProviderUnavailable, dialect::Attempted::kReplied);
  }
  const dialect::ChatUsage told = leg_->relay.usage();
  const Metered metered =
      meter_stream(told, leg_->relay.finish_seen() ? AnswerEnd::kFinished : AnswerEnd::kBlank);
  note_answer(leg_->relay.upstream_id(), leg_->relay.native_finish());
  settle(metered, AttemptOutcome::kSucceeded, 200);
  leg_->relay.go_on_at(client_->stream());
  leg_->relay.set_usage(metered.measured.usage);
  if (trace_ != nullptr) {
    const dialect::RouterMetadata metadata = trace_->metadata(gateway_.shard().now());
    leg_->relay.write_end(metered.cost, &metadata);
  } else {
    leg_->relay.write_end(metered.cost);
  }
  gateway_.counters().streams_completed.add();
  succeeded(told);
  if (leg_->upstream == nullptr) return over(true);
  leg_->state = Leg::State::kTrailing;
  if (leg_->is_paused) leg_->upstream->resume_reply();
  gateway_.shard().wheel().set(leg_->timer, gateway_.shard().now() + kTrailTime);
  end_client(true);
}

// After the commit: an error event, and no clean end. `end`: kError if it is the provider's doing,
// so that nobody pays; kBlank if a limit of ours ended it, and what had come is paid for.
void Exchange::cut(ErrorKind kind, const dialect::ErrorDetail& detail, AnswerEnd end) {
  gateway_.counters().streams_cut.add();
  drop_upstream();
  end_attempt(policy::OutcomeClass::kFailure, 200, {});
  error_type_ = dialect::error_row(kind).error_type;
  settle_unfinished(end);
  const bool streams = leg_->state == Leg::State::kStreaming || is_carrying_on();
  if (streams && client_ != nullptr) {
    Relay::write_error(client_->stream(), framing_ == ClientFraming::kChunked, kind, detail);
  }
  over(false);
}

// A client that does not read stops its own provider, and nobody else's (engine.md 11).
void Exchange::check_backlog() {
  if (client_ == nullptr || leg_->upstream == nullptr) return;
  const std::size_t backlog = client_->stream().backlog_bytes();
  if (backlog < deployment_->limits().client_buffer_bytes_max || leg_->is_paused) return;
  leg_->is_paused = true;
  leg_->upstream->pause_reply();
  leg_->stalled_since = gateway_.shard().now();
  leg_->stalled_bytes = client_->stream().unsent_bytes();
  set_deadline();
}

void Exchange::set_hold_max(std::string_view milliseconds) {
  std::uint32_t stated = 0;
  const auto [end, fault] =
      std::from_chars(milliseconds.data(), milliseconds.data() + milliseconds.size(), stated);
  if (fault == std::errc::result_out_of_range) return;
  if (fault != std::errc{} || end != milliseconds.data() + milliseconds.size()) stated = 0;
  hold_ms_max_ = std::min(hold_ms_max_, stated);
}

// What comes next may wait for more, or may not any longer.
void Exchange::mind_hold() {
  if (leg_->upstream == nullptr) return;
  Duration most{};
  if (leg_->state == Leg::State::kStreaming && leg_->relay.is_midst_text()) {
    const Duration model = deployment_->snapshot().rules_of(endpoint().model).hold_max;
    most = gateway_.hold_time(std::min(model, milliseconds(hold_ms_max_)));
  }
  if (most.ns == 0 && !holds_) return;
  holds_ = most.ns > 0;
  const bool is_held = leg_->upstream->hold_reply(most);
  if (client_ != nullptr) client_->stream().hold_sends(is_held ? Duration{} : most);
}

// Once a stream: what its provider wants is far from what each receive touches anyway.
void Exchange::begin_acks() {
  const auto provider = deployment_->snapshot().connection_of(endpoint());
  leg_->acks = {};
  leg_->delayed_acks = deployment_->snapshot().options().providers[provider].delayed_acks;
}

// Whether the kernel may take two events for one acknowledgement. What is held is acknowledged as
// it is taken, many at once.
void Exchange::mind_acks() {
  const DelayedAcks wanted = leg_->delayed_acks;
  if (wanted == DelayedAcks::kOff || holds_ || leg_->upstream == nullptr) return;
  if (leg_->state != Leg::State::kStreaming || !leg_->relay.is_midst_text()) return;
  net::Stream* const connection = leg_->upstream->own_stream();
  if (connection == nullptr) return;
  using policy::AckStep;
  const auto mode =
      wanted == DelayedAcks::kOn ? policy::AckWatch::Mode::kAlways : policy::AckWatch::Mode::kAuto;
  const Instant now = gateway_.shard().now();
  policy::AckDelay& known = deployment_->upstream_of(endpoint()).acks;
  AckStep step = leg_->acks.on_receive(known, mode, leg_->relay.bytes(), now);
  if (step == AckStep::kLook) {
    const bool was_kept = leg_->acks.is_kept();
    const std::uint64_t rests = known.rests();
    step = leg_->acks.looked(known, mode, connection->delays_acks(), now);
    auto* const counters = deployment_->endpoint_counters();
    if (leg_->acks.is_kept() && !was_kept && counters != nullptr) {
      counters->at(leg_->endpoint).acks_delayed.add();
    }
    if (known.rests() != rests) gateway_.counters().ack_delay_rests.add();
  }
  if (step == AckStep::kDelay) connection->delay_acks();
}

// Read on once half of what it may leave is gone: a client that takes a few bytes at a time does
// not bring a turn's worth of its provider for each of them. The backlog's end is always told.
void Exchange::client_drained() {
  if (client_ == nullptr) return;
  const std::size_t most = deployment_->limits().client_buffer_bytes_max;
  if (client_->stream().backlog_bytes() > most / 2) return;
  Leg* const current = leg_;
  resume(first_);
  if (hedge_ != nullptr) resume(*hedge_);
  leg_ = current;
}

void Exchange::resume(Leg& leg) {
  if (!leg.is_paused) return;
  leg.is_paused = false;
  leg.stalled_since = kNever;
  leg.last_progress = gateway_.shard().now();
  if (leg.upstream != nullptr) leg.upstream->resume_reply();
  leg_ = &leg;
  if (state_ != State::kOver) set_deadline();
}

}  // namespace leat::gateway
