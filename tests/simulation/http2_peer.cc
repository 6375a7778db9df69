// SPDX-License-Identifier: Apache-2.0
#include "simulation/http2_peer.h"

#include <algorithm>

#include "base/check.h"

namespace leat::sim {

namespace {

using namespace net::http2;  // NOLINT: the frames and their names

constexpr std::uint8_t kPadded = 8;
constexpr std::size_t kFrameHead = 9;
constexpr std::size_t kFrameMax = 16'384;
constexpr std::int64_t kWindowMax = 0x7fff'ffff;
constexpr std::int64_t kWindowStart = 65'535;
constexpr std::uint32_t kEnablePush = 2;
constexpr std::uint32_t kFrameSizeMax = 5;

std::uint64_t number_of(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char byte : bytes) value = value << 8 | static_cast<std::uint8_t>(byte);
  return value;
}

// What stands between its padding; false: there is more padding than frame.
bool strip_padding(const Frame& frame, std::string_view& payload) {
  payload = frame.payload;
  if ((frame.flags & kPadded) == 0) return true;
  if (payload.empty()) return false;
  const auto pad = static_cast<std::uint8_t>(payload.front());
  payload.remove_prefix(1);
  if (pad > payload.size()) return false;
  payload.remove_suffix(pad);
  return true;
}

}  // namespace

Http2Peer::Http2Peer(const Http2PeerOptions& options, Rng& rng, User& user)
    : options_(options),
      rng_(rng),
      user_(user),
      has_preface_(options.is_client),
      streams_max_(options.streams_max),
      streams_max_told_(options.streams_max) {
  if (options_.is_client) put(std::string(kPreface));
  std::vector<std::pair<int, std::uint32_t>> entries = {{kInitialWindow, options_.stream_window}};
  if (!options_.is_client) entries.emplace_back(kMaxConcurrentStreams, options_.streams_max);
  put(settings(entries));
  if (options_.connection_window > kWindowStart) {
    const auto more = options_.connection_window - static_cast<std::uint32_t>(kWindowStart);
    put(window(0, more));
    receive_window_ += more;
  }
}

void Http2Peer::fail(const std::string& why) {
  if (fault_.empty()) fault_ = why;
}

// ---- Reading -----------------------------------------------------------------------------------

void Http2Peer::feed(std::string_view bytes) {
  in_.append(bytes);
  if (!has_preface_) {
    if (in_.size() < kPreface.size()) return;
    if (!in_.starts_with(kPreface)) return fail("no preface");
    in_.erase(0, kPreface.size());
    frame_begin_ += kPreface.size();
    has_preface_ = true;
  }
  while (fault_.empty() && take_frame()) {
  }
  flush();
}

bool Http2Peer::take_frame() {
  if (in_.size() < kFrameHead) return false;
  const auto size = static_cast<std::size_t>(number_of({in_.data(), 3}));
  if (size > kFrameMax) {
    fail("a frame of " + std::to_string(size) + " bytes");
    return false;
  }
  if (in_.size() < kFrameHead + size) return false;
  Frame frame{static_cast<std::uint8_t>(in_[3]), static_cast<std::uint8_t>(in_[4]),
              static_cast<std::uint32_t>(number_of({in_.data() + 5, 4})),
              in_.substr(kFrameHead, size)};
  in_.erase(0, kFrameHead + size);
  frame_size_ = kFrameHead + size;
  on_frame(frame);
  frame_begin_ += frame_size_;
  frame_size_ = 0;
  return true;
}

void Http2Peer::on_frame(const Frame& frame) {
  if (!has_settings_ && frame.type != kSettings) return fail("SETTINGS do not come first");
  if (head_id_ != 0 && (frame.type != kContinuation || frame.id != head_id_)) {
    return fail("a head is interrupted");
  }
  switch (frame.type) {
    case kData:
      return on_data(frame);
    case kHeaders:
      return on_headers(frame);
    case kContinuation:
      if (head_id_ == 0) return fail("CONTINUATION of nothing");
      head_ += frame.payload;
      if ((frame.flags & kEndHeaders) != 0) on_head_whole();
      return;
    case kReset:
      return on_reset(frame);
    case kSettings:
      return on_settings(frame);
    case kPing:
      if (frame.payload.size() != 8 || frame.id != 0) return fail("a malformed PING");
      if ((frame.flags & kAck) == 0) put(net::http2::frame(kPing, kAck, 0, frame.payload));
      return;
    case kGoaway:
      if (frame.payload.size() < 8 || frame.id != 0) return fail("a malformed GOAWAY");
      return user_.on_goaway(frame.word(0), frame.word(4));
    case kWindow:
      return on_window(frame);
    case kPriority:
      return;
    default:
      return fail("a frame of type " + std::to_string(frame.type));
  }
}

