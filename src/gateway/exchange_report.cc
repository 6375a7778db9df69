// SPDX-License-Identifier: Apache-2.0
// What control is told of the requests that run (shard_report.h).
#include "gateway/configured_keys.h"
#include "gateway/exchange.h"
#include "gateway/gateway.h"

namespace leat::gateway {

namespace {

std::string_view stage_of(Leg::State state, bool is_committed) {
  switch (state) {
    case Leg::State::kIdle:
      return "choosing";
    case Leg::State::kConnecting:
      return "connecting";
    case Leg::State::kWaiting:
      return "waiting";
    case Leg::State::kStreaming:
      return is_committed ? "streaming" : "held";
    case Leg::State::kCollecting:
    case Leg::State::kPassing:
      return "answering";
    case Leg::State::kFailing:
      return "failing";
    case Leg::State::kTrailing:
      return "ending";
  }
  LEAT_UNREACHABLE("a leg's state without a name");
}

}  // namespace

std::string_view Exchange::stage() const {
  switch (state_) {
    case State::kReading:
      return "reading";
    case State::kAdmitting:
      return "admitting";
    case State::kBackoff:
      return "backing off";
    case State::kAsking:
      return stage_of(leg_->state, is_committed());
    case State::kOver:
      return "ending";
  }
  LEAT_UNREACHABLE("an exchange's state without a name");
}

RunningRequest Exchange::report() const {
  KeyName room;
  RunningRequest running;
  running.id = id_;
  running.key = key_name(deployment_->snapshot().options(), key(), room);
  running.model = notes_.model();
  running.endpoint = leg_->endpoint;
  running.stage = stage();
  running.age = gateway_.shard().now() - started_;
  running.events = leg_->relay.events();
  running.attempts = notes_.attempts_made();
  return running;
}

std::unique_ptr<ShardReport> Gateway::report() {
  auto report = std::make_unique<ShardReport>();
  report->shard = shard_.index();
  report->generation = deployment_->generation();
  for (Exchange* each = running_.first(); each != nullptr; each = running_.after(*each)) {
    if (report->running.size() == RunningRequest::kListedMax) break;
    report->running.push_back(each->report());
    // Of an endpoint by its former number nothing can be told.
    if (!each->is_decided_by(*deployment_)) report->running.back().endpoint = policy::kNoId;
  }
  deployment_->health().add_outcomes(shard_.now(), report->outcomes);
  return report;
}

// Once a second: what is held, and what running streams have passed on so far.
void Gateway::refresh_holdings() {
  counters_.memory_bodies.set(buffered_bytes_);
  counters_.memory_connections.set(connections_.live() * sizeof(ClientConn) +
                                   http2_connections_.live() * sizeof(Http2ClientConn) +
                                   http2_clients_.live() * sizeof(Http2Client));
  counters_.memory_exchanges.set(exchanges_.live() * sizeof(Exchange));
  std::uint64_t events = counters_.events_relayed.get();
  for (Exchange* each = running_.first(); each != nullptr; each = running_.after(*each)) {
    events += each->events_running();
  }
  counters_.events_so_far.set(events);
}

}  // namespace leat::gateway
