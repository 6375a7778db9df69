// SPDX-License-Identifier: Apache-2.0
// Placement: whether connections are steered to the shard of the core that their packets come in
// on, and what else cores, interrupts and memory of this machine could give, with the commands for
// it (docs/bare-metal.md). Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "control/doctor.h"
#include "control/topology.h"
#include "leat/options.h"

namespace leat::control {

struct SteeringChoice {
  bool by_core = false;
  std::string why;  // one clause
};

// What `server.steering` comes to on this machine.
SteeringChoice choose_steering(const ServerOptions& server, const Topology& topology);

// What became of a shard's place at start.
struct ShardPlace {
  bool is_pinned = false;
  // What the kernel refused: an errno, or 0.
  int steering_error = 0;
  int napi_error = 0;
};

// The line of a start: "placement: shards on cores 0, 1; connections by core (...); huge pages 8.0
// MiB; NAPI busy polling off". `huge_page_bytes`: of the process; none: not to be known.
std::string placement_line(const ServerOptions& server, const SteeringChoice& steering,
                           std::span<const ShardPlace> shards,
                           std::optional<std::uint64_t> huge_page_bytes);

struct PlacementFacts {
  Topology topology;
  ServerOptions server;
  std::uint32_t shards = 1;
  bool offers_napi = false;  // io::Feature::kNapi
  HoldMode hold = HoldMode::kAuto;
};

// For `leat doctor`.
std::vector<DoctorLine> placement_lines(const PlacementFacts& facts);

}  // namespace leat::control
