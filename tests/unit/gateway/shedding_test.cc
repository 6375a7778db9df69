// SPDX-License-Identifier: Apache-2.0
// Goal: a shard that is late or short of memory sheds what its step says, no more and no less; of
// those it may refuse for lateness, keys that have their share, and only in a turn that is late.
// Method: a shard whose turns take as long as is said; every rung, by lateness and by memory; loads
// of keys that differ.
#include "gateway/shedding.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>

#include "support/still_io.h"

namespace leat::gateway {
namespace {

using policy::ShedStep;

constexpr std::uint32_t kGreedy = 1;
constexpr std::uint32_t kModest = 2;
constexpr std::uint32_t kNew = 3;  // has nothing under way
constexpr std::uint32_t kIdleMs = 60'000;
constexpr Duration kProbe = milliseconds(1);  // LoadMeter's: what a turn takes and is not late

class SheddingTest : public testing::Test {
 protected:
  SheddingTest() {
    begin_greedy(20);
    loads_.begin(kModest);
    limits_.late_shrink_timeouts_ms = 10;
    limits_.late_no_keep_alive_ms = 20;
    limits_.late_refuse_ms = 30;
    limits_.late_stop_accept_ms = 400;
  }

  // So many turns that are so late. Each asks once where the ladder is, as any client's request
  // does.
  void turns(int count, Duration late) {
    io_.turn_takes = late > Duration{} ? late + kProbe : microseconds(100);
    io_.turn_brings = brings_;
    for (int i = 0; i < count; ++i) {
      shard_.run_turn();
      shedding_.step(limits_);
    }
  }
  void be_late(Duration late) { turns(20, late); }
  // So late that it has just come to refuse, and has learnt nothing yet of how many.
  void begin_to_refuse(Duration late = milliseconds(40)) {
    turns(60'000, Duration{});
    while (step() < ShedStep::kRefuseGreedy) turns(1, late);
  }
  // Whether the last is refused of so many who ask, each in a turn of 0.1 ms that is in time.
  bool asks_in_time(std::uint32_t key, int count) {
    bool is_refused = false;
    for (int i = 0; i < count; ++i) {
      turns(1, Duration{});
      is_refused = refuses(key);
    }
    return is_refused;
  }
  void begin_greedy(int count) {
    for (int i = 0; i < count; ++i) greedy_ = &loads_.begin(kGreedy);
  }
  void end_greedy(int count) {
    for (int i = 0; i < count; ++i) loads_.end(*greedy_);
  }
  ShedStep step() { return shedding_.step(limits_); }
  bool refuses(std::uint32_t key) { return shedding_.refuses(limits_, loads_, key); }
  bool keeps_alive(bool is_tls = false, bool is_refused = false) {
    return shedding_.keeps_alive(limits_, is_tls, is_refused);
  }
  Duration idle_time() { return shedding_.idle_time(limits_, kIdleMs); }

  std::uint64_t brings_ = 50;
  io::StillIo io_;
  Rng rng_{1};
  shard::Shard shard_{io_, rng_, 0};
  Counters counters_;
  std::atomic<std::uint32_t> memory_percent_{0};
  Limits limits_;
  KeyLoads loads_;
  KeyLoad* greedy_ = nullptr;
  Shedding shedding_{shard_, counters_, &memory_percent_, 2};
};

TEST_F(SheddingTest, ShedsNothingAtEase) {
  turns(100, Duration{});
  EXPECT_EQ(step(), ShedStep::kNone);
  EXPECT_EQ(idle_time(), milliseconds(kIdleMs));
  EXPECT_TRUE(keeps_alive());
  EXPECT_FALSE(refuses(kGreedy));
  EXPECT_TRUE(shedding_.accepts(limits_));
}

TEST_F(SheddingTest, ShedsNothingForHiccups) {
  for (int i = 0; i < 50; ++i) {
    turns(1, milliseconds(300));
    EXPECT_FALSE(refuses(kGreedy));
    turns(2, Duration{});
  }
  EXPECT_EQ(step(), ShedStep::kNone);
}

TEST_F(SheddingTest, FirstGivesIdleClientsLessTime) {
  be_late(milliseconds(10));
  EXPECT_EQ(step(), ShedStep::kShrinkTimeouts);
  EXPECT_EQ(idle_time(), milliseconds(kIdleMs / 4));
  EXPECT_TRUE(keeps_alive());
  EXPECT_FALSE(refuses(kGreedy));
}

TEST_F(SheddingTest, ThenKeepsNoConnectionsThatAreCheapToMakeAnew) {
  be_late(milliseconds(20));
  EXPECT_EQ(step(), ShedStep::kNoKeepAlive);
  EXPECT_FALSE(keeps_alive());
  EXPECT_TRUE(keeps_alive(true)) << "a handshake costs more than requests";
  EXPECT_TRUE(keeps_alive(false, true)) << "so does whatever follows a refusal";
  EXPECT_FALSE(refuses(kGreedy));
}

TEST_F(SheddingTest, KeepsConnectionsWhereThereIsNoOtherShardToComeTo) {
  Shedding alone(shard_, counters_, &memory_percent_, 1);
  for (int i = 0; i < 20; ++i) {
    turns(1, milliseconds(20));
    alone.step(limits_);
  }
  EXPECT_EQ(alone.step(limits_), ShedStep::kNoKeepAlive);
  EXPECT_TRUE(alone.keeps_alive(limits_, false, false));
}

TEST_F(SheddingTest, ThenRefusesWhoHasAShareAlready) {
  be_late(milliseconds(30));
  EXPECT_EQ(step(), ShedStep::kRefuseGreedy);
  EXPECT_TRUE(refuses(kGreedy));
  EXPECT_FALSE(refuses(kModest));
  EXPECT_FALSE(refuses(kNew));
  EXPECT_TRUE(shedding_.accepts(limits_));
  EXPECT_EQ(counters_.shed_greedy.get(), 1u);
  EXPECT_EQ(counters_.shed_all.get(), 0u);
}

TEST_F(SheddingTest, TheShareIsThatOfAllWhoAskAndNotOfOne) {
  be_late(milliseconds(30));
  for (int i = 0; i < 5; ++i) loads_.begin(kModest);
  EXPECT_FALSE(refuses(kModest)) << "6 of 26: less than a half of a fair share";
  turns(100, Duration{});  // what was let in is done
  be_late(milliseconds(30));
  for (int i = 0; i < 14; ++i) loads_.begin(kModest);
  EXPECT_TRUE(refuses(kModest)) << "as many as the other";
  EXPECT_TRUE(refuses(kGreedy));
}

TEST_F(SheddingTest, TheLaterItIsTheSmallerIsAShareThatIsRefused) {
  for (int i = 0; i < 8; ++i) loads_.begin(kModest);  // 9 of 29: 62 % of a fair share
  begin_to_refuse();
  turns(1, milliseconds(10));
  EXPECT_FALSE(refuses(kModest));
  begin_to_refuse();
  turns(1, milliseconds(30));
  EXPECT_TRUE(refuses(kModest));
  EXPECT_FALSE(refuses(kNew));
  EXPECT_EQ(step(), ShedStep::kRefuseGreedy);
}

TEST_F(SheddingTest, TheLaterItIsTheMoreAreRefused) {
  // Where there is room for more than run: it had been late with twice as many.
  const auto refused_in_25_turns = [this](Duration late) {
    begin_to_refuse();
    begin_greedy(20);
    refuses(kGreedy);
    turns(1, Duration{});
    end_greedy(20);
    int refused = 0;
    for (int i = 0; i < 25; ++i) {
      turns(1, late);
      if (refuses(kGreedy)) ++refused;
    }
    return refused;
  };
  const auto refused_of_100_turns = [&](Duration late) {
    int refused = 0;
    for (int i = 0; i < 4; ++i) refused += refused_in_25_turns(late);
    return refused;
  };
  EXPECT_LT(refused_of_100_turns(milliseconds(2)), 10);
  const int some = refused_of_100_turns(milliseconds(5));
  EXPECT_GT(some, 5);
  EXPECT_LT(some, 50);
  const int more = refused_of_100_turns(milliseconds(12));
  EXPECT_GT(more, 55);
  EXPECT_LT(more, 99);
  EXPECT_EQ(refused_of_100_turns(milliseconds(30)), 100);
}

TEST_F(SheddingTest, LearnsHowManyCanRunAndForgetsItWhereThereIsRoom) {
  brings_ = 1'000'000;  // what is let in takes no time
  begin_to_refuse();
  EXPECT_FALSE(asks_in_time(kGreedy, 1)) << "nothing is learnt yet";
  EXPECT_TRUE(asks_in_time(kGreedy, 1)) << "as many run as made it late";
  EXPECT_FALSE(refuses(kNew));
  end_greedy(6);
  EXPECT_FALSE(asks_in_time(kGreedy, 1)) << "fewer do";
  for (int i = 0; i < 140; ++i) {  // a second
    turns(1, milliseconds(6));
    refuses(kGreedy);
  }
  EXPECT_TRUE(asks_in_time(kGreedy, 1)) << "they were too many, too";
  EXPECT_TRUE(asks_in_time(kGreedy, 5'000)) << "there is more room only by and by";
  EXPECT_FALSE(asks_in_time(kGreedy, 30'000)) << "it is not late at all with them";
}

TEST_F(SheddingTest, WhatWasLearntOfFewDoesNotLast) {
  brings_ = 1'000'000;
  end_greedy(19);
  begin_to_refuse();
  for (int i = 0; i < 20; ++i) {
    turns(1, milliseconds(40));
    refuses(kGreedy);
  }
  begin_greedy(200);
  EXPECT_TRUE(asks_in_time(kGreedy, 10'000));
  EXPECT_FALSE(asks_in_time(kGreedy, 60'000)) << "in six seconds";
}

TEST_F(SheddingTest, OfFewOneAlwaysMay) {
  brings_ = 1'000'000;
  end_greedy(20);
  begin_to_refuse();
  for (int i = 0; i < 20; ++i) {
    turns(1, milliseconds(40));
    refuses(kModest);
  }
  const KeyLoads none;
  turns(1, Duration{});
  EXPECT_FALSE(shedding_.refuses(limits_, none, kModest));
}

TEST_F(SheddingTest, StaysWhereItRefusesAndTriesWithoutNowAndThen) {
  be_late(milliseconds(40));
  const auto go_on = [this](int hundredths) {
    for (int i = 0; i < hundredths; ++i) {
      turns(1, milliseconds(9));
      refuses(kGreedy);
    }
  };
  go_on(2'000);
  EXPECT_EQ(step(), ShedStep::kRefuseGreedy) << "in 20 s, less than half as late as where it began";
  go_on(1'500);
  EXPECT_LT(step(), ShedStep::kRefuseGreedy);
}

TEST_F(SheddingTest, SparesWhoHasNextToNothing) {
  be_late(milliseconds(119));
  EXPECT_EQ(step(), ShedStep::kRefuseGreedy);
  EXPECT_TRUE(refuses(kGreedy));
  EXPECT_FALSE(refuses(kModest)) << "a tenth of a fair share";
  for (int i = 0; i < 6; ++i) loads_.begin(kModest);
  EXPECT_TRUE(refuses(kModest)) << "7 of 27: more than a half of it";
}

TEST_F(SheddingTest, ThenRefusesEverybody) {
  be_late(milliseconds(300));
  EXPECT_EQ(step(), ShedStep::kRefuseAll);
  EXPECT_TRUE(refuses(kGreedy));
  EXPECT_TRUE(refuses(kModest));
  EXPECT_TRUE(refuses(kNew));
  EXPECT_TRUE(shedding_.accepts(limits_));
  EXPECT_EQ(counters_.shed_greedy.get(), 2u);
  EXPECT_EQ(counters_.shed_all.get(), 1u);
}

TEST_F(SheddingTest, ThenAcceptsNobody) {
  be_late(milliseconds(400));
  EXPECT_EQ(step(), ShedStep::kStopAccept);
  EXPECT_FALSE(shedding_.accepts(limits_));
}

TEST_F(SheddingTest, CountsOnWhatItLetsIn) {
  limits_.late_no_keep_alive_ms = limits_.late_shrink_timeouts_ms = limits_.late_refuse_ms = 4;
  begin_to_refuse(milliseconds(5));
  turns(1, Duration{});
  int let_in = 0;
  while (let_in < 1'000 && !refuses(kGreedy)) ++let_in;
  EXPECT_GE(let_in, 2);
  EXPECT_LT(let_in, 10)
      << "of a turn of 50 completions in 6 ms: a request takes about a millisecond";
  EXPECT_FALSE(refuses(kNew));
  end_greedy(1);  // there is room for one
  turns(1, Duration{});
  EXPECT_TRUE(refuses(kGreedy)) << "nothing of it is done yet";
  turns(100, Duration{});
  EXPECT_FALSE(refuses(kGreedy));
}

TEST_F(SheddingTest, ServesTheNewWhereATurnIsNotAsLateAsTheStepSays) {
  be_late(milliseconds(300));
  turns(1, milliseconds(100));
  EXPECT_EQ(step(), ShedStep::kRefuseAll);
  EXPECT_TRUE(refuses(kGreedy));
  EXPECT_FALSE(refuses(kNew));
}

TEST_F(SheddingTest, ServesInATurnThatIsInTimeWhateverTheStep) {
  be_late(milliseconds(400));
  turns(1, Duration{});
  EXPECT_EQ(step(), ShedStep::kStopAccept);
  EXPECT_TRUE(shedding_.accepts(limits_));
  EXPECT_FALSE(refuses(kModest));
  EXPECT_FALSE(refuses(kNew));
  EXPECT_FALSE(keeps_alive());
}

TEST_F(SheddingTest, TakesAllUpAgain) {
  be_late(milliseconds(400));
  turns(60'000, Duration{});
  EXPECT_EQ(step(), ShedStep::kNone);
  EXPECT_TRUE(keeps_alive());
  EXPECT_EQ(idle_time(), milliseconds(kIdleMs));
}

TEST_F(SheddingTest, MemoryShedsByItsOwnSteps) {
  const auto at = [this](std::uint32_t percent) {
    memory_percent_ = percent;
    turns(1, Duration{});
    return step();
  };
  EXPECT_EQ(at(limits_.memory_shrink_timeouts_percent - 1), ShedStep::kNone);
  EXPECT_EQ(at(limits_.memory_shrink_timeouts_percent), ShedStep::kShrinkTimeouts);
  EXPECT_EQ(idle_time(), milliseconds(kIdleMs / 4));
  EXPECT_TRUE(keeps_alive());
  EXPECT_EQ(at(limits_.memory_no_keep_alive_percent), ShedStep::kNoKeepAlive);
  EXPECT_FALSE(keeps_alive(true)) << "it is memory that is to be saved";
  EXPECT_FALSE(keeps_alive(false, true));
  EXPECT_FALSE(refuses(kGreedy));
  EXPECT_FALSE(shedding_.is_memory_short(limits_));
  EXPECT_EQ(at(limits_.memory_refuse_percent), ShedStep::kRefuseAll);
  EXPECT_TRUE(shedding_.is_memory_short(limits_));
  EXPECT_TRUE(refuses(kNew)) << "in a turn that is in time, too";
  EXPECT_TRUE(shedding_.accepts(limits_));
  EXPECT_EQ(at(limits_.memory_stop_accept_percent), ShedStep::kStopAccept);
  EXPECT_FALSE(shedding_.accepts(limits_));
}

TEST_F(SheddingTest, TellsWhereItIs) {
  be_late(milliseconds(30));
  for (std::size_t i = 0; i < policy::kShedSteps; ++i) {
    const bool is_here = i == static_cast<std::size_t>(ShedStep::kRefuseGreedy);
    EXPECT_EQ(counters_.shed_at_step[i].get(), is_here ? 1u : 0u) << i;
  }
  EXPECT_EQ(counters_.shed_climbs[static_cast<std::size_t>(ShedStep::kRefuseGreedy)].get(), 1u);
  EXPECT_EQ(counters_.shed_climbs[static_cast<std::size_t>(ShedStep::kRefuseAll)].get(), 0u);
  EXPECT_EQ(counters_.turn_lag_us.get(), 30'000u);
}

TEST_F(SheddingTest, HasThoseItRefusedComeBackAtDifferentTimes) {
  std::array<int, 5> counts{};
  for (int i = 0; i < 300; ++i) ++counts.at(static_cast<std::size_t>(shedding_.retry_after_s()));
  EXPECT_EQ(counts[0] + counts[4], 0);
  for (const int seconds : {1, 2, 3}) EXPECT_GT(counts[static_cast<std::size_t>(seconds)], 50);
}

}  // namespace
}  // namespace leat::gateway
