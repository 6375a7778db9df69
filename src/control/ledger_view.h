// SPDX-License-Identifier: Apache-2.0
// LedgerView: what is known of a ledger's folder, kept up to date: what accounts used (UsageBook),
// usage by day (UsageTable), what is really used (UsageIndex) and where each record stands
// (RecordLookup), fed by one tail. Belongs to one thread that may wait; a start may feed it and
// hand it over.
//
// All of it follows from the segments. So that a start need not read all of them, it is written to
// two files of the folder, each whole or not at all and checked by a CRC:
//
//   projection   as of the last save(), and how far each process's segments were read for it
//   archive      the same, of the segments that retention removed: what nothing else knows
//
// `projection` is a shortcut: without it, or with one that does not fit, archive and segments are
// read. rebuild() does that on purpose, and tells whether the two agree.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "control/ledger_tail.h"
#include "control/record_lookup.h"
#include "control/segment_folder.h"
#include "control/usage_book.h"
#include "control/usage_index.h"
#include "control/usage_table.h"

namespace leat::control {

// `/activity` tells of thirty whole days and none of today.
inline constexpr std::int32_t kDaysKept = 31;
// Of some 150 bytes each. A busy month of a large installation; what is beyond is told unnamed.
inline constexpr std::size_t kDayRowsMax = 200'000;

class LedgerView final : public TailVisitor {
 public:
  enum class Source : std::uint8_t {
    kProjection,  // goes on from there, if it fits
    kSegments,    // reads everything that is there
  };
  // Errors: the folder's, and kInvalid: the archive does not fit the segments.
  static Result<std::unique_ptr<LedgerView>> open(const std::string& folder,
                                                  AccountNames names = AccountNames(),
                                                  Source source = Source::kProjection);

  // Takes in what is new, reading some `bytes_max` at most. True: there is more at hand.
  Result<bool> poll(WallTime now, std::size_t bytes_max = SIZE_MAX);
  // Writes `projection`.
  Result<bool> save();

  UsageBook& book() { return book_; }
  const UsageBook& book() const { return book_; }
  const UsageTable& days() const { return days_; }
  const UsageIndex& index() const { return index_; }
  const RecordLookup& lookup() const { return *lookup_; }
  LedgerTail& tail() { return tail_; }
  // Whether it went on from `projection`.
  bool is_resumed() const { return is_resumed_; }

  // Segments that were last written longer ago than `retention` and may be removed or recycled now:
  // they were read to their ends, and `archive` has what they say, durably. Up to `count_max`.
  Result<std::vector<LedgerFile>> expire(WallTime now, Duration retention,
                                         std::size_t count_max = SIZE_MAX);

  // Of expire().
  Result<bool> remove(const LedgerFile& file) { return folder_->remove(file); }

  void on_entry(const RecordPlace& place, const ledger::Entry& entry) override;

 private:
  LedgerView(SegmentFolder folder, std::string path, AccountNames names);
  std::string encode() const;
  Result<bool> load(const char* name);
  Result<bool> write(const char* name) const;

  std::string path_;
  std::unique_ptr<SegmentFolder> folder_;  // at one place, since others refer to it
  UsageBook book_;
  UsageTable days_{kDayRowsMax};
  UsageIndex index_;
  std::unique_ptr<RecordLookup> lookup_;
  LedgerTail tail_;
  ledger::UsageRecord record_;  // the one that is being read
  bool is_resumed_ = false;
  bool has_polled_ = false;
};

// Of the segments of a ledger those that may go: in each shard of each process the first in the
// order of use, as long as they were read to their ends and last written before that moment; and
// what was made for a process that ended and never used. Pure.
struct SegmentAge {
  LedgerFile file;
  SegmentState state = SegmentState::kUnread;
  std::uint64_t ordinal = 0;  // of use
  WallTime written{};
};
std::vector<LedgerFile> expired_segments(std::vector<SegmentAge> segments, WallTime before);

struct RebuildReport {
  bool had_projection = false;  // one that fitted
  bool is_same = true;          // and said what the segments say
  std::uint64_t records = 0;
  policy::Nanodollars charged = 0;
  std::uint64_t unreadable = 0;
  std::uint64_t missing = 0;
};
// Makes `projection` anew of all that there is. Not while a gateway that saves it is running.
Result<RebuildReport> rebuild_projection(const std::string& folder, WallTime now);

}  // namespace leat::control
