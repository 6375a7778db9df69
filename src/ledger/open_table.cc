// SPDX-License-Identifier: Apache-2.0
#include "ledger/open_table.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "base/check.h"
#include "ledger/crc32c.h"
#include "ledger/varint.h"

namespace leat::ledger {

namespace {

constexpr std::uint64_t kMagic = 0x4e45'504f'5441'454c;  // "LEATOPEN"
constexpr std::uint32_t kVersion = 1;

struct RawHeader {
  std::uint64_t magic;
  std::uint32_t crc;  // of what follows
  std::uint32_t version;
  std::uint64_t generation;
  std::uint32_t shard;
  std::uint32_t slot_bytes;
};
static_assert(sizeof(RawHeader) == 32 && sizeof(RawHeader) <= OpenTable::kSlotBytes);

struct SlotHeader {
  std::uint32_t size;  // 0: free
  std::uint32_t crc;   // of the request
};
constexpr std::size_t kContentBytes = OpenTable::kSlotBytes - sizeof(SlotHeader);
static_assert(kContentBytes >=
              5 * (RecordLimits::kIdMax + 2) + RecordLimits::kNameMax + 2 + 7 * kVarintBytesMax);

std::uint32_t crc_of(const RawHeader& header) {
  return crc32c(0, {reinterpret_cast<const char*>(&header.version),
                    sizeof header - offsetof(RawHeader, version)});
}

// The mark: a release, so that neither compiler nor processor puts it before what it marks.
void set_size(char* slot, std::uint32_t size) {
  auto& word = *reinterpret_cast<std::uint32_t*>(slot);
  std::atomic_ref(word).store(size, std::memory_order_release);
}

std::size_t encode_request(const OpenRequest& request, std::span<char> out) {
  VarintWriter writer(out);
  writer.number(request.price_version);
  writer.signed_number(request.reserved);
  writer.signed_number(request.began.unix_ns);
  writer.number(request.is_streamed ? 1 : 0);
  for (const auto text : {request.generation_id, request.key_id, request.organisation_id,
                          request.workspace_id, request.api}) {
    writer.bytes(cut_text(text, RecordLimits::kIdMax));
  }
  writer.bytes(cut_text(request.model_asked, RecordLimits::kNameMax));
  writer.signed_number(request.byok_reserved);
  writer.signed_number(request.tokens_reserved);
  return writer.size();
}

bool decode_request(std::string_view bytes, OpenRequest& request) {
  VarintReader reader(bytes);
  request.price_version = reader.number();
  request.reserved = reader.signed_number();
  request.began.unix_ns = reader.signed_number();
  request.is_streamed = reader.number() != 0;
  request.generation_id = reader.bytes();
  request.key_id = reader.bytes();
  request.organisation_id = reader.bytes();
  request.workspace_id = reader.bytes();
  request.api = reader.bytes();
  request.model_asked = reader.bytes();
  // The process before may be of a version that did not tell them.
  request.byok_reserved = reader.signed_or_zero();
  request.tokens_reserved = reader.signed_or_zero();
  return reader.ok() && reader.at_end();
}

}  // namespace

OpenTable::OpenTable(std::span<char> memory, const SegmentIdentity& owner)
    : memory_(memory), slots_(memory.size() / kSlotBytes - 1) {
  LEAT_CHECK(memory.size() >= bytes_for(1) && slots_ < kNoSlot);
  LEAT_CHECK(reinterpret_cast<std::uintptr_t>(memory.data()) % alignof(std::uint64_t) == 0);
  RawHeader header{.magic = kMagic,
                   .crc = 0,
                   .version = kVersion,
                   .generation = owner.generation,
                   .shard = owner.shard,
                   .slot_bytes = kSlotBytes};
  header.crc = crc_of(header);
  std::memcpy(memory.data(), &header, sizeof header);
  // The last one first, so that the first slots are used most and few pages are touched.
  free_.reserve(slots_);
  for (std::size_t slot = slots_; slot-- > 0;) free_.push_back(static_cast<Slot>(slot));
}

OpenTable::Slot OpenTable::begin(const OpenRequest& request) {
  if (free_.empty()) return kNoSlot;
  const Slot slot = free_.back();
  free_.pop_back();
  ++taken_;
  char* place = at(slot);
  const std::span<char> content(place + sizeof(SlotHeader), kContentBytes);
  const std::size_t size = encode_request(request, content);
  const std::uint32_t crc = crc32c(0, content.first(size));
  std::memcpy(place + offsetof(SlotHeader, crc), &crc, sizeof crc);
  set_size(place, static_cast<std::uint32_t>(size));
  return slot;
}

void OpenTable::end(Slot slot) {
  LEAT_CHECK(slot < slots_);
  std::uint32_t size;
  std::memcpy(&size, at(slot), sizeof size);
  LEAT_CHECK(size != 0);
  set_size(at(slot), 0);
  --taken_;
  free_.push_back(slot);
}

Result<OpenRequests> open_requests(std::span<const char> memory) {
  OpenRequests open;
  if (std::all_of(memory.begin(), memory.end(), [](char c) { return c == 0; })) return open;
  RawHeader header{};
  if (memory.size() < sizeof header) return fail({.code = Code::kInvalid, .what = "no open table"});
  std::memcpy(&header, memory.data(), sizeof header);
  if (header.magic != kMagic || header.crc != crc_of(header)) {
    return fail({.code = Code::kInvalid, .what = "the header of an open table is damaged"});
  }
  if (header.version != kVersion || header.slot_bytes != OpenTable::kSlotBytes) {
    return fail({.code = Code::kUnsupported, .what = "an open table of another version"});
  }
  open.owner = {.generation = header.generation, .shard = header.shard};
  std::size_t at = OpenTable::kSlotBytes;
  for (; at + OpenTable::kSlotBytes <= memory.size(); at += OpenTable::kSlotBytes) {
    SlotHeader slot;
    std::memcpy(&slot, memory.data() + at, sizeof slot);
    if (slot.size == 0) continue;
    const std::size_t size = std::min<std::size_t>(slot.size, kContentBytes);
    const auto content = memory.subspan(at + sizeof slot, size);
    OpenRequest request;
    if (slot.size <= kContentBytes && crc32c(0, content) == slot.crc &&
        decode_request({content.data(), size}, request)) {
      open.requests.push_back(request);
    } else {
      ++open.damaged;
    }
  }
  return open;
}

}  // namespace leat::ledger
