// SPDX-License-Identifier: Apache-2.0
// Http2ClientConn: one client's HTTP/2 connection; Http2Client: one request on it, which is the
// Client of its exchange. What all of them write in a turn leaves in one send, when it is over.
//
//   open --drain()--> leaving: GOAWAY that refuses nothing yet --kNoticeTime--> said: GOAWAY that
//   does
//        --idle, or memory is short--> said --no stream is open--> closed
//
// A fault of a stream resets it; what ends the connection (its end, a breach of the protocol, a
// flood) ends all of its requests at once, as a closed connection of HTTP/1.1 ends its one.
//
// Both belong to their shard's Gateway. A peer's bytes never trip a CHECK here.
#pragma once

#include "gateway/client.h"
#include "net/http2_server_session.h"
#include "shard/shard.h"

namespace leat::gateway {

class Http2ClientConn;

class Http2Client final : private Client, private net::StreamUser, private shard::Deferred {
 public:
  Http2Client(Gateway& gateway, Http2ClientConn& conn, net::Http2ServerStream& stream);
  ~Http2Client();
  // The stream's head is read, or cannot be.
  void begin(const proto::HeadStatus& status, const proto::RequestHead& head);

 private:
  // Client
  ClientFraming framing() const override { return ClientFraming::kFrames; }
  void hold_end() override;
  void write_body(std::string_view bytes) override { out_->write(bytes); }
  void end_body() override {}
  void exchange_over(bool clean) override;
  void write_head(const AnswerHead& answer) override;
  void release_held(bool goes_out) override;
  void write_continue() override;
  void spoil() override {}
  void after_answer() override { close_after_answer(); }
  void close_after_answer() override;
  void showed_good_key() override;
  void on_timer() override;
  // net::StreamUser
  void on_open() override {}
  void on_bytes(std::span<char> bytes) override;
  void on_block_bytes(std::size_t) override {}
  void on_end(const Error& why) override;
  void on_drained() override;
  // shard
  void run_deferred() override;

  void end_body_in_order();
  void close_now();
  void over();

  Http2ClientConn& conn_;
  net::Http2ServerStream& http2_;
};

class Http2ClientConn final : public ListNode<Http2ClientConn>,
                              private net::StreamUser,
                              private net::Http2ServerSession::User,
                              private shard::Deferred {
 public:
  // What a client that speaks HTTP/2 begins with (RFC 9113 3.4).
  static constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  // Between the two steps of saying goodbye: a round trip, and more.
  static constexpr Duration kNoticeTime = seconds(1);

  // Takes the stream over from a ClientConn, with its place in the table of addresses.
  Http2ClientConn(Gateway& gateway, net::Stream& stream, const io::Address& peer, bool is_tls);
  ~Http2ClientConn();
  // Its first bytes; none: they are still to come.
  void begin(std::span<char> bytes);

  // No request is taken after those that are on their way; ends when the running ones have.
  void drain();
  // The gateway yields: no further request is taken, even of those; the client asks again
  // elsewhere.
  void yield();
  // Ends now, whatever runs.
  void cut();

 private:
  friend class Http2Client;

  // net::StreamUser
  void on_open() override {}
  void on_bytes(std::span<char> bytes) override;
  void on_block_bytes(std::size_t) override {}
  void on_end(const Error& why) override;
  void on_drained() override;
  // net::Http2ServerSession::User
  void on_request(net::Http2ServerStream& stream, const proto::HeadStatus& status,
                  const proto::RequestHead& head) override;
  void on_wants_turn() override;
  void on_may_wait(Duration most) override;
  // shard
  void run_deferred() override;

  // An answer is written to its end.
  void answered(bool is_shed);
  void client_over();
  void showed_good_key();
  void write_out();
  void end_hold();
  void mind_idle();
  void say_goodbye();
  void fail_with(const Error& why);
  void close(const Error& why, bool in_order);
  void on_timer();
  void on_stall_timer();
  void watch_stalls();
  bool is_stuck(Instant now);

  Gateway& gateway_;
  net::Stream* stream_;
  net::Http2ServerSession session_;
  io::Address peer_;
  std::size_t clients_ = 0;
  bool is_tls_;
  bool is_closed_ = false;
  bool is_idle_ = false;     // its time runs
  bool is_leaving_ = false;  // the first GOAWAY is out
  bool has_said_ = false;    // so is the second
  bool shown_good_key_ = false;
  Timer timer_{timer_callback<&Http2ClientConn::on_timer>, this};  // idle, or leaving
  std::size_t backlog_seen_ = 0;    // by the stall timer, the last time
  Instant backlog_moved_ = kNever;  // when it had grown too large, or has last shrunk since
  Instant held_since_ = kNever;     // with the next: the first of what waits for more to leave with
  Timer hold_timer_{timer_callback<&Http2ClientConn::on_wants_turn>, this};
  Timer stall_timer_{timer_callback<&Http2ClientConn::on_stall_timer>, this};
};

}  // namespace leat::gateway
