// SPDX-License-Identifier: Apache-2.0
#include "net/http2_server_session.h"

#include <nghttp2/nghttp2.h>
#include <string.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/uninitialized.h"
#include "net/hold_due.h"
#include "proto/http1_write.h"

namespace leat::net {

namespace {

constexpr std::size_t kFieldOverhead = 32;  // RFC 9113 6.5.2
constexpr std::size_t kFrameHeadBytes = 9;
// What one turn sends of bodies: more would only stand in the socket's way.
constexpr std::size_t kWriteBytesMax = std::size_t{1} << 20;
// What a stream's buffer begins with: several events.
constexpr std::size_t kBufferStart = 2048;
// More does not wait, whatever may: it is no stream of tokens, or has waited for enough.
constexpr std::size_t kHeldBytesMax = 4 * 1024;
// A buffer larger than that is given back once it is empty.
constexpr std::size_t kBufferKept = 16 * 1024;
constexpr std::size_t kAcknowledgementsMax = 100;  // that a client may leave unread
// A head so many times too large is no mistake any more.
constexpr std::size_t kBombFactor = 16;
// The library counts a CONTINUATION again for each slice that its first bytes come in; ours counts
// them right.
constexpr std::size_t kLibraryContinuations = 1024;
// Frames that a client may send for each request, and for each DATA that it gets, without being
// taken for a flood: priorities, window updates of stream and connection, a ping for the delay.
constexpr std::uint32_t kCreditOfRequest = 8;
constexpr std::uint32_t kCreditOfData = 4;
// ... of them at most, unspent: as many as answer what may be on its way to a client.
constexpr std::uint32_t kCreditMax = 16'384;
// More than any answer of ours has.
constexpr std::size_t kAnswerFieldsMax = 32;

std::string_view text_of(const std::uint8_t* bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

std::uint8_t* bytes_of(std::string_view text) {
  return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
}

Error client_error(Code code, const char* what) {
  return {code, Source::kDownstream, Retry::kNever, 0, what};
}

// Of different values on each answer: no use in a table of fields.
bool is_unique(std::string_view name) {
  return name == "x-request-id" || name == "x-generation-id" || name == "content-length";
}

}  // namespace

// ---- Http2ServerStream -------------------------------------------------------------------------

std::size_t Http2ServerStream::ready_bytes() const {
  if (!written_) return 0;
  return std::min(written_->size, held_at_) - taken_;
}

char* Http2ServerStream::prepare(std::size_t size) {
  if (!written_) {
    written_ = Block::allocate(std::max(size, kBufferStart));
  } else if (written_->size + size > written_->capacity()) {
    const std::size_t kept = written_->size - taken_;
    BlockRef place = written_;
    if (kept + size > written_->capacity()) {
      place = Block::allocate(std::max(2 * written_->capacity(), kept + size));
    }
    std::memmove(place->data(), written_->data() + taken_, kept);
    place->size = kept;
    if (held_at_ != kNotHeld) held_at_ -= taken_;
    taken_ = 0;
    written_ = std::move(place);
  }
  return written_->data() + written_->size;
}

void Http2ServerStream::commit(std::size_t size) {
  if (is_closed_ || has_ended_ || size == 0) return;
  if (backlog_bytes() == 0) moved_ = session_.now_;
  written_->size += size;
  bytes_written_ += size;
  if (backlog_bytes() >= kBacklogTold) was_blocked_ = true;
  if (is_deferred_ && ready_bytes() != 0) {
    is_deferred_ = false;
    nghttp2_session_resume_data(session_.session_, id_);
  }
  want_turn();
}

// A client's streams share its connection, so they wait together, and for as long as the first of
// them may.
void Http2ServerStream::want_turn() {
  const bool may_wait = hold_.ns > 0 && backlog_bytes() <= kHeldBytesMax;
  may_wait ? session_.user_.on_may_wait(hold_) : session_.user_.on_wants_turn();
}

void Http2ServerStream::hold_sends(Duration most) {
  const bool is_less = most < hold_;
  hold_ = most >= kHoldMin ? most : Duration{};
  if (is_less && ready_bytes() != 0) want_turn();
}

void Http2ServerStream::write_head(int status, std::span<const proto::Field> fields) {
  LEAT_CHECK(!has_head_ && kept_head_ == nullptr);
  if (is_closed_) return;
  if (held_at_ == kNotHeld) return submit_head(status, fields);
  kept_head_ = std::make_unique<KeptHead>();
  kept_head_->status = status;
  for (const proto::Field& field : fields) {
    kept_head_->fields.emplace_back(field.name, field.value);
  }
}

void Http2ServerStream::write_continue() {
  if (is_closed_ || has_head_) return;
  constexpr std::string_view kStatus = ":status";
  constexpr std::string_view kContinue = "100";
  const nghttp2_nv field = {bytes_of(kStatus), bytes_of(kContinue), kStatus.size(),
                            kContinue.size(), NGHTTP2_NV_FLAG_NONE};
  nghttp2_submit_headers(session_.session_, NGHTTP2_FLAG_NONE, id_, nullptr, &field, 1, nullptr);
  session_.user_.on_wants_turn();
}

void Http2ServerStream::hold() {
  if (held_at_ == kNotHeld) held_at_ = written_ ? written_->size : 0;
}

void Http2ServerStream::release_held(bool goes_out) {
  const std::size_t at = std::exchange(held_at_, kNotHeld);
  if (at == kNotHeld) return;
  const auto head = std::move(kept_head_);
  if (is_closed_) return;
  if (!goes_out) {
    if (written_) {
      bytes_written_ -= written_->size - at;
      written_->size = at;
    }
    return;
  }
  if (head != nullptr) {
    std::vector<proto::Field> fields;
    for (const auto& [name, value] : head->fields) fields.push_back({name, value});
    submit_head(head->status, fields);
  }
  if (is_deferred_ && ready_bytes() != 0) {
    is_deferred_ = false;
    nghttp2_session_resume_data(session_.session_, id_);
  }
  session_.user_.on_wants_turn();
}

void Http2ServerStream::break_off() {
  is_broken_ = true;
  finish();
}

void Http2ServerStream::finish() {
  user_ = nullptr;
  has_ended_ = true;
  if (is_closed_ || !has_head_) return leave();
  if (is_deferred_) {
    is_deferred_ = false;
    nghttp2_session_resume_data(session_.session_, id_);
  }
  session_.user_.on_wants_turn();
}

void Http2ServerStream::abort() {
  user_ = nullptr;
  has_ended_ = true;
  leave();
}

// It is left as it is: the library will say that it closed, if it has not already.
void Http2ServerStream::leave() {
  if (is_closed_) return session_.bury(*this);
  session_.reset(id_, NGHTTP2_CANCEL);
}

// ---- What the library tells --------------------------------------------------------------------

struct Http2ServerEvents {
  static Http2ServerSession& session_of(void* user) {
    return *static_cast<Http2ServerSession*>(user);
  }

