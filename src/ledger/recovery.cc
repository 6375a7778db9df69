// SPDX-License-Identifier: Apache-2.0
#include "ledger/recovery.h"

namespace leat::ledger {

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
