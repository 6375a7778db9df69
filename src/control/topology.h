// SPDX-License-Identifier: Apache-2.0
// Topology: which cores a machine has and what shares them, which of them its network cards bring
// packets to, and what huge pages it has. Read from /proc and /sys, once, by `leat doctor` and at
// start; what cannot be read is as if it were not there.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "control/core_list.h"

namespace leat::control {

struct Core {
  std::uint32_t number = 0;
  CoreSet siblings;      // hardware threads of the same physical core, itself included
  std::string governor;  // of its frequency; empty: it has none, as in most virtual machines
};

struct Interrupt {
  std::uint32_t number = 0;
  std::string name;     // "eth0-TxRx-0", "virtio2-input.0"
  CoreSet may_go_to;    // smp_affinity_list
  CoreSet now_goes_to;  // effective_affinity_list
};

// One with a device behind it that is not down; lo, bridges and tunnels are none.
struct NetworkCard {
  std::string name;
  std::uint32_t rx_queues = 0;
  std::vector<Interrupt> interrupts;  // that bring packets, as far as their names tell
  CoreSet software_spread;            // RPS: the cores that its queues are spread over; empty: off

  // Every interrupt may go to one core only.
  bool is_pinned() const;
  // The cores that handle what it receives.
  CoreSet cores() const;
};

struct HugePageFacts {
  std::string transparent;  // "always", "madvise", "never"; empty: the kernel has none
  std::uint64_t reserved = 0;
  std::uint64_t reserved_free = 0;
  std::uint64_t reserved_kib = 0;  // the size of each
};

struct Topology {
  std::vector<Core> cores;  // online, by number
  CoreSet isolated;         // isolcpus=
  CoreSet undisturbed;      // nohz_full=
  std::vector<NetworkCard> cards;
  bool irqbalance_runs = false;
  HugePageFacts huge_pages;

  const Core* core(std::uint32_t number) const;
};

// `root`: where /proc and /sys are found; empty: where they are.
Topology read_topology(const std::string& root = {});

// Bytes of huge pages that this process has; none: not to be known.
std::optional<std::uint64_t> huge_page_bytes(const std::string& root = {});

}  // namespace leat::control
