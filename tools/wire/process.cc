// SPDX-License-Identifier: Apache-2.0
#include "wire/process.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <system_error>

namespace leat::tools {

std::uint64_t cpu_ns_of(pid_t pid) {
  std::uint64_t total = 0;
  std::error_code error;
  const std::string tasks = "/proc/" + std::to_string(pid) + "/task";
  for (const auto& task : std::filesystem::directory_iterator(tasks, error)) {
    std::ifstream file(task.path() / "schedstat");
    std::uint64_t on_cpu_ns = 0;
    if (file >> on_cpu_ns) total += on_cpu_ns;
  }
  return total;
}

Memory memory_of(pid_t pid) {
  Memory memory;
  std::ifstream file("/proc/" + std::to_string(pid) + "/smaps_rollup");
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream words(line);
    std::string name;
    std::uint64_t kib = 0;
    words >> name >> kib;
    if (name == "Rss:") memory.rss_kib = kib;
    if (name == "Pss:") memory.pss_kib = kib;
  }
  return memory;
}

CoreTicks ticks_of_core(int core) {
  CoreTicks ticks;
  std::ifstream file("/proc/stat");
  const std::string wanted = "cpu" + std::to_string(core) + " ";
  std::string line;
  while (std::getline(file, line)) {
    if (!line.starts_with(wanted)) continue;
    std::istringstream words(line.substr(wanted.size()));
    std::uint64_t value = 0;
    // user nice system idle iowait irq softirq steal; guest times are part of user's
    for (int i = 0; i < 8 && words >> value; ++i) {
      ticks.all += value;
      if (i != 3 && i != 4) ticks.busy += value;
    }
  }
  return ticks;
}

}  // namespace leat::tools
