// SPDX-License-Identifier: Apache-2.0
#include "mock/connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>

#include "wire/json.h"
#include "wire/words.h"

namespace leat::tools {
namespace {

constexpr std::size_t kInputMax = 64u << 20;    // a request beyond this is no test of anything
constexpr std::size_t kUnsentMax = 256 * 1024;  // then the stream waits for the client
constexpr int kWritesPerTurn = 64;              // an unpaced stream lets the others have their turn

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

std::string model_list(const std::vector<std::string>& models) {
  std::string list = R"({"object":"list","data":[)";
  for (const std::string& model : models) {
    if (list.back() == '}') list += ',';
    list += fmt::format(R"({{"id":{},"object":"model","created":1721172741,"owned_by":"system"}})",
                        json_text(model));
  }
  return list + "]}";
}

std::string_view path_of(std::string_view target) {
  return target.substr(0, target.find('?'));
}

}  // namespace

Connection::Connection(MockContext& context, int fd, SSL_CTX* tls) : context_(context) {
  link_.open_as_server(fd, tls);
  context_.loop.watch(fd, false, *this);
  ++context_.tally.connections;
  ++context_.tally.connections_open;
}

void Connection::close() {
  if (!link_.is_open()) return;
  context_.loop.agenda().cancel(alarm_);
  link_.close();
  --context_.tally.connections_open;
  if (answer_) --context_.tally.answering;
  answer_.reset();
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
  input_ += received.bytes;
  if (received.status != Link::Status::kOpen || input_.size() > kInputMax) {
    if (answer_) {
      ++context_.tally.clients_gone;
      context_.tally.log_gone(seed_, context_.loop.now());
    }
    close();
    return;
  }
  const bool was_full = link_.unsent_size() > kUnsentMax;
  if (link_.flush() != Link::Status::kOpen) {
    close();
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
  advance();
  serve_input();
  update_watch();
}

void Connection::advance() {
  if (state_ == State::kWaiting && !streamed_) {
    const std::string body = answer_->whole();
    context_.tally.tokens += answer_->tokens();
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
  const std::size_t end = head_end(input_);
  if (end == std::string::npos) return false;
  const auto head = parse_request_head(std::string_view(input_).substr(0, end));
  if (!head) {
    ++context_.tally.broken_requests;
    answer_now(400, error_body(400));
    close_when_sent();
    return false;
  }
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
  const std::string_view path = path_of(head_.target);
  state_ = State::kHead;
  if (head_.method == "POST" && path.ends_with("/chat/completions")) {
    answer_chat();
  } else if (head_.method == "GET" && path.ends_with("/models")) {
    answer_now(200, model_list(context_.options.models));
  } else if (head_.method == "GET" && path == "/stats") {
    answer_now(200, context_.tally.to_json());
  } else {
    answer_now(404, error_body(404));
  }
  if (!answer_ && head_.close) close_when_sent();
}

void Connection::answer_now(int status, std::string_view body) {
  std::string bytes = json_head(status, body.size(), seed_);
  bytes += body;
  send(bytes);
}

// What the request asks for. No seed, model or tokens where it does not say.
AnswerFacts Connection::read_request() {
  const MockOptions& options = context_.options;
  AnswerFacts facts{.tokens = options.tokens, .event_bytes = options.event_bytes};
  Members members(body_);
  std::string_view key;
  std::string_view value;
  streamed_ = false;
  while (members.next(key, value)) {
    if (key == "messages") {
      facts.seed = seed_of(value);
      facts.prompt_tokens = value.size() / 4 + 1;
    } else if (key == "model" && value.size() > 2) {
      facts.model = value.substr(1, value.size() - 2);
    } else if (key == "stream") {
      streamed_ = value == "true";
    } else if ((key == "max_tokens" || key == "max_completion_tokens") && value != "null") {
      facts.tokens = whole_number(value).value_or(0);
      facts.cut_by_limit = true;
    } else if (key == "stream_options") {
      facts.include_usage = member(value, "include_usage") == "true";
    }
  }
  return facts;
}

void Connection::answer_chat() {
  const MockOptions& options = context_.options;
  ++context_.tally.requests;
  AnswerFacts facts = read_request();
  seed_ = facts.seed;
  if (facts.prompt_tokens == 0 || facts.model.empty() || facts.tokens == 0) {
    ++context_.tally.broken_requests;
    answer_now(400, error_body(400));
    return;
  }
  if (context_.rng.chance(options.error_rate)) {
    ++context_.tally.errors_sent;
    const int status = options.error_statuses[context_.rng.below(options.error_statuses.size())];
    answer_now(status, error_body(status));
    return;
  }
  facts.created = static_cast<std::int64_t>(time(nullptr));
  plan_faults(facts);
  answer_.emplace(facts);
  ++context_.tally.answering;
  state_ = State::kWaiting;
  next_due_ = context_.loop.now() + options.first_token_delay;
  if (!streamed_ && options.tokens_per_s > 0) {
    const double rest_s = static_cast<double>(facts.tokens - 1) / options.tokens_per_s;
    next_due_ = next_due_ + nanoseconds(static_cast<std::int64_t>(rest_s * 1e9));
  }
  if (next_due_ > context_.loop.now()) {
    context_.loop.agenda().set(alarm_, next_due_);
  } else {
    advance();
  }
}

void Connection::plan_faults(AnswerFacts& facts) {
  const MockOptions& options = context_.options;
  Rng& rng = context_.rng;
  stop_at_token_ = UINT64_MAX;
  stop_by_error_event_ = false;
  if (rng.chance(options.corrupt_rate)) {
    facts.wrong_word = rng.below(facts.tokens);
    ++context_.tally.corrupted;
  }
  if (!streamed_) return;
  if (rng.chance(options.cut_rate)) {
    stop_at_token_ = rng.below(facts.tokens);
  } else if (rng.chance(options.stream_error_rate)) {
    stop_at_token_ = rng.below(facts.tokens);
    stop_by_error_event_ = true;
  }
}

void Connection::write_chunk(std::string_view data) {
  std::string bytes = fmt::format("{:x}\r\n", data.size());
  bytes.append(data).append("\r\n");
  send(bytes);
}

void Connection::begin_stream() {
  state_ = State::kStreaming;
  next_token_ = 0;
  std::string role;
  answer_->append_role(role);
  send(stream_head(seed_) + fmt::format("{:x}\r\n{}\r\n", role.size(), role));
  if (link_.is_open()) write_next_events();
}

// Writes the events that are due: a write for each group of events_per_write, as the pace has it.
void Connection::write_next_events() {
  const MockOptions& options = context_.options;
  const Duration interval =
      options.tokens_per_s > 0
          ? nanoseconds(static_cast<std::int64_t>(
                1e9 * static_cast<double>(options.events_per_write) / options.tokens_per_s))
          : Duration{};
  std::string data;
  for (int writes = 0; writes < kWritesPerTurn && next_due_ <= context_.loop.now(); ++writes) {
    if (link_.unsent_size() > kUnsentMax) return;  // on_ready goes on
    data.clear();
    const std::uint64_t group_end =
        std::min({next_token_ + options.events_per_write, answer_->tokens(), stop_at_token_});
    const std::uint64_t group_start = next_token_;
    for (; next_token_ < group_end; ++next_token_) answer_->append_token(next_token_, data);
    if (!data.empty()) write_chunk(data);
    context_.tally.tokens += next_token_ - group_start;
    if (!link_.is_open()) return;
    if (next_token_ == stop_at_token_ || next_token_ == answer_->tokens()) {
      finish_exchange();
      return;
    }
    next_due_ = next_due_ + interval;
  }
  context_.loop.agenda().set(alarm_, next_due_);
}

// Ends a stream by its plan; then the connection is ready for the next request.
void Connection::finish_exchange() {
  if (!link_.is_open()) return;
  const bool stopped = streamed_ && next_token_ == stop_at_token_;
  if (stopped && !stop_by_error_event_) {
    ++context_.tally.cuts;
    close();
    return;
  }
  if (streamed_) {
    std::string data;
    if (stopped) {
      data = "data: " + error_body(500) + "\n\n";
      ++context_.tally.errors_sent;
    } else {
      answer_->append_end(data);
    }
    send(fmt::format("{:x}\r\n{}\r\n0\r\n\r\n", data.size(), data));
  }
  if (!link_.is_open()) return;
  if (!stopped) ++context_.tally.answered;
  --context_.tally.answering;
  answer_.reset();
  state_ = State::kHead;
  if (head_.close) close_when_sent();
}

}  // namespace leat::tools
