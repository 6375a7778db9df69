// SPDX-License-Identifier: Apache-2.0
// SimProvider's connections that speak HTTP/2: many requests at once, each played by its own
// script, and what only such connections do: refuse a stream, go away in the middle, reset one of
// many, die with all of them.
#include <algorithm>
#include <map>

#include "base/check.h"
#include "simulation/http2_peer.h"
#include "simulation/sim_provider.h"

namespace leat::sim {

namespace {

using net::http2::Fields;

constexpr std::uint32_t kIdMax = 0x7fff'ffff;
// Any but that which says that nothing was executed.
constexpr std::uint32_t kResetCodes[] = {0, 1, 2, 5, 8, 11};

std::string_view field_of(const Fields& fields, std::string_view name) {
  for (const auto& [key, value] : fields) {
    if (key == name) return value;
  }
  return {};
}

// From many to a body to more than any.
std::uint32_t draw_window(Rng& rng) {
  constexpr std::int64_t kMost[] = {200, 5'000, 65'535, 1 << 20};
  return static_cast<std::uint32_t>(rng.between(64, kMost[rng.below(std::size(kMost))]));
}

Http2PeerOptions draw_options(Rng& rng) {
  Http2PeerOptions options;
  options.stream_window = draw_window(rng);
  options.connection_window = std::max(draw_window(rng), 65'535u);
  options.streams_max = static_cast<std::uint32_t>(rng.chance(0.3) ? rng.between(1, 3) : 100);
  return options;
}

}  // namespace

class SimProvider::Http2Visit final : public Visit, private EndUser, private Http2Peer::User {
 public:
  Http2Visit(SimProvider& provider, Connection& connection)
      : provider_(provider),
        world_(provider.world_),
        end_(connection.end(1)),
        peer_(draw_options(world_.rng()), world_.rng(), *this) {
    end_.set_user(this);
    write_on();
    if (!end_.readable().empty()) on_readable();
  }

 private:
  struct Play {
    Fields head;  // of the request
    std::string body;
    Instant asked_at{};
    std::size_t content_size = 0;
    ProviderScript script;
    std::size_t step = 0;
    Execution* execution = nullptr;  // once the request is whole
    bool is_over = false;
  };

  void on_established() override {}
  void on_connect_failed(int) override {}
  void on_readable() override;
  void on_room() override { write_on(); }
  // Http2Peer::User
  void on_head(std::uint32_t id, const Fields& fields, bool ends) override;
  void on_data(std::uint32_t id, std::string_view bytes, bool ends) override;
  void on_reset(std::uint32_t id, std::uint32_t code) override;
  void on_goaway(std::uint32_t last, std::uint32_t code) override;
  void on_framed(std::uint32_t id, std::uint64_t bytes, bool ends) override;

  bool turns_away(std::uint32_t id);
  void read_request(std::uint32_t id, Play& play);
  void check_head(const Play& play);
  void schedule_step(std::uint32_t id, Play& play);
  void on_step(std::uint64_t id);
  void play_end(std::uint32_t id, Play& play, ScriptStep::Then then);
  void over(Play& play);
  void on_idle(std::uint64_t replies);
  void say_something_else();
  void write_on();
  void lose(bool resets);
  void hear_nothing();
  void complain(const std::string& what) { provider_.complain("HTTP/2: " + what); }