void Http2Peer::on_settings(const Frame& frame) {
  if (frame.id != 0 || frame.payload.size() % 6 != 0) return fail("malformed SETTINGS");
  if ((frame.flags & kAck) != 0) {
    if ((is_acknowledged_ && is_heard_) || !frame.payload.empty()) {
      return fail("a wrong acknowledgement");
    }
    if (is_acknowledged_) {
      is_heard_ = true;
      streams_max_ = streams_max_told_;
      return;
    }
    is_acknowledged_ = true;
    const std::int64_t change = std::int64_t{options_.stream_window} - kWindowStart;
    for (auto& [id, stream] : streams_) {
      stream.receive_window += change;
      give_back(id, stream);
    }
    return;
  }
  has_settings_ = true;
  for (std::size_t at = 0; at < frame.payload.size(); at += 6) {
    const auto id = number_of(std::string_view(frame.payload).substr(at, 2));
    const auto value =
        static_cast<std::int64_t>(number_of(std::string_view(frame.payload).substr(at + 2, 4)));
    if (id == static_cast<std::uint64_t>(kInitialWindow)) {
      if (value > kWindowMax) return fail("a window that is too large");
      for (auto& [number, stream] : streams_) stream.send_window += value - peer_window_;
      peer_window_ = value;
    } else if (id == static_cast<std::uint64_t>(kMaxConcurrentStreams)) {
      peer_streams_max_ = static_cast<std::uint32_t>(value);
    } else if (id == kEnablePush && (value > 1 || (options_.is_client && value != 0))) {
      return fail("a wrong ENABLE_PUSH");
    } else if (id == kFrameSizeMax && value < static_cast<std::int64_t>(kFrameMax)) {
      return fail("a wrong MAX_FRAME_SIZE");
    }
  }
  put(net::http2::frame(kSettings, kAck, 0, ""));
}

// A stream on which something may come; else null, and a fault unless it was reset by us.
Http2Peer::Stream* Http2Peer::open_stream(std::uint32_t id) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) {
    fail("a frame on stream " + std::to_string(id) + ", which never was");
    return nullptr;
  }
  Stream& stream = found->second;
  if (stream.was_reset) return nullptr;
  if (stream.is_there_over) {
    fail("a frame on stream " + std::to_string(id) + ", which it had ended");
    return nullptr;
  }
  return &stream;
}

void Http2Peer::on_headers(const Frame& frame) {
  if (frame.id == 0 || frame.id % 2 == 0) return fail("a head on a stream of that number");
  constexpr std::uint8_t kHasPriority = 0x20;
  std::string_view block;
  if (!strip_padding(frame, block)) return fail("a head of padding");
  if ((frame.flags & kHasPriority) != 0) {
    if (block.size() < 5) return fail("a head of a wrong length");
    block.remove_prefix(5);
  }
  if (!options_.is_client) {
    if (frame.id <= last_id_) return fail("a second head");
    last_id_ = frame.id;
    Stream& stream = streams_[frame.id];
    stream.receive_window = is_acknowledged_ ? options_.stream_window : kWindowStart;
    stream.send_window = peer_window_;
    ++open_;
    const std::uint32_t most = std::max(streams_max_, streams_max_told_);
    if (is_acknowledged_ && open_ > most) return fail("too many streams");
  }
  head_ = block;
  head_id_ = frame.id;
  head_ends_ = (frame.flags & kEndStream) != 0;
  if ((frame.flags & kEndHeaders) != 0) on_head_whole();
}

void Http2Peer::on_head_whole() {
  const std::uint32_t id = std::exchange(head_id_, 0);
  const Fields fields = fields_.read(head_);
  Stream* stream = open_stream(id);
  if (stream == nullptr) return;
  for (const auto& [name, value] : fields) {
    const auto is_upper = [](char each) { return each >= 'A' && each <= 'Z'; };
    if (std::ranges::any_of(name, is_upper)) return fail("a field's name in capitals");
    if (name == "connection" || name == "transfer-encoding" || name == "keep-alive") {
      return fail("a field of HTTP/1.1: " + name);
    }
  }
  if (options_.is_client) {
    if (fields.empty() || fields.front().first != ":status") return fail("a head without a status");
    if (stream->has_final_head) return fail("a second head");
    const bool is_final = !fields.front().second.starts_with('1');
    if (!is_final && head_ends_) return fail("an informational answer that ends");
    stream->has_final_head = is_final;
  }
  if (head_ends_) end_there(*stream);
  user_.on_head(id, fields, head_ends_);
}

