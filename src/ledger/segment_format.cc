// SPDX-License-Identifier: Apache-2.0
#include "ledger/segment_format.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "base/check.h"
#include "ledger/crc32c.h"

namespace leat::ledger {

namespace {

constexpr std::uint64_t kMagic = 0x5245'4744'454c'544c;  // "LTLEDGER"
constexpr std::uint32_t kVersion = 1;

// Little-endian, as every machine is that we run on.
struct RawSegmentHeader {
  std::uint64_t magic;
  std::uint32_t crc;  // of what follows
  std::uint32_t version;
  std::uint64_t bytes;
  std::uint64_t generation;
  std::uint64_t number;
  std::uint32_t shard;
  std::uint32_t unused;
  std::int64_t created_ns;
};
static_assert(sizeof(RawSegmentHeader) == 56);

struct RawFrameHeader {
  std::uint32_t crc;  // of what follows, after the seed
  std::uint32_t payload_crc;
  std::uint32_t kind_and_bytes;  // kind | payload_bytes << 8
  std::uint32_t durable_units;   // of kFrameAlign bytes
  std::uint64_t sequence;
  std::uint64_t chain;
};
static_assert(sizeof(RawFrameHeader) == kFrameHeaderBytes);
static_assert(kPayloadBytesMax < 1U << 24 && kSectorBytes % kFrameHeaderBytes == 0);

// The finisher of splitmix64 (Steele, Lea, Flood 2014): every bit of the input turns half of those
// of the output.
std::uint64_t mix(std::uint64_t value) {
  value = (value ^ value >> 30) * 0xbf58'476d'1ce4'e5b9;
  value = (value ^ value >> 27) * 0x94d0'49bb'1331'11eb;
  return value ^ value >> 31;
}

// Of all of a raw header but the CRC itself, which is its first or second field.
template <class Raw>
std::uint32_t crc_after_field(const Raw& raw, std::size_t offset, std::uint32_t seed) {
  return crc32c(seed, {reinterpret_cast<const char*>(&raw) + offset, sizeof raw - offset});
}
constexpr std::size_t kSegmentCrcFrom = offsetof(RawSegmentHeader, version);
constexpr std::size_t kFrameCrcFrom = offsetof(RawFrameHeader, payload_crc);

bool is_possible_size(std::uint64_t bytes) {
  return bytes >= kSegmentBytesMin && bytes <= kSegmentBytesMax && bytes % kBlockBytes == 0;
}

std::unexpected<Error> no_segment(const char* what) {
  return fail({.code = Code::kInvalid, .what = what});
}

}  // namespace

std::uint64_t chain_after(std::uint64_t chain, const FrameHeader& frame) {
  if (!is_entry(frame.kind)) return chain;
  const std::uint64_t content = std::uint64_t{frame.payload_crc} << 32 |
                                std::uint64_t{frame.payload_bytes} << 8 |
                                static_cast<std::uint8_t>(frame.kind);
  return mix(mix(chain + 0x9e37'79b9'7f4a'7c15 + frame.sequence) ^ content);
}

std::uint32_t segment_seed(const SegmentIdentity& identity) {
  const std::uint64_t owner = mix(identity.generation + mix(identity.shard + 1));
  return static_cast<std::uint32_t>(mix(owner + identity.number));
}

void write_segment_header(const SegmentHeader& header, std::span<char> out) {
  LEAT_CHECK(out.size() >= kSegmentHeaderBytes && is_possible_size(header.bytes));
  RawSegmentHeader raw{.magic = kMagic,
                       .crc = 0,
                       .version = kVersion,
                       .bytes = header.bytes,
                       .generation = header.identity.generation,
                       .number = header.identity.number,
                       .shard = header.identity.shard,
                       .unused = 0,
                       .created_ns = header.created.unix_ns};
  raw.crc = crc_after_field(raw, kSegmentCrcFrom, 0);
  std::memset(out.data(), 0, kSegmentHeaderBytes);
  std::memcpy(out.data(), &raw, sizeof raw);
}

Result<SegmentHeader> read_segment_header(std::span<const char> bytes) {
  if (bytes.size() < kSegmentHeaderBytes) return no_segment("too short for a ledger segment");
  RawSegmentHeader raw;
  std::memcpy(&raw, bytes.data(), sizeof raw);
  if (raw.magic != kMagic) return no_segment("not a ledger segment");
  if (raw.crc != crc_after_field(raw, kSegmentCrcFrom, 0)) {
    return no_segment("the header of a ledger segment is damaged");
  }
  if (raw.version != kVersion) {
    return fail({.code = Code::kUnsupported, .what = "a ledger segment of a later version"});
  }
  const auto rest = bytes.subspan(sizeof raw, kSegmentHeaderBytes - sizeof raw);
  const bool rest_is_zero = std::all_of(rest.begin(), rest.end(), [](char c) { return c == 0; });
  if (!is_possible_size(raw.bytes) || !rest_is_zero) {
    return no_segment("the header of a ledger segment is damaged");
  }
  return SegmentHeader{
      .identity = {.generation = raw.generation, .shard = raw.shard, .number = raw.number},
      .bytes = raw.bytes,
      .created = {raw.created_ns}};
}

std::uint64_t write_frame(FrameHeader header, std::uint32_t seed, std::uint64_t chain,
                          std::span<char> out) {
  LEAT_CHECK(header.payload_bytes <= kPayloadBytesMax &&
             out.size() >= frame_bytes(header.payload_bytes));
  LEAT_CHECK(header.durable_bytes % kFrameAlign == 0);
  const std::size_t payload_end = kFrameHeaderBytes + header.payload_bytes;
  header.payload_crc = crc32c(seed, out.subspan(kFrameHeaderBytes, header.payload_bytes));
  header.chain = chain_after(chain, header);
  RawFrameHeader raw{
      .crc = 0,
      .payload_crc = header.payload_crc,
      .kind_and_bytes = static_cast<std::uint32_t>(header.kind) | header.payload_bytes << 8,
      .durable_units = header.durable_bytes / static_cast<std::uint32_t>(kFrameAlign),
      .sequence = header.sequence,
      .chain = header.chain};
  raw.crc = crc_after_field(raw, kFrameCrcFrom, seed);
  std::memcpy(out.data(), &raw, sizeof raw);
  out[payload_end] = kEndMark;
  std::memset(out.data() + payload_end + 1, 0, frame_bytes(header.payload_bytes) - payload_end - 1);
  return header.chain;
}

bool read_frame_header(std::span<const char> bytes, std::uint32_t seed, FrameHeader& header) {
  RawFrameHeader raw;
  LEAT_CHECK(bytes.size() >= sizeof raw);
  std::memcpy(&raw, bytes.data(), sizeof raw);
  if (raw.crc != crc_after_field(raw, kFrameCrcFrom, seed)) return false;
  const std::uint32_t kind = raw.kind_and_bytes & 0xff;
  header = {.kind = static_cast<FrameKind>(kind),
            .payload_bytes = raw.kind_and_bytes >> 8,
            .payload_crc = raw.payload_crc,
            .durable_bytes = raw.durable_units * static_cast<std::uint32_t>(kFrameAlign),
            .sequence = raw.sequence,
            .chain = raw.chain};
  return kind >= static_cast<std::uint32_t>(FrameKind::kOpen) &&
         kind <= static_cast<std::uint32_t>(FrameKind::kEnd) &&
         header.payload_bytes <= kPayloadBytesMax &&
         raw.durable_units <= kSegmentBytesMax / kFrameAlign;
}

}  // namespace leat::ledger
