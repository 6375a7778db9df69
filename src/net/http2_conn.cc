// SPDX-License-Identifier: Apache-2.0
#include "net/http2_conn.h"

#include <algorithm>

#include "base/prefetch.h"
#include "net/upstream_pool.h"

namespace leat::net {

namespace {

Http2Limits http2_limits(const PoolLimits& limits) {
  Http2Limits http2;
  http2.head_bytes_max = std::min(limits.head_bytes_max, proto::kHeadBytesMax);
  http2.informational_max = limits.informational_max;
  return http2;
}

}  // namespace

// ---- Http2Call ---------------------------------------------------------------------------------

void Http2Call::begin(ReplyHandler& handler) {
  LEAT_CHECK(conn_ != nullptr && handler_ == nullptr);
  handler_ = &handler;
}

Result<std::size_t> Http2Call::send(const proto::RequestOptions& head, const RequestBody& body) {
  LEAT_CHECK(handler_ != nullptr);
  if (conn_ == nullptr) {
    return fail({Code::kReset, Source::kUpstream, Retry::kNotExecuted, 0,
                 "the connection to the provider ended before the request was written"});
  }
  auto copied = conn_->session_.send(*this, head, body);
  if (!copied) return copied;
  sent_ = conn_->pool_.shard().now();
  conn_->want_turn();
  return copied;
}

void Http2Call::pause_reply() {
  if (conn_ != nullptr) conn_->session_.pause(*this);
}

void Http2Call::resume_reply() {
  if (conn_ == nullptr) return;
  conn_->session_.resume(*this);
  conn_->want_turn();
}

void Http2Call::cancel() {
  if (conn_ == nullptr) return;
  Http2Conn& conn = *conn_;
  handler_ = nullptr;
  if (is_open()) {
    conn.session_.cancel(*this);
    conn.want_turn();
    // Given up after a silence: is it the provider that is slow, or is nobody there any more?
    if (conn.last_heard_ < sent_) conn.ask_for_life();
  }
  conn.call_over(*this);
}

void Http2Call::on_stream_head(const proto::ResponseHead& head) {
  reply_started_ = true;
  handler_->on_reply_head(head);
}

void Http2Call::on_stream_body(std::string_view bytes) {
  handler_->on_reply_body(bytes);
}

void Http2Call::on_stream_pause() {
  handler_->on_reply_pause();
}

void Http2Call::on_stream_end() {
  ReplyHandler* handler = handler_;
  handler_ = nullptr;
  conn_->call_over(*this);
  handler->on_reply_end();
}

void Http2Call::on_stream_failed(const Error& why) {
  ReplyHandler* handler = handler_;
  handler_ = nullptr;
  conn_->call_over(*this);
  Error told = why;
  if (why.retry == Retry::kReusedOnly && (reply_started_ || !is_reused_)) {
    told.retry = Retry::kOtherUpstream;
  }
  if (handler != nullptr) handler->on_reply_failed(told);
}

// ---- Http2Conn ---------------------------------------------------------------------------------

Http2Conn::Http2Conn(UpstreamPool& pool, Stream& stream)
    : pool_(pool),
      stream_(&stream),
      session_(http2_limits(pool.limits()), pool.head_scratch(), pool.limits().scheme),
      last_heard_(pool.shard().now()) {
  want_turn();  // the preface
}

Http2Conn::~Http2Conn() {
  Deferred::unlink();
}

bool Http2Conn::has_room() const {
  if (is_dead_ || !session_.takes_streams()) return false;
  // Who does not read is asked no more: what it does not take is ours to keep.
  if (stream_->backlog_bytes() > Stream::kBacklogLow) return false;
  return in_flight_ < std::min(session_.streams_max(), pool_.limits().streams_max);
}

Http2Call* Http2Conn::new_call() {
  Http2Call* call = pool_.make_call(*this, exchanges_ > 0);
  calls_.push_back(*call);
  ++exchanges_;
  if (in_flight_++ == 0 && !is_asked_) {
    pool_.shard().wheel().set(timer_, pool_.shard().now() + kSilenceMax);
  }
  return call;
}

void Http2Conn::call_over(Http2Call& call) {
  call.conn_ = nullptr;
  call.ListNode<CallTag>::unlink();
  --in_flight_;
  pool_.free_call(call);
  if (!is_dead_) pool_.on_room(*this);
}

void Http2Conn::want_turn() {
  if (!is_dead_) pool_.shard().defer(*this);
}

bool Http2Call::on_stream_foreseen(int depth) const {
  if (handler_ == nullptr) return false;
  if (depth > 0) return handler_->foresee(depth - 1);
  prefetch(handler_, kCacheLineBytes);
  return true;
}

bool Http2Conn::foresee(int depth, std::span<const char> bytes) const {
  return session_.foresee(depth, bytes);
}

void Http2Conn::on_bytes(std::span<char> bytes) {
  if (is_dead_) return;
  last_heard_ = pool_.shard().now();
  if (in_flight_ > 0) {
    pool_.shard().wheel().set(timer_, last_heard_ + kSilenceMax);
  } else if (is_asked_) {
    pool_.shard().wheel().set(timer_, last_heard_ + pool_.limits().idle_time);
  }
  is_asked_ = false;
  const auto fed = session_.feed(bytes, last_heard_);
  if (is_dead_) return;
  write_out();
  if (is_dead_) return;
  if (!fed) return fail_with(fed.error(), true);
  // GOAWAY may have come, or more room.
  pool_.on_room(*this);
}

void Http2Conn::write_out() {
  if (is_dead_) return;
  const auto written = session_.write_to(*stream_);
  if (is_dead_) return;
  const bool has_more = session_.wants_write() && stream_->backlog_bytes() <= Stream::kBacklogLow;
  if (has_more || session_.holds_written()) pool_.shard().defer(*this);
  if (!written) return fail_with(written.error(), true);
  if (in_flight_ == 0) pool_.on_room(*this);
}

void Http2Conn::on_drained() {
  write_out();
  if (!is_dead_) pool_.on_room(*this);
}

// The turn is over: what the one before wrote has been taken by the kernel, or copied. The stream
// is not written to later, when it may have had its turn's one send.
void Http2Conn::run_deferred() {
  session_.release_written();
  write_out();
  if (session_.holds_written()) pool_.shard().defer(*this);
}

void Http2Conn::on_end(const Error& why) {
  fail_with({why.code, Source::kUpstream, Retry::kReusedOnly, 0,
             "the provider closed the connection before its reply was whole"},
            false);
}

void Http2Conn::fail_with(const Error& why, bool in_order) {
  if (is_dead_) return;
  pool_.drop(*this, in_order);
  session_.fail_streams(why);
  while (Http2Call* call = calls_.first()) call->on_stream_failed(why);
}

void Http2Conn::die(bool in_order) {
  is_dead_ = true;
  session_.stop();
  pool_.shard().wheel().cancel(timer_);
  if (in_order) {
    stream_->finish();
  } else {
    stream_->abort();
  }
}

void Http2Conn::say_goodbye() {
  session_.say_goodbye();
  (void)session_.write_to(*stream_);
}

void Http2Conn::ask_for_life() {
  if (is_asked_ || is_dead_) return;
  is_asked_ = true;
  session_.ping();
  want_turn();
  pool_.shard().wheel().set(timer_, pool_.shard().now() + kPingTime);
}

void Http2Conn::on_timer() {
  if (is_asked_) {
    return fail_with({Code::kTimedOut, Source::kUpstream, Retry::kReusedOnly, 0,
                      "the connection to the provider is dead"},
                     false);
  }
  if (in_flight_ > 0) return ask_for_life();
  pool_.drop_idle(*this);
}

}  // namespace leat::net
