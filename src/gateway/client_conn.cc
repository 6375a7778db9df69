// SPDX-License-Identifier: Apache-2.0
// Reading: heads, bodies, time limits.
#include "gateway/client_conn.h"

#include <algorithm>
#include <cstring>

#include "gateway/gateway.h"
#include "gateway/succession.h"
#include "tls/digest.h"

namespace leat::gateway {

namespace {

using dialect::ErrorKind;
using proto::KnownField;

constexpr std::size_t kChunkedBodyStart = 16 * 1024;
// Rests of a body above this are received straight into it; for less, a second receive costs more
// than the copy.
constexpr std::uint64_t kInPlaceBytesMin = 16 * 1024;
// Further requests wait their turn as bytes. The client is not read while pipelined_requests_max of
// them wait, or so many bytes for each of that number, as bodies count too.
constexpr std::size_t kKeptBytesPerRequest = 4 * 1024;

void append(BlockRef& block, std::string_view bytes, std::size_t capacity_min) {
  const std::size_t size = block ? block->size : 0;
  if (!block || size + bytes.size() > block->capacity()) {
    BlockRef larger = Block::allocate(std::max(capacity_min, 2 * (size + bytes.size())));
    if (size != 0) std::memcpy(larger->data(), block->data(), size);
    larger->size = size;
    block = std::move(larger);
  }
  std::memcpy(block->data() + size, bytes.data(), bytes.size());
  block->size = size + bytes.size();
}

// Empty lines from `from` on: one ends each head. A body with such a line in it, or a chunked one's
// end, counts as one more, so that a few fewer wait than might.
std::size_t count_head_ends(std::string_view bytes, std::size_t from) {
  constexpr std::string_view kEnd = "\r\n\r\n";
  std::size_t at = from < kEnd.size() ? 0 : from - (kEnd.size() - 1);
  std::size_t count = 0;
  while ((at = bytes.find(kEnd, at)) != std::string_view::npos) {
    ++count;
    at += kEnd.size();
  }
  return count;
}

// What follows the question mark, if there is one.
std::string_view query_of(const proto::RequestHead& head) {
  const std::size_t mark = head.target.find('?');
  return mark == std::string_view::npos ? std::string_view() : head.target.substr(mark + 1);
}

bool wants_metadata(const proto::RequestHead& head) {
  const proto::FieldList& fields = head.fields;
  const std::string_view value = fields.has(KnownField::kXOpenrouterMetadata)
                                     ? fields.get(KnownField::kXOpenrouterMetadata)
                                     : fields.find("x-openrouter-experimental-metadata");
  return dialect::wants_router_metadata(value);
}

proto::HeadLimits head_limits(const Limits& limits) {
  return {limits.head_bytes_max, limits.head_line_bytes_max, limits.headers_max};
}

}  // namespace

ClientConn::ClientConn(Gateway& gateway, const io::Address& peer, bool half_close_allowed,
                       const PassageToken* passed_by)
    : gateway_(gateway),
      passed_by_(passed_by),
      parser_(head_limits(gateway.limits())),
      peer_(peer),
      half_close_allowed_(half_close_allowed) {
  if (passed_by != nullptr) {
    state_ = State::kPreamble;
    draining_ = true;  // the client is to come to us itself
  }
  gateway_.counters().connections_open.add();
}

ClientConn::~ClientConn() {
  gateway_.counters().connections_open.subtract();
  gateway_.addresses().left(peer_, shown_good_key_);
}

void ClientConn::attach(net::Stream& stream, bool is_tls) {
  stream_ = out_ = &stream;
  is_tls_ = is_tls;
  const Limits& limits = gateway_.limits();
  set_timer(is_tls ? limits.tls_handshake_ms_max : limits.request_head_ms_max);
}

// The TLS handshake is done: the first head has all of its time from here.
void ClientConn::on_open() {
  set_timer(gateway_.limits().request_head_ms_max);
}

void ClientConn::set_timer(std::uint32_t ms) {
  gateway_.shard().wheel().set(timer_, gateway_.shard().now() + gateway_.idle_time(ms));
}

// ---- Bytes -------------------------------------------------------------------------------------

void ClientConn::on_bytes(std::span<char> bytes) {
  if (state_ == State::kClosed) return;
  const std::string_view in(bytes.data(), bytes.size());
  if (state_ == State::kBusy) return keep_for_later(in);
  if (state_ == State::kPassing) return passage_->write(in);
  consume(in);
}

void ClientConn::consume(std::string_view in) {
  BlockRef hold;  // keeps alive what `in` looks at, once that is kept_
  while (!in.empty()) {
    switch (state_) {
      case State::kPreamble:
        read_preamble(in);
        break;
      case State::kHead:
        if (gateway_.succession() != nullptr) return wait_for_successor(in);
        read_head(in, hold);
        break;
      case State::kBody:
        read_body(in);
        break;
      case State::kDiscard:
        discard(in);
        break;
      case State::kBusy:
        return keep_for_later(in);
      case State::kPassing:
      case State::kClosed:
        return;
    }
  }
}

void ClientConn::keep_for_later(std::string_view bytes) {
  const std::size_t before = kept_ ? kept_->size : 0;
  if (before == 0) kept_requests_ = 0;
  append(kept_, bytes, 4096);
  kept_requests_ += count_head_ends({kept_->data(), kept_->size}, before);
  const std::size_t most = gateway_.limits().pipelined_requests_max;
  const bool is_full = kept_requests_ >= most || kept_->size > most * kKeptBytesPerRequest;
  if (is_full && !paused_) {
    paused_ = true;
    stream_->pause();
  }
}

void ClientConn::read_head(std::string_view& in, BlockRef& hold) {
  proto::RequestHead& head = gateway_.head_scratch();
  if (kept_) {
    append(kept_, in, 4096);
    hold = std::move(kept_);
    kept_.reset();
    in = {hold->data(), hold->size};
  }
  const proto::HeadStatus status = parser_.parse(in, head);
  if (status.need_more()) {
    if (hold && in.data() == hold->data()) {
      kept_ = std::move(hold);
    } else {
      append(kept_, in, 4096);
      // All of a further head has its time from its first byte, however it drips; the first one's
      // runs since the accept, or since the end of the TLS handshake.
      if (request_id_[0] != '\0') set_timer(gateway_.limits().request_head_ms_max);
    }
    in = {};
    return;
  }
  if (!status.complete()) {
    in = {};
    begin_request();
    return refuse_head(status.fault);
  }
  parser_.reset();
  in.remove_prefix(status.head_bytes);
  gateway_.counters().requests.add();
  take_head(head);
}

// ---- Heads -------------------------------------------------------------------------------------

// What an answer and its log line say is of this request, not of the one before it. The face stays:
// a head that cannot be read names none, and the connection's last is the best guess.
void ClientConn::begin_request() {
  gateway_.new_id("req-", request_id_);
  http10_ = false;
  is_head_ = false;
  is_chunked_ = false;
  is_shed_ = false;
  length_left_ = 0;
  received_ = 0;
  story_ = {.began = gateway_.shard().now(),
            .written_before = stream_->bytes_written(),
            .client = peer_,
            .is_tls = is_tls_};
}

void ClientConn::take_head(const proto::RequestHead& head) {
  begin_request();
  http10_ = head.http10;
  is_head_ = head.method == proto::Method::kHead;
  wants_keep_alive_ = head.keep_alive;
  awaits_continue_ = head.expect_continue && head.has_body();
  is_chunked_ = head.chunked;
  chunked_ = proto::ChunkedDecoder();
  length_left_ = head.content_length.value_or(0);
  body_started_ = body_progress_ = gateway_.shard().now();
  route_ = find_route(head.method, head.path);
  story_.method = head.method;
  story_.path = route_.form;
  gateway_.teller().place(head, gateway_.shard().rng(), story_.trace);
  const proto::HttpFault fault = proto::refusal(head);
  if (fault != proto::HttpFault::kNone) return refuse_head(fault);
  switch (route_.action) {
    case Action::kNotFound:
      return refuse(ErrorKind::kNotFound, {.message = "There is nothing at this path."},
                    "not_found");
    case Action::kWrongMethod:
      return refuse(ErrorKind::kMethodNotAllowed, {}, "method_not_allowed");
    case Action::kListing:
      return serve_listing(head);
    case Action::kAccount:
      return ask_account(head);
    case Action::kInference:
      return start_inference(head);
  }
}

// Whose request it is; nobody's: it was refused. One answer and one way for all that is wrong with
// a key: the digest of whatever was shown is looked up.
RequestKey ClientConn::authenticate(const proto::RequestHead& head) {
  const Instant now = gateway_.shard().now();
  const bool is_off = gateway_.snapshot().options().auth_mode == AuthMode::kOff;
  if (!is_off && gateway_.addresses().is_blocked(peer_, now)) {
    refuse(ErrorKind::kTooManyFailures, {}, "too_many_failures");
    return {};
  }
  std::string_view shown = head.fields.get(KnownField::kAuthorization);
  if (shown.size() > 7 && proto::equal_ignoring_case(shown.substr(0, 7), "bearer ")) {
    shown.remove_prefix(7);
  } else if (shown.empty()) {
    shown = head.fields.get(KnownField::kXApiKey);
  }
  RequestKey key;
  if (!is_off) key.digest = tls::sha256(shown);
  const KeyDirectory::Found found = gateway_.find_key(key.digest);
  if (found.fault != KeyFault::kNone) {
    gateway_.addresses().key_failed(peer_, now);
    refuse(ErrorKind::kAuthentication, {}, "authentication");
    return {};
  }
  if (!shown_good_key_) gateway_.addresses().showed_good_key(peer_);
  shown_good_key_ = true;
  key.id = story_.key = found.key->id;
  return key;
}

void ClientConn::serve_listing(const proto::RequestHead& head) {
  if (authenticate(head).id == 0) return;
  if (head.content_length.value_or(0) > gateway_.limits().small_body_bytes_max) {
    return refuse(ErrorKind::kPayloadTooLarge, {}, "payload_too_large");
  }
  const ListingSource* source = gateway_.deployment().listings();
  if (source == nullptr) return refuse(ErrorKind::kNotFound, {}, "not_found");
  const std::string_view query = query_of(head);
  if (route_.listing == ListingKind::kModels && query.empty()) {
    answer(200, "application/json", source->all_models(route_.face), {});
    return after_answer();
  }
  const ListingAnswer made = source->answer({.kind = route_.listing,
                                             .face = route_.face,
                                             .reference = route_.model_in(head.path),
                                             .query = query,
                                             .health = gateway_.deployment().health().view(),
                                             .reports = gateway_.deployment().health().reports(),
                                             .now = gateway_.shard().now()});
  if (!made.is_good) {
    return refuse(made.kind, {.message = made.message, .param = made.param},
                  dialect::error_row(made.kind).error_type);
  }
  answer(200, "application/json", made.body, {});
  after_answer();
}

void ClientConn::ask_account(const proto::RequestHead& head) {
  const RequestKey key = authenticate(head);
  if (key.id == 0) return;
  if (head.has_body()) {
    return refuse(ErrorKind::kInvalidRequest, {.message = "This request takes no body."},
                  "invalid_request");
  }
  const KeyDirectory::Found found = gateway_.find_key(key.digest);
  account_ticket_ =
      gateway_.ask_account({.shard = gateway_.shard().index(),
                            .topic = route_.topic,
                            .key = key.digest,
                            .organisation = found.key->organisation,
                            .query = std::string(query_of(head))},
                           [this](const AccountReply& reply) { answer_account(reply); });
  if (account_ticket_ == 0) return refuse(ErrorKind::kOverloaded, {}, "overloaded");
  state_ = State::kBusy;
  gateway_.shard().wheel().cancel(timer_);
}

void ClientConn::answer_account(const AccountReply& reply) {
  account_ticket_ = 0;
  answer(reply.status, "application/json", reply.body, {});
  after_answer();
}

void ClientConn::start_inference(const proto::RequestHead& head) {
  const RequestKey key = authenticate(head);
  if (key.id == 0) return;
  const Limits& limits = gateway_.limits();
  const std::uint64_t length = head.content_length.value_or(0);
  if (length > limits.body_bytes_max) {
    return refuse(ErrorKind::kPayloadTooLarge, {}, "payload_too_large");
  }
  if (gateway_.key_loads().of(key.id).requests >= limits.streams_per_key_max) {
    return refuse(ErrorKind::kRateLimitExceeded,
                  {.message = "Too many requests of this key are running at once."},
                  "streams_per_key");
  }
  if (!gateway_.may_buffer(key.id, length)) {
    return refuse(ErrorKind::kOverloadedKey, {}, "overloaded_key");
  }
  if (gateway_.memory_is_short(length) ||
      gateway_.shedding().refuses(limits, gateway_.key_loads(), key.id)) {
    is_shed_ = true;
    return refuse(ErrorKind::kOverloaded, {}, "overloaded",
                  {.retry_after_s = gateway_.shedding().retry_after_s()});
  }
  const std::string_view retries = head.fields.get(KnownField::kXStainlessRetryCount);
  exchange_ = gateway_.new_exchange(*this, route_, key, !retries.empty() && retries != "0");
  exchange_->charge_body(length);
  exchange_->set_session(head.fields.get(KnownField::kXSessionId));
  if (head.fields.has(KnownField::kXLeatMaxHoldMs)) {
    exchange_->set_hold_max(head.fields.get(KnownField::kXLeatMaxHoldMs));
  }
  const std::string_view title = head.fields.get(KnownField::kXOpenrouterTitle);
  exchange_->note_app(request_id_, head.fields.get(KnownField::kHttpReferer),
                      title.empty() ? head.fields.get(KnownField::kXTitle) : title);
  if (wants_metadata(head)) exchange_->trace_route();
  state_ = State::kBody;
  if (!head.has_body()) {
    if (body_grew(true)) exchange_->start();
    return;
  }
  const std::size_t room = is_chunked_ ? kChunkedBodyStart : static_cast<std::size_t>(length);
  exchange_->body() = Block::allocate(room);
  if (awaits_continue_) stream_->write(proto::kContinue);
  awaits_continue_ = false;
  const auto first_check = std::min(limits.body_idle_ms_max, limits.body_pace_after_ms);
  gateway_.shard().wheel().set(timer_, body_started_ + milliseconds(first_check));
}

// ---- Bodies ------------------------------------------------------------------------------------

std::uint64_t ClientConn::body_left() const {
  return is_chunked_ ? (chunked_.ended() ? 0 : 1) : length_left_;
}

void ClientConn::read_body(std::string_view& in) {
  body_progress_ = gateway_.shard().now();
  if (is_chunked_) return read_chunked_body(in);
  BlockRef& body = exchange_->body();
  const std::size_t taken = std::min<std::uint64_t>(in.size(), length_left_);
  std::memcpy(body->data() + body->size, in.data(), taken);
  body->size += taken;
  length_left_ -= taken;
  received_ += taken;
  in.remove_prefix(taken);
  gateway_.counters().body_bytes_copied.add(taken);
  const bool whole = length_left_ == 0;
  if (!body_grew(whole)) return;
  if (whole) {
    exchange_->start();
  } else if (length_left_ >= kInPlaceBytesMin && stream_->can_receive_into_block()) {
    receive_rest_in_place();
  }
}

void ClientConn::receive_rest_in_place() {
  BlockRef& body = exchange_->body();
  stream_->receive_block(body, body->size, static_cast<std::size_t>(length_left_));
}

void ClientConn::on_block_bytes(std::size_t count) {
  if (state_ == State::kDiscard) {
    // Refused while it was being received in place; the rest is skipped as it comes.
    length_left_ -= count;
    stream_->resume();
    if (body_left() == 0) next_request();
    return;
  }
  if (state_ != State::kBody || exchange_ == nullptr) return;
  body_progress_ = gateway_.shard().now();
  exchange_->body()->size += count;
  length_left_ -= count;
  received_ += count;
  const bool whole = length_left_ == 0;
  if (whole) stream_->resume();
  if (!body_grew(whole)) {
    if (!whole && state_ != State::kClosed) stream_->resume();
    return;
  }
  if (whole) {
    exchange_->start();
  } else {
    receive_rest_in_place();
  }
}

void ClientConn::read_chunked_body(std::string_view& in) {
  BlockRef& body = exchange_->body();
  bool whole = false;
  while (!whole) {
    const proto::ChunkStep step = chunked_.next(in);
    if (step.kind == proto::ChunkStep::Kind::kNeedMore) break;
    if (step.kind == proto::ChunkStep::Kind::kFault) {
      in = {};
      return refuse_head(step.fault);
    }
    whole = step.kind == proto::ChunkStep::Kind::kEnd;
    if (whole) break;
    received_ += step.data.size();
    if (received_ > gateway_.limits().body_bytes_max) {
      return refuse(ErrorKind::kPayloadTooLarge, {}, "payload_too_large");
    }
    if (!gateway_.may_buffer(exchange_->key(), step.data.size())) {
      return refuse(ErrorKind::kOverloadedKey, {}, "overloaded_key");
    }
    if (gateway_.memory_is_short(step.data.size())) {
      return refuse(ErrorKind::kOverloaded, {}, "overloaded");
    }
    exchange_->charge_body(step.data.size());
    append(body, step.data, kChunkedBodyStart);
    gateway_.counters().body_bytes_copied.add(step.data.size());
  }
  if (body_grew(whole) && whole) exchange_->start();
}

// Looks at what has come of the body. False: it was refused.
bool ClientConn::body_grew(bool whole) {
  if (!exchange_->scan(whole)) {
    const proto::JsonFault& fault = exchange_->fault();
    refuse(dialect::error_kind(fault.kind), {.message = fault.what, .param = fault.key},
           dialect::error_row(dialect::error_kind(fault.kind)).error_type);
    return false;
  }
  if (whole) {
    state_ = State::kBusy;
    gateway_.counters().body_bytes.add(received_);
    gateway_.shard().wheel().cancel(timer_);
  }
  return true;
}

void ClientConn::discard(std::string_view& in) {
  if (is_chunked_) {
    for (;;) {
      const proto::ChunkStep step = chunked_.next(in);
      if (step.kind == proto::ChunkStep::Kind::kData) {
        received_ += step.data.size();
        if (received_ > gateway_.limits().drain_bytes_max) return close_after_answer();
        continue;
      }
      if (step.kind == proto::ChunkStep::Kind::kFault) return close_after_answer();
      break;
    }
  } else {
    const std::size_t taken = std::min<std::uint64_t>(in.size(), length_left_);
    length_left_ -= taken;
    in.remove_prefix(taken);
  }
  if (body_left() == 0) next_request();
}

// ---- Ends and times ----------------------------------------------------------------------------

void ClientConn::on_end(const Error& why) {
  if (state_ == State::kClosed) return;
  const bool may_go_on = half_close_allowed_ && state_ != State::kPassing;
  if (!may_go_on || why.code != Code::kClosed) return close_now();
  half_closed_ = true;
  if (state_ == State::kHead && kept_) return gateway_.shard().defer(*this);
  end_half_request();
}

void ClientConn::on_drained() {
  if (passage_ != nullptr) return passage_->client_drained();
  if (exchange_ != nullptr) exchange_->client_drained();
}

void ClientConn::on_timer() {
  switch (state_) {
    case State::kPreamble:
      return close_now();
    case State::kHead:
      // Nothing came: an idle connection ends without a word.
      if (!kept_) return close_after_answer();
      begin_request();
      gateway_.refused("request_timeout", -1, peer_, 0);
      wants_keep_alive_ = false;
      answer_error(ErrorKind::kRequestTimeout, {}, {});
      return close_after_answer();
    case State::kBody:
      return check_body_pace();
    case State::kDiscard:
      return close_after_answer();
    case State::kBusy:
    case State::kPassing:
    case State::kClosed:
      return;
  }
}

void ClientConn::check_body_pace() {
  const Limits& limits = gateway_.limits();
  const Instant now = gateway_.shard().now();
  const Instant idle_end = body_progress_ + gateway_.idle_time(limits.body_idle_ms_max);
  const Duration elapsed = now - body_started_;
  const bool pace_counts = elapsed >= milliseconds(limits.body_pace_after_ms);
  const auto due =
      static_cast<std::uint64_t>(elapsed.ms()) * limits.body_bytes_per_second_min / 1000;
  const bool too_slow = pace_counts && received_ < due;
  if (now < idle_end && !too_slow) {
    const Instant pace_check =
        std::max(body_started_ + milliseconds(limits.body_pace_after_ms), now + seconds(1));
    gateway_.shard().wheel().set(timer_, std::min(idle_end, pace_check));
    return;
  }
  refuse(ErrorKind::kRequestTimeout, {}, "request_timeout");
}

void ClientConn::drain() {
  draining_ = true;
  // With a successor there is no hurry: whatever the client sends will be answered.
  if (state_ == State::kHead && !kept_ && gateway_.succession() == nullptr) close_after_answer();
}

void ClientConn::close_now() {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  if (exchange_ != nullptr) exchange_->client_gone();
  exchange_ = nullptr;
  if (account_ticket_ != 0) {
    gateway_.account_questions().forget(account_ticket_);
    story_.is_gone = true;
    tell_answered();
  }
  gateway_.shard().wheel().cancel(timer_);
  stream_->abort();
  gateway_.shard().defer(*this);
}

void ClientConn::close_after_answer() {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  gateway_.shard().wheel().cancel(timer_);
  stream_->finish();
  gateway_.shard().defer(*this);
}

void ClientConn::run_deferred() {
  if (state_ == State::kClosed) return gateway_.free_connection(this);
  // The answer is out: what was kept of further requests comes next.
  if (state_ != State::kHead || !kept_) return;
  BlockRef kept = std::move(kept_);
  kept_.reset();
  if (paused_) {
    paused_ = false;
    stream_->resume();
  }
  consume({kept->data(), kept->size});
  if (half_closed_) end_half_request();
}

// The rest of what was begun before a half-close can never come.
void ClientConn::end_half_request() {
  if (state_ == State::kBusy || state_ == State::kClosed) return;
  if (exchange_ != nullptr) exchange_->abandon();
  exchange_ = nullptr;
  close_after_answer();
}

}  // namespace leat::gateway
