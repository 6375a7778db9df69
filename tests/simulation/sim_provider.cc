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
constexpr Fault kBothering[] = {kAtReuse, Fault::kProviderRefusesStream, Fault::kProviderGoesAway};
constexpr std::uint64_t kBothersMax = 8;

}  // namespace

class SimProvider::Http1Visit final : public Visit, private EndUser {
 public:
  Http1Visit(SimProvider& provider, Connection& connection)
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
  void check_head();
  void check_connection_is_clean();
  const Direction::Mark& mark_of_request() const;
  void on_step(std::uint64_t number);
  void write_on();
  void end_step();
  void reply_is_over();
  void on_idle(std::uint64_t replies);
  void complain(const std::string& what) { provider_.complain(what); }

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

// As servers do whose time for an idle connection is over when the next request is under way.
bool SimProvider::Http1Visit::closes_at_reuse() {
  const bool may_close = replies_ > 0 && execution_ == nullptr && !reader_.is_within() &&
                         !end_.readable().empty() && provider_.may_bother();
  return may_close && world_.strikes(kAtReuse);
}

void SimProvider::Http1Visit::on_readable() {
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

const Direction::Mark& SimProvider::Http1Visit::mark_of_request() const {
  return end_.incoming().mark_of(reader_.begin_offset());
}

void SimProvider::Http1Visit::check_connection_is_clean() {
  if (execution_ != nullptr) return complain("asked again before it had answered");
  const Direction::Mark& mark = mark_of_request();
  const bool may_think_clean = mark.seen_before <= clean_end_ && clean_end_ <= mark.seen_after;
  if (is_spoilt_ || !may_think_clean) {
    complain("asked on a connection that was not clean: " + std::to_string(mark.seen_after) +
             " bytes had been seen, " + std::to_string(clean_end_) + " were those of replies");
  }
}

void SimProvider::Http1Visit::check_head() {
  if (reader_.start_line() != "POST /v1/chat/completions HTTP/1.1") {
    complain("a strange request line: " + reader_.start_line());
  }
  if (reader_.field("authorization") != provider_.bearer) complain("a wrong Authorization");
  if (reader_.field("content-type") != "application/json") complain("a wrong Content-Type");
}

void SimProvider::Http1Visit::read_request() {
  check_connection_is_clean();
  if (execution_ != nullptr) return end_.reset(false);
  check_head();
  record_ = provider_.find_request(reader_.body());
  if (record_ == nullptr) return end_.reset(false);
  const std::size_t number = record_->executions.size();
  execution_ =
      &provider_.begin_execution(*record_, reader_.body(), end_.connection(), mark_of_request().at);
  script_ = write_script(world_, *record_, number, *execution_, false);
  step_ = 0;
  // The plan's length is known; where the reply will end counts from what was written before.
  std::uint64_t size = 0;
  for (const ScriptStep& step : script_.steps) size += step.bytes.size();
  execution_->content_end += end_.outgoing().written_total;
  execution_->reply_end = end_.outgoing().written_total + size;
  if (has_strayed_) execution_->is_sound = false;
  reader_.next();
  world_.schedule(world_.now() + script_.steps[0].before, EventKind::kActor,
                  event_callback<&Http1Visit::on_step>, this, replies_);
}

void SimProvider::Http1Visit::on_step(std::uint64_t) {
  if (!end_.is_open()) return;
  unwritten_ = script_.steps[step_].bytes;
  is_in_step_ = true;
  write_on();
}

void SimProvider::Http1Visit::write_on() {
  if (!is_in_step_ || !end_.can_write()) return;
  unwritten_.erase(0, end_.write(unwritten_));
  if (!unwritten_.empty()) return;
  is_in_step_ = false;
  end_step();
}

void SimProvider::Http1Visit::end_step() {
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
                  event_callback<&Http1Visit::on_step>, this, replies_);
}

void SimProvider::Http1Visit::reply_is_over() {
  execution_->was_played = true;
  execution_ = nullptr;
  record_ = nullptr;
  ++replies_;
  clean_end_ = end_.outgoing().written_total;
  if (!script_.keeps_alive) is_spoilt_ = true;
  Rng& rng = world_.rng();
  const Duration soon =
      rng.chance(0.5) ? microseconds(rng.between(0, 3'000)) : milliseconds(rng.between(0, 40'000));
  world_.schedule(world_.now() + soon, EventKind::kActor, event_callback<&Http1Visit::on_idle>,
                  this, replies_);
  if (reader_.is_whole()) read_request();
}

// Some time after a reply: providers close idle connections, or write what nobody asked for.
void SimProvider::Http1Visit::on_idle(std::uint64_t replies) {
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
    Connection& connection = port_->accept();
    if (speaks_http2) {
      visits_.push_back(new_http2_visit(connection));
    } else {
      visits_.push_back(std::make_unique<Http1Visit>(*this, connection));
    }
  }
}

bool SimProvider::may_bother() const {
  std::uint64_t count = 0;
  for (const Fault fault : kBothering) {
    count += world_.fault_counts()[static_cast<std::size_t>(fault)];
  }
  return index_ < 2 && count < kBothersMax;
}

// ---- What is asked -----------------------------------------------------------------------------

RequestRecord* SimProvider::find_request(const std::string& body) {
  RequestRecord* const record = book_.find(find_nonce(body));
  if (record == nullptr) {
    complain("a request that nobody made");
    return nullptr;
  }
  if (body.find("\"" + record->prompt + "\"") == std::string::npos) {
    complain("the prompt did not come through");
  }
  const std::string model = "\"up-" + std::to_string(index_) + "\"";
  if (body.find("\"model\":" + model) == std::string::npos) complain("a wrong model name");
  if (record->stream && body.find("\"include_usage\":true") == std::string::npos) {
    complain("usage is not asked for");
  }
  if (body.find("\"route\"") != std::string::npos) complain("a field of the router's came through");
  return record;
}

Execution& SimProvider::begin_execution(RequestRecord& record, const std::string& body,
                                        Connection& connection, Instant asked_at) {
  world_.say("provider %u: connection %u: %s, execution %zu", index_, connection.id(),
             record.nonce.c_str(), record.executions.size());
  Execution& execution = record.executions.emplace_back();
  execution.provider = index_;
  execution.connection = &connection;
  execution.asked_at = asked_at;
  execution.streamed = record.stream;
  note_text_before(body, execution);
  ++executions_;
  return execution;
}

// The assistant's message that stands last, if one does.
void SimProvider::note_text_before(const std::string& body, Execution& execution) {
  const std::size_t at = body.find(kTextBefore);
  if (at == std::string::npos) return;
  const std::size_t begin = at + kTextBefore.size();
  const std::size_t end = body.find(kBehindText, begin);
  if (end == std::string::npos) return complain("a text to be carried on that does not say so");
  execution.continues = true;
  execution.text_before = body.substr(begin, end - begin);
  if (!carries_on) complain("asked to carry a text on, which it does not know");
}

}  // namespace leat::sim
