// SPDX-License-Identifier: Apache-2.0
#include "net/upstream_conn.h"

#include <algorithm>
#include <cstring>

#include "base/prefetch.h"
#include "net/loose_stream.h"
#include "net/upstream_pool.h"
#include "proto/http1_write.h"

namespace leat::net {

namespace {

constexpr std::size_t kRequestHeadRoom = 16 * 1024;

proto::HeadLimits head_limits(const PoolLimits& limits) {
  proto::HeadLimits head = proto::kResponseHeadLimits;
  head.head_bytes_max = std::min(head.head_bytes_max, limits.head_bytes_max);
  head.line_bytes_max = std::min(head.line_bytes_max, head.head_bytes_max);
  return head;
}

}  // namespace

UpstreamConn::UpstreamConn(UpstreamPool& pool, Stream& stream)
    : pool_(pool), stream_(&stream), parser_(head_limits(pool.limits())) {}

void UpstreamConn::begin(ReplyHandler& handler) {
  LEAT_CHECK(state_ == State::kIdle && handler_ == nullptr);
  handler_ = &handler;
  state_ = State::kHead;
  parser_.reset();
  informational_ = 0;
  keep_alive_ = false;
  reply_started_ = false;
  ++exchanges_;
}

Result<std::size_t> UpstreamConn::send(const proto::RequestOptions& head, const RequestBody& body) {
  char* room = stream_->prepare(kRequestHeadRoom);
  const auto written = proto::write_request_head({room, kRequestHeadRoom}, head);
  stream_->commit(written ? written->size() : 0);
  if (!written) return fail(written.error());
  std::size_t copied = 0;
  for (const std::string_view piece : body.pieces) {
    if (body.goes_as_it_is(piece)) {
      const auto offset = static_cast<std::size_t>(piece.data() - body.block->data());
      stream_->write_block(*body.block, offset, piece.size());
    } else {
      stream_->write(piece);
      if (body.is_in_block(piece)) copied += piece.size();
    }
  }
  return copied;
}

void UpstreamConn::cancel() {
  if (state_ == State::kDead) return;
  handler_ = nullptr;
  pool_.drop(*this);
}

void UpstreamConn::pause_reply() {
  is_paused_ = true;
  stream_->pause();
}

void UpstreamConn::resume_reply() {
  if (!is_paused_) return;
  is_paused_ = false;
  stream_->resume();
}

bool UpstreamConn::hold_reply(Duration most) {
  if (!is_paused_) stream_->hold(most);
  return true;
}

bool UpstreamConn::foresee(int depth, std::span<const char>) const {
  if (handler_ == nullptr) return false;
  if (depth > 0) return handler_->foresee(depth - 1);
  prefetch(handler_, kCacheLineBytes);
  return true;
}

void UpstreamConn::on_bytes(std::span<char> bytes) {
  if (state_ == State::kDead) return;
  std::string_view in(bytes.data(), bytes.size());
  if (state_ == State::kIdle || state_ == State::kLending) {
    ++pool_.stats().stray_bytes;
    pool_.drop(*this);
    return;
  }
  ReplyHandler* handler = handler_;
  // Nothing of the request has left: what comes is no answer to it, and must not become one.
  if (!reply_started_ && stream_->unsent_bytes() > stream_->backlog_bytes()) {
    ++pool_.stats().stray_bytes;
    handler_ = nullptr;
    pool_.drop(*this);
    return handler->on_reply_failed({Code::kProtocol, Source::kUpstream, Retry::kNotExecuted, 0,
                                     "the provider answered before it was asked"});
  }
  reply_started_ = true;
  while (!in.empty() && handler_ == handler && state_ == State::kHead) read_head(in);
  if (handler_ == handler) read_body(in);
  if (handler_ == handler && handler_ != nullptr) handler_->on_reply_pause();
}

// Consumes from `in` what belongs to the head; a head in pieces is put together in a block.
void UpstreamConn::read_head(std::string_view& in) {
  proto::ResponseHead& head = pool_.head_scratch();
  if (!head_bytes_) {
    const proto::HeadStatus status = parser_.parse(in, head);
    if (status.need_more()) {
      head_bytes_ = Block::allocate(proto::kHeadBytesMax + 1);
      std::memcpy(head_bytes_->data(), in.data(), in.size());
      head_bytes_->size = in.size();
      in = {};
      return;
    }
    if (take_head(status, head)) in.remove_prefix(status.head_bytes);
    return;
  }
  const std::size_t before = head_bytes_->size;
  const std::size_t taken = std::min(in.size(), head_bytes_->capacity() - before);
  std::memcpy(head_bytes_->data() + before, in.data(), taken);
  head_bytes_->size += taken;
  const BlockRef bytes = head_bytes_;  // the head's views stay valid through the call below
  const proto::HeadStatus status = parser_.parse({bytes->data(), bytes->size}, head);
  if (status.need_more()) {
    in.remove_prefix(taken);
    return;
  }
  head_bytes_.reset();
  if (take_head(status, head)) in.remove_prefix(status.head_bytes - before);
}

// False if the exchange is over.
bool UpstreamConn::take_head(const proto::HeadStatus& status, const proto::ResponseHead& head) {
  if (!status.complete()) {
    fail_reply(Code::kProtocol, "the provider's reply head is malformed");
    return false;
  }
  parser_.reset();
  if (head.informational()) {
    if (++informational_ > pool_.limits().informational_max) {
      fail_reply(Code::kProtocol, "the provider sends too many informational replies");
      return false;
    }
    return true;
  }
  keep_alive_ = head.keep_alive;
  body_left_ = head.content_length.value_or(0);
  chunked_ = proto::ChunkedDecoder();
  if (head.chunked) {
    state_ = State::kChunked;
  } else if (head.until_close) {
    state_ = State::kUntilClose;
  } else {
    state_ = State::kLength;
  }
  ReplyHandler* handler = handler_;
  handler->on_reply_head(head);
  return handler_ == handler;
}

void UpstreamConn::read_body(std::string_view& in) {
  // A body of no bytes ends with its head.
  if (state_ == State::kLength) return read_length(in);
  if (in.empty()) return;
  if (state_ == State::kChunked) return read_chunked(in);
  if (state_ == State::kUntilClose) handler_->on_reply_body(in);
}

void UpstreamConn::read_length(std::string_view& in) {
  ReplyHandler* handler = handler_;
  const std::size_t taken = std::min<std::uint64_t>(in.size(), body_left_);
  body_left_ -= taken;
  const std::string_view body = in.substr(0, taken);
  in.remove_prefix(taken);
  if (!body.empty()) handler->on_reply_body(body);
  if (handler_ == handler && body_left_ == 0) end_reply(in.size());
}

void UpstreamConn::read_chunked(std::string_view& in) {
  ReplyHandler* handler = handler_;
  while (handler_ == handler) {
    const proto::ChunkStep step = chunked_.next(in);
    switch (step.kind) {
      case proto::ChunkStep::Kind::kData:
        handler->on_reply_body(step.data);
        continue;
      case proto::ChunkStep::Kind::kNeedMore:
        return;
      case proto::ChunkStep::Kind::kEnd:
        return end_reply(in.size());
      case proto::ChunkStep::Kind::kFault:
        return fail_reply(Code::kProtocol, "the provider's chunked coding is malformed");
    }
  }
}

void UpstreamConn::on_end(const Error& why) {
  if (state_ == State::kDead) return;
  if (state_ == State::kUntilClose && why.code == Code::kClosed) {
    keep_alive_ = false;
    return end_reply(0);
  }
  if (handler_ == nullptr) return pool_.drop(*this);
  fail_reply(why.code, "the provider closed the connection before its reply was whole");
}

void UpstreamConn::end_reply(std::size_t left_over) {
  ReplyHandler* handler = handler_;
  handler_ = nullptr;
  const bool clean = keep_alive_ && left_over == 0 && stream_->unsent_bytes() == 0;
  pool_.keeps_connections_ = keep_alive_;
  pool_.closes_connections_ = !keep_alive_;
  if (left_over != 0) ++pool_.stats().stray_bytes;
  if (clean) {
    state_ = State::kIdle;
    stream_->hold({});
    resume_reply();  // an idle connection is read, for its end and for whoever is next
    pool_.put_back(*this);
  } else {
    pool_.drop(*this);
  }
  handler->on_reply_end();
}

void UpstreamConn::fail_reply(Code code, const char* what) {
  ReplyHandler* handler = handler_;
  handler_ = nullptr;
  const bool stale = is_reused() && !reply_started_;
  pool_.drop(*this);
  handler->on_reply_failed(
      {code, Source::kUpstream, stale ? Retry::kReusedOnly : Retry::kOtherUpstream, 0, what});
}

// What came first is told next, and ends it, since nobody asked for it.
void UpstreamConn::on_lent(std::unique_ptr<LooseStream> stream) {
  pool_.lending_over(*this, std::move(stream));
}

void UpstreamConn::on_idle_over() {
  if (state_ == State::kIdle || state_ == State::kLending) pool_.drop(*this);
}

}  // namespace leat::net
