// SPDX-License-Identifier: Apache-2.0
// Goal: a machine that forbids io_uring gets one clear sentence, and one that has it gets a verdict
// on each feature with a reason.
// Method: the running kernel; a thread that takes io_uring_setup(2) away from itself (seccomp).
#include "io/preflight.h"

#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstddef>
#include <string>
#include <thread>

#include "io/uring_io.h"

namespace leat::io {
namespace {

// From here on io_uring_setup(2) fails with `error` in this thread.
bool forbid_rings(int error) {
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error)),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter{.len = std::size(program), .filter = program};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

class PreflightForbidden : public testing::TestWithParam<int> {};

INSTANTIATE_TEST_SUITE_P(Errors, PreflightForbidden, testing::Values(ENOSYS, EPERM));

TEST_P(PreflightForbidden, IsToldInOneSentence) {
  Error error;
  bool is_forbidden = false;
  std::thread([&] {
    is_forbidden = forbid_rings(GetParam());
    const auto io = UringIo::create({});
    if (!io) error = io.error();
  }).join();
  if (!is_forbidden) GTEST_SKIP() << "seccomp is not to be had here";
  EXPECT_EQ(error.code, Code::kUnsupported);
  EXPECT_EQ(error.os_errno, GetParam());
  EXPECT_NE(std::string(error.what).find("io_uring is not permitted here"), std::string::npos);
}

TEST(Preflight, JudgesEachFeatureWithAReason) {
  const Result<Capabilities> result = run_preflight();
  if (!result) GTEST_SKIP() << result.error().what;
  for (const Capability& capability : result->features) {
    EXPECT_STRNE(capability.name, "");
    EXPECT_STRNE(capability.why, "") << capability.name;
    EXPECT_TRUE(capability.offered || !capability.used) << capability.name;
  }
  EXPECT_TRUE(result->uses(Feature::kMultishotReceive));
  EXPECT_TRUE(result->uses(Feature::kSilentSend));
}

TEST(Preflight, ChoosesTheBuffers) {
  const Result<Capabilities> result = run_preflight();
  if (!result) GTEST_SKIP() << result.error().what;
  const auto chosen = UringIo::create({});
  ASSERT_TRUE(chosen);
  EXPECT_EQ((*chosen)->buffer_mode() == BufferRing::Mode::kIncremental,
            result->uses(Feature::kIncrementalBuffers));
  const auto forced = UringIo::create({.buffers = UringOptions::Buffers::kPlain});
  ASSERT_TRUE(forced);
  EXPECT_EQ((*forced)->buffer_mode(), BufferRing::Mode::kPlain);
}

}  // namespace
}  // namespace leat::io
