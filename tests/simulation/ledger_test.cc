// SPDX-License-Identifier: Apache-2.0
// Goal: an acknowledged record is there after whatever befell process and disk, once; what could
// not be written is said to be so; and nobody waits longer than was promised.
// Method: lives of a ledger over SimIo and a disk of sectors, many seeds; the process killed after
// every single event of a run; writes that fail, disks that are full, slow ones. The files are read
// as a start would read them, and compared with what the requests were told.
#include <gtest/gtest.h>

#include <algorithm>

#include "simulation/sim_ledger.h"

namespace leat::sim {
namespace {

FaultPlan disk_faults(double error, double full, double slow) {
  FaultPlan plan;
  plan.set(Fault::kDiskError, error);
  plan.set(Fault::kDiskFull, full);
  plan.set(Fault::kDiskSlow, slow);
  plan.set(Fault::kFullRings, 0.2);
  return plan;
}

// What must hold of the files, whenever they are read.
void expect_nothing_lost(World& world, const LedgerHistory& history, std::uint64_t generation) {
  const Recovered recovered = recover(world, history, generation);
  for (const auto& each : recovered.report.segments) {
    EXPECT_EQ(each.fault, nullptr) << each.fault;
  }
  std::set<std::string> once(recovered.ids.begin(), recovered.ids.end());
  EXPECT_EQ(once.size(), recovered.ids.size()) << "a record stands twice";
  for (const std::string& id : history.acknowledged) {
    EXPECT_TRUE(once.contains(id)) << "lost: " << id;
  }
  for (const std::string& id : once) {
    EXPECT_TRUE(history.appended.contains(id)) << "never appended: " << id;
  }
  EXPECT_TRUE(world.violations().empty()) << world.violations().front();
}

// Runs a life to its end, or for `events` events; then the power goes.
void live(World& world, LedgerHistory& history, const LedgerLifeOptions& options,
          std::uint64_t events = UINT64_MAX) {
  LedgerLife life(world, history, options);
  const Instant end = world.now() + seconds(30);
  for (std::uint64_t i = 0; i < events && world.run_next(end); ++i) {
  }
}

TEST(LedgerSimulation, AQuietLifeEndsWithEveryRecordDurable) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    World world(seed, {});
    LedgerHistory history;
    LedgerLifeOptions options{.finishes = true};
    LedgerLife life(world, history, options);
    world.run_until(world.now() + seconds(1));
    EXPECT_TRUE(life.is_finished());
    EXPECT_TRUE(history.refused.empty());
    EXPECT_EQ(life.fates(ledger::SegmentFate::kPoisoned), 0u);
    EXPECT_GE(life.fates(ledger::SegmentFate::kSealed), 2u) << "several segments were filled";
    EXPECT_EQ(life.ledger().stats().entries, options.records);
    const Recovered recovered = recover(world, history, 1);
    EXPECT_EQ(recovered.ids.size(), options.records);
    EXPECT_TRUE(recovered.report.is_clean);
    EXPECT_FALSE(recovered.report.is_unfinished);
    expect_nothing_lost(world, history, 1);
  }
}

// The figure: killed at every point of the sequence of writes.
TEST(LedgerSimulation, KilledAfterAnyEventNothingAcknowledgedIsLostOrDoubled) {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    std::uint64_t events = 0;
    {
      World world(seed, {});
      LedgerHistory history;
      LedgerLife life(world, history, {.records = 60, .span = milliseconds(12), .finishes = true});
      while (!life.is_finished() && world.run_next()) ++events;
    }
    ASSERT_GT(events, 100u);
    std::size_t most = 0;
    for (std::uint64_t stop = 1; stop <= events; ++stop) {
      World world(seed, {});
      LedgerHistory history;
      live(world, history, {.records = 60, .span = milliseconds(12), .finishes = true}, stop);
      world.disk().crash();
      expect_nothing_lost(world, history, 1);
      most = std::max(most, history.acknowledged.size());
      if (testing::Test::HasFailure()) FAIL() << "seed " << seed << ", event " << stop;
    }
    EXPECT_GT(most, 40u) << "they were acknowledged meanwhile";
  }
}

