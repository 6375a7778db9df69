// SPDX-License-Identifier: Apache-2.0
// What shards and control hand each other by message: made by its writer, owned by whoever takes
// the message; Message::value is the pointer. Each kind has one type.
#pragma once

#include <cstdint>
#include <memory>

#include "base/check.h"
#include "gateway/account_question.h"
#include "gateway/configuration.h"
#include "gateway/connection_mail.h"
#include "gateway/health_link.h"
#include "gateway/key_table.h"
#include "gateway/lease_mail.h"
#include "gateway/restored_quantity.h"
#include "gateway/shard_ledger.h"
#include "gateway/shard_report.h"
#include "gateway/successor.h"
#include "gateway/ticket_mail.h"
#include "policy/carried_quantity.h"
#include "shard/mailbox.h"

namespace leat::gateway {

template <class T>
inline constexpr shard::Message::Kind kKindOf = shard::Message::Kind::kStop;
template <>
inline constexpr shard::Message::Kind kKindOf<HealthNews> = shard::Message::Kind::kHealthNews;
template <>
inline constexpr shard::Message::Kind kKindOf<HealthUpdate> = shard::Message::Kind::kHealthUpdate;
template <>
inline constexpr shard::Message::Kind kKindOf<KeyDelta> = shard::Message::Kind::kKeyDelta;
template <>
inline constexpr shard::Message::Kind kKindOf<SegmentDelivery> = shard::Message::Kind::kSegment;
template <>
inline constexpr shard::Message::Kind kKindOf<LeaseMail> = shard::Message::Kind::kLeaseMail;
template <>
inline constexpr shard::Message::Kind kKindOf<AccountQuestion> =
    shard::Message::Kind::kAccountQuestion;
template <>
inline constexpr shard::Message::Kind kKindOf<AccountReply> = shard::Message::Kind::kAccountReply;
template <>
inline constexpr shard::Message::Kind kKindOf<ShardReport> = shard::Message::Kind::kShardReport;

template <>
inline constexpr shard::Message::Kind kKindOf<LateSettlements> =
    shard::Message::Kind::kLateSettlements;
template <>
inline constexpr shard::Message::Kind kKindOf<DeploymentOrder> = shard::Message::Kind::kDeployment;
template <>
inline constexpr shard::Message::Kind kKindOf<DeploymentReport> =
    shard::Message::Kind::kDeploymentReport;
template <>
inline constexpr shard::Message::Kind kKindOf<Successor> = shard::Message::Kind::kSuccessor;
template <>
inline constexpr shard::Message::Kind kKindOf<policy::CarriedQuantities> =
    shard::Message::Kind::kCarried;
template <>
inline constexpr shard::Message::Kind kKindOf<policy::CarriedEnds> =
    shard::Message::Kind::kCarriedEnds;

template <>
inline constexpr shard::Message::Kind kKindOf<TicketMail> = shard::Message::Kind::kTicketMail;
template <>
inline constexpr shard::Message::Kind kKindOf<ConnectionMail> =
    shard::Message::Kind::kConnectionMail;

template <class T>
shard::Message message_of(std::unique_ptr<T> owned) {
  static_assert(kKindOf<T> != shard::Message::Kind::kStop, "a type that is no message's");
  return {kKindOf<T>, reinterpret_cast<std::uintptr_t>(owned.release())};
}

// REQUIRES: a message of that kind, taken once.
template <class T>
std::unique_ptr<T> owned_of(const shard::Message& message) {
  LEAT_CHECK(message.kind == kKindOf<T>);
  return std::unique_ptr<T>(reinterpret_cast<T*>(message.value));
}

// Of a message that nobody will take: what it points to goes.
inline void discard(const shard::Message& message) {
  if (message.kind == kKindOf<HealthNews>) owned_of<HealthNews>(message).reset();
  if (message.kind == kKindOf<HealthUpdate>) owned_of<HealthUpdate>(message).reset();
  if (message.kind == kKindOf<KeyDelta>) owned_of<KeyDelta>(message).reset();
  if (message.kind == kKindOf<SegmentDelivery>) owned_of<SegmentDelivery>(message).reset();
  if (message.kind == kKindOf<LeaseMail>) owned_of<LeaseMail>(message).reset();
  if (message.kind == kKindOf<AccountQuestion>) owned_of<AccountQuestion>(message).reset();
  if (message.kind == kKindOf<LateSettlements>) owned_of<LateSettlements>(message).reset();
  if (message.kind == kKindOf<Successor>) owned_of<Successor>(message).reset();
  using policy::CarriedEnds, policy::CarriedQuantities;
  if (message.kind == kKindOf<CarriedQuantities>) owned_of<CarriedQuantities>(message).reset();
  if (message.kind == kKindOf<CarriedEnds>) owned_of<CarriedEnds>(message).reset();
  if (message.kind == kKindOf<DeploymentOrder>) owned_of<DeploymentOrder>(message).reset();
  if (message.kind == kKindOf<DeploymentReport>) owned_of<DeploymentReport>(message).reset();
  if (message.kind == kKindOf<AccountReply>) owned_of<AccountReply>(message).reset();
  if (message.kind == kKindOf<ShardReport>) owned_of<ShardReport>(message).reset();
  if (message.kind == kKindOf<TicketMail>) owned_of<TicketMail>(message).reset();
  if (message.kind == kKindOf<ConnectionMail>) owned_of<ConnectionMail>(message).reset();
}

}  // namespace leat::gateway
