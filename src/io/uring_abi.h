// SPDX-License-Identifier: Apache-2.0
// Kernel constants of io_uring that are newer than liburing 2.3 (Debian 12), so that one binary
// uses what a newer kernel offers. Stable kernel ABI, spelled as numbers here and nowhere else.
// None of them is used before preflight.h has tried it on the running kernel. The kernel release
// that brought each one stands beside it.
#pragma once

#include <liburing.h>

#include <cstddef>
#include <cstdint>

namespace leat::io::abi {

// io_uring_params.features
inline constexpr std::uint32_t kFeatureMinTimeout = 1U << 15;  // 6.12
inline constexpr std::uint32_t kFeatureNoIowait = 1U << 17;    // 6.15

// io_uring_enter(2) flags
inline constexpr std::uint32_t kEnterAbsoluteTimer = 1U
                                                     << 5;  // 6.12: the timeout is a point in time
inline constexpr std::uint32_t kEnterNoIowait = 1U
                                                << 7;  // 6.15: waiting is not counted as I/O wait

// io_uring_buf_reg.flags; liburing 2.3 names that field `pad`.
inline constexpr std::uint16_t kBufferRingIncremental = 2;  // 6.12

// io_uring_cqe.flags: the buffer is not used up, the next receive continues in it.
inline constexpr std::uint32_t kCqeBufferMore = 1U << 4;  // 6.12

// io_uring_register(2); its argument is one of these. Written back: what was in force before.
inline constexpr unsigned kRegisterNapi = 27;  // 6.9
struct Napi {
  std::uint32_t busy_poll_us = 0;
  std::uint8_t prefer_busy_poll = 0;
  std::uint8_t operation = 0;  // 6.13: 0 registers
  std::uint8_t reserved[2] = {};
  std::uint32_t parameter = 0;
  std::uint32_t reserved_too = 0;
};
static_assert(sizeof(Napi) == 16);

// The fields that we reinterpret must lie where they lay.
static_assert(sizeof(io_uring_sqe) == 64);
static_assert(sizeof(io_uring_cqe) == 16);
static_assert(sizeof(io_uring_buf) == 16);
static_assert(sizeof(io_uring_buf_reg) == 40);
static_assert(offsetof(io_uring_buf_reg, pad) == 14);
static_assert(sizeof(io_uring_getevents_arg) == 24);
static_assert(offsetof(io_uring_getevents_arg, pad) == 12);  // newer: min_wait_usec

}  // namespace leat::io::abi