  static int on_begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    Http2ServerSession& self = session_of(user);
    const std::uint32_t continuations = self.incoming_.continuations;
    self.incoming_ = {};
    self.incoming_.continuations = continuations;
    self.incoming_.is_request = frame->headers.cat == NGHTTP2_HCAT_REQUEST;
    if (self.incoming_.is_request) self.last_id_ = frame->hd.stream_id;
    return self.verdict();
  }

  static int on_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name_bytes,
                       std::size_t name_size, const std::uint8_t* value_bytes,
                       std::size_t value_size, std::uint8_t, void* user) {
    Http2ServerSession& self = session_of(user);
    auto& incoming = self.incoming_;
    incoming.bytes += name_size + value_size + kFieldOverhead;
    if (incoming.bytes > kBombFactor * self.limits_.head.head_bytes_max) {
      self.break_off(NGHTTP2_ENHANCE_YOUR_CALM, "a head many times too large", true);
      return self.verdict();
    }
    const std::string_view name = text_of(name_bytes, name_size);
    const std::string_view value = text_of(value_bytes, value_size);
    // What would be read as the end of a line, or of a word, in HTTP/1.1.
    const bool is_pseudo = !name.empty() && name.front() == ':';
    const bool is_named = is_pseudo || proto::is_token(name);
    if (!is_named || !proto::is_safe_field_value(value)) return malformed(self, *frame);
    if (!incoming.is_request || incoming.is_too_large) return 0;  // trailers are of no use
    if (incoming.bytes > self.limits_.head.head_bytes_max) {
      incoming.is_too_large = true;
      return 0;
    }
    if (is_pseudo) {
      // The library has seen to it that they are known, once each, and come first.
      if (name == ":method") incoming.method = value;
      if (name == ":path") incoming.target = value;
      if (name == ":authority") incoming.authority = value;
      return 0;
    }
    ++incoming.count;
    if (name == "host" && !incoming.authority.empty()) {
      incoming.hosts_differ |= value != incoming.authority;
      return 0;
    }
    incoming.fields.append(name).append(": ").append(value).append("\r\n");
    return 0;
  }

