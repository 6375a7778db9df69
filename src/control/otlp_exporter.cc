// SPDX-License-Identifier: Apache-2.0
#include "control/otlp_exporter.h"

#include <fmt/format.h>
#include <string.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "control/secret_text.h"
#include "dialect/wait_time.h"
#include "proto/json_value.h"

namespace leat::control {
namespace {

constexpr std::size_t kAnswerBytesMax = 64 * 1024;

net::PoolLimits pool_limits() {
  net::PoolLimits limits;
  limits.connections_max = 2;  // one in use, and one that is on its way out
  limits.idle_max = 1;
  limits.idle_time = seconds(30);
  return limits;
}

// The credential as a header has it, on the stack and wiped when it goes.
class Credential {
 public:
  Credential(std::string_view header, std::string_view secret) {
    const std::size_t colon = std::min(header.find(':'), header.size());
    name_ = header.substr(0, colon);
    if (colon < header.size()) {
      add(header.substr(colon + 2));
      add(" ");
    }
    add(secret);
  }
  ~Credential() { explicit_bzero(value_.data(), value_.size()); }
  Credential(const Credential&) = delete;
  Credential& operator=(const Credential&) = delete;

  proto::Field field() const { return {name_, {value_.data(), size_}}; }

 private:
  void add(std::string_view text) { size_ += text.copy(value_.data() + size_, text.size()); }

