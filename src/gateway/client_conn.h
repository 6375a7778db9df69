// SPDX-License-Identifier: Apache-2.0
// ClientConn: one client's HTTP/1.1 connection: heads, bodies, keep-alive, pipelining, time limits,
// and the answers that need no provider. A request to a model becomes an Exchange, which answers
// through this connection; meanwhile bytes of further requests are kept and served in turn.
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
#include "gateway/exchange.h"
#include "gateway/passage.h"
#include "gateway/request_teller.h"
#include "gateway/routes.h"
#include "gateway/successor.h"
#include "net/held_stream.h"
#include "net/stream.h"
#include "proto/chunked.h"
#include "proto/http1_request.h"
#include "proto/http1_write.h"
#include "shard/shard.h"

namespace leat::gateway {

class Gateway;

// What an error answer says of trying again; what is not said here is by the kind of error.
struct RetryAdvice {
  std::int64_t retry_after_s = -1;  // what a provider asked for
  dialect::ShouldRetry should_retry = dialect::ShouldRetry::kUnsaid;
};

class ClientConn final : public ListNode<ClientConn>,
                         private net::StreamUser,
                         private Passage::User,
                         private shard::Deferred {
 public:
  // `passed_by`: what its first bytes must show, as it is passed on by another process; null: it
  // is a client's own. Outlives it.
  ClientConn(Gateway& gateway, const io::Address& peer, bool half_close_allowed,
             const PassageToken* passed_by = nullptr);
  ~ClientConn();
  net::StreamUser& stream_user() { return *this; }
  // `is_tls`: the stream's handshake is yet to come.
  void attach(net::Stream& stream, bool is_tls);

  // ---- For the Exchange ----
  // That an answer may have beside Date and x-request-id.
  static constexpr std::size_t kFieldsMax = 12;
  net::Stream& stream() { return *out_; }
  // What is written of the answer from here on is held until it may go out, or is dropped; until
  // then exchange_over() is not to be called.
  void hold_end();
  void pass_on_end();
  void drop_end();
  bool is_http10() const { return http10_; }
  // Whether the connection may serve another request after this answer.
  bool keeps_alive() const;
  // Writes a whole answer with its head.
  void answer(int status, std::string_view content_type, std::string_view body,
              std::span<const proto::Field> fields);
  void answer_error(dialect::ErrorKind kind, const dialect::ErrorDetail& detail,
                    const RetryAdvice& advice);
  // Writes the head of a stream of events, which Relay frames.
  void begin_stream(const char* generation_id, std::span<const proto::Field> more);
  // An answer whose length is not known: head, pieces, end. REQUIRES: the client speaks HTTP/1.1.
  void begin_body(std::string_view content_type, const char* generation_id,
                  std::span<const proto::Field> more);
  void write_body(std::string_view bytes);
  void end_body();
  // The exchange's answer is written to its end; `clean` false: it broke off, so close.
  void exchange_over(bool clean);
  const io::Address& peer() const { return peer_; }
  // Of the request being served; bytes are counted up to now.
  const RequestStory& story();
  dialect::Face face() const { return route_.face; }

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
  enum class State : std::uint8_t { kPreamble, kHead, kBody, kBusy, kDiscard, kPassing, kClosed };

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

  bool stays_open() const;
  void read_preamble(std::string_view& in);
  void wait_for_successor(std::string_view in);

  std::size_t begin_fields(const char* generation_id, std::span<const proto::Field> more,
                           std::span<proto::Field> all);
  void consume(std::string_view in);
  void read_head(std::string_view& in, BlockRef& hold);
  void begin_request();
  void take_head(const proto::RequestHead& head);
  void serve_listing(const proto::RequestHead& head);
  void ask_account(const proto::RequestHead& head);
  void answer_account(const AccountReply& reply);
  void start_inference(const proto::RequestHead& head);
  RequestKey authenticate(const proto::RequestHead& head);
  void read_body(std::string_view& in);
  void read_chunked_body(std::string_view& in);
  bool body_grew(bool whole);
  void receive_rest_in_place();
  void discard(std::string_view& in);
  void refuse_head(proto::HttpFault fault);
  void refuse(dialect::ErrorKind kind, const dialect::ErrorDetail& detail, const char* reason,
              const RetryAdvice& advice = {});
  void count_answer(int status);
  void tell_answered();
  void after_answer();
  void keep_for_later(std::string_view bytes);
  void next_request();
  void close_after_answer();
  void end_half_request();
  void close_now();
  void set_timer(std::uint32_t ms);
  void on_timer();
  void check_body_pace();
  std::uint64_t body_left() const;

  Gateway& gateway_;
  net::Stream* stream_ = nullptr;
  net::Stream* out_ = nullptr;  // where answers are written: stream_, or what holds them back
  std::unique_ptr<net::HeldStream> held_;
  std::uint8_t held_class_ = 0;  // of the answer that begins in held_, counted if it goes out
  Exchange* exchange_ = nullptr;
  std::uint64_t account_ticket_ = 0;  // of what control was asked; 0: no answer is awaited
  BlockRef kept_;  // bytes of a head that is not whole, or of requests that wait their turn
  std::unique_ptr<Passage> passage_;
  const PassageToken* passed_by_;
  std::size_t kept_requests_ = 0;  // whose heads are whole in kept_, while it waits
  proto::RequestParser parser_;
  proto::ChunkedDecoder chunked_;
  std::uint64_t length_left_ = 0;  // of a body with a Content-Length
  std::uint64_t received_ = 0;     // of the body
  Instant body_started_{};
  Instant body_progress_{};
  io::Address peer_;
  Timer timer_{timer_callback<&ClientConn::on_timer>, this};
  Route route_;
  State state_ = State::kHead;
  bool http10_ = false;
  bool is_head_ = false;  // its answer is a head only
  bool wants_keep_alive_ = false;
  bool awaits_continue_ = false;  // the body may never come
  bool is_chunked_ = false;
  bool half_close_allowed_;
  bool half_closed_ = false;
  bool paused_ = false;  // the stash is full: the client is not read
  bool draining_ = false;
  bool is_tls_ = false;
  bool is_shed_ = false;          // the request was refused for want of time or memory
  bool said_keep_alive_ = false;  // the last answer's head
  bool shown_good_key_ = false;
  char request_id_[36] = {};
  RequestStory story_;
};

}  // namespace leat::gateway
