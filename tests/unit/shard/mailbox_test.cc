// SPDX-License-Identifier: Apache-2.0
// Goal: messages arrive once, in order, and a full mailbox says so. Method: one thread writes while
// another reads (ThreadSanitizer sees the same run).
#include "shard/mailbox.h"

#include <gtest/gtest.h>

#include <thread>

namespace leat::shard {
namespace {

TEST(Mailbox, RefusesWhenFullAndGoesOnWhenRead) {
  Mailbox mailbox;
  std::uint64_t posted = 0;
  while (mailbox.post({Message::Kind::kDrained, posted})) ++posted;
  EXPECT_EQ(posted, 128u);
  Message message;
  ASSERT_TRUE(mailbox.take(message));
  EXPECT_EQ(message.value, 0u);
  EXPECT_TRUE(mailbox.post({Message::Kind::kDrained, posted}));
}

TEST(Mailbox, SparePlacesAreKeptForWhatMustArrive) {
  Mailbox mailbox;
  std::uint64_t posted = 0;
  while (mailbox.post({Message::Kind::kHealthNews, posted}, 8)) ++posted;
  EXPECT_EQ(posted, 120u);
  while (mailbox.post({Message::Kind::kDrain, posted})) ++posted;
  EXPECT_EQ(posted, 128u);
}

TEST(Mailbox, OrderHoldsAcrossThreads) {
  constexpr std::uint64_t kCount = 200'000;
  Mailbox mailbox;
  std::thread writer([&] {
    for (std::uint64_t i = 0; i < kCount;) {
      if (mailbox.post({Message::Kind::kDrained, i})) {
        ++i;
      } else {
        std::this_thread::yield();
      }
    }
  });
  std::uint64_t next = 0;
  bool in_order = true;
  while (next < kCount) {
    Message message;
    if (!mailbox.take(message)) {
      std::this_thread::yield();
      continue;
    }
    in_order = in_order && message.value == next;
    ++next;
  }
  writer.join();
  EXPECT_TRUE(in_order);
  Message message;
  EXPECT_FALSE(mailbox.take(message));
}

}  // namespace
}  // namespace leat::shard
