// SPDX-License-Identifier: Apache-2.0
// SegmentReader: the entries of one segment, out of its bytes, and a verdict on how it ends. Pure:
// the bytes are whoever's, and must outlive what was read of them. Nothing in them is trusted.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "base/result.h"
#include "ledger/segment_format.h"

namespace leat::ledger {

enum class SegmentEnd : std::uint8_t {
  kReading,  // not there yet
  kSealed,   // another segment follows
  kEnded,    // the process ended in order
  kOpen,     // zeros follow: whoever wrote it was cut off, or goes on
  kTorn,     // what follows was being written and never reported durable
  kDamaged,  // something that was durable is not as it was
};

struct Entry {
  FrameKind kind = FrameKind::kUsage;
  std::uint64_t sequence = 0;
  std::uint64_t chain = 0;
  std::span<const char> payload;
};

class SegmentReader {
 public:
  // Errors as read_segment_header().
  static Result<SegmentReader> open(std::span<const char> file);

  const SegmentHeader& header() const { return header_; }
  // The next entry; none at the end.
  std::optional<Entry> next();

  SegmentEnd end() const { return end_; }
  // Where that verdict was reached, and of kTorn and kDamaged why (static text).
  std::size_t end_offset() const { return at_; }
  const char* why() const { return why_; }

  // Whether it was ever used: then as which one, the sequence number of its first entry, and the
  // chain that it continues. Known after the first next().
  bool has_begun() const { return has_begun_; }
  std::uint64_t ordinal() const { return ordinal_; }
  std::uint64_t first_sequence() const { return first_sequence_; }
  std::uint64_t first_chain() const { return first_chain_; }
  // After the entries read so far.
  std::uint64_t next_sequence() const { return next_sequence_; }
  std::uint64_t chain() const { return chain_; }

 private:
  SegmentReader(const SegmentHeader& header, std::span<const char> file);
  bool read_frame(FrameHeader& frame, std::span<const char>& payload);
  bool begin(const FrameHeader& frame, std::span<const char> payload);
  bool follows(const FrameHeader& frame);
  bool stop(SegmentEnd end, const char* why);
  bool stop_torn(const char* why);
  bool stop_at_no_header();
  bool stop_at_bad_payload(std::size_t payload_bytes);
  void finish(FrameKind kind, std::size_t frame_size);
  bool is_something_durable_behind() const;

  SegmentHeader header_;
  std::span<const char> file_;  // not beyond what the header says
  std::uint32_t seed_;
  std::size_t at_ = kSegmentHeaderBytes;
  SegmentEnd end_ = SegmentEnd::kReading;
  const char* why_ = "";
  bool has_begun_ = false;
  std::uint64_t ordinal_ = 0;
  std::uint64_t first_sequence_ = 0;
  std::uint64_t first_chain_ = 0;
  std::uint64_t next_sequence_ = 0;
  std::uint64_t chain_ = 0;
};

}  // namespace leat::ledger
