// SPDX-License-Identifier: Apache-2.0
// What an exchange used and what that costs: gathered here, told to the client by whoever writes
// the answer, and settled once, whatever became of it.
#include <algorithm>
#include <cstring>

#include "gateway/exchange.h"
#include "gateway/gateway.h"

namespace leat::gateway {

using ledger::AttemptOutcome;
using policy::AnswerEnd;

namespace {

// Holds any usage and what stands behind it.
constexpr std::size_t kTailBytes = 4'096;

dialect::ChatUsage usage_of_tail(const BlockRef& tail) {
  return tail ? dialect::usage_at_end({tail->data(), tail->size}) : dialect::ChatUsage();
}

}  // namespace

// What is told of the request when it has gone, and what bounds the tokens of any answer to it.
void Exchange::note_request(const dialect::RoutingFields& fields) {
  const Request& request = *request_;
  notes_.note_request(request.chat.model(), fields.user,
                      fields.session_id.empty() ? request.session : fields.session_id);
  admitted_ = gateway_.shard().io().wall_now();
  size_.prompt_bytes = request.body->size;
  size_.output_max = request.chat.output_max;
  size_.answers = request.chat.n;
  using dialect::Modality;
  size_.has_media = fields.has_unknown_parts;
  for (const auto medium :
       {Modality::kImage, Modality::kAudio, Modality::kFile, Modality::kVideo}) {
    size_.has_media = size_.has_media || fields.takes_input(medium);
  }
  if (kind_ == RequestKind::kChat) return;
  const dialect::PromptInput& input = request.input;
  // What a list of tokens is as text is not known; so many bytes are estimated to be as many.
  size_.prompt_bytes = input.text_bytes + input.token_count * kBytesPerToken;
  size_.has_media = input.kind == dialect::InputKind::kParts;
  size_.answers *= std::max<std::int64_t>(input.count, 1);
  size_.has_completion = kind_ != RequestKind::kEmbeddings;
}

// Of a whole answer.
Metered Exchange::meter_answer(const dialect::ChatUsage& usage, std::uint64_t content_bytes,
                               AnswerEnd end) const {
  MeterFacts facts = size_;
  facts.usage = usage;
  facts.content_bytes = content_bytes;
  facts.end = end;
  return meter(facts, deployment_->snapshot().catalogue(), endpoint(), money(), admitted_);
}

// Of the stream so far.
Metered Exchange::meter_stream(const dialect::ChatUsage& usage, AnswerEnd end) const {
  MeterFacts facts = size_;
  facts.usage = usage;
  facts.content_events = leg_->relay.content_events();
  facts.content_bytes = leg_->relay.content_bytes();
  facts.end = end;
  const Metered metered =
      meter(facts, deployment_->snapshot().catalogue(), endpoint(), money(), admitted_);
  const bool is_rest =
      continuation_ != nullptr && continuation_->stage == Continuation::Stage::kDone;
  if (!is_rest) return metered;
  const Metered both = together(continuation_->metered, metered, money());
  return end == AnswerEnd::kError ? waived(both) : both;
}

dialect::UsageCost Exchange::cost_of(const dialect::ChatUsage& usage) const {
  return meter_stream(usage, AnswerEnd::kFinished).cost;
}

void Exchange::note_answer(std::string_view upstream_id, std::string_view native_finish_reason) {
  notes_.note_answer(upstream_id, native_finish_reason);
  finish_reason_ = {};
  if (!native_finish_reason.empty()) {
    finish_reason_ = dialect::map_finish_reason(native_finish_reason);
  }
}

// Of an answer that is passed on unseen, in leg_->collected: its usage stands at the end.
void Exchange::keep_tail(std::string_view bytes) {
  BlockRef& tail = leg_->collected;
  if (!tail) tail = Block::allocate(kTailBytes);
  if (bytes.size() > kTailBytes) bytes.remove_prefix(bytes.size() - kTailBytes);
  const std::size_t kept = std::min(tail->size, kTailBytes - bytes.size());
  std::memmove(tail->data(), tail->data() + tail->size - kept, kept);
  std::memcpy(tail->data() + kept, bytes.data(), bytes.size());
  tail->size = kept + bytes.size();
}

// `outcome` and `status`: of the attempt that is under way, if there is one.
void Exchange::settle(const Metered& metered, ledger::AttemptOutcome outcome, int status) {
  is_settled_ = true;
  settle_limits(metered);
  const Instant now = gateway_.shard().now();
  notes_.ended(leg_->note, outcome, status, now);
  const Snapshot& snapshot = deployment_->snapshot();
  UsageNotes::End end;
  end.generation_id = id_;
  end.kind = kind_;
  end.finish_reason = finish_reason_;
  end.error_type = error_type_;
  end.price_version = snapshot.price_version();
  end.is_streamed = streams_;
  end.is_cancelled = client_ == nullptr;
  end.now = now;
  if (size_.was_executed) {
    end.endpoint = is_carrying_on() ? continuation_->endpoint : leg_->endpoint;
    end.model_served = leg_->model_name;
  }
  end.status = status_;
  gateway_.count_used(metered);
  if (auto* const table = deployment_->endpoint_counters()) notes_.count(*table, metered, end);
  if (told_ != nullptr) {
    told_->metered = metered;
    told_->end = end;
    told_->is_settled = true;
  }
  append_record(metered, end);
}

// All who were asked have failed: whatever the last of them sent is no answer to anybody.
void Exchange::settle_unserved() {
  if (is_settled_ || !is_begun_) return;
  size_.was_executed = false;
  settle(meter_answer({}, 0, AnswerEnd::kBlank), AttemptOutcome::kNotExecuted, 0);
}

// What ends otherwise than by a checked, whole answer is settled by what had come.
void Exchange::settle_unfinished(AnswerEnd end) {
  if (is_settled_ || !is_begun_) return;
  const AttemptOutcome midway =
      client_ == nullptr ? AttemptOutcome::kClientGone : AttemptOutcome::kFailedMidway;
  // Nobody has taken over: what had come until the break is all.
  if (is_carrying_on()) {
    const Metered& part = continuation_->metered;
    return settle(end == AnswerEnd::kError ? waived(part) : part,
                  client_ == nullptr ? midway : AttemptOutcome::kNotExecuted, 0);
  }
  if (state_ == State::kBackoff) return settle_unserved();
  switch (leg_->state) {
    case Leg::State::kStreaming:
      note_answer(leg_->relay.upstream_id(), leg_->relay.native_finish());
      return settle(meter_stream(leg_->relay.usage(), end), midway, 200);
    case Leg::State::kCollecting:
      return settle(meter_answer({}, 0, end), midway, 200);
    case Leg::State::kPassing:
      return settle(meter_answer(usage_of_tail(leg_->collected), passed_bytes_, end),
                    end == AnswerEnd::kNoReason ? AttemptOutcome::kSucceeded : midway, 200);
    case Leg::State::kWaiting:
      size_.was_executed = false;
      return settle(meter_answer({}, 0, end), midway, 0);
    case Leg::State::kFailing:
      // It answered with an error, of which not all had come.
      size_.was_executed = false;
      return settle(meter_answer({}, 0, end), midway, asked().status);
    default:
      // Nobody was asked, or who was has said why not.
      size_.was_executed = false;
      return settle(meter_answer({}, 0, end), AttemptOutcome::kNotExecuted, 0);
  }
}

}  // namespace leat::gateway
