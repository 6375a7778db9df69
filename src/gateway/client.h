// SPDX-License-Identifier: Apache-2.0
// Client: who asks, whatever protocol it speaks: what is the same for a request of HTTP/1.1
// (ClientConn) and for one of HTTP/2 (Http2Client): routes, keys, limits, bodies, refusals, and the
// answers that need no provider. A request to a model becomes an Exchange, which answers through
// the Client. How heads and bodies are spelled on the wire is the derived class's.
//
// Belongs to its shard's Gateway. A peer's bytes never trip a CHECK here.
#pragma once

#include "base/block.h"
#include "gateway/exchange.h"
#include "gateway/request_teller.h"
#include "gateway/routes.h"
#include "net/stream.h"
#include "proto/http1_request.h"
#include "shard/shard.h"

namespace leat::gateway {

class Gateway;

// What an error answer says of trying again; what is not said here is by the kind of error.
struct RetryAdvice {
  std::int64_t retry_after_s = -1;  // what a provider asked for
  dialect::ShouldRetry should_retry = dialect::ShouldRetry::kUnsaid;
};

class Client {
 public:
  // ---- For the Exchange ----
  // That an answer may have beside Date and x-request-id.
  static constexpr std::size_t kFieldsMax = 12;
  // Where bytes of a begun answer are written, framed as framing() says.
  net::Stream& stream() { return *out_; }
  virtual ClientFraming framing() const = 0;
  // What is written of the answer from here on is held until it may go out, or is dropped; until
  // then exchange_over() is not to be called.
  virtual void hold_end() = 0;
  void pass_on_end();
  void drop_end();
  // Writes a whole answer with its head.
  void answer(int status, std::string_view content_type, std::string_view body,
              std::span<const proto::Field> fields);
  void answer_error(dialect::ErrorKind kind, const dialect::ErrorDetail& detail,
                    const RetryAdvice& advice);
  // Writes the head of a stream of events, which Relay frames.
  void begin_stream(const char* generation_id, std::span<const proto::Field> more);
  // An answer whose length is not known: head, pieces, end. REQUIRES: framing() can tell its end.
  void begin_body(std::string_view content_type, const char* generation_id,
                  std::span<const proto::Field> more);
  virtual void write_body(std::string_view bytes) = 0;
  virtual void end_body() = 0;
  // The exchange's answer is written to its end; `clean` false: it broke off, and so does what
  // carries it.
  virtual void exchange_over(bool clean) = 0;
  const io::Address& peer() const { return peer_; }
  // Of the request being served; bytes are counted up to now.
  const RequestStory& story();
  dialect::Face face() const { return route_.face; }

 protected:
  enum class State : std::uint8_t { kPreamble, kHead, kBody, kBusy, kDiscard, kPassing, kClosed };
  enum class AnswerForm : std::uint8_t { kWhole, kEvents, kPieces };
  struct AnswerHead {
    AnswerForm form = AnswerForm::kWhole;
    int status = 200;
    std::uint64_t length = 0;       // of a whole one
    std::string_view content_type;  // but for events
    std::span<const proto::Field> fields;
  };

  Client(Gateway& gateway, const io::Address& peer) : gateway_(gateway), peer_(peer) {}
  ~Client() = default;

  // How it is done on the wire.
  virtual void write_head(const AnswerHead& head) = 0;
  virtual void release_held(bool goes_out) = 0;
  virtual void write_continue() = 0;
  // The answer being given is the last one here: where the next request begins will not be known.
  virtual void spoil() = 0;
  // The answer is written whole, without an exchange.
  virtual void after_answer() = 0;
  // The same, and nothing more is served here.
  virtual void close_after_answer() = 0;
  // Told of each good key.
  virtual void showed_good_key() = 0;
  virtual void on_timer() = 0;

  // A new request: forgets what was of the one before.
  void begin_request();
  // Serves it. Its body, if there is one, comes by copy_body() or take_piece(), each followed by
  // body_grew(), as long as the state is kBody.
  void serve(const proto::RequestHead& head);
  // Of a body whose length is known. REQUIRES: no more than length_left_.
  void copy_body(std::string_view bytes);
  // Of another one. False: it was refused.
  bool take_piece(std::string_view bytes);
  bool body_grew(bool whole);
  void refuse_head(proto::HttpFault fault);
  void refuse(dialect::ErrorKind kind, const dialect::ErrorDetail& detail, const char* reason,
              const RetryAdvice& advice = {});
  // The body's time; or it is refused.
  void check_body_pace();
  // What runs for the client is given up. The state is kClosed by then.
  void drop_request();
  bool has_request() const { return request_id_[0] != '\0'; }

  Gateway& gateway_;
  net::Stream* stream_ = nullptr;
  net::Stream* out_ = nullptr;  // where answers are written: stream_, or what holds them back
  Exchange* exchange_ = nullptr;
  std::uint64_t account_ticket_ = 0;  // of what control was asked; 0: no answer is awaited
  std::uint64_t length_left_ = 0;     // of a body whose length is known
  std::uint64_t received_ = 0;        // of the body
  Instant body_started_{};
  Instant body_progress_{};
  io::Address peer_;
  Timer timer_{timer_callback<&Client::on_timer>, this};
  Route route_;
  State state_ = State::kHead;
  std::uint8_t held_class_ = 0;  // of the answer that begins while held, counted if it goes out
  bool is_held_ = false;
  bool is_head_ = false;          // its answer is a head only
  bool awaits_continue_ = false;  // the body may never come
  bool is_chunked_ = false;       // the body's length is known at its end
  bool is_tls_ = false;
  bool is_shed_ = false;  // the request was refused for want of time or memory

 private:
  void serve_listing(const proto::RequestHead& head);
  void ask_account(const proto::RequestHead& head);
  void answer_account(const AccountReply& reply);
  void start_inference(const proto::RequestHead& head);
  bool admits(std::uint64_t length, const RequestKey& key);
  RequestKey authenticate(const proto::RequestHead& head);
  bool take_provider_keys(const proto::RequestHead& head, std::unique_ptr<RequestKeys>& keys);
  std::size_t begin_fields(const char* generation_id, std::span<const proto::Field> more,
                           std::span<proto::Field> all);
  void count_answer(int status);
  void tell_answered();

  char request_id_[36] = {};
  RequestStory story_;
};

}  // namespace leat::gateway
