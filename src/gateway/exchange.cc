// SPDX-License-Identifier: Apache-2.0
// Before the commit: plan, attempts, and what is told to the client when none of them worked.
#include "gateway/exchange.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "base/prefetch.h"
#include "base/uninitialized.h"
#include "dialect/wait_time.h"
#include "gateway/client.h"
#include "gateway/configured_keys.h"
#include "gateway/gateway.h"

namespace leat::gateway {

namespace {

using dialect::Attempted;
using dialect::ErrorKind;

// An error reply is read this far; what says more says it again in its first lines.
constexpr std::size_t kErrorReplyBytesMax = 64 * 1024;
constexpr std::string_view kEventStream = "text/event-stream";

}  // namespace

Exchange::Exchange(Gateway& gateway, Client& client, const Route& route, const RequestKey& key,
                   bool is_sdk_retry)
    : gateway_(gateway),
      deployment_(gateway.deployment()),
      client_(&client),
      request_(std::make_unique<Request>(json_limits(gateway.limits()))),
      notes_(gateway.shard().now(), gateway.shard().io().wall_now()),
      told_(gateway.teller().begin()),
      key_(key.id),
      load_(&gateway.key_loads().begin(key.id)),
      face_(route.face),
      kind_(route.request),
      is_sdk_retry_(is_sdk_retry),
      framing_(client.framing()) {
  gateway_.new_id("gen-", id_);
  started_ = gateway_.shard().now();
  request_->key = key.digest;
  gateway_.counters().requests_open.add();
}

const policy::Endpoint& Exchange::endpoint() const {
  return deployment_->snapshot().catalogue().endpoint(leg_->endpoint);
}

const SnapshotProvider& Exchange::provider() const {
  return deployment_->snapshot().providers()[deployment_->snapshot().connection_of(endpoint())];
}

std::string_view Exchange::provider_name() const {
  return deployment_->snapshot().catalogue().provider(endpoint().provider).name;
}

dialect::ChatIdentity Exchange::identity() const {
  dialect::ChatIdentity identity;
  identity.id = id_;
  identity.model = leg_->model_name;
  identity.provider = provider_name();
  identity.hides_reasoning = hides_reasoning_;
  identity.created = gateway_.shard().io().wall_now().unix_seconds();
  return identity;
}

// Only OpenRouter's answers have a place for it.
void Exchange::trace_route() {
  if (face_ == dialect::Face::kOpenRouter) trace_ = std::make_unique<RouteTrace>(started_);
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
  load_->buffered_bytes += bytes;
  gateway_.buffered_bytes() += bytes;
}

void Exchange::start() {
  // The keys that it is decided by are those of now.
  deployment_.move_to(gateway_.deployment());
  if (!plan()) return;
  admit();
}

// Which endpoints may serve the request. False: it was answered.
bool Exchange::plan() {
  Request& request = *request_;
  const std::string_view body(request.body->data(), request.body->size);
  LEAT_UNINITIALIZED dialect::RoutingFields fields;
  dialect::RoutingFault fault;
  if (!read_request(request.scanner, body, request.chat, fields, fault) ||
      !read_input(body, fault)) {
    refuse_request(fault.message(), fault.param());
    return false;
  }
  streams_ = request.chat.stream;
  wants_usage_ = request.chat.wants_usage;
  wants_cost_ = request.chat.wants_cost;
  hides_reasoning_ = request.chat.reasoning.exclude;
  note_request(fields);
  return take_plan(fields);
}

// What the request's kind asks of its body beyond what all have. False: 400.
bool Exchange::read_input(std::string_view body, dialect::RoutingFault& fault) {
  Request& request = *request_;
  switch (kind_) {
    case RequestKind::kChat:
      return true;
    case RequestKind::kText:
      return dialect::read_prompt(request.scanner, body, request.input, fault);
    case RequestKind::kEmbeddings:
      return dialect::read_embeddings_input(request.scanner, body, request.input, fault);
  }
  return true;
}

bool Exchange::take_plan(const dialect::RoutingFields& fields) {
  Request& request = *request_;
  // It may have been changed or revoked while the body came.
  const KeyDirectory::Found found = gateway_.find_key(request.key);
  if (found.fault != KeyFault::kNone) return refuse_key();
  money_.terms = {.markup_ppm = found.key->markup_ppm,
                  .byok_fee_ppm = static_cast<std::int32_t>(
                      deployment_->snapshot().options().accounts.byok_fee_ppm)};
  hold_ms_max_ = std::min<std::uint32_t>(hold_ms_max_, 2 * found.key->hold_2ms_max);
  workspace_ = found.key->workspace;
  organisation_ = found.key->organisation;
  if (found.key->logs_content) begin_content();
  find_conversation(fields);
  PlanningFacts facts;
  facts.sticky = gateway_.conversations().find(conversation_, gateway_.shard().now());
  facts.health = deployment_->health().view();
  facts.now = gateway_.shard().now();
  facts.wall = gateway_.shard().io().wall_now();
  facts.access = found.access;
  if (found.workspace != nullptr && found.workspace->own_keys != nullptr) {
    facts.own_keys = found.workspace->own_keys.get();
    facts.key = request.key;
  }
  if (request_keys_ != nullptr) {
    if (!request_keys_->resolve(deployment_->snapshot().catalogue())) {
      refuse_request("`X-Provider-API-Keys` names a provider that is not served here.", "");
      return false;
    }
    facts.request_keys = request_keys_->rules();
  }
  facts.body_bytes = request.body->size;
  if (kind_ != RequestKind::kChat) {
    // Each input has the model's context to itself: the longest is no shorter than the mean.
    const bool is_text = request.input.kind != dialect::InputKind::kParts;
    const std::uint64_t bytes = request.input.text_bytes + request.input.token_count;
    facts.body_bytes = is_text ? bytes / std::max<std::uint32_t>(request.input.count, 1) : 0;
    facts.output = {kind_ == RequestKind::kText ? policy::Modality::kText
                                                : policy::Modality::kEmbeddings};
  }
  facts.output_max = request.chat.output_max;
  RoutePlanner& planner = gateway_.planner();
  const Snapshot& snapshot = deployment_->snapshot();
  if (const auto refusal = planner.make(snapshot, fields, facts, gateway_.shard().rng())) {
    refuse_plan(*refusal);
    return false;
  }
  if (trace_ != nullptr) trace_->note_plan(snapshot.catalogue(), fields.models(), planner.plan());
  for (const policy::Candidate& candidate : planner.plan().candidates()) {
    if (request.stop_count == kStopsMax) break;
    request.stops[request.stop_count++] = {
        candidate.endpoint, candidate.model_rank,
        candidate.own_key,  candidate.reasoning_on,
        candidate.dropped,  std::string(planner.models()[candidate.model_rank].rest)};
  }
  return take_limits(found, fields) && choose_first();
}

// Only where staying at an endpoint is worth something: naming a conversation reads its first
// messages.
void Exchange::find_conversation(const dialect::RoutingFields& fields) {
  if (!gateway_.conversations().is_on() || fields.models().empty()) return;
  const policy::Catalogue& catalogue = deployment_->snapshot().catalogue();
  const policy::ModelRef ref = catalogue.resolve(fields.models().front().full);
  if (ref.model == policy::kNoId || !catalogue.model(ref.model).rewards_staying) return;
  KeyName room;
  conversation_ = Conversations::of(key_name(deployment_->snapshot().options(), key(), room),
                                    catalogue.model(ref.model).id,
                                    dialect::sticky_key(fields, request_->session));
}

bool Exchange::refuse_key() {
  gateway_.refused("authentication", key(), client_->peer(), request_->body->size);
  client_->answer_error(ErrorKind::kAuthentication, {}, {});
  over(true);
  return false;
}

void Exchange::refuse_request(std::string_view message, std::string_view param) {
  gateway_.refused("invalid_request", key(), client_->peer(), request_->body->size);
  client_->answer_error(ErrorKind::kInvalidRequest, {.message = message, .param = param}, {});
  over(true);
}

void Exchange::refuse_plan(const PlanRefusal& refusal) {
  gateway_.refused(dialect::error_row(refusal.kind).error_type, key(), client_->peer(),
                   request_->body->size);
  RefusalLists lists;
  const dialect::ErrorDetail detail =
      gateway_.planner().detail_of(refusal, deployment_->snapshot(), lists);
  client_->answer_error(refusal.kind, detail, {.retry_after_s = refusal.retry_after_s});
  over(true);
}

// ---- Replies -----------------------------------------------------------------------------------

void Exchange::on_reply_head(const proto::ResponseHead& head) {
  leg_->last_progress = gateway_.shard().now();
  note_limits(head);
  const bool is_identity = head.content_encoding.empty() ||
                           proto::equal_ignoring_case(head.content_encoding, "identity");
  if (head.status >= 300 && head.status < 400) {
    // Never followed: Authorization would travel (threats-and-faults.md 3.4).
    drop_upstream();
    return failed(ErrorKind::kUpstreamProtocol, Attempted::kReplied);
  }
  if (head.status >= 400) return take_error_head(head);
  const bool events =
      proto::equal_ignoring_case(head.content_type.substr(0, kEventStream.size()), kEventStream);
  const bool too_large =
      !events && head.content_length.value_or(0) > deployment_->limits().upstream_body_bytes_max;
  if (!is_identity || (events && !streams_) || too_large) {
    drop_upstream();
    return failed(ErrorKind::kUpstreamProtocol, Attempted::kReplied);
  }
  leg_->collected.reset();
  if (events) {
    RelayOptions options;
    options.face = face_;
    options.form = answer_form();
    options.wants_usage = wants_usage_;
    options.wants_cost = wants_cost_;
    options.chunked = framing_ == ClientFraming::kChunked;
    options.event_bytes_max = deployment_->limits().sse_line_bytes_max;
    options.stream_bytes_max = deployment_->limits().stream_bytes_max;
    options.held_bytes_max = deployment_->limits().held_bytes_max;
    if (content_ != nullptr && content_->heard) options.heard = &*content_->heard;
    dialect::ChatIdentity identity = this->identity();
    prepare_continuation(options, identity);
    leg_->relay.start(options, identity);
    begin_acks();
    leg_->state = Leg::State::kStreaming;
  } else {
    leg_->state = Leg::State::kCollecting;
    // Only where a cut can be told from an end, on both sides; else the answer is collected whole,
    // whatever its size, and shown to be JSON.
    // Vectors may have to be written anew; where a stream was asked for it is no answer.
    leg_->may_pass = !streams_ && face_ == dialect::Face::kOpenAi &&
                     kind_ != RequestKind::kEmbeddings && framing_ != ClientFraming::kUntilClose &&
                     !head.until_close;
  }
}

// What the provider says of its limits, on good answers too. One walk over the head's fields.
void Exchange::note_limits(const proto::ResponseHead& head) {
  // Providers limit model by model, and a pattern's endpoint stands for many: what is said of one
  // must not shut out the others.
  if (deployment_->snapshot().catalogue().model(endpoint().model).is_pattern()) return;
  policy::RateNotice notice;
  bool says_anything = head.status == 429;
  for (const proto::Field field : head.fields) {
    const auto header = policy::rate_header(field.name);
    if (!header) continue;
    says_anything = true;
    if (!header->is_wait()) {
      notice.note_count(*header, field.value);
      continue;
    }
    const auto ms = header->part == policy::RatePart::kRetryAfterMs
                        ? dialect::read_wait_ms_field(field.value)
                        : dialect::read_wait_ms(
                              field.value, gateway_.shard().io().wall_now().unix_ns / 1'000'000);
    if (ms) notice.note_wait(*header, milliseconds(*ms));
  }
  if (!says_anything) return;
  const Instant now = gateway_.shard().now();
  if (leg_->own_key.id != 0) {
    return deployment_->own_key_states().note_reply(leg_->own_key, leg_->endpoint, head.status,
                                                    notice, now);
  }
  deployment_->health().note_reply(leg_->health, head.status, notice, now);
}

void Exchange::take_error_head(const proto::ResponseHead& head) {
  leg_->state = Leg::State::kFailing;
  leg_->collected.reset();
  Asked& asked = this->asked();
  asked.status = head.status;
  // Kept until the body has come; what does not fit says nothing that we know.
  const auto keep = [](std::string_view value, std::span<char> to) {
    const std::size_t size = value.size() < to.size() ? value.size() : 0;
    value.copy(to.data(), size);
    to[size] = '\0';
  };
  keep(head.retry_after, asked.retry_after);
  keep(head.retry_after_ms, asked.retry_after_ms);
  keep(head.fields.find("x-should-retry"), asked.should_retry);
  keep(head.fields.find("x-amzn-errortype"), asked.error_type);
}

// Of a running stream: what is ours beside the leg, the client, where it is written.
bool Exchange::foresee(int depth) const {
  if (depth == 0) {
    prefetch(&gateway_, kCacheLineBytes);
    prefetch(&hold_ms_max_, 2 * kCacheLineBytes);  // to holds_
    return client_ != nullptr;
  }
  if (client_ == nullptr) return false;
  if (depth == 1) {
    prefetch(client_, kCacheLineBytes);
    return true;
  }
  prefetch(&client_->stream(), 5 * kCacheLineBytes);
  return false;
}

void Exchange::on_reply_body(std::string_view bytes) {
  leg_->last_progress = gateway_.shard().now();
  switch (leg_->state) {
    case Leg::State::kStreaming:
      return read_events(bytes);
    case Leg::State::kCollecting:
      return collect(bytes, deployment_->limits().upstream_body_bytes_max);
    case Leg::State::kFailing:
      if (leg_->collected && leg_->collected->size >= kErrorReplyBytesMax) return;
      return collect(bytes.substr(0, kErrorReplyBytesMax), kErrorReplyBytesMax * 2);
    case Leg::State::kPassing:
      passed_bytes_ += bytes.size();
      if (passed_bytes_ > deployment_->limits().upstream_body_bytes_max) {
        gateway_.counters().upstream_failures.add();
        return cut(ErrorKind::kUpstreamProtocol, {}, policy::AnswerEnd::kBlank);
      }
      keep_tail(bytes);
      client_->write_body(bytes);
      return check_backlog();
    default:
      return;
  }
}

void Exchange::collect(std::string_view bytes, std::size_t bytes_max) {
  const std::size_t size = leg_->collected ? leg_->collected->size : 0;
  if (size + bytes.size() > bytes_max) {
    drop_upstream();
    return failed(ErrorKind::kUpstreamProtocol, Attempted::kReplied);
  }
  if (!leg_->collected || size + bytes.size() > leg_->collected->capacity()) {
    BlockRef larger = Block::allocate(std::max<std::size_t>(4096, 2 * (size + bytes.size())));
    if (size != 0) std::memcpy(larger->data(), leg_->collected->data(), size);
    larger->size = size;
    leg_->collected = std::move(larger);
  }
  std::memcpy(leg_->collected->data() + size, bytes.data(), bytes.size());
  leg_->collected->size = size + bytes.size();
  if (leg_->state == Leg::State::kCollecting && leg_->may_pass &&
      leg_->collected->size > deployment_->limits().collected_answer_bytes_max) {
    pass_collected_on();
  }
}

void Exchange::on_reply_pause() {
  if (leg_->state == Leg::State::kStreaming || leg_->state == Leg::State::kPassing) {
    set_deadline();
    check_backlog();
  }
  mind_hold();
  mind_acks();
}

void Exchange::on_reply_end() {
  leg_->upstream = nullptr;
  switch (leg_->state) {
    case Leg::State::kStreaming:
      return finish_stream();
    case Leg::State::kCollecting:
      return finish_collected();
    case Leg::State::kPassing:
      settle_unfinished(policy::AnswerEnd::kNoReason);
      client_->end_body();
      gateway_.counters().answers_completed.add();
      succeeded({});
      return over(true);
    case Leg::State::kFailing: {
      dialect::ProviderFailure failure;
      const std::string_view body =
          leg_->collected ? std::string_view(leg_->collected->data(), leg_->collected->size) : "";
      dialect::read_failure(asked().status, asked().headers(), body,
                            gateway_.shard().io().wall_now().unix_ns / 1'000'000, failure);
      return provider_failed(failure);
    }
    case Leg::State::kTrailing:
      return over(true);
    default:
      return;
  }
}

void Exchange::on_reply_failed(const Error& why) {
  leg_->upstream = nullptr;
  if (leg_->state == Leg::State::kTrailing) return over(true);
  gateway_.counters().upstream_failures.add();
  const bool protocol = why.code == Code::kProtocol;
  const ErrorKind kind = protocol ? ErrorKind::kUpstreamProtocol : ErrorKind::kUpstreamClosed;
  if (is_committed()) return broke(kind, Attempted::kAmbiguous, nullptr);
  if (leg_->state == Leg::State::kFailing) {
    // The status was said; the body that explains it never came.
    dialect::ProviderFailure failure;
    dialect::read_failure(asked().status, asked().headers(), "",
                          gateway_.shard().io().wall_now().unix_ns / 1'000'000, failure);
    return provider_failed(failure);
  }
  if (why.retry == Retry::kNotExecuted) {
    return failed(ErrorKind::kProviderUnavailable, Attempted::kNotSent);
  }
  // Class B of the retry rule: it may have been executed.
  gateway_.counters().ambiguous.add();
  failed(kind, Attempted::kAmbiguous);
}

// ---- Ends --------------------------------------------------------------------------------------

void Exchange::client_gone() {
  const bool has_answer = ending_ == Ending::kHeld;  // all but the end of it
  leave_client();
  if (has_answer || state_ == State::kOver) return;
  gateway_.counters().client_gone.add();
  over(false);
}

void Exchange::abandon() {
  leave_client();
  over(false);
}

void Exchange::drop_upstream() {
  leg_->drop();
}

// Of a whole answer the first token is the last: it may take as long as any.
Duration Exchange::first_token_limit() const {
  if (streams_) return deployment_->health().first_token_limit(leg_->endpoint);
  return deployment_->snapshot().times_of(endpoint().model).first_token.max;
}

void Exchange::set_deadline() {
  const Limits& limits = deployment_->limits();
  Instant deadline = request_deadline_;
  if (request_ != nullptr) deadline = std::min(deadline, request_->hedge_at);
  if (leg_->state == Leg::State::kWaiting || leg_->state == Leg::State::kFailing ||
      leg_->state == Leg::State::kCollecting || leg_->is_holding()) {
    deadline = std::min(deadline, leg_->started + first_token_limit());
  }
  if (leg_->state == Leg::State::kStreaming || leg_->state == Leg::State::kPassing) {
    const ModelTimes& times = deployment_->snapshot().times_of(endpoint().model);
    deadline = std::min(deadline, leg_->last_progress + times.chunk_gap_max);
  }
  if (leg_->stalled_since != kNever) {
    deadline = std::min(deadline, leg_->stalled_since + milliseconds(limits.client_stall_ms_max));
  }
  gateway_.shard().wheel().set(leg_->timer, deadline);
}

void Exchange::on_timer() {
  const Instant now = gateway_.shard().now();
  const auto stall = milliseconds(deployment_->limits().client_stall_ms_max);
  if (leg_->state == Leg::State::kTrailing) return over(true);
  if (state_ == State::kBackoff) return attempt();
  if (request_ != nullptr && now >= request_->hedge_at) return hedge();
  if (leg_->stalled_since != kNever && now >= leg_->stalled_since + stall) {
    const std::size_t unsent = client_ != nullptr ? client_->stream().unsent_bytes() : 0;
    if (unsent < std::exchange(leg_->stalled_bytes, unsent)) {
      leg_->stalled_since = now;  // it reads, however slowly
      return set_deadline();
    }
    // The client takes nothing: both sides are cut (threats-and-faults.md 3.3).
    gateway_.counters().streams_cut.add();
    return over(false);
  }
  if (leg_->is_paused && now < request_deadline_) {
    // It is the client that is slow; the provider is not read, so its silence says nothing.
    leg_->last_progress = now;
    return set_deadline();
  }
  drop_upstream();
  if (is_committed()) {
    // A provider that went on until the request's time was over did nothing wrong.
    return broke(ErrorKind::kUpstreamTimeout, Attempted::kAmbiguous, nullptr,
                 is_over_time() ? policy::AnswerEnd::kBlank : policy::AnswerEnd::kError);
  }
  gateway_.counters().upstream_failures.add();
  gateway_.counters().ambiguous.add(asked().written ? 1 : 0);
  asked().again = true;  // it had its time
  failed(ErrorKind::kUpstreamTimeout,
         asked().written ? Attempted::kAmbiguous : Attempted::kNotSent);
}

// The exchange's one end. `clean`: the client has its whole answer.
void Exchange::over(bool clean) {
  if (state_ == State::kOver) return;
  drop_other(policy::Fault::kNone);
  drop_upstream();
  end_attempt(policy::OutcomeClass::kNotCounted, 0, {});  // if it ended by nobody's fault
  settle_unfinished(policy::AnswerEnd::kBlank);
  release_limits();
  leg_->stop(gateway_.shard().wheel());
  account();
  release_request();
  request_keys_.reset();
  uncharge_content();
  gateway_.key_loads().end(*load_);
  load_ = nullptr;
  state_ = State::kOver;
  end_client(clean);
  if (client_ != nullptr) return;
  tell_ended();
  gateway_.shard().defer(*this);
}

void Exchange::release_request() {
  load_->buffered_bytes -= body_charged_;
  gateway_.buffered_bytes() -= body_charged_;
  body_charged_ = 0;
  request_.reset();
}

void Exchange::account() {
  Counters& counters = gateway_.counters();
  counters.requests_open.subtract();
  counters.events_relayed.add(leg_->relay.events());
}

void Exchange::run_deferred() {
  if (state_ == State::kAdmitting) return admitted_or_not();
  tell_ended();
  gateway_.free_exchange(this);
}

}  // namespace leat::gateway
