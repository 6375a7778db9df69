// SPDX-License-Identifier: Apache-2.0
// SegmentMaker: who makes one shard's segments on the disk of a simulated world, late and sometimes
// not at first. Shared by lives of a ledger alone (sim_ledger) and by whole gateways (sim_keeping).
// What it is asked for comes by its callback, on no shard's time.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "ledger/ledger.h"
#include "simulation/sim_world.h"

namespace leat::sim {

struct SegmentMakerOptions {
  ledger::SegmentIdentity owner;  // its number says nothing
  std::uint64_t segment_bytes = ledger::kSegmentBytesMin;
  // Of segments that are asked for, how many are refused for want of space, to be tried again.
  double disk_is_full = 0;
};

class SegmentMaker {
 public:
  // `is_emergency`: what has been asked for can be made now. It outlives the world's last event.
  using OnReady = std::function<void(bool is_emergency)>;

  SegmentMaker(World& world, const SegmentMakerOptions& options, OnReady on_ready);

  // on_ready() follows, at some later time, while the disk has room for it.
  void ask(bool is_emergency);
  // A file with its header, and its descriptor in files().
  ledger::SegmentFile make();
  // Nothing is made or told any more.
  void stop() { is_stopped_ = true; }

  const std::vector<int>& files() const { return files_; }
  // Whether the disk has room for the one and the other.
  bool gives_segments = true;
  bool gives_emergencies = true;

 private:
  void on_answer(std::uint64_t is_emergency);

  World& world_;
  SegmentMakerOptions options_;
  OnReady on_ready_;
  std::vector<int> files_;
  std::uint64_t made_ = 0;
  bool is_stopped_ = false;
};

}  // namespace leat::sim
