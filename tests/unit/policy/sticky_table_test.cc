// SPDX-License-Identifier: Apache-2.0
// Goal: a conversation stays where it was for ten idle minutes, and a full table gives up the one
// that was unused longest. Method: chosen instants; more conversations than places.
#include "policy/sticky_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "base/rng.h"

namespace leat::policy {
namespace {

constexpr Instant kBegin{1'000'000'000'000};
constexpr ConversationKey kKey{1, 2};

TEST(StickyTable, HoldsForTenIdleMinutes) {
  StickyTable table(100);
  EXPECT_EQ(table.find(kKey, kBegin), 0u);
  table.hold(kKey, 7, kBegin);
  EXPECT_EQ(table.find(kKey, kBegin + milliseconds(599'999)), 7u);
  EXPECT_EQ(table.find(kKey, kBegin + seconds(600)), 0u);
  table.hold(kKey, 7, kBegin + seconds(599));
  EXPECT_EQ(table.find(kKey, kBegin + seconds(1'198)), 7u);
}

TEST(StickyTable, LookingDoesNotRenew) {
  StickyTable table(100);
  table.hold(kKey, 7, kBegin);
  table.find(kKey, kBegin + seconds(500));
  EXPECT_EQ(table.find(kKey, kBegin + seconds(700)), 0u);
}

TEST(StickyTable, MovesWithTheConversation) {
  StickyTable table(100);
  table.hold(kKey, 7, kBegin);
  table.hold(kKey, 8, kBegin + seconds(1));
  EXPECT_EQ(table.find(kKey, kBegin + seconds(1)), 8u);
}

TEST(StickyTable, BothHalvesOfAKeyCount) {
  StickyTable table(1);
  table.hold({1, 2}, 7, kBegin);
  EXPECT_EQ(table.find({2, 2}, kBegin), 0u);
  EXPECT_EQ(table.find({1, 3}, kBegin), 0u);
}

TEST(StickyTable, OnlyWhatIsHeldThereIsRenewed) {
  StickyTable table(100);
  EXPECT_FALSE(table.renew(kKey, 7, kBegin));
  EXPECT_EQ(table.find(kKey, kBegin), 0u);
  table.hold(kKey, 7, kBegin);
  EXPECT_TRUE(table.renew(kKey, 7, kBegin + seconds(500)));
  EXPECT_EQ(table.find(kKey, kBegin + seconds(1'000)), 7u);
  EXPECT_FALSE(table.renew(kKey, 8, kBegin + seconds(1'000)));
  EXPECT_EQ(table.find(kKey, kBegin + seconds(1'000)), 7u);
  EXPECT_FALSE(table.renew(kKey, 7, kBegin + seconds(1'100)));
}

TEST(StickyTable, AFullSetGivesUpItsLongestUnused) {
  StickyTable table(8);
  ASSERT_EQ(table.capacity(), 8u);
  for (std::uint64_t i = 0; i < 8; ++i) {
    table.hold({i, i}, 100 + i, kBegin + seconds(static_cast<std::int64_t>(i)));
  }
  EXPECT_TRUE(table.renew({0, 0}, 100, kBegin + seconds(70)));
  table.hold({99, 99}, 199, kBegin + seconds(80));
  EXPECT_EQ(table.find({1, 1}, kBegin + seconds(80)), 0u);
  for (const std::uint64_t i : {0, 2, 3, 4, 5, 6, 7}) {
    EXPECT_EQ(table.find({i, i}, kBegin + seconds(80)), 100 + i);
  }
  EXPECT_EQ(table.find({99, 99}, kBegin + seconds(80)), 199u);
}

TEST(StickyTable, SaysWhatIsNewsToACopy) {
  StickyTable table(100);
  EXPECT_TRUE(table.hold(kKey, 7, kBegin));
  EXPECT_FALSE(table.hold(kKey, 7, kBegin + seconds(59)));
  EXPECT_FALSE(table.renew(kKey, 7, kBegin + seconds(59)));
  EXPECT_TRUE(table.hold(kKey, 8, kBegin + seconds(59)));
  EXPECT_TRUE(table.renew(kKey, 8, kBegin + seconds(119)));
  EXPECT_TRUE(table.hold(kKey, 8, kBegin + seconds(719)));
}

TEST(StickyTable, AnExpiredPlaceGoesBeforeALivingOne) {
  StickyTable table(8);
  for (std::uint64_t i = 0; i < 8; ++i) table.hold({i, i}, 100 + i, kBegin);
  for (std::uint64_t i = 1; i < 8; ++i) table.renew({i, i}, 100 + i, kBegin + seconds(500));
  const Instant now = kBegin + seconds(601);
  table.hold({99, 99}, 199, now);
  for (std::uint64_t i = 1; i < 8; ++i) EXPECT_EQ(table.find({i, i}, now), 100 + i);
}

// At half load nearly all are held; no two are ever mixed up.
TEST(StickyTable, ManyConversations) {
  StickyTable table(10'000);
  EXPECT_GE(table.capacity(), 10'000u);
  Rng rng(5);
  std::vector<ConversationKey> keys(table.capacity() / 2);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    keys[i] = {rng.next(), rng.next()};
    table.hold(keys[i], i + 1, kBegin);
  }
  std::size_t held = 0;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const std::uint64_t found = table.find(keys[i], kBegin);
    EXPECT_TRUE(found == 0 || found == i + 1);
    held += found != 0 ? 1u : 0u;
  }
  EXPECT_GT(held, keys.size() * 98 / 100);
}

TEST(StickyTable, OfTwoTablesTheLaterUseCounts) {
  StickyTable table(100);
  table.take({kKey, 7, kBegin}, kBegin + seconds(10));
  EXPECT_EQ(table.find(kKey, kBegin + seconds(599)), 7u);
  EXPECT_EQ(table.find(kKey, kBegin + seconds(600)), 0u) << "since it was used, not since it came";
  table.hold(kKey, 8, kBegin + seconds(20));
  table.take({kKey, 7, kBegin + seconds(15)}, kBegin + seconds(30));
  EXPECT_EQ(table.find(kKey, kBegin + seconds(30)), 8u);
  table.take({kKey, 9, kBegin + seconds(25)}, kBegin + seconds(30));
  EXPECT_EQ(table.find(kKey, kBegin + seconds(30)), 9u);
}

TEST(StickyTable, WhatIsToldTakesNoPlaceOfWhatWasUsedLater) {
  StickyTable table(1);
  for (std::uint64_t i = 0; i < table.capacity(); ++i) {
    table.hold({i + 1, 2}, i + 1, kBegin + seconds(static_cast<std::int64_t>(i)));
  }
  table.take({{100, 2}, 9, kBegin - seconds(1)}, kBegin + seconds(10));
  EXPECT_EQ(table.find({100, 2}, kBegin + seconds(10)), 0u);
  EXPECT_EQ(table.find({1, 2}, kBegin + seconds(10)), 1u);
  table.take({{100, 2}, 9, kBegin + seconds(9)}, kBegin + seconds(10));
  EXPECT_EQ(table.find({100, 2}, kBegin + seconds(10)), 9u);
  EXPECT_EQ(table.find({1, 2}, kBegin + seconds(10)), 0u);
}

TEST(StickyTable, TellsOfAllThatAreHeld) {
  StickyTable table(10'000);  // so many that no set is full
  Rng rng(1);
  for (int i = 0; i < 600; ++i) table.hold({rng.next(), rng.next()}, 7, kBegin + seconds(i));
  const Instant now = kBegin + seconds(700);
  const auto all = table.held(now);
  EXPECT_EQ(all.size(), 499u);
  EXPECT_TRUE(std::ranges::all_of(all, [&](const HeldConversation& each) {
    return now - each.used < StickyTable::kIdleMax && table.find(each.key, now) == each.identity;
  }));
}

}  // namespace
}  // namespace leat::policy
