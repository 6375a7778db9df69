// SPDX-License-Identifier: Apache-2.0
#include "enter_faults.h"

#include <liburing.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "base/rng.h"

EnterFaults& enter_faults() {
  static EnterFaults faults;
  return faults;
}

extern "C" int io_uring_enter2(unsigned fd, unsigned submit_count, unsigned wait_count,
                               unsigned flags, sigset_t* argument, size_t size) {
  static leat::Rng rng(1);
  EnterFaults& faults = enter_faults();
  if (submit_count > 0) {
    if (faults.refused_next > 0) {
      --faults.refused_next;
      ++faults.injected;
      return -EBUSY;
    }
    const std::uint64_t roll = rng.below(1000);
    if (roll < faults.refused) {
      ++faults.injected;
      return rng.chance(0.5) ? -EAGAIN : -EBUSY;
    }
    if (roll < faults.refused + faults.interrupted) {
      ++faults.injected;
      return -EINTR;
    }
    if (submit_count > 1 && roll < faults.refused + faults.interrupted + faults.cut_short) {
      ++faults.injected;
      submit_count = static_cast<unsigned>(rng.below(submit_count - 1)) + 1;
      flags &= ~(IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG);  // the kernel does not wait then
      argument = nullptr;
      size = 0;
    }
  }
  const long rc = syscall(__NR_io_uring_enter, fd, submit_count, wait_count, flags, argument, size);
  return rc < 0 ? -errno : static_cast<int>(rc);
}
