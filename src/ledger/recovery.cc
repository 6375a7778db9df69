// SPDX-License-Identifier: Apache-2.0
#include "ledger/recovery.h"

#include <algorithm>
#include <map>
#include <utility>

namespace leat::ledger {

namespace {

using Owner = std::pair<std::uint64_t, std::uint32_t>;

Owner owner_of(const OwnedSegment& segment) {
  return {segment.owner.generation, segment.owner.shard};
}

class Nobody final : public EntryVisitor {
 public:
  void on_entry(const SegmentHeader&, const Entry&) override {}
};

}  // namespace

Recovery::Recovery(std::span<const OpenRequest> open) : open_(open) {
  unsettled_.reserve(open.size());
  for (const OpenRequest& request : open) unsettled_.insert(request.generation_id);
}

void Recovery::on_entry(const SegmentHeader&, const Entry& entry) {
  if (entry.kind != FrameKind::kUsage) return;
  ++records_;
  const auto id = decode_generation_id(entry.payload);
  if (!id) {
    ++unreadable_;
  } else {
    unsettled_.erase(*id);
  }
}

std::vector<OpenRequest> Recovery::remaining() const {
  std::vector<OpenRequest> remaining;
  for (const OpenRequest& request : open_) {
    if (unsettled_.contains(request.generation_id)) remaining.push_back(request);
  }
  return remaining;
}

std::vector<OpenRequest> unsettled_requests(std::span<const OpenRequests> tables,
                                            std::span<const OwnedSegment> segments) {
  std::vector<OpenRequest> open;
  std::uint64_t oldest = UINT64_MAX;
  for (const OpenRequests& table : tables) {
    oldest = std::min(oldest, table.owner.generation);
    open.insert(open.end(), table.requests.begin(), table.requests.end());
  }
  if (open.empty()) return open;
  std::map<Owner, std::vector<std::span<const char>>> by_owner;
  for (const OwnedSegment& segment : segments) {
    if (segment.owner.generation < oldest) continue;
    by_owner[owner_of(segment)].push_back(segment.bytes);
  }
  Recovery recovery(open);
  for (const auto& [owner, bytes] : by_owner) replay(bytes, recovery);
  return recovery.remaining();
}

bool is_unused_segment(std::span<const char> segment) {
  if (segment.size() <= kSegmentHeaderBytes) return true;
  const auto frames = segment.subspan(kSegmentHeaderBytes);
  const auto first = frames.first(std::min(kSectorBytes, frames.size()));
  return std::ranges::all_of(first, [](char byte) { return byte == '\0'; });
}

std::vector<std::size_t> unneeded_segments(std::span<const OwnedSegment> segments) {
  std::map<Owner, std::vector<std::span<const char>>> used;
  std::map<Owner, bool> may_go;  // of owners with unused ones
  for (const OwnedSegment& segment : segments) {
    if (is_unused_segment(segment.bytes)) {
      may_go[owner_of(segment)] = true;
    } else {
      used[owner_of(segment)].push_back(segment.bytes);
    }
  }
  Nobody nobody;
  for (auto& [owner, may] : may_go) may = replay(used[owner], nobody).is_intact;
  std::vector<std::size_t> unneeded;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const auto found = may_go.find(owner_of(segments[i]));
    const bool may = found != may_go.end() && found->second;
    if (may && is_unused_segment(segments[i].bytes)) unneeded.push_back(i);
  }
  return unneeded;
}

UsageRecord record_of(const OpenRequest& request, AmbiguousCharge charge) {
  UsageRecord record;
  record.generation_id = request.generation_id;
  record.key_id = request.key_id;
  record.organisation_id = request.organisation_id;
  record.workspace_id = request.workspace_id;
  record.api = request.api;
  record.model_asked = request.model_asked;
  record.price_version = request.price_version;
  record.reserved = request.reserved;
  record.cost = request.reserved;
  record.charge = charge == AmbiguousCharge::kReserved ? request.reserved : 0;
  record.began = request.began;
  record.flags.is_streamed = request.is_streamed;
  record.flags.is_ambiguous = true;
  record.flags.is_recovered = true;
  return record;
}

}  // namespace leat::ledger
