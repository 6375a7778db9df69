// SPDX-License-Identifier: Apache-2.0
#include "mock/connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace leat::tools {
namespace {

constexpr int kWritesPerTurn = 64;  // an unpaced stream lets the others have their turn

const char* reason_of(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 429:
      return "Too Many Requests";
    case 503:
      return "Service Unavailable";
    default:
      return status < 500 ? "Error" : "Internal Server Error";
  }
}

std::string json_head(int status, std::size_t size, std::uint64_t seed) {
  return fmt::format(
      "HTTP/1.1 {} {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n"
      "x-request-id: req_{:016x}{:016x}\r\nopenai-version: 2020-10-01\r\n"
      "openai-processing-ms: 12\r\nx-ratelimit-limit-requests: 30000\r\n"
      "x-ratelimit-remaining-requests: 29999\r\n{}\r\n",
      status, reason_of(status), size, seed, ~seed, status == 429 ? "retry-after: 1\r\n" : "");
}

std::string stream_head(std::uint64_t seed) {
  return fmt::format(
      "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
      "transfer-encoding: chunked\r\ncache-control: no-cache\r\n"
      "x-request-id: req_{:016x}{:016x}\r\nopenai-version: 2020-10-01\r\n"
      "openai-processing-ms: 12\r\nx-ratelimit-limit-requests: 30000\r\n"
      "x-ratelimit-remaining-requests: 29999\r\n\r\n",
      seed, ~seed);
}

}  // namespace

Connection::Connection(MockContext& context, int fd, SSL_CTX* tls) : context_(context) {
  link_.open_as_server(fd, tls, context.options.nagle);
  context_.loop.watch(fd, false, *this);
  ++context_.tally.connections;
  ++context_.tally.connections_open;
}

void Connection::close() {
  if (!link_.is_open()) return;
  context_.loop.agenda().cancel(alarm_);
  link_.close();
  --context_.tally.connections_open;
  abandon(context_, plan_);
  http2_.reset();
}

void Connection::update_watch() {
  if (!link_.is_open() || link_.has_unsent() == watches_writing_) return;
  watches_writing_ = link_.has_unsent();
  context_.loop.rewatch(link_.fd(), watches_writing_, *this);
}

void Connection::send(std::string_view bytes) {
  if (link_.is_open() && link_.send(bytes) != Link::Status::kOpen) close();
}

void Connection::on_ready() {
  if (!link_.is_open()) return;
  const Link::Received received = link_.receive(context_.scratch);
  if (!http2_) input_ += received.bytes;
  if (received.status != Link::Status::kOpen || input_.size() > kInputMax) {
    if (http2_) http2_->note_gone();
    note_gone(context_, plan_);
    close();
    return;
  }
  const bool was_full = link_.unsent_size() > kUnsentMax;
  if (link_.flush() != Link::Status::kOpen) {
    close();
    return;
  }
  if (http2_) {
    serve_http2(received.bytes);
    return;
  }
  if (was_full && link_.unsent_size() <= kUnsentMax && state_ == State::kStreaming) {
    write_next_events();
  }
  if (closing_ && !link_.has_unsent()) close();
  serve_input();
  update_watch();
}

// For the end of an exchange whose head said close: not before the answer is out.
void Connection::close_when_sent() {
  closing_ = true;
  if (!link_.has_unsent()) close();
}

void Connection::on_due() {
  if (http2_) {
    serve_http2({});
    return;
  }
  advance();
  serve_input();
  update_watch();
}

void Connection::serve_http2(std::string_view received) {
  if (!http2_->serve(received)) {
    http2_->note_gone();
    close();
    return;
  }
  const Instant next = http2_->next_due();
  if (next == kNever) {
    context_.loop.agenda().cancel(alarm_);
  } else {
    context_.loop.agenda().set(alarm_, next);
  }
  update_watch();
}

void Connection::advance() {
  if (state_ == State::kWaiting && !plan_.streamed) {
    const std::string body = plan_.answer->whole();
    context_.tally.tokens += plan_.answer->tokens();
    answer_now(200, body);
    finish_exchange();
  } else if (state_ == State::kWaiting) {
    begin_stream();
  } else if (state_ == State::kStreaming) {
    write_next_events();
  }
}

