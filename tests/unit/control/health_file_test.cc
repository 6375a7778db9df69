// SPDX-License-Identifier: Apache-2.0
// Goal: a restart knows what was known, whatever befell the file, and a disk that refuses costs one
// line. Method: real files in a folder of the test's own.
#include "control/health_file.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <vector>

namespace leat::control {
namespace {

namespace fs = std::filesystem;

constexpr Instant kBegin{7'200'000'000'000};
constexpr WallTime kWall{1'700'000'000'000'000'000};

class HealthFileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "leat-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    Options options;
    options.providers.push_back({.name = "p", .display_name = "p"});
    Model model;
    model.id = "acme/one";
    model.endpoints.push_back({.provider = 0, .model = "m"});
    options.models.push_back(model);
    const std::vector<std::vector<std::string_view>> bearers(1, {""});
    snapshot_ = std::make_unique<gateway::Snapshot>(
        options,
        std::make_shared<const gateway::RoutedCatalogue>(gateway::plain_catalogue(options)),
        bearers);
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string path() const { return (folder_ / "health").string(); }
  gateway::HealthDesk new_desk() {
    return gateway::HealthDesk(*snapshot_, 1, [](std::uint32_t, auto&) { return true; });
  }
  gateway::HealthDesk desk_with_an_outage() {
    gateway::HealthNews news;
    news.summaries.push_back({.endpoint = 0, .summary = {.failures = 200}});
    gateway::HealthDesk desk = new_desk();
    desk.take(news, kBegin);
    return desk;
  }
  static std::int16_t uptime(const gateway::HealthDesk& desk) {
    return desk.board().report(0, kBegin).uptime_permille_5m;
  }
  std::string load(gateway::HealthDesk& desk) {
    return HealthFile(path()).load(SystemSurroundings(), desk, kBegin, kWall);
  }

  fs::path folder_;
  std::unique_ptr<gateway::Snapshot> snapshot_;
};

TEST_F(HealthFileTest, WhatIsSavedIsLoaded) {
  EXPECT_EQ(HealthFile(path()).save(desk_with_an_outage(), kBegin, kWall), "");
  gateway::HealthDesk desk = new_desk();
  EXPECT_EQ(load(desk), "");
  EXPECT_EQ(uptime(desk), 0);
  // Nobody else's business, and nothing is left beside it.
  EXPECT_EQ(fs::status(path()).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 1);
}

TEST_F(HealthFileTest, TheFirstStartHasNothingToSay) {
  gateway::HealthDesk desk = new_desk();
  EXPECT_EQ(load(desk), "");
  EXPECT_EQ(uptime(desk), policy::EndpointHealth::kUptimeUnknown);
}

TEST_F(HealthFileTest, WhatIsNoStateIsToldAndNotUsed) {
  for (const std::string_view text : {"", "leat", "not a state, but of some length"}) {
    std::ofstream(path(), std::ios::trunc) << text;
    gateway::HealthDesk desk = new_desk();
    const std::string line = load(desk);
    EXPECT_NE(line.find(path()), std::string::npos) << line;
    EXPECT_EQ(line.find('\n'), std::string::npos) << line;
    EXPECT_TRUE(desk.board().known().empty());
  }
}

TEST_F(HealthFileTest, AStateCutShortIsToldAndNotUsed) {
  HealthFile(path()).save(desk_with_an_outage(), kBegin, kWall);
  fs::resize_file(path(), fs::file_size(path()) - 1);
  gateway::HealthDesk desk = new_desk();
  EXPECT_NE(load(desk), "");
  EXPECT_EQ(uptime(desk), policy::EndpointHealth::kUptimeUnknown);
}

TEST_F(HealthFileTest, AWriteThatFailsLeavesTheLastStateAndIsToldOnce) {
  HealthFile file(path());
  ASSERT_EQ(file.save(desk_with_an_outage(), kBegin, kWall), "");
  // Nothing can be written aside. (Permissions would not stop root.)
  fs::create_directory(path() + ".new");
  const std::string line = file.save(new_desk(), kBegin, kWall);
  EXPECT_NE(line.find(path()), std::string::npos) << line;
  EXPECT_EQ(file.save(new_desk(), kBegin, kWall), "");
  gateway::HealthDesk desk = new_desk();
  EXPECT_EQ(load(desk), "");
  EXPECT_EQ(uptime(desk), 0);
  fs::remove(path() + ".new");
  EXPECT_EQ(file.save(new_desk(), kBegin, kWall), "");
  fs::create_directory(path() + ".new");
  EXPECT_NE(file.save(new_desk(), kBegin, kWall), "");
}

TEST_F(HealthFileTest, WhatCannotTakeItsPlaceIsTakenAway) {
  fs::create_directories(fs::path(path()) / "x");
  EXPECT_NE(HealthFile(path()).save(new_desk(), kBegin, kWall), "");
  EXPECT_FALSE(fs::exists(path() + ".new"));
}

TEST_F(HealthFileTest, AFullDiskIsAFault) {
  // What is written to this device is refused as a full disk refuses it.
  fs::create_symlink("/dev/full", path() + ".new");
  EXPECT_NE(HealthFile(path()).save(desk_with_an_outage(), kBegin, kWall), "");
  EXPECT_FALSE(fs::exists(path()));
}

TEST_F(HealthFileTest, WithoutAPathNothingIsKept) {
  HealthFile file("");
  gateway::HealthDesk desk = desk_with_an_outage();
  EXPECT_EQ(file.save(desk, kBegin, kWall), "");
  EXPECT_EQ(file.load(SystemSurroundings(), desk, kBegin, kWall), "");
  EXPECT_TRUE(fs::is_empty(folder_));
}

}  // namespace
}  // namespace leat::control