  static int on_invalid_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t*,
                               std::size_t, const std::uint8_t*, std::size_t, std::uint8_t,
                               void* user) {
    return malformed(session_of(user), *frame);
  }

  static int malformed(Http2ServerSession& self, const nghttp2_frame& frame) {
    nghttp2_submit_rst_stream(self.session_, NGHTTP2_FLAG_NONE, frame.hd.stream_id,
                              NGHTTP2_PROTOCOL_ERROR);
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }

  static int on_data(nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* data,
                     std::size_t size, void* user) {
    Http2ServerSession& self = session_of(user);
    Http2ServerStream* stream = self.find(id);
    nghttp2_session_consume_connection(self.session_, size);
    // What nobody wants gets no more room.
    if (stream != nullptr && stream->user_ != nullptr) {
      nghttp2_session_consume_stream(self.session_, id, size);
      stream->user_->on_bytes({reinterpret_cast<char*>(const_cast<std::uint8_t*>(data)), size});
    }
    return self.verdict();
  }

  static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    Http2ServerSession& self = session_of(user);
    const bool ends = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    switch (frame->hd.type) {
      case NGHTTP2_HEADERS:
        if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
          self.take_request(frame->hd.stream_id, ends);
          return self.verdict();
        }
        break;
      case NGHTTP2_DATA:
        if (!ends && frame->hd.length == frame->data.padlen) self.count_control();
        break;
      default:
        return self.verdict();
    }
    Http2ServerStream* stream = ends ? self.find(frame->hd.stream_id) : nullptr;
    if (stream != nullptr && stream->user_ != nullptr) {
      stream->user_->on_end(client_error(Code::kClosed, "the request is whole"));
    }
    return self.verdict();
  }

  static int on_stream_close(nghttp2_session*, std::int32_t id, std::uint32_t, void* user) {
    Http2ServerSession& self = session_of(user);
    Http2ServerStream* stream = self.find(id);
    if (stream != nullptr) self.close(*stream, client_error(Code::kReset, "the stream was reset"));
    return 0;
  }

  static int on_frame_sent(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    Http2ServerSession& self = session_of(user);
    if (frame->hd.type == NGHTTP2_RST_STREAM) {
      self.note_late(frame->hd.stream_id);
      const std::uint32_t code = frame->rst_stream.error_code;
      const bool is_own = code == NGHTTP2_NO_ERROR || code == NGHTTP2_CANCEL ||
                          code == NGHTTP2_INTERNAL_ERROR || self.refuses_;
      if (!is_own) self.count_reset();
    } else if (frame->hd.type == NGHTTP2_DATA) {
      self.earn(kCreditOfData);
      Http2ServerStream* stream = self.find(frame->hd.stream_id);
      if (stream == nullptr || !stream->has_ended_ || stream->backlog_bytes() != 0) return 0;
      if (stream->is_broken_) {
        self.reset(frame->hd.stream_id, NGHTTP2_INTERNAL_ERROR);
      } else if (nghttp2_session_get_stream_remote_close(session, frame->hd.stream_id) == 0) {
        // The answer is whole, the rest of the request is not wanted (RFC 9113 8.1). Some clients
        // read no answer once their stream was reset: they get time for it.
        stream->is_unread_ = true;
        stream->moved_ = self.now_;
      }
    } else if (frame->hd.type == NGHTTP2_GOAWAY) {
      // The library says goodbye by itself when it finds a fault.
      if (frame->goaway.error_code != NGHTTP2_NO_ERROR && !self.over_) {
        self.over_ = client_error(Code::kProtocol, "the client broke the rules of HTTP/2");
      }
    }
    return 0;
  }

  static ssize_t read_body(nghttp2_session*, std::int32_t id, std::uint8_t*, std::size_t size,
                           std::uint32_t* flags, nghttp2_data_source*, void* user) {
    Http2ServerStream* stream = session_of(user).find(id);
    if (stream == nullptr) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    const std::size_t ready = stream->ready_bytes();
    if (ready == 0 && !stream->has_ended_) {
      stream->is_deferred_ = true;
      return NGHTTP2_ERR_DEFERRED;
    }
    const std::size_t taken = std::min(size, ready);
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (stream->has_ended_ && taken == ready) {
      *flags |= NGHTTP2_DATA_FLAG_EOF;
      if (stream->is_broken_) *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    }
    return static_cast<ssize_t>(taken);
  }

  static int send_body(nghttp2_session*, nghttp2_frame* frame, const std::uint8_t* head,
                       std::size_t size, nghttp2_data_source*, void* user) {
    Http2ServerSession& self = session_of(user);
    Http2ServerStream* stream = self.find(frame->hd.stream_id);
    if (stream == nullptr) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    if (!self.has_room()) return NGHTTP2_ERR_WOULDBLOCK;
    char* const place = self.out_->prepare(kFrameHeadBytes + size);
    std::memcpy(place, head, kFrameHeadBytes);
    if (size != 0) {
      std::memcpy(place + kFrameHeadBytes, stream->written_->data() + stream->taken_, size);
    }
    self.out_->commit(kFrameHeadBytes + size);
    self.written_bytes_ += size;
    took(self, *stream, size);
    return 0;
  }

  static void took(Http2ServerSession& self, Http2ServerStream& stream, std::size_t size) {
    if (size == 0) return;
    stream.taken_ += size;
    stream.moved_ = self.now_;
    if (stream.taken_ == stream.written_->size) {
      if (stream.held_at_ != Http2ServerStream::kNotHeld) stream.held_at_ = 0;
      stream.taken_ = stream.written_->size = 0;
      if (stream.written_->capacity() > kBufferKept) stream.written_.reset();
    }
    if (stream.was_blocked_ && stream.backlog_bytes() <= Stream::kBacklogLow) {
      stream.was_blocked_ = stream.backlog_bytes() != 0;
      if (!stream.ListNode<ServerDrainedTag>::is_linked()) self.drained_.push_back(stream);
    }
  }

  static nghttp2_session* new_session(Http2ServerSession& self);
};

