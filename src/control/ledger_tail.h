// SPDX-License-Identifier: Apache-2.0
// LedgerTail: follows a ledger's folder while gateways write to it, and gives every entry to a
// visitor once, soon after it was written. Reads only, in blocks; each call is bounded, and blocks
// for as long as the disk takes: for a thread that may wait.
//
// An entry counts once, as in replay(): where a write failed, the same entries under the same
// sequence numbers begin the next segment, and what has been told of is passed over there.
// Entries are told of when they are there to be read, which may be a moment before they are
// durable: what a power cut then takes is found by resume() at the next start.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "control/segment_folder.h"
#include "ledger/replay.h"
#include "ledger/segment_cursor.h"

namespace leat::control {

// How far one shard of one process was read: all segments before this one, and of it up to there.
struct TailPosition {
  ledger::SegmentIdentity segment;
  ledger::CursorPlace place;
  // Entries below were told of. After a failed write that may be more than `place` has come past.
  std::uint64_t told = 0;

  bool operator==(const TailPosition&) const = default;
};

// Where a record stands.
struct RecordPlace {
  ledger::SegmentIdentity segment;
  std::uint32_t offset = 0;  // of its frame
};

class TailVisitor {
 public:
  // The payload is valid during the call.
  virtual void on_entry(const RecordPlace& place, const ledger::Entry& entry) = 0;

 protected:
  ~TailVisitor() = default;
};

enum class SegmentState : std::uint8_t {
  kUnread,     // not looked at yet, or no segment that can be read
  kUnused,     // made, and not used so far
  kReading,    // more may come
  kRead,       // read to its end
  kNeverUsed,  // and nor will it be: its process ended
};

class LedgerTail {
 public:
  static constexpr std::size_t kReadBytes = std::size_t{1} << 20;  // a read of the file

  // `folder` outlives it.
  explicit LedgerTail(const SegmentFolder& folder) : folder_(folder) {}

  // Goes on where another tail was. False: something that it had read is not there any more, or
  // not as it was (a power cut took what was not durable); read all from the beginning then.
  // A process whose segments are all gone is no reason: retention removes them.
  Result<bool> resume(const std::vector<TailPosition>& positions);

  // Tells `visitor` of what is new, until some `bytes_max` were read. True: there is more at hand.
  Result<bool> poll(TailVisitor& visitor, std::size_t bytes_max = SIZE_MAX);

  // Processes of generations below this have ended: once read to their ends they are not looked at
  // again.
  void set_ended_below(std::uint64_t generation) { ended_below_ = generation; }

  // From now on only these files are read.
  void read_only(const std::vector<LedgerFile>& files);

  struct SegmentFacts {
    LedgerFile file;
    SegmentState state = SegmentState::kUnread;
    std::uint64_t ordinal = 0;  // of use, once it was used
  };
  // What was there at the last poll().
  std::vector<SegmentFacts> segments() const;

  // Where every process and shard was read to. Those without a file left are not in it.
  std::vector<TailPosition> positions() const;
  // Entries that are missing between segments, as far as was seen.
  std::uint64_t missing() const { return missing_; }

 private:
  struct Segment {
    LedgerFile file;
    std::optional<ledger::SegmentCursor> cursor;  // none: its header was not read yet
    bool is_done = false;                         // read to its end, or left behind
  };
  // One shard of one process.
  struct Stream {
    std::map<std::uint64_t, Segment> segments;  // by number; those whose files are there
    std::optional<TailPosition> position;
    std::uint64_t next_sequence = 0;
    bool has_begun = false;
    bool is_over = false;  // nothing more will come
  };
  using StreamKey = std::pair<std::uint64_t, std::uint32_t>;  // generation, shard
  class Reader;

  Result<bool> look();
  Result<bool> begin_segments(Stream& stream);
  Result<bool> follow(Stream& stream, TailVisitor& visitor, std::size_t& budget);
  Result<ledger::SegmentCursor::Step> read(Stream& stream, Segment& segment, TailVisitor& visitor,
                                           std::size_t& budget);

  const SegmentFolder& folder_;
  std::optional<std::set<std::string>> only_;  // names of files; none: all
  std::map<StreamKey, Stream> streams_;
  std::vector<char> buffer_;
  std::uint64_t ended_below_ = 0;
  std::uint64_t missing_ = 0;
};

// The payload of the entry at a place that a tail gave. kNotFound: none is there any more.
Result<std::string> read_payload(const SegmentFolder& folder, const RecordPlace& place);

}  // namespace leat::control
