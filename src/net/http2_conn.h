// SPDX-License-Identifier: Apache-2.0
// Http2Conn: one HTTP/2 connection to a provider, shared by many calls; Http2Call: one of them.
// Both are made, kept and freed by an UpstreamPool.
//
// A call that fails or is cancelled costs its own stream and nothing else. What ends the connection
// (its end, a breach of the protocol, silence after a PING) fails all of its calls at once. After
// GOAWAY it takes no new ones and is closed with its last.
#pragma once

#include "base/pool.h"
#include "net/http2_session.h"
#include "net/stream.h"
#include "net/upstream_call.h"
#include "shard/shard.h"

namespace leat::net {

class Http2Conn;
class UpstreamPool;
struct CallTag;

class Http2Call final : public UpstreamCall, public Http2Stream, public ListNode<CallTag> {
 public:
  void begin(ReplyHandler& handler) override;
  Result<std::size_t> send(const proto::RequestOptions& head, const RequestBody& body) override;
  void pause_reply() override;
  void resume_reply() override;
  bool hold_reply(Duration) override { return false; }
  void cancel() override;
  bool is_reused() const override { return is_reused_; }

 private:
  friend class Http2Conn;
  template <class T, std::size_t>
  friend class leat::Pool;

  Http2Call(Http2Conn& conn, bool is_reused) : conn_(&conn), is_reused_(is_reused) {}
  ~Http2Call() = default;

  void on_stream_head(const proto::ResponseHead& head) override;
  void on_stream_body(std::string_view bytes) override;
  void on_stream_pause() override;
  void on_stream_end() override;
  void on_stream_failed(const Error& why) override;
  bool on_stream_foreseen(int depth) const override;

  Http2Conn* conn_;  // null: over
  ReplyHandler* handler_ = nullptr;
  Instant sent_{};
  bool is_reused_;
  bool reply_started_ = false;
};

// What its calls want to say in a turn is written when the turn is over, and leaves as one send.
class Http2Conn final : public ListNode<Http2Conn>, private StreamUser, private shard::Deferred {
 public:
  // A provider with requests of ours that is silent for so long is asked whether it is there, and
  // has so long to answer.
  static constexpr Duration kSilenceMax = seconds(15);
  static constexpr Duration kPingTime = seconds(5);

  std::size_t in_flight() const { return in_flight_; }
  // Whether one more call may be given out.
  bool has_room() const;
  bool is_dead() const { return is_dead_; }
  // Calls so far.
  std::uint64_t exchanges() const { return exchanges_; }

 private:
  friend class Http2Call;
  friend class UpstreamPool;
  template <class T, std::size_t>
  friend class leat::Pool;

  Http2Conn(UpstreamPool& pool, Stream& stream);
  ~Http2Conn();

  void on_open() override {}
  void on_bytes(std::span<char> bytes) override;
  bool foresee(int depth, std::span<const char> bytes) const override;
  void on_block_bytes(std::size_t) override {}
  void on_end(const Error& why) override;
  void on_drained() override;
  void run_deferred() override;

  // REQUIRES: has_room().
  Http2Call* new_call();
  void call_over(Http2Call& call);
  // There is something to write.
  void want_turn();
  void write_out();
  void ask_for_life();
  // The pool's: no more of it. With `in_order`, what was written leaves first.
  void die(bool in_order);
  void fail_with(const Error& why, bool in_order);
  void say_goodbye();
  void on_timer();

  UpstreamPool& pool_;
  Stream* stream_;
  Http2Session session_;
  IntrusiveList<Http2Call, CallTag> calls_;
  std::size_t in_flight_ = 0;
  std::uint64_t exchanges_ = 0;
  Instant last_heard_{};
  bool is_dead_ = false;
  bool is_giving_ = false;  // streams to those who wait
  bool is_idle_ = false;    // counted so by the pool
  bool is_asked_ = false;   // a PING is out, and nothing was heard since
  Timer timer_{timer_callback<&Http2Conn::on_timer>, this};  // idle, or silent
};

}  // namespace leat::net
