// SPDX-License-Identifier: Apache-2.0
// Goal: the files of a content log are the owner's alone, no larger than they may be, begun anew
// each day, and gone when they are too old or too many, and nothing else is ever removed; a folder
// that takes nothing costs lines, never more. Method: a folder of the test's own, times as told.
#include "control/content_files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cerrno>
#include <csignal>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

namespace leat::control {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kDay = 86'400;
constexpr std::int64_t kNow = 1'795'000'000;  // 2026-11-18 11:06:40

WallTime at(std::int64_t seconds) {
  return {seconds * 1'000'000'000};
}

class ContentFilesTest : public testing::Test {
 protected:
  void SetUp() override {
    const char* const base = std::getenv("TMPDIR");
    std::string form = std::string(base != nullptr ? base : "/tmp") + "/leat-content-XXXXXX";
    ASSERT_NE(mkdtemp(form.data()), nullptr);
    top_ = form;
    folder_ = top_ + "/content";
    ASSERT_EQ(prepare_content_folder(folder_), "");
  }
  void TearDown() override {
    fs::permissions(folder_, fs::perms::owner_all);
    fs::remove_all(top_);
  }

  ContentFiles::Setup setup(std::uint64_t file = 1'000, std::uint64_t total = 100'000) const {
    return {.folder = folder_,
            .file_bytes_max = file,
            .total_bytes_max = total,
            .retention_days = 30,
            .process = 4'711};
  }
  std::set<std::string> names() const {
    std::set<std::string> found;
    for (const auto& each : fs::directory_iterator(folder_)) found.insert(each.path().filename());
    return found;
  }
  std::string text_of(const std::string& name) const {
    std::ostringstream text;
    text << std::ifstream(folder_ + "/" + name).rdbuf();
    return text.str();
  }
  void make(const std::string& name, std::int64_t written, std::size_t bytes = 10) {
    std::ofstream(folder_ + "/" + name) << std::string(bytes, 'x');
    const timespec times[2] = {{written, 0}, {written, 0}};
    ASSERT_EQ(utimensat(AT_FDCWD, (folder_ + "/" + name).c_str(), times, 0), 0);
  }

  std::string top_, folder_;
};

TEST_F(ContentFilesTest, AreTheOwnersAlone) {
  EXPECT_EQ(fs::status(folder_).permissions(), fs::perms::owner_all);
  const mode_t before = umask(0);
  ContentFiles files(setup());
  EXPECT_EQ(files.append("{}\n", at(kNow)), 0);
  umask(before);
  ASSERT_EQ(names(), std::set<std::string>{"content-20261118-110640-4711-1.jsonl"});
  EXPECT_EQ(fs::status(folder_ + "/" + *names().begin()).permissions(),
            fs::perms::owner_read | fs::perms::owner_write);
}

TEST_F(ContentFilesTest, RefusesAFolderThatIsNone) {
  EXPECT_EQ(prepare_content_folder(folder_), "");  // it is there
  fs::permissions(folder_, fs::perms::owner_all | fs::perms::group_read);
  EXPECT_NE(prepare_content_folder(folder_).find("chmod 700"), std::string::npos);
  EXPECT_NE(prepare_content_folder(top_ + "/a/b").find("cannot make"), std::string::npos);
  std::ofstream(top_ + "/file") << "x";
  EXPECT_NE(prepare_content_folder(top_ + "/file").find("is no folder"), std::string::npos);
}

TEST_F(ContentFilesTest, BeginsAnotherWhenOneIsFull) {
  ContentFiles files(setup(100));
  for (int i = 0; i < 6; ++i) EXPECT_EQ(files.append(std::string(39, 'a') + "\n", at(kNow)), 0);
  EXPECT_EQ(files.append(std::string(500, 'b') + "\n", at(kNow)), 0);  // larger than a file
  EXPECT_EQ(files.append("c\n", at(kNow)), 0);
  EXPECT_EQ(names().size(), 5U);
  for (const std::string& name : names()) {
    EXPECT_TRUE(text_of(name).size() <= 100 || text_of(name)[0] == 'b') << name;
  }
}

TEST_F(ContentFilesTest, BeginsAnotherEachDay) {
  ContentFiles files(setup());
  files.append("a\n", at(kNow));
  files.append("b\n", at(kNow + kDay / 2));  // still the 18th
  files.append("c\n", at(kNow + kDay));
  EXPECT_EQ(names(), (std::set<std::string>{"content-20261118-110640-4711-1.jsonl",
                                            "content-20261119-110640-4711-2.jsonl"}));
}

TEST_F(ContentFilesTest, RemovesWhatIsTooOldAndNothingElse) {
  make("content-20261001-000000-1-1.jsonl", kNow - 31 * kDay);
  make("content-20261101-000000-1-1.jsonl", kNow - 29 * kDay);
  make("notes.txt", kNow - 400 * kDay);
  make("content-of-mine.txt", kNow - 400 * kDay);
  fs::create_directory(folder_ + "/content-folder.jsonl");
  ContentFiles files(setup());
  files.tidy(at(kNow));
  EXPECT_EQ(names(), (std::set<std::string>{"content-20261101-000000-1-1.jsonl", "notes.txt",
                                            "content-of-mine.txt", "content-folder.jsonl"}));
  ContentFiles::Setup for_ever = setup();
  for_ever.retention_days = 0;
  ContentFiles(for_ever).tidy(at(kNow + 1'000 * kDay));
  EXPECT_EQ(names().size(), 4U);
}

TEST_F(ContentFilesTest, RemovesWhatNobodyHasWrittenToForSoLongThoughItIsOpen) {
  ContentFiles files(setup());
  files.append("a\n", at(kNow));
  const std::int64_t written = std::time(nullptr);  // as the kernel saw it
  files.tidy(at(written + 29 * kDay));
  EXPECT_EQ(names().size(), 1U);
  files.tidy(at(written + 31 * kDay));
  EXPECT_TRUE(names().empty());
}

TEST_F(ContentFilesTest, RemovesTheOldestOfTooMany) {
  make("content-20261110-000000-1-1.jsonl", kNow, 400);
  make("content-20261111-000000-1-1.jsonl", kNow, 400);
  make("content-20261112-000000-1-1.jsonl", kNow, 400);
  ContentFiles files(setup(1'000, 1'000));
  files.tidy(at(kNow));
  EXPECT_FALSE(names().contains("content-20261110-000000-1-1.jsonl"));
  EXPECT_EQ(names().size(), 2U);
  // The one that is written stays, however large.
  files.append(std::string(2'000, 'x') + "\n", at(kNow));
  files.tidy(at(kNow));
  EXPECT_EQ(names(), std::set<std::string>{"content-20261118-110640-4711-1.jsonl"});
}

TEST_F(ContentFilesTest, GoesOnWhereSomebodyTookTheFileAway) {
  ContentFiles files(setup());
  files.append("a\n", at(kNow));
  fs::remove(folder_ + "/" + *names().begin());
  EXPECT_EQ(files.append("b\n", at(kNow)), 0);
  EXPECT_EQ(text_of(*names().begin()), "b\n");
}

TEST_F(ContentFilesTest, SaysWhenAFolderTakesNothingAndGoesOnWhenItDoes) {
  ContentFiles files(setup());
  fs::rename(folder_, top_ + "/away");
  EXPECT_EQ(files.append("a\n", at(kNow)), ENOENT);
  files.tidy(at(kNow));
  fs::rename(top_ + "/away", folder_);
  EXPECT_EQ(files.append("b\n", at(kNow)), 0);
  EXPECT_EQ(text_of(*names().begin()), "b\n");
}

// A file that may not grow is a full disk: a part of a line is taken back.
TEST_F(ContentFilesTest, TakesBackHalfALine) {
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  ContentFiles files(setup());
  ASSERT_EQ(files.append("a\n", at(kNow)), 0);
  rlimit small = before;
  small.rlim_cur = 50;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const int fault = files.append(std::string(80, 'x') + "\n", at(kNow));
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_EQ(fault, EFBIG);
  EXPECT_EQ(files.append("b\n", at(kNow)), 0);
  ASSERT_EQ(names().size(), 1U);
  EXPECT_EQ(text_of(*names().begin()), "a\nb\n");
}

}  // namespace
}  // namespace leat::control
