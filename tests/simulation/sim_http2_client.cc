// SPDX-License-Identifier: Apache-2.0
#include "simulation/sim_http2_client.h"

#include <algorithm>
#include <cstdlib>

#include "base/check.h"

namespace leat::sim {

namespace {

using net::http2::Fields;
using AnswerEnd = RequestRecord::End;

constexpr std::uint32_t kConnectTriesMax = 10;
constexpr Duration kExpectPatience = seconds(1);
constexpr std::int64_t kAtOnceMax = 8;
constexpr std::uint32_t kLastOfAll = 0x7fff'ffff;

// Events name a stream by its connection too: both may be gone by then.
constexpr int kIdBits = 32;
// Pauses with less between them are one to a stream that had no part in that.
constexpr Duration kReadsAgain = milliseconds(100);

// So small that an answer takes many windows, but not so many that nothing else happens.
Http2PeerOptions draw_options(World& world) {
  constexpr std::int64_t kMost[] = {200, 5'000, 65'535, 1 << 20};
  Rng& rng = world.rng();
  const std::int64_t least = world.faults().of(Fault::kProviderGiantEvent) > 0 ? 4'000 : 16;
  const std::int64_t most = std::max(least, kMost[rng.below(std::size(kMost))]);
  Http2PeerOptions options;
  options.is_client = true;
  options.stream_window = static_cast<std::uint32_t>(rng.between(least, most));
  if (rng.chance(0.5)) options.connection_window = 1 << 20;
  return options;
}

}  // namespace

SimHttp2Client::SimHttp2Client(World& world, RequestBook& book, const ClientOptions& options)
    : world_(world),
      book_(book),
      options_(options),
      at_once_(static_cast<std::size_t>(world.rng().between(1, kAtOnceMax))) {}

SimHttp2Client::Ask* SimHttp2Client::find(std::uint64_t key) {
  if (connection_ == nullptr || key >> kIdBits != connection_->id()) return nullptr;
  const auto found = asks_.find(static_cast<std::uint32_t>(key));
  return found == asks_.end() || found->second.is_over ? nullptr : &found->second;
}

std::uint64_t SimHttp2Client::key_of(std::uint32_t id) const {
  return std::uint64_t{connection_->id()} << kIdBits | id;
}

// ---- Connecting --------------------------------------------------------------------------------

void SimHttp2Client::think() {
  Rng& rng = world_.rng();
  const Duration pause =
      rng.chance(0.9) ? microseconds(rng.between(0, 20'000)) : milliseconds(rng.between(0, 90'000));
  world_.schedule(world_.now() + pause, EventKind::kActor,
                  event_callback<&SimHttp2Client::on_think>, this, ++thought_);
}

// Connects, asks, waits for room or ends.
void SimHttp2Client::on_think(std::uint64_t number) {
  if (number != thought_ || is_done_) return;
  const bool wants_more = asked_ < options_.asks;
  if (connection_ == nullptr) {
    is_done_ = !wants_more;
    if (is_done_) return;
    peer_.reset();
    connection_ = &world_.network().connect(options_.from, options_.gateway, *this);
    return;
  }
  if (peer_ == nullptr) return;  // not established yet
  if (wants_more && !is_leaving_) {
    const std::size_t most = std::min<std::size_t>(at_once_, peer_->peer_streams_max());
    if (open_ < most) {
      ask();
      if (connection_ != nullptr) think();
    }
    return;  // or think() follows when one is over
  }
  if (open_ > 0) return;
  if (world_.rng().chance(0.5)) {
    peer_->send_goaway(0, 0);
    write_on();
  }
  connection_over();
}

void SimHttp2Client::on_established() {
  connect_failures_ = 0;
  Http2Peer::User& self = *this;
  peer_ = std::make_unique<Http2Peer>(draw_options(world_), world_.rng(), self);
  write_on();
  think();
}

void SimHttp2Client::on_connect_failed(int) {
  connection_->end(0).close();
  connection_ = nullptr;
  if (++connect_failures_ > kConnectTriesMax) options_.asks = 0;
  think();
}

// ---- Asking ------------------------------------------------------------------------------------

void SimHttp2Client::ask() {
  RequestRecord& record = new_request(world_, book_, options_);
  ++asked_;
  const std::uint32_t id = peer_->next_id();
  Ask& ask = asks_[id];
  ++open_;
  ask.record = &record;
  ask.body = body_of(world_, record);
  record.connection = connection_;
  record.is_stream = true;
  record.is_stalled = !reads_;
  if (!reads_) ask.unread = {world_.now(), unread_.until};
  record.is_excused = pauses_long_ || ask.body.size() > options_.body_bytes_max;
  world_.say("client on connection %u asks %s on stream %u with %zu bytes, model %u%s%s%s",
             connection_->id(), record.nonce.c_str(), id, ask.body.size(), record.model,
             record.stream ? ", stream" : "", record.openrouter_face ? ", openrouter" : "",
             record.expected_status != 0 ? ", to be refused" : "");
  const bool has_length = !world_.strikes(Fault::kClientChunkedBody);
  ask.expects = ask.awaits_continue = world_.strikes(Fault::kClientExpectContinue);
  peer_->send_head(id, head_of(ask, has_length));
  // One who has not all of the head has no request.
  record.begins_at = peer_->written() - 1;
  ask.pace = microseconds(world_.rng().between(0, 900));
  draw_faults(id, ask);
  if (ask.is_over) return write_on();
  if (ask.awaits_continue) {
    world_.schedule(world_.now() + kExpectPatience, EventKind::kActor,
                    event_callback<&SimHttp2Client::on_expect_timeout>, this, key_of(id));
  } else {
    send_piece(id, ask);
  }
  if (world_.strikes(Fault::kClientGarbage)) talk_nonsense();
  write_on();
}

Fields SimHttp2Client::head_of(const Ask& ask, bool has_length) {
  const RequestRecord& record = *ask.record;
  std::string path = record.openrouter_face ? "/api/v1/chat/completions" : "/v1/chat/completions";
  if (world_.rng().chance(0.1)) path += "?via=simulation";
  Fields fields = {
      {":method", record.expected_status == 405 ? "GET" : "POST"},
      {":scheme", "http"},
      {":path", path},
      {":authority", "gateway"},
      {"authorization", "Bearer " + options_.key + (record.expected_status == 401 ? "x" : "")},
      {"x-title", record.nonce},
      {"content-type", "application/json"},
  };
  if (has_length) fields.emplace_back("content-length", std::to_string(ask.body.size()));
  if (ask.awaits_continue) fields.emplace_back("expect", "100-continue");
  return fields;
}

void SimHttp2Client::draw_faults(std::uint32_t id, Ask& ask) {
  Rng& rng = world_.rng();
  RequestRecord& record = *ask.record;
  if (world_.strikes(Fault::kClientSlowBody)) {
    ask.pace = milliseconds(rng.between(0, 20'000));
    record.is_excused = true;
  }
  if (world_.strikes(Fault::kClientStopsReading)) stop_reading(id, ask);
  if (world_.strikes(Fault::kClientAbortHead)) {
    ask.gives_up_body = true;
    if (rng.chance(0.3)) leave(id, ask);
  } else if (world_.strikes(Fault::kClientAbortWaiting)) {
    world_.schedule(world_.now() + microseconds(rng.between(0, 300'000)), EventKind::kActor,
                    event_callback<&SimHttp2Client::on_leave>, this, key_of(id));
  } else if (world_.strikes(Fault::kClientAbortStreaming)) {
    ask.leave_after = static_cast<std::size_t>(rng.between(1, 4'000));
  }
}

// Which ends the connection, with all that is asked on it.
void SimHttp2Client::talk_nonsense() {
  using namespace net::http2;  // NOLINT: frames
  const std::string kinds[] = {
      frame(kPing, 0, 0, "short"),
      frame(kData, 0, 0, "of no stream"),
      window(0, 0),
      frame(kSettings, 0, 1, ""),
      frame(kContinuation, 4, 1, "none"),
      frame(kGoaway, 0, 3, "x"),
      headers(2, {{":method", "GET"}}),
      std::string(40, '\xff'),
  };
  world_.say("client talks nonsense on connection %u", connection_->id());
  is_leaving_ = is_nonsense_ = true;
  for (auto& [id, ask] : asks_) ask.record->is_excused = true;
  peer_->send_raw(kinds[world_.rng().below(std::size(kinds))]);
}

bool SimHttp2Client::Unread::pause(Instant now, Duration pause) {
  if (now >= until + kReadsAgain) from = now;
  until = std::max(until, now + pause);
  return until - from > kPauseSafe;
}

// Of one stream it makes no room, or it reads nothing at all.
void SimHttp2Client::stop_reading(std::uint32_t id, Ask& ask) {
  const Duration pause = milliseconds(world_.rng().between(1, 150'000));
  const auto suffers = [&](Ask& each) {
    each.record->is_stalled = true;
    if (each.unread.pause(world_.now(), pause)) each.record->is_excused = true;
  };
  if (world_.rng().chance(0.7)) {
    world_.say("client keeps stream %u shut for %.1f s", id, pause.seconds());
    suffers(ask);
    peer_->hold_window(id, true);
    world_.schedule(world_.now() + pause, EventKind::kActor,
                    event_callback<&SimHttp2Client::on_resume_stream>, this, key_of(id));
    return;
  }
  world_.say("client reads nothing for %.1f s", pause.seconds());
  reads_ = false;
  pauses_long_ = unread_.pause(world_.now(), pause);
  for (auto& [each, other] : asks_) {
    if (!other.is_over) suffers(other);
  }
  world_.schedule(world_.now() + pause, EventKind::kActor,
                  event_callback<&SimHttp2Client::on_resume_reading>, this, connection_->id());
}

void SimHttp2Client::on_resume_stream(std::uint64_t key) {
  if (find(key) == nullptr) return;
  peer_->hold_window(static_cast<std::uint32_t>(key), false);
  write_on();
}

void SimHttp2Client::on_resume_reading(std::uint64_t connection) {
  if (connection_ == nullptr || connection_->id() != connection) return;
  reads_ = true;
  pauses_long_ = false;
  on_readable();
}

// The next of it; some time later, the one behind.
void SimHttp2Client::send_piece(std::uint32_t id, Ask& ask) {
  Rng& rng = world_.rng();
  ask.awaits_continue = false;
  std::size_t size = ask.body.size() - ask.sent;
  if (rng.chance(0.6) || ask.gives_up_body) size = static_cast<std::size_t>(rng.below(size + 1));
  const std::string_view piece = std::string_view(ask.body).substr(ask.sent, size);
  ask.sent += size;
  const bool is_last = ask.sent == ask.body.size() && !ask.gives_up_body;
  // The end may come by itself.
  peer_->send_body(id, piece, is_last && rng.chance(0.8));
  if (is_last) peer_->send_body(id, {}, true);
  if (ask.gives_up_body && rng.chance(0.5)) return leave(id, ask);
  if (is_last) return;
  world_.schedule(world_.now() + ask.pace, EventKind::kActor,
                  event_callback<&SimHttp2Client::on_piece>, this, key_of(id));
}

void SimHttp2Client::on_piece(std::uint64_t key) {
  Ask* const ask = find(key);
  if (ask == nullptr || ask->awaits_continue) return;
  send_piece(static_cast<std::uint32_t>(key), *ask);
  write_on();
}

void SimHttp2Client::on_expect_timeout(std::uint64_t key) {
  Ask* const ask = find(key);
  if (ask != nullptr && ask->awaits_continue) {
    ask->awaits_continue = false;
    on_piece(key);
  }
}

void SimHttp2Client::on_framed(std::uint32_t id, std::uint64_t, bool ends) {
  if (ends) asks_.at(id).record->is_sent = true;
}

void SimHttp2Client::write_on() {
  if (connection_ == nullptr || peer_ == nullptr || !connection_->end(0).can_write()) return;
  std::string& out = peer_->out();
  if (!out.empty()) out.erase(0, connection_->end(0).write(out));
}

// ---- Reading -----------------------------------------------------------------------------------

void SimHttp2Client::on_readable() {
  End& end = connection_->end(0);
  if (!reads_ && end.error() == 0) return;
  while (!end.readable().empty()) {
    const std::size_t readable = end.readable().size();
    const std::string bytes(
        end.readable().substr(0, static_cast<std::size_t>(world_.rng().below(readable)) + 1));
    end.consume(bytes.size());
    peer_->feed(bytes);
    if (!end.is_open()) return;
    if (!peer_->fault().empty()) {
      complain("connection " + std::to_string(connection_->id()) + ": " + peer_->fault());
      return connection_over();
    }
    write_on();
  }
  if (end.error() != 0 || end.at_end()) connection_over();
}

void SimHttp2Client::on_head(std::uint32_t id, const Fields& fields, bool ends) {
  Ask& ask = asks_.at(id);
  if (ask.is_over) return;
  const int status = std::atoi(fields.front().second.c_str());
  if (status / 100 == 1) {
    if (status != 100 || !std::exchange(ask.expects, false)) {
      complain("an informational answer that nobody waits for");
    }
    if (ask.awaits_continue) send_piece(id, ask);
    return;
  }
  ask.has_head = true;
  ask.record->status = status;
  for (const auto& [name, value] : fields) {
    if (name == "x-generation-id") ask.record->generation_id = value;
    if (name == "content-length") ask.length = std::strtoull(value.c_str(), nullptr, 10);
  }
  note_progress(ask, ends);
}

void SimHttp2Client::on_data(std::uint32_t id, std::string_view bytes, bool ends) {
  Ask& ask = asks_.at(id);
  if (ask.is_over) return;
  RequestRecord& record = *ask.record;
  if (record.content_at == kNever && !bytes.empty()) record.content_at = world_.now();
  record.body.append(bytes);
  note_progress(ask, ends);
  if (!ask.is_over && record.body.size() >= ask.leave_after) leave(id, ask);
}

void SimHttp2Client::note_progress(Ask& ask, bool ends) {
  RequestRecord& record = *ask.record;
  if (record.body.size() > ask.length ||
      (ends && ask.length != UINT64_MAX && record.body.size() != ask.length)) {
    complain(record.nonce + ": the answer is not of the length that it says");
  }
  const bool has_all =
      record.stream ? record.body.ends_with(kStreamEnd) : ends || record.body.size() == ask.length;
  if (has_all && !record.is_finished && record.status == 200) {
    record.is_finished = true;
    if (book_.on_finished) book_.on_finished(record);
  }
  if (!ends) return;
  world_.say("client has %d for %s", record.status, record.nonce.c_str());
  finish(ask, AnswerEnd::kWhole);
  think();
}

void SimHttp2Client::finish(Ask& ask, RequestRecord::End end) {
  if (std::exchange(ask.is_over, true)) return;
  --open_;
  RequestRecord& record = *ask.record;
  record.end = end;
  ++record.ends;
  record.ended_at = world_.now();
  record.was_broken = connection_->was_broken();
}

void SimHttp2Client::on_reset(std::uint32_t id, std::uint32_t code) {
  Ask& ask = asks_.at(id);
  if (ask.is_over) return;
  world_.say("client: stream %u is reset with %u", id, code);
  // Only who drains turns a request away unseen.
  const bool drains = world_.fault_counts()[static_cast<std::size_t>(Fault::kDrainEarly)] > 0;
  if (code == net::http2::kRefusedStream && drains) ask.record->is_disowned = true;
  finish(ask, ask.has_head ? AnswerEnd::kCut : AnswerEnd::kUnserved);
  think();
}

// What is beyond its last stream was not and will not be served.
void SimHttp2Client::on_goaway(std::uint32_t last, std::uint32_t code) {
  world_.say("client: connection %u goes away after stream %u", connection_->id(), last);
  if (code != 0 && !is_nonsense_) complain("the gateway finds a fault: " + std::to_string(code));
  is_leaving_ = true;
  if (last == kLastOfAll) return;
  for (auto& [id, ask] : asks_) {
    if (id <= last || ask.is_over) continue;
    if (ask.has_head) complain("an answer to what was not served");
    ask.record->is_disowned = true;
    finish(ask, AnswerEnd::kUnserved);
  }
  think();
}

// The connection has ended, or is not needed any more.
void SimHttp2Client::connection_over() {
  world_.say("client: connection %u over, error %d", connection_->id(),
             connection_->end(0).error());
  for (auto& [id, ask] : asks_) {
    if (ask.is_over) continue;
    // Who writes and does not read may lose what it was told to the reset that follows.
    if (!reads_ && connection_->end(0).error() != 0) ask.record->is_excused = true;
    finish(ask, ask.has_head ? AnswerEnd::kCut : AnswerEnd::kUnserved);
  }
  connection_->end(0).close();
  connection_ = nullptr;
  asks_.clear();
  open_ = 0;
  is_leaving_ = is_nonsense_ = false;
  reads_ = true;
  pauses_long_ = false;
  think();
}

// ---- Going away --------------------------------------------------------------------------------

void SimHttp2Client::on_leave(std::uint64_t key) {
  Ask* const ask = find(key);
  if (ask == nullptr) return;
  leave(static_cast<std::uint32_t>(key), *ask);
  write_on();
}

// From one stream, or from the connection with all of them.
void SimHttp2Client::leave(std::uint32_t id, Ask& ask) {
  if (world_.strikes(Fault::kClientAbortWithReset)) return leave_all(true);
  if (world_.rng().chance(0.1)) return leave_all(false);
  world_.say("client leaves stream %u", id);
  RequestRecord& record = *ask.record;
  record.is_abandoned = true;
  record.gone_at = world_.now();
  peer_->send_reset(id, net::http2::kCancel);
  record.left_at = peer_->written();
  finish(ask, ask.has_head ? AnswerEnd::kCut : AnswerEnd::kUnserved);
  // Some say goodbye to the connection with that.
  if (world_.rng().chance(0.1)) {
    is_leaving_ = true;
    peer_->send_goaway(0, 0);
  }
  think();
}

void SimHttp2Client::leave_all(bool resets) {
  world_.say("client leaves connection %u", connection_->id());
  is_leaving_ = true;
  for (auto& [id, ask] : asks_) {
    if (ask.is_over) continue;
    RequestRecord& record = *ask.record;
    record.is_abandoned = true;
    record.was_quiet = options_.half_close_allowed && !resets;
    record.gone_at = world_.now();
    finish(ask, ask.has_head ? AnswerEnd::kCut : AnswerEnd::kUnserved);
  }
  End& end = connection_->end(0);
  if (resets) {
    end.reset(world_.rng().chance(0.5));
  } else {
    end.close();
  }
  // Who called is still at it: the rest is done with the next thought.
  think();
}

}  // namespace leat::sim
