// SPDX-License-Identifier: Apache-2.0
// replay(): all entries that one shard of one process generation wrote, each once, in order, out
// of the bytes of its segments; and whether any is missing. Pure. A start reads what is to be known
// again with it, `leat ledger verify` checks with it, and so both see the same.
//
// Segments count in the order in which they were used. One whose write failed is never written
// again: what was not yet reported durable stands again, under the same sequence numbers, at the
// beginning of the next one. So a segment counts up to where the next begins, and what comes after
// in it - superseded, torn or damaged - does not.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ledger/segment_reader.h"

namespace leat::ledger {

class EntryVisitor {
 public:
  // The payload is of the bytes given to replay().
  virtual void on_entry(const SegmentHeader& segment, const Entry& entry) = 0;

 protected:
  ~EntryVisitor() = default;
};

struct SegmentReport {
  std::size_t index = 0;  // of the file in what was given
  SegmentHeader header;
  SegmentEnd end = SegmentEnd::kReading;
  std::size_t end_offset = 0;
  std::uint64_t entries = 0;  // that count
  // Something that counted is lost or cannot be read, here or before; null: nothing. Static text.
  const char* fault = nullptr;
  // Nothing is lost, but it did not end as it should: torn, or left after a write that failed.
  const char* remark = nullptr;
};

struct ReplayReport {
  // In the order of use; then those that were not used, and those without a readable header.
  std::vector<SegmentReport> segments;
  std::uint64_t entries = 0;
  std::uint64_t next_sequence = 0;
  std::uint64_t chain = 0;
  bool is_intact = true;      // no segment has a fault
  bool is_clean = true;       // nor a remark
  bool is_unfinished = true;  // the process was cut off, or still runs
};

// `files`: of one shard and generation, in any order. Entries after a fault are still told of.
ReplayReport replay(std::span<const std::span<const char>> files, EntryVisitor& visitor);

}  // namespace leat::ledger
