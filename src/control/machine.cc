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
std::uint64_t number_in(const Surroundings& surroundings, const std::string& path) {
  std::array<char, 64> text{};
  const Result<std::size_t> size = surroundings.read_file(path, text);
  std::uint64_t value = 0;
  if (size) std::from_chars(text.data(), text.data() + *size, value);
  return value;
}

std::uint64_t limit_of(rlim_t value) {
  return value == RLIM_INFINITY ? UINT64_MAX : value;
}

// The line of the unified hierarchy in /proc/self/cgroup is "0::/path". Seen from inside, a
// container's own cgroup is the root of the tree.
std::string own_cgroup(const Surroundings& surroundings) {
  std::array<char, 4096> text{};
  const Result<std::size_t> size = surroundings.read_file("/proc/self/cgroup", text);
  std::string_view rest(text.data(), size ? *size : 0);
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    if (line.starts_with("0::/")) return std::string(line.substr(3));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
  }
  return "/";
}

}  // namespace

std::uint64_t cgroup_memory_limit(const Surroundings& surroundings) {
  std::uint64_t least = 0;
  std::string path = own_cgroup(surroundings);
  for (;;) {
    while (path.ends_with('/')) path.pop_back();
    const std::uint64_t limit = number_in(surroundings, "/sys/fs/cgroup" + path + "/memory.max");
    if (limit != 0 && (least == 0 || limit < least)) least = limit;
    if (path.empty()) return least;
    path.resize(path.rfind('/'));
  }
}

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
  facts.cgroup_bytes = cgroup_memory_limit(SystemSurroundings());
  facts.has_avx2 = __builtin_cpu_supports("avx2") != 0;
  facts.has_avx512 = __builtin_cpu_supports("avx512f") != 0 &&
                     __builtin_cpu_supports("avx512bw") != 0 &&
                     __builtin_cpu_supports("avx512vl") != 0;
  facts.has_vaes = __builtin_cpu_supports("vaes") != 0;
  return facts;
}

}  // namespace leat::control
