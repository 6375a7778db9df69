// SPDX-License-Identifier: Apache-2.0
#include "simulation/sim_provider.h"

#include <algorithm>

#include "base/check.h"

namespace leat::sim {

namespace {

constexpr std::string_view kStrays[] = {
    "HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
    "0\r\n\r\n",
    "\r\n",
    "data: [DONE]\n\n",
};

// As the gateway spells it for providers with `prefix`.
constexpr std::string_view kTextBefore = R"("},{"role":"assistant","content":")";
constexpr std::string_view kBehindText = R"(","prefix":true}])";

constexpr Fault kAtReuse = Fault::kProviderClosesAtReuse;
constexpr std::uint64_t kClosesAtReuseMax = 8;

}  // namespace

class SimProvider::Visit final : private EndUser {
 public:
  Visit(SimProvider& provider, Connection& connection)
      : provider_(provider), world_(provider.world_), end_(connection.end(1)) {
    end_.set_user(this);
    if (!end_.readable().empty()) on_readable();
  }

 private:
  void on_established() override {}
  void on_connect_failed(int) override {}
  void on_readable() override;
  bool closes_at_reuse();
  void on_room() override { write_on(); }

  void read_request();
  void check_request(const RequestRecord& record);
  void check_connection_is_clean();
  void note_text_before();
  const Direction::Mark& mark_of_request() const;
  void on_step(std::uint64_t number);
  void write_on();
  void end_step();
  void reply_is_over();
  void on_idle(std::uint64_t replies);
  void complain(const std::string& what) {
    world_.violation("provider " + std::to_string(provider_.index_) + ": " + what);
  }

  SimProvider& provider_;
  World& world_;
  End& end_;
  HttpReader reader_{HttpReader::Kind::kRequest};
  ProviderScript script_;
  std::size_t step_ = 0;
  bool is_in_step_ = false;
  std::string unwritten_;           // of the step under way
  Execution* execution_ = nullptr;  // under way
  RequestRecord* record_ = nullptr;
  std::uint64_t replies_ = 0;
  std::uint64_t clean_end_ = 0;  // bytes that belong to sound replies
  bool has_strayed_ = false;     // wrote bytes that nobody asked for
  bool is_spoilt_ = false;       // nothing may be asked on it any more
};

// As servers do whose time for an idle connection is over when the next request is under way. Two
// providers at most, and not for ever: so much the gateway's attempts and retry budget bear.
bool SimProvider::Visit::closes_at_reuse() {
  const auto closed = world_.fault_counts()[static_cast<std::size_t>(kAtReuse)];
  const bool may_close = replies_ > 0 && execution_ == nullptr && !reader_.is_within() &&
                         !end_.readable().empty() && provider_.index_ < 2 &&
                         closed < kClosesAtReuseMax;
  return may_close && world_.strikes(kAtReuse);
}

void SimProvider::Visit::on_readable() {
  if (end_.is_open() && closes_at_reuse()) {
    is_spoilt_ = true;
    // Unread bytes make a reset of it.
    if (world_.rng().chance(0.5)) end_.consume(end_.readable().size());
    return end_.close();
  }
  while (!end_.readable().empty()) {
    const std::size_t size = end_.readable().size();
    reader_.feed(end_.readable().substr(0, size));
    end_.consume(size);
  }
  if (reader_.is_whole()) read_request();
  if (!reader_.fault().empty()) {
    complain("not a request: " + reader_.fault());
    end_.reset(false);
    return;
  }
  if (end_.is_open() && (end_.error() != 0 || end_.at_end())) {
    unwritten_.clear();
    end_.close();
  }
}

const Direction::Mark& SimProvider::Visit::mark_of_request() const {
  const auto& marks = end_.connection().end(0).outgoing().marks;
  LEAT_CHECK(!marks.empty());
  const Direction::Mark* found = &marks.front();
  for (const Direction::Mark& mark : marks) {
    if (mark.offset <= reader_.begin_offset()) found = &mark;
  }
  return *found;
}

void SimProvider::Visit::check_connection_is_clean() {
  if (execution_ != nullptr) return complain("asked again before it had answered");
  const Direction::Mark& mark = mark_of_request();
  const bool may_think_clean = mark.seen_before <= clean_end_ && clean_end_ <= mark.seen_after;
  if (is_spoilt_ || !may_think_clean) {
    complain("asked on a connection that was not clean: " + std::to_string(mark.seen_after) +
             " bytes had been seen, " + std::to_string(clean_end_) + " were those of replies");
  }
}

void SimProvider::Visit::check_request(const RequestRecord& record) {
  if (reader_.start_line() != "POST /v1/chat/completions HTTP/1.1") {
    complain("a strange request line: " + reader_.start_line());
  }
  if (reader_.field("authorization") != provider_.bearer) complain("a wrong Authorization");
  if (reader_.field("content-type") != "application/json") complain("a wrong Content-Type");
  const std::string& body = reader_.body();
  if (body.find("\"" + record.prompt + "\"") == std::string::npos) {
    complain("the prompt did not come through");
  }
  const std::string model = "\"up-" + std::to_string(provider_.index_) + "\"";
  if (body.find("\"model\":" + model) == std::string::npos) complain("a wrong model name");
  if (record.stream && body.find("\"include_usage\":true") == std::string::npos) {
    complain("usage is not asked for");
  }
  if (body.find("\"route\"") != std::string::npos) complain("a field of the router's came through");
}

