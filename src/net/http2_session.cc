// SPDX-License-Identifier: Apache-2.0
#include "net/http2_session.h"

#include <nghttp2/nghttp2.h>
#include <string.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "base/check.h"
#include "base/prefetch.h"
#include "base/uninitialized.h"
#include "proto/http2_write.h"

namespace leat::net {

namespace {

constexpr std::size_t kFieldRoom = 16 * 1024;  // of a request, as with HTTP/1.1
// What one turn sends of bodies: more would only stand in the socket's way.
constexpr std::size_t kWriteBytesMax = std::size_t{1} << 20;
constexpr std::size_t kFieldOverhead = 32;  // RFC 9113 6.5.2
constexpr std::size_t kFrameHeadBytes = 9;  // RFC 9113 4.1
// Of what the library keeps of a stream.
constexpr std::size_t kLibraryStreamBytes = 256;
// Acknowledgements that a provider may leave unread.
constexpr std::size_t kAcknowledgementsMax = 100;
// Frames that one head may be cut into: 8 are more than any provider needs, but the library counts
// one again for each slice that its first nine bytes come in.
constexpr std::size_t kContinuationsMax = 32;
// What is read of a window's bytes before the provider hears of it (engine.md 6.2).
constexpr std::size_t kWindowShare = 4;
// Who takes a whole window in less may have one of twice the size: no path has a longer round trip,
// and no stream of words comes as fast as that.
constexpr Duration kWindowFast = seconds(1);

constexpr const char* kBroken = "the provider broke the rules of HTTP/2";

Error upstream_error(Code code, const char* what, Retry retry = Retry::kOtherUpstream) {
  return {code, Source::kUpstream, retry, 0, what};
}

std::uint8_t* bytes_of(std::string_view text) {
  return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
}

// Memory for a request's fields, one of which is the provider's key.
struct FieldRoom {
  std::array<char, kFieldRoom> bytes;
  ~FieldRoom() { explicit_bzero(bytes.data(), bytes.size()); }
};

std::string_view text_of(const std::uint8_t* bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

// The frames at the beginning of what came, if a frame begins there: a guess, which the library
// does not know of. What it is taken for is only memory to be asked for.
class FrameGuess {
 public:
  static constexpr std::size_t kFramesMax = 8;

  explicit FrameGuess(std::span<const char> bytes) : bytes_(bytes) {}

  // Whose the next DATA frame is; 0: there is none, or there were enough.
  std::int32_t next_data() {
    while (count_ < kFramesMax && bytes_.size() - at_ >= kFrameHeadBytes) {
      const auto* head = reinterpret_cast<const std::uint8_t*>(bytes_.data()) + at_;
      const std::size_t length = (std::size_t{head[0]} << 16) | (head[1] << 8) | head[2];
      if (length > kFrameBytesUsual || head[3] > NGHTTP2_CONTINUATION) break;
      const auto id = static_cast<std::int32_t>(((std::uint32_t{head[5]} & 0x7f) << 24) |
                                                (head[6] << 16) | (head[7] << 8) | head[8]);
      at_ = std::min(at_ + kFrameHeadBytes + length, bytes_.size());
      ++count_;
      if (head[3] == NGHTTP2_DATA && id != 0) return id;
    }
    return 0;
  }
  std::size_t count() const { return count_; }
  std::size_t bytes() const { return at_; }  // of those frames

 private:
  static constexpr std::size_t kFrameBytesUsual = 16 * 1024;  // RFC 9113, 4.2
  std::span<const char> bytes_;
  std::size_t at_ = 0;
  std::size_t count_ = 0;
};

}  // namespace

// ---- WaitingBody -------------------------------------------------------------------------------

std::size_t WaitingBody::assign(const RequestBody& body) {
  clear();
  std::size_t copied_size = 0;
  std::size_t block_bytes_copied = 0;
  for (const std::string_view piece : body.pieces) {
    size_ += piece.size();
    if (body.goes_as_it_is(piece)) continue;
    copied_size += piece.size();
    if (body.is_in_block(piece)) block_bytes_copied += piece.size();
  }
  if (copied_size != 0) copies_ = Block::allocate(copied_size);
  pieces_.reserve(body.pieces.size());
  for (const std::string_view piece : body.pieces) {
    if (piece.empty()) continue;
    if (body.goes_as_it_is(piece)) {
      if (!block_) block_ = BlockRef::share(*body.block);
      pieces_.push_back(piece);
      continue;
    }
    char* const place = copies_->data() + copies_->size;
    std::memcpy(place, piece.data(), piece.size());
    copies_->size += piece.size();
    pieces_.emplace_back(place, piece.size());
  }
  return block_bytes_copied;
}

void WaitingBody::clear() {
  block_.reset();
  copies_.reset();
  pieces_.clear();
  next_ = 0;
  size_ = 0;
}

void WaitingBody::write(std::size_t size, Stream& out) {
  LEAT_CHECK(size <= size_);
  size_ -= size;
  while (size > 0) {
    std::string_view& piece = pieces_[next_];
    const std::string_view part = piece.substr(0, size);
    const bool is_in_block = block_ && part.data() >= block_->data() &&
                             part.data() < block_->data() + block_->capacity();
    if (is_in_block && part.size() > RequestBody::kCopyBytesMax) {
      const auto offset = static_cast<std::size_t>(part.data() - block_->data());
      out.write_block(*block_.get(), offset, part.size());
    } else {
      out.write(part);
    }
    size -= part.size();
    piece.remove_prefix(part.size());
    if (piece.empty()) ++next_;
  }
}

// ---- What the library tells --------------------------------------------------------------------

struct Http2Events {
  static Http2Session& session_of(void* user) { return *static_cast<Http2Session*>(user); }

