// SPDX-License-Identifier: Apache-2.0
// SegmentCursor: reads a segment while it is being written, piece by piece, and goes on where it
// was. Pure: the bytes are brought by whoever may read files. It judges nothing: what is not there
// yet, torn and damaged all mean "not yet"; replay.h tells one from the other.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "ledger/segment_format.h"
#include "ledger/segment_reader.h"

namespace leat::ledger {

// Where a cursor stands, to be kept.
struct CursorPlace {
  std::uint32_t at = kSegmentHeaderBytes;  // of the next frame
  std::uint32_t last = 0;                  // of the frame before it; 0: none was read
  std::uint64_t ordinal = 0;
  std::uint64_t next_sequence = 0;
  std::uint64_t chain = 0;

  bool operator==(const CursorPlace&) const = default;
};

class SegmentCursor {
 public:
  enum class Step : std::uint8_t {
    kBegun,  // its first frame, which is no entry: the segment was ever used
    kEntry,
    kMore,     // it takes more bytes, from at() on: at least wanted()
    kPending,  // nothing whole there yet
    kSealed,   // nothing follows in this segment
    kEnded,    // nor in another: the process ended in order
  };

  explicit SegmentCursor(const SegmentHeader& header)
      : seed_(segment_seed(header.identity)), bytes_(header.bytes) {}

  // Goes on at a place that a cursor of this segment gave. `bytes`: of the file, from place.last
  // on. False: what was read up to there is not what is there now.
  bool resume(const CursorPlace& place, std::span<const char> bytes);

  // `bytes`: of the file, from at() on. An entry's payload is of them.
  Step next(std::span<const char> bytes, Entry& entry);

  const CursorPlace& place() const { return place_; }
  std::uint32_t at() const { return place_.at; }
  std::size_t wanted() const { return wanted_; }
  // Whether it was ever used, which is known after the first next(); then with which entry.
  bool has_begun() const { return place_.last != 0; }
  std::uint64_t first_sequence() const { return first_sequence_; }

 private:
  Step begin(const FrameHeader& frame, std::span<const char> payload);
  Step more(std::size_t size);
  Step pass(const FrameHeader& frame, Step step);

  std::uint32_t seed_;
  std::uint64_t bytes_;
  CursorPlace place_;
  std::uint64_t first_sequence_ = 0;
  std::size_t wanted_ = 0;
  bool is_over_ = false;
  Step end_ = Step::kPending;
};

}  // namespace leat::ledger