void Http2Peer::on_data(const Frame& frame) {
  std::string_view payload;
  if (!strip_padding(frame, payload)) return fail("DATA of padding");
  const auto size = static_cast<std::int64_t>(frame.payload.size());
  receive_window_ -= size;
  if (receive_window_ < 0) return fail("more DATA than the connection's window");
  unreturned_ += frame.payload.size();
  give_back_connection();
  Stream* stream = open_stream(frame.id);
  if (stream == nullptr) return;
  if (options_.is_client && !stream->has_final_head) return fail("DATA before the head");
  stream->receive_window -= size;
  if (stream->receive_window < 0 && size > 0) return fail("more DATA than the stream's window");
  stream->unreturned += frame.payload.size();
  const bool ends = (frame.flags & kEndStream) != 0;
  if (ends) end_there(*stream);
  if (!ends) give_back(frame.id, *stream);
  user_.on_data(frame.id, payload, ends);
}

void Http2Peer::on_window(const Frame& frame) {
  if (frame.payload.size() != 4) return fail("a malformed WINDOW_UPDATE");
  const std::int64_t more = frame.word(0) & 0x7fff'ffff;
  if (more == 0) return fail("a WINDOW_UPDATE of nothing");
  if (frame.id == 0) {
    send_window_ += more;
    if (send_window_ > kWindowMax) fail("a window that is too large");
    return;
  }
  const auto found = streams_.find(frame.id);
  if (found == streams_.end()) return fail("a window of a stream that never was");
  found->second.send_window += more;
  if (found->second.send_window > kWindowMax) fail("a window that is too large");
}

void Http2Peer::on_reset(const Frame& frame) {
  if (frame.payload.size() != 4) return fail("a malformed RST_STREAM");
  const auto found = streams_.find(frame.id);
  if (found == streams_.end()) return fail("a reset of a stream that never was");
  Stream& stream = found->second;
  const bool was_reset = stream.was_reset;
  end_there(stream);
  end_here(stream);
  stream.unsent.clear();
  stream.was_reset = true;
  if (!was_reset) user_.on_reset(frame.id, frame.word(0));
}

// ---- Windows of ours ---------------------------------------------------------------------------

void Http2Peer::give_back(std::uint32_t id, Stream& stream) {
  if (stream.holds || stream.is_there_over || stream.unreturned == 0) return;
  // Sometimes late, but never so late that nothing could come.
  if (stream.receive_window > 0 && rng_.chance(0.5)) return;
  put(window(id, static_cast<std::uint32_t>(stream.unreturned)));
  stream.receive_window += static_cast<std::int64_t>(stream.unreturned);
  stream.unreturned = 0;
}

void Http2Peer::give_back_connection() {
  if (unreturned_ == 0) return;
  if (receive_window_ > 20'000 && rng_.chance(0.7)) return;
  put(window(0, static_cast<std::uint32_t>(unreturned_)));
  receive_window_ += static_cast<std::int64_t>(unreturned_);
  unreturned_ = 0;
}

void Http2Peer::hold_window(std::uint32_t id, bool holds) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  found->second.holds = holds;
  give_back(id, found->second);
}

// ---- Writing -----------------------------------------------------------------------------------

void Http2Peer::put(const std::string& bytes) {
  out_ += bytes;
  written_ += bytes.size();
}

std::uint32_t Http2Peer::next_id() {
  const std::uint32_t id = next_id_;
  next_id_ += 2;
  Stream& stream = streams_[id];
  stream.receive_window = is_acknowledged_ ? options_.stream_window : kWindowStart;
  stream.send_window = peer_window_;
  ++open_;
  return id;
}

