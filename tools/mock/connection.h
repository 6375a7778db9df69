// SPDX-License-Identifier: Apache-2.0
// Connection: one client of leat-mock: reads requests in turn, answers each by the options' pace.
//
//   head -> body -> (delay) -> whole answer ------------------------> head
//                          \-> events, one write each interval -> end /
//                                \-> cut: hang up
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/instant.h"
#include "base/rng.h"
#include "mock/answer.h"
#include "mock/options.h"
#include "mock/tally.h"
#include "wire/agenda.h"
#include "wire/http.h"
#include "wire/link.h"
#include "wire/loop.h"

namespace leat::tools {

// What the connections of one thread share.
struct MockContext {
  const MockOptions& options;
  Loop& loop;
  Scratch& scratch;
  Rng& rng;
  Tally& tally;
};

class Connection final : private Watcher {
 public:
  // Takes over the socket; `tls` null: plain.
  Connection(MockContext& context, int fd, SSL_CTX* tls);

  bool is_open() const { return link_.is_open(); }

 private:
  enum class State { kHead, kBody, kWaiting, kStreaming };

  void on_ready() override;
  void on_due();
  void advance();
  void close();
  void close_when_sent();
  void update_watch();

  void serve_input();
  bool read_head();
  bool read_body();
  void answer_request();
  void answer_chat();
  AnswerFacts read_request();
  void answer_now(int status, std::string_view body);
  void plan_faults(AnswerFacts& facts);
  void begin_stream();
  void write_next_events();
  void finish_exchange();
  void write_chunk(std::string_view data);
  void send(std::string_view bytes);

  MockContext& context_;
  Link link_;
  Alarm alarm_{alarm_callback<&Connection::on_due>, this};
  State state_ = State::kHead;
  bool watches_writing_ = false;
  bool closing_ = false;

  std::string input_;  // received, not yet consumed
  Head head_;
  Body body_reader_;
  std::string body_;

  std::optional<Answer> answer_;
  bool streamed_ = false;
  std::uint64_t next_token_ = 0;
  std::uint64_t stop_at_token_ = UINT64_MAX;  // cut, or an error event, before this one
  bool stop_by_error_event_ = false;
  Instant next_due_{};
  std::uint64_t seed_ = 0;
};

}  // namespace leat::tools
