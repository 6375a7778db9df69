// SPDX-License-Identifier: Apache-2.0
// Stands between the ring and the kernel: a program that links enter_faults.cc calls its
// io_uring_enter2() instead of liburing's, which can fail or fall short the way the kernel does.
#pragma once

#include <cstdint>

struct EnterFaults {
  // Of a thousand calls that submit: refused for want of memory or because completions wait; cut
  // short after some operations; interrupted.
  std::uint32_t refused = 0;
  std::uint32_t cut_short = 0;
  std::uint32_t interrupted = 0;
  std::uint32_t refused_next = 0;  // so many calls that submit, for sure
  std::uint64_t injected = 0;      // so far
};

EnterFaults& enter_faults();
