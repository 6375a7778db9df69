// SPDX-License-Identifier: Apache-2.0
#include "control/machine.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <string_view>

#include "control/surroundings.h"

namespace leat::control {
namespace {

// A number that stands alone in a file of the kernel; 0 if there is none ("max" means no limit).
std::uint64_t number_in(const char* path) {
  std::array<char, 64> text{};
  const Result<std::size_t> size = SystemSurroundings().read_file(path, text);
  std::uint64_t value = 0;
  if (size) std::from_chars(text.data(), text.data() + *size, value);
  return value;
}

std::uint64_t limit_of(rlim_t value) {
  return value == RLIM_INFINITY ? UINT64_MAX : value;
}

}  // namespace

MachineFacts read_machine_facts() {
  MachineFacts facts;
  utsname name{};
  if (uname(&name) == 0) facts.kernel = name.release;
  facts.cores_online = static_cast<std::uint32_t>(sysconf(_SC_NPROCESSORS_ONLN));
  cpu_set_t cores;
  CPU_ZERO(&cores);
  if (sched_getaffinity(0, sizeof cores, &cores) == 0) {
    facts.cores_usable = static_cast<std::uint32_t>(CPU_COUNT(&cores));
  }
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    facts.descriptors = limit_of(limit.rlim_cur);
    facts.descriptors_hard = limit_of(limit.rlim_max);
  }
  if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0) facts.locked_bytes = limit_of(limit.rlim_cur);
  struct sysinfo memory {};
  if (sysinfo(&memory) == 0) {
    facts.memory_bytes = std::uint64_t{memory.totalram} * memory.mem_unit;
    facts.swap_bytes = std::uint64_t{memory.totalswap} * memory.mem_unit;
  }
  // Seen from inside, a container's own cgroup is the root of the tree (cgroup v2; v1 has its own).
  facts.cgroup_bytes = number_in("/sys/fs/cgroup/memory.max");
  facts.has_avx2 = __builtin_cpu_supports("avx2") != 0;
  facts.has_avx512 = __builtin_cpu_supports("avx512f") != 0 &&
                     __builtin_cpu_supports("avx512bw") != 0 &&
                     __builtin_cpu_supports("avx512vl") != 0;
  facts.has_vaes = __builtin_cpu_supports("vaes") != 0;
  return facts;
}

}  // namespace leat::control
