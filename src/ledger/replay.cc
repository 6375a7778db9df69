// SPDX-License-Identifier: Apache-2.0
#include "ledger/replay.h"

#include <algorithm>
#include <optional>

namespace leat::ledger {

namespace {

struct Source {
  SegmentReader reader;
  std::optional<Entry> entry;  // read and not yet told of
  SegmentReport report;
};

// How used segments are read, one after the other.
class Replay {
 public:
  Replay(EntryVisitor& visitor, ReplayReport& report) : visitor_(visitor), report_(report) {}

  // `next`: the one used after it; null for the last.
  void read(Source& source, const Source* next) {
    check_begin(source);
    const std::uint64_t end = next != nullptr ? next->reader.first_sequence() : UINT64_MAX;
    while (source.entry && source.entry->sequence < end) {
      visitor_.on_entry(source.reader.header(), *source.entry);
      ++source.report.entries;
      report_.next_sequence = source.entry->sequence + 1;
      report_.chain = source.entry->chain;
      source.entry = source.reader.next();
    }
    while (source.entry) source.entry = source.reader.next();  // to its verdict
    source.report.end = source.reader.end();
    source.report.end_offset = source.reader.end_offset();
    report_.entries += source.report.entries;
    if (next == nullptr) {
      check_last(source);
    } else {
      check_end(source, end);
    }
  }

 private:
  void check_begin(Source& source) {
    const SegmentReader& reader = source.reader;
    if (!is_first_ && reader.ordinal() == ordinal_) {
      source.report.fault = "a segment stands twice";
    } else if (!is_first_ && reader.first_sequence() != report_.next_sequence) {
      source.report.fault = "entries before this segment are missing";
    } else if (!is_first_ && reader.first_chain() != report_.chain) {
      source.report.fault = "this segment does not follow the one before";
    }
    // Older segments may be gone to an archive: the first that is there is taken at its word.
    is_first_ = false;
    ordinal_ = reader.ordinal();
    report_.next_sequence = reader.first_sequence();
    report_.chain = reader.first_chain();
  }

  // What the next segment has again need not be whole here. That something is missing before `end`
  // is the next one's fault to tell, unless it can be said why.
  void check_end(Source& source, std::uint64_t end) {
    const SegmentEnd verdict = source.reader.end();
    if (report_.next_sequence < end && verdict == SegmentEnd::kDamaged) {
      set_fault(source, source.reader.why());
    } else if (verdict != SegmentEnd::kSealed) {
      source.report.remark = "left before its end, as after a write that failed";
    }
  }

  void check_last(Source& source) {
    const SegmentEnd verdict = source.reader.end();
    if (verdict == SegmentEnd::kDamaged) set_fault(source, source.reader.why());
    if (verdict == SegmentEnd::kTorn) source.report.remark = source.reader.why();
    report_.is_unfinished = verdict != SegmentEnd::kEnded;
  }

  // The first fault says most.
  static void set_fault(Source& source, const char* fault) {
    if (source.report.fault == nullptr) source.report.fault = fault;
  }

  EntryVisitor& visitor_;
  ReplayReport& report_;
  bool is_first_ = true;
  std::uint64_t ordinal_ = 0;
};

// Neither of what begins nor of what ends it is anything here.
SegmentReport report_unused(const Source& source) {
  SegmentReport report = source.report;
  report.end = source.reader.end();
  report.end_offset = source.reader.end_offset();
  if (report.end == SegmentEnd::kDamaged) report.fault = source.reader.why();
  if (report.end == SegmentEnd::kTorn) report.remark = source.reader.why();
  return report;
}

}  // namespace

ReplayReport replay(std::span<const std::span<const char>> files, EntryVisitor& visitor) {
  ReplayReport report;
  std::vector<Source> used;
  std::vector<SegmentReport> others;
  bool has_unused = false;
  for (std::size_t i = 0; i < files.size(); ++i) {
    auto reader = SegmentReader::open(files[i]);
    if (!reader) {
      others.push_back({.index = i, .fault = reader.error().what});
      continue;
    }
    Source source{.reader = *reader, .entry = {}, .report = {}};
    source.entry = source.reader.next();
    source.report.index = i;
    source.report.header = source.reader.header();
    if (source.reader.has_begun()) {
      used.push_back(source);
    } else {
      has_unused = true;
      others.push_back(report_unused(source));
    }
  }
  std::stable_sort(used.begin(), used.end(), [](const Source& a, const Source& b) {
    return a.reader.ordinal() < b.reader.ordinal();
  });
  Replay run(visitor, report);
  for (std::size_t i = 0; i < used.size(); ++i) {
    run.read(used[i], i + 1 < used.size() ? &used[i + 1] : nullptr);
  }
  // A segment is sealed when the next is at hand, which may not have been written to yet.
  if (!used.empty() && used.back().reader.end() == SegmentEnd::kSealed && !has_unused) {
    used.back().report.fault = "the segment that follows is missing";
  }
  for (const Source& source : used) report.segments.push_back(source.report);
  report.segments.insert(report.segments.end(), others.begin(), others.end());
  for (const SegmentReport& each : report.segments) {
    report.is_intact = report.is_intact && each.fault == nullptr;
    report.is_clean = report.is_clean && each.fault == nullptr && each.remark == nullptr;
  }
  return report;
}

}  // namespace leat::ledger
