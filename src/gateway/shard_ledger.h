// SPDX-License-Identifier: Apache-2.0
// ShardLedger: one shard's bookkeeping of what its requests used. A request is entered in the open
// table before any byte of it goes to a provider; when it has ended its record is appended to the
// ledger, and once that is durable it leaves the table. So at any moment, and after any crash, each
// request that began has an entry in the table, a record, or both for an instant.
//
//   begin() -> slot ... settle(record, slot) -> [durable] -> slot free
//
// Belongs to its shard's Gateway; used from its thread only. Segments come by message from whoever
// may open files.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "ledger/ledger.h"
#include "ledger/open_table.h"
#include "ledger/recovery.h"
#include "shard/shard.h"

namespace leat::gateway {

// A segment on its way to a shard.
struct SegmentDelivery {
  ledger::SegmentFile segment;
  bool is_emergency = false;
};

// Who makes a shard's segments, and hears when what was recovered is safe.
class LedgerKeeping : public ledger::SegmentSource {
 public:
  // All of LedgerParts::recovered is durable: what it was read from is not needed any more.
  virtual void recovered_is_durable() = 0;

 protected:
  ~LedgerKeeping() = default;
};

struct LedgerParts {
  LedgerKeeping* keeping = nullptr;  // null: nothing is kept; the rest does not count then
  ledger::LedgerOptions options;
  ledger::SegmentIdentity owner;
  std::span<char> open_table;  // as OpenTable takes it
  // To begin with, so that the shard can serve at once.
  SegmentDelivery next;
  SegmentDelivery emergency;
  // What earlier processes had begun and not settled; this shard writes their records. Views that
  // hold until recovered_is_durable().
  std::vector<ledger::OpenRequest> recovered;
  ledger::AmbiguousCharge ambiguous_charge = ledger::AmbiguousCharge::kNothing;
};

class ShardLedger final : private ledger::DurableListener {
 public:
  using Slot = ledger::OpenTable::Slot;
  using Appended = ledger::Ledger::Appended;

  ShardLedger(shard::Shard& shard, const LedgerParts& parts);
  ~ShardLedger();
  ShardLedger(const ShardLedger&) = delete;
  ShardLedger& operator=(const ShardLedger&) = delete;

  // kNoSlot: it must not begin (503 ledger_unavailable).
  [[nodiscard]] Slot begin(const ledger::OpenRequest& request);
  // `waiter`: told once the record is durable, if kWaiting; null: nobody waits. The slot is free
  // when it is; a record for which there was no room keeps it, so that a start finds it.
  // REQUIRES: a slot of begin(), once.
  Appended settle(const ledger::UsageRecord& record, Slot slot, ledger::DurableWaiter* waiter);

  // A grant of a budget (ledger/grant.h), which must be durable before it is spent.
  Appended append_grant(std::span<const char> grant, ledger::DurableWaiter& waiter) {
    return is_finishing_ ? Appended::kDropped : ledger_.append_grant(grant, waiter);
  }

  // The number that the next entry will have.
  std::uint64_t next_sequence() const { return ledger_.next_sequence(); }
  // Hears how far all is durable. Null: nobody; it is there as long as turns are.
  void set_listener(ledger::DurableListener* listener) { listener_ = listener; }

  void take(const SegmentDelivery& delivery);
  // Everything is made durable, and the segment closed. Nothing may begin any more; what runs was
  // settled. REQUIRES: not called before.
  void finish();
  // After finish(): it is closed, or cannot be.
  bool is_finished() const { return end_.is_over; }

  const ledger::LedgerStats& stats() const { return ledger_.stats(); }
  // Whether a request may begin, as far as there is a slot for it.
  bool admits() const { return !is_finishing_ && ledger_.admits(); }
  std::size_t open_count() const { return table_.open_count(); }
  // Records that are not durable yet.
  std::size_t waiting_count() const { return settled_.size(); }

 private:
  struct Settled {
    std::uint64_t sequence = 0;
    Slot slot = ledger::OpenTable::kNoSlot;
  };
  struct End final : ledger::DurableWaiter {
    bool is_over = false;
    void on_durable(bool) override { is_over = true; }
  };

  void on_durable_until(std::uint64_t sequence) override;
  void write_recovered();

  LedgerKeeping& keeping_;
  ledger::DurableListener* listener_ = nullptr;
  ledger::OpenTable table_;
  ledger::Ledger ledger_;
  std::deque<Settled> settled_;  // whose records are not durable yet, in their order
  std::vector<ledger::OpenRequest> recovered_;
  std::size_t recovered_written_ = 0;
  std::uint64_t recovered_until_ = 0;  // the sequence after the last of them
  ledger::AmbiguousCharge ambiguous_charge_;
  bool is_recovering_;
  bool is_finishing_ = false;
  End end_;
};

}  // namespace leat::gateway
