// SPDX-License-Identifier: Apache-2.0
#include "simulation/load.h"

#include <charconv>
#include <cmath>

#include "base/check.h"

namespace leat::sim {

namespace {

constexpr std::string_view kMark = "sample-";
constexpr std::size_t kNumberDigits = 8;
constexpr std::string_view kContent = "\"content\":\"w";  // the role's event has none
constexpr std::string_view kDone = "data: [DONE]\n\n";
constexpr std::string_view kError = "data: {\"error\":";
constexpr std::string_view kSeam = ": leat-continued\n\n";

// What the events of an answer say.
std::string text_of(std::string_view body) {
  constexpr std::string_view kKey = "\"content\":\"";
  std::string text;
  for (std::size_t at = body.find(kKey); at != std::string_view::npos; at = body.find(kKey, at)) {
    at += kKey.size();
    text += body.substr(at, body.find('"', at) - at);
  }
  return text;
}

std::string request_of(const LoadOptions& options, std::size_t number, bool is_modest) {
  const std::string title = title_of(number);
  const std::string body = "{\"model\":\"" + options.model +
                           "\",\"messages\":[{\"role\":\"user\",\"content\":\"" + title +
                           "\"}],\"stream\":true}";
  return "POST /v1/chat/completions HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer " +
         (is_modest ? options.modest_key : options.key) + "\r\nX-Title: " + title +
         "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

}  // namespace

std::string title_of(std::uint64_t number) {
  char digits[24];
  std::snprintf(digits, sizeof digits, "%0*llu", static_cast<int>(kNumberDigits),
                static_cast<unsigned long long>(number));
  return std::string(kMark) + digits;
}

// One client with one connection, which it keeps as long as it may.
class Load::Caller final : private EndUser {
 public:
  explicit Caller(Load& load) : load_(load) {}

  void ask(Sample& sample, std::size_t index) {
    sample_ = &sample;
    title_ = title_of(index);
    unwritten_ = request_of(load_.options_, index, sample.is_modest);
    seen_ = 0;
    if (end_ == nullptr) {
      reader_ = HttpReader(HttpReader::Kind::kResponse);
      const auto number = static_cast<std::uint32_t>(load_.connections_.size());
      const auto host = io::Address::v4(10, 1, static_cast<std::uint8_t>(number >> 8 & 0xff),
                                        static_cast<std::uint8_t>(number & 0xff), 30'000);
      end_ = &load_.world_.network().connect(host, load_.options_.gateway, *this).end(0);
      is_connecting_ = true;
    } else if (!is_connecting_) {
      on_room();
    }
  }
  void hang_up() {
    if (end_ != nullptr) end_->close();
    end_ = nullptr;
  }

 private:
  void on_established() override {
    is_connecting_ = false;
    on_room();
  }
  void on_connect_failed(int) override { over(); }
  void on_room() override {
    if (end_->can_write()) unwritten_.erase(0, end_->write(unwritten_));
  }
  void on_readable() override;
  void look();
  void finish();
  void note_seams();
  // The connection has ended.
  void over();

  Load& load_;
  End* end_ = nullptr;  // null: not connected
  HttpReader reader_{HttpReader::Kind::kResponse};
  Sample* sample_ = nullptr;  // the request under way
  std::string title_;
  std::string unwritten_;
  std::size_t seen_ = 0;  // of the body
  bool is_connecting_ = false;
};

void Load::Caller::on_readable() {
  const std::size_t size = end_->readable().size();
  reader_.feed(end_->readable());
  end_->consume(size);
  if (sample_ != nullptr) look();
  if (!reader_.fault().empty()) {
    load_.world_.violation("client: " + reader_.fault());
    return over();
  }
  if (sample_ != nullptr && reader_.is_whole()) finish();
  if (end_ != nullptr && (end_->at_end() || end_->error() != 0)) over();
}

// What of the body is new.
void Load::Caller::look() {
  const std::string& body = reader_.body();
  if (sample_->first_token != kNever || body.size() == seen_) return;
  const std::size_t from = seen_ < kContent.size() ? 0 : seen_ - kContent.size();
  seen_ = body.size();
  if (body.find(kContent, from) != std::string::npos) {
    sample_->first_token = load_.world_.now();
  }
}

void Load::Caller::finish() {
  Sample& sample = *sample_;
  const std::string& body = reader_.body();
  sample.ended = load_.world_.now();
  sample.status = reader_.status();
  sample.is_whole = sample.status == 200 && body.ends_with(kDone);
  if (sample.is_whole && body.find(kError) != std::string::npos) {
    load_.world_.violation("both an error and an end");
  }
  if (sample.is_whole && text_of(body) != kWholeText) {
    load_.world_.violation("a whole answer says: " + text_of(body));
  }
  if (sample.has_failed()) {
    sample.refusal = body.substr(0, 400);
    sample.should_retry = reader_.field("x-should-retry");
  }
  if (sample.is_whole && load_.on_whole) load_.on_whole(title_);
  note_seams();
  sample_ = nullptr;
  --load_.open_;
  if (!reader_.keeps_alive()) {
    end_->close();
    end_ = nullptr;
  }
  reader_.next();
  load_.idle_.push_back(this);
}

void Load::Caller::note_seams() {
  const std::string& body = reader_.body();
  for (std::size_t at = body.find(kSeam); at != std::string::npos; at = body.find(kSeam, at + 1)) {
    ++sample_->seams;
  }
}

void Load::Caller::over() {
  if (end_ != nullptr) end_->close();
  end_ = nullptr;
  is_connecting_ = false;
  if (sample_ == nullptr) return;
  sample_->ended = load_.world_.now();
  sample_->status = reader_.has_head() ? reader_.status() : 0;
  if (sample_->has_failed()) sample_->refusal = "the connection ended";
  note_seams();
  sample_ = nullptr;
  --load_.open_;
  load_.idle_.push_back(this);
}

Load::Load(World& world, const LoadOptions& options) : world_(world), options_(options) {}

Load::~Load() = default;

void Load::start() {
  schedule_next();
}

// Poisson: as many independent clients come.
void Load::schedule_next() {
  const double gap = -std::log(1 - world_.rng().unit()) / options_.per_second;
  world_.schedule(world_.now() + nanoseconds(static_cast<std::int64_t>(gap * 1e9)),
                  EventKind::kActor, event_callback<&Load::ask>, this);
}

void Load::ask(std::uint64_t) {
  if (is_stopped_) return;
  Sample& sample = samples_.emplace_back();
  sample.started = world_.now();
  if (options_.modest_share > 0) sample.is_modest = world_.rng().chance(options_.modest_share);
  ++open_;
  if (idle_.empty()) {
    connections_.push_back(std::make_unique<Caller>(*this));
    idle_.push_back(connections_.back().get());
  }
  // Any of them, so that no shard is favoured.
  std::swap(idle_[world_.rng().below(idle_.size())], idle_.back());
  Caller& caller = *idle_.back();
  idle_.pop_back();
  caller.ask(sample, samples_.size() - 1);
  schedule_next();
}

void Load::hang_up() {
  for (Caller* caller : idle_) caller->hang_up();
}

Sample* Load::sample_of(std::string_view body) {
  const std::size_t at = body.find(kMark);
  if (at == std::string_view::npos || body.size() < at + kMark.size() + kNumberDigits) {
    return nullptr;
  }
  const char* digits = body.data() + at + kMark.size();
  std::size_t number = 0;
  const auto read = std::from_chars(digits, digits + kNumberDigits, number);
  if (read.ptr != digits + kNumberDigits || number >= samples_.size()) return nullptr;
  return &samples_[number];
}

}  // namespace leat::sim
