// SPDX-License-Identifier: Apache-2.0
// Goal: a start has the conversations of the stop before, whatever befell the file, and what is
// wrong with it costs one line. Method: real files in a folder of the test's own.
#include "control/conversation_file.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "control/conversation_state.h"

namespace leat::control {
namespace {

namespace fs = std::filesystem;
using policy::HeldConversation;

constexpr Instant kBegin{7'200'000'000'000};
constexpr WallTime kWall{1'700'000'000'000'000'000};
const std::vector<HeldConversation> kTwo{{{1, 2}, 3, kBegin}, {{4, 5}, 6, kBegin - seconds(10)}};

class ConversationFileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "leat-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    path_ = (folder_ / "kept").string();
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string load(std::vector<HeldConversation>& held) {
    return ConversationFile(path_).load(SystemSurroundings(), kBegin, kWall, held);
  }
  // One line, and nothing comes of it.
  void expect_refused() {
    std::vector<HeldConversation> held;
    const std::string line = load(held);
    EXPECT_NE(line.find(path_), std::string::npos) << line;
    EXPECT_EQ(line.find('\n'), std::string::npos) << line;
    EXPECT_TRUE(held.empty());
  }

  fs::path folder_;
  std::string path_;
};

TEST_F(ConversationFileTest, WhatIsSavedIsLoaded) {
  EXPECT_EQ(ConversationFile(path_).save(kTwo, kBegin, kWall), "");
  std::vector<HeldConversation> held;
  EXPECT_EQ(load(held), "");
  ASSERT_EQ(held.size(), 2u);
  EXPECT_EQ(held[1].key, kTwo[1].key);
  EXPECT_EQ(held[1].used, kTwo[1].used);
  // Nobody else's business, and nothing is left beside it.
  EXPECT_EQ(fs::status(path_).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 1);
}

TEST_F(ConversationFileTest, TheFirstStartHasNothingToSay) {
  std::vector<HeldConversation> held;
  EXPECT_EQ(load(held), "");
  EXPECT_TRUE(held.empty());
}

TEST_F(ConversationFileTest, WhatIsOfNoUseIsToldAndNotUsed) {
  for (const std::string_view text : {"", "leat-cnv", "another's file, of more than a few bytes"}) {
    std::ofstream(path_, std::ios::trunc) << text;
    expect_refused();
  }
  ASSERT_EQ(ConversationFile(path_).save(kTwo, kBegin, kWall), "");
  fs::resize_file(path_, fs::file_size(path_) - 1);
  expect_refused();
  fs::resize_file(path_, kConversationStateBytesMax + 1);
  expect_refused();
  fs::remove(path_);
  fs::create_directory(path_);
  expect_refused();
}

TEST_F(ConversationFileTest, AWriteThatFailsLeavesTheLastAndIsToldOnce) {
  ConversationFile file(path_);
  ASSERT_EQ(file.save(kTwo, kBegin, kWall), "");
  fs::create_directory(path_ + ".new");
  EXPECT_NE(file.save({}, kBegin, kWall).find(path_), std::string::npos);
  EXPECT_EQ(file.save({}, kBegin, kWall), "");
  std::vector<HeldConversation> held;
  EXPECT_EQ(load(held), "");
  EXPECT_EQ(held.size(), 2u);
}

TEST_F(ConversationFileTest, ItIsBesideWhatElseIsKept) {
  Options options;
  EXPECT_EQ(conversation_path(options), "");
  EXPECT_FALSE(ConversationFile(conversation_path(options)).is_kept());
  options.ledger.folder = "/state/ledger";
  EXPECT_EQ(conversation_path(options), "/state/ledger/conversations");
  options.accounts.store_file = "/state/accounts.db";
  EXPECT_EQ(conversation_path(options), "/state/accounts.db.conversations");
  options.routing.health_file = "/state/health";
  EXPECT_EQ(conversation_path(options), "/state/health.conversations");
  options.routing.sticky_conversations_max = 0;
  EXPECT_EQ(conversation_path(options), "");
}

}  // namespace
}  // namespace leat::control
