// SPDX-License-Identifier: Apache-2.0
#include "mock/http2_connection.h"

#include <fmt/format.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace leat::tools {
namespace {

constexpr std::int32_t kStreamWindow = 16 << 20;  // of requests
constexpr std::int32_t kConnectionWindow = 1 << 30;
constexpr std::size_t kTurnBytes = 256 * 1024;  // then the other connections have their turn
// Clients may give up as many streams as they like.
constexpr std::uint64_t kResetsMax = UINT64_MAX / 4;

std::string_view text_of(const std::uint8_t* bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

nghttp2_nv field(std::string_view name, std::string_view value, int flags = NGHTTP2_NV_FLAG_NONE) {
  auto* name_bytes = reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data()));
  auto* value_bytes = reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data()));
  return {name_bytes, value_bytes, name.size(), value.size(), static_cast<std::uint8_t>(flags)};
}

int select_protocol(SSL*, const std::uint8_t** out, std::uint8_t* out_size, const std::uint8_t* in,
                    unsigned in_size, void*) {
  for (unsigned at = 0; at < in_size; at += 1u + in[at]) {
    const std::string_view name = text_of(in + at + 1, in[at]);
    if (name != "h2" && name != "http/1.1") continue;
    *out = in + at + 1;
    *out_size = in[at];
    return SSL_TLSEXT_ERR_OK;
  }
  return SSL_TLSEXT_ERR_NOACK;
}

}  // namespace

void agree_on_protocol(SSL_CTX* tls) {
  SSL_CTX_set_alpn_select_cb(tls, select_protocol, nullptr);
}

// One request and its answer.
struct Http2Connection::Stream {
  Stream(Http2Connection& connection_of, std::int32_t number)
      : connection(connection_of), id(number) {}

  void on_due() { connection.advance(*this); }

  Http2Connection& connection;
  std::int32_t id;
  std::string method;
  std::string target;
  std::string body;
  Plan plan;
  Alarm alarm{alarm_callback<&Stream::on_due>, this};
  std::string unsent;      // of the answer: said, but not yet in a frame
  std::size_t taken = 0;   // of unsent
  bool has_begun = false;  // its head is out
  bool has_role = false;   // so is the first event
  bool has_ended = false;  // nothing comes after unsent
};

struct Http2Connection::Callbacks {
  static Stream* find(nghttp2_session* session, std::int32_t id) {
    return static_cast<Stream*>(nghttp2_session_get_stream_user_data(session, id));
  }

  static int on_begin_headers(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    Stream& stream = static_cast<Http2Connection*>(user)->open_stream(frame->hd.stream_id);
    nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, &stream);
    return 0;
  }

  static int on_header(nghttp2_session* session, const nghttp2_frame* frame,
                       const std::uint8_t* name, std::size_t name_size, const std::uint8_t* value,
                       std::size_t value_size, std::uint8_t, void*) {
    Stream* stream = find(session, frame->hd.stream_id);
    if (stream == nullptr || name[0] != ':') return 0;
    const std::string_view key = text_of(name, name_size);
    if (key == ":method") stream->method = text_of(value, value_size);
    if (key == ":path") stream->target = text_of(value, value_size);
    return 0;
  }

  static int on_data(nghttp2_session* session, std::uint8_t, std::int32_t id,
                     const std::uint8_t* data, std::size_t size, void*) {
    Stream* stream = find(session, id);
    if (stream == nullptr) return 0;
    if (stream->body.size() + size > kInputMax) return NGHTTP2_ERR_CALLBACK_FAILURE;
    stream->body += text_of(data, size);
    return 0;
  }

  static int on_frame(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    const bool may_end = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (!may_end || (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return 0;
    Stream* stream = find(session, frame->hd.stream_id);
    if (stream != nullptr) static_cast<Http2Connection*>(user)->answer(*stream);
    return 0;
  }

  // Of an answer that is not over: it was cut, which is counted already, or the client left it.
  static int on_stream_close(nghttp2_session* session, std::int32_t id, std::uint32_t, void* user) {
    Stream* stream = find(session, id);
    if (stream != nullptr) static_cast<Http2Connection*>(user)->close_stream(*stream);
    return 0;
  }

  static ssize_t read(nghttp2_session*, std::int32_t, std::uint8_t* out, std::size_t size,
                      std::uint32_t* flags, nghttp2_data_source* source, void* user) {
    return static_cast<Http2Connection*>(user)->read_body(*static_cast<Stream*>(source->ptr), out,
                                                          size, flags);
  }
};

Http2Connection::Http2Connection(MockContext& context, Link& link)
    : context_(context), link_(link) {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_option* options = nullptr;
  if (nghttp2_session_callbacks_new(&callbacks) != 0 || nghttp2_option_new(&options) != 0) {
    die("nghttp2: no memory");
  }
  nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, Callbacks::on_begin_headers);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, Callbacks::on_header);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, Callbacks::on_data);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, Callbacks::on_frame);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, Callbacks::on_stream_close);
  nghttp2_option_set_no_closed_streams(options, 1);
  nghttp2_option_set_stream_reset_rate_limit(options, kResetsMax, kResetsMax);
  if (nghttp2_session_server_new2(&session_, callbacks, this, options) != 0) {
    die("nghttp2: no memory");
  }
  nghttp2_option_del(options);
  nghttp2_session_callbacks_del(callbacks);
  const std::array<nghttp2_settings_entry, 3> settings = {{
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, context.options.http2_streams},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kStreamWindow},
      {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
  }};
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, kConnectionWindow);
  ++context_.tally.http2_connections;
}

Http2Connection::~Http2Connection() {
  for (auto& [id, stream] : streams_) abandon(context_, stream->plan);
  nghttp2_session_del(session_);
}