  static int on_begin_frame(nghttp2_session*, const nghttp2_frame_hd* frame, void* user) {
    Http2Session& self = session_of(user);
    bool brings_something = false;
    switch (frame->type) {
      case NGHTTP2_DATA:
        brings_something = frame->length != 0 || (frame->flags & NGHTTP2_FLAG_END_STREAM) != 0;
        break;
      case NGHTTP2_WINDOW_UPDATE:  // as many as we send DATA
      case NGHTTP2_GOAWAY:
        brings_something = true;
        break;
      case NGHTTP2_HEADERS:
      case NGHTTP2_RST_STREAM:
        brings_something = self.find(frame->stream_id) != nullptr;
        // Both may be on their way when a stream is over for us (RFC 9113, 8.1).
        if (!brings_something && self.late_frames_ > 0) {
          --self.late_frames_;
          brings_something = true;
        }
        break;
      default:
        break;
    }
    if (!brings_something && !self.count_control_frame()) {
      self.break_off(Code::kProtocol, "the provider sends too many frames that bring nothing");
    }
    return self.verdict();
  }

  static int on_begin_headers(nghttp2_session*, const nghttp2_frame*, void* user) {
    Http2Session& self = session_of(user);
    self.head_text_.clear();
    self.head_fields_.clear();
    self.head_bytes_ = 0;
    self.head_status_ = 0;
    return self.verdict();
  }

  static int on_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
                       std::size_t name_size, const std::uint8_t* value, std::size_t value_size,
                       std::uint8_t, void* user) {
    Http2Session& self = session_of(user);
    Http2Stream* stream = self.find(frame->hd.stream_id);
    if (stream == nullptr) return self.verdict();
    self.head_bytes_ += name_size + value_size + kFieldOverhead;
    if (self.head_bytes_ > self.limits_.head_bytes_max ||
        self.head_fields_.size() >= proto::FieldList::kFieldsMax) {
      stream->fault_ = "the provider's reply head is too large";
      return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    if (stream->has_head_) return 0;  // trailers are of no use to anybody
    if (name_size > 0 && name[0] == ':') {
      // The library has seen to it that it is :status, once, of three digits.
      const std::string_view digits = text_of(value, value_size);
      std::from_chars(digits.data(), digits.data() + digits.size(), self.head_status_);
      return 0;
    }
    self.head_text_.append(text_of(name, name_size)).append(text_of(value, value_size));
    self.head_fields_.push_back(
        {static_cast<std::uint32_t>(name_size), static_cast<std::uint32_t>(value_size)});
    return 0;
  }

  // What other clients pass over (a control byte in a value) is as wrong here as in HTTP/1.1.
  static int on_invalid_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t*,
                               std::size_t, const std::uint8_t*, std::size_t, std::uint8_t,
                               void* user) {
    Http2Stream* stream = session_of(user).find(frame->hd.stream_id);
    if (stream != nullptr) stream->fault_ = "the provider's reply head is malformed";
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }

