// SPDX-License-Identifier: Apache-2.0
#include "load/client.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace leat::tools {
namespace {

constexpr Duration kPauseAfterFault = milliseconds(10);
constexpr Duration kAbortDelayMax = milliseconds(20);  // after the request, or half of it, is sent

}  // namespace

bool Client::counts() const {
  return context_.options.rate > 0 ? job_.measured : context_.in_window;
}

std::uint64_t Client::since_start(Instant now) const {
  return static_cast<std::uint64_t>((now - job_.start).ns);
}

void Client::update_watch() {
  if (!link_.is_open() || link_.has_unsent() == watches_writing_) return;
  watches_writing_ = link_.has_unsent();
  context_.loop.rewatch(link_.fd(), watches_writing_, *this);
}

void Client::connect() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) die("socket", errno);
  if (context_.options.sources > 1) {
    // Without this option the kernel would take the port at bind, unique over all destinations.
    const int on = 1;
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    sockaddr_in source{};
    source.sin_family = AF_INET;
    const auto offset = index_ % static_cast<std::size_t>(context_.options.sources);
    source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + static_cast<std::uint32_t>(offset));
    if (bind(fd, reinterpret_cast<const sockaddr*>(&source), sizeof source) != 0) {
      die("bind to a source address", errno);
    }
  }
  const auto* server = reinterpret_cast<const sockaddr*>(&context_.server);
  const bool refused = ::connect(fd, server, sizeof context_.server) != 0 && errno != EINPROGRESS;
  connected_ = false;
  link_.open_as_client(fd, context_.tls, context_.url.host);
  watches_writing_ = true;
  context_.loop.watch(fd, true, *this);
  if (refused) fail(Fault::kConnect);
}

void Client::start(const Job& job) {
  job_ = job;
  state_ = State::kHead;
  head_bytes_.clear();
  last_word_ = {};
  const LoadOptions& options = context_.options;
  const RequestForm::Request request = context_.form.make(job.number, index_);
  seed_ = request.seed;
  checker_.begin({.seed = seed_,
                  .tokens = options.tokens,
                  .usage_asked = options.include_usage,
                  .usage_rule = options.usage_rule},
                 options.stream);
  if (!link_.is_open()) connect();
  if (state_ != State::kHead) return;
  context_.loop.agenda().set(alarm_, context_.loop.now() + options.timeout);
  choose_abort();
  const bool half = abort_phase_ == AbortPhase::kRequestHalf;
  const std::string_view bytes = request.bytes.substr(0, request.bytes.size() / (half ? 2 : 1));
  if (link_.send(bytes) != Link::Status::kOpen) {
    fail(connected_ ? Fault::kClosedEarly : Fault::kConnect);
    return;
  }
  update_watch();
}

void Client::choose_abort() {
  abort_phase_ = AbortPhase::kNone;
  if (!context_.rng.chance(context_.options.abort_rate)) return;
  const bool stream = context_.options.stream;
  const auto last = stream ? AbortPhase::kLastToken : AbortPhase::kHead;
  abort_phase_ = static_cast<AbortPhase>(context_.rng.between(1, static_cast<int>(last)));
  const std::uint64_t tokens = context_.options.tokens;
  if (abort_phase_ == AbortPhase::kFirstToken) abort_at_word_ = 1;
  if (abort_phase_ == AbortPhase::kMiddle) {
    // In the first half: the rest of the answer must outlast the hanging up.
    abort_at_word_ = 1 + context_.rng.below(std::max<std::uint64_t>(tokens / 2, 1));
  }
  if (abort_phase_ == AbortPhase::kLastToken) abort_at_word_ = tokens;
  if (abort_phase_ <= AbortPhase::kRequestSent) {
    const Duration delay = nanoseconds(context_.rng.between(0, kAbortDelayMax.ns));
    context_.loop.agenda().set(alarm_, context_.loop.now() + delay);
  }
}

void Client::abort_here() {
  const Instant now = read_clock();
  link_.close(context_.rng.chance(0.5));
  ++context_.results.aborts[static_cast<std::size_t>(abort_phase_)];
  if (context_.abort_log != nullptr) {
    fmt::print(context_.abort_log, "{:016x} {} {}\n", seed_, now.ns, phase_name(abort_phase_));
  }
  context_.loop.agenda().cancel(alarm_);
  state_ = State::kFree;
  context_.owner.on_free(*this);
}

void Client::on_alarm() {
  if (state_ == State::kPausing) {
    state_ = State::kFree;
    context_.owner.on_free(*this);
  } else if (abort_phase_ == AbortPhase::kRequestHalf || abort_phase_ == AbortPhase::kRequestSent) {
    abort_here();
  } else {
    fail(Fault::kTimeout);
  }
}

void Client::fail(Fault fault) {
  ++context_.results.faults[static_cast<std::size_t>(fault)];
  link_.close();
  state_ = State::kPausing;
  context_.loop.agenda().set(alarm_, context_.loop.now() + kPauseAfterFault);
}

