// SPDX-License-Identifier: Apache-2.0
// OpenTable: what one shard has begun and not yet settled, in memory that outlives a killed
// process: a mapping of a file, shared, made by whoever may open files. Before any byte of a
// request goes to a provider it stands here with what was reserved for it; once its record is
// durable it is taken out. A start reads what an earlier process left (open_requests()) and writes
// an ambiguous record for each request that has no record of its own (recovery.h).
//
//   | header, one slot | slot 0 | slot 1 | ...      a slot: size and CRC 8 bytes | encoded request
//
// A slot is filled first and marked as taken last, so that a process may be killed between any two
// instructions. Against a power cut the table is no help: its pages are not synced. What was in
// flight then is covered by the grants of leases, which are in the ledger.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ledger/record.h"
#include "ledger/segment_format.h"

namespace leat::ledger {

// What is known of a request when it begins. Views, as in UsageRecord; what is longer than
// RecordLimits allow is cut.
struct OpenRequest {
  std::string_view generation_id;
  std::string_view key_id;
  std::string_view organisation_id;
  std::string_view workspace_id;
  std::string_view api;
  std::string_view model_asked;
  std::uint64_t price_version = 0;
  Nanodollars reserved = 0;
  // Reserved besides: what an own provider key may cost, and tokens. Limits of who goes on while
  // this request still runs count them.
  Nanodollars byok_reserved = 0;
  std::int64_t tokens_reserved = 0;
  WallTime began{};
  bool is_streamed = false;
};

class OpenTable {
 public:
  static constexpr std::size_t kSlotBytes = 576;
  static constexpr std::size_t bytes_for(std::size_t slots) { return (slots + 1) * kSlotBytes; }
  // As many as a shard may have open at once by the defaults' largest limits.
  static constexpr std::size_t kSlotsDefault = 16'384;

  // A fresh table. `memory`: of bytes_for(n), zeros; it must outlive the table, and is not written
  // after the table is gone.
  OpenTable(std::span<char> memory, const SegmentIdentity& owner);
  OpenTable(const OpenTable&) = delete;
  OpenTable& operator=(const OpenTable&) = delete;

  using Slot = std::uint32_t;
  static constexpr Slot kNoSlot = UINT32_MAX;
  // kNoSlot: the table is full, and the request is refused (503 ledger_unavailable).
  [[nodiscard]] Slot begin(const OpenRequest& request);
  // REQUIRES: of begin(), once.
  void end(Slot slot);

  std::size_t open_count() const { return taken_; }
  std::size_t slot_count() const { return slots_; }

 private:
  char* at(Slot slot) { return memory_.data() + (std::size_t{slot} + 1) * kSlotBytes; }

  std::span<char> memory_;
  std::size_t slots_;
  std::size_t taken_ = 0;
  std::vector<Slot> free_;
};

struct OpenRequests {
  SegmentIdentity owner;  // its number says nothing
  std::vector<OpenRequest> requests;
  std::uint64_t damaged = 0;  // slots that were taken and cannot be read
};

// What a table holds. Its views are of `memory`. kInvalid: not a table; kUnsupported: of a later
// version. A table of zeros, whose process died while making it, holds nothing.
Result<OpenRequests> open_requests(std::span<const char> memory);

}  // namespace leat::ledger
