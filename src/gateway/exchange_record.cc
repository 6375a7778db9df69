// SPDX-License-Identifier: Apache-2.0
// The exchange's record: entered in the open table before anything goes to a provider, appended
// when all is counted, and until it is durable the end of the answer is held at the client's
// connection. What is on its way by then may go on: the provider's connection ends its reply, the
// key's place is free again.
#include "gateway/client.h"
#include "gateway/configured_keys.h"
#include "gateway/exchange.h"
#include "gateway/gateway.h"

namespace leat::gateway {

using dialect::ErrorKind;

// False: no record could be kept, and the client was told.
bool Exchange::begin_record() {
  is_begun_ = true;
  ShardLedger* const ledger = gateway_.ledger();
  if (ledger == nullptr) return true;
  KeyName key_room;
  KeyName workspace_room;
  KeyName organisation_room;
  const ledger::OpenRequest request{
      .generation_id = id_,
      .key_id = key_name(deployment_->snapshot().options(), key(), key_room),
      .organisation_id = account_name(organisation_, organisation_room),
      .workspace_id = account_name(workspace_, workspace_room),
      .api = api_name(kind_),
      .model_asked = request_->chat.model(),
      .price_version = deployment_->snapshot().price_version(),
      .reserved = money_.reserved == policy::kMoneyMax ? 0 : money_.reserved,
      .byok_reserved = ticket_.reserved().byok_money,
      .tokens_reserved = ticket_.reserved().tokens,
      .began = admitted_,
      .is_streamed = streams_};
  slot_ = ledger->begin(request);
  if (slot_ != ledger::OpenTable::kNoSlot) return true;
  is_begun_ = false;
  refuse_record();
  return false;
}

void Exchange::refuse_record() {
  gateway_.refused(dialect::error_row(ErrorKind::kLedgerUnavailable).error_type, key(),
                   client_->peer(), request_->body->size);
  client_->answer_error(ErrorKind::kLedgerUnavailable, {}, {});
  over(true);
}

// From here on nothing reaches the client before the record is durable, if the ledger is strict.
void Exchange::append_record(const Metered& metered, UsageNotes::End& end) {
  ShardLedger* const ledger = gateway_.ledger();
  if (ledger == nullptr) return;
  const Snapshot& snapshot = deployment_->snapshot();
  KeyName key_room;
  KeyName workspace_room;
  KeyName organisation_room;
  end.key_id = key_name(snapshot.options(), key(), key_room);
  end.workspace_id = account_name(workspace_, workspace_room);
  end.organisation_id = account_name(organisation_, organisation_room);
  const auto record = notes_.record(snapshot.catalogue(), metered, money(), end);
  const auto slot = std::exchange(slot_, ledger::OpenTable::kNoSlot);
  const auto appended = ledger->settle(record, slot, client_ != nullptr ? this : nullptr);
  if (appended == ShardLedger::Appended::kDone || client_ == nullptr) return;
  ending_ = appended == ShardLedger::Appended::kWaiting ? Ending::kHeld : Ending::kForbidden;
  client_->hold_end();
}

void Exchange::on_durable(bool is_durable) {
  ending_ = is_durable ? Ending::kFree : Ending::kForbidden;
  if (is_durable) client_->pass_on_end();
  end_client(ends_clean_);
  if (state_ == State::kOver) gateway_.shard().defer(*this);
}

// The answer is written to its end: the client goes on to its next request, as soon as it has it.
void Exchange::end_client(bool clean) {
  if (client_ == nullptr) return;
  client_->stream().hold_sends({});
  if (ending_ == Ending::kHeld) {
    ends_clean_ = clean;
    return;
  }
  if (ending_ == Ending::kForbidden) clean = refuse_end() && clean;
  tell_story();
  tell_ended();
  std::exchange(client_, nullptr)->exchange_over(clean);
}

// What was held says that all went well, which without a record is not so. Whether the client has
// an answer to its end.
bool Exchange::refuse_end() {
  if (!error_type_.empty()) {  // it says that all did not go well
    client_->pass_on_end();
    return true;
  }
  client_->drop_end();
  gateway_.refused(dialect::error_row(ErrorKind::kLedgerUnavailable).error_type, key(),
                   client_->peer(), 0);
  if (leg_->relay.is_committed()) {
    Relay::write_error(client_->stream(), framing_ == ClientFraming::kChunked,
                       ErrorKind::kLedgerUnavailable, {});
    return false;
  }
  if (has_begun_body_) return false;
  client_->answer_error(ErrorKind::kLedgerUnavailable, {}, {});
  return true;
}

// The client hears nothing more. Nor does it wait: what is to be durable will be.
void Exchange::leave_client() {
  if (client_ != nullptr && (told_ != nullptr || content_ != nullptr)) {
    tell_story();
    const bool is_gone = client_->story().reason.empty();
    if (told_ != nullptr) told_->story.is_gone = is_gone;
    if (content_ != nullptr) content_->is_cancelled = is_gone;
  }
  client_ = nullptr;
  DurableWaiter::unlink();
  if (std::exchange(ending_, Ending::kFree) == Ending::kHeld && state_ == State::kOver) {
    gateway_.shard().defer(*this);
  }
}

// What only the connection knows, while it is there.
void Exchange::tell_story() {
  if (told_ != nullptr) told_->story = client_->story();
  if (content_ == nullptr) return;
  content_->status = client_->story().status;
  content_->reason = client_->story().reason;
}

void Exchange::tell_ended() {
  tell_content();
  if (told_ == nullptr) return;
  const Snapshot& snapshot = deployment_->snapshot();
  UsageNotes::End& end = told_->end;
  KeyName key_room;
  KeyName workspace_room;
  KeyName organisation_room;
  end.key_id = key_name(snapshot.options(), key(), key_room);
  end.workspace_id = account_name(workspace_, workspace_room);
  end.organisation_id = account_name(organisation_, organisation_room);
  end.generation_id = id_;
  end.kind = kind_;
  end.is_streamed = streams_;
  RequestEvent event;
  event.record = notes_.record(snapshot.catalogue(), told_->metered, money(), end);
  const Instant now = gateway_.shard().now();
  notes_.fill_attempts(snapshot.catalogue(), told_->is_settled ? end.now : now, event.attempts);
  gateway_.teller().tell(event, told_->story, now);
  gateway_.teller().end(std::exchange(told_, nullptr));
}

}  // namespace leat::gateway
