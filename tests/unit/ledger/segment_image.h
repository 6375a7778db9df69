// SPDX-License-Identifier: Apache-2.0
// SegmentImage: a segment as a ledger leaves it on the disk, commit by commit, for tests of those
// who read it.
#pragma once

#include <cstring>
#include <string>
#include <vector>

#include "ledger/segment_format.h"

namespace leat::ledger {

class SegmentImage {
 public:
  // Goes on from the entry before `sequence`, whose chain is `chain`.
  explicit SegmentImage(const SegmentIdentity& identity = {.generation = 7, .shard = 1},
                        std::uint64_t ordinal = 0, std::uint64_t sequence = 0,
                        std::uint64_t chain = 0, std::uint64_t size = kSegmentBytesMin)
      : bytes(size, '\0'), sequence(sequence), chain(chain), seed_(segment_seed(identity)) {
    write_segment_header({.identity = identity, .bytes = size, .created = {1}}, bytes);
    std::string payload(kOpenPayloadBytes, '\0');
    std::memcpy(payload.data(), &ordinal, sizeof ordinal);
    frame(FrameKind::kOpen, payload);
  }

  // Of one commit, until commit() says that it is durable.
  SegmentImage& entry(const std::string& payload, FrameKind kind = FrameKind::kUsage) {
    frame(kind, payload);
    ++sequence;
    return *this;
  }
  // Never written by a ledger.
  SegmentImage& reopen() {
    frame(FrameKind::kOpen, std::string(kOpenPayloadBytes, '\0'));
    return *this;
  }
  SegmentImage& commit() {
    durable = end;
    return *this;
  }
  SegmentImage& seal(FrameKind kind = FrameKind::kSeal) {
    frame(kind, "");
    return commit();
  }

  std::string bytes;
  std::size_t end = kSegmentHeaderBytes;
  std::size_t durable = kSegmentHeaderBytes;
  std::uint64_t sequence;
  std::uint64_t chain;

 private:
  void frame(FrameKind kind, const std::string& payload) {
    std::memcpy(bytes.data() + end + kFrameHeaderBytes, payload.data(), payload.size());
    chain = write_frame({.kind = kind,
                         .payload_bytes = static_cast<std::uint32_t>(payload.size()),
                         .durable_bytes = static_cast<std::uint32_t>(durable),
                         .sequence = sequence},
                        seed_, chain, std::span(bytes).subspan(end));
    end += frame_bytes(payload.size());
  }
  std::uint32_t seed_;
};

// Like the payload of a record: text and numbers, never 512 zeros in a row.
inline std::string payload_of(std::size_t size, char letter) {
  std::string payload(size, letter);
  for (std::size_t i = 0; i < size; i += 7) payload[i] = static_cast<char>(i);
  return payload;
}

}  // namespace leat::ledger