nghttp2_session* Http2ServerEvents::new_session(Http2ServerSession& self) {
  nghttp2_session_callbacks* events = nullptr;
  LEAT_CHECK(nghttp2_session_callbacks_new(&events) == 0);
  nghttp2_session_callbacks_set_on_begin_headers_callback(events, on_begin_headers);
  nghttp2_session_callbacks_set_on_header_callback(events, on_header);
  nghttp2_session_callbacks_set_on_invalid_header_callback(events, on_invalid_header);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(events, on_data);
  nghttp2_session_callbacks_set_on_frame_recv_callback(events, on_frame);
  nghttp2_session_callbacks_set_on_stream_close_callback(events, on_stream_close);
  nghttp2_session_callbacks_set_on_frame_send_callback(events, on_frame_sent);
  nghttp2_session_callbacks_set_send_data_callback(events, send_body);
  nghttp2_option* options = nullptr;
  LEAT_CHECK(nghttp2_option_new(&options) == 0);
  nghttp2_option_set_max_outbound_ack(options, kAcknowledgementsMax);
  nghttp2_option_set_max_continuations(options, kLibraryContinuations);
  nghttp2_option_set_no_closed_streams(options, 1);
  nghttp2_option_set_no_auto_window_update(options, 1);
  // Ours is the limit of resets.
  nghttp2_option_set_stream_reset_rate_limit(options, UINT32_MAX, UINT32_MAX);
  nghttp2_session* session = nullptr;
  LEAT_CHECK(nghttp2_session_server_new2(&session, events, &self, options) == 0);
  nghttp2_option_del(options);
  nghttp2_session_callbacks_del(events);
  return session;
}

// ---- Http2ServerSession ------------------------------------------------------------------------

Http2ServerSession::Http2ServerSession(const Http2ServerLimits& limits, User& user,
                                       proto::RequestHead& scratch)
    : limits_(limits),
      user_(user),
      scratch_(scratch),
      parser_(limits.head),
      session_(Http2ServerEvents::new_session(*this)) {
  const std::array<nghttp2_settings_entry, 4> settings = {{
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits_.streams_max},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, limits_.stream_window_bytes},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, limits_.head.head_bytes_max},
      {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
  }};
  LEAT_CHECK(
      nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size()) == 0);
  LEAT_CHECK(nghttp2_session_set_local_window_size(
                 session_, NGHTTP2_FLAG_NONE, 0,
                 static_cast<std::int32_t>(limits_.connection_window_bytes)) == 0);
}

