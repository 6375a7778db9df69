// SPDX-License-Identifier: Apache-2.0
#include "simulation/steady_provider.h"

#include <algorithm>
#include <cstdio>
#include <deque>

#include "base/check.h"

namespace leat::sim {

namespace {

constexpr std::int64_t kSlowness = 10;
// So few that carrying them on stays within the retry budget.
constexpr double kShareCut = 0.08;
constexpr const char* kTroubleNames[] = {"none",      "dead",       "hangs",       "slow",
                                         "fails",     "limited",    "limited-for", "garbage",
                                         "half-head", "half-event", "cuts"};

std::string chunk(std::string_view payload) {
  char size[24];
  std::snprintf(size, sizeof size, "%zx\r\n", payload.size());
  return std::string(size).append(payload).append("\r\n");
}

std::string event(std::string_view delta, std::string_view finish) {
  return std::string(
             "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\","
             "\"created\":1790000000,\"model\":\"up\",\"choices\":[{\"index\":0,\"delta\":")
      .append(delta)
      .append(",\"finish_reason\":")
      .append(finish)
      .append("}]}\n\n");
}

constexpr std::string_view kEnd =
    "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1790000000,"
    "\"model\":\"up\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
    "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1790000000,"
    "\"model\":\"up\",\"choices\":[],\"usage\":{\"prompt_tokens\":11,\"completion_tokens\":3,"
    "\"total_tokens\":14}}\n\n"
    "data: [DONE]\n\n";

// The text of an assistant's message that stands last, to be carried on; empty if there is none.
std::string text_before(std::string_view body) {
  constexpr std::string_view kBegin = R"({"role":"assistant","content":")";
  constexpr std::string_view kBehind = R"(","prefix":true}])";
  const std::size_t at = body.find(kBegin);
  const std::size_t end = body.find(kBehind);
  if (at == std::string_view::npos || end == std::string_view::npos) return {};
  return std::string(body.substr(at + kBegin.size(), end - at - kBegin.size()));
}

constexpr std::string_view kStreamHead =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

std::string refusal(int status, std::string_view type, std::string_view fields) {
  const std::string body =
      "{\"error\":{\"message\":\"not now\",\"type\":\"" + std::string(type) + "\",\"code\":null}}";
  return "HTTP/1.1 " + std::to_string(status) + " Status\r\nContent-Type: application/json\r\n" +
         std::string(fields) + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string retry_after_field(Duration wait) {
  const std::int64_t s = (wait.ns + 999'999'999) / 1'000'000'000;
  return "Retry-After: " + std::to_string(s) + "\r\n";
}

}  // namespace

const char* trouble_name(Trouble trouble) {
  return kTroubleNames[static_cast<std::size_t>(trouble)];
}

class SteadyProvider::Visit final : private EndUser {
 public:
  Visit(SteadyProvider& provider, Connection& connection)
      : provider_(provider), world_(provider.world_), end_(connection.end(1)) {
    end_.set_user(this);
    if (!end_.readable().empty()) on_readable();
  }
  void reset() { end_.reset(true); }
  // After it hung.
  void go_on() {
    if (is_due_) on_step(number_);
  }

 private:
  struct Step {
    Duration before{};
    std::string bytes;
    bool has_content = false;
    bool stands_still = false;  // nothing follows, and the reply has no end
    bool resets = false;        // the connection goes with it
  };
  void on_established() override {}
  void on_connect_failed(int) override {}
  void on_readable() override;
  void on_room() override { write_on(); }
  void answer();
  void answer_well(std::int64_t slowness);
  void carry_on(std::string_view before);
  void cut();
  void schedule_step();
  void on_step(std::uint64_t number);
  void write_on();
  void step_is_over();
  Asked& note_asked();

  SteadyProvider& provider_;
  World& world_;
  End& end_;
  HttpReader reader_{HttpReader::Kind::kRequest};
  Sample* sample_ = nullptr;
  std::deque<Step> steps_;
  std::string unwritten_;
  std::uint64_t number_ = 0;  // of the step that is next: older events are stale
  bool is_due_ = false;       // its time came while the provider hung
  bool is_busy_ = false;
  bool stands_still_ = false;
  bool resets_ = false;
};