  static int on_data(nghttp2_session*, std::uint8_t flags, std::int32_t id,
                     const std::uint8_t* data, std::size_t size, void* user) {
    Http2Session& self = session_of(user);
    self.give_back_connection(size);
    Http2Stream* stream = self.find(id);
    if (stream == nullptr || !stream->has_head_) return self.verdict();
    if ((flags & NGHTTP2_FLAG_END_STREAM) == 0) {
      if (stream->is_paused_) {
        stream->withheld_ += size;
      } else {
        self.give_back_stream(*stream, size);
        self.widen(*stream, size);
      }
    }
    if (!stream->ListNode<TouchedTag>::is_linked()) self.touched_.push_back(*stream);
    stream->on_stream_body(text_of(data, size));
    return self.verdict();
  }

  static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    Http2Session& self = session_of(user);
    Http2Stream* stream = self.find(frame->hd.stream_id);
    if (stream == nullptr) return self.verdict();
    if (frame->hd.type == NGHTTP2_RST_STREAM) stream->was_reset_ = true;
    if (frame->hd.type == NGHTTP2_HEADERS && !stream->has_head_) {
      self.take_head(*stream);
      stream = self.find(frame->hd.stream_id);
    }
    const bool may_end = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    const bool ends = may_end && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (ends && stream != nullptr && !self.is_stopped_) self.end(*stream);
    return self.verdict();
  }

  static int on_stream_close(nghttp2_session*, std::int32_t id, std::uint32_t code, void* user) {
    Http2Session& self = session_of(user);
    Http2Stream* stream = self.find(id);
    if (stream == nullptr) return self.verdict();
    const bool is_refused = code == NGHTTP2_REFUSED_STREAM && !stream->has_head_;
    if (!stream->is_sent_ || is_refused) {
      self.fail(*stream, upstream_error(Code::kRefused, "the provider did not take the request",
                                        Retry::kNotExecuted));
    } else if (stream->was_reset_) {
      self.fail(*stream, upstream_error(Code::kReset, "the provider reset the stream"));
    } else {
      const char* what = "the provider's reply is malformed";
      if (stream->fault_ != nullptr) what = stream->fault_;
      self.fail(*stream, upstream_error(Code::kProtocol, what));
    }
    return self.verdict();
  }

  static int on_frame_sent(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    Http2Session& self = session_of(user);
    if (frame->hd.type == NGHTTP2_HEADERS) {
      if (Http2Stream* stream = self.find(frame->hd.stream_id)) stream->is_sent_ = true;
    }
    // The library says goodbye by itself when it finds a fault.
    const bool is_blame =
        frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR;
    if (is_blame && !self.over_) self.over_ = upstream_error(Code::kProtocol, kBroken);
    return 0;
  }

  // Of a stream that never was: the library does not always say that it closed.
  static int on_frame_not_sent(nghttp2_session*, const nghttp2_frame* frame, int, void* user) {
    Http2Session& self = session_of(user);
    if (frame->hd.type != NGHTTP2_HEADERS) return 0;
    for (Http2Stream* each = self.open_.first(); each != nullptr; each = self.open_.after(*each)) {
      if (each->id_ != frame->hd.stream_id) continue;
      self.fail(*each, upstream_error(Code::kRefused, "the provider takes no more requests",
                                      Retry::kNotExecuted));
      break;
    }
    return 0;
  }

