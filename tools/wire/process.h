// SPDX-License-Identifier: Apache-2.0
// What a process and a core used, read from /proc.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace leat::tools {

struct Memory {
  std::uint64_t rss_kib = 0;
  std::uint64_t pss_kib = 0;  // pages shared with other processes counted in part
};

struct CoreTicks {
  std::uint64_t busy = 0;
  std::uint64_t all = 0;
};

// CPU time of all living threads of the process, in nanoseconds, from the scheduler's own account
// (utime and stime of /proc/PID/stat come in ticks of 10 ms). On kernels without
// CONFIG_IRQ_TIME_ACCOUNTING it includes the softirq work done in the process's context, which on
// loopback is the delivery of what it sends. 0 if there is no such process.
std::uint64_t cpu_ns_of(pid_t pid);

// Zero if there is no such process or no right to look.
Memory memory_of(pid_t pid);

// Since boot, of one core, in ticks.
CoreTicks ticks_of_core(int core);

}  // namespace leat::tools
