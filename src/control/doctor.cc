// SPDX-License-Identifier: Apache-2.0
#include "control/doctor.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>

#include "control/command_line.h"

namespace leat::control {
namespace {

// min(half of the descriptors, 50,000): Limits::connections_max = 0. The other half is for
// providers.
constexpr std::uint64_t kConnectionsMax = 50'000;
// Enough for every provider's key in locked memory, with its guard pages.
constexpr std::uint64_t kLockedBytesWanted = 256 * 1024;

std::string size_text(std::uint64_t bytes) {
  if (bytes == UINT64_MAX) return "no limit";
  if (bytes >= (1ull << 30))
    return fmt::format("{:.1f} GiB", static_cast<double>(bytes) / (1 << 30));
  if (bytes >= (1ull << 20))
    return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1 << 20));
  return fmt::format("{} KiB", bytes >> 10);
}

std::string count_text(std::uint64_t count) {
  return count == UINT64_MAX ? "no limit" : fmt::format("{}", count);
}

const char* yes_no(bool value) {
  return value ? "yes" : "no";
}

class Report {
 public:
  void line(std::string_view name, std::string_view offered, std::string_view used) {
    std::string text = fmt::format("{:<22}{:<34}{}", name, offered, used);
    text.erase(text.find_last_not_of(' ') + 1);
    report_.text += text + "\n";
  }
  void fatal(std::string_view name, std::string_view offered, std::string_view used) {
    line(name, offered, fmt::format("CANNOT SERVE: {}", used));
    report_.can_serve = false;
  }
  DoctorReport take() { return std::move(report_); }

 private:
  DoctorReport report_;
};

void examine_limits(const MachineFacts& facts, Report& report) {
  const std::uint64_t clients = std::min(facts.descriptors / 2, kConnectionsMax);
  std::string used = fmt::format("up to {} client connections", clients);
  if (clients < kConnectionsMax && facts.descriptors < facts.descriptors_hard) {
    used += fmt::format("; `ulimit -n {}` allows more", count_text(facts.descriptors_hard));
  }
  report.line("descriptors",
              fmt::format("{} (hard limit {})", count_text(facts.descriptors),
                          count_text(facts.descriptors_hard)),
              used);
  const bool can_lock = facts.locked_bytes >= kLockedBytesWanted;
  std::string lock = "provider keys are kept out of swap";
  if (!can_lock) {
    lock = fmt::format("provider keys may be swapped{}; `ulimit -l` of {} keeps them in memory",
                       facts.swap_bytes == 0 ? " (no swap here, so not now)" : "",
                       size_text(kLockedBytesWanted));
  }
  report.line("locked memory", size_text(facts.locked_bytes), lock);
  const bool in_cgroup = facts.cgroup_bytes != 0 && facts.cgroup_bytes < facts.memory_bytes;
  report.line("memory",
              in_cgroup ? fmt::format("{}, cgroup {}", size_text(facts.memory_bytes),
                                      size_text(facts.cgroup_bytes))
                        : size_text(facts.memory_bytes),
              fmt::format("shed from 85 % of {}", size_text(facts.usable_memory())));
}

void examine_cpu(const MachineFacts& facts, Report& report) {
  report.line("cores", fmt::format("{} of {} usable", facts.cores_usable, facts.cores_online),
              fmt::format("1 shard unless configured; shards = 0 means {}", facts.cores_usable));
  const std::string offered = fmt::format("AVX2 {}, AVX-512 {}, VAES {}", yes_no(facts.has_avx2),
                                          yes_no(facts.has_avx512), yes_no(facts.has_vaes));
  if (!facts.has_avx2) {
    report.fatal("CPU", offered, "this build needs AVX2 (x86-64-v3)");
  } else {
    report.line("CPU", offered, "AVX2 for scanning; the TLS library picks its ciphers itself");
  }
}

void examine_ring(const Result<io::Capabilities>& ring, Report& report) {
  if (!ring) {
    std::string offered = "not usable";
    if (ring.error().os_errno != 0) {
      offered += fmt::format(" ({})", std::generic_category().message(ring.error().os_errno));
    }
    report.fatal("io_uring", offered,
                 fmt::format("{}; see kernel.io_uring_disabled and the container's seccomp profile",
                             ring.error().what));
    return;
  }
  report.line("io_uring", "usable", "one ring a shard");
  for (std::size_t i = 0; i < io::kFeatureCount; ++i) {
    // A switch, and not what every ring uses: told with the network cards.
    if (i == static_cast<std::size_t>(io::Feature::kNapi)) continue;
    const io::Capability& capability = ring->features[i];
    report.line(fmt::format("  {}", capability.name),
                capability.offered ? "offered" : "not offered",
                fmt::format("{}: {}", capability.used ? "used" : "not used", capability.why));
  }
}

}  // namespace

DoctorReport examine(const MachineFacts& facts, const Result<io::Capabilities>& ring,
                     const SandboxLayers& sandbox, std::span<const DoctorLine> more) {
  Report report;
  report.line("leat", version_text().substr(5), "");
  report.line("kernel", facts.kernel, "");
  examine_cpu(facts, report);
  examine_limits(facts, report);
  examine_ring(ring, report);
  const bool is_whole =
      sandbox.off.empty() && sandbox.no_new_privs && sandbox.seccomp && sandbox.landlock_abi > 0;
  report.line("hardening", sandbox.text() + "  ",
              is_whole ? "a running Leat starts nothing and opens its own folders only"
                       : "a running Leat goes without what is missing");
  for (const DoctorLine& line : more) report.line(line.name, line.offered + "  ", line.used);
  return report.take();
}

DoctorLine content_log_line(const ContentLogSettings& settings) {
  constexpr const char* kName = "content log";
  if (settings.folder.empty()) {
    return {kName, "off", "no prompt and no answer is written anywhere; a restart turns it on"};
  }
  const char* what = settings.logs_requests && settings.logs_answers ? "prompts and answers"
                     : settings.logs_requests                        ? "prompts"
                     : settings.logs_answers                         ? "answers"
                                                                     : "no bodies";
  return {kName, "on",
          fmt::format("{} of keys that say so, in {}, up to {}; a restart turns it off", what,
                      settings.folder, size_text(std::uint64_t{settings.total_mib_max} << 20))};
}

}  // namespace leat::control
