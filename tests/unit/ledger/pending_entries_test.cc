// SPDX-License-Identifier: Apache-2.0
// Goal: entries come out as they went in, whatever wraps around; what does not fit is refused; and
// the commit window follows the load.
// Method: a model beside it, driven by chance; a window asked over steady rates.
#include "ledger/pending_entries.h"

#include <gtest/gtest.h>

#include <deque>
#include <string>

#include "base/rng.h"
#include "ledger/commit_window.h"

namespace leat::ledger {
namespace {

TEST(PendingEntries, BehaveAsAQueueOfBoundedBytes) {
  std::size_t refused = 0;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    Rng rng(seed);
    PendingEntries pending(2'000);
    std::deque<std::string> model;
    for (int step = 0; step < 3'000; ++step) {
      if (rng.chance(0.55)) {
        const std::size_t most = rng.below(300) + 1;
        const auto place = pending.reserve(most);
        if (place.empty()) {
          ++refused;
          EXPECT_GT(pending.bytes(), 2'000u - 2 * 400) << "it was almost full";
          continue;
        }
        ASSERT_GE(place.size(), most);
        const std::string payload(rng.below(most + 1), static_cast<char>(rng.below(256)));
        std::copy(payload.begin(), payload.end(), place.begin());
        pending.push(FrameKind::kUsage, place.first(payload.size()));
        model.push_back(payload);
      } else {
        auto cursor = pending.begin();
        for (std::size_t left = rng.below(3); left > 0 && !pending.at_end(cursor); --left) {
          pending.advance(cursor);
          model.pop_front();
        }
        pending.drop(cursor);
      }
      ASSERT_EQ(pending.count(), model.size());
      auto cursor = pending.begin();
      for (const std::string& payload : model) {
        const auto item = pending.item(cursor).payload;
        ASSERT_EQ(std::string(item.begin(), item.end()), payload);
        pending.advance(cursor);
      }
      ASSERT_TRUE(pending.at_end(cursor));
    }
  }
  EXPECT_GT(refused, 1'000u);
}

TEST(PendingEntries, EmptyAgainItHasAllItsRoom) {
  PendingEntries pending(1'000);
  EXPECT_TRUE(pending.reserve(1'000).empty()) << "an entry has a head";
  const auto place = pending.reserve(900);
  ASSERT_EQ(place.size(), 900u);
  pending.push(FrameKind::kGrant, place);
  EXPECT_EQ(pending.item(pending.begin()).kind, FrameKind::kGrant);
  EXPECT_TRUE(pending.reserve(100).empty());
  auto cursor = pending.begin();
  pending.advance(cursor);
  pending.drop(cursor);
  EXPECT_EQ(pending.bytes(), 0u);
  EXPECT_EQ(pending.reserve(900).size(), 900u);
}

// Commits that follow each other as the window and a disk of 200 us let them.
Duration settled(Duration arrival) {
  CommitWindow window;
  Instant now{};
  for (int i = 0; i < 200; ++i) {
    now = now + arrival + window.window() + microseconds(200);
    window.began(now);
  }
  return window.window();
}

TEST(CommitWindow, NoneWhereCommitsAreRareAMillisecondWhereTheyWouldNotCease) {
  EXPECT_EQ(CommitWindow().window(), Duration{});
  EXPECT_EQ(settled(milliseconds(5)), Duration{});
  EXPECT_GT(settled(microseconds(10)), microseconds(900));
  EXPECT_LE(settled(microseconds(10)), CommitWindow::kMax);
  const Duration between = settled(milliseconds(1));
  EXPECT_GT(between, microseconds(400));
  EXPECT_LT(between, microseconds(900));
}

TEST(CommitWindow, AQuietTimeEndsIt) {
  CommitWindow window;
  Instant now{};
  for (int i = 0; i < 100; ++i) window.began(now = now + microseconds(300));
  EXPECT_EQ(window.window(), CommitWindow::kMax);
  for (int i = 0; i < 40; ++i) window.began(now = now + seconds(1));
  EXPECT_LT(window.window(), microseconds(20));
}

}  // namespace
}  // namespace leat::ledger
