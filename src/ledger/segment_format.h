// SPDX-License-Identifier: Apache-2.0
// What a segment file looks like. Values only: who writes it is SegmentWriter, who reads it
// SegmentReader; neither does I/O.
//
//   | header block, 4 KiB | frame | frame | ... | zeros to the end of the file |
//
//   frame:  header 32 bytes | payload | end mark, 1 byte | zeros to the next multiple of 32
//
// The file is as long as its header says and zero to begin with; the header is durable before the
// segment is used. Frames are written by commits, which write whole blocks of 4 KiB: the last block
// again by the next commit, with the same bytes in front and more behind them.
//
// Torn or damaged? A disk writes a sector of 512 bytes whole or not at all, so after a crash a
// sector of a commit is as it was before (zeros, or the frames that were there) or as it was to be.
// A frame's header lies within one sector and is never all zero, a payload never fills a sector
// with zeros, and a frame ends with a mark. So a frame that was torn shows a sector of zeros;
// anything else that does not add up is damage. And a frame says up to where the segment was
// durable when it was written: what is missing before that is damage, too, even if it looks torn.
//
// Entries form a chain that goes on from segment to segment: an entry or a segment that is missing,
// doubled or out of place is found. The chain is 64 bits of a mixing function, not
// a cryptographic hash: it is there against accidents, as the CRC is. Against somebody who may
// write the files no chain without a key helps that is kept in the same files; who wants that keeps
// the SHA-256 of sealed segments elsewhere (`leat ledger verify` prints them).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/instant.h"
#include "base/result.h"

namespace leat::ledger {

inline constexpr std::size_t kBlockBytes = 4096;  // what O_DIRECT aligns to
inline constexpr std::size_t kSectorBytes = 512;  // what a disk writes whole
inline constexpr std::size_t kFrameAlign = 32;
inline constexpr std::size_t kFrameHeaderBytes = 32;
inline constexpr std::size_t kSegmentHeaderBytes = kBlockBytes;
inline constexpr char kEndMark = '\x5a';
// Between what a segment of 2 frames needs and what 32-bit offsets reach with room to spare.
inline constexpr std::uint64_t kSegmentBytesMin = 32 * 1024;
inline constexpr std::uint64_t kSegmentBytesMax = 1ULL << 30;
// So that 24 bits hold it, with room for larger entries one day.
inline constexpr std::size_t kPayloadBytesMax = 64 * 1024;

// Whose segment it is, and which of those that were made for it: one shard of one process
// generation. They are not always used in the order in which they were made.
struct SegmentIdentity {
  std::uint64_t generation = 0;  // of the process; each start takes a new one
  std::uint32_t shard = 0;
  std::uint64_t number = 0;

  bool operator==(const SegmentIdentity&) const = default;
};

struct SegmentHeader {
  SegmentIdentity identity;
  std::uint64_t bytes = 0;  // of the whole file: a multiple of kBlockBytes
  WallTime created{};
};

// IF YOU ADD A VALUE: at the end, since numbers are stored.
enum class FrameKind : std::uint8_t {
  kOpen = 1,   // the first of a segment: the payload is its ordinal, counting those that were used
  kUsage = 2,  // a UsageRecord
  kGrant = 3,  // a grant of a lease, as its owner encodes it
  kSeal = 4,   // nothing follows in this segment
  kEnd = 5,    // the same, and no segment follows: the process ended in order
};

// Whether the frame is an entry, with a sequence number of its own.
constexpr bool is_entry(FrameKind kind) {
  return kind == FrameKind::kUsage || kind == FrameKind::kGrant;
}

struct FrameHeader {
  FrameKind kind = FrameKind::kUsage;
  std::uint32_t payload_bytes = 0;
  std::uint32_t payload_crc = 0;
  // Bytes of this segment before this offset were durable when this frame was written.
  std::uint32_t durable_bytes = 0;
  // Of an entry: its own. Of others: that of the next entry.
  std::uint64_t sequence = 0;
  std::uint64_t chain = 0;  // after this entry; of others: after the last entry before
};

// The space that a frame with such a payload takes.
constexpr std::size_t frame_bytes(std::size_t payload_bytes) {
  const std::size_t used = kFrameHeaderBytes + payload_bytes + 1;
  return (used + kFrameAlign - 1) / kFrameAlign * kFrameAlign;
}

// The chain after this frame, of which all but `chain` is filled in. It begins with 0.
std::uint64_t chain_after(std::uint64_t chain, const FrameHeader& frame);

// What the CRCs of a segment begin with: a frame of another segment's, left over in a recycled
// file, is none of this one's.
std::uint32_t segment_seed(const SegmentIdentity& identity);

inline constexpr std::size_t kOpenPayloadBytes = 8;  // the ordinal, little-endian

// Writes the header block. REQUIRES: `out` has kSegmentHeaderBytes; `bytes` is a multiple of
// kBlockBytes within the limits.
void write_segment_header(const SegmentHeader& header, std::span<char> out);
// kInvalid: not a segment's, or damaged; kUnsupported: of a later version.
Result<SegmentHeader> read_segment_header(std::span<const char> bytes);

// Writes a whole frame at the front of `out`, whose payload is in place already; fills in the CRC
// of the payload and the chain after `chain`, which it returns. REQUIRES: `out` has
// frame_bytes(header.payload_bytes).
std::uint64_t write_frame(FrameHeader header, std::uint32_t seed, std::uint64_t chain,
                          std::span<char> out);
// False: no header of a frame of this segment. REQUIRES: kFrameHeaderBytes.
bool read_frame_header(std::span<const char> bytes, std::uint32_t seed, FrameHeader& header);

}  // namespace leat::ledger
