// SPDX-License-Identifier: Apache-2.0
// Goal: a service manager hears what it must, where it wants to hear it, and never holds Leat up; a
// shard that is stuck keeps the watchdog silent.
// Method: a socket of the test's own as the manager, named by a path and by an abstract name;
// counts of turns as a test chooses them.
#include "control/service_manager.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "control/turn_watch.h"
#include "fake_surroundings.h"

namespace leat::control {
namespace {

constexpr int kPid = 4711;

class ServiceManagerTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "leat-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override {
    if (fd_ >= 0) close(fd_);
    std::filesystem::remove_all(folder_);
  }
  // The manager listens at `name`, as the kernel has it.
  void listen_at(const std::string& name) {
    fd_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::copy(name.begin(), name.end(), address.sun_path);
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    ASSERT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address), length), 0);
  }
  std::string heard() {
    std::array<char, 256> text{};
    const ssize_t size = recv(fd_, text.data(), text.size(), 0);
    return size < 0 ? "nothing" : std::string(text.data(), static_cast<std::size_t>(size));
  }

  std::filesystem::path folder_;
  FakeSurroundings surroundings_;
  int fd_ = -1;
};

TEST_F(ServiceManagerTest, HearsByPathAndByAbstractName) {
  const std::string path = (folder_ / "notify").string();
  listen_at(path);
  surroundings_.variables["NOTIFY_SOCKET"] = path;
  ServiceManager(surroundings_, kPid).tell("READY=1\nSTATUS=serving");
  EXPECT_EQ(heard(), "READY=1\nSTATUS=serving");
  close(fd_);
  listen_at(std::string("\0leat-test-", 11) + folder_.filename().string());
  surroundings_.variables["NOTIFY_SOCKET"] = "@leat-test-" + folder_.filename().string();
  ServiceManager(surroundings_, kPid).tell("STOPPING=1");
  EXPECT_EQ(heard(), "STOPPING=1");
}

TEST_F(ServiceManagerTest, IsNotThereWhenNobodyNamedIt) {
  for (const std::string& name : {std::string(), std::string("relative"), std::string("/"),
                                  "/" + std::string(sizeof sockaddr_un::sun_path, 'a')}) {
    surroundings_.variables["NOTIFY_SOCKET"] = name;
    const ServiceManager manager(surroundings_, kPid);
    EXPECT_FALSE(manager.is_there()) << name;
    manager.tell("READY=1");
  }
  surroundings_.variables.clear();
  EXPECT_FALSE(ServiceManager(surroundings_, kPid).is_there());
}

TEST_F(ServiceManagerTest, IsNotWaitedFor) {
  const std::string path = (folder_ / "notify").string();
  surroundings_.variables["NOTIFY_SOCKET"] = path;
  const ServiceManager manager(surroundings_, kPid);
  manager.tell("READY=1");  // nobody is there yet
  listen_at(path);
  for (int i = 0; i < 10'000; ++i) manager.tell("WATCHDOG=1");  // more than a socket holds
  EXPECT_EQ(heard(), "WATCHDOG=1");
}

TEST_F(ServiceManagerTest, WantsAWatchdogAtHalfOfWhatItWaits) {
  surroundings_.variables["NOTIFY_SOCKET"] = (folder_ / "notify").string();
  const auto interval = [&](const char* wait, const char* pid) {
    surroundings_.variables["WATCHDOG_USEC"] = wait;
    surroundings_.variables["WATCHDOG_PID"] = pid;
    return ServiceManager(surroundings_, kPid).watchdog_interval();
  };
  EXPECT_EQ(interval("10000000", "4711"), seconds(5));
  EXPECT_EQ(interval("10000000", ""), seconds(5));
  EXPECT_EQ(interval("10000000", "4712"), Duration{});  // another process is watched
  EXPECT_EQ(interval("10 s", "4711"), Duration{});
  EXPECT_EQ(interval("", "4711"), Duration{});
  EXPECT_EQ(interval("18446744073709551615", "4711"), seconds(1800));
}

TEST(TurnWatch, IsContentOnlyWhileEveryShardTurns) {
  TurnWatch watch;
  EXPECT_TRUE(watch.all_moved({5, 9}));
  EXPECT_TRUE(watch.all_moved({6, 10}));
  EXPECT_FALSE(watch.all_moved({7, 10}));
  EXPECT_FALSE(watch.all_moved({7, 11}));
  EXPECT_TRUE(watch.all_moved({8, 12}));
}

}  // namespace
}  // namespace leat::control