  static ssize_t read_body(nghttp2_session*, std::int32_t id, std::uint8_t*, std::size_t size,
                           std::uint32_t* flags, nghttp2_data_source*, void* user) {
    Http2Stream* stream = session_of(user).find(id);
    if (stream == nullptr) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    const std::size_t taken = std::min(size, stream->body_.size());
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (taken == stream->body_.size()) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(taken);
  }

  static int send_body(nghttp2_session*, nghttp2_frame* frame, const std::uint8_t* head,
                       std::size_t size, nghttp2_data_source*, void* user) {
    Http2Session& self = session_of(user);
    Http2Stream* stream = self.find(frame->hd.stream_id);
    if (stream == nullptr) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    if (self.is_stopped_ || !self.has_room()) return NGHTTP2_ERR_WOULDBLOCK;
    self.out_->write(text_of(head, kFrameHeadBytes));
    stream->body_.write(size, *self.out_);
    self.written_bytes_ += size;
    const BlockRef& block = stream->body_.block();
    if (block && (self.written_.empty() || self.written_.back().get() != block.get())) {
      self.written_.push_back(block);
    }
    return 0;
  }

  static nghttp2_session* new_session(Http2Session& self);
};

nghttp2_session* Http2Events::new_session(Http2Session& self) {
  nghttp2_session_callbacks* events = nullptr;
  LEAT_CHECK(nghttp2_session_callbacks_new(&events) == 0);
  nghttp2_session_callbacks_set_on_begin_frame_callback(events, on_begin_frame);
  nghttp2_session_callbacks_set_on_begin_headers_callback(events, on_begin_headers);
  nghttp2_session_callbacks_set_on_header_callback(events, on_header);
  nghttp2_session_callbacks_set_on_invalid_header_callback(events, on_invalid_header);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(events, on_data);
  nghttp2_session_callbacks_set_on_frame_recv_callback(events, on_frame);
  nghttp2_session_callbacks_set_on_stream_close_callback(events, on_stream_close);
  nghttp2_session_callbacks_set_on_frame_send_callback(events, on_frame_sent);
  nghttp2_session_callbacks_set_on_frame_not_send_callback(events, on_frame_not_sent);
  nghttp2_session_callbacks_set_send_data_callback(events, send_body);
  nghttp2_option* options = nullptr;
  LEAT_CHECK(nghttp2_option_new(&options) == 0);
  nghttp2_option_set_no_auto_window_update(options, 1);
  nghttp2_option_set_peer_max_concurrent_streams(options, self.limits_.streams_before_settings);
  nghttp2_option_set_max_outbound_ack(options, kAcknowledgementsMax);
  nghttp2_option_set_max_continuations(options, kContinuationsMax);
  nghttp2_option_set_no_closed_streams(options, 1);
  nghttp2_session* session = nullptr;
  LEAT_CHECK(nghttp2_session_client_new2(&session, events, &self, options) == 0);
  nghttp2_option_del(options);
  nghttp2_session_callbacks_del(events);
  return session;
}

// ---- Http2Session ------------------------------------------------------------------------------

Http2Session::Http2Session(const Http2Limits& limits, proto::ResponseHead& scratch,
                           std::string_view scheme)
    : limits_(limits),
      scratch_(scratch),
      scheme_(scheme),
      session_(Http2Events::new_session(*this)) {
  // FieldList's offsets have 16 bits.
  LEAT_CHECK(limits.head_bytes_max <= proto::kHeadBytesMax);
  const std::array<nghttp2_settings_entry, 4> settings = {{
      {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, limits_.stream_window_bytes},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, limits_.head_bytes_max},
      {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
  }};
  LEAT_CHECK(
      nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size()) == 0);
  LEAT_CHECK(nghttp2_session_set_local_window_size(
                 session_, NGHTTP2_FLAG_NONE, 0,
                 static_cast<std::int32_t>(limits_.connection_window_bytes)) == 0);
}

Http2Session::~Http2Session() {
  LEAT_CHECK(open_.empty());
  nghttp2_session_del(session_);
}

