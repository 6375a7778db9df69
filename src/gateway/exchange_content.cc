// SPDX-License-Identifier: Apache-2.0
// What a request said and was answered, for the content log, if the operator turned that on for its
// key: taken down here, handed on when it has ended. All that other requests pay is the question.
#include <algorithm>
#include <utility>

#include "dialect/content_excerpt.h"
#include "gateway/client.h"
#include "gateway/configured_keys.h"
#include "gateway/content_record.h"
#include "gateway/exchange.h"
#include "gateway/gateway.h"

namespace leat::gateway {

// The body is whole, and it is known whose it is.
void Exchange::begin_content() {
  const ContentLogSettings& settings = deployment_->snapshot().options().content_log;
  if (gateway_.contents() == nullptr) return;
  content_ = std::make_unique<ContentNotes>();
  if (settings.logs_requests) {
    const BlockRef& body = request_->body;
    content_->request.reserve(std::min<std::size_t>(body->size, settings.body_bytes_max));
    const auto made = dialect::append_excerpt({body->data(), body->size}, settings.body_bytes_max,
                                              content_->request);
    content_->is_request_cut = made.is_cut;
  }
  if (settings.logs_answers) {
    content_->heard.emplace(answer_form(), request_->chat.n, settings.body_bytes_max);
    content_->bytes_charged = settings.body_bytes_max;
  }
  content_->bytes_charged += content_->request.capacity();
  load_->buffered_bytes += content_->bytes_charged;
  gateway_.buffered_bytes() += content_->bytes_charged;
}

// One that is no stream, or the beginning of one that is passed on unseen.
void Exchange::note_content(std::string_view body) {
  if (content_ == nullptr || !content_->heard) return;
  const auto made = dialect::append_excerpt(
      body, deployment_->snapshot().options().content_log.body_bytes_max, content_->answer);
  content_->is_answer_cut = made.is_cut;
}

void Exchange::uncharge_content() {
  if (content_ == nullptr || load_ == nullptr) return;
  const std::uint64_t bytes = std::exchange(content_->bytes_charged, 0);
  load_->buffered_bytes -= bytes;
  gateway_.buffered_bytes() -= bytes;
}

void Exchange::tell_content() {
  if (content_ == nullptr) return;
  uncharge_content();
  const auto content = std::move(content_);
  leg_->relay.stop_hearing();
  if (content->heard && !content->heard->is_empty()) {
    content->heard->append_json(content->answer);
    content->is_answer_cut = content->heard->is_cut();
  }
  const Snapshot& snapshot = deployment_->snapshot();
  KeyName key_room;
  ContentRecord record;
  record.began = notes_.began_wall();
  record.generation_id = id_;
  record.request_id = notes_.request_id();
  record.key = key_name(snapshot.options(), key(), key_room);
  record.api = api_name(kind_);
  record.model_asked = notes_.model();
  if (status_ == 200) {
    record.model_served = leg_->model_name;
    record.provider = snapshot.catalogue().provider(endpoint().provider).slug;
  }
  record.finish_reason = finish_reason_;
  record.error_type = error_type_.empty() ? content->reason : error_type_;
  record.status = content->status;
  record.is_streamed = streams_;
  record.is_cancelled = content->is_cancelled;
  record.request = {.json = content->request, .is_cut = content->is_request_cut};
  record.answer = {.json = content->answer, .is_cut = content->is_answer_cut};
  gateway_.contents()->push(record);
}

}  // namespace leat::gateway
