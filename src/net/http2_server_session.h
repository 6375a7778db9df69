// SPDX-License-Identifier: Apache-2.0
// Http2ServerSession: our side of one HTTP/2 connection of a client (RFC 9113) as bytes in, frames
// out; Http2ServerStream: one request on it, as a Stream: what comes of its body are on_bytes(),
// its end is on_end(Code::kClosed), what is written is its answer. No sockets and no timers. The
// library that does the framing is nowhere seen outside.
//
// The client is not trusted: it holds no more of us than the limits say, and who floods us with
// frames that bring nothing is told to calm down and goes (threats-and-faults.md 3.3). A head is
// read by the parser of HTTP/1.1, put into its words, so that both protocols refuse the same.
// Belongs to one shard.
#pragma once

#include <array>
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
#include "proto/http1_request.h"

struct nghttp2_session;

namespace leat::net {

class Http2ServerSession;
struct ServerOpenTag;
struct ServerDrainedTag;

struct Http2ServerLimits {
  proto::HeadLimits head;           // as a head of HTTP/1.1 would be
  std::uint32_t streams_max = 100;  // at a time; more are refused
  // Of a body on its way to us. All of them together are bound by the connection's.
  std::uint32_t stream_window_bytes = 256 * 1024;
  std::uint32_t connection_window_bytes = 1 << 20;
  std::uint32_t continuations_max = 8;  // frames that a head may have beyond its first
  // In kWatchTime: streams that the client resets or makes us reset; frames that bring nothing
  // (SETTINGS, PING, PRIORITY, empty DATA, WINDOW_UPDATE beyond what our DATA asks for).
  std::uint32_t resets_max = 100;
  std::uint32_t control_frames_max = 50;
};

class Http2ServerStream final : public Stream,
                                public ListNode<ServerOpenTag>,
                                private ListNode<ServerDrainedTag> {
 public:
  // The answer's head, once, before any byte of its body; the fields' names are those of HTTP/1.1
  // without what speaks of the connection. Goes out with what is written.
  void write_head(int status, std::span<const proto::Field> fields);
  // 100: the body may come.
  void write_continue();
  // What is written from here on (a head too) stays until release_held(), which lets it out or
  // drops it. REQUIRES: neither finish() nor break_off() meanwhile.
  void hold();
  void release_held(bool goes_out);
  // As finish(), but the client is told that the answer is not whole.
  void break_off();

  char* prepare(std::size_t size) override;
  void commit(std::size_t size) override;
  void write_block(Block& block, std::size_t offset, std::size_t size) override {
    write({block.data() + offset, size});
  }
  // Bodies are taken as they come, in windows that bound them.
  void pause() override {}
  void resume() override {}
  bool can_receive_into_block() const override { return false; }
  void receive_block(BlockRef, std::size_t, std::size_t) override {}
  void hold_sends(Duration most) override;
  // What the client's windows, or its connection, have no room for.
  std::size_t backlog_bytes() const override { return written_ ? written_->size - taken_ : 0; }
  std::uint64_t bytes_written() const override { return bytes_written_; }
  void finish() override;
  void abort() override;

 private:
  friend class Http2ServerSession;
  friend struct Http2ServerEvents;
  template <class T, class U>
  friend class leat::IntrusiveList;

  static constexpr std::size_t kNotHeld = SIZE_MAX;

  // A head that is held.
  struct KeptHead {
    int status = 0;
    std::vector<std::pair<std::string, std::string>> fields;
  };

  explicit Http2ServerStream(Http2ServerSession& session, std::int32_t id)
      : session_(session), id_(id) {}
  ~Http2ServerStream() = default;

  // That may go out now.
  std::size_t ready_bytes() const;
  void want_turn();
  void leave();
  void submit_head(int status, std::span<const proto::Field> fields);

  Http2ServerSession& session_;
  std::int32_t id_;
  BlockRef written_;                // of the answer's body; null: nothing waits
  std::size_t taken_ = 0;           // of it, into frames
  std::size_t held_at_ = kNotHeld;  // what is held stands from there on
  std::unique_ptr<KeptHead> kept_head_;
  std::uint64_t bytes_written_ = 0;
  Duration hold_{};           // for how long what is written may wait; zero: not at all
  Instant moved_{};           // when something of it last went out
  bool has_head_ = false;     // submitted
  bool is_deferred_ = false;  // the library waits to be told of bytes
  bool has_ended_ = false;    // no more is written
  bool is_broken_ = false;    // ... and it is not whole
  bool is_closed_ = false;    // for the library
  bool is_unread_ = false;    // the answer is out, the request is not whole
  bool was_blocked_ = false;  // kBacklogTold or more waited, and some of it does
};

class Http2ServerSession {
 public:
  static constexpr Duration kWatchTime = seconds(10);

