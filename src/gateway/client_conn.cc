// SPDX-License-Identifier: Apache-2.0
// HTTP/1.1: heads, bodies, answers, time limits.
#include "gateway/client_conn.h"

#include <algorithm>
#include <cstring>

#include "gateway/append_block.h"
#include "gateway/gateway.h"
#include "gateway/succession.h"

namespace leat::gateway {

namespace {

using dialect::ErrorKind;
using proto::KnownField;

// Rests of a body above this are received straight into it; for less, a second receive costs more
// than the copy.
constexpr std::uint64_t kInPlaceBytesMin = 16 * 1024;
constexpr std::size_t kHeadRoom = 2048;  // of an answer
// Of answers that the client has not read; beyond it no further request of it is looked at.
constexpr std::size_t kUnsentMax = 2 * net::Stream::kBacklogLow;
// Further requests wait their turn as bytes. The client is not read while pipelined_requests_max of
// them wait, or so many bytes for each of that number, as bodies count too.
constexpr std::size_t kKeptBytesPerRequest = 4 * 1024;

// Empty lines from `from` on: one ends each head. A body with such a line in it, or a chunked one's
// end, counts as one more, so that a few fewer wait than might.
std::size_t count_head_ends(std::string_view bytes, std::size_t from) {
  constexpr std::string_view kEnd = "\r\n\r\n";
  std::size_t at = from < kEnd.size() ? 0 : from - (kEnd.size() - 1);
  std::size_t count = 0;
  while ((at = bytes.find(kEnd, at)) != std::string_view::npos) {
    ++count;
    at += kEnd.size();
  }
  return count;
}

proto::HeadLimits head_limits(const Limits& limits) {
  return {limits.head_bytes_max, limits.head_line_bytes_max, limits.headers_max};
}

}  // namespace

ClientConn::ClientConn(Gateway& gateway, const io::Address& peer, const Manners& manners)
    : Client(gateway, peer),
      passed_by_(manners.passed_by),
      parser_(head_limits(gateway.limits())),
      half_close_allowed_(manners.half_close_allowed),
      may_be_http2_(manners.knows_http2) {
  if (passed_by_ != nullptr) {
    state_ = State::kPreamble;
    draining_ = true;  // the client is to come to us itself
  }
  gateway_.counters().connections_open.add();
}

ClientConn::~ClientConn() {
  gateway_.counters().connections_open.subtract();
  if (!is_http2_) gateway_.addresses().left(peer_, shown_good_key_);
}

void ClientConn::attach(net::Stream& stream, bool is_tls) {
  stream_ = out_ = &stream;
  is_tls_ = is_tls;
  const Limits& limits = gateway_.limits();
  set_timer(is_tls ? limits.tls_handshake_ms_max : limits.request_head_ms_max);
}

// The TLS handshake is done: the first head has all of its time from here.
void ClientConn::on_open() {
  if (stream_->protocol() == "h2") return go_on_in_http2({});
  set_timer(gateway_.limits().request_head_ms_max);
}

void ClientConn::set_timer(std::uint32_t ms) {
  gateway_.shard().wheel().set(timer_, gateway_.shard().now() + gateway_.idle_time(ms));
}

// ---- Bytes -------------------------------------------------------------------------------------

void ClientConn::on_bytes(std::span<char> bytes) {
  if (state_ == State::kClosed) return;
  const std::string_view in(bytes.data(), bytes.size());
  if (may_be_http2_ && is_preface(in)) return;
  if (state_ == State::kBusy) return keep_for_later(in);
  if (state_ == State::kPassing) return passage_->write(in);
  consume(in);
}

// Whether the first bytes are those of HTTP/2; while they may be, they are kept.
bool ClientConn::is_preface(std::string_view in) {
  constexpr std::string_view kPreface = Http2ClientConn::kPreface;
  const std::size_t before = kept_ ? kept_->size : 0;
  const std::size_t looked_at = std::min(in.size(), kPreface.size() - before);
  if (kPreface.substr(before, looked_at) != in.substr(0, looked_at)) {
    may_be_http2_ = false;
    return false;
  }
  append(kept_, in, kPreface.size());
  if (kept_->size < kPreface.size()) return true;
  const BlockRef all = std::move(kept_);
  kept_.reset();
  go_on_in_http2({all->data(), all->size});
  return true;
}

void ClientConn::go_on_in_http2(std::span<char> bytes) {
  state_ = State::kClosed;
  is_http2_ = true;
  gateway_.shard().wheel().cancel(timer_);
  gateway_.shard().defer(*this);
  gateway_.speak_http2(*stream_, peer_, is_tls_, bytes);
}

void ClientConn::consume(std::string_view in) {
  BlockRef hold;  // keeps alive what `in` looks at, once that is kept_
  while (!in.empty()) {
    switch (state_) {
      case State::kPreamble:
        read_preamble(in);
        break;
      case State::kHead:
        if (gateway_.succession() != nullptr) return wait_for_successor(in);
        if (stream_->unsent_bytes() > kUnsentMax) return wait_for_room(in);
        read_head(in, hold);
        break;
      case State::kBody:
        read_body(in);
        break;
      case State::kDiscard:
        discard(in);
        break;
      case State::kBusy:
        return keep_for_later(in);
      case State::kPassing:
      case State::kClosed:
        return;
    }
  }
}

void ClientConn::keep_for_later(std::string_view bytes) {
  const std::size_t before = kept_ ? kept_->size : 0;
  if (before == 0) kept_requests_ = 0;
  append(kept_, bytes, 4096);
  kept_requests_ += count_head_ends({kept_->data(), kept_->size}, before);
  const std::size_t most = gateway_.limits().pipelined_requests_max;
  const bool is_full = kept_requests_ >= most || kept_->size > most * kKeptBytesPerRequest;
  if (is_full && !paused_) {
    paused_ = true;
    // Who may close its sending side is not gone when it does.
    half_close_allowed_ ? stream_->pause() : stream_->pause_watching();
  }
}

// Its answers are not read: the next request is not, either.
void ClientConn::wait_for_room(std::string_view in) {
  awaits_room_ = true;
  unsent_seen_ = 0;
  keep_for_later(in);
  gateway_.shard().wheel().set(timer_, gateway_.shard().now());  // when this turn's have left
}

// The end of the last answer waits, and no further request has begun.
bool ClientConn::is_answer_unread() const {
  return has_request() && !kept_ && stream_->unsent_bytes() > 0;
}

// The same looks whether the last answer of an idle connection is still being read.
void ClientConn::look_for_room() {
  const std::size_t unsent = stream_->unsent_bytes();
  if (unsent <= (awaits_room_ ? kUnsentMax : 0)) {
    awaits_room_ = false;
    return next_request();
  }
  if (unsent_seen_ != 0 && unsent >= unsent_seen_) return close_now();
  unsent_seen_ = unsent;
  const auto most = milliseconds(gateway_.limits().client_stall_ms_max);
  gateway_.shard().wheel().set(timer_, gateway_.shard().now() + most);
}

void ClientConn::read_head(std::string_view& in, BlockRef& hold) {
  proto::RequestHead& head = gateway_.head_scratch();
  if (kept_) {
    append(kept_, in, 4096);
    hold = std::move(kept_);
    kept_.reset();
    in = {hold->data(), hold->size};
  }
  const proto::HeadStatus status = parser_.parse(in, head);
  if (status.need_more()) {
    if (hold && in.data() == hold->data()) {
      kept_ = std::move(hold);
    } else {
      append(kept_, in, 4096);
      // All of a further head has its time from its first byte, however it drips; the first one's
      // runs since the accept, or since the end of the TLS handshake.
      if (has_request()) set_timer(gateway_.limits().request_head_ms_max);
    }
    in = {};
    return;
  }
  if (!status.complete()) {
    in = {};
    begin();
    return refuse_head(status.fault);
  }
  parser_.reset();
  in.remove_prefix(status.head_bytes);
  take_head(head);
}

// ---- Heads -------------------------------------------------------------------------------------

void ClientConn::begin() {
  begin_request();
  http10_ = false;
}

void ClientConn::take_head(const proto::RequestHead& head) {
  begin();
  http10_ = head.http10;
  wants_keep_alive_ = head.keep_alive;
  chunked_ = proto::ChunkedDecoder();
  serve(head);
}

// ---- Bodies ------------------------------------------------------------------------------------

std::uint64_t ClientConn::body_left() const {
  return is_chunked_ ? (chunked_.ended() ? 0 : 1) : length_left_;
}

void ClientConn::read_body(std::string_view& in) {
  body_progress_ = gateway_.shard().now();
  if (is_chunked_) return read_chunked_body(in);
  const std::size_t taken = std::min<std::uint64_t>(in.size(), length_left_);
  copy_body(in.substr(0, taken));
  in.remove_prefix(taken);
  const bool whole = length_left_ == 0;
  if (!body_grew(whole)) return;
  if (whole) {
    exchange_->start();
  } else if (length_left_ >= kInPlaceBytesMin && stream_->can_receive_into_block()) {
    receive_rest_in_place();
  }
}

void ClientConn::receive_rest_in_place() {
  BlockRef& body = exchange_->body();
  stream_->receive_block(body, body->size, static_cast<std::size_t>(length_left_));
}

void ClientConn::on_block_bytes(std::size_t count) {
  if (state_ == State::kDiscard) {
    // Refused while it was being received in place; the rest is skipped as it comes.
    length_left_ -= count;
    stream_->resume();
    if (body_left() == 0) next_request();
    return;
  }
  if (state_ != State::kBody || exchange_ == nullptr) return;
  body_progress_ = gateway_.shard().now();
  exchange_->body()->size += count;
  length_left_ -= count;
  received_ += count;
  const bool whole = length_left_ == 0;
  if (whole) stream_->resume();
  if (!body_grew(whole)) {
    if (!whole && state_ != State::kClosed) stream_->resume();
    return;
  }
  if (whole) {
    exchange_->start();
  } else {
    receive_rest_in_place();
  }
}

void ClientConn::read_chunked_body(std::string_view& in) {
  bool whole = false;
  while (!whole) {
    const proto::ChunkStep step = chunked_.next(in);
    if (step.kind == proto::ChunkStep::Kind::kNeedMore) break;
    if (step.kind == proto::ChunkStep::Kind::kFault) {
      in = {};
      return refuse_head(step.fault);
    }
    whole = step.kind == proto::ChunkStep::Kind::kEnd;
    if (whole) break;
    if (!take_piece(step.data)) return;
  }
  if (body_grew(whole) && whole) exchange_->start();
}

void ClientConn::discard(std::string_view& in) {
  if (is_chunked_) {
    for (;;) {
      const proto::ChunkStep step = chunked_.next(in);
      if (step.kind == proto::ChunkStep::Kind::kData) {
        received_ += step.data.size();
        if (received_ > gateway_.limits().drain_bytes_max) return close_after_answer();
        continue;
      }
      if (step.kind == proto::ChunkStep::Kind::kFault) return close_after_answer();
      break;
    }
  } else {
    const std::size_t taken = std::min<std::uint64_t>(in.size(), length_left_);
    length_left_ -= taken;
    in.remove_prefix(taken);
  }
  if (body_left() == 0) next_request();
}

// ---- Answers -----------------------------------------------------------------------------------

bool ClientConn::keeps_alive() const {
  // Who waits for 100 Continue and gets an answer may leave the body out: then the next head stands
  // where it would have been (RFC 9110 10.1.1).
  // Who has closed its sending side is still owed what it had asked by then.
  const bool is_last = half_closed_ && !kept_;
  return wants_keep_alive_ && !awaits_continue_ && !draining_ && !is_last &&
         gateway_.shedding().keeps_alive(gateway_.limits(), is_tls_, is_shed_);
}

ClientFraming ClientConn::framing() const {
  return http10_ ? ClientFraming::kUntilClose : ClientFraming::kChunked;
}

void ClientConn::write_head(const AnswerHead& answer) {
  const bool is_whole = answer.form == AnswerForm::kWhole;
  if (http10_ && !is_whole) wants_keep_alive_ = false;  // its end is the connection's end
  proto::ResponseOptions options;
  options.status = answer.status;
  options.content_length = answer.length;
  options.content_type = answer.content_type;
  if (!is_whole) {
    options.framing = http10_ ? proto::BodyFraming::kUntilClose : proto::BodyFraming::kChunked;
  }
  options.keep_alive = said_keep_alive_ = keeps_alive();
  options.http10 = http10_;
  options.fields = answer.fields;
  const std::span<char> place(out_->prepare(kHeadRoom), kHeadRoom);
  const auto head = answer.form == AnswerForm::kEvents ? proto::write_sse_head(place, options)
                                                       : proto::write_response_head(place, options);
  LEAT_CHECK(head.has_value());
  out_->commit(head->size());
}

void ClientConn::write_continue() {
  stream_->write(proto::kContinue);
}

void ClientConn::hold_end() {
  if (held_ == nullptr) held_ = std::make_unique<net::HeldStream>(*stream_);
  out_ = held_.get();
  is_held_ = true;
}

void ClientConn::release_held(bool goes_out) {
  out_ = stream_;
  if (held_ == nullptr) return;
  if (goes_out) {
    held_->pass_on();
  } else {
    held_->drop();
  }
}

void ClientConn::write_body(std::string_view bytes) {
  if (bytes.empty()) return;
  char reserve[proto::kChunkHeaderBytesMax];
  const std::size_t size =
      proto::write_chunk_header(reserve, static_cast<std::uint32_t>(bytes.size()));
  out_->write({reserve + sizeof reserve - size, size});
  out_->write(bytes);
  out_->write(proto::kChunkEnd);
}

void ClientConn::end_body() {
  out_->write(proto::kLastChunk);
}

void ClientConn::showed_good_key() {
  if (!shown_good_key_) gateway_.addresses().showed_good_key(peer_);
  shown_good_key_ = true;
}

// What its answer has told the client is kept: that it is the last one (RFC 9112 9.6), whatever has
// changed since; that it is not, even if we yield before it has ended.
bool ClientConn::stays_open() const {
  const bool is_last = half_closed_ && !kept_;
  return said_keep_alive_ && (keeps_alive() || (gateway_.succession() != nullptr && !is_last));
}

void ClientConn::after_answer() {
  if (!stays_open()) return close_after_answer();
  if (body_left() == 0) return next_request();
  state_ = State::kDiscard;
  received_ = 0;
  gateway_.shard().wheel().set(
      timer_, gateway_.shard().now() + milliseconds(gateway_.limits().drain_ms_max));
}

void ClientConn::exchange_over(bool clean) {
  exchange_ = nullptr;
  if (state_ == State::kClosed) return;
  if (!clean || !stays_open()) return close_after_answer();
  after_answer();
}

void ClientConn::next_request() {
  state_ = State::kHead;
  unsent_seen_ = 0;
  // With bytes of a further head at hand the connection is not idle: that head's time runs.
  const Limits& limits = gateway_.limits();
  set_timer(kept_ ? limits.request_head_ms_max : limits.keep_alive_idle_ms_max);
  if (kept_ || paused_) gateway_.shard().defer(*this);
}

// ---- Ends and times ----------------------------------------------------------------------------

void ClientConn::on_end(const Error& why) {
  if (state_ == State::kClosed) return;
  const bool may_go_on = half_close_allowed_ && state_ != State::kPassing;
  if (!may_go_on || why.code != Code::kClosed) return close_now();
  half_closed_ = true;
  if (state_ == State::kHead && kept_) return gateway_.shard().defer(*this);
  end_half_request();
}

void ClientConn::on_drained() {
  if (passage_ != nullptr) return passage_->client_drained();
  if (exchange_ != nullptr) return exchange_->client_drained();
  if (awaits_room_ && state_ == State::kHead) look_for_room();
}

void ClientConn::on_timer() {
  switch (state_) {
    case State::kPreamble:
      return close_now();
    case State::kHead:
      if (awaits_room_ || is_answer_unread()) return look_for_room();
      // Nothing came: an idle connection ends without a word.
      if (!kept_) return close_after_answer();
      begin();
      gateway_.refused("request_timeout", -1, peer_, 0);
      wants_keep_alive_ = false;
      answer_error(ErrorKind::kRequestTimeout, {}, {});
      return close_after_answer();
    case State::kBody:
      return check_body_pace();
    case State::kDiscard:
      return close_after_answer();
    case State::kBusy:
    case State::kPassing:
    case State::kClosed:
      return;
  }
}

void ClientConn::drain() {
  draining_ = true;
  // With a successor there is no hurry: whatever the client sends will be answered.
  if (state_ == State::kHead && !kept_ && gateway_.succession() == nullptr) close_after_answer();
}

void ClientConn::close_now() {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  drop_request();
  gateway_.shard().wheel().cancel(timer_);
  stream_->abort();
  gateway_.shard().defer(*this);
}

void ClientConn::close_after_answer() {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  gateway_.shard().wheel().cancel(timer_);
  stream_->finish();
  gateway_.shard().defer(*this);
}

void ClientConn::run_deferred() {
  if (state_ == State::kClosed) return gateway_.free_connection(this);
  // The answer is out: what was kept of further requests comes next.
  if (state_ != State::kHead || !kept_) return;
  BlockRef kept = std::move(kept_);
  kept_.reset();
  awaits_room_ = false;
  if (paused_) {
    paused_ = false;
    stream_->resume();
  }
  consume({kept->data(), kept->size});
  if (half_closed_) end_half_request();
}

// The rest of what was begun before a half-close can never come.
void ClientConn::end_half_request() {
  if (state_ == State::kBusy || state_ == State::kClosed || awaits_room_) return;
  if (exchange_ != nullptr) exchange_->abandon();
  exchange_ = nullptr;
  close_after_answer();
}

}  // namespace leat::gateway
