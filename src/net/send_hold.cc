// SPDX-License-Identifier: Apache-2.0
#include "net/send_hold.h"

#include <cstring>

namespace leat::net {

bool SendHold::keep(const SegmentList& written) {
  const std::size_t before = kept_ ? kept_->size : 0;
  if (before + written.bytes() > kBytesMax) return false;
  for (const Segment* s = written.first(); s != nullptr; s = s->next) {
    if (s->block != nullptr) return false;  // its owner counts on its leaving
  }
  if (!kept_) kept_ = Block::allocate(kBytesMax);
  for (const Segment* s = written.first(); s != nullptr; s = s->next) {
    std::memcpy(kept_->data() + kept_->size, s->data, s->size);
    kept_->size += s->size;
  }
  return true;
}

void SendHold::give_back(shard::TurnArena& arena, SegmentList& written) {
  if (is_empty()) return;
  SegmentList all;
  char* place = arena.allocate(kept_->size);
  std::memcpy(place, kept_->data(), kept_->size);
  all.append(arena, place, kept_->size, nullptr);
  for (const Segment* s = written.first(); s != nullptr; s = s->next) {
    all.append(arena, s->data, s->size, s->block);
  }
  written = all;
  kept_->size = 0;
}

}  // namespace leat::net