bool Client::prove_connected() {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(link_.fd(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) {
    fail(Fault::kConnect);
    return false;
  }
  connected_ = true;
  ++context_.results.connects;
  return true;
}

void Client::on_ready() {
  if (!link_.is_open()) return;
  if (!connected_ && !prove_connected()) return;
  const Link::Received received = link_.receive(context_.scratch);
  if (!received.bytes.empty()) take(received.bytes);
  if (received.status != Link::Status::kOpen) on_connection_end(received.status);
  if (!link_.is_open()) return;
  if (link_.flush() != Link::Status::kOpen) on_connection_end(Link::Status::kBroken);
  update_watch();
}

void Client::on_connection_end(Link::Status status) {
  if (!link_.is_open()) return;
  if (state_ == State::kFree) {
    link_.close();  // an idle connection may end at any time
    return;
  }
  const bool ends_body = state_ == State::kBody && status == Link::Status::kEnded &&
                         body_.at_end_of_connection() == Body::State::kDone;
  if (ends_body) {
    head_.close = true;
    end_exchange();
  } else {
    fail(link_.is_established() ? Fault::kClosedEarly : Fault::kTls);
  }
}

void Client::take(std::string_view bytes) {
  if (state_ == State::kFree) {
    ++context_.results.faults[static_cast<std::size_t>(Fault::kBrokenHttp)];  // nobody asked
    link_.close();
    return;
  }
  while (state_ == State::kHead) {
    if (!take_head(bytes)) return;
  }
  if (state_ == State::kBody) take_body(bytes);
}

// Leaves the state kHead while the head is not complete. False: wait for more, or failed.
bool Client::take_head(std::string_view& bytes) {
  if (head_bytes_.empty() && counts()) {
    context_.results.first_byte.record(since_start(read_clock()));
  }
  const std::size_t before = head_bytes_.size();
  head_bytes_ += bytes;
  const std::size_t end = head_end(head_bytes_);
  if (end == std::string::npos) return false;
  bytes.remove_prefix(end - before);
  const auto head = parse_answer_head(std::string_view(head_bytes_).substr(0, end));
  head_bytes_.clear();
  if (!head) {
    fail(Fault::kBrokenHttp);
    return false;
  }
  if (head->status < 200) return true;
  head_ = *head;
  state_ = State::kBody;
  body_.begin(head_, true);
  if (abort_phase_ == AbortPhase::kHead) {
    abort_here();
    return false;
  }
  return true;
}

void Client::take_body(std::string_view bytes) {
  Body::State state = Body::State::kMore;
  do {
    std::string_view payload;
    state = body_.next(bytes, payload);
    if (head_.status != 200 || payload.empty()) continue;
    count_words(checker_.take(payload));
    if (abort_phase_ >= AbortPhase::kFirstToken && checker_.words() >= abort_at_word_) {
      abort_here();
      return;
    }
  } while (state == Body::State::kMore && !bytes.empty());
  if (state == Body::State::kBroken || (state == Body::State::kDone && !bytes.empty())) {
    fail(Fault::kBrokenHttp);
  } else if (state == Body::State::kDone) {
    end_exchange();
  }
}

void Client::count_words(std::uint64_t words) {
  if (words == 0) return;
  const Instant now = read_clock();
  if (context_.in_window) context_.results.tokens += words;
  if (counts()) {
    if (last_word_ == Instant{}) {
      context_.results.first_token.record(since_start(now));
    } else {
      context_.results.gap.record(static_cast<std::uint64_t>((now - last_word_).ns));
    }
    if (words > 1) context_.results.gap.record_many(0, words - 1);
  }
  last_word_ = now;
}

void Client::note_right_answer() {
  ++context_.results.checked;
  if (counts()) context_.results.total.record(since_start(read_clock()));
  if (!context_.in_window) return;
  ++context_.results.answers;
  if (!context_.options.stream) context_.results.tokens += checker_.words();
}

void Client::end_exchange() {
  Fault fault = Fault::kStatus;
  if (head_.status == 200) {
    checker_.end();
    fault = checker_.fault();
  } else {
    ++context_.results.statuses[head_.status];
    if (counts()) context_.results.refused.record(since_start(read_clock()));
  }
  // Who is refused in an open loop keeps the connection, as a client's library does.
  const bool is_refused = head_.status != 200 && context_.options.rate > 0 && !head_.close;
  if (fault != Fault::kNone && !is_refused) {
    fail(fault);
    return;
  }
  if (is_refused) {
    ++context_.results.faults[static_cast<std::size_t>(fault)];
  } else {
    note_right_answer();
  }
  if (head_.close || !context_.options.keep_alive) link_.close();
  context_.loop.agenda().cancel(alarm_);
  state_ = State::kFree;
  context_.owner.on_free(*this);
}

}  // namespace leat::tools