Result<std::size_t> Http2Session::send(Http2Stream& stream, const proto::RequestOptions& head,
                                       const RequestBody& body) {
  LEAT_CHECK(!stream.is_open());
  LEAT_UNINITIALIZED FieldRoom room;
  LEAT_UNINITIALIZED std::array<proto::Http2Field, proto::kHttp2FieldsMax> list;
  LEAT_UNINITIALIZED std::array<nghttp2_nv, proto::kHttp2FieldsMax> fields;
  const auto listed = proto::list_request_fields(head, scheme_, room.bytes, list);
  if (!listed) return leat::fail(listed.error());
  for (std::size_t i = 0; i < listed->size(); ++i) {
    const proto::Http2Field& field = (*listed)[i];
    const int flags = field.is_secret ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE;
    fields[i] = {bytes_of(field.name), bytes_of(field.value), field.name.size(), field.value.size(),
                 static_cast<std::uint8_t>(flags)};
  }
  const std::size_t copied = stream.body_.assign(body);
  nghttp2_data_provider source{.source = {.ptr = nullptr}, .read_callback = Http2Events::read_body};
  const std::int32_t id =
      nghttp2_submit_request(session_, nullptr, fields.data(), listed->size(),
                             stream.body_.size() != 0 ? &source : nullptr, &stream);
  if (id < 0) {
    stream.body_.clear();
    return leat::fail(upstream_error(Code::kOverloaded, "the connection takes no more requests",
                                     Retry::kNotExecuted));
  }
  stream.id_ = id;
  stream.informational_ = 0;
  stream.window_ = limits_.stream_window_bytes;
  stream.taken_ = stream.withheld_ = 0;
  stream.fault_ = nullptr;
  stream.is_paused_ = stream.is_sent_ = stream.has_head_ = stream.was_reset_ = false;
  open_.push_back(stream);
  ++open_count_;
  return copied;
}

void Http2Session::forget(Http2Stream& stream) {
  nghttp2_session_set_stream_user_data(session_, stream.id_, nullptr);
  stream.id_ = 0;
  stream.body_.clear();
  stream.ListNode<OpenTag>::unlink();
  stream.ListNode<TouchedTag>::unlink();
  --open_count_;
  late_frames_ += 2;
}

void Http2Session::cancel(Http2Stream& stream) {
  if (!stream.is_open()) return;
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream.id_, NGHTTP2_CANCEL);
  // The bytes that it had not taken are the connection's no more: all came off its window at once.
  forget(stream);
}

void Http2Session::pause(Http2Stream& stream) {
  stream.is_paused_ = true;
  stream.taken_ = 0;
}

void Http2Session::resume(Http2Stream& stream) {
  if (!stream.is_paused_) return;
  stream.is_paused_ = false;
  const std::size_t size = std::exchange(stream.withheld_, 0);
  if (stream.is_open() && size != 0) give_back_stream(stream, size);
}

// The library counts what came; it is told to speak of it before its own half of a window.
void Http2Session::give_back_stream(Http2Stream& stream, std::size_t size) {
  nghttp2_session_consume_stream(session_, stream.id_, size);
  const std::int32_t came =
      nghttp2_session_get_stream_effective_recv_data_length(session_, stream.id_);
  if (came >= static_cast<std::int32_t>(stream.window_ / kWindowShare)) {
    nghttp2_submit_window_update(session_, NGHTTP2_FLAG_NONE, stream.id_, came);
  }
}

// All of what a stream is promised may have to be held one day, so that most have little.
void Http2Session::widen(Http2Stream& stream, std::size_t size) {
  if (stream.taken_ == 0) stream.taken_since_ = now_;
  stream.taken_ += size;
  if (stream.taken_ < stream.window_) return;
  stream.taken_ = 0;
  const bool is_fast = now_ - stream.taken_since_ < kWindowFast;
  if (!is_fast || stream.window_ >= limits_.stream_window_bytes_max) return;
  stream.window_ = std::min(2 * stream.window_, limits_.stream_window_bytes_max);
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, stream.id_,
                                        static_cast<std::int32_t>(stream.window_));
}