void Http2Peer::send_head(std::uint32_t id, const Fields& fields, bool ends) {
  Stream& stream = streams_.at(id);
  LEAT_CHECK(!stream.is_here_over);
  std::string rest = block(fields);
  std::uint8_t flags = ends ? kEndStream : 0;
  std::uint8_t type = kHeaders;
  // In one frame, or a few.
  for (int frames = 1; frames < 5 && !rest.empty() && rng_.chance(0.1); ++frames) {
    const auto size = static_cast<std::size_t>(rng_.below(rest.size()));
    put(frame(type, flags, id, rest.substr(0, size)));
    rest.erase(0, size);
    type = kContinuation;
    flags = 0;
  }
  put(frame(type, static_cast<std::uint8_t>(flags | kEndHeaders), id, rest));
  if (ends) end_here(stream);
}

void Http2Peer::send_body(std::uint32_t id, std::string_view bytes, bool ends) {
  Stream& stream = streams_.at(id);
  if (stream.is_here_over) return;
  stream.unsent.append(bytes);
  stream.ends = stream.ends || ends;
  flush();
}

// Every stream in its turn, a frame each. Owners that are told of a frame may send more.
void Http2Peer::flush() {
  if (is_flushing_) return;
  is_flushing_ = true;
  for (bool goes_on = true; goes_on;) {
    goes_on = false;
    auto next = streams_.upper_bound(turn_);
    for (std::size_t i = 0; i < streams_.size() && !goes_on; ++i, ++next) {
      if (next == streams_.end()) next = streams_.begin();
      turn_ = next->first;
      goes_on = send_some(next->first, next->second);
    }
  }
  is_flushing_ = false;
}

bool Http2Peer::send_some(std::uint32_t id, Stream& stream) {
  if (stream.is_here_over) return false;
  const bool only_ends = stream.ends && stream.unsent.empty();
  std::int64_t room = std::min({send_window_, stream.send_window, std::int64_t{kFrameMax}});
  if (!only_ends && (stream.unsent.empty() || room <= 0)) return false;
  std::size_t size =
      std::min(stream.unsent.size(), static_cast<std::size_t>(std::max<std::int64_t>(room, 0)));
  if (size > 1 && rng_.chance(0.3)) size = 1 + static_cast<std::size_t>(rng_.below(size));
  std::string payload = stream.unsent.substr(0, size);
  const bool ends = stream.ends && size == stream.unsent.size();
  std::uint8_t flags = ends ? kEndStream : 0;
  room -= static_cast<std::int64_t>(size);
  if (room > 1 && rng_.chance(0.05)) {
    const auto pad = static_cast<std::size_t>(
        rng_.below(std::min<std::uint64_t>(255, static_cast<std::uint64_t>(room))));
    payload = static_cast<char>(pad) + payload + std::string(pad, '\0');
    flags |= kPadded;
  }
  stream.unsent.erase(0, size);
  stream.body_sent += size;
  stream.send_window -= static_cast<std::int64_t>(payload.size());
  send_window_ -= static_cast<std::int64_t>(payload.size());
  put(frame(kData, flags, id, payload));
  if (ends) end_here(stream);
  user_.on_framed(id, stream.body_sent, ends);
  return true;
}

void Http2Peer::send_reset(std::uint32_t id, std::uint32_t code) {
  Stream& stream = streams_.at(id);
  if (stream.was_reset) return;
  stream.was_reset = true;
  stream.unsent.clear();
  end_here(stream);
  end_there(stream);
  put(reset(id, code));
}

void Http2Peer::send_goaway(std::uint32_t last, std::uint32_t code) {
  put(goaway(last, code));
}

void Http2Peer::send_streams_max(std::uint32_t streams_max) {
  if (!is_acknowledged_ || !is_heard_) return;
  is_heard_ = false;
  streams_max_told_ = streams_max;
  put(settings({{kMaxConcurrentStreams, streams_max}}));
}

// ---- Ends --------------------------------------------------------------------------------------

void Http2Peer::end_there(Stream& stream) {
  if (std::exchange(stream.is_there_over, true)) return;
  if (stream.is_here_over) --open_;
}

void Http2Peer::end_here(Stream& stream) {
  if (std::exchange(stream.is_here_over, true)) return;
  if (stream.is_there_over) --open_;
}

bool Http2Peer::is_open(std::uint32_t id) const {
  const auto found = streams_.find(id);
  return found != streams_.end() && !found->second.is_here_over;
}

bool Http2Peer::is_heard_out(std::uint32_t id) const {
  const auto found = streams_.find(id);
  return found == streams_.end() || found->second.is_there_over;
}

}  // namespace leat::sim
