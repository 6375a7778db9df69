// SPDX-License-Identifier: Apache-2.0
// What answers say: whole ones, refusals, the fields of all.
#include <algorithm>
#include <charconv>
#include <cstdint>
#include <utility>

#include "gateway/client.h"
#include "gateway/configured_keys.h"
#include "gateway/gateway.h"

namespace leat::gateway {

namespace {

using dialect::ErrorKind;

// The API's error shape (dialect/errors.h) for what HTTP itself refuses; all texts are ours.
void write_fault_body(dialect::Face face, const proto::HttpFaultInfo& info,
                      proto::JsonWriter& out) {
  out.raw("{\"error\":{\"message\":");
  out.string(info.text);
  if (face == dialect::Face::kOpenRouter) {
    out.raw(",\"code\":");
    out.integer(info.status);
    // One of OpenRouter's types, and which fault it was beside it, as other errors tell it.
    const ErrorKind kind =
        info.status == 413 ? ErrorKind::kPayloadTooLarge : ErrorKind::kInvalidRequest;
    const std::string_view type = dialect::stable_error_type(kind);
    out.raw(",\"metadata\":{\"error_type\":");
    out.string(type);
    if (type != info.name) {
      out.raw(",\"reason\":");
      out.string(info.name);
    }
    out.raw("}}}");
    return;
  }
  out.raw(",\"type\":\"invalid_request_error\",\"code\":");
  out.string(info.name);
  out.raw(",\"param\":null}}");
}

}  // namespace

void Client::answer(int status, std::string_view content_type, std::string_view body,
                    std::span<const proto::Field> fields) {
  LEAT_CHECK(fields.size() <= kFieldsMax);
  proto::Field all[kFieldsMax + 2] = {{"date", gateway_.date()}, {"x-request-id", request_id_}};
  std::size_t count = 2;
  for (const proto::Field& field : fields) all[count++] = field;
  write_head({.status = status,
              .length = body.size(),
              .content_type = content_type,
              .fields = {all, count}});
  // A client takes what follows the answer to HEAD for its next answer (RFC 9110 9.3.2).
  if (!is_head_) out_->write(body);
  count_answer(status);
  if (exchange_ == nullptr) tell_answered();
}

const RequestStory& Client::story() {
  story_.bytes_in = received_;
  story_.bytes_out = stream_->bytes_written() - story_.written_before;
  return story_;
}

// Of a request that was no exchange's: its answer is its end.
void Client::tell_answered() {
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

void Client::count_answer(int status) {
  story_.status = static_cast<std::uint16_t>(status);
  const auto its_class = static_cast<std::uint8_t>(status / 100 % 6);
  if (is_held_) {
    held_class_ = its_class;
  } else {
    gateway_.counters().responses_by_class[its_class].add();
  }
}

void Client::answer_error(ErrorKind kind, const dialect::ErrorDetail& detail,
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
std::size_t Client::begin_fields(const char* generation_id, std::span<const proto::Field> more,
                                 std::span<proto::Field> all) {
  LEAT_CHECK(more.size() < kFieldsMax);
  all[0] = {"date", gateway_.date()};
  all[1] = {"x-request-id", request_id_};
  all[2] = {"x-generation-id", generation_id};
  std::ranges::copy(more, all.begin() + 3);
  return 3 + more.size();
}

void Client::begin_stream(const char* generation_id, std::span<const proto::Field> more) {
  proto::Field fields[kFieldsMax + 2];
  const std::size_t count = begin_fields(generation_id, more, fields);
  write_head({.form = AnswerForm::kEvents, .fields = {fields, count}});
  count_answer(200);
}

void Client::begin_body(std::string_view content_type, const char* generation_id,
                        std::span<const proto::Field> more) {
  LEAT_CHECK(framing() != ClientFraming::kUntilClose);
  proto::Field fields[kFieldsMax + 2];
  const std::size_t count = begin_fields(generation_id, more, fields);
  write_head(
      {.form = AnswerForm::kPieces, .content_type = content_type, .fields = {fields, count}});
  count_answer(200);
}

void Client::pass_on_end() {
  if (!is_held_) return;
  is_held_ = false;
  release_held(true);
  const std::uint8_t its_class = std::exchange(held_class_, std::uint8_t{0});
  if (its_class != 0) gateway_.counters().responses_by_class[its_class].add();
}

void Client::drop_end() {
  is_held_ = false;
  release_held(false);
  held_class_ = 0;
}

// A head, or a chunked body, that cannot be understood: where the next request would begin is not
// known, so the connection ends with the answer.
void Client::refuse_head(proto::HttpFault fault) {
  const proto::HttpFaultInfo& info = proto::fault_info(fault);
  gateway_.counters().refused_by_fault[static_cast<std::size_t>(fault)].add();
  story_.reason = info.name;
  gateway_.refused(info.name, exchange_ != nullptr ? exchange_->key() : 0, peer_, received_);
  spoil();
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
void Client::refuse(ErrorKind kind, const dialect::ErrorDetail& detail, const char* reason,
                    const RetryAdvice& advice) {
  story_.reason = reason;
  gateway_.refused(reason, exchange_ != nullptr ? exchange_->key() : 0, peer_, received_);
  const bool little = is_chunked_ || length_left_ <= gateway_.limits().drain_bytes_max;
  if (!little || kind == ErrorKind::kPayloadTooLarge || kind == ErrorKind::kRequestTimeout) {
    spoil();
  }
  answer_error(kind, detail, advice);
  if (exchange_ != nullptr) {
    exchange_->abandon();
    exchange_ = nullptr;
  }
  after_answer();
}

}  // namespace leat::gateway