// Nothing is ever withheld of the connection's window: one slow stream would stop all.
void Http2Session::give_back_connection(std::size_t size) {
  nghttp2_session_consume_connection(session_, size);
  const std::int32_t came = nghttp2_session_get_effective_recv_data_length(session_);
  if (came >= static_cast<std::int32_t>(limits_.connection_window_bytes / kWindowShare)) {
    nghttp2_submit_window_update(session_, NGHTTP2_FLAG_NONE, 0, came);
  }
}

Http2Stream* Http2Session::find(std::int32_t id) const {
  return static_cast<Http2Stream*>(nghttp2_session_get_stream_user_data(session_, id));
}

void Http2Session::fail(Http2Stream& stream, const Error& why) {
  forget(stream);
  stream.on_stream_failed(why);
}

void Http2Session::reset_with(Http2Stream& stream, Code code, const char* what) {
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream.id_, NGHTTP2_PROTOCOL_ERROR);
  fail(stream, upstream_error(code, what));
}

// The head stands in head_text_; `scratch_` is filled as HTTP/1.1's parser would.
void Http2Session::take_head(Http2Stream& stream) {
  if (head_status_ < 100 || head_status_ > 599) {
    return reset_with(stream, Code::kProtocol, "the provider's reply head is malformed");
  }
  if (head_status_ < 200) {
    if (++stream.informational_ <= limits_.informational_max) return;
    return reset_with(stream, Code::kProtocol, "the provider sends too many informational replies");
  }
  proto::ResponseHead& head = scratch_;
  head.status = static_cast<std::uint16_t>(head_status_);
  head.http10 = head.chunked = head.until_close = false;
  head.keep_alive = true;
  head.content_length.reset();
  head.fields.start(head_text_.data());
  const char* at = head_text_.data();
  bool is_sound = true;
  for (const FieldSizes& sizes : head_fields_) {
    const std::string_view name(at, sizes.name);
    const std::string_view value(at + sizes.name, sizes.value);
    at += sizes.name + sizes.value;
    const proto::KnownField known = proto::find_known_field(name);
    const bool is_single =
        known == proto::KnownField::kContentType || known == proto::KnownField::kContentEncoding;
    if (is_single && head.fields.has(known)) is_sound = false;
    head.fields.add(known, name, value);
  }
  if (!is_sound) {
    return reset_with(stream, Code::kProtocol, "the provider's reply head is malformed");
  }
  if (head.fields.has(proto::KnownField::kContentLength) && !head.has_no_body()) {
    const std::string_view digits = head.fields.get(proto::KnownField::kContentLength);
    std::uint64_t length = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), length);
    head.content_length = length;
  }
  head.content_type = head.fields.get(proto::KnownField::kContentType);
  head.content_encoding = head.fields.get(proto::KnownField::kContentEncoding);
  head.retry_after = head.fields.get(proto::KnownField::kRetryAfter);
  head.retry_after_ms = head.fields.get(proto::KnownField::kRetryAfterMs);
  head.x_request_id = head.fields.get(proto::KnownField::kXRequestId);
  head.location = head.fields.get(proto::KnownField::kLocation);
  stream.has_head_ = true;
  stream.on_stream_head(head);
}

// The reply is whole. Of a request that it did not wait for, the rest is not sent.
void Http2Session::end(Http2Stream& stream) {
  if (nghttp2_session_get_stream_local_close(session_, stream.id_) == 0) {
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream.id_, NGHTTP2_CANCEL);
  }
  forget(stream);
  stream.on_stream_end();
}

bool Http2Session::count_control_frame() {
  if (now_ >= control_since_ + kControlTime) {
    control_since_ = now_;
    control_frames_ = 0;
  }
  return ++control_frames_ <= limits_.control_frames_max;
}

void Http2Session::break_off(Code code, const char* what) {
  if (over_) return;
  over_ = upstream_error(code, what);
  nghttp2_session_terminate_session(session_, NGHTTP2_ENHANCE_YOUR_CALM);
}

