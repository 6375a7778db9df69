// SPDX-License-Identifier: Apache-2.0
#include "control/record_lookup.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "ledger/record.h"
#include "ledger/segment_reader.h"

namespace leat::control {
namespace {

// No request lasts longer, so its record was written within this after it began. And clocks that
// are set back by less than this spoil nothing.
constexpr std::int64_t kRequestNsMax = 3'600'000'000'000;

constexpr std::string_view kPrefix = "gen-";
constexpr std::size_t kTimeDigits = 7;  // of 5 bits: Gateway::new_id()

std::uint32_t hash_of(std::string_view id) {
  return static_cast<std::uint32_t>(std::hash<std::string_view>()(id));
}

// The payload with that id in a segment's bytes.
std::optional<std::string> search(std::span<const char> bytes, std::string_view id) {
  auto reader = ledger::SegmentReader::open(bytes);
  if (!reader) return std::nullopt;
  while (const auto entry = reader->next()) {
    if (entry->kind != ledger::FrameKind::kUsage) continue;
    const auto found = ledger::decode_generation_id(entry->payload);
    if (found && *found == id) return std::string(entry->payload.begin(), entry->payload.end());
  }
  return std::nullopt;
}

// Whether a record that was begun at that time may be in the segment.
Result<bool> may_hold(const SegmentFolder& folder, const LedgerFile& file, std::int64_t began_ns) {
  LEAT_TRY(const auto opened, folder.open_to_read(file));
  LEAT_TRY(const WallTime written, opened.written());
  if (written.unix_ns < began_ns - kRequestNsMax) return false;
  std::vector<char> head(ledger::kSegmentHeaderBytes);
  LEAT_TRY(const std::size_t size, opened.read(0, head));
  const auto header = ledger::read_segment_header(std::span<const char>(head).first(size));
  return header && header->created.unix_ns <= began_ns + kRequestNsMax;
}

}  // namespace

std::optional<std::int64_t> second_of_id(std::string_view id) {
  if (!id.starts_with(kPrefix) || id.size() <= kPrefix.size() + kTimeDigits ||
      id[kPrefix.size() + kTimeDigits] != '-') {
    return std::nullopt;
  }
  std::int64_t second = 0;
  for (const char c : id.substr(kPrefix.size(), kTimeDigits)) {
    if (c >= '0' && c <= '9') {
      second = second << 5 | (c - '0');
    } else if (c >= 'a' && c <= 'v') {
      second = second << 5 | (c - 'a' + 10);
    } else {
      return std::nullopt;
    }
  }
  return second;
}

RecordLookup::RecordLookup(const SegmentFolder& folder, std::size_t entries_max)
    : folder_(folder), part_entries_max_(std::max<std::size_t>(entries_max / 2, 1)) {}

void RecordLookup::put(std::string_view generation_id, const RecordPlace& place) {
  if (parts_[0].hashes.size() == part_entries_max_) {
    complete_after_ = std::max(complete_after_, parts_[1].newest);
    parts_[1] = std::exchange(parts_[0], {});
  }
  Part& part = parts_[0];
  if (part.segments.empty() || part.segments.back() != place.segment) {
    part.segments.push_back(place.segment);
  }
  part.hashes.push_back(hash_of(generation_id));
  part.slots.push_back(
      {.segment = static_cast<std::uint32_t>(part.segments.size() - 1), .offset = place.offset});
  part.newest = std::max(part.newest, second_of_id(generation_id).value_or(INT64_MIN));
}

std::vector<RecordPlace> RecordLookup::places_of(std::string_view generation_id) const {
  const std::uint32_t hash = hash_of(generation_id);
  std::vector<RecordPlace> places;
  for (const Part& part : parts_) {
    auto at = std::find(part.hashes.begin(), part.hashes.end(), hash);
    for (; at != part.hashes.end(); at = std::find(at + 1, part.hashes.end(), hash)) {
      const Slot& slot = part.slots[static_cast<std::size_t>(at - part.hashes.begin())];
      places.push_back({.segment = part.segments[slot.segment], .offset = slot.offset});
    }
  }
  return places;
}

Result<std::optional<std::string>> RecordLookup::find(std::string_view generation_id) const {
  for (const RecordPlace& place : places_of(generation_id)) {
    auto payload = read_payload(folder_, place);
    if (!payload) continue;  // retention took it
    const auto id = ledger::decode_generation_id(*payload);
    if (id && *id == generation_id) return std::optional(std::move(*payload));
  }
  const auto second = second_of_id(generation_id);
  if (!second || *second > complete_after_) return std::optional<std::string>();
  LEAT_TRY(const auto files, folder_.list());
  for (const LedgerFile& file : files) {
    if (file.kind != LedgerFile::Kind::kSegment) continue;
    const auto is_possible = may_hold(folder_, file, *second * 1'000'000'000);
    if (!is_possible || !*is_possible) continue;  // one that went meanwhile holds nothing
    const auto mapped = folder_.map(file);
    if (!mapped) continue;
    if (auto payload = search(mapped->bytes(), generation_id)) return payload;
  }
  return std::optional<std::string>();
}

}  // namespace leat::control