void SteadyProvider::Visit::on_readable() {
  const std::size_t size = end_.readable().size();
  reader_.feed(end_.readable());
  end_.consume(size);
  if (!reader_.fault().empty()) {
    world_.violation("provider: not a request: " + reader_.fault());
    return end_.reset(false);
  }
  if (reader_.is_whole() && !is_busy_) answer();
  if (end_.is_open() && (end_.at_end() || end_.error() != 0)) {
    ++number_;
    end_.close();
  }
}

SteadyProvider::Asked& SteadyProvider::Visit::note_asked() {
  Asked asked{.at = world_.now()};
  asked.connection = &end_.connection();
  asked.sample = sample_;
  asked.shard_host = end_.connection().from().ip[15];
  const std::string_view bearer = reader_.field("authorization");
  for (const std::string& key : provider_.keys) {
    if (bearer == "Bearer " + key) break;
    ++asked.key;
  }
  return provider_.asked_.emplace_back(asked);
}

void SteadyProvider::Visit::answer() {
  const std::string before = text_before(reader_.body());
  sample_ = provider_.load_.sample_of(reader_.body());
  if (sample_ == nullptr) return world_.violation("provider: a request that nobody made");
  Asked& asked = note_asked();
  ++sample_->attempts;
  reader_.next();
  is_busy_ = true;
  const Duration soon = milliseconds(world_.rng().between(1, 6));
  auto& limits = provider_.key_limited_until_;
  const Instant limited = asked.key < limits.size() ? limits[asked.key] : Instant{};
  if (world_.now() < limited) {
    asked.was_limited = true;
    const std::string field = retry_after_field(limited - world_.now());
    steps_.push_back({soon, refusal(429, "rate_limit_error", field)});
    return schedule_step();
  }
  switch (provider_.trouble_) {
    case Trouble::kFails:
      steps_.push_back({soon, refusal(500, "server_error", "")});
      break;
    case Trouble::kLimited:
    case Trouble::kLimitedFor: {
      asked.was_limited = true;
      const bool tells = provider_.trouble_ == Trouble::kLimitedFor;
      const std::string field = tells ? retry_after_field(provider_.retry_after) : "";
      steps_.push_back({soon, refusal(429, "rate_limit_error", field)});
      break;
    }
    case Trouble::kGarbage:
      steps_.push_back(
          {soon, std::string(kStreamHead) + chunk("data: <html>what is this\n\n") + "0\r\n\r\n"});
      break;
    case Trouble::kHalfHead:
      steps_.push_back({soon, "HTTP/1.1 200 OK\r\nContent-Ty", false, true});
      break;
    case Trouble::kHalfEvent:
      steps_.push_back(
          {soon, std::string(kStreamHead) + chunk("data: {\"id\":\"chatc"), false, true});
      break;
    default:
      if (!before.empty()) {
        if (!provider_.carries_on) world_.violation("asked to carry on what it cannot");
        carry_on(before);
        break;
      }
      if (provider_.trouble_ == Trouble::kCuts && world_.rng().chance(kShareCut)) {
        cut();
        break;
      }
      answer_well(provider_.trouble_ == Trouble::kSlow ? kSlowness : 1);
  }
  schedule_step();
}

void SteadyProvider::Visit::answer_well(std::int64_t slowness) {
  const Duration first =
      nanoseconds(world_.rng().between(provider_.first_token_min.ns, provider_.first_token_max.ns));
  steps_.push_back({first * slowness,
                    std::string(kStreamHead) +
                        chunk(event("{\"role\":\"assistant\",\"content\":\"\"}", "null")) +
                        chunk(event("{\"content\":\"water\"}", "null")),
                    true});
  steps_.push_back(
      {provider_.rest * slowness,
       chunk(event("{\"content\":\" wheel\"}", "null") + std::string(kEnd)) + "0\r\n\r\n"});
}

