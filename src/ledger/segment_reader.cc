// SPDX-License-Identifier: Apache-2.0
// The verdicts follow from what segment_format.h says of sectors, marks and durable bytes.
#include "ledger/segment_reader.h"

#include <algorithm>
#include <cstring>

#include "ledger/crc32c.h"

namespace leat::ledger {

namespace {

bool is_zero(std::span<const char> bytes) {
  // Compares the bytes with themselves, one further on: as fast as memcmp is.
  return bytes.empty() ||
         (bytes[0] == 0 && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

}  // namespace

Result<SegmentReader> SegmentReader::open(std::span<const char> file) {
  LEAT_TRY(const SegmentHeader header, read_segment_header(file));
  return SegmentReader(header, file);
}

SegmentReader::SegmentReader(const SegmentHeader& header, std::span<const char> file)
    : header_(header),
      file_(file.first(std::min<std::size_t>(file.size(), header.bytes))),
      seed_(segment_seed(header.identity)) {}

std::optional<Entry> SegmentReader::next() {
  FrameHeader frame;
  std::span<const char> payload;
  while (end_ == SegmentEnd::kReading && read_frame(frame, payload)) {
    if (!(has_begun_ ? follows(frame) : begin(frame, payload))) break;
    const std::size_t size = frame_bytes(frame.payload_bytes);
    if (!is_entry(frame.kind)) {
      finish(frame.kind, size);
      continue;
    }
    at_ += size;
    next_sequence_ = frame.sequence + 1;
    chain_ = frame.chain;
    return Entry{frame.kind, frame.sequence, frame.chain, payload};
  }
  return std::nullopt;
}

// The frame at at_, whole and undamaged by itself; otherwise the verdict.
bool SegmentReader::read_frame(FrameHeader& frame, std::span<const char>& payload) {
  if (file_.size() - at_ < kFrameHeaderBytes) {
    if (file_.size() < header_.bytes) return stop_torn("the file is shorter than it was made");
    return is_zero(file_.subspan(at_)) ? stop(SegmentEnd::kOpen, "")
                                       : stop(SegmentEnd::kDamaged, "bytes after the last frame");
  }
  if (!read_frame_header(file_.subspan(at_, kFrameHeaderBytes), seed_, frame)) {
    return stop_at_no_header();
  }
  const std::size_t size = frame_bytes(frame.payload_bytes);
  if (size > header_.bytes - at_) {
    return stop(SegmentEnd::kDamaged, "a frame that is longer than its segment");
  }
  if (size > file_.size() - at_) return stop_torn("the file ends within a frame");
  const std::span<const char> whole = file_.subspan(at_, size);
  payload = whole.subspan(kFrameHeaderBytes, frame.payload_bytes);
  const std::size_t mark = kFrameHeaderBytes + frame.payload_bytes;
  if (crc32c(seed_, payload) != frame.payload_crc || whole[mark] != kEndMark ||
      !is_zero(whole.subspan(mark + 1))) {
    return stop_at_bad_payload(frame.payload_bytes);
  }
  return true;
}

bool SegmentReader::begin(const FrameHeader& frame, std::span<const char> payload) {
  if (frame.kind != FrameKind::kOpen || payload.size() < kOpenPayloadBytes) {
    return stop(SegmentEnd::kDamaged, "a segment that begins in the middle");
  }
  std::memcpy(&ordinal_, payload.data(), sizeof ordinal_);
  has_begun_ = true;
  first_sequence_ = next_sequence_ = frame.sequence;
  first_chain_ = chain_ = frame.chain;
  return true;
}

// Whether an undamaged frame is the one that is due here.
bool SegmentReader::follows(const FrameHeader& frame) {
  if (frame.durable_bytes > at_) {
    return stop(SegmentEnd::kDamaged, "a frame that cannot have been written here");
  }
  if (frame.kind == FrameKind::kOpen) {
    return stop(SegmentEnd::kDamaged, "a segment that begins twice");
  }
  if (frame.sequence != next_sequence_) {
    return stop(SegmentEnd::kDamaged, "an entry is missing or stands twice");
  }
  if (frame.chain != chain_after(chain_, frame)) {
    return stop(SegmentEnd::kDamaged, "the chain of entries is broken");
  }
  return true;
}

void SegmentReader::finish(FrameKind kind, std::size_t frame_size) {
  at_ += frame_size;
  if (kind == FrameKind::kOpen) return;
  if (!is_zero(file_.subspan(at_))) {
    stop(SegmentEnd::kDamaged, "bytes after the seal");
  } else {
    stop(kind == FrameKind::kSeal ? SegmentEnd::kSealed : SegmentEnd::kEnded, "");
  }
}

bool SegmentReader::stop(SegmentEnd end, const char* why) {
  end_ = end;
  why_ = why;
  return false;
}

// Looks torn; but not if something says that this place had been durable.
bool SegmentReader::stop_torn(const char* why) {
  if (is_something_durable_behind()) {
    return stop(SegmentEnd::kDamaged, "entries are missing before others that came later");
  }
  return stop(SegmentEnd::kTorn, why);
}

// A header lies in one sector: it is there or it is zeros.
bool SegmentReader::stop_at_no_header() {
  if (!is_zero(file_.subspan(at_, kFrameHeaderBytes))) {
    return stop(SegmentEnd::kDamaged, "the header of a frame is damaged");
  }
  if (!is_zero(file_.subspan(at_))) return stop_torn("a commit that was not finished");
  if (file_.size() < header_.bytes) return stop_torn("the file is shorter than it was made");
  return stop(SegmentEnd::kOpen, "");
}

// The sector of the header was written, so only others may be missing.
bool SegmentReader::stop_at_bad_payload(std::size_t payload_bytes) {
  const std::size_t end = at_ + kFrameHeaderBytes + payload_bytes + 1;
  std::size_t from = (at_ / kSectorBytes + 1) * kSectorBytes;
  for (; from < end; from += kSectorBytes) {
    const std::size_t size = std::min(kSectorBytes, end - from);
    if (is_zero(file_.subspan(from, size))) return stop_torn("a commit that was not finished");
  }
  return stop(SegmentEnd::kDamaged, "a frame is damaged");
}

// A frame further on that was written when what lies here was durable already.
bool SegmentReader::is_something_durable_behind() const {
  FrameHeader frame;
  for (std::size_t at = at_ + kFrameHeaderBytes; at + kFrameHeaderBytes <= file_.size();
       at += kFrameAlign) {
    if (read_frame_header(file_.subspan(at, kFrameHeaderBytes), seed_, frame) &&
        frame.durable_bytes > at_) {
      return true;
    }
  }
  return false;
}

}  // namespace leat::ledger
