// SPDX-License-Identifier: Apache-2.0
// Goal: the report says what an operator has to change, and agrees with the program on whether it
// can serve at all. Method: made-up machines; the real one read once.
#include "control/doctor.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "control/machine.h"
#include "fake_surroundings.h"

namespace leat::control {
namespace {

MachineFacts good_machine() {
  return {.kernel = "6.18.1",
          .cores_online = 8,
          .cores_usable = 4,
          .descriptors = 1'024,
          .descriptors_hard = 20'000,
          .locked_bytes = 8 << 20,
          .memory_bytes = 16ull << 30,
          .cgroup_bytes = 0,
          .swap_bytes = 1ull << 30,
          .has_avx2 = true,
          .has_avx512 = true,
          .has_vaes = true};
}

Result<io::Capabilities> good_ring() {
  io::Capabilities capabilities;
  for (io::Capability& capability : capabilities.features) {
    capability = {.name = "silent send", .offered = true, .used = true, .why = "tried, works"};
  }
  return capabilities;
}

SandboxLayers good_sandbox() {
  return {.no_new_privs = true, .seccomp = true, .landlock_abi = 7, .off = {}};
}

bool says(const DoctorReport& report, std::string_view phrase) {
  return report.text.find(phrase) != std::string::npos;
}

TEST(Doctor, TellsWhatIsOfferedAndUsed) {
  const DoctorReport report = examine(good_machine(), good_ring(), good_sandbox());
  EXPECT_TRUE(report.can_serve);
  EXPECT_TRUE(says(report, "6.18.1")) << report.text;
  EXPECT_TRUE(says(report, "4 of 8 usable"));
  EXPECT_TRUE(says(report, "up to 512 client connections; `ulimit -n 20000` allows more"));
  EXPECT_TRUE(says(report, "kept out of swap"));
  EXPECT_TRUE(says(report, "85 % of 16.0 GiB"));
}

TEST(Doctor, TellsWhetherContentIsLoggedAndWhere) {
  const auto told = [](const ContentLogSettings& settings) {
    const DoctorLine line = content_log_line(settings);
    return examine(good_machine(), good_ring(), good_sandbox(), {&line, 1});
  };
  EXPECT_TRUE(says(told({}), "content log           off"));
  ContentLogSettings settings{.folder = "/var/log/leat/content"};
  EXPECT_TRUE(says(told(settings), "content log           on ")) << told(settings).text;
  EXPECT_TRUE(says(told(settings),
                   "prompts and answers of keys that say so, in "
                   "/var/log/leat/content, up to 1.0 GiB"));
  settings.logs_requests = false;
  EXPECT_TRUE(says(told(settings), "  answers of keys"));
}

TEST(Doctor, LimitsDecideWhatIsUsed) {
  MachineFacts facts = good_machine();
  facts.descriptors = facts.descriptors_hard = UINT64_MAX;
  facts.locked_bytes = 64 << 10;
  facts.cgroup_bytes = 2ull << 30;
  const DoctorReport report = examine(facts, good_ring(), good_sandbox());
  EXPECT_TRUE(says(report, "up to 50000 client connections\n")) << report.text;
  EXPECT_TRUE(says(report, "may be swapped; `ulimit -l` of 256 KiB"));
  EXPECT_TRUE(says(report, "85 % of 2.0 GiB"));
}

TEST(Doctor, TellsWhichLayersOfTheSandboxThereAre) {
  const auto told = [](const SandboxLayers& sandbox) {
    return examine(good_machine(), good_ring(), sandbox);
  };
  EXPECT_TRUE(says(told(good_sandbox()), "no_new_privs, seccomp, Landlock 7"));
  EXPECT_TRUE(says(told(good_sandbox()), "opens its own folders only"));
  SandboxLayers poor = good_sandbox();
  poor.landlock_abi = 0;
  EXPECT_TRUE(says(told(poor), "no_new_privs, seccomp, NO Landlock"));
  EXPECT_TRUE(says(told(poor), "goes without what is missing"));
  EXPECT_TRUE(told(poor).can_serve);
  EXPECT_TRUE(says(told({.off = "LEAT_HARDENING=off"}), "off (LEAT_HARDENING=off)"));
}

TEST(Doctor, WhatIsNeededAndMissingEndsIt) {
  Result<io::Capabilities> ring = good_ring();
  ring->features[1] = {.name = "incremental buffers", .why = "plain ones are used"};
  const DoctorReport fallback = examine(good_machine(), ring, good_sandbox());
  EXPECT_TRUE(fallback.can_serve);
  EXPECT_TRUE(says(fallback, "not used: plain ones are used")) << fallback.text;
  ring = fail({.code = Code::kUnsupported, .os_errno = EPERM, .what = "no ring can be had"});
  const DoctorReport forbidden = examine(good_machine(), ring, good_sandbox());
  EXPECT_FALSE(forbidden.can_serve);
  EXPECT_TRUE(says(forbidden, "CANNOT SERVE: no ring can be had")) << forbidden.text;
  EXPECT_TRUE(says(forbidden, "not permitted"));
  MachineFacts old = good_machine();
  old.has_avx2 = false;
  EXPECT_FALSE(examine(old, good_ring(), good_sandbox()).can_serve);
}

TEST(Doctor, TheLeastCgroupLimitCounts) {
  FakeSurroundings surroundings;
  EXPECT_EQ(cgroup_memory_limit(surroundings), 0u);
  surroundings.files["/sys/fs/cgroup/memory.max"] = "4096\n";  // a container's own
  EXPECT_EQ(cgroup_memory_limit(surroundings), 4096u);
  surroundings.files["/proc/self/cgroup"] = "4:cpu:/a\n0::/system.slice/leat.service\n";
  surroundings.files["/sys/fs/cgroup/memory.max"] = "max\n";
  surroundings.files["/sys/fs/cgroup/system.slice/memory.max"] = "9000\n";
  surroundings.files["/sys/fs/cgroup/system.slice/leat.service/memory.max"] = "8000\n";
  EXPECT_EQ(cgroup_memory_limit(surroundings), 8000u);
  surroundings.files["/sys/fs/cgroup/system.slice/memory.max"] = "7000\n";
  EXPECT_EQ(cgroup_memory_limit(surroundings), 7000u);
  MachineFacts facts = good_machine();
  EXPECT_EQ(facts.usable_memory(), 16ull << 30);
  facts.cgroup_bytes = 7000;
  EXPECT_EQ(facts.usable_memory(), 7000u);
}

TEST(Doctor, ReadsThisMachine) {
  const MachineFacts facts = read_machine_facts();
  EXPECT_FALSE(facts.kernel.empty());
  EXPECT_GE(facts.cores_usable, 1u);
  EXPECT_GE(facts.cores_online, facts.cores_usable);
  EXPECT_GE(facts.descriptors, 3u);
  EXPECT_GE(facts.descriptors_hard, facts.descriptors);
  EXPECT_GT(facts.memory_bytes, 1u << 20);
}

}  // namespace
}  // namespace leat::control