void Http2Connection::note_gone() const {
  for (const auto& [id, stream] : streams_) tools::note_gone(context_, stream->plan);
}

Http2Connection::Stream& Http2Connection::open_stream(std::int32_t id) {
  return *(streams_[id] = std::make_unique<Stream>(*this, id));
}

void Http2Connection::close_stream(Stream& stream) {
  tools::note_gone(context_, stream.plan);
  abandon(context_, stream.plan);
  streams_.erase(stream.id);
}

void Http2Connection::answer(Stream& stream) {
  stream.plan = plan_answer(context_, stream.method, stream.target, stream.body);
  stream.body = {};
  if (!stream.plan.answer) {
    stream.unsent = std::move(stream.plan.body);
    stream.has_ended = true;
    begin_answer(stream, "application/json");
  } else if (stream.plan.due > context_.loop.now()) {
    due_.set(stream.alarm, stream.plan.due);
  } else {
    advance(stream);
  }
}

// Something of the answer is due.
void Http2Connection::advance(Stream& stream) {
  if (stream.has_begun) {
    nghttp2_session_resume_data(session_, stream.id);
    return;
  }
  if (!stream.plan.streamed) {
    stream.unsent = stream.plan.answer->whole();
    stream.has_ended = true;
    context_.tally.tokens += stream.plan.answer->tokens();
  }
  begin_answer(stream,
               stream.plan.streamed ? "text/event-stream; charset=utf-8" : "application/json");
}

void Http2Connection::begin_answer(Stream& stream, std::string_view content_type) {
  const std::string status = std::to_string(stream.plan.status);
  const std::string length = std::to_string(stream.unsent.size());
  const std::uint64_t seed = stream.plan.seed;
  const std::string request_id = fmt::format("req_{:016x}{:016x}", seed, ~seed);
  std::array<nghttp2_nv, 9> fields = {
      field(":status", status),
      field("content-type", content_type),
      field("x-request-id", request_id, NGHTTP2_NV_FLAG_NO_INDEX),
      field("openai-version", "2020-10-01"),
      field("openai-processing-ms", "12"),
      field("x-ratelimit-limit-requests", "30000"),
      field("x-ratelimit-remaining-requests", "29999"),
  };
  std::size_t count = 7;
  if (stream.has_ended) {
    fields[count++] = field("content-length", length, NGHTTP2_NV_FLAG_NO_INDEX);
  } else {
    fields[count++] = field("cache-control", "no-cache");
  }
  if (stream.plan.status == 429) fields[count++] = field("retry-after", "1");
  nghttp2_data_provider provider{};
  provider.source.ptr = &stream;
  provider.read_callback = Callbacks::read;
  nghttp2_submit_response(session_, stream.id, fields.data(), count, &provider);
  // Streams that are not paced take turns, a frame each.
  nghttp2_extpri turns{};
  turns.urgency = NGHTTP2_EXTPRI_DEFAULT_URGENCY;
  turns.inc = 1;
  nghttp2_session_change_extpri_stream_priority(session_, stream.id, &turns, 1);
  stream.has_begun = true;
}

// The next frame's worth of a streamed answer. False: it is not due yet.
bool Http2Connection::produce(Stream& stream) {
  Plan& plan = stream.plan;
  if (!stream.has_role) {
    plan.answer->append_role(stream.unsent);
    stream.has_role = true;
  } else if (plan.is_told()) {
    append_last(context_, plan, stream.unsent);
    stream.has_ended = true;
  } else if (plan.due > context_.loop.now()) {
    due_.set(stream.alarm, plan.due);
    return false;
  } else {
    append_group(context_, plan, stream.unsent);
  }
  return true;
}

ssize_t Http2Connection::read_body(Stream& stream, std::uint8_t* out, std::size_t size,
                                   std::uint32_t* flags) {
  while (stream.unsent.empty() && !stream.has_ended) {
    if (stream.has_role && stream.plan.is_cut()) {
      finish(context_, stream.plan);
      return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;  // the library resets the stream
    }
    if (!produce(stream)) return NGHTTP2_ERR_DEFERRED;
  }
  const std::size_t taken = std::min(size, stream.unsent.size() - stream.taken);
  std::memcpy(out, stream.unsent.data() + stream.taken, taken);
  stream.taken += taken;
  if (stream.taken < stream.unsent.size()) return static_cast<ssize_t>(taken);
  stream.unsent.clear();
  stream.taken = 0;
  if (stream.has_ended) {
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (stream.plan.answer) finish(context_, stream.plan);
  }
  return static_cast<ssize_t>(taken);
}

bool Http2Connection::write() {
  has_more_ = false;
  if (link_.unsent_size() > kUnsentMax) return true;  // the owner calls again when it is out
  out_.clear();
  while (!has_more_) {
    const std::uint8_t* bytes = nullptr;
    const ssize_t size = nghttp2_session_mem_send(session_, &bytes);
    if (size < 0) return false;
    if (size == 0) break;
    out_ += text_of(bytes, static_cast<std::size_t>(size));
    has_more_ = out_.size() >= kTurnBytes;
  }
  if (!out_.empty() && link_.send(out_) != Link::Status::kOpen) return false;
  return nghttp2_session_want_read(session_) != 0 || nghttp2_session_want_write(session_) != 0;
}

bool Http2Connection::serve(std::string_view received) {
  if (!received.empty()) {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(received.data());
    if (nghttp2_session_mem_recv(session_, bytes, received.size()) < 0) return false;
  }
  due_.run(context_.loop.now());
  return write();
}

Instant Http2Connection::next_due() const {
  const bool waits_for_link = link_.unsent_size() > kUnsentMax;
  return has_more_ && !waits_for_link ? context_.loop.now() : due_.next();
}

}  // namespace leat::tools