// The assistant's message that stands last, if one does.
void SimProvider::Visit::note_text_before() {
  const std::string& body = reader_.body();
  const std::size_t at = body.find(kTextBefore);
  if (at == std::string::npos) return;
  const std::size_t begin = at + kTextBefore.size();
  const std::size_t end = body.find(kBehindText, begin);
  if (end == std::string::npos) return complain("a text to be carried on that does not say so");
  execution_->continues = true;
  execution_->text_before = body.substr(begin, end - begin);
  if (!provider_.carries_on) complain("asked to carry a text on, which it does not know");
}

void SimProvider::Visit::read_request() {
  check_connection_is_clean();
  if (execution_ != nullptr) return end_.reset(false);
  RequestRecord* record = provider_.book_.find(find_nonce(reader_.body()));
  if (record == nullptr) {
    complain("a request that nobody made");
    end_.reset(false);
    return;
  }
  check_request(*record);
  record_ = record;
  const std::size_t number = record->executions.size();
  record->executions.emplace_back();
  execution_ = &record->executions.back();
  execution_->provider = provider_.index_;
  execution_->connection = &end_.connection();
  execution_->asked_at = mark_of_request().at;
  execution_->streamed = record->stream;
  note_text_before();
  ++provider_.executions_;
  world_.say("provider %u: connection %u: %s, execution %zu", provider_.index_,
             end_.connection().id(), record->nonce.c_str(), number);
  script_ = write_script(world_, *record, number, *execution_);
  step_ = 0;
  // The plan's length is known; where the reply will end counts from what was written before.
  std::uint64_t size = 0;
  for (const ScriptStep& step : script_.steps) size += step.bytes.size();
  execution_->content_end += end_.outgoing().written_total;
  execution_->reply_end = end_.outgoing().written_total + size;
  if (has_strayed_) execution_->is_sound = false;
  reader_.next();
  world_.schedule(world_.now() + script_.steps[0].before, EventKind::kActor,
                  event_callback<&Visit::on_step>, this, replies_);
}

void SimProvider::Visit::on_step(std::uint64_t) {
  if (!end_.is_open()) return;
  unwritten_ = script_.steps[step_].bytes;
  is_in_step_ = true;
  write_on();
}

void SimProvider::Visit::write_on() {
  if (!is_in_step_ || !end_.can_write()) return;
  unwritten_.erase(0, end_.write(unwritten_));
  if (!unwritten_.empty()) return;
  is_in_step_ = false;
  end_step();
}

void SimProvider::Visit::end_step() {
  const ScriptStep& step = script_.steps[step_];
  if (step.then == ScriptStep::Then::kFin) {
    execution_->was_played = true;
    is_spoilt_ = true;
    end_.shutdown();
    return;
  }
  if (step.then == ScriptStep::Then::kReset) {
    is_spoilt_ = true;
    end_.reset(world_.rng().chance(0.5));
    return;
  }
  if (step.then == ScriptStep::Then::kHang) {
    is_spoilt_ = true;
    return;
  }
  if (++step_ == script_.steps.size()) return reply_is_over();
  world_.schedule(world_.now() + script_.steps[step_].before, EventKind::kActor,
                  event_callback<&Visit::on_step>, this, replies_);
}

void SimProvider::Visit::reply_is_over() {
  execution_->was_played = true;
  execution_ = nullptr;
  record_ = nullptr;
  ++replies_;
  clean_end_ = end_.outgoing().written_total;
  if (!script_.keeps_alive) is_spoilt_ = true;
  Rng& rng = world_.rng();
  const Duration soon =
      rng.chance(0.5) ? microseconds(rng.between(0, 3'000)) : milliseconds(rng.between(0, 40'000));
  world_.schedule(world_.now() + soon, EventKind::kActor, event_callback<&Visit::on_idle>, this,
                  replies_);
  if (reader_.is_whole()) read_request();
}

// Some time after a reply: providers close idle connections, or write what nobody asked for.
void SimProvider::Visit::on_idle(std::uint64_t replies) {
  if (replies != replies_ || !end_.can_write() || execution_ != nullptr) return;
  if (world_.strikes(Fault::kProviderStrayBytes)) {
    has_strayed_ = true;
    end_.write(kStrays[world_.rng().below(std::size(kStrays))]);
  } else if (world_.strikes(Fault::kProviderClosesIdle)) {
    end_.close();
  }
}

SimProvider::SimProvider(World& world, RequestBook& book, std::uint32_t index,
                         const io::Address& address)
    : world_(world),
      book_(book),
      index_(index),
      port_(world.network().listen(address, *this, false)) {
  LEAT_CHECK(port_ != nullptr);
}

SimProvider::~SimProvider() = default;

void SimProvider::on_pending() {
  while (port_->has_pending()) {
    visits_.push_back(std::make_unique<Visit>(*this, port_->accept()));
  }
}

}  // namespace leat::sim