// The same at chance moments, with a disk that fails, is full and slow.
TEST(LedgerSimulation, KilledWithAFailingDiskNothingAcknowledgedIsLostOrDoubled) {
  std::size_t acknowledged = 0;
  std::size_t refused = 0;
  std::uint64_t failed = 0;
  for (std::uint64_t seed = 1; seed <= 600; ++seed) {
    World world(seed, disk_faults(0.1, 0.05, 0.02));
    LedgerHistory history;
    const LedgerLifeOptions options{
        .disk_is_full = seed % 3 == 0 ? 0.8 : 0.1, .records = 150, .finishes = seed % 2 == 0};
    {
      LedgerLife life(world, history, options);
      const std::uint64_t events = world.rng().below(1'500) + 1;
      for (std::uint64_t i = 0; i < events && world.run_next(world.now() + seconds(30)); ++i) {
      }
      failed += life.ledger().stats().failed_writes;
    }
    world.disk().crash();
    expect_nothing_lost(world, history, 1);
    acknowledged += history.acknowledged.size();
    refused += history.refused.size();
    if (testing::Test::HasFailure()) FAIL() << "seed " << seed;
  }
  EXPECT_GT(acknowledged, 20'000u);
  EXPECT_GT(refused, 100u);
  EXPECT_GT(failed, 500u);
}

// A disk that comes back: what was held in memory meanwhile is written, and in order.
TEST(LedgerSimulation, AfterAFailureEverythingIsWrittenOnceThereIsADisk) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    World world(seed, {});
    LedgerHistory history;
    LedgerLife life(world, history, {.records = 100, .finishes = seed % 2 == 0});
    world.run_until(world.now() + milliseconds(10));
    world.disk().fail_all = seed % 3 == 0 ? ENOSPC : EIO;
    world.run_until(world.now() + milliseconds(10));
    EXPECT_GT(life.ledger().stats().failed_writes, 0u);
    world.disk().fail_all = 0;
    world.run_until(world.now() + seconds(1));
    EXPECT_EQ(life.ledger().stats().entries, 100u);
    EXPECT_EQ(recover(world, history, 1).ids.size(), 100u);
    expect_nothing_lost(world, history, 1);
  }
}

// F14: segments run out. What runs is recorded from the emergency segment, nothing new may begin,
// and with a segment the ledger is ready again.
TEST(LedgerSimulation, AFullDiskStopsWhatIsNewAndRecordsWhatRuns) {
  World world(1, {});
  LedgerHistory history;
  LedgerLife life(world, history, {.records = 400, .span = milliseconds(100)});
  world.run_until(world.now() + milliseconds(8));
  EXPECT_EQ(life.ledger().state(), ledger::LedgerState::kReady);
  EXPECT_TRUE(life.ledger().admits());
  life.maker().gives_segments = false;
  std::size_t refused_before_emergency = 0;
  bool was_on_emergency = false;
  while (history.refused.empty() && world.run_next()) {
    if (life.ledger().state() == ledger::LedgerState::kUnavailable && !was_on_emergency) {
      was_on_emergency = true;
      refused_before_emergency = history.refused.size();
      EXPECT_FALSE(life.ledger().admits());
    }
  }
  EXPECT_TRUE(was_on_emergency);
  EXPECT_EQ(refused_before_emergency, 0u) << "the emergency segment took them";
  EXPECT_FALSE(history.refused.empty()) << "until it was full, too";
  EXPECT_EQ(life.waiting(), 0u) << "who waited was told";
  EXPECT_EQ(life.emergencies_made(), 1u);
  life.maker().gives_segments = true;
  world.run_until(world.now() + seconds(1));
  EXPECT_EQ(life.ledger().state(), ledger::LedgerState::kReady);
  EXPECT_TRUE(life.ledger().admits());
  EXPECT_GE(life.emergencies_made(), 2u) << "there is one for the next time";
  EXPECT_EQ(recover(world, history, 1).ids.size(), 400u);
  expect_nothing_lost(world, history, 1);
}

// Nobody waits for a disk that may never come back.
TEST(LedgerSimulation, WhoWaitsIsToldWhenThereIsNowhereToWrite) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    World world(seed, {});
    LedgerHistory history;
    LedgerLife life(world, history, {.records = 300, .span = milliseconds(60)});
    life.maker().gives_emergencies = false;
    world.run_until(world.now() + milliseconds(10));
    EXPECT_TRUE(history.refused.empty());
    life.maker().gives_segments = false;
    if (seed % 2 == 0) world.disk().fail_all = EIO;
    world.run_until(world.now() + milliseconds(45));
    EXPECT_EQ(life.ledger().state(), ledger::LedgerState::kUnavailable);
    EXPECT_FALSE(history.refused.empty());
    EXPECT_EQ(life.waiting(), 0u);
    world.disk().fail_all = 0;
    life.maker().gives_segments = true;
    world.run_until(world.now() + seconds(1));
    EXPECT_EQ(life.ledger().state(), ledger::LedgerState::kReady);
    EXPECT_EQ(life.ledger().stats().entries, 300u);
    EXPECT_EQ(recover(world, history, 1).ids.size(), 300u);
    expect_nothing_lost(world, history, 1);
  }
}