  std::string_view name_;
  // A word of the configuration's and a secret, at their longest.
  std::array<char, SecretText::kBytesMax + 256> value_;
  std::size_t size_ = 0;
};

// Of an answer's partialSuccess; 0 where it has none.
std::int64_t rejected_spans(std::string_view answer) {
  const auto partial = proto::json_find(answer, "partialSuccess");
  if (!partial) return 0;
  auto count = proto::json_find(*partial, "rejectedSpans");
  if (!count) return 0;
  // A 64-bit integer: text in OTLP's JSON, a number with some collectors.
  if (const auto text = proto::json_raw_string(*count)) count = *text;
  return proto::json_integer(*count, 0, INT64_MAX).value_or(0);
}

}  // namespace

OtlpExporter::OtlpExporter(shard::Shard& shard, Setup setup)
    : shard_(shard), setup_(std::move(setup)), pool_(shard, *setup_.dialer, pool_limits()) {}

OtlpExporter::~OtlpExporter() {
  hang_up();
  shard_.wheel().cancel(timer_);
  shard_.wheel().cancel(batch_timer_);
  pool_.drain();
}

void OtlpExporter::add(std::string_view spans, std::size_t count) {
  if (waiting_bytes_ + spans.size() > kWaitingBytesMax) {
    stats_.dropped += count;
    return;
  }
  if (open_.count == 0) {
    shard_.wheel().set(batch_timer_, shard_.now() + kBatchTime);
  } else {
    open_.spans += ',';
    ++waiting_bytes_;
  }
  open_.spans += spans;
  open_.count += count;
  waiting_bytes_ += spans.size();
  waiting_spans_ += count;
  if (open_.count >= kBatchSpansMax || open_.spans.size() >= kBatchBytesMax) close_batch();
}

void OtlpExporter::close_batch() {
  if (open_.count == 0) return;
  batches_.push_back(std::exchange(open_, {}));
  if (!in_flight_ && !is_pausing_) start_export();
}

bool OtlpExporter::finish() {
  close_batch();
  return in_flight_;
}

void OtlpExporter::on_batch_timer() {
  close_batch();
}

void OtlpExporter::start_export() {
  if (batches_.empty()) return;
  in_flight_ = true;
  status_ = 0;
  retry_after_s_ = -1;
  answer_.clear();
  if (first_try_ == kNever) first_try_ = shard_.now();
  shard_.wheel().set(timer_, shard_.now() + kExportTime);
  auto call = pool_.acquire(*this, false);
  if (call && *call == nullptr) return;  // on_upstream() follows
  on_upstream(std::move(call));
}

void OtlpExporter::on_upstream(Result<net::UpstreamCall*> call) {
  if (!call) return failed(call.error().what, true);
  call_ = *call;
  call_->begin(*this);
  write_request(*call_);
}

void OtlpExporter::write_request(net::UpstreamCall& call) {
  const Batch& batch = batches_.front();
  const std::size_t size = setup_.head.size() + batch.spans.size() + setup_.tail.size();
  body_ = Block::allocate(size);
  for (const std::string_view part : {std::string_view(setup_.head), std::string_view(batch.spans),
                                      std::string_view(setup_.tail)}) {
    std::memcpy(body_->data() + body_->size, part.data(), part.size());
    body_->size += part.size();
  }
  Credential credential(setup_.settings.secret_header, setup_.secret);
  const proto::Field field = credential.field();
  proto::RequestOptions options;
  options.target = setup_.settings.endpoint.path_prefix;
  options.host = setup_.settings.endpoint.authority;
  options.content_length = size;
  if (!setup_.secret.empty()) options.fields = {&field, 1};
  const std::string_view whole(body_->data(), size);
  const auto sent = call.send(options, {.block = body_.get(), .pieces = {&whole, 1}});
  if (!sent) failed("the request cannot be written", false);
}

void OtlpExporter::on_reply_head(const proto::ResponseHead& head) {
  status_ = head.status;
  const auto wait =
      dialect::read_wait_ms(head.retry_after, shard_.io().wall_now().unix_ns / 1'000'000);
  if (wait) retry_after_s_ = (*wait + 999) / 1000;
}

void OtlpExporter::on_reply_body(std::string_view bytes) {
  answer_.append(bytes.substr(0, kAnswerBytesMax - std::min(kAnswerBytesMax, answer_.size())));
}

void OtlpExporter::on_reply_end() {
  call_ = nullptr;
  if (status_ >= 200 && status_ < 300) return succeeded();
  const bool may_retry = status_ == 429 || (status_ >= 502 && status_ <= 504);
  failed(fmt::format("status {}", status_), may_retry);
}

void OtlpExporter::on_reply_failed(const Error& why) {
  call_ = nullptr;
  failed(why.what, true);
}

void OtlpExporter::on_timer() {
  if (std::exchange(is_pausing_, false)) return start_export();
  failed("no answer in time", true);
}

void OtlpExporter::succeeded() {
  const std::size_t count = batches_.front().count;
  const auto rejected = static_cast<std::size_t>(
      std::min<std::int64_t>(rejected_spans(answer_), static_cast<std::int64_t>(count)));
  stats_.exported += count - rejected;
  stats_.dropped += rejected;
  if (std::exchange(is_in_trouble_, false) && on_trouble) on_trouble("traces: exports go on");
  pause_ = kPauseFirst;
  drop_first();
  hang_up();
  start_export();
}

void OtlpExporter::failed(std::string_view why, bool may_retry) {
  ++stats_.failures;
  hang_up();
  if (!std::exchange(is_in_trouble_, true) && on_trouble) {
    on_trouble(fmt::format("traces: the collector takes no spans: {}", why));
  }
  const Instant now = shard_.now();
  if (!may_retry || now >= first_try_ + kTriesTime) {
    stats_.dropped += batches_.front().count;
    drop_first();
  }
  // Half of it by chance, so that many nodes do not come back at once.
  Duration wait{pause_.ns / 2 + shard_.rng().between(0, pause_.ns / 2)};
  if (retry_after_s_ >= 0) {
    wait = std::max(wait, std::min(seconds(retry_after_s_), kTriesTime));
  }
  pause_ = std::min(pause_ * 2, kPauseMax);
  is_pausing_ = true;
  shard_.wheel().set(timer_, now + wait);
}

void OtlpExporter::drop_first() {
  Batch& first = batches_.front();
  waiting_spans_ -= first.count;
  waiting_bytes_ -= first.spans.size();
  batches_.pop_front();
  first_try_ = kNever;
}

void OtlpExporter::hang_up() {
  PoolWaiter::unlink();
  if (call_ != nullptr) std::exchange(call_, nullptr)->cancel();
  body_.reset();
  in_flight_ = false;
  shard_.wheel().cancel(timer_);
}

}  // namespace leat::control
