// SPDX-License-Identifier: Apache-2.0
// Goal: process generations are never taken twice, and are forgotten when nobody will ask for them.
// Method: a folder on disk, with the files that processes leave in it.
#include "control/segment_folder.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

namespace leat::control {
namespace {

class SegmentFolderTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string path = testing::TempDir() + "leat-segments-XXXXXX";
    ASSERT_NE(mkdtemp(path.data()), nullptr);
    path_ = path;
    folder_.emplace(*SegmentFolder::open(path_));
    ASSERT_TRUE(folder_->lock().has_value());
  }
  void TearDown() override { std::filesystem::remove_all(path_); }

  bool is_known(std::uint64_t generation) const { return !folder_->boot_of(generation).empty(); }

  std::string path_;
  std::optional<SegmentFolder> folder_;
};

TEST_F(SegmentFolderTest, GenerationsOfWhichNothingIsOpenAreForgotten) {
  for (std::uint64_t wanted = 1; wanted <= 4; ++wanted) {
    EXPECT_EQ(folder_->take_generation("boot " + std::to_string(wanted)), wanted);
  }
  ASSERT_TRUE(folder_->create_open_table({.generation = 2, .shard = 1}, 8).has_value());
  std::ofstream(path_ + "/0000000000000001.generation.mine") << "somebody's";
  ASSERT_TRUE(folder_->forget_generations_before(4).has_value());
  EXPECT_FALSE(is_known(1));
  EXPECT_EQ(folder_->boot_of(2), "boot 2") << "its requests are open still";
  EXPECT_FALSE(is_known(3));
  EXPECT_TRUE(is_known(4)) << "the process's own";
  EXPECT_TRUE(std::filesystem::exists(path_ + "/0000000000000001.generation.mine"));
  EXPECT_EQ(folder_->take_generation("boot 5"), 5u);

  const auto files = *folder_->list();
  for (const LedgerFile& file : files) ASSERT_TRUE(folder_->remove(file).has_value());
  ASSERT_TRUE(folder_->forget_generations_before(5).has_value());
  EXPECT_FALSE(is_known(2));
  EXPECT_FALSE(is_known(4));
  EXPECT_EQ(folder_->take_generation(), 6u);
}

TEST_F(SegmentFolderTest, AProcessThatLivesIsKnownByItsGeneration) {
  ASSERT_EQ(folder_->take_generation("boot"), 1u);
  ASSERT_EQ(folder_->take_generation("boot"), 2u);
  const auto other = SegmentFolder::open(path_);
  ASSERT_TRUE(other.has_value());
  EXPECT_FALSE(other->is_alive(1));
  ASSERT_TRUE(folder_->mark_alive(1).has_value());
  EXPECT_TRUE(other->is_alive(1));
  EXPECT_FALSE(other->is_alive(2));
  EXPECT_FALSE(other->is_alive(3)) << "there is none";
  folder_.reset();  // as its process ends
  EXPECT_FALSE(other->is_alive(1));
}

TEST_F(SegmentFolderTest, TheFolderIsHandedFromOneProcessToTheNext) {
  auto other = SegmentFolder::open(path_);
  ASSERT_TRUE(other.has_value());
  EXPECT_FALSE(other->lock().has_value());
  folder_->unlock();
  EXPECT_TRUE(other->lock().has_value());
  EXPECT_FALSE(folder_->lock().has_value());
}

}  // namespace
}  // namespace leat::control
