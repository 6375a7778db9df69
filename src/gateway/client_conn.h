// SPDX-License-Identifier: Apache-2.0
// ClientConn: one client's HTTP/1.1 connection: heads, bodies, keep-alive, pipelining and time
// limits. It is the Client of one request at a time; meanwhile bytes of further requests are kept
// and served in turn. One that turns out to speak HTTP/2, by its first bytes or by ALPN, is handed
// on (Http2ClientConn).
//
//      +------------------------------------------------------------+
//      v                                                            |
//   kHead --ask---> kBody --whole--> kBusy --answered-- keep-alive --+
//      |               '--refused--> kDiscard --(rest of the body)--+
//      '--malformed--> answer, finish()      any end, any limit --> close
//
// Where another process takes over, who sends a further request is passed on to it (kPassing); what
// comes from a process before us begins with its preamble (kPreamble).
//
// Belongs to its shard's Gateway. A peer's bytes never trip a CHECK here.
#pragma once

#include "base/block.h"
#include "gateway/client.h"
#include "gateway/passage.h"
#include "gateway/successor.h"
#include "net/held_stream.h"
#include "net/stream.h"
#include "proto/chunked.h"
#include "proto/http1_request.h"
#include "proto/http1_write.h"
#include "shard/shard.h"

namespace leat::gateway {

class ClientConn final : public ListNode<ClientConn>,
                         private Client,
                         private net::StreamUser,
                         private Passage::User,
                         private shard::Deferred {
 public:
  struct Manners {
    bool half_close_allowed = false;
    bool knows_http2 = false;  // by its preface
    // What its first bytes must show, as it is passed on by another process; null: it is a client's
    // own. Outlives it.
    const PassageToken* passed_by = nullptr;
  };
  ClientConn(Gateway& gateway, const io::Address& peer, const Manners& manners);
  ~ClientConn();
  net::StreamUser& stream_user() { return *this; }
  // `is_tls`: the stream's handshake is yet to come.
  void attach(net::Stream& stream, bool is_tls);

  // No further request is taken; ends when the running one has.
  void drain();
  // The gateway yields: answers say that the connection ends. With a successor, what is kept of a
  // request is passed on; resume() takes the first back.
  void yield();
  void resume();
  void pass_on_kept();
  // Ends now, whatever runs.
  void cut() { close_now(); }

 private:
  // Client
  ClientFraming framing() const override;
  void hold_end() override;
  void write_body(std::string_view bytes) override;
  void end_body() override;
  void exchange_over(bool clean) override;
  void write_head(const AnswerHead& answer) override;
  void release_held(bool goes_out) override;
  void write_continue() override;
  void spoil() override { wants_keep_alive_ = false; }
  void after_answer() override;
  void close_after_answer() override;
  void showed_good_key() override;
  void on_timer() override;
  // net::StreamUser
  void on_open() override;
  void on_bytes(std::span<char> bytes) override;
  void on_block_bytes(std::size_t count) override;
  void on_end(const Error& why) override;
  void on_drained() override;
  // Passage::User
  void on_passage_over(Passage::End end) override;
  // shard
  void run_deferred() override;

  // Whether the connection may serve another request after this answer.
  bool keeps_alive() const;
  bool stays_open() const;
  void read_preamble(std::string_view& in);
  void wait_for_successor(std::string_view in);

  bool is_preface(std::string_view in);
  void go_on_in_http2(std::span<char> bytes);
  void consume(std::string_view in);
  void read_head(std::string_view& in, BlockRef& hold);
  void begin();
  void take_head(const proto::RequestHead& head);
  void read_body(std::string_view& in);
  void read_chunked_body(std::string_view& in);
  void receive_rest_in_place();
  void discard(std::string_view& in);
  void keep_for_later(std::string_view bytes);
  void wait_for_room(std::string_view in);
  void look_for_room();
  bool is_answer_unread() const;
  void next_request();
  void end_half_request();
  void close_now();
  void set_timer(std::uint32_t ms);
  std::uint64_t body_left() const;

  std::unique_ptr<net::HeldStream> held_;
  BlockRef kept_;  // bytes of a head that is not whole, or of requests that wait their turn
  std::unique_ptr<Passage> passage_;
  const PassageToken* passed_by_;
  std::size_t kept_requests_ = 0;  // whose heads are whole in kept_, while it waits
  std::size_t unsent_seen_ = 0;    // the last time that room was looked for
  proto::RequestParser parser_;
  proto::ChunkedDecoder chunked_;
  bool http10_ = false;
  bool wants_keep_alive_ = false;
  bool half_close_allowed_;
  bool may_be_http2_;      // its first bytes will tell
  bool is_http2_ = false;  // it is not ours any more
  bool half_closed_ = false;
  bool paused_ = false;       // the stash is full: the client is not read
  bool awaits_room_ = false;  // answers are unread: no request is read, either
  bool draining_ = false;
  bool said_keep_alive_ = false;  // the last answer's head
  bool shown_good_key_ = false;
};

}  // namespace leat::gateway
