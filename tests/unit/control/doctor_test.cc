// SPDX-License-Identifier: Apache-2.0
// Goal: the report says what an operator has to change, and agrees with the program on whether it
// can serve at all. Method: made-up machines; the real one read once.
#include "control/doctor.h"

#include <gtest/gtest.h>

#include <vector>

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

bool says(const DoctorReport& report, std::string_view phrase) {
  return report.text.find(phrase) != std::string::npos;
}

TEST(Doctor, TellsWhatIsOfferedAndUsed) {
  const DoctorReport report = examine(good_machine(), {});
  EXPECT_TRUE(report.can_serve);
  EXPECT_TRUE(says(report, "6.18.1")) << report.text;
  EXPECT_TRUE(says(report, "4 of 8 usable"));
  EXPECT_TRUE(says(report, "up to 512 client connections; `ulimit -n 20000` allows more"));
  EXPECT_TRUE(says(report, "kept out of swap"));
  EXPECT_TRUE(says(report, "85 % of 16.0 GiB"));
}

TEST(Doctor, LimitsDecideWhatIsUsed) {
  MachineFacts facts = good_machine();
  facts.descriptors = facts.descriptors_hard = UINT64_MAX;
  facts.locked_bytes = 64 << 10;
  facts.cgroup_bytes = 2ull << 30;
  const DoctorReport report = examine(facts, {});
  EXPECT_TRUE(says(report, "up to 50000 client connections\n")) << report.text;
  EXPECT_TRUE(says(report, "may be swapped; `ulimit -l` of 256 KiB"));
  EXPECT_TRUE(says(report, "85 % of 2.0 GiB"));
}

TEST(Doctor, WhatIsNeededAndMissingEndsIt) {
  std::vector<RingFinding> ring{{"io_uring", true, true, "one ring a shard"},
                                {"incremental buffers", false, false, "plain buffer ring"}};
  const DoctorReport fallback = examine(good_machine(), ring);
  EXPECT_TRUE(fallback.can_serve);
  EXPECT_TRUE(says(fallback, "plain buffer ring"));
  ring[0].offered = false;
  const DoctorReport forbidden = examine(good_machine(), ring);
  EXPECT_FALSE(forbidden.can_serve);
  EXPECT_TRUE(says(forbidden, "CANNOT SERVE"));
  MachineFacts old = good_machine();
  old.has_avx2 = false;
  EXPECT_FALSE(examine(old, {}).can_serve);
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
