// SPDX-License-Identifier: Apache-2.0
#include "simulation/sim_client.h"

#include <algorithm>
#include <cstdio>

#include "base/check.h"

namespace leat::sim {

namespace {

constexpr std::uint32_t kConnectTriesMax = 10;
constexpr Duration kExpectPatience = seconds(1);

constexpr std::string_view kGarbage[] = {
    "GET\r\n\r\n",
    "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n"
    "transfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
    "POST /v1/chat/completions HTTP/1.1\nhost: a\n\n",
    "POST /v1/chat/completions HTTP/1.1\r\nhost : a\r\n\r\n",
    "\x16\x03\x01\x02\x05\x01\x01\xfc\x03\x03 not the protocol you expect\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
};

}  // namespace

// ---- Connecting --------------------------------------------------------------------------------

void SimClient::start() {
  think();
}

void SimClient::think() {
  const bool has_connection = connection_ != nullptr;
  if (!has_connection && asked_ >= options_.asks) {
    is_done_ = true;
    return;
  }
  Rng& rng = world_.rng();
  const Duration pause =
      rng.chance(0.9) ? microseconds(rng.between(0, 20'000)) : milliseconds(rng.between(0, 90'000));
  world_.schedule(
      world_.now() + pause, EventKind::kActor,
      has_connection ? event_callback<&SimClient::ask> : event_callback<&SimClient::connect>, this,
      has_connection ? connection_->id() : 0);
}

void SimClient::connect(std::uint64_t) {
  if (connection_ != nullptr) return;
  reader_ = HttpReader(HttpReader::Kind::kResponse);
  connection_ = &world_.network().connect(options_.from, options_.gateway, *this);
}

void SimClient::on_established() {
  connect_failures_ = 0;
  ask(connection_->id());
}

void SimClient::on_connect_failed(int) {
  connection_->end(0).close();
  connection_ = nullptr;
  if (++connect_failures_ > kConnectTriesMax) options_.asks = 0;
  think();
}

// ---- Asking ------------------------------------------------------------------------------------

void SimClient::ask(std::uint64_t connection_id) {
  if (connection_ == nullptr || connection_->id() != connection_id || !awaited_.empty()) return;
  if (asked_ >= options_.asks) {
    connection_->end(0).close();
    connection_ = nullptr;
    return think();
  }
  if (world_.strikes(Fault::kClientGarbage)) return add_garbage();
  std::uint32_t count = 1;
  if (world_.strikes(Fault::kClientPipelines)) {
    count = std::min<std::uint32_t>(static_cast<std::uint32_t>(world_.rng().between(2, 4)),
                                    options_.asks - asked_);
  }
  for (std::uint32_t i = 0; i < count; ++i) add_request(i + 1 == count);
  if (world_.strikes(Fault::kClientStopsReading)) {
    reads_ = false;
    const Duration pause = milliseconds(world_.rng().between(1, 150'000));
    // Who neither reads nor has sent all may lose what it was answered to the reset that follows a
    // refusal.
    const bool sends_late = held_record_ != nullptr || awaited_.back()->is_excused;
    for (RequestRecord* record : awaited_) {
      if (pause > kPauseSafe || sends_late) record->is_excused = true;
      record->is_stalled = true;
    }
    world_.schedule(world_.now() + pause, EventKind::kActor,
                    event_callback<&SimClient::on_resume_reading>, this);
  }
  write_on();
}

void SimClient::add_request(bool is_last) {
  Rng& rng = world_.rng();
  RequestRecord& record = new_request(world_, book_, options_);
  ++asked_;
  record.connection = connection_;
  record.begins_at = connection_->end(0).outgoing().written_total + unwritten_.size();
  record.is_http10 = is_last && world_.strikes(Fault::kClientHttp10);
  record.is_behind = !awaited_.empty();
  awaited_.push_back(&record);
  const std::string body = body_of(world_, record);
  world_.say("client on connection %u asks %s with %zu bytes, model %u%s%s%s%s", connection_->id(),
             record.nonce.c_str(), body.size(), record.model, record.stream ? ", stream" : "",
             record.openrouter_face ? ", openrouter" : "", record.is_behind ? ", pipelined" : "",
             record.expected_status != 0 ? ", to be refused" : "");
  const bool chunked = !record.is_http10 && world_.strikes(Fault::kClientChunkedBody);
  const bool expects = is_last && !record.is_http10 && world_.strikes(Fault::kClientExpectContinue);
  const bool slow = is_last && world_.strikes(Fault::kClientSlowBody);
  // More of a refused request than the gateway is willing to skip ends in a reset.
  const std::size_t most = record.expected_status != 0 ? kSkippedSafe : options_.body_bytes_max;
  if (slow || body.size() > most) record.is_excused = true;
  if (is_behind_refused()) record.is_excused = true;
  std::string wire_body = body;
  if (chunked) {
    wire_body.clear();
    for (std::size_t at = 0; at < body.size();) {
      const auto size = std::min(body.size() - at, static_cast<std::size_t>(rng.between(1, 9'000)));
      char line[24];
      std::snprintf(line, sizeof line, "%zx\r\n", size);
      wire_body.append(line).append(body, at, size).append("\r\n");
      at += size;
    }
    wire_body += "0\r\n\r\n";
  }
  const std::string head = head_of(record, body.size(), chunked, expects);
  if (expects) expecting_ = &record;
  if (is_last && world_.strikes(Fault::kClientAbortHead)) {
    leave_ = Leave::kInHead;
    const std::string all = head + wire_body;
    add_pieces(all.substr(0, static_cast<std::size_t>(rng.below(all.size()))), nullptr, false);
    return;
  }
  if (expects) {
    add_pieces(head, nullptr, false);
    held_body_ = wire_body;
    held_record_ = &record;
    world_.schedule(world_.now() + kExpectPatience, EventKind::kActor,
                    event_callback<&SimClient::on_expect_timeout>, this, asked_);
  } else {
    add_pieces(head + wire_body, &record, slow);
  }
  if (!is_last) return;
  half_closes_ = options_.half_close_allowed && world_.strikes(Fault::kClientHalfCloses);
  if (world_.strikes(Fault::kClientAbortWaiting)) {
    leave_ = Leave::kWaiting;
    world_.schedule(world_.now() + microseconds(rng.between(0, 300'000)), EventKind::kActor,
                    event_callback<&SimClient::on_leave>, this, asked_);
  } else if (world_.strikes(Fault::kClientAbortStreaming)) {
    leave_ = Leave::kStreaming;
    leave_after_bytes_ = static_cast<std::size_t>(rng.between(1, 4'000));
  }
}

// Of a chunked body that is to be skipped the gateway sees too late that it is too much; then what
// waits behind it is not served.
bool SimClient::is_behind_refused() const {
  return std::any_of(awaited_.begin(), awaited_.end(), [](const RequestRecord* ahead) {
    return ahead->is_excused && ahead->expected_status != 0;
  });
}

std::string SimClient::head_of(const RequestRecord& record, std::size_t size, bool chunked,
                               bool expects) {
  std::string head = record.expected_status == 405 ? "GET " : "POST ";
  if (record.openrouter_face) head += "/api";
  head += "/v1/chat/completions";
  if (world_.rng().chance(0.1)) head += "?via=simulation";
  head += record.is_http10 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n";
  head += "Host: gateway\r\nAuthorization: Bearer " + options_.key +
          (record.expected_status == 401 ? "x" : "") + "\r\nX-Title: " + record.nonce +
          "\r\nContent-Type: application/json\r\n";
  head += chunked ? "Transfer-Encoding: chunked\r\n"
                  : "Content-Length: " + std::to_string(size) + "\r\n";
  if (expects) head += "Expect: 100-continue\r\n";
  return head + "\r\n";
}

void SimClient::add_garbage() {
  ++asked_;
  RequestRecord& record = book_.add("garbage-" + std::to_string(world_.rng().next()));
  record.connection = connection_;
  record.begins_at = connection_->end(0).outgoing().written_total + unwritten_.size();
  record.is_excused = true;
  record.is_garbage = true;
  awaited_.push_back(&record);
  add_pieces(std::string(kGarbage[world_.rng().below(std::size(kGarbage))]), &record, false);
  write_on();
}

void SimClient::add_pieces(const std::string& bytes, RequestRecord* completes, bool slow) {
  Rng& rng = world_.rng();
  const std::int64_t count = slow ? rng.between(2, 8) : rng.between(1, 3);
  std::size_t at = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    std::size_t size = bytes.size() - at;
    if (i + 1 < count) size = static_cast<std::size_t>(rng.below(size + 1));
    Piece piece;
    if (i > 0) {
      piece.before =
          slow ? milliseconds(rng.between(0, 20'000)) : microseconds(rng.between(0, 900));
    }
    piece.bytes = bytes.substr(at, size);
    if (i + 1 == count) piece.completes = completes;
    pieces_.push_back(std::move(piece));
    at += size;
  }
}

void SimClient::write_on() {
  if (connection_ == nullptr || !connection_->end(0).can_write() || is_half_closed_) return;
  if (!unwritten_.empty()) unwritten_.erase(0, connection_->end(0).write(unwritten_));
  if (!unwritten_.empty()) return;
  if (completing_ != nullptr) {
    completing_->is_sent = true;
    completing_ = nullptr;
  }
  if (piece_is_due_) return;
  if (!pieces_.empty()) {
    piece_is_due_ = true;
    world_.schedule(world_.now() + pieces_.front().before, EventKind::kActor,
                    event_callback<&SimClient::on_piece>, this, ++piece_number_);
  } else if (leave_ == Leave::kInHead) {
    leave();
  } else if (half_closes_ && held_record_ == nullptr) {
    world_.say("client half-closes connection %u", connection_->id());
    is_half_closed_ = true;
    connection_->end(0).shutdown();
  }
}

void SimClient::on_piece(std::uint64_t number) {
  if (number != piece_number_ || pieces_.empty()) return;
  piece_is_due_ = false;
  unwritten_ += pieces_.front().bytes;
  completing_ = pieces_.front().completes;
  pieces_.pop_front();
  write_on();
}

void SimClient::send_body() {
  if (held_record_ == nullptr) return;
  add_pieces(held_body_, held_record_, false);
  held_record_ = nullptr;
  write_on();
}

void SimClient::on_expect_timeout(std::uint64_t asks) {
  if (asks == asked_) send_body();
}

// ---- Reading -----------------------------------------------------------------------------------

void SimClient::on_resume_reading(std::uint64_t) {
  reads_ = true;
  if (connection_ != nullptr) on_readable();
}

void SimClient::on_readable() {
  End& end = connection_->end(0);
  if (!reads_ && end.error() == 0) return;
  while (!end.readable().empty()) {
    const std::size_t readable = end.readable().size();
    const std::size_t size = static_cast<std::size_t>(world_.rng().below(readable)) + 1;
    reader_.feed(end.readable().substr(0, size));
    end.consume(size);
    note_progress();
    read_answers();
    if (connection_ == nullptr) return;
    if (!reader_.fault().empty()) {
      complain("not an answer of HTTP: " + reader_.fault());
      return connection_over();
    }
  }
  if (end.error() != 0 || end.at_end()) connection_over();
}

// What has come of the first answer.
void SimClient::note_progress() {
  if (awaited_.empty() || !reader_.has_head() || reader_.status() / 100 == 1) return;
  RequestRecord& record = *awaited_.front();
  if (record.content_at == kNever && !reader_.body().empty()) record.content_at = world_.now();
  record.generation_id = reader_.field("x-generation-id");
  const bool is_finished =
      record.stream ? reader_.body().ends_with(kStreamEnd) : reader_.is_whole();
  if (!is_finished || record.is_finished || reader_.status() != 200) return;
  record.is_finished = true;
  if (book_.on_finished) book_.on_finished(record);
}

void SimClient::read_answers() {
  while (reader_.is_whole() && connection_ != nullptr) {
    if (reader_.status() / 100 == 1) {
      const bool is_expected = reader_.status() == 100 && expecting_ != nullptr &&
                               !awaited_.empty() && awaited_.front() == expecting_;
      if (!is_expected) complain("an informational answer that nobody waits for");
      expecting_ = nullptr;
      reader_.next();
      send_body();
      continue;
    }
    take_answer();
    note_progress();
  }
  if (connection_ == nullptr) return;
  if (reader_.is_within() && awaited_.empty()) complain("bytes that nobody asked for");
  if (leave_ == Leave::kStreaming && awaited_.size() == 1 && reader_.has_head() &&
      reader_.body().size() >= leave_after_bytes_) {
    leave();
  }
}

void SimClient::take_answer() {
  if (awaited_.empty()) {
    complain("an answer that nobody asked for");
    return connection_over();
  }
  RequestRecord& record = *awaited_.front();
  awaited_.pop_front();
  world_.say("client has %d for %s", reader_.status(), record.nonce.c_str());
  record.end = RequestRecord::End::kWhole;
  record.ended_at = world_.now();
  ++record.ends;
  record.status = reader_.status();
  record.body = reader_.body();
  if (&record == held_record_) held_record_ = nullptr;
  if (&record == expecting_) expecting_ = nullptr;
  // A refusal may have come before its nonsense was read to where it shows.
  const bool goes_on = reader_.keeps_alive() && record.is_sent && !record.is_garbage;
  if (awaited_.empty()) leave_ = Leave::kNot;
  if (!goes_on) {
    for (RequestRecord* behind : awaited_) behind->is_excused = true;
    reader_.next();
    return connection_over();
  }
  reader_.next();
  if (!awaited_.empty()) return;
  // Nothing more can be asked on it.
  if (is_half_closed_) return connection_over();
  think();
}

// The connection has ended, or is not worth keeping.
void SimClient::connection_over() {
  End& end = connection_->end(0);
  world_.say("client: connection %u over, error %d", connection_->id(), end.error());
  // Nothing but its FIN ends an answer that has no length; a reset, or our leaving, does not.
  if (end.error() == 0 && end.at_end()) reader_.feed_end();
  note_progress();
  for (bool is_first = true; RequestRecord * record : awaited_) {
    record->end = !is_first || !reader_.has_head() ? RequestRecord::End::kUnserved
                  : reader_.is_whole()             ? RequestRecord::End::kWhole
                                                   : RequestRecord::End::kCut;
    ++record->ends;
    record->ended_at = world_.now();
    record->was_broken = connection_->was_broken();
    if (is_first && reader_.has_head()) {
      record->status = reader_.status();
      record->body = reader_.body();
    }
    // What waits behind another request is the client's to ask again.
    if (!is_first) record->is_excused = true;
    is_first = false;
  }
  end.close();
  connection_ = nullptr;
  awaited_.clear();
  pieces_.clear();
  unwritten_.clear();
  completing_ = held_record_ = expecting_ = nullptr;
  piece_is_due_ = is_half_closed_ = half_closes_ = false;
  ++piece_number_;
  leave_ = Leave::kNot;
  reads_ = true;
  think();
}

// ---- Going away --------------------------------------------------------------------------------

void SimClient::on_leave(std::uint64_t asks) {
  if (asks == asked_ && leave_ == Leave::kWaiting && connection_ != nullptr) leave();
}

void SimClient::leave() {
  world_.say("client leaves connection %u", connection_->id());
  leave_ = Leave::kNot;
  const bool resets = world_.strikes(Fault::kClientAbortWithReset);
  for (RequestRecord* record : awaited_) {
    record->is_abandoned = true;
    record->was_quiet = is_half_closed_ || (options_.half_close_allowed && !resets);
    record->gone_at = world_.now();
  }
  End& end = connection_->end(0);
  if (resets) {
    end.reset(world_.rng().chance(0.5));
  } else if (!options_.half_close_allowed && world_.rng().chance(0.3)) {
    // A half-close: it goes on reading, and is to be taken for gone all the same.
    is_half_closed_ = true;
    pieces_.clear();
    end.shutdown();
    return;
  }
  connection_over();
}

}  // namespace leat::sim
