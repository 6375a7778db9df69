// SPDX-License-Identifier: Apache-2.0
// Goal: what a process needs of the ledger's folder is there when it begins, and what nobody needs
// any more is gone when it ends, while the next one begins too. Method: keepers one after the other
// on one folder, without shards: their open tables are filled here.
#include "control/ledger_keeper.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "ledger/open_table.h"

namespace leat::control {
namespace {

class LedgerKeeperTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string path = testing::TempDir() + "leat-keeper-XXXXXX";
    ASSERT_NE(mkdtemp(path.data()), nullptr);
    options_.ledger.folder = path;
    options_.ledger.segment_mib = 1;
    options_.ledger.open_requests_max = 16;
  }
  void TearDown() override { std::filesystem::remove_all(options_.ledger.folder); }

  std::unique_ptr<LedgerKeeper> started() {
    auto keeper = LedgerKeeper::start(options_, 2, fault_);
    EXPECT_EQ(fault_, "");
    EXPECT_NE(keeper, nullptr);
    if (keeper != nullptr) {
      EXPECT_EQ(keeper->keep_lost(), "");
    }
    return keeper;
  }
  std::string path(std::string_view name) const {
    return options_.ledger.folder + "/" + std::string(name);
  }
  // Those that end so.
  int files(std::string_view ending) const {
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(options_.ledger.folder)) {
      count += entry.path().string().ends_with(ending) ? 1 : 0;
    }
    return count;
  }

  Options options_;
  std::string fault_;
};

TEST_F(LedgerKeeperTest, BeginsWithATableAndTwoSegmentsAShardAndLeavesNone) {
  auto keeper = started();
  EXPECT_EQ(keeper->generation(), 1u);
  EXPECT_EQ(files(".open"), 2);
  EXPECT_EQ(files(".segment"), 4);
  keeper.reset();
  EXPECT_EQ(files(".open"), 0);
  EXPECT_EQ(files(".segment"), 0) << "nothing was written to them";
}

TEST_F(LedgerKeeperTest, EndedGenerationsGoUnlessSomethingOfThemIsOpen) {
  started().reset();
  EXPECT_EQ(started()->generation(), 2u);
  EXPECT_EQ(files(".generation"), 1);
  {
    auto cut_off = started();
    const gateway::LedgerParts parts = cut_off->parts(1);
    ledger::OpenTable table(parts.open_table, parts.owner);
    ASSERT_NE(table.begin({.generation_id = "gen-1"}), ledger::OpenTable::kNoSlot);
  }
  EXPECT_EQ(files(".open"), 1) << "of the shard that had something open";
  auto after = started();
  EXPECT_EQ(after->generation(), 4u);
  EXPECT_EQ(after->parts(0).recovered.size(), 1u);
  EXPECT_TRUE(std::filesystem::exists(path("0000000000000003.generation")));
  after->desk(0).recovered_is_durable();
  after.reset();
  EXPECT_EQ(files(".open"), 0);
  EXPECT_FALSE(std::filesystem::exists(path("0000000000000003.generation")));
  EXPECT_TRUE(std::filesystem::exists(path("0000000000000004.generation")));
}

TEST_F(LedgerKeeperTest, OneBeginsWhileTheOneBeforeEnds) {
  auto keeper = started();
  for (int i = 0; i < 12 && keeper != nullptr; ++i) {
    keeper->unlock();
    std::thread ending([old = std::move(keeper)]() mutable { old.reset(); });
    keeper = started();
    ending.join();
  }
  keeper.reset();
  EXPECT_EQ(files(".open"), 0);
  EXPECT_EQ(files(".segment"), 0);
}

TEST_F(LedgerKeeperTest, SaysWhatIsWrongWithTheFolder) {
  const auto first = started();
  EXPECT_EQ(LedgerKeeper::start(options_, 1, fault_), nullptr);
  EXPECT_NE(fault_.find("another process"), std::string::npos) << fault_;
  options_.ledger.folder += "/none";
  EXPECT_EQ(LedgerKeeper::start(options_, 1, fault_), nullptr);
  EXPECT_NE(fault_.find(options_.ledger.folder), std::string::npos) << fault_;
  options_.ledger.folder.clear();
  fault_.clear();
  EXPECT_EQ(LedgerKeeper::start(options_, 1, fault_), nullptr);
  EXPECT_EQ(fault_, "") << "no ledger is wanted";
}

}  // namespace
}  // namespace leat::control