// F16: a slow disk delays who waits; memory stays bounded and nothing new begins meanwhile.
TEST(LedgerSimulation, WhatWaitsForASlowDiskIsBounded) {
  World world(3, disk_faults(0, 0, 1));
  LedgerHistory history;
  LedgerLife life(world, history,
                  {.segment_bytes = 1 << 24, .records = 60'000, .span = milliseconds(100)});
  world.run_until(world.now() + milliseconds(150));
  EXPECT_FALSE(life.ledger().admits());
  EXPECT_GT(life.ledger().stats().entries_dropped, 0u);
  EXPECT_EQ(history.refused.size(), life.ledger().stats().entries_dropped);
  world.calm();
  world.run_until(world.now() + seconds(10));
  EXPECT_TRUE(life.ledger().admits());
  EXPECT_EQ(life.ledger().stats().entries, history.appended.size());
  expect_nothing_lost(world, history, 1);
}

Duration longest(const std::vector<Duration>& waits) {
  return waits.empty() ? Duration{} : *std::max_element(waits.begin(), waits.end());
}

// Strict: the window, the write under way and one's own; here a write takes at most 300 us and a
// turn 60 us.
TEST(LedgerSimulation, NobodyWaitsLongerThanTheWindowAndTwoCommits) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    World world(seed, {});
    LedgerHistory history;
    LedgerLife life(world, history,
                    {.segment_bytes = 1 << 22, .records = 5'000, .span = milliseconds(200)});
    world.run_until(world.now() + milliseconds(10));  // the first segment has come
    const std::size_t before = life.waits().size();
    world.run_until(world.now() + seconds(1));
    const std::vector<Duration> waits(life.waits().begin() + static_cast<std::ptrdiff_t>(before),
                                      life.waits().end());
    EXPECT_LE(longest(waits), milliseconds(1) + microseconds(2 * 300 + 4 * 60 + 100));
    // 25 records a millisecond: commits are few.
    EXPECT_LT(life.ledger().stats().commits, 250u);
  }
}

TEST(LedgerSimulation, WhereRecordsAreFewNobodyWaitsForOthers) {
  World world(5, {});
  LedgerHistory history;
  LedgerLife life(world, history, {.records = 40, .span = seconds(4)});
  world.run_until(world.now() + milliseconds(50));
  const std::size_t before = life.waits().size();
  world.run_until(world.now() + seconds(5));
  const std::vector<Duration> waits(life.waits().begin() + static_cast<std::ptrdiff_t>(before),
                                    life.waits().end());
  EXPECT_LE(longest(waits), microseconds(300 + 3 * 60 + 40));
}

// Grouped: nobody waits, and a kill loses at most what came in the last 5 ms.
TEST(LedgerSimulation, GroupedIsAtMostFiveMillisecondsBehind) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    World world(seed, {});
    LedgerHistory history;
    LedgerLife life(
        world, history,
        {.mode = ledger::LedgerMode::kGrouped, .records = 2'000, .span = milliseconds(400)});
    world.run_until(world.now() + milliseconds(20));
    std::size_t appended_before = history.appended.size();
    for (int i = 0; i < 60; ++i) {
      world.run_until(world.now() + milliseconds(5));
      EXPECT_GE(life.ledger().stats().entries, appended_before);
      appended_before = history.appended.size();
    }
    EXPECT_TRUE(life.waits().empty());
    // 5 records a millisecond, some 20 a commit.
    EXPECT_LT(life.ledger().stats().commits, 130u);
  }
}

// A sector that was durable and is zeros again looks like a torn one; the commits after it know
// better.
TEST(LedgerSimulation, ALostSectorOfWhatWasDurableIsNotTakenForATornTail) {
  World world(11, {});
  LedgerHistory history;
  LedgerLife life(world, history, {.segment_bytes = 1 << 20, .records = 200});
  world.run_until(world.now() + seconds(1));
  const Recovered whole = recover(world, history, 1);
  ASSERT_TRUE(whole.report.is_clean);
  const auto& used = whole.report.segments.front();
  ASSERT_EQ(used.entries, 200u) << "all in one segment";
  std::string& bytes = world.disk().bytes(history.files[used.index]);
  const std::string before = bytes;
  // But the last commits, which nothing follows.
  for (std::size_t at = ledger::kSegmentHeaderBytes; at < used.end_offset / 2;
       at += ledger::kSectorBytes) {
    bytes.replace(at, ledger::kSectorBytes, ledger::kSectorBytes, '\0');
    EXPECT_FALSE(recover(world, history, 1).report.is_intact) << at;
    bytes = before;
  }
}

// Whoever waited for it is not told, and the write ends without it.
TEST(LedgerSimulation, ALedgerMayGoWhileAWriteIsUnderWay) {
  World world(4, {});
  LedgerHistory history;
  LedgerLife life(world, history, {.records = 300});
  while (life.ledger().stats().commits < 3 || life.waiting() == 0) ASSERT_TRUE(world.run_next());
  world.run_until(world.now() + microseconds(30));
  const std::uint64_t late = life.io_stats().late_completions;
  life.drop_ledger();
  EXPECT_EQ(life.waiting(), 0u);
  world.run_until(world.now() + milliseconds(5));
  EXPECT_EQ(life.io_stats().late_completions, late + 1);
  expect_nothing_lost(world, history, 1);
}

TEST(LedgerSimulation, TheSameSeedLivesTheSameLife) {
  const auto trace_of = [](std::uint64_t seed) {
    World world(seed, disk_faults(0.1, 0.05, 0.02));
    LedgerHistory history;
    live(world, history, {.disk_is_full = 0.3}, 2'000);
    return world.trace_value();
  };
  EXPECT_EQ(trace_of(7), trace_of(7));
  EXPECT_NE(trace_of(7), trace_of(8));
}

}  // namespace
}  // namespace leat::sim
