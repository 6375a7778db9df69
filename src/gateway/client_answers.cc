// SPDX-License-Identifier: Apache-2.0
// Writing: whole answers, refusals, and what happens to the connection after them.
#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <utility>

#include "gateway/client_conn.h"
#include "gateway/configured_keys.h"
#include "gateway/gateway.h"

namespace leat::gateway {

namespace {

using dialect::ErrorKind;

constexpr std::size_t kHeadRoom = 2048;

// The API's error shape (dialect/errors.h) for what HTTP itself refuses; all texts are ours.
void write_fault_body(dialect::Face face, const proto::HttpFaultInfo& info,
                      proto::JsonWriter& out) {
  out.raw("{\"error\":{\"message\":");
  out.string(info.text);
  if (face == dialect::Face::kOpenRouter) {
    out.raw(",\"code\":");
    out.integer(info.status);
    out.raw(",\"metadata\":{\"error_type\":");
    out.string(info.name);
    out.raw("}}}");
    return;
  }
  out.raw(",\"type\":\"invalid_request_error\",\"code\":");
  out.string(info.name);
  out.raw(",\"param\":null}}");
}

}  // namespace

bool ClientConn::keeps_alive() const {
  // Who waits for 100 Continue and gets an answer may leave the body out: then the next head stands
  // where it would have been (RFC 9110 10.1.1).
  // Who has closed its sending side is still owed what it had asked by then.
  const bool is_last = half_closed_ && !kept_;
  return wants_keep_alive_ && !awaits_continue_ && !draining_ && !is_last &&
         gateway_.shedding().keeps_alive(gateway_.limits(), is_tls_, is_shed_);
}

void ClientConn::answer(int status, std::string_view content_type, std::string_view body,
                        std::span<const proto::Field> fields) {
  LEAT_CHECK(fields.size() <= kFieldsMax);
  proto::Field all[kFieldsMax + 2] = {{"date", gateway_.date()}, {"x-request-id", request_id_}};
  std::size_t count = 2;
  for (const proto::Field& field : fields) all[count++] = field;
  proto::ResponseOptions options;
  options.status = status;
  options.content_length = body.size();
  options.content_type = content_type;
  options.keep_alive = said_keep_alive_ = keeps_alive();
  options.http10 = http10_;
  options.fields = {all, count};
  char* place = out_->prepare(kHeadRoom);
  const auto head = proto::write_response_head({place, kHeadRoom}, options);
  LEAT_CHECK(head.has_value());
  out_->commit(head->size());
  // A client takes what follows the answer to HEAD for its next answer (RFC 9110 9.3.2).
  if (!is_head_) out_->write(body);
  count_answer(status);
  if (exchange_ == nullptr) tell_answered();
}

const RequestStory& ClientConn::story() {
  story_.bytes_in = received_;
  story_.bytes_out = stream_->bytes_written() - story_.written_before;
  return story_;
}

// Of a request that was no exchange's: its answer is its end.
void ClientConn::tell_answered() {
  if (!gateway_.teller().is_on()) return;
  const Instant now = gateway_.shard().now();
  const WallTime wall = gateway_.shard().io().wall_now();
  KeyName room;
  RequestEvent event;
  event.record.request_id = request_id_;
  event.record.key_id = key_name(gateway_.snapshot().options(), story_.key, room);
  event.record.began = {wall.unix_ns - (now - story_.began).ns};
  if (route_.action == Action::kInference) event.record.api = api_name(route_.request);
  gateway_.teller().tell(event, story(), now);
}

void ClientConn::count_answer(int status) {
  story_.status = static_cast<std::uint16_t>(status);
  const auto its_class = static_cast<std::uint8_t>(status / 100 % 6);
  if (out_ != stream_) {
    held_class_ = its_class;
  } else {
    gateway_.counters().responses_by_class[its_class].add();
  }
}

void ClientConn::answer_error(ErrorKind kind, const dialect::ErrorDetail& detail,
                              const RetryAdvice& advice) {
  const dialect::ErrorRow& row = dialect::error_row(kind);
  char room[dialect::kErrorBytesMax];
  proto::JsonWriter body(room);
  dialect::write_error_body(route_.face, kind, detail, body);
  proto::Field fields[4];
  std::size_t count = 0;
  const dialect::ShouldRetry should_retry =
      advice.should_retry != dialect::ShouldRetry::kUnsaid ? advice.should_retry : row.should_retry;
  if (should_retry != dialect::ShouldRetry::kUnsaid) {
    fields[count++] = {"x-should-retry",
                       should_retry == dialect::ShouldRetry::kTrue ? "true" : "false"};
  }
  const bool limited = row.status == 429 || row.status == 503;
  char wait[24];
  // Who is told not to come back is not told when.
  const bool may_return = advice.should_retry != dialect::ShouldRetry::kFalse;
  if (advice.retry_after_s >= 0 || (limited && may_return)) {
    const bool blocked = kind == ErrorKind::kTooManyFailures;
    const std::int64_t usual =
        blocked ? (gateway_.limits().failed_auth_block_ms + 999) / 1000 : std::uint32_t{1};
    const std::int64_t seconds = advice.retry_after_s >= 0 ? advice.retry_after_s : usual;
    *std::to_chars(wait, wait + sizeof wait - 1, seconds).ptr = '\0';
    fields[count++] = {"retry-after", wait};
  }
  if (row.status == 401) fields[count++] = {"www-authenticate", "Bearer"};
  if (row.status == 405) fields[count++] = {"allow", route_.allow};
  gateway_.counters().refused_by_kind[static_cast<std::size_t>(kind)].add();
  if (story_.reason.empty()) story_.reason = row.error_type;
  answer(row.status, "application/json", body.text(), {fields, count});
}

// The fields of an answer that a provider gives, into `all`; their number.
std::size_t ClientConn::begin_fields(const char* generation_id, std::span<const proto::Field> more,
                                     std::span<proto::Field> all) {
  LEAT_CHECK(more.size() < kFieldsMax);
  all[0] = {"date", gateway_.date()};
  all[1] = {"x-request-id", request_id_};
  all[2] = {"x-generation-id", generation_id};
  std::ranges::copy(more, all.begin() + 3);
  return 3 + more.size();
}

void ClientConn::begin_stream(const char* generation_id, std::span<const proto::Field> more) {
  if (http10_) wants_keep_alive_ = false;  // its end is the connection's end
  proto::Field fields[kFieldsMax + 2];
  const std::size_t count = begin_fields(generation_id, more, fields);
  proto::ResponseOptions options;
  options.framing = http10_ ? proto::BodyFraming::kUntilClose : proto::BodyFraming::kChunked;
  options.keep_alive = said_keep_alive_ = keeps_alive();
  options.http10 = http10_;
  options.fields = {fields, count};
  char* place = out_->prepare(kHeadRoom);
  const auto head = proto::write_sse_head({place, kHeadRoom}, options);
  LEAT_CHECK(head.has_value());
  out_->commit(head->size());
  count_answer(200);
}

void ClientConn::begin_body(std::string_view content_type, const char* generation_id,
                            std::span<const proto::Field> more) {
  LEAT_CHECK(!http10_);
  proto::Field fields[kFieldsMax + 2];
  const std::size_t count = begin_fields(generation_id, more, fields);
  proto::ResponseOptions options;
  options.framing = proto::BodyFraming::kChunked;
  options.content_type = content_type;
  options.keep_alive = said_keep_alive_ = keeps_alive();
  options.fields = {fields, count};
  char* place = out_->prepare(kHeadRoom);
  const auto head = proto::write_response_head({place, kHeadRoom}, options);
  LEAT_CHECK(head.has_value());
  out_->commit(head->size());
  count_answer(200);
}

void ClientConn::hold_end() {
  if (held_ == nullptr) held_ = std::make_unique<net::HeldStream>(*stream_);
  out_ = held_.get();
}

void ClientConn::pass_on_end() {
  if (out_ == stream_) return;
  out_ = stream_;
  held_->pass_on();
  const std::uint8_t its_class = std::exchange(held_class_, std::uint8_t{0});
  if (its_class != 0) gateway_.counters().responses_by_class[its_class].add();
}

void ClientConn::drop_end() {
  out_ = stream_;
  held_->drop();
  held_class_ = 0;
}

void ClientConn::write_body(std::string_view bytes) {
  if (bytes.empty()) return;
  char reserve[proto::kChunkHeaderBytesMax];
  const std::size_t size =
      proto::write_chunk_header(reserve, static_cast<std::uint32_t>(bytes.size()));
  out_->write({reserve + sizeof reserve - size, size});
  out_->write(bytes);
  out_->write(proto::kChunkEnd);
}

void ClientConn::end_body() {
  out_->write(proto::kLastChunk);
}

// A head, or a chunked body, that cannot be understood: where the next request would begin is not
// known, so the connection ends with the answer.
void ClientConn::refuse_head(proto::HttpFault fault) {
  const proto::HttpFaultInfo& info = proto::fault_info(fault);
  gateway_.counters().refused_by_fault[static_cast<std::size_t>(fault)].add();
  story_.reason = info.name;
  gateway_.refused(info.name, exchange_ != nullptr ? exchange_->key() : 0, peer_, received_);
  wants_keep_alive_ = false;
  char room[dialect::kErrorBytesMax];
  proto::JsonWriter body(room);
  write_fault_body(route_.face, info, body);
  // What we serve at all: CONNECT and TRACE are refused whatever their target (RFC 9110 15.5.6).
  const proto::Field allow[] = {{"allow", "GET, POST"}};
  const std::size_t count = info.status == 405 ? 1 : 0;
  answer(info.status, "application/json", body.text(), {allow, count});
  if (exchange_ != nullptr) {
    exchange_->abandon();
    exchange_ = nullptr;
  }
  close_after_answer();
}

// A request that is understood and not served. Most rows of threats-and-faults.md 3.4 keep the
// connection, 413 and 408 (3.3) close it. Kept or not, an answer sent before its body was read has
// a row of its own (CVE-2025-4366) that stands above the others: the rest is skipped where that is
// little; else the connection ends with the answer. A chunked body says how much is left only as it
// comes: discard() closes once it was too much.
void ClientConn::refuse(ErrorKind kind, const dialect::ErrorDetail& detail, const char* reason,
                        const RetryAdvice& advice) {
  story_.reason = reason;
  gateway_.refused(reason, exchange_ != nullptr ? exchange_->key() : 0, peer_, received_);
  const bool little = is_chunked_ || length_left_ <= gateway_.limits().drain_bytes_max;
  if (!little || kind == ErrorKind::kPayloadTooLarge || kind == ErrorKind::kRequestTimeout) {
    wants_keep_alive_ = false;
  }
  answer_error(kind, detail, advice);
  if (exchange_ != nullptr) {
    exchange_->abandon();
    exchange_ = nullptr;
  }
  after_answer();
}

// What its answer has told the client is kept, even if we yield before that has ended.
bool ClientConn::stays_open() const {
  const bool is_last = half_closed_ && !kept_;
  return keeps_alive() || (gateway_.succession() != nullptr && said_keep_alive_ && !is_last);
}

void ClientConn::after_answer() {
  if (!stays_open()) return close_after_answer();
  if (body_left() == 0) return next_request();
  state_ = State::kDiscard;
  received_ = 0;
  gateway_.shard().wheel().set(
      timer_, gateway_.shard().now() + milliseconds(gateway_.limits().drain_ms_max));
}

void ClientConn::exchange_over(bool clean) {
  exchange_ = nullptr;
  if (state_ == State::kClosed) return;
  if (!clean || !stays_open()) return close_after_answer();
  after_answer();
}

void ClientConn::next_request() {
  state_ = State::kHead;
  // With bytes of a further head at hand the connection is not idle: that head's time runs.
  const Limits& limits = gateway_.limits();
  set_timer(kept_ ? limits.request_head_ms_max : limits.keep_alive_idle_ms_max);
  if (kept_ || paused_) gateway_.shard().defer(*this);
}

}  // namespace leat::gateway