// Serves the pipelined requests in turn: stops where an answer is under way.
void Connection::serve_input() {
  while (link_.is_open() && !closing_) {
    if (state_ == State::kHead && !read_head()) return;
    if (state_ == State::kBody && !read_body()) return;
    if (state_ != State::kHead) return;
  }
}

bool Connection::read_head() {
  if (!has_served_ && input_.starts_with(Http2Connection::kFirstLine)) {
    http2_ = std::make_unique<Http2Connection>(context_, link_);
    serve_http2(std::exchange(input_, {}));
    return false;
  }
  const std::size_t end = head_end(input_);
  if (end == std::string::npos) return false;
  const auto head = parse_request_head(std::string_view(input_).substr(0, end));
  if (!head) {
    ++context_.tally.broken_requests;
    answer_now(400, error_body(400));
    close_when_sent();
    return false;
  }
  has_served_ = true;
  head_ = *head;
  input_.erase(0, end);
  body_reader_.begin(head_, false);
  body_.clear();
  if (head_.content_length) body_.reserve(std::min<std::size_t>(*head_.content_length, kInputMax));
  if (head_.expects_continue) send("HTTP/1.1 100 Continue\r\n\r\n");
  state_ = State::kBody;
  return true;
}

bool Connection::read_body() {
  std::string_view rest = input_;
  Body::State state = Body::State::kMore;
  do {
    std::string_view piece;
    state = body_reader_.next(rest, piece);
    body_ += piece;
  } while (state == Body::State::kMore && !rest.empty());
  input_.erase(0, input_.size() - rest.size());
  if (state == Body::State::kBroken || body_.size() > kInputMax) {
    ++context_.tally.broken_requests;
    close();
    return false;
  }
  if (state != Body::State::kDone) return false;
  answer_request();
  return link_.is_open();
}

void Connection::answer_request() {
  state_ = State::kHead;
  plan_ = plan_answer(context_, head_.method, head_.target, body_);
  if (!plan_.answer) {
    answer_now(plan_.status, plan_.body);
    if (head_.close) close_when_sent();
    return;
  }
  state_ = State::kWaiting;
  if (plan_.due > context_.loop.now()) {
    context_.loop.agenda().set(alarm_, plan_.due);
  } else {
    advance();
  }
}

void Connection::answer_now(int status, std::string_view body) {
  std::string bytes = json_head(status, body.size(), plan_.seed);
  bytes += body;
  send(bytes);
}

void Connection::write_chunk(std::string_view data) {
  std::string bytes = fmt::format("{:x}\r\n", data.size());
  bytes.append(data).append("\r\n");
  send(bytes);
}

void Connection::begin_stream() {
  state_ = State::kStreaming;
  std::string role;
  plan_.answer->append_role(role);
  send(stream_head(plan_.seed) + fmt::format("{:x}\r\n{}\r\n", role.size(), role));
  if (link_.is_open()) write_next_events();
}

// Writes the events that are due: a write for each group of events_per_write, as the pace has it.
void Connection::write_next_events() {
  std::string data;
  for (int writes = 0; writes < kWritesPerTurn && plan_.due <= context_.loop.now(); ++writes) {
    if (link_.unsent_size() > kUnsentMax) return;  // on_ready goes on
    data.clear();
    append_group(context_, plan_, data);
    if (!data.empty()) write_chunk(data);
    if (!link_.is_open()) return;
    if (plan_.is_told()) {
      finish_exchange();
      return;
    }
  }
  context_.loop.agenda().set(alarm_, plan_.due);
}

// Ends an answer by its plan; then the connection is ready for the next request.
void Connection::finish_exchange() {
  if (!link_.is_open()) return;
  if (plan_.is_cut()) {
    finish(context_, plan_);
    close();
    return;
  }
  if (plan_.streamed) {
    std::string data;
    append_last(context_, plan_, data);
    send(fmt::format("{:x}\r\n{}\r\n0\r\n\r\n", data.size(), data));
  }
  if (!link_.is_open()) return;
  finish(context_, plan_);
  state_ = State::kHead;
  if (head_.close) close_when_sent();
}

}  // namespace leat::tools