// What is missing of the text, be it nothing but its end.
void SteadyProvider::Visit::carry_on(std::string_view before) {
  if (!kWholeText.starts_with(before)) return world_.violation("asked to carry on another's text");
  const std::string missing(kWholeText.substr(before.size()));
  const std::string rest =
      missing.empty() ? "" : event("{\"content\":\"" + missing + "\"}", "null");
  steps_.push_back({provider_.first_token_min,
                    std::string(kStreamHead) +
                        chunk(event("{\"role\":\"assistant\",\"content\":\"\"}", "null")) +
                        chunk(rest + std::string(kEnd)) + "0\r\n\r\n",
                    true});
}

// Behind the first word, or the last, and never with the end that a stream has.
void SteadyProvider::Visit::cut() {
  answer_well(1);
  sample_->was_cut = true;
  Step& rest = steps_.back();
  rest.bytes.clear();
  Rng& rng = world_.rng();
  if (rng.chance(0.3)) rest.bytes = chunk(event("{\"content\":\" wheel\"}", "null"));
  switch (rng.below(6)) {
    case 0:
      rest.bytes += chunk("data: {\"choices\":[{\"delta\":{\"content\":\"wh");
      [[fallthrough]];
    case 1:
      rest.resets = true;
      break;
    case 2:
      rest.bytes += "0\r\n\r\n";
      break;
    case 3:
      rest.bytes += chunk("data: {\"error\":{\"message\":\"overloaded\",\"code\":503}}\n\n");
      break;
    case 4:
      rest.bytes += chunk("data: nonsense\n\n");
      break;
    default:
      rest.stands_still = true;
  }
}

void SteadyProvider::Visit::schedule_step() {
  world_.schedule(world_.now() + steps_.front().before, EventKind::kActor,
                  event_callback<&Visit::on_step>, this, ++number_);
}

void SteadyProvider::Visit::on_step(std::uint64_t number) {
  if (number != number_ || !end_.can_write()) return;
  is_due_ = provider_.trouble_ == Trouble::kHangs;
  if (is_due_) return;
  if (steps_.front().has_content) sample_->served_by = provider_.index_;
  stands_still_ = steps_.front().stands_still;
  resets_ = steps_.front().resets;
  unwritten_ = std::move(steps_.front().bytes);
  steps_.pop_front();
  if (unwritten_.empty()) return step_is_over();
  write_on();
}

void SteadyProvider::Visit::write_on() {
  if (unwritten_.empty() || !end_.can_write()) return;
  unwritten_.erase(0, end_.write(unwritten_));
  if (unwritten_.empty()) step_is_over();
}

void SteadyProvider::Visit::step_is_over() {
  if (resets_) return end_.reset(true);
  if (stands_still_) return;
  if (!steps_.empty()) return schedule_step();
  is_busy_ = false;
  if (reader_.is_whole()) answer();
}

SteadyProvider::SteadyProvider(World& world, Load& load, std::uint32_t index,
                               const io::Address& address)
    : world_(world),
      load_(load),
      index_(index),
      address_(address),
      port_(world.network().listen(address, *this, false)) {
  LEAT_CHECK(port_ != nullptr);
}

SteadyProvider::~SteadyProvider() = default;

void SteadyProvider::on_pending() {
  while (port_->has_pending()) {
    visits_.push_back(std::make_unique<Visit>(*this, port_->accept()));
  }
}

void SteadyProvider::set_trouble(Trouble trouble) {
  const Trouble before = trouble_;
  trouble_ = trouble;
  if (before == trouble) return;
  world_.say("provider %u: trouble: %s", index_, trouble_name(trouble));
  if (before == Trouble::kDead) {
    port_ = world_.network().listen(address_, *this, false);
    LEAT_CHECK(port_ != nullptr);
  }
  if (trouble == Trouble::kDead) {
    port_->close();
    for (const auto& visit : visits_) visit->reset();
  }
  if (before == Trouble::kHangs && trouble != Trouble::kDead) {
    for (const auto& visit : visits_) visit->go_on();
  }
}

void SteadyProvider::limit_key(std::uint32_t key, Duration retry_after) {
  if (key_limited_until_.size() <= key) key_limited_until_.resize(key + 1);
  key_limited_until_[key] = world_.now() + retry_after;
}

}  // namespace leat::sim
