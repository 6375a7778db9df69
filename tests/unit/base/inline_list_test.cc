// SPDX-License-Identifier: Apache-2.0
// Goal: a list within a record holds what was added, in order, up to its bound and no further.
// Method: values are added one by one and read back, through both views.
#include "base/inline_list.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string_view>

namespace leat {
namespace {

TEST(InlineList, HoldsWhatWasAddedInOrder) {
  InlineList<std::string_view, 3> list;
  EXPECT_TRUE(list.values().empty());
  list.add("one");
  list.add("two");
  EXPECT_FALSE(list.is_full());
  list.add("three");
  EXPECT_TRUE(list.is_full());
  ASSERT_EQ(list.size(), 3U);
  const auto& read = std::as_const(list).values();
  EXPECT_EQ(read[0], "one");
  EXPECT_EQ(read[2], "three");
}

TEST(InlineList, CanBeSortedInPlace) {
  InlineList<int, 8> list;
  for (const int value : {3, 1, 2}) list.add(value);
  std::ranges::sort(list.values());
  EXPECT_TRUE(std::ranges::is_sorted(list.values()));
  EXPECT_EQ(list.values().front(), 1);
}

TEST(InlineListDeathTest, EndsTheProcessBeforeItWritesPastItsEnd) {
  InlineList<int, 1> list;
  list.add(1);
  EXPECT_DEATH(list.add(2), "size_ < N");
}

}  // namespace
}  // namespace leat