  SimProvider& provider_;
  World& world_;
  End& end_;
  Http2Peer peer_;
  std::map<std::uint32_t, Play> plays_;
  std::size_t playing_ = 0;
  std::uint64_t replies_ = 0;
  std::uint32_t last_taken_ = 0;  // the highest stream that is, or was, served
  std::uint32_t last_told_ = kIdMax;
  std::uint64_t goodbye_end_ = UINT64_MAX;  // bytes up to the end of GOAWAY
  bool is_deaf_ = false;                    // neither reads nor writes any more
};

std::unique_ptr<SimProvider::Visit> SimProvider::new_http2_visit(Connection& connection) {
  return std::make_unique<Http2Visit>(*this, connection);
}

// ---- Bytes -------------------------------------------------------------------------------------

void SimProvider::Http2Visit::on_readable() {
  while (end_.is_open() && !end_.readable().empty() && !is_deaf_) {
    const std::string bytes(end_.readable());
    end_.consume(bytes.size());
    peer_.feed(bytes);
    if (!peer_.fault().empty()) {
      complain("connection " + std::to_string(end_.connection().id()) + ": " + peer_.fault());
      return end_.reset(false);
    }
    write_on();
  }
  if (end_.is_open() && (end_.error() != 0 || end_.at_end())) end_.close();
}

void SimProvider::Http2Visit::write_on() {
  if (is_deaf_ || !end_.can_write()) return;
  std::string& out = peer_.out();
  if (!out.empty()) out.erase(0, end_.write(out));
}

// What the gateway says from now on is not read.
void SimProvider::Http2Visit::hear_nothing() {
  for (auto& [id, play] : plays_) {
    if (play.execution != nullptr) play.execution->is_unheard = true;
  }
}

// The connection with all that it carries.
void SimProvider::Http2Visit::lose(bool resets) {
  if (!end_.is_open()) return;
  hear_nothing();
  for (auto& [id, play] : plays_) play.is_over = true;
  playing_ = 0;
  if (resets) return end_.reset(world_.rng().chance(0.5));
  end_.close();
}

// ---- What is asked -----------------------------------------------------------------------------

// Not the first one of its connection: who asks again on a fresh one is to be served.
bool SimProvider::Http2Visit::turns_away(std::uint32_t id) {
  if (last_taken_ == 0 || !provider_.may_bother()) return false;
  if (world_.strikes(Fault::kProviderRefusesStream)) {
    world_.say("provider %u refuses stream %u", provider_.index_, id);
    peer_.send_reset(id, net::http2::kRefusedStream);
    return true;
  }
  if (!world_.strikes(Fault::kProviderGoesAway)) return false;
  const bool takes_it = world_.rng().chance(0.5);
  if (takes_it) last_taken_ = id;
  world_.say("provider %u goes away after stream %u", provider_.index_, last_taken_);
  // Some say so twice, as they should.
  if (world_.rng().chance(0.5)) peer_.send_goaway(kIdMax, 0);
  last_told_ = last_taken_;
  peer_.send_goaway(last_told_, 0);
  goodbye_end_ = peer_.written();
  return !takes_it;
}

void SimProvider::Http2Visit::on_head(std::uint32_t id, const Fields& fields, bool ends) {
  const Direction::Mark& mark = end_.incoming().mark_of(peer_.frame_begin());
  if (mark.seen_before >= goodbye_end_) complain("asked after it had been told of the end");
  if (id > last_told_) {
    world_.count(Fault::kProviderGoesAway);
    return;
  }
  if (turns_away(id)) return;
  last_taken_ = id;
  Play& play = plays_[id];
  ++playing_;
  play.head = fields;
  play.asked_at = mark.at;
  if (ends) read_request(id, play);
}

void SimProvider::Http2Visit::on_data(std::uint32_t id, std::string_view bytes, bool ends) {
  const auto found = plays_.find(id);
  if (found == plays_.end() || found->second.is_over) return;
  found->second.body.append(bytes);
  if (ends) read_request(id, found->second);
}

void SimProvider::Http2Visit::check_head(const Play& play) {
  const auto expect = [&](std::string_view name, std::string_view value) {
    const std::string_view found = field_of(play.head, name);
    if (found != value) complain("a wrong " + std::string(name) + ": " + std::string(found));
  };
  expect(":method", "POST");
  expect(":path", "/v1/chat/completions");
  expect(":scheme", "http");
  expect("authorization", provider_.bearer);
  expect("content-type", "application/json");
  expect("content-length", std::to_string(play.body.size()));
  if (field_of(play.head, ":authority").empty()) complain("no authority");
}

void SimProvider::Http2Visit::read_request(std::uint32_t id, Play& play) {
  check_head(play);
  RequestRecord* const record = provider_.find_request(play.body);
  if (record == nullptr) return lose(true);
  const std::size_t number = record->executions.size();
  play.execution = &provider_.begin_execution(*record, play.body, end_.connection(), play.asked_at);
  play.script = write_script(world_, *record, number, *play.execution, true);
  play.content_size = static_cast<std::size_t>(play.execution->content_end);
  play.execution->is_stream = true;
  play.execution->content_end = play.execution->reply_end = UINT64_MAX;
  schedule_step(id, play);
}

// ---- What is answered --------------------------------------------------------------------------

void SimProvider::Http2Visit::schedule_step(std::uint32_t id, Play& play) {
  world_.schedule(world_.now() + play.script.steps[play.step].before, EventKind::kActor,
                  event_callback<&Http2Visit::on_step>, this, id);
}

void SimProvider::Http2Visit::on_step(std::uint64_t stream) {
  const auto id = static_cast<std::uint32_t>(stream);
  Play& play = plays_.at(id);
  if (!end_.is_open() || play.is_over || is_deaf_) return;
  ProviderScript& script = play.script;
  if (play.step == 0 && !script.head.empty()) {
    for (std::uint32_t i = 0; i < script.informational; ++i) {
      peer_.send_head(id, {{":status", "103"}});
    }
    peer_.send_head(id, script.head);
  }
  const ScriptStep& step = script.steps[play.step];
  const bool is_last = ++play.step == script.steps.size();
  const bool ends = is_last && step.then == ScriptStep::Then::kGoOn;
  if (is_last) play.execution->said_at = world_.now();
  if (ends) play.execution->was_played = true;
  // The end may come by itself.
  const bool apart = ends && world_.rng().chance(0.2);
  if (!step.bytes.empty() || (ends && !apart)) peer_.send_body(id, step.bytes, ends && !apart);
  if (apart) peer_.send_body(id, {}, true);
  if (is_last && !ends) play_end(id, play, step.then);
  write_on();
  if (!is_last) schedule_step(id, play);
}

// In the middle of a reply, or before it.
void SimProvider::Http2Visit::play_end(std::uint32_t id, Play& play, ScriptStep::Then then) {
  Rng& rng = world_.rng();
  const bool takes_all = rng.chance(0.3);
  if (then == ScriptStep::Then::kHang) {
    is_deaf_ = takes_all;
    if (is_deaf_) hear_nothing();
    return;
  }
  if (takes_all) {
    write_on();
    return lose(then == ScriptStep::Then::kReset);
  }
  if (then == ScriptStep::Then::kFin && !play.script.head.empty() && rng.chance(0.5)) {
    return peer_.send_body(id, {}, true);
  }
  peer_.send_reset(id, kResetCodes[rng.below(std::size(kResetCodes))]);
  play.execution->reply_end = peer_.written();
  play.execution->has_ended = true;
  over(play);
}

void SimProvider::Http2Visit::on_framed(std::uint32_t id, std::uint64_t bytes, bool ends) {
  Play& play = plays_.at(id);
  if (play.execution == nullptr) return;
  if (bytes >= play.content_size && play.execution->content_end == UINT64_MAX) {
    play.execution->content_end = peer_.written();
  }
  if (!ends) return;
  play.execution->reply_end = peer_.written();
  play.execution->has_ended = true;
  over(play);
}

void SimProvider::Http2Visit::over(Play& play) {
  if (std::exchange(play.is_over, true)) return;
  --playing_;
  ++replies_;
  Rng& rng = world_.rng();
  const Duration soon =
      rng.chance(0.5) ? microseconds(rng.between(0, 3'000)) : milliseconds(rng.between(0, 40'000));
  world_.schedule(world_.now() + soon, EventKind::kActor, event_callback<&Http2Visit::on_idle>,
                  this, replies_);
}

// ---- What else happens -------------------------------------------------------------------------

void SimProvider::Http2Visit::on_reset(std::uint32_t id, std::uint32_t) {
  const auto found = plays_.find(id);
  if (found == plays_.end()) return;
  Play& play = found->second;
  if (Execution* const execution = play.execution) {
    const Direction::Mark& mark = end_.incoming().mark_of(peer_.frame_end() - 1);
    execution->hung_up_at = mark.at;
    execution->unblocked_at = mark.unblocked_at;
    execution->shown_max = mark.seen_before;
  }
  over(play);
}

void SimProvider::Http2Visit::on_goaway(std::uint32_t, std::uint32_t code) {
  if (code != 0) complain("the gateway finds a fault: " + std::to_string(code));
}

// What every client has to bear.
void SimProvider::Http2Visit::say_something_else() {
  Rng& rng = world_.rng();
  switch (rng.below(3)) {
    case 0:
      return peer_.send_raw(net::http2::ping());
    case 1:
      return peer_.send_raw(net::http2::frame(0xfa, 0x55, 0, "what is this?"));
    default:
      return peer_.send_streams_max(static_cast<std::uint32_t>(rng.between(1, 10)));
  }
}

// Some time after a reply: another word, or the end of an idle connection.
void SimProvider::Http2Visit::on_idle(std::uint64_t replies) {
  if (replies != replies_ || !end_.can_write() || is_deaf_) return;
  if (world_.strikes(Fault::kProviderStrayBytes)) {
    say_something_else();
    return write_on();
  }
  if (playing_ > 0 || peer_.open_streams() > 0 || !world_.strikes(Fault::kProviderClosesIdle)) {
    return;
  }
  if (world_.rng().chance(0.5)) {
    peer_.send_goaway(last_taken_, 0);
    write_on();
  }
  end_.close();
}

}  // namespace leat::sim
