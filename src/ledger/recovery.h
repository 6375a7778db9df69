// SPDX-License-Identifier: Apache-2.0
// Recovery: what a start has to write down for the processes before it. A request that stands in
// their open tables and has a record was settled; one without was cut off in the middle, and
// whether a provider ran it is not known: it becomes an ambiguous record. Pure.
//
//   1. Recovery recovery(open requests of all earlier tables);
//   2. replay() of all their segments with `recovery` as the visitor, and of those of any process
//      since, so that a start that was itself cut off is not counted twice
//   3. append(record_of(each)) for each of remaining(); once all are durable the tables may go
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "ledger/open_table.h"
#include "ledger/record.h"
#include "ledger/replay.h"

namespace leat::ledger {

// What a key pays for a request of which nobody knows whether it ran.
enum class AmbiguousCharge : std::uint8_t {
  kNothing,   // the operator bears it
  kReserved,  // all that was reserved
};

class Recovery final : public EntryVisitor {
 public:
  // The views of the requests must outlive it.
  explicit Recovery(std::span<const OpenRequest> open);

  void on_entry(const SegmentHeader& segment, const Entry& entry) override;

  // Those without a record so far, in the order given.
  std::vector<OpenRequest> remaining() const;
  // Entries whose frame is sound and whose content is not: written by a later version.
  std::uint64_t unreadable() const { return unreadable_; }
  std::uint64_t records() const { return records_; }

 private:
  std::span<const OpenRequest> open_;
  std::unordered_set<std::string_view> unsettled_;
  std::uint64_t records_ = 0;
  std::uint64_t unreadable_ = 0;
};

// A segment's bytes, and which shard of which process wrote it.
struct OwnedSegment {
  SegmentIdentity owner;  // its number says nothing
  std::span<const char> bytes;
};

// Steps 1 and 2 for all tables and segments there are, in any order: what stands in a table and has
// no record. Only segments from the oldest of the tables' processes on can hold one, and no other
// is read. The views are of the tables'.
std::vector<OpenRequest> unsettled_requests(std::span<const OpenRequests> tables,
                                            std::span<const OwnedSegment> segments);

// Whether no frame was ever written to the segment.
bool is_unused_segment(std::span<const char> segment);

// Which of the segments of processes that are gone say nothing and may go: those that were never
// written to. But where the last one that was is sealed, the next was at hand and is one of them:
// without it that would look like a loss. Indices, in order.
std::vector<std::size_t> unneeded_segments(std::span<const OwnedSegment> segments);

// The record of a request that was cut off. Its cost, what a provider may ask, is the bound that
// was reserved; the views are the request's.
UsageRecord record_of(const OpenRequest& request, AmbiguousCharge charge);

}  // namespace leat::ledger