  class User {
   public:
    // A request's head is read, or cannot be (its fault is to be answered, and nothing more comes).
    // The stream is the user's: it gets set_user() in this call and ends by finish(), break_off()
    // or abort(). `head` holds during the call; its body, if it has one, is announced as one of
    // known length or as a chunked one.
    virtual void on_request(Http2ServerStream& stream, const proto::HeadStatus& status,
                            const proto::RequestHead& head) = 0;
    // There is something to write, or to free: write_to() is to be called before the turn ends.
    virtual void on_wants_turn() = 0;
    // There is something to write that may wait so long for more (Stream::hold_sends). It goes with
    // any write_to() before.
    virtual void on_may_wait(Duration most) = 0;

   protected:
    ~User() = default;
  };

  // `scratch` is used during calls only; both outlive it.
  Http2ServerSession(const Http2ServerLimits& limits, User& user, proto::RequestHead& scratch);
  // REQUIRES: fail_streams() was called, or no stream is open.
  ~Http2ServerSession();
  Http2ServerSession(const Http2ServerSession&) = delete;
  Http2ServerSession& operator=(const Http2ServerSession&) = delete;

  // Takes all of the client's bytes, its preface first. An error ends the session: write_to() once
  // more, for the client to hear of it, then fail_streams().
  Result<void> feed(std::span<const char> bytes, Instant now);
  // Frames that wait, as far as `out` and the client's windows have room. Errors as feed()'s.
  Result<void> write_to(Stream& out, Instant now);
  bool wants_write() const;
  // Nothing more will be read or written: both sides have said goodbye and no stream is open.
  bool is_over() const;
  // The error was a flood of frames.
  bool is_flood() const { return is_flood_; }
  // Tells every open stream's user, by on_end().
  void fail_streams(const Error& why);
  // Resets streams whose answer is written: those of which the client took nothing since `since`,
  // and those that have all of it since `unread_since` while their request still comes. How many
  // of both kinds are left.
  std::size_t drop_stalled(Instant since, Instant unread_since);

  // Says that no more requests should come; those on their way are still served.
  void announce_end();
  // Says that none is served any more; those that are open end by themselves.
  void say_goodbye();
  // New requests are refused, for the client to ask again elsewhere.
  void refuse_requests() { refuses_ = true; }
  std::size_t open_streams() const { return open_count_; }

 private:
  friend class Http2ServerStream;
  friend struct Http2ServerEvents;

  static constexpr std::size_t kLateKept = 128;
  static constexpr std::size_t kPrefaceBytes = 24;

  Http2ServerStream* find(std::int32_t id) const;
  void take_request(std::int32_t id, bool ends);
  bool compose_head();
  void close(Http2ServerStream& stream, const Error& why);
  void bury(Http2ServerStream& stream);
  void reset(std::int32_t id, std::uint32_t code);
  void note_late(std::int32_t id);
  bool may_be_late(std::int32_t id) const;
  void watch_frame();
  void give(std::string_view bytes);
  void start_watch();
  void earn(std::uint32_t frames);
  void count_control();
  void count_reset();
  void break_off(std::uint32_t code, const char* what, bool is_flood);
  int verdict() const;
  bool has_room() const;

  const Http2ServerLimits limits_;
  User& user_;
  proto::RequestHead& scratch_;
  proto::RequestParser parser_;
  nghttp2_session* session_;
  IntrusiveList<Http2ServerStream, ServerOpenTag> open_;
  IntrusiveList<Http2ServerStream, ServerOpenTag> gone_;  // to be freed
  IntrusiveList<Http2ServerStream, ServerDrainedTag> drained_;
  std::size_t open_count_ = 0;
  // The head that is being received; there is only one at a time.
  struct Incoming {
    std::string method;
    std::string target;
    std::string authority;
    std::string fields;  // as lines of HTTP/1.1
    std::size_t bytes = 0;
    std::size_t count = 0;
    std::uint32_t continuations = 0;
    bool is_too_large = false;
    bool has_host = false;
    bool hosts_differ = false;
    bool is_request = false;
  };
  Incoming incoming_;
  std::string head_text_;
  // Of the frame that is being received.
  std::array<std::uint8_t, 9> frame_head_{};
  std::size_t frame_head_size_ = 0;
  std::size_t frame_left_ = kPrefaceBytes;  // of its payload; at first, of the preface
  std::int32_t last_id_ = 0;                // of the requests
  // Streams that we reset: what the client had sent by then still comes.
  std::array<std::int32_t, kLateKept> late_{};
  std::uint64_t late_count_ = 0;
  Instant now_{};
  Instant watched_since_{};
  std::uint32_t control_frames_ = 0;
  std::uint32_t control_credit_ = 0;
  std::uint32_t resets_ = 0;
  Stream* out_ = nullptr;          // during write_to()
  std::size_t written_bytes_ = 0;  // by it
  std::optional<Error> over_;
  bool is_flood_ = false;
  bool refuses_ = false;
};

}  // namespace leat::net
