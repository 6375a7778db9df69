// SPDX-License-Identifier: Apache-2.0
// Before the commit: plan, attempts, and what is told to the client when none of them worked.
#include "gateway/exchange.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "gateway/client_conn.h"
#include "gateway/gateway.h"
#include "proto/http1_write.h"

namespace leat::gateway {

namespace {

using dialect::ErrorKind;

// Pieces of a body above this go out from where they lie; below, a copy is cheaper than one more
// range of a gathered send.
constexpr std::size_t kCopyBytesMax = 2048;
// An error reply is read this far; what says more says it again in its first lines.
constexpr std::size_t kErrorReplyBytesMax = 64 * 1024;
constexpr std::size_t kShownModelBytesMax = 128;
constexpr std::string_view kEventStream = "text/event-stream";
constexpr std::size_t kRequestHeadRoom = 16 * 1024;
constexpr Duration kBackoffMax = milliseconds(50);  // full jitter before asking the same again

proto::JsonLimits json_limits(const Limits& limits) {
  proto::JsonLimits json;
  json.depth_max = limits.json_depth_max;
  json.keys_max = limits.json_keys_max;
  json.tokens_max = limits.json_tokens_max;
  return json;
}

// A model's id is no secret, and who mistyped one wants to see which: the one thing that an answer
// repeats of a request (openrouter-api.md 4.1, `requested_models`). The log does not have it.
std::string unknown_model_message(std::string_view id) {
  std::size_t shown = std::min(id.size(), kShownModelBytesMax);
  // Not through the middle of a character.
  while (shown < id.size() && (static_cast<unsigned char>(id[shown]) & 0xc0) == 0x80) --shown;
  std::string message = "The model `";
  message.append(id.substr(0, shown)).append(shown < id.size() ? "..." : "");
  return message.append("` does not exist here.");
}

ErrorKind kind_of_dial_failure(const Error& why) {
  if (why.code == Code::kTimedOut) return ErrorKind::kUpstreamTimeout;
  if (why.code == Code::kOverloaded) return ErrorKind::kOverloaded;
  return ErrorKind::kProviderUnavailable;
}

}  // namespace

Exchange::Exchange(Gateway& gateway, ClientConn& client, dialect::Face face, int key,
                   bool is_sdk_retry)
    : gateway_(gateway),
      client_(&client),
      request_(std::make_unique<Request>(json_limits(gateway.limits()))),
      key_(key),
      face_(face),
      is_sdk_retry_(is_sdk_retry),
      http10_(client.is_http10()) {
  gateway_.new_id("gen-", id_);
  started_ = gateway_.shard().now();
  ++gateway_.key_state(key_).requests;
  gateway_.counters().requests_open.add();
}

const SnapshotProvider& Exchange::provider() const {
  return gateway_.snapshot().providers()[endpoint().provider];
}

dialect::ChatIdentity Exchange::identity() const {
  dialect::ChatIdentity identity;
  identity.id = id_;
  identity.model = model_name_;
  identity.provider = provider().options->display_name;
  identity.created = gateway_.shard().io().wall_now().unix_seconds();
  return identity;
}

// ---- Reading the request -----------------------------------------------------------------------

bool Exchange::scan(bool whole) {
  const BlockRef& body = request_->body;
  const std::string_view text = body ? std::string_view(body->data(), body->size) : "";
  const proto::JsonStatus status = request_->scanner.scan(text, whole);
  return status == proto::JsonStatus::kDone || (status == proto::JsonStatus::kMore && !whole);
}

void Exchange::charge_body(std::uint64_t bytes) {
  body_charged_ += bytes;
  gateway_.key_state(key_).buffered_bytes += bytes;
  gateway_.buffered_bytes() += bytes;
}

void Exchange::start() {
  if (!plan()) return;
  attempt();
}

// Which endpoints may serve the request. False: it was answered.
bool Exchange::plan() {
  Request& request = *request_;
  const std::string_view body(request.body->data(), request.body->size);
  if (const auto fault = dialect::read_chat_request(request.scanner, body, request.chat)) {
    gateway_.refused("invalid_request", key_, client_->peer(), body.size());
    client_->answer_error(ErrorKind::kInvalidRequest,
                          {.message = fault->message, .param = fault->param}, {});
    over(true);
    return false;
  }
  streams_ = request.chat.stream;
  wants_usage_ = request.chat.wants_usage;
  request.match = gateway_.snapshot().find_model(request.chat.model());
  model_ = request.match.model;
  model_name_ = request.chat.model();
  if (model_name_.empty()) {
    gateway_.refused("invalid_request", key_, client_->peer(), body.size());
    client_->answer_error(ErrorKind::kInvalidRequest,
                          {.message = "model is required", .param = "model"}, {});
    over(true);
    return false;
  }
  if (model_ == nullptr) {
    gateway_.refused("model_not_found", key_, client_->peer(), body.size());
    const std::string message = unknown_model_message(model_name_);
    client_->answer_error(ErrorKind::kModelNotFound, {.message = message, .param = "model"}, {});
    over(true);
    return false;
  }
  request_deadline_ = started_ + milliseconds(model_->request_ms_max);
  return true;
}

// ---- Attempts ----------------------------------------------------------------------------------

void Exchange::attempt() {
  Request& request = *request_;
  endpoint_index_ = request.next_endpoint;
  Gateway::Upstream& upstream = gateway_.upstream(endpoint().provider);
  if (request.attempts == 0) {
    upstream.budget.count_request(gateway_.shard().now());
  } else {
    gateway_.counters().retries.add();
  }
  ++request.attempts;
  request.written = false;
  request.retry_after[0] = '\0';  // an earlier provider's wait is not this one's
  gateway_.counters().attempts.add();
  state_ = State::kConnecting;
  upstream_paused_ = false;  // said of the connection of the attempt before
  stalled_since_ = kNever;
  attempt_started_ = last_progress_ = gateway_.shard().now();
  set_deadline();
  auto conn = upstream.pool->acquire(*this, request.fresh_connection);
  request.fresh_connection = false;
  if (conn && *conn == nullptr) return;  // on_upstream() follows
  on_upstream(std::move(conn));
}

void Exchange::on_upstream(Result<net::UpstreamConn*> conn) {
  if (!conn) {
    gateway_.counters().upstream_failures.add();
    // Nothing was sent: class A of the retry rule.
    return failed(kind_of_dial_failure(conn.error()), Next::kOtherEndpoint);
  }
  send_request(**conn);
}

void Exchange::send_request(net::UpstreamConn& conn) {
  Request& request = *request_;
  const std::string_view body(request.body->data(), request.body->size);
  dialect::EndpointShape shape;
  shape.model = request.match.upstream_name(endpoint());
  proto::SpliceList pieces(body);
  conn.begin(*this);
  if (!dialect::shape_chat_request(request.scanner, body, request.chat, shape, pieces)) {
    conn.cancel();
    return failed(ErrorKind::kInvalidRequest, Next::kNone);
  }
  upstream_ = &conn;
  proto::RequestOptions options;
  options.target = provider().chat_target;
  options.host = provider().host;
  options.bearer = provider().bearer;
  options.content_length = pieces.size();
  options.accept = streams_ ? kEventStream : "application/json";
  net::Stream& stream = conn.stream();
  char* room = stream.prepare(kRequestHeadRoom);
  const auto head = proto::write_request_head({room, kRequestHeadRoom}, options);
  stream.commit(head ? head->size() : 0);
  if (!head) {
    drop_upstream();
    return failed(ErrorKind::kServer, Next::kNone);
  }
  request.written = true;
  state_ = State::kWaiting;
  attempt_started_ = last_progress_ = gateway_.shard().now();
  set_deadline();
  write_body(stream, pieces.pieces());
}

void Exchange::write_body(net::Stream& stream, std::span<const std::string_view> pieces) {
  Block& body = *request_->body.get();
  for (const std::string_view piece : pieces) {
    const bool in_body = piece.data() >= body.data() && piece.data() < body.data() + body.size;
    if (in_body && piece.size() > kCopyBytesMax) {
      stream.write_block(body, static_cast<std::size_t>(piece.data() - body.data()), piece.size());
    } else {
      stream.write(piece);
      if (in_body) gateway_.counters().body_bytes_copied.add(piece.size());
    }
  }
}

// ---- Replies -----------------------------------------------------------------------------------

void Exchange::on_reply_head(const proto::ResponseHead& head) {
  last_progress_ = gateway_.shard().now();
  const bool is_identity = head.content_encoding.empty() ||
                           proto::equal_ignoring_case(head.content_encoding, "identity");
  if (head.status >= 300 && head.status < 400) {
    // Never followed: Authorization would travel (threats-and-faults.md 3.4).
    drop_upstream();
    return failed(ErrorKind::kUpstreamProtocol, Next::kOtherEndpoint);
  }
  if (head.status >= 400) return take_error_head(head);
  const bool events =
      proto::equal_ignoring_case(head.content_type.substr(0, kEventStream.size()), kEventStream);
  const bool too_large =
      !events && head.content_length.value_or(0) > gateway_.limits().upstream_body_bytes_max;
  if (!is_identity || (events && !streams_) || too_large) {
    drop_upstream();
    return failed(ErrorKind::kUpstreamProtocol, Next::kOtherEndpoint);
  }
  collected_.reset();
  if (events) {
    RelayOptions options;
    options.face = face_;
    options.wants_usage = wants_usage_;
    options.chunked = !http10_;
    options.event_bytes_max = gateway_.limits().sse_line_bytes_max;
    options.stream_bytes_max = gateway_.limits().stream_bytes_max;
    options.held_bytes_max = gateway_.limits().held_bytes_max;
    relay_.start(options, identity());
    state_ = State::kStreaming;
  } else {
    state_ = State::kCollecting;
    // Only where a cut can be told from an end, on both sides; else the answer is collected whole,
    // whatever its size, and shown to be JSON.
    may_pass_ = face_ == dialect::Face::kOpenAi && !http10_ && !head.until_close;
  }
}

void Exchange::take_error_head(const proto::ResponseHead& head) {
  state_ = State::kFailing;
  collected_.reset();
  request_->failure = {};
  request_->failure.status = head.status;
  const std::string_view hint = head.retry_after.substr(0, sizeof request_->retry_after - 1);
  hint.copy(request_->retry_after, hint.size());
  request_->retry_after[hint.size()] = '\0';
}

void Exchange::on_reply_body(std::string_view bytes) {
  last_progress_ = gateway_.shard().now();
  switch (state_) {
    case State::kStreaming:
      return read_events(bytes);
    case State::kCollecting:
      return collect(bytes, gateway_.limits().upstream_body_bytes_max);
    case State::kFailing:
      if (collected_ && collected_->size >= kErrorReplyBytesMax) return;
      return collect(bytes.substr(0, kErrorReplyBytesMax), kErrorReplyBytesMax * 2);
    case State::kPassing:
      passed_bytes_ += bytes.size();
      if (passed_bytes_ > gateway_.limits().upstream_body_bytes_max) {
        gateway_.counters().upstream_failures.add();
        return cut(ErrorKind::kUpstreamProtocol, {});
      }
      client_->write_body(bytes);
      return check_backlog();
    default:
      return;
  }
}

void Exchange::collect(std::string_view bytes, std::size_t bytes_max) {
  const std::size_t size = collected_ ? collected_->size : 0;
  if (size + bytes.size() > bytes_max) {
    drop_upstream();
    return failed(ErrorKind::kUpstreamProtocol, Next::kOtherEndpoint);
  }
  if (!collected_ || size + bytes.size() > collected_->capacity()) {
    BlockRef larger = Block::allocate(std::max<std::size_t>(4096, 2 * (size + bytes.size())));
    if (size != 0) std::memcpy(larger->data(), collected_->data(), size);
    larger->size = size;
    collected_ = std::move(larger);
  }
  std::memcpy(collected_->data() + size, bytes.data(), bytes.size());
  collected_->size = size + bytes.size();
  if (state_ == State::kCollecting && may_pass_ &&
      collected_->size > gateway_.limits().collected_answer_bytes_max) {
    pass_collected_on();
  }
}

void Exchange::on_reply_pause() {
  if (state_ == State::kStreaming || state_ == State::kPassing) {
    set_deadline();
    check_backlog();
  }
}

void Exchange::on_reply_end() {
  upstream_ = nullptr;
  switch (state_) {
    case State::kStreaming:
      return finish_stream();
    case State::kCollecting:
      return finish_collected();
    case State::kPassing:
      client_->end_body();
      gateway_.counters().answers_completed.add();
      return over(true);
    case State::kFailing: {
      dialect::ProviderFailure failure;
      const std::string_view body =
          collected_ ? std::string_view(collected_->data(), collected_->size) : "";
      dialect::read_failure(request_->failure.status, body, failure);
      return provider_failed(failure);
    }
    case State::kTrailing:
      return over(true);
    default:
      return;
  }
}

void Exchange::on_reply_failed(const Error& why) {
  upstream_ = nullptr;
  if (state_ == State::kTrailing) return over(true);
  gateway_.counters().upstream_failures.add();
  const bool protocol = why.code == Code::kProtocol;
  const ErrorKind kind = protocol ? ErrorKind::kUpstreamProtocol : ErrorKind::kUpstreamClosed;
  if (request_ == nullptr) return cut(kind, {});
  if (state_ == State::kFailing) {
    // The status was said; the body that explains it never came.
    dialect::ProviderFailure failure;
    dialect::read_failure(request_->failure.status, "", failure);
    return provider_failed(failure);
  }
  // Class B of the retry rule: it may have been executed.
  gateway_.counters().ambiguous.add();
  const bool may = !request_->chat.stateful && provider().options->retry_ambiguous;
  failed(kind, may ? Next::kAlsoSameEndpoint : Next::kNone);
}

// A failure that the provider itself told us of.
void Exchange::provider_failed(const dialect::ProviderFailure& failure) {
  gateway_.counters().upstream_failures.add();
  const dialect::RetryRow& row = dialect::retry_row(failure.failure);
  request_->failure = failure;
  request_->has_failure_detail = true;
  request_->failure_kind = row.kind;
  move_on(row.other_endpoint ? Next::kOtherEndpoint : Next::kNone);
}

void Exchange::failed(ErrorKind kind, Next next) {
  PoolWaiter::unlink();
  request_->failure_kind = kind;
  request_->has_failure_detail = false;
  move_on(next);
}

void Exchange::move_on(Next next) {
  Request& request = *request_;
  if (next == Next::kNone || request.attempts >= gateway_.limits().attempts_per_request_max) {
    return give_up();
  }
  const bool has_other = request.next_endpoint + 1 < model_->endpoints.size();
  // The only endpoint is asked once more where that can help, but an SDK that tries again by itself
  // is not helped by our doing it too.
  const bool again =
      !has_other && next == Next::kAlsoSameEndpoint && !is_sdk_retry_ && !request.asked_again;
  if (!has_other && !again) return give_up();
  const std::uint32_t candidate = request.next_endpoint + (has_other ? 1 : 0);
  auto& budget = gateway_.upstream(model_->endpoints[candidate].provider).budget;
  if (!budget.try_retry(gateway_.shard().now())) {
    gateway_.counters().retry_budget_exhausted.add();
    return give_up();
  }
  request.next_endpoint = candidate;
  if (has_other) return attempt();
  request.asked_again = request.fresh_connection = true;
  state_ = State::kBackoff;
  const Duration wait{gateway_.shard().rng().between(0, kBackoffMax.ns)};
  gateway_.shard().wheel().set(timer_, gateway_.shard().now() + wait);
}

// No candidate is left: the last failure is the answer.
void Exchange::give_up() {
  Request& request = *request_;
  dialect::ErrorDetail detail;
  detail.provider_name = provider().options->display_name;
  if (request.has_failure_detail) {
    detail.provider_code = request.failure.code();
    detail.provider_raw = request.failure.message();
    // What is the client's own doing is best told in the provider's words.
    if (!dialect::retry_row(request.failure.failure).blames_endpoint) {
      detail.message = request.failure.message();
    }
  }
  gateway_.refused(dialect::error_row(request.failure_kind).error_type, key_, client_->peer(),
                   request.body ? request.body->size : 0);
  client_->answer_error(request.failure_kind, detail, request.retry_after);
  over(true);
}

// ---- Ends --------------------------------------------------------------------------------------

void Exchange::client_gone() {
  client_ = nullptr;
  if (state_ == State::kOver) return;
  gateway_.counters().client_gone.add();
  over(false);
}

void Exchange::abandon() {
  client_ = nullptr;
  over(false);
}

void Exchange::drop_upstream() {
  PoolWaiter::unlink();
  if (upstream_ != nullptr) upstream_->cancel();
  upstream_ = nullptr;
}

void Exchange::set_deadline() {
  const Limits& limits = gateway_.limits();
  Instant deadline = request_deadline_;
  if (state_ == State::kWaiting || state_ == State::kFailing || state_ == State::kCollecting ||
      (state_ == State::kStreaming && !relay_.is_committed())) {
    deadline = std::min(deadline, attempt_started_ + milliseconds(model_->first_byte_ms_max));
  }
  if (state_ == State::kStreaming || state_ == State::kPassing) {
    deadline = std::min(deadline, last_progress_ + milliseconds(model_->chunk_gap_ms_max));
  }
  if (stalled_since_ != kNever) {
    deadline = std::min(deadline, stalled_since_ + milliseconds(limits.client_stall_ms_max));
  }
  gateway_.shard().wheel().set(timer_, deadline);
}

void Exchange::on_timer() {
  const Instant now = gateway_.shard().now();
  const auto stall = milliseconds(gateway_.limits().client_stall_ms_max);
  if (state_ == State::kTrailing) return over(true);
  if (state_ == State::kBackoff) return attempt();
  if (stalled_since_ != kNever && now >= stalled_since_ + stall) {
    // The client takes nothing: both sides are cut (threats-and-faults.md 3.3).
    gateway_.counters().streams_cut.add();
    return over(false);
  }
  if (upstream_paused_ && now < request_deadline_) {
    // It is the client that is slow; the provider is not read, so its silence says nothing.
    last_progress_ = now;
    return set_deadline();
  }
  drop_upstream();
  if (request_ == nullptr) return cut(ErrorKind::kUpstreamTimeout, {});
  gateway_.counters().upstream_failures.add();
  gateway_.counters().ambiguous.add(request_->written ? 1 : 0);
  const bool in_time = now < request_deadline_;
  const bool may =
      !request_->written || (!request_->chat.stateful && provider().options->retry_ambiguous);
  failed(ErrorKind::kUpstreamTimeout, may && in_time ? Next::kOtherEndpoint : Next::kNone);
}

// The exchange's one end. `clean`: the client has its whole answer.
void Exchange::over(bool clean) {
  if (state_ == State::kOver) return;
  drop_upstream();
  account();
  release_request();
  state_ = State::kOver;
  gateway_.shard().wheel().cancel(timer_);
  ClientConn* client = client_;
  client_ = nullptr;
  if (client != nullptr) client->exchange_over(clean);
  gateway_.shard().defer(*this);
}

void Exchange::release_request() {
  Gateway::KeyState& key = gateway_.key_state(key_);
  key.buffered_bytes -= body_charged_;
  gateway_.buffered_bytes() -= body_charged_;
  body_charged_ = 0;
  request_.reset();
}

void Exchange::account() {
  Counters& counters = gateway_.counters();
  --gateway_.key_state(key_).requests;
  counters.requests_open.subtract();
  counters.events_relayed.add(relay_.events());
}

void Exchange::run_deferred() {
  gateway_.free_exchange(this);
}

}  // namespace leat::gateway
