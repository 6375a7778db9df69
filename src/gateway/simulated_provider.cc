// SPDX-License-Identifier: Apache-2.0
#include "gateway/simulated_provider.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>
#include <vector>

#include "dialect/openai_request.h"
#include "dialect/prompt_input.h"
#include "proto/http1_write.h"
#include "proto/json_value.h"

namespace leat::gateway {

namespace {

// Common words, so that the text reads like text.
constexpr std::string_view kWords[] = {
    "water ", "finds ", "its ", "own ",   "way ",   "down ",  "the ",   "hill ",
    "and ",   "turns ", "the ", "mill ",  "while ", "no ",    "one ",   "has ",
    "to ",    "push ",  "it ",  "there ", "by ",    "hand, ", "which ", "is ",
    "all ",   "that ",  "a ",   "leat ",  "was ",   "ever ",  "for. ",  "So "};
constexpr std::size_t kBacklogMax = 256 * 1024;
constexpr std::uint32_t kTokensPerTick = 256;  // "as fast as it can" still takes turns

constexpr std::int64_t kDimensions = 64;  // of a vector, where the request says nothing
constexpr std::int64_t kDimensionsMax = 4'096;
constexpr std::int64_t kNumbersMax = 1'000'000;  // of one answer

RequestKind kind_of(std::string_view path) {
  for (const RequestKind kind : {RequestKind::kChat, RequestKind::kEmbeddings}) {
    if (path.ends_with(request_path(kind))) return kind;
  }
  return path.ends_with(request_path(RequestKind::kText)) ? RequestKind::kText : RequestKind::kChat;
}

const char* object_of_chunks(RequestKind kind) {
  return kind == RequestKind::kText ? "text_completion" : "chat.completion.chunk";
}

std::uint64_t mix(std::uint64_t seed) {
  seed *= 0x9e3779b97f4a7c15;
  return seed ^ seed >> 29;
}

// Of length one, as models make them.
void append_vector(std::uint64_t seed, std::int64_t dimensions, std::string& to) {
  std::vector<double> numbers(static_cast<std::size_t>(dimensions));
  double sum = 0;
  for (double& number : numbers) {
    number = static_cast<double>(mix(++seed) >> 11) / static_cast<double>(1ULL << 52) - 1;
    sum += number * number;
  }
  const double length = sum > 0 ? std::sqrt(sum) : 1;
  char digits[32];
  to += '[';
  for (const double number : numbers) {
    if (to.back() != '[') to += ',';
    const int size = std::snprintf(digits, sizeof digits, "%.8g", number / length);
    to.append(digits, static_cast<std::size_t>(size));
  }
  to += ']';
}

std::uint64_t hash(std::string_view text) {
  std::uint64_t h = 0xcbf29ce484222325;  // FNV-1a
  for (const char c : text) h = (h ^ static_cast<std::uint8_t>(c)) * 0x100000001b3;
  return h;
}

// The pipe's way of opening a connection: there at once.
class PipeDial final : public net::Dial, private net::StreamUser {
 public:
  PipeDial(SimulatedProvider& provider, const SimulatedOptions& options)
      : provider_(provider), options_(options) {}
  ~PipeDial() override {
    if (stream_ != nullptr) stream_->abort();
  }
  void start(net::DialSink& sink) override {
    sink_ = &sink;
    stream_ = &provider_.connect(options_, *this);
  }

 private:
  void on_open() override {
    net::Stream* stream = stream_;
    stream_ = nullptr;
    sink_->on_dialed(*this, stream);
  }
  void on_bytes(std::span<char>) override {}
  void on_block_bytes(std::size_t) override {}
  void on_end(const Error& why) override {
    stream_->abort();
    stream_ = nullptr;
    sink_->on_dialed(*this, fail(why));
  }
  void on_drained() override {}

