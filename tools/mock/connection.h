// SPDX-License-Identifier: Apache-2.0
// Connection: one client of leat-mock: reads requests in turn, answers each by the options' pace.
// One that begins with the preface of HTTP/2 is an Http2Connection's from there on.
//
//   head -> body -> (delay) -> whole answer ------------------------> head
//                          \-> events, one write each interval -> end /
//                                \-> cut: hang up
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "mock/context.h"
#include "mock/http2_connection.h"
#include "mock/plan.h"
#include "wire/agenda.h"
#include "wire/http.h"
#include "wire/link.h"
#include "wire/loop.h"

namespace leat::tools {

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

  void serve_http2(std::string_view received);
  void serve_input();
  bool read_head();
  bool read_body();
  void answer_request();
  void answer_now(int status, std::string_view body);
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
  bool has_served_ = false;  // a request, hence this is HTTP/1.1

  std::string input_;  // received, not yet consumed
  Head head_;
  Body body_reader_;
  std::string body_;
  Plan plan_;

  std::unique_ptr<Http2Connection> http2_;  // null: HTTP/1.1, or nothing was said yet
};

}  // namespace leat::tools
