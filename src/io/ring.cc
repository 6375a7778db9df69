// SPDX-License-Identifier: Apache-2.0
#include "io/ring.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

#include "io/uring_abi.h"

namespace leat::io {

namespace {

__kernel_timespec to_timespec(std::int64_t ns) {
  return {.tv_sec = ns / 1'000'000'000, .tv_nsec = ns % 1'000'000'000};
}

Error setup_error(int error) {
  if (error == ENOSYS || error == EPERM || error == EACCES) {
    return {.code = Code::kUnsupported,
            .os_errno = error,
            .what =
                "io_uring is not permitted here: check the seccomp profile of the container "
                "and sysctl kernel.io_uring_disabled"};
  }
  if (error == EINVAL) {
    return {.code = Code::kUnsupported,
            .os_errno = error,
            .what = "the kernel's io_uring is too old: 6.1 or newer is needed"};
  }
  return {
      .code = Code::kOverloaded,
      .os_errno = error,
      .what = "no descriptor or no memory for an io_uring: raise RLIMIT_NOFILE, RLIMIT_MEMLOCK"};
}

}  // namespace

Instant read_monotonic_clock() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return {now.tv_sec * 1'000'000'000 + now.tv_nsec};
}

Ring::~Ring() {
  if (open_) io_uring_queue_exit(&ring_);
}

Result<bool> Ring::open(const Options& options) {
  io_uring_params params{};
  // No NO_SQARRAY: liburing 2.3 corrupts the ring header with it (engine.md 13.2).
  params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                 IORING_SETUP_COOP_TASKRUN | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE |
                 IORING_SETUP_CLAMP;
  if (options.is_held) params.flags |= IORING_SETUP_R_DISABLED;
  params.cq_entries = options.cq_entries;
  const int rc = io_uring_queue_init_params(options.sq_entries, &ring_, &params);
  if (rc < 0) return fail(setup_error(-rc));
  open_ = true;
  // Saves the descriptor look-up of every enter; a thread has 16 places for it and we can do
  // without.
  fd_registered_ = io_uring_register_ring_fd(&ring_) == 1;
  io_uring_ring_dontfork(&ring_);
  return true;
}

Result<bool> Ring::allow_only(std::span<const std::uint8_t> operations) {
  std::vector<io_uring_restriction> rules;
  for (const std::uint8_t operation : operations) {
    io_uring_restriction& rule = rules.emplace_back(io_uring_restriction{});
    rule.opcode = IORING_RESTRICTION_SQE_OP;
    rule.sqe_op = operation;
  }
  io_uring_restriction& flags = rules.emplace_back(io_uring_restriction{});
  flags.opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED;
  flags.sqe_flags = IOSQE_BUFFER_SELECT | IOSQE_CQE_SKIP_SUCCESS;
  // Debian's library declares functions for these two and has none.
  const auto do_register = [&](unsigned what, void* argument, std::size_t count) {
    return syscall(SYS_io_uring_register, ring_.ring_fd, what, argument, count) < 0 ? -errno : 0;
  };
  const int rc = do_register(IORING_REGISTER_RESTRICTIONS, rules.data(), rules.size());
  const int enabled = do_register(IORING_REGISTER_ENABLE_RINGS, nullptr, 0);
  if (enabled < 0) return fail(setup_error(-enabled));
  return rc == 0;
}

int Ring::poll_cards(std::uint32_t us) {
  abi::Napi napi{.busy_poll_us = us};
  const long rc = syscall(SYS_io_uring_register, ring_.ring_fd, abi::kRegisterNapi, &napi, 1);
  return rc < 0 ? errno : 0;
}

io_uring_sqe* Ring::stage() {
  if (backlog_.empty()) {
    if (io_uring_sqe* sqe = io_uring_get_sqe(&ring_)) return sqe;
  }
  return &backlog_.emplace_back();
}

std::uint32_t Ring::staged() const {
  return queued() + static_cast<std::uint32_t>(backlog_.size() - backlog_begin_);
}

// Moves what waits in memory into the queue, then shows the queue to the kernel.
std::uint32_t Ring::refill() {
  while (backlog_begin_ < backlog_.size()) {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
    if (sqe == nullptr) break;
    *sqe = backlog_[backlog_begin_++];
  }
  if (backlog_begin_ == backlog_.size()) {
    backlog_.clear();
    backlog_begin_ = 0;
  }
  ring_.sq.sqe_head = ring_.sq.sqe_tail;
  io_uring_smp_store_release(ring_.sq.ktail, ring_.sq.sqe_tail);
  return queued();
}

int Ring::submit() {
  while (const std::uint32_t count = refill()) {
    const int rc = enter(count, nullptr);
    if (rc < 0 && rc != -EINTR) return rc;
  }
  return 0;
}

int Ring::submit_and_wait(const Wait& wait) {
  for (;;) {
    const std::uint32_t count = refill();
    const bool is_last = backlog_.empty();
    const int rc = enter(count, is_last ? &wait : nullptr);
    // The kernel waits only once it has all that it was offered.
    if (is_last && queued() == 0) return std::min(rc, 0);
    if (rc < 0 && rc != -EINTR) return rc;
  }
}

int Ring::enter(std::uint32_t submit_count, const Wait* wait) {
  std::uint32_t flags = fd_registered_ ? IORING_ENTER_REGISTERED_RING : 0;
  const auto fd = static_cast<unsigned>(ring_.enter_ring_fd);
  if (wait == nullptr) return io_uring_enter2(fd, submit_count, 0, flags, nullptr, 0);

  flags |= IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG;
  if (features_.no_iowait) flags |= abi::kEnterNoIowait;
  io_uring_getevents_arg argument{};
  __kernel_timespec timeout{};
  // Without a shortest wait a larger count would wait for all of it.
  const bool batched = features_.min_wait && wait->min.ns > 0 && wait->count > 1;
  std::uint32_t count = batched ? wait->count : std::min(wait->count, 1U);
  if (batched) argument.pad = static_cast<std::uint32_t>(wait->min.us());
  if (count > 0 && wait->deadline != kNever) {
    if (features_.absolute_timer) {
      flags |= abi::kEnterAbsoluteTimer;
      timeout = to_timespec(wait->deadline.ns);
    } else {
      const Duration left = wait->deadline - read_monotonic_clock();
      if (left.ns <= 0) count = 0;
      timeout = to_timespec(std::max<std::int64_t>(left.ns, 0));
    }
    argument.ts = reinterpret_cast<std::uintptr_t>(&timeout);
  }
  return io_uring_enter2(fd, submit_count, count, flags, reinterpret_cast<sigset_t*>(&argument),
                         sizeof argument);
}

}  // namespace leat::io
