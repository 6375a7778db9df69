// SPDX-License-Identifier: Apache-2.0
// Http2Session: our side of one HTTP/2 connection to a provider (RFC 9113) as bytes in, frames out.
// No sockets and no timers: what the provider sent goes in through feed(), what is to be sent goes
// into a Stream by write_to(), and each Http2Stream hears of its own reply. The library that does
// the framing is nowhere seen outside.
//
// The provider is not trusted: whatever it sends, a stream or the whole session ends with an Error,
// and no more than the limits is held. Belongs to one shard.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/block.h"
#include "base/instant.h"
#include "base/intrusive_list.h"
#include "base/result.h"
#include "net/stream.h"
#include "net/upstream_call.h"
#include "proto/http1_response.h"

struct nghttp2_session;

namespace leat::net {

class Http2Session;
struct OpenTag;
struct TouchedTag;

struct Http2Limits {
  std::uint32_t head_bytes_max = 64 * 1024;  // names, values and 32 bytes a field (RFC 9113 6.5.2)
  std::uint32_t informational_max = 8;       // 1xx heads before the final one
  // Of what the provider may have on its way to us unread (engine.md 6.2): a stream begins with the
  // former, which is the protocol's own, and has more as long as its bytes are taken fast.
  std::uint32_t stream_window_bytes = 65'535;
  std::uint32_t stream_window_bytes_max = 1 << 20;
  std::uint32_t connection_window_bytes = 16 << 20;
  // SETTINGS, PING, empty DATA and other frames that bring nothing, in kControlTime. A busy and
  // friendly provider pings a few times a second.
  std::uint32_t control_frames_max = 500;
  std::uint32_t streams_before_settings = 100;  // until the provider says how many it takes
};

// A body that waits for the peer's windows.
class WaitingBody {
 public:
  // Keeps the pieces: a reference to the block, copies of the small ones. Bytes copied out of it.
  std::size_t assign(const RequestBody& body);
  void clear();
  std::size_t size() const { return size_; }
  // Moves the next `size` bytes to `out`. REQUIRES: there are so many.
  void write(std::size_t size, Stream& out);
  const BlockRef& block() const { return block_; }

 private:
  BlockRef block_;
  BlockRef copies_;
  std::vector<std::string_view> pieces_;  // of those two blocks
  std::size_t next_ = 0;
  std::size_t size_ = 0;  // of what is left
};

// One stream, seen by whose it is. After on_stream_end() and on_stream_failed() the session has
// forgotten it. Session::cancel() and the like are allowed inside any call.
class Http2Stream : public ListNode<OpenTag>, public ListNode<TouchedTag> {
 public:
  bool is_open() const { return id_ != 0; }

 protected:
  ~Http2Stream() = default;

 private:
  friend class Http2Session;
  friend struct Http2Events;

  // As ReplyHandler's.
  virtual void on_stream_head(const proto::ResponseHead& head) = 0;
  virtual void on_stream_body(std::string_view bytes) = 0;
  virtual void on_stream_pause() = 0;
  virtual void on_stream_end() = 0;
  virtual void on_stream_failed(const Error& why) = 0;
  // on_stream_body() is near: as ReplyHandler::foresee().
  virtual bool on_stream_foreseen(int depth) const {
    (void)depth;
    return false;
  }

  std::int32_t id_ = 0;  // 0: the session does not know it
  std::uint32_t informational_ = 0;
  std::uint32_t window_ = 0;
  std::size_t taken_ = 0;  // of a window's bytes, since then
  Instant taken_since_{};
  std::size_t withheld_ = 0;  // bytes that came while paused: not given back to the window
  WaitingBody body_;
  const char* fault_ = nullptr;  // what we ended it for
  bool is_paused_ = false;
  bool is_sent_ = false;  // its head went out
  bool has_head_ = false;
  bool was_reset_ = false;  // by the provider
};

class Http2Session {
 public:
  static constexpr Duration kControlTime = seconds(10);

