// SPDX-License-Identifier: Apache-2.0
#include "simulation/segment_maker.h"

#include <utility>

namespace leat::sim {

namespace {
constexpr Duration kSegmentTimeMax = milliseconds(3);
}  // namespace

SegmentMaker::SegmentMaker(World& world, const SegmentMakerOptions& options, OnReady on_ready)
    : world_(world), options_(options), on_ready_(std::move(on_ready)) {}

void SegmentMaker::ask(bool is_emergency) {
  world_.schedule(world_.now() + nanoseconds(world_.rng().between(0, kSegmentTimeMax.ns)),
                  EventKind::kActor, event_callback<&SegmentMaker::on_answer>, this,
                  is_emergency ? 1 : 0);
}

void SegmentMaker::on_answer(std::uint64_t is_emergency) {
  if (is_stopped_) return;
  const bool may_give = gives_segments && (gives_emergencies || is_emergency == 0);
  if (!may_give || world_.rng().chance(options_.disk_is_full)) return ask(is_emergency != 0);
  on_ready_(is_emergency != 0);
}

ledger::SegmentFile SegmentMaker::make() {
  ledger::SegmentIdentity identity = options_.owner;
  identity.number = made_++;
  const int fd = world_.disk().create(options_.segment_bytes);
  ledger::write_segment_header({.identity = identity, .bytes = options_.segment_bytes},
                               world_.disk().bytes(fd));
  files_.push_back(fd);
  return {.fd = fd, .identity = identity, .bytes = options_.segment_bytes};
}

}  // namespace leat::sim