int Http2Session::verdict() const {
  return is_stopped_ || over_ ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

bool Http2Session::foresee(int depth, std::int32_t id) const {
  if (depth == 0) {
    const nghttp2_stream* stream = nghttp2_session_find_stream(session_, id);
    if (stream != nullptr) prefetch(stream, kLibraryStreamBytes);
    return stream != nullptr;
  }
  const Http2Stream* stream = find(id);
  if (stream == nullptr) return false;
  if (depth > 1) return stream->on_stream_foreseen(depth - 2);
  prefetch(*stream);
  return true;
}

bool Http2Session::foresee(int depth, std::span<const char> bytes) const {
  FrameGuess frames(bytes);
  bool is_further = false;
  while (const std::int32_t id = frames.next_data()) is_further |= foresee(depth, id);
  return is_further;
}

// How many of the bytes are to be fed next: what is asked for must not be driven out again before
// it is needed.
std::size_t Http2Session::foresee_some(std::span<const char> bytes) const {
  FrameGuess frames(bytes);
  while (frames.next_data() != 0) {
  }
  if (frames.count() < 2) return bytes.size();
  for (int depth = 0; foresee(depth, bytes.first(frames.bytes()));) ++depth;
  return frames.bytes();
}

Result<void> Http2Session::feed(std::span<const char> bytes, Instant now) {
  if (over_) return leat::fail(*over_);
  now_ = now;
  is_busy_ = true;
  ssize_t taken = 0;
  while (!bytes.empty() && taken >= 0 && !is_stopped_) {
    const std::span<const char> some = bytes.first(foresee_some(bytes));
    taken = nghttp2_session_mem_recv(session_, reinterpret_cast<const std::uint8_t*>(some.data()),
                                     some.size());
    bytes = bytes.subspan(some.size());
  }
  is_busy_ = false;
  if (is_stopped_) return {};
  if (taken < 0 && !over_) over_ = upstream_error(Code::kProtocol, kBroken);
  while (!is_stopped_ && !over_) {
    Http2Stream* stream = touched_.pop_front();
    if (stream == nullptr) return {};
    stream->on_stream_pause();
  }
  if (is_stopped_) return {};
  return leat::fail(*over_);
}

bool Http2Session::has_room() const {
  return written_bytes_ < kWriteBytesMax && out_->backlog_bytes() <= Stream::kBacklogLow;
}

Result<void> Http2Session::write_to(Stream& out) {
  out_ = &out;
  written_bytes_ = 0;
  is_busy_ = true;
  while (!is_stopped_ && has_room()) {
    const std::uint8_t* bytes = nullptr;
    const ssize_t size = nghttp2_session_mem_send(session_, &bytes);
    if (is_stopped_ || size == 0) break;
    if (size < 0) {
      if (!over_) over_ = upstream_error(Code::kProtocol, kBroken);
      break;
    }
    out.write(text_of(bytes, static_cast<std::size_t>(size)));
    written_bytes_ += static_cast<std::size_t>(size);
  }
  is_busy_ = false;
  out_ = nullptr;
  if (over_ && !is_stopped_) return leat::fail(*over_);
  return {};
}

void Http2Session::release_written() {
  leaving_.clear();
  std::swap(leaving_, written_);
}

bool Http2Session::wants_write() const {
  return nghttp2_session_want_write(session_) != 0;
}

void Http2Session::fail_streams(const Error& why) {
  // Those that begin meanwhile are not of this session: it takes none any more.
  if (!over_) over_ = why;
  while (!open_.empty()) fail(open_.front(), why);
}

void Http2Session::ping() {
  nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr);
}

void Http2Session::say_goodbye() {
  LEAT_CHECK(open_.empty());
  nghttp2_session_terminate_session(session_, NGHTTP2_NO_ERROR);
}

std::uint32_t Http2Session::streams_max() const {
  return nghttp2_session_get_remote_settings(session_, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
}

bool Http2Session::takes_streams() const {
  return !over_ && nghttp2_session_check_request_allowed(session_) != 0;
}

}  // namespace leat::net