  // `scratch` is used during calls only. `scheme`: http or https. Both outlive it.
  Http2Session(const Http2Limits& limits, proto::ResponseHead& scratch, std::string_view scheme);
  // REQUIRES: no stream is open.
  ~Http2Session();
  Http2Session(const Http2Session&) = delete;
  Http2Session& operator=(const Http2Session&) = delete;

  // Opens the stream with a request. As UpstreamCall::send(); the block is kept by us.
  Result<std::size_t> send(Http2Stream& stream, const proto::RequestOptions& head,
                           const RequestBody& body);
  // Resets the stream, if it is open, and forgets it.
  void cancel(Http2Stream& stream);
  void pause(Http2Stream& stream);
  void resume(Http2Stream& stream);

  // Takes all of the provider's bytes. An error ends the session: write_to() once more, for the
  // provider to hear of it, then fail_streams().
  Result<void> feed(std::span<const char> bytes, Instant now);
  // feed() is near: asks for the memory of the streams that the first frames of `bytes` seem to be
  // for, as io::SocketHandler::foresee().
  bool foresee(int depth, std::span<const char> bytes) const;
  // Frames that wait, as far as `out` and the peer's windows have room. Errors as feed()'s.
  // Blocks that were written are kept for two calls of release_written(), which is to be called at
  // the end of each turn: what one turn writes leaves with the next.
  Result<void> write_to(Stream& out);
  void release_written();
  bool holds_written() const { return !written_.empty() || !leaving_.empty(); }
  bool wants_write() const;
  // Tells every open stream.
  void fail_streams(const Error& why);
  // Whoever is in feed() or write_to() returns without another call to anybody.
  void stop() { is_stopped_ = true; }
  // Inside feed() or write_to(), neither of which may be called then.
  bool is_busy() const { return is_busy_; }

  void ping();
  // Says that we go. REQUIRES: no stream is open.
  void say_goodbye();

  // More than this the provider does not take at a time.
  std::uint32_t streams_max() const;
  // Whether a new stream may be opened at all: not after GOAWAY, nor with all numbers used up.
  bool takes_streams() const;
  std::size_t open_streams() const { return open_count_; }

 private:
  friend struct Http2Events;

  Http2Stream* find(std::int32_t id) const;
  bool foresee(int depth, std::int32_t id) const;
  std::size_t foresee_some(std::span<const char> bytes) const;
  void forget(Http2Stream& stream);
  void fail(Http2Stream& stream, const Error& why);
  void reset_with(Http2Stream& stream, Code code, const char* what);
  void take_head(Http2Stream& stream);
  void end(Http2Stream& stream);
  void give_back_stream(Http2Stream& stream, std::size_t size);
  void widen(Http2Stream& stream, std::size_t size);
  void give_back_connection(std::size_t size);
  bool count_control_frame();
  void break_off(Code code, const char* what);
  int verdict() const;
  bool has_room() const;

  const Http2Limits limits_;
  proto::ResponseHead& scratch_;
  const std::string_view scheme_;
  nghttp2_session* session_;
  IntrusiveList<Http2Stream, OpenTag> open_;
  IntrusiveList<Http2Stream, TouchedTag> touched_;  // by the bytes that are being fed
  std::size_t open_count_ = 0;
  // The head that is being received; there is only one at a time.
  struct FieldSizes {
    std::uint32_t name;
    std::uint32_t value;
  };
  std::string head_text_;
  std::vector<FieldSizes> head_fields_;
  std::size_t head_bytes_ = 0;
  int head_status_ = 0;
  Instant now_{};
  Instant control_since_{};
  std::uint32_t control_frames_ = 0;
  std::uint64_t late_frames_ = 0;  // heads and resets that streams which we forgot may still bring
  Stream* out_ = nullptr;          // during write_to()
  std::size_t written_bytes_ = 0;  // by it
  std::vector<BlockRef> written_;  // in this turn
  std::vector<BlockRef> leaving_;  // in the one before
  std::optional<Error> over_;
  bool is_stopped_ = false;
  bool is_busy_ = false;
};

}  // namespace leat::net