Http2ServerSession::~Http2ServerSession() {
  LEAT_CHECK(open_.empty());
  nghttp2_session_del(session_);
  while (Http2ServerStream* stream = gone_.pop_front()) delete stream;
}

Http2ServerStream* Http2ServerSession::find(std::int32_t id) const {
  return static_cast<Http2ServerStream*>(nghttp2_session_get_stream_user_data(session_, id));
}

// ---- Heads ----

// As the head of HTTP/1.1 that says the same. False: there is no such one.
bool Http2ServerSession::compose_head() {
  const Incoming& in = incoming_;
  const std::string& target = in.method == "CONNECT" ? in.authority : in.target;
  if (!proto::is_token(in.method) || !proto::is_safe_target(target)) return false;
  head_text_.clear();
  head_text_.append(in.method).append(" ").append(target).append(" HTTP/1.1\r\n");
  if (!in.authority.empty()) head_text_.append("host: ").append(in.authority).append("\r\n");
  head_text_.append(in.fields).append("\r\n");
  return true;
}

void Http2ServerSession::take_request(std::int32_t id, bool ends) {
  if (refuses_) return reset(id, NGHTTP2_REFUSED_STREAM);
  earn(kCreditOfRequest);
  proto::HeadStatus status;
  if (incoming_.is_too_large) {
    status = proto::HeadStatus::bad(proto::HttpFault::kHeadTooLarge);
  } else if (incoming_.hosts_differ) {
    status = proto::HeadStatus::bad(proto::HttpFault::kHostMismatch);
  } else {
    if (!compose_head()) return reset(id, NGHTTP2_PROTOCOL_ERROR);
    parser_.reset();
    status = parser_.parse(head_text_, scratch_);
    // No bytes of a client's can make another line of it.
    const bool is_whole = !status.complete() || status.head_bytes == head_text_.size();
    if (status.need_more() || !is_whole) return reset(id, NGHTTP2_PROTOCOL_ERROR);
  }
  if (status.complete()) {
    scratch_.keep_alive = true;
    scratch_.chunked = !ends && !scratch_.content_length;
    scratch_.expect_continue = !ends && scratch_.fields.has(proto::KnownField::kExpect);
  }
  auto* stream = new Http2ServerStream(*this, id);
  stream->moved_ = now_;
  nghttp2_session_set_stream_user_data(session_, id, stream);
  // All streams are worth the same, and take turns.
  const nghttp2_extpri turns{.urgency = NGHTTP2_EXTPRI_DEFAULT_URGENCY, .inc = 1};
  nghttp2_session_change_extpri_stream_priority(session_, id, &turns, 1);
  open_.push_back(*stream);
  ++open_count_;
  user_.on_request(*stream, status, scratch_);
  // It holds keys, and an idle connection is to hold little.
  explicit_bzero(incoming_.fields.data(), incoming_.fields.size());
  explicit_bzero(head_text_.data(), head_text_.size());
  incoming_ = {};
  head_text_ = {};
}

void Http2ServerStream::submit_head(int status, std::span<const proto::Field> fields) {
  LEAT_CHECK(fields.size() < kAnswerFieldsMax);
  char digits[4];
  const auto end = std::to_chars(digits, digits + sizeof digits, status).ptr;
  LEAT_UNINITIALIZED std::array<nghttp2_nv, kAnswerFieldsMax> all;
  std::size_t count = 0;
  const auto add = [&](std::string_view name, std::string_view value) {
    LEAT_CHECK(proto::is_safe_field_value(value));
    const int flags = is_unique(name) ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE;
    all[count++] = {bytes_of(name), bytes_of(value), name.size(), value.size(),
                    static_cast<std::uint8_t>(flags)};
  };
  add(":status", {digits, static_cast<std::size_t>(end - digits)});
  for (const proto::Field& field : fields) add(field.name, field.value);
  const nghttp2_data_provider body{.source = {.ptr = nullptr},
                                   .read_callback = Http2ServerEvents::read_body};
  nghttp2_submit_response(session_.session_, id_, all.data(), count, &body);
  has_head_ = true;
  for (const proto::Field& field : fields) {
    bytes_written_ += field.name.size() + field.value.size();
  }
  session_.user_.on_wants_turn();
}

