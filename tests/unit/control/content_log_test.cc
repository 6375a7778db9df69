// SPDX-License-Identifier: Apache-2.0
// Goal: what is pushed into a ring comes to a file, whichever shard it is of, and what the folder
// does not take is dropped, counted and told of; a log that was not begun does nothing. Method: the
// real thread in a folder of the test's own.
#include "control/content_log.h"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>

#include "control/content_files.h"

namespace leat::control {
namespace {

namespace fs = std::filesystem;

template <class Condition>
bool until(Condition condition) {
  const auto latest = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition() && std::chrono::steady_clock::now() < latest) std::this_thread::yield();
  return condition();
}

class ContentLogTest : public testing::Test {
 protected:
  void SetUp() override {
    const char* const base = std::getenv("TMPDIR");
    std::string form = std::string(base != nullptr ? base : "/tmp") + "/leat-content-XXXXXX";
    ASSERT_NE(mkdtemp(form.data()), nullptr);
    top_ = form;
    settings_.folder = top_ + "/content";
    ASSERT_EQ(prepare_content_folder(settings_.folder), "");
  }
  void TearDown() override { fs::remove_all(top_); }

  std::string text() const {
    std::ostringstream all;
    for (const auto& each : fs::directory_iterator(settings_.folder)) {
      all << std::ifstream(each.path()).rdbuf();
    }
    return all.str();
  }
  static void push(ContentLog& log, std::uint32_t shard, std::string_view key) {
    gateway::ContentRecord record;
    record.key = key;
    record.request.json = R"({"a":"bob@example.com"})";
    log.ring(shard)->push(record);
  }

  std::string top_;
  ContentLogSettings settings_;
};

TEST_F(ContentLogTest, WritesOfEveryShard) {
  ContentLog log(settings_, 2);
  log.start();
  push(log, 0, "one");
  push(log, 1, "two");
  EXPECT_TRUE(until([&] { return log.written() == 2; }));
  EXPECT_NE(text().find(R"("key":"one")"), std::string::npos);
  EXPECT_NE(text().find(R"("key":"two")"), std::string::npos);
  EXPECT_EQ(text().find("bob@"), std::string::npos);
  EXPECT_EQ(log.dropped(), 0U);
  EXPECT_EQ(log.take_trouble(), "");
}

TEST_F(ContentLogTest, WritesWhatIsLeftAtItsEnd) {
  {
    ContentLog log(settings_, 1);
    log.start();
    push(log, 0, "last");
  }
  EXPECT_NE(text().find(R"("key":"last")"), std::string::npos);
}

TEST_F(ContentLogTest, IsChangedForWhatComesAfterwards) {
  ContentLog log(settings_, 1);
  log.start();
  push(log, 0, "one");
  EXPECT_TRUE(until([&] { return log.written() == 1; }));
  settings_.redact = 0;
  settings_.file_mib_max = 1;
  log.change({});
  log.change(settings_);  // one that was not taken is as if it had not been
  push(log, 0, "two");
  EXPECT_TRUE(until([&] { return log.written() == 2; }));
  const std::string all = text();
  EXPECT_EQ(all.find("bob@"), all.rfind("bob@"));
  EXPECT_GT(all.find("bob@"), all.find(R"("key":"two")"));
  EXPECT_NE(all.find("bob@"), std::string::npos);
}

TEST_F(ContentLogTest, CountsAndTellsWhatTheFolderDoesNotTake) {
  fs::remove(settings_.folder);
  ContentLog log(settings_, 1);
  log.start();
  push(log, 0, "lost");
  EXPECT_TRUE(until([&] { return log.dropped() == 1; }));
  EXPECT_NE(log.take_trouble().find("No such file"), std::string::npos);
  EXPECT_EQ(log.take_trouble(), "");
  ASSERT_EQ(prepare_content_folder(settings_.folder), "");
  push(log, 0, "kept");
  EXPECT_TRUE(until([&] { return log.written() == 1; }));
  EXPECT_EQ(log.dropped(), 1U);
}

TEST_F(ContentLogTest, DoesNothingBeforeItIsBegun) {
  ContentLog log(settings_, 1);
  push(log, 0, "early");
  EXPECT_EQ(log.written(), 0U);
}

}  // namespace
}  // namespace leat::control
