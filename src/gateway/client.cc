// SPDX-License-Identifier: Apache-2.0
// What a request asks for, and its body.
#include "gateway/client.h"

#include <string.h>

#include <algorithm>
#include <cstring>

#include "gateway/append_block.h"
#include "gateway/gateway.h"
#include "tls/digest.h"

namespace leat::gateway {

namespace {

using dialect::ErrorKind;
using proto::KnownField;

constexpr std::size_t kChunkedBodyStart = 16 * 1024;

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

}  // namespace

// ---- Heads -------------------------------------------------------------------------------------

// What an answer and its log line say is of this request, not of the one before it. The face stays:
// a head that cannot be read names none, and the connection's last is the best guess.
void Client::begin_request() {
  gateway_.new_id("req-", request_id_);
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

void Client::serve(const proto::RequestHead& head) {
  is_head_ = head.method == proto::Method::kHead;
  awaits_continue_ = head.expect_continue && head.has_body();
  is_chunked_ = head.chunked;
  length_left_ = head.content_length.value_or(0);
  body_started_ = body_progress_ = gateway_.shard().now();
  route_ = find_route(head.method, head.path);
  story_.method = head.method;
  story_.path = route_.form;
  gateway_.counters().requests.add();
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
RequestKey Client::authenticate(const proto::RequestHead& head) {
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
  showed_good_key();
  key.id = story_.key = found.key->id;
  return key;
}

void Client::serve_listing(const proto::RequestHead& head) {
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

void Client::ask_account(const proto::RequestHead& head) {
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

void Client::answer_account(const AccountReply& reply) {
  account_ticket_ = 0;
  answer(reply.status, "application/json", reply.body, {});
  after_answer();
}

// Whether a body of that length is taken from that key now; if not, it was refused.
bool Client::admits(std::uint64_t length, const RequestKey& key) {
  const Limits& limits = gateway_.limits();
  if (length > limits.body_bytes_max) {
    refuse(ErrorKind::kPayloadTooLarge, {}, "payload_too_large");
  } else if (gateway_.key_loads().of(key.id).requests >= limits.streams_per_key_max) {
    refuse(ErrorKind::kRateLimitExceeded,
           {.message = "Too many requests of this key are running at once."}, "streams_per_key");
  } else if (!gateway_.may_buffer(key.id, length)) {
    refuse(ErrorKind::kOverloadedKey, {}, "overloaded_key");
  } else if (gateway_.memory_is_short(length) ||
             gateway_.shedding().refuses(limits, gateway_.key_loads(), key.id)) {
    is_shed_ = true;
    refuse(ErrorKind::kOverloaded, {}, "overloaded",
           {.retry_after_s = gateway_.shedding().retry_after_s()});
  } else {
    return true;
  }
  return false;
}

// Those that came with the request, if any did; their bytes in the head are wiped. False: it was
// refused. Who sends keys asks to pay by himself, so they are not passed over where they may not
// be used.
bool Client::take_provider_keys(const proto::RequestHead& head,
                                std::unique_ptr<RequestKeys>& keys) {
  if (!head.fields.has(KnownField::kXProviderApiKeys)) return true;
  const std::string_view text = head.fields.get(KnownField::kXProviderApiKeys);
  const bool may = gateway_.snapshot().options().accounts.provider_keys_in_requests;
  std::expected<std::unique_ptr<RequestKeys>, std::string_view> read;
  if (may) read = RequestKeys::read(text, gateway_.request_secrets());
  // A head lies in memory of ours, which is written anew before it is read again.
  explicit_bzero(const_cast<char*>(text.data()), text.size());
  if (!may) {
    refuse(ErrorKind::kPermissionDenied,
           {.message = "Provider keys may not be sent along with requests here."},
           "permission_denied");
    return false;
  }
  if (!read) {
    refuse(ErrorKind::kInvalidRequest, {.message = read.error()}, "invalid_request");
    return false;
  }
  keys = std::move(*read);
  return true;
}

void Client::start_inference(const proto::RequestHead& head) {
  const RequestKey key = authenticate(head);
  if (key.id == 0) return;
  const std::uint64_t length = head.content_length.value_or(0);
  if (!admits(length, key)) return;
  std::unique_ptr<RequestKeys> provider_keys;
  if (!take_provider_keys(head, provider_keys)) return;
  const std::string_view retries = head.fields.get(KnownField::kXStainlessRetryCount);
  exchange_ = gateway_.new_exchange(*this, route_, key, !retries.empty() && retries != "0");
  exchange_->set_request_keys(std::move(provider_keys));
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
  if (awaits_continue_) write_continue();
  awaits_continue_ = false;
  const Limits& limits = gateway_.limits();
  const auto first_check = std::min(limits.body_idle_ms_max, limits.body_pace_after_ms);
  gateway_.shard().wheel().set(timer_, body_started_ + milliseconds(first_check));
}

// ---- Bodies ------------------------------------------------------------------------------------

void Client::copy_body(std::string_view bytes) {
  BlockRef& body = exchange_->body();
  std::memcpy(body->data() + body->size, bytes.data(), bytes.size());
  body->size += bytes.size();
  length_left_ -= bytes.size();
  received_ += bytes.size();
  gateway_.counters().body_bytes_copied.add(bytes.size());
}

bool Client::take_piece(std::string_view bytes) {
  received_ += bytes.size();
  if (received_ > gateway_.limits().body_bytes_max) {
    refuse(ErrorKind::kPayloadTooLarge, {}, "payload_too_large");
    return false;
  }
  if (!gateway_.may_buffer(exchange_->key(), bytes.size())) {
    refuse(ErrorKind::kOverloadedKey, {}, "overloaded_key");
    return false;
  }
  if (gateway_.memory_is_short(bytes.size())) {
    refuse(ErrorKind::kOverloaded, {}, "overloaded");
    return false;
  }
  exchange_->charge_body(bytes.size());
  append(exchange_->body(), bytes, kChunkedBodyStart);
  gateway_.counters().body_bytes_copied.add(bytes.size());
  return true;
}

// Looks at what has come of the body. False: it was refused.
bool Client::body_grew(bool whole) {
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

void Client::check_body_pace() {
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

void Client::drop_request() {
  if (exchange_ != nullptr) exchange_->client_gone();
  exchange_ = nullptr;
  if (account_ticket_ == 0) return;
  gateway_.account_questions().forget(account_ticket_);
  story_.is_gone = true;
  tell_answered();
}

}  // namespace leat::gateway