// ---- Ends ----

void Http2ServerSession::reset(std::int32_t id, std::uint32_t code) {
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, code);
  user_.on_wants_turn();
}

void Http2ServerSession::close(Http2ServerStream& stream, const Error& why) {
  nghttp2_session_set_stream_user_data(session_, stream.id_, nullptr);
  stream.is_closed_ = true;
  stream.ListNode<ServerOpenTag>::unlink();
  stream.ListNode<ServerDrainedTag>::unlink();
  --open_count_;
  // Who still uses it lets it go in time.
  if (stream.user_ == nullptr) return bury(stream);
  stream.user_->on_end(why);
}

// Freed when no call of ours is under way.
void Http2ServerSession::bury(Http2ServerStream& stream) {
  if (!stream.ListNode<ServerOpenTag>::is_linked()) gone_.push_back(stream);
  user_.on_wants_turn();
}

void Http2ServerSession::fail_streams(const Error& why) {
  if (!over_) over_ = why;
  while (!open_.empty()) close(open_.front(), why);
}

std::size_t Http2ServerSession::drop_stalled(Instant since, Instant unread_since) {
  std::size_t waiting = 0;
  for (Http2ServerStream* each = open_.first(); each != nullptr; each = open_.after(*each)) {
    if (!each->has_ended_) continue;
    if (each->is_unread_ && each->moved_ <= unread_since) {
      reset(each->id_, NGHTTP2_NO_ERROR);
    } else if (!each->is_unread_ && each->moved_ <= since) {
      reset(each->id_, NGHTTP2_CANCEL);
    } else {
      ++waiting;
    }
  }
  return waiting;
}

void Http2ServerSession::announce_end() {
  nghttp2_submit_shutdown_notice(session_);
  user_.on_wants_turn();
}

void Http2ServerSession::say_goodbye() {
  refuses_ = true;  // though the word of it may have to wait for the client to read
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE,
                        nghttp2_session_get_last_proc_stream_id(session_), NGHTTP2_NO_ERROR,
                        nullptr, 0);
  user_.on_wants_turn();
}

// ---- What a client may not do too often ----

void Http2ServerSession::note_late(std::int32_t id) {
  late_[late_count_++ % kLateKept] = id;
}

// Of streams that we reset long ago, nothing is known.
bool Http2ServerSession::may_be_late(std::int32_t id) const {
  const auto known = static_cast<std::size_t>(std::min<std::uint64_t>(late_count_, kLateKept));
  const auto end = late_.begin() + static_cast<std::ptrdiff_t>(known);
  if (std::find(late_.begin(), end, id) != end) return true;
  return late_count_ > kLateKept && id <= *std::min_element(late_.begin(), end);
}

void Http2ServerSession::start_watch() {
  if (now_ < watched_since_ + kWatchTime) return;
  watched_since_ = now_;
  control_frames_ = resets_ = 0;
}

void Http2ServerSession::earn(std::uint32_t frames) {
  control_credit_ = std::min(control_credit_ + frames, kCreditMax);
}

// What answers us may come long after it: a client's way to us was blocked, or it slept.
void Http2ServerSession::count_control() {
  if (control_credit_ > 0) {
    --control_credit_;
    return;
  }
  start_watch();
  if (++control_frames_ <= limits_.control_frames_max) return;
  break_off(NGHTTP2_ENHANCE_YOUR_CALM, "too many frames that bring nothing", true);
}

void Http2ServerSession::count_reset() {
  start_watch();
  if (++resets_ <= limits_.resets_max) return;
  break_off(NGHTTP2_ENHANCE_YOUR_CALM, "too many streams were reset", true);
}

void Http2ServerSession::break_off(std::uint32_t code, const char* what, bool is_flood) {
  if (over_) return;
  over_ = client_error(Code::kProtocol, what);
  is_flood_ = is_flood;
  nghttp2_session_terminate_session(session_, code);
}

