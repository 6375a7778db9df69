// SPDX-License-Identifier: Apache-2.0
#include "ledger/segment_cursor.h"

#include <cstring>

#include "ledger/crc32c.h"

namespace leat::ledger {

bool SegmentCursor::resume(const CursorPlace& place, std::span<const char> bytes) {
  FrameHeader frame;
  if (place.last < kSegmentHeaderBytes || place.at <= place.last || place.at > bytes_) return false;
  if (bytes.size() < kFrameHeaderBytes ||
      !read_frame_header(bytes.first(kFrameHeaderBytes), seed_, frame)) {
    return false;
  }
  const bool is_same = frame.chain == place.chain &&
                       frame.sequence + (is_entry(frame.kind) ? 1 : 0) == place.next_sequence &&
                       place.last + frame_bytes(frame.payload_bytes) == place.at;
  if (!is_same) return false;
  place_ = place;
  if (frame.kind == FrameKind::kSeal) pass(frame, Step::kSealed);
  if (frame.kind == FrameKind::kEnd) pass(frame, Step::kEnded);
  place_ = place;
  return true;
}

SegmentCursor::Step SegmentCursor::next(std::span<const char> bytes, Entry& entry) {
  if (is_over_) return end_;
  if (bytes_ - place_.at < kFrameHeaderBytes) return Step::kPending;
  if (bytes.size() < kFrameHeaderBytes) return more(kFrameHeaderBytes);
  FrameHeader frame;
  if (!read_frame_header(bytes.first(kFrameHeaderBytes), seed_, frame)) return Step::kPending;
  const std::size_t size = frame_bytes(frame.payload_bytes);
  if (size > bytes_ - place_.at) return Step::kPending;
  if (size > bytes.size()) return more(size);
  const auto payload = bytes.subspan(kFrameHeaderBytes, frame.payload_bytes);
  if (crc32c(seed_, payload) != frame.payload_crc ||
      bytes[kFrameHeaderBytes + frame.payload_bytes] != kEndMark) {
    return Step::kPending;
  }
  if (!has_begun()) return begin(frame, payload);
  if (frame.kind == FrameKind::kOpen || frame.sequence != place_.next_sequence ||
      frame.chain != chain_after(place_.chain, frame)) {
    return Step::kPending;
  }
  if (frame.kind == FrameKind::kSeal) return pass(frame, Step::kSealed);
  if (frame.kind == FrameKind::kEnd) return pass(frame, Step::kEnded);
  entry = {
      .kind = frame.kind, .sequence = frame.sequence, .chain = frame.chain, .payload = payload};
  return pass(frame, Step::kEntry);
}

SegmentCursor::Step SegmentCursor::begin(const FrameHeader& frame, std::span<const char> payload) {
  if (frame.kind != FrameKind::kOpen || payload.size() < kOpenPayloadBytes) return Step::kPending;
  std::memcpy(&place_.ordinal, payload.data(), sizeof place_.ordinal);
  first_sequence_ = frame.sequence;
  return pass(frame, Step::kBegun);
}

SegmentCursor::Step SegmentCursor::more(std::size_t size) {
  wanted_ = size;
  return Step::kMore;
}

// Goes on behind a frame.
SegmentCursor::Step SegmentCursor::pass(const FrameHeader& frame, Step step) {
  place_.last = place_.at;
  place_.at += static_cast<std::uint32_t>(frame_bytes(frame.payload_bytes));
  place_.chain = frame.chain;
  place_.next_sequence = frame.sequence + (is_entry(frame.kind) ? 1 : 0);
  is_over_ = step == Step::kSealed || step == Step::kEnded;
  if (is_over_) end_ = step;
  return step;
}

}  // namespace leat::ledger
