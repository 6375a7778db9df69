// SPDX-License-Identifier: Apache-2.0
// SimulatedProvider: the built-in provider that needs no network and no key. It speaks HTTP/1.1 at
// the other end of an in-process pipe, so that the gateway treats it as it treats any provider. The
// text is made from the request's bytes: the same request gets the same answer; the vector of an
// input is made from the input alone. It serves every RequestKind. Speed, delay to the
// first token and failures are settable (SimulatedOptions).
#pragma once

#include <memory>
#include <string>

#include "base/pool.h"
#include "gateway/request_kind.h"
#include "leat/options.h"
#include "net/connector.h"
#include "net/pipe_stream.h"
#include "proto/http1_request.h"
#include "proto/json_scan.h"

namespace leat::gateway {

class SimulatedProvider;

// One connection, seen from the provider's side: serves requests one after the other.
class SimulatedConn final : public ListNode<SimulatedConn>,
                            private net::StreamUser,
                            private shard::Deferred {
 public:
  SimulatedConn(SimulatedProvider& owner, const SimulatedOptions& options)
      : owner_(owner), options_(options) {}
  net::StreamUser& stream_user() { return *this; }
  void attach(net::Stream& stream) { stream_ = &stream; }
  void close();

 private:
  void on_open() override {}
  void on_bytes(std::span<char> bytes) override;
  void on_block_bytes(std::size_t) override {}
  void on_end(const Error&) override { close(); }
  void on_drained() override { tick(); }
  void run_deferred() override;

  void read_request();
  void begin_answer(std::string_view body);
  bool make_vectors(const proto::JsonScanner& scanner, std::string_view body);
  void tick();
  void write_tokens();
  void write_word(std::string_view word, const char* finish);
  void write_event(std::string_view said, const char* finish);
  void finish_stream();
  void answer_whole();
  void answer(int status, std::string_view body);
  void answer_error(int status);
  std::string_view word(std::uint32_t index) const;

  SimulatedProvider& owner_;
  const SimulatedOptions options_;
  net::Stream* stream_ = nullptr;
  std::string input_;
  proto::RequestParser parser_;
  RequestKind kind_ = RequestKind::kChat;
  std::string vectors_;       // of embeddings: the list, written out
  std::uint64_t seed_ = 0;    // of the text: a hash of the request
  std::uint32_t tokens_ = 0;  // of this answer
  const char* finish_reason_ = "stop";
  std::uint32_t sent_ = 0;
  bool has_head_ = false;  // of the answer: written
  std::uint64_t prompt_bytes_ = 0;
  Instant started_{};
  bool answering_ = false;
  bool streams_ = false;
  bool usage_asked_ = false;
  bool cut_ = false;
  bool closed_ = false;
  Timer timer_{timer_callback<&SimulatedConn::tick>, this};
};

class SimulatedProvider {
 public:
  SimulatedProvider(shard::Shard& shard, net::PipeStreams& pipes) : shard_(shard), pipes_(pipes) {}
  ~SimulatedProvider();

  // Dials of a provider with these settings. `options` outlives the dialer.
  std::unique_ptr<net::Dialer> new_dialer(const SimulatedOptions& options);

  // ---- For dials and connections ----
  shard::Shard& shard() { return shard_; }
  net::Stream& connect(const SimulatedOptions& options, net::StreamUser& client);
  void free(SimulatedConn* conn) { conns_.destroy(conn); }

 private:
  shard::Shard& shard_;
  net::PipeStreams& pipes_;
  Pool<SimulatedConn> conns_;
  IntrusiveList<SimulatedConn, SimulatedConn> open_;
};

}  // namespace leat::gateway