int Http2ServerSession::verdict() const {
  return over_ ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

// ---- Bytes ----

// The library passes over some frames without a word: what they are is seen before it has them.
void Http2ServerSession::watch_frame() {
  const auto word = [this](std::size_t at, std::size_t size) {
    std::uint32_t value = 0;
    for (std::size_t i = at; i < at + size; ++i) value = value << 8 | frame_head_[i];
    return value;
  };
  const std::uint32_t length = word(0, 3);
  const auto id = static_cast<std::int32_t>(word(5, 4) & 0x7fffffff);
  frame_left_ = length;
  switch (frame_head_[3]) {
    case NGHTTP2_HEADERS:
      incoming_.continuations = 0;
      [[fallthrough]];
    case NGHTTP2_DATA:
      // On a stream that was, and that the client has ended itself (RFC 9113 5.1).
      if (id % 2 == 1 && id <= last_id_ && !may_be_late(id) &&
          nghttp2_session_find_stream(session_, id) == nullptr) {
        break_off(NGHTTP2_STREAM_CLOSED, "a frame on a stream that has ended", false);
      }
      return;
    case NGHTTP2_CONTINUATION:
      if (++incoming_.continuations > limits_.continuations_max) {
        break_off(NGHTTP2_ENHANCE_YOUR_CALM, "a head in too many frames", true);
      }
      return;
    case NGHTTP2_RST_STREAM:
      return count_reset();
    case NGHTTP2_PRIORITY:
      if (id == 0) break_off(NGHTTP2_PROTOCOL_ERROR, "a priority of no stream", false);
      if (length != 5) break_off(NGHTTP2_FRAME_SIZE_ERROR, "a priority of a wrong length", false);
      return count_control();
    default:
      return count_control();
  }
}

void Http2ServerSession::give(std::string_view bytes) {
  if (bytes.empty()) return;
  const ssize_t taken = nghttp2_session_mem_recv(session_, bytes_of(bytes), bytes.size());
  if (taken >= 0 || over_) return;
  const bool is_flood = taken == NGHTTP2_ERR_FLOODED || taken == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS;
  break_off(is_flood ? NGHTTP2_ENHANCE_YOUR_CALM : NGHTTP2_PROTOCOL_ERROR,
            "the client broke the rules of HTTP/2", is_flood);
}

Result<void> Http2ServerSession::feed(std::span<const char> bytes, Instant now) {
  now_ = now;
  std::string_view in(bytes.data(), bytes.size());
  std::size_t at = 0;  // what is before it has been looked at
  while (at < in.size() && !over_) {
    if (frame_left_ > 0) {
      const std::size_t size = std::min(frame_left_, in.size() - at);
      frame_left_ -= size;
      at += size;
    } else {
      frame_head_[frame_head_size_++] = static_cast<std::uint8_t>(in[at++]);
      if (frame_head_size_ < kFrameHeadBytes) continue;
      frame_head_size_ = 0;
      watch_frame();
    }
    // A frame is whole: what comes behind it is looked at once it has had its effect.
    if (frame_left_ > 0 || over_) continue;
    give(in.substr(0, at));
    in.remove_prefix(at);
    at = 0;
  }
  if (!over_) give(in);
  if (over_) return leat::fail(*over_);
  return {};
}

bool Http2ServerSession::has_room() const {
  return written_bytes_ < kWriteBytesMax && out_->backlog_bytes() <= Stream::kBacklogLow;
}

Result<void> Http2ServerSession::write_to(Stream& out, Instant now) {
  while (Http2ServerStream* stream = gone_.pop_front()) delete stream;
  now_ = now;
  out_ = &out;
  written_bytes_ = 0;
  while (has_room()) {
    const std::uint8_t* bytes = nullptr;
    const ssize_t size = nghttp2_session_mem_send(session_, &bytes);
    if (size == 0) break;
    if (size < 0) {
      if (!over_) over_ = client_error(Code::kProtocol, "the client broke the rules of HTTP/2");
      break;
    }
    out.write(text_of(bytes, static_cast<std::size_t>(size)));
    written_bytes_ += static_cast<std::size_t>(size);
  }
  out_ = nullptr;
  while (Http2ServerStream* stream = drained_.pop_front()) {
    if (stream->user_ != nullptr) stream->user_->on_drained();
  }
  if (over_) return leat::fail(*over_);
  return {};
}

bool Http2ServerSession::wants_write() const {
  return nghttp2_session_want_write(session_) != 0;
}

bool Http2ServerSession::is_over() const {
  return nghttp2_session_want_read(session_) == 0 && nghttp2_session_want_write(session_) == 0;
}

}  // namespace leat::net
