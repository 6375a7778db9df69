// SPDX-License-Identifier: Apache-2.0
// MachineFacts: what this process was given: kernel, cores, limits, memory, CPU features. Read
// once, at start or by `leat doctor`; what io_uring offers is found by io's preflight, not here.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

namespace leat::control {

class Surroundings;

struct MachineFacts {
  std::string kernel;              // release, "6.18.1"
  std::uint32_t cores_online = 0;  // of the machine
  std::uint32_t cores_usable = 0;  // this process may run on them
  std::uint64_t descriptors = 0;   // soft limit; UINT64_MAX: none
  std::uint64_t descriptors_hard = 0;
  std::uint64_t locked_bytes = 0;  // soft limit of locked memory; UINT64_MAX: none
  std::uint64_t memory_bytes = 0;  // of the machine
  std::uint64_t cgroup_bytes = 0;  // the cgroup's limit; 0: none
  std::uint64_t swap_bytes = 0;    // in which secrets could end up that are not locked
  bool has_avx2 = false;
  bool has_avx512 = false;  // F, BW and VL
  bool has_vaes = false;

  // What limits.memory_bytes_max = 0 means: the cgroup's limit, else the machine's memory.
  std::uint64_t usable_memory() const {
    return cgroup_bytes != 0 ? std::min(cgroup_bytes, memory_bytes) : memory_bytes;
  }
};

MachineFacts read_machine_facts();

// The least limit of this process's cgroup and those above it (cgroup v2); 0: none.
std::uint64_t cgroup_memory_limit(const Surroundings& surroundings);

}  // namespace leat::control