  SimulatedProvider& provider_;
  const SimulatedOptions options_;
  net::DialSink* sink_ = nullptr;
  net::Stream* stream_ = nullptr;
};

class PipeDialer final : public net::Dialer {
 public:
  PipeDialer(SimulatedProvider& provider, const SimulatedOptions& options)
      : provider_(provider), options_(options) {}
  std::unique_ptr<net::Dial> new_dial() override {
    return std::make_unique<PipeDial>(provider_, options_);
  }

 private:
  SimulatedProvider& provider_;
  const SimulatedOptions options_;
};

}  // namespace

SimulatedProvider::~SimulatedProvider() {
  while (SimulatedConn* conn = open_.pop_front()) conns_.destroy(conn);
}

std::unique_ptr<net::Dialer> SimulatedProvider::new_dialer(const SimulatedOptions& options) {
  return std::make_unique<PipeDialer>(*this, options);
}

net::Stream& SimulatedProvider::connect(const SimulatedOptions& options, net::StreamUser& client) {
  SimulatedConn* conn = conns_.create(*this, options);
  open_.push_back(*conn);
  const net::PipeStreams::Pair pair = pipes_.connect(client, conn->stream_user());
  conn->attach(*pair.server);
  return *pair.client;
}

void SimulatedConn::close() {
  if (closed_) return;
  closed_ = true;
  stream_->abort();
  owner_.shard().wheel().cancel(timer_);
  owner_.shard().defer(*this);
}

void SimulatedConn::run_deferred() {
  owner_.free(this);
}

// ---- Requests ----------------------------------------------------------------------------------

void SimulatedConn::on_bytes(std::span<char> bytes) {
  input_.append(bytes.data(), bytes.size());
  if (!answering_) read_request();
}

void SimulatedConn::read_request() {
  auto head = std::make_unique<proto::RequestHead>();
  const proto::HeadStatus status = parser_.parse(input_, *head);
  if (status.need_more()) return;
  if (!status.complete()) return close();
  const std::size_t whole = status.head_bytes + head->content_length.value_or(0);
  if (input_.size() < whole) return;
  parser_.reset();
  const std::string body = input_.substr(status.head_bytes, whole - status.head_bytes);
  kind_ = kind_of(head->path);
  input_.erase(0, whole);
  begin_answer(body);
}

void SimulatedConn::begin_answer(std::string_view body) {
  proto::JsonScanner scanner;
  auto request = std::make_unique<dialect::ChatRequest>();
  answering_ = true;
  if (scanner.scan(body, true) != proto::JsonStatus::kDone ||
      dialect::read_chat_request(scanner, body, *request)) {
    return answer_error(400);
  }
  if (kind_ == RequestKind::kEmbeddings && !make_vectors(scanner, body)) return answer_error(400);
  seed_ = hash(body);
  prompt_bytes_ = body.size();
  streams_ = request->stream;
  usage_asked_ = request->wants_usage;
  tokens_ = options_.tokens;
  finish_reason_ = "stop";
  if (request->output_max > 0 && request->output_max < tokens_) {
    tokens_ = static_cast<std::uint32_t>(request->output_max);
    finish_reason_ = "length";
  }
  sent_ = 0;
  has_head_ = false;
  Rng& rng = owner_.shard().rng();
  cut_ = rng.below(100) < options_.cut_percent;
  if (rng.below(100) < options_.stall_percent) return;
  if (rng.below(100) < options_.error_percent) {
    return answer_error(static_cast<int>(options_.error_status));
  }
  started_ = owner_.shard().now() + milliseconds(options_.first_token_ms);
  owner_.shard().wheel().set(timer_, started_);
}

// ---- Answers -----------------------------------------------------------------------------------

std::string_view SimulatedConn::word(std::uint32_t index) const {
  return kWords[mix(seed_ + index) % std::size(kWords)];
}

void SimulatedConn::tick() {
  if (closed_ || !answering_) return;
  if (!streams_) return answer_whole();
  write_tokens();
}

void SimulatedConn::write_tokens() {
  shard::Shard& shard = owner_.shard();
  if (stream_->backlog_bytes() >= kBacklogMax) return;  // on_drained() goes on
  if (!std::exchange(has_head_, true)) {
    char head[512];
    proto::ResponseOptions options;
    options.framing = proto::BodyFraming::kChunked;
    const auto written = proto::write_sse_head(head, options);
    stream_->write(*written);
    if (kind_ == RequestKind::kChat) {
      write_event("\"delta\":{\"role\":\"assistant\",\"content\":\"\"}", nullptr);
    }
  }
  const std::uint32_t rate = options_.tokens_per_second;
  std::uint32_t due = std::min(tokens_, sent_ + kTokensPerTick);
  if (rate != 0) {
    const std::int64_t elapsed = (shard.now() - started_).ns;
    const std::int64_t count = elapsed * rate / 1'000'000'000 + 1;
    due = static_cast<std::uint32_t>(std::min<std::int64_t>(due, count));
    if (due < tokens_) due -= due % options_.events_per_write;
  }
  for (; sent_ < due; ++sent_) {
    if (cut_ && sent_ == tokens_ / 2) return close();
    write_word(word(sent_), nullptr);
  }
  if (sent_ == tokens_) return finish_stream();
  const std::int64_t next = sent_ + options_.events_per_write - 1;
  const Duration wait = rate == 0 ? Duration{} : Duration{next * 1'000'000'000 / rate};
  shard.wheel().set(timer_, rate == 0 ? shard.now() : started_ + wait);
}

// An empty one says nothing but how it ended.
void SimulatedConn::write_word(std::string_view word, const char* finish) {
  std::string said = kind_ == RequestKind::kText ? "\"text\":\"" : "\"delta\":{\"content\":\"";
  said += word;
  said += kind_ == RequestKind::kText ? "\"" : "\"}";
  if (word.empty() && kind_ == RequestKind::kChat) said = "\"delta\":{}";
  write_event(said, finish);
}

void SimulatedConn::write_event(std::string_view said, const char* finish) {
  char event[512];
  const std::string reason = finish == nullptr ? "null" : "\"" + std::string(finish) + "\"";
  const int size = std::snprintf(
      event, sizeof event,
      "data: {\"id\":\"chatcmpl-%016llx\",\"object\":\"%s\",\"created\":%lld,"
      "\"model\":\"simulated\",\"system_fingerprint\":\"fp_leat\",\"choices\":[{\"index\":0,"
      "%.*s,\"logprobs\":null,\"finish_reason\":%s}]}\n\n",
      static_cast<unsigned long long>(seed_), object_of_chunks(kind_),
      static_cast<long long>(owner_.shard().io().wall_now().unix_seconds()),
      static_cast<int>(said.size()), said.data(), reason.c_str());
  char header[16];
  const int framed = std::snprintf(header, sizeof header, "%x\r\n", static_cast<unsigned>(size));
  stream_->write({header, static_cast<std::size_t>(framed)});
  stream_->write({event, static_cast<std::size_t>(size)});
  stream_->write(proto::kChunkEnd);
}

void SimulatedConn::finish_stream() {
  write_word("", finish_reason_);
  std::string last;
  if (usage_asked_) {
    const std::uint64_t prompt = prompt_bytes_ / 4 + 1;
    last = "data: {\"id\":\"chatcmpl-simulated\",\"object\":\"" +
           std::string(object_of_chunks(kind_)) +
           "\",\"created\":" + std::to_string(owner_.shard().io().wall_now().unix_seconds()) +
           ",\"model\":\"simulated\",\"choices\":[],\"usage\":{\"prompt_tokens\":" +
           std::to_string(prompt) + ",\"completion_tokens\":" + std::to_string(tokens_) +
           ",\"total_tokens\":" + std::to_string(prompt + tokens_) + "}}\n\n";
  }
  last += "data: [DONE]\n\n";
  char header[16];
  const int framed =
      std::snprintf(header, sizeof header, "%x\r\n", static_cast<unsigned>(last.size()));
  stream_->write({header, static_cast<std::size_t>(framed)});
  stream_->write(last);
  stream_->write(proto::kChunkEnd);
  stream_->write(proto::kLastChunk);
  answering_ = false;
  if (!input_.empty()) read_request();
}

// The list of an answer, one vector for each input; floats only, whatever encoding was asked for:
// the gateway sees to that, as it must with providers that know no other. False: 400.
bool SimulatedConn::make_vectors(const proto::JsonScanner& scanner, std::string_view body) {
  dialect::PromptInput input;
  dialect::RoutingFault fault;
  if (!dialect::read_embeddings_input(scanner, body, input, fault)) return false;
  std::int64_t dimensions = kDimensions;
  if (const proto::JsonField* field = scanner.find(proto::TopKey::kDimensions)) {
    dimensions = proto::json_integer(field->value(body), 1, kDimensionsMax).value_or(kDimensions);
  }
  if (dimensions * input.count > kNumbersMax) return false;
  const std::string_view value = scanner.find(proto::TopKey::kInput)->value(body);
  vectors_ = "[";
  const auto add = [&](std::string_view text, std::uint32_t index) {
    if (index != 0) vectors_ += ',';
    vectors_ += "{\"object\":\"embedding\",\"index\":" + std::to_string(index);
    vectors_ += ",\"embedding\":";
    append_vector(hash(text), dimensions, vectors_);
    vectors_ += '}';
  };
  if (input.kind == dialect::InputKind::kText || input.kind == dialect::InputKind::kTokens) {
    add(value, 0);
  } else {
    proto::JsonElements elements(value);
    std::string_view element;
    for (std::uint32_t i = 0; elements.next(element); ++i) add(element, i);
  }
  vectors_ += ']';
  return true;
}

void SimulatedConn::answer_whole() {
  if (kind_ == RequestKind::kEmbeddings) {
    const std::string prompt = std::to_string(prompt_bytes_ / 4 + 1);
    return answer(200, "{\"object\":\"list\",\"model\":\"simulated\",\"data\":" + vectors_ +
                           ",\"usage\":{\"prompt_tokens\":" + prompt +
                           ",\"total_tokens\":" + prompt + "}}");
  }
  const bool is_text = kind_ == RequestKind::kText;
  std::string text;
  for (std::uint32_t i = 0; i < tokens_; ++i) text += word(i);
  const std::uint64_t prompt = prompt_bytes_ / 4 + 1;
  const std::string body =
      std::string("{\"id\":\"chatcmpl-simulated\",\"object\":\"") +
      (is_text ? "text_completion" : "chat.completion") +
      "\",\"created\":" + std::to_string(owner_.shard().io().wall_now().unix_seconds()) +
      ",\"model\":\"simulated\",\"system_fingerprint\":\"fp_leat\",\"choices\":[{\"index\":0," +
      (is_text
           ? "\"text\":\"" + text + "\""
           : "\"message\":{\"role\":\"assistant\",\"content\":\"" + text + "\",\"refusal\":null}") +
      ",\"logprobs\":null,\"finish_reason\":\"" + finish_reason_ +
      "\"}],\"usage\":{\"prompt_tokens\":" + std::to_string(prompt) +
      ",\"completion_tokens\":" + std::to_string(tokens_) +
      ",\"total_tokens\":" + std::to_string(prompt + tokens_) + "}}";
  answer(200, body);
}

void SimulatedConn::answer_error(int status) {
  answer(status,
         "{\"error\":{\"message\":\"The simulated provider fails on purpose.\",\"type\":"
         "\"server_error\",\"param\":null,\"code\":null}}");
}

void SimulatedConn::answer(int status, std::string_view body) {
  char head[512];
  proto::ResponseOptions options;
  options.status = status;
  options.content_length = body.size();
  stream_->write(*proto::write_response_head(head, options));
  stream_->write(body);
  answering_ = false;
  if (!input_.empty()) read_request();
}

}  // namespace leat::gateway
