// SPDX-License-Identifier: Apache-2.0
#include "gateway/http2_client_conn.h"

#include <algorithm>
#include <charconv>

#include "gateway/gateway.h"
#include "net/hold_due.h"

namespace leat::gateway {

namespace {

net::Http2ServerLimits http2_limits(const Limits& limits) {
  net::Http2ServerLimits http2;
  http2.head = {limits.head_bytes_max, limits.head_line_bytes_max, limits.headers_max};
  http2.streams_max = limits.http2_streams_max;
  http2.resets_max = limits.http2_resets_max;
  http2.control_frames_max = limits.http2_control_frames_max;
  return http2;
}

}  // namespace

// ---- Http2Client -------------------------------------------------------------------------------

Http2Client::Http2Client(Gateway& gateway, Http2ClientConn& conn, net::Http2ServerStream& stream)
    : Client(gateway, conn.peer_), conn_(conn), http2_(stream) {
  stream_ = out_ = &stream;
  is_tls_ = conn.is_tls_;
  stream.set_user(*this);
}

Http2Client::~Http2Client() {
  conn_.client_over();
}

void Http2Client::begin(const proto::HeadStatus& status, const proto::RequestHead& head) {
  begin_request();
  if (!status.complete()) return refuse_head(status.fault);
  serve(head);
}

// ---- Its body ----

void Http2Client::on_bytes(std::span<char> bytes) {
  if (state_ != State::kBody) return;  // of a body that nobody wants
  body_progress_ = gateway_.shard().now();
  const std::string_view in(bytes.data(), bytes.size());
  if (is_chunked_) {
    if (take_piece(in)) body_grew(false);
    return;
  }
  // The session has seen to it that there is no more than was announced.
  if (in.size() > length_left_) return close_now();
  copy_body(in);
  const bool whole = length_left_ == 0;
  if (body_grew(whole) && whole) exchange_->start();
}

void Http2Client::on_end(const Error& why) {
  if (state_ == State::kClosed) return;
  if (why.code != Code::kClosed) return close_now();
  end_body_in_order();
}

void Http2Client::end_body_in_order() {
  if (state_ != State::kBody) return;
  if (!is_chunked_ && length_left_ != 0) return close_now();
  if (body_grew(true)) exchange_->start();
}

void Http2Client::on_timer() {
  if (state_ == State::kBody) check_body_pace();
}

// ---- Its answer ----

void Http2Client::write_head(const AnswerHead& answer) {
  std::array<proto::Field, kFieldsMax + 8> fields;
  std::size_t count = 0;
  char digits[20];
  if (answer.form == AnswerForm::kEvents) {
    fields[count++] = {"content-type", "text/event-stream"};
    fields[count++] = {"cache-control", "no-cache"};
    // As over HTTP/1.1: asks nginx and its like in front of us not to gather events.
    fields[count++] = {"x-accel-buffering", "no"};
  } else {
    fields[count++] = {"content-type", answer.content_type};
  }
  if (answer.form == AnswerForm::kWhole) {
    const auto end = std::to_chars(digits, digits + sizeof digits, answer.length).ptr;
    fields[count++] = {"content-length", {digits, static_cast<std::size_t>(end - digits)}};
  }
  for (const proto::Field& field : answer.fields) fields[count++] = field;
  http2_.write_head(answer.status, {fields.data(), count});
}

void Http2Client::write_continue() {
  http2_.write_continue();
}

void Http2Client::hold_end() {
  http2_.hold();
  is_held_ = true;
}

void Http2Client::release_held(bool goes_out) {
  http2_.release_held(goes_out);
}

void Http2Client::showed_good_key() {
  conn_.showed_good_key();
}

void Http2Client::on_drained() {
  if (exchange_ != nullptr) exchange_->client_drained();
}

// ---- Its end ----

void Http2Client::exchange_over(bool clean) {
  exchange_ = nullptr;
  if (state_ == State::kClosed) return;
  if (clean) return close_after_answer();
  http2_.break_off();
  over();
}

void Http2Client::close_after_answer() {
  if (state_ == State::kClosed) return;
  http2_.finish();
  over();
}

void Http2Client::over() {
  state_ = State::kClosed;
  gateway_.shard().wheel().cancel(timer_);
  conn_.answered(is_shed_);
  gateway_.shard().defer(*this);
}

// The client is gone, or the stream is.
void Http2Client::close_now() {
  state_ = State::kClosed;
  gateway_.shard().wheel().cancel(timer_);
  drop_request();
  http2_.abort();
  gateway_.shard().defer(*this);
}

void Http2Client::run_deferred() {
  gateway_.free_http2_client(this);
}

// ---- Http2ClientConn ---------------------------------------------------------------------------

Http2ClientConn::Http2ClientConn(Gateway& gateway, net::Stream& stream, const io::Address& peer,
                                 bool is_tls)
    : gateway_(gateway),
      stream_(&stream),
      session_(http2_limits(gateway.limits()), *this, gateway.head_scratch()),
      peer_(peer),
      is_tls_(is_tls) {
  stream.set_user(*this);
  gateway_.counters().connections_open.add();
  gateway_.counters().http2_connections_open.add();
  gateway_.counters().http2_connections.add();
}

Http2ClientConn::~Http2ClientConn() {
  gateway_.counters().connections_open.subtract();
  gateway_.counters().http2_connections_open.subtract();
  gateway_.addresses().left(peer_, shown_good_key_);
}

void Http2ClientConn::begin(std::span<char> bytes) {
  is_idle_ = true;
  const Duration time = gateway_.idle_time(gateway_.limits().request_head_ms_max);
  gateway_.shard().wheel().set(timer_, gateway_.shard().now() + time);
  on_wants_turn();  // our settings
  if (!bytes.empty()) on_bytes(bytes);
}

void Http2ClientConn::on_bytes(std::span<char> bytes) {
  if (is_closed_) return;
  const auto fed = session_.feed(bytes, gateway_.shard().now());
  if (!fed) {
    (void)session_.write_to(*stream_, gateway_.shard().now());
    return fail_with(fed.error());
  }
  on_wants_turn();
}

void Http2ClientConn::on_request(net::Http2ServerStream& stream, const proto::HeadStatus& status,
                                 const proto::RequestHead& head) {
  ++clients_;
  // Its answer may be over before the connection is looked at again.
  if (is_idle_ && !is_leaving_ && !has_said_) {
    is_idle_ = false;
    gateway_.shard().wheel().cancel(timer_);
  }
  gateway_.counters().http2_requests.add();
  gateway_.new_http2_client(*this, stream)->begin(status, head);
}

void Http2ClientConn::on_wants_turn() {
  if (!is_closed_) gateway_.shard().defer(*this);
}

// By the time of the first of what waits: it is the one that waits longest.
void Http2ClientConn::on_may_wait(Duration most) {
  if (is_closed_ || shard::Deferred::is_linked()) return;
  const bool is_first = held_since_ == kNever;
  if (is_first) held_since_ = gateway_.shard().now();
  const Instant due = net::hold_due(held_since_, most);
  if (!is_first && due >= hold_timer_.deadline()) return;
  gateway_.shard().hold_until(due);
  gateway_.shard().wheel().set(hold_timer_, due);
}

// Whatever is written takes along what waits.
void Http2ClientConn::end_hold() {
  if (held_since_ == kNever) return;
  gateway_.shard().wheel().cancel(hold_timer_);
  const Duration held = gateway_.shard().now() - held_since_;
  if (held.ns > 0) gateway_.note_held(held);  // else the same turn wrote what may not wait
  held_since_ = kNever;
}

void Http2ClientConn::on_drained() {
  if (!is_closed_) write_out();
}

// The turn is over; what is written now leaves with the next, in one send.
void Http2ClientConn::run_deferred() {
  if (!is_closed_) return write_out();
  if (clients_ == 0) gateway_.free_http2_connection(this);
}

void Http2ClientConn::write_out() {
  end_hold();
  const auto written = session_.write_to(*stream_, gateway_.shard().now());
  if (!written) return fail_with(written.error());
  const bool wants_more = session_.wants_write();
  const bool is_empty = session_.open_streams() == 0 && !wants_more;
  if (session_.is_over() || (has_said_ && is_empty)) {
    return close({.code = Code::kClosed, .what = "the connection has ended"}, true);
  }
  // More than a turn's worth, and the socket has room.
  const bool has_room = stream_->backlog_bytes() <= net::Stream::kBacklogLow;
  if (wants_more && has_room) on_wants_turn();
  if (!has_room) watch_stalls();
  mind_idle();
}

// Bytes alone keep no connection open: requests do.
void Http2ClientConn::mind_idle() {
  if (is_leaving_ || has_said_) return;
  const bool is_idle = session_.open_streams() == 0;
  if (is_idle == is_idle_) return;
  is_idle_ = is_idle;
  if (!is_idle) return gateway_.shard().wheel().cancel(timer_);
  const Duration time = gateway_.idle_time(gateway_.limits().keep_alive_idle_ms_max);
  gateway_.shard().wheel().set(timer_, gateway_.shard().now() + time);
}

void Http2ClientConn::on_timer() {
  say_goodbye();
}

void Http2ClientConn::say_goodbye() {
  if (is_closed_ || has_said_) return;
  has_said_ = true;
  gateway_.shard().wheel().cancel(timer_);
  session_.say_goodbye();
}

void Http2ClientConn::drain() {
  if (is_closed_ || is_leaving_ || has_said_) return;
  if (session_.open_streams() == 0) return say_goodbye();
  is_leaving_ = true;
  session_.announce_end();
  gateway_.shard().wheel().set(timer_, gateway_.shard().now() + kNoticeTime);
}

void Http2ClientConn::yield() {
  session_.refuse_requests();
  drain();
}

void Http2ClientConn::cut() {
  close({.code = Code::kReset, .what = "the gateway ends"}, false);
}

// ---- What its requests tell ----

void Http2ClientConn::answered(bool is_shed) {
  if (is_closed_) return;
  if (!gateway_.shedding().keeps_alive(gateway_.limits(), is_tls_, is_shed)) drain();
  watch_stalls();
}

void Http2ClientConn::client_over() {
  --clients_;
  if (is_closed_ && clients_ == 0) gateway_.free_http2_connection(this);
}

void Http2ClientConn::showed_good_key() {
  if (!shown_good_key_) gateway_.addresses().showed_good_key(peer_);
  shown_good_key_ = true;
}

// Of an answer that nobody takes there is no exchange any more that would end it.
void Http2ClientConn::watch_stalls() {
  if (is_closed_ || stall_timer_.is_set()) return;
  const Limits& limits = gateway_.limits();
  const auto step = milliseconds(std::clamp(limits.drain_ms_max, 100u, 10'000u));
  gateway_.shard().wheel().set(stall_timer_, gateway_.shard().now() + step);
}

void Http2ClientConn::on_stall_timer() {
  const Limits& limits = gateway_.limits();
  const Instant now = gateway_.shard().now();
  const auto left = session_.drop_stalled(now - milliseconds(limits.client_stall_ms_max),
                                          now - milliseconds(limits.drain_ms_max));
  if (is_stuck(now)) return close({.code = Code::kTimedOut, .what = "nothing is read"}, false);
  if (left > 0 || backlog_moved_ != kNever) watch_stalls();
}

// A client that does not read the connection itself hears of no reset, either. What waits for it
// beyond this much is not added to.
bool Http2ClientConn::is_stuck(Instant now) {
  const std::size_t backlog = stream_->backlog_bytes();
  if (backlog <= net::Stream::kBacklogLow) {
    backlog_moved_ = kNever;
    return false;
  }
  if (backlog_moved_ == kNever || backlog < backlog_seen_) backlog_moved_ = now;
  backlog_seen_ = backlog;
  return now - backlog_moved_ >= milliseconds(gateway_.limits().client_stall_ms_max);
}

// ---- Its end ----

void Http2ClientConn::on_end(const Error& why) {
  close(why, false);
}

void Http2ClientConn::fail_with(const Error& why) {
  if (is_closed_) return;
  if (session_.is_flood()) {
    gateway_.counters().http2_floods.add();
    gateway_.refused("http2_flood", -1, peer_, 0);
  } else {
    gateway_.counters().http2_breaches.add();
  }
  close(why, true);
}

// In order: what was written leaves first.
void Http2ClientConn::close(const Error& why, bool in_order) {
  if (is_closed_) return;
  is_closed_ = true;
  gateway_.shard().wheel().cancel(timer_);
  gateway_.shard().wheel().cancel(hold_timer_);
  gateway_.shard().wheel().cancel(stall_timer_);
  // For a stream, Code::kClosed would be the end of its request.
  Error told = why;
  if (told.code == Code::kClosed) told.code = Code::kReset;
  session_.fail_streams(told);
  if (in_order) {
    stream_->finish();
  } else {
    stream_->abort();
  }
  gateway_.shard().defer(*this);
}

}  // namespace leat::gateway
