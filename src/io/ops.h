// SPDX-License-Identifier: Apache-2.0
// The user_data of a ring operation: op:8 | generation:24 | slot:32. A completion finds its owner
// by slot and proves by the generation that the owner is still the same (threats-and-faults.md
// F26). Private to io.
#pragma once

#include <cstdint>

namespace leat::io {

enum class Op : std::uint8_t {
  kCancel,       // of whatever: its own outcome is of no interest
  kReceive,      // multishot into the buffer ring; a socket's slot, as the next seven
  kReceiveInto,  // once, into a block
  kDrain,        // once, what is there, into the buffer ring
  kNotice,       // once, that there is something to receive
  kWatch,        // once, that the peer has ended
  kSend,         // posts a completion only when it falls short
  kSendBlock,
  kConnect,
  kAccept,  // a listener's slot
  kPoll,    // a poll's slot
  kFile,    // a file write's slot
  kWake,    // the read of the waker's eventfd; no slot
  kProbe,   // a timer whose completion is late by what completions wait; no slot
};

struct OpTag {
  Op op = Op::kCancel;
  std::uint32_t generation = 0;
  std::uint32_t slot = 0;
};

inline constexpr std::uint32_t kGenerationMask = (1U << 24) - 1;

constexpr std::uint64_t encode(OpTag tag) {
  return std::uint64_t{static_cast<std::uint8_t>(tag.op)} << 56 |
         std::uint64_t{tag.generation & kGenerationMask} << 32 | tag.slot;
}

constexpr OpTag decode(std::uint64_t user_data) {
  return {static_cast<Op>(user_data >> 56),
          static_cast<std::uint32_t>(user_data >> 32) & kGenerationMask,
          static_cast<std::uint32_t>(user_data)};
}

// The generation after `generation`; never 0, which names nothing.
constexpr std::uint32_t next_generation(std::uint32_t generation) {
  const std::uint32_t next = (generation + 1) & kGenerationMask;
  return next == 0 ? 1 : next;
}

}  // namespace leat::io
