// SPDX-License-Identifier: Apache-2.0
#include "gateway/shard_ledger.h"

namespace leat::gateway {

using ledger::OpenTable;

ShardLedger::ShardLedger(shard::Shard& shard, const LedgerParts& parts)
    : keeping_(*parts.keeping),
      table_(parts.open_table, parts.owner),
      ledger_(shard, keeping_, parts.options),
      recovered_(parts.recovered),
      ambiguous_charge_(parts.ambiguous_charge),
      is_recovering_(!recovered_.empty()) {
  ledger_.set_listener(this);
  if (parts.next.segment.fd >= 0) ledger_.take_next(parts.next.segment);
  if (parts.emergency.segment.fd >= 0) ledger_.take_emergency(parts.emergency.segment);
  write_recovered();
}

ShardLedger::~ShardLedger() = default;

ShardLedger::Slot ShardLedger::begin(const ledger::OpenRequest& request) {
  if (!admits()) return OpenTable::kNoSlot;
  return table_.begin(request);
}

ShardLedger::Appended ShardLedger::settle(const ledger::UsageRecord& record, Slot slot,
                                          ledger::DurableWaiter* waiter) {
  const std::uint64_t sequence = ledger_.next_sequence();
  const Appended appended = ledger_.append(record, waiter);
  if (appended != Appended::kDropped) settled_.push_back({sequence, slot});
  return appended;
}

void ShardLedger::on_durable_until(std::uint64_t sequence) {
  while (!settled_.empty() && settled_.front().sequence < sequence) {
    table_.end(settled_.front().slot);
    settled_.pop_front();
  }
  if (listener_ != nullptr) listener_->on_durable_until(sequence);
  if (!is_recovering_) return;
  write_recovered();
  if (recovered_written_ < recovered_.size() || sequence < recovered_until_) return;
  is_recovering_ = false;
  recovered_.clear();
  keeping_.recovered_is_durable();
}

void ShardLedger::take(const SegmentDelivery& delivery) {
  if (delivery.is_emergency) {
    ledger_.take_emergency(delivery.segment);
  } else {
    ledger_.take_next(delivery.segment);
  }
  write_recovered();
}

// As far as there is room at the moment.
void ShardLedger::write_recovered() {
  while (is_recovering_ && recovered_written_ < recovered_.size() && ledger_.admits()) {
    const auto record = ledger::record_of(recovered_[recovered_written_], ambiguous_charge_);
    if (ledger_.append(record, nullptr) == Appended::kDropped) return;
    ++recovered_written_;
    recovered_until_ = ledger_.next_sequence();
  }
}

void ShardLedger::finish() {
  is_finishing_ = true;
  if (ledger_.finish(end_) != Appended::kWaiting) end_.is_over = true;
}

}  // namespace leat::gateway
