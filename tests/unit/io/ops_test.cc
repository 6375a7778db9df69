// SPDX-License-Identifier: Apache-2.0
// Goal: an operation's name survives the ring at the ends of its ranges.
// Method: encode and decode.
#include "io/ops.h"

#include <gtest/gtest.h>

namespace leat::io {
namespace {

TEST(Ops, AnOperationSurvivesTheRing) {
  for (const Op op : {Op::kCancel, Op::kReceive, Op::kWake}) {
    for (const std::uint32_t generation : {1U, 0x123456U, kGenerationMask}) {
      for (const std::uint32_t slot : {0U, 1U, 0xffffffffU}) {
        const OpTag tag = decode(encode({op, generation, slot}));
        EXPECT_EQ(tag.op, op);
        EXPECT_EQ(tag.generation, generation);
        EXPECT_EQ(tag.slot, slot);
      }
    }
  }
}

TEST(Ops, GenerationsNeverNameNothing) {
  EXPECT_EQ(next_generation(1), 2U);
  EXPECT_EQ(next_generation(kGenerationMask), 1U);
}

}  // namespace
}  // namespace leat::io
