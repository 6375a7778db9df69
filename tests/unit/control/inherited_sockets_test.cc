// SPDX-License-Identifier: Apache-2.0
// Goal: sockets that a service manager opened come to the listeners that they are for, and one that
// is for none keeps Leat from starting rather than its clients waiting.
// Method: sockets on loopback, put at descriptors of the test's choice.
#include "control/inherited_sockets.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fake_surroundings.h"

namespace leat::control {
namespace {

constexpr int kPid = 4711;
constexpr int kFirst = 200;

class InheritedSocketsTest : public testing::Test {
 protected:
  void SetUp() override {
    surroundings_.variables["LISTEN_PID"] = "4711";
    options_.admin.enabled = false;
  }
  void TearDown() override {
    for (int i = 0; i < count_; ++i) close(kFirst + i);
  }
  // At the next descriptor: on loopback at `port` (0: any). The port.
  std::uint16_t pass(const char* name, std::uint16_t port = 0, bool listens = true) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    const int yes = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    if (listens) {
      EXPECT_EQ(listen(fd, 8), 0);
    }
    socklen_t length = sizeof address;
    getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length);
    EXPECT_EQ(dup2(fd, kFirst + count_), kFirst + count_);
    close(fd);
    std::string& names = surroundings_.variables["LISTEN_FDNAMES"];
    names += count_++ == 0 ? name : std::string(":") + name;
    surroundings_.variables["LISTEN_FDS"] = std::to_string(count_);
    return ntohs(address.sin_port);
  }
  InheritedSockets found() { return inherited_sockets(surroundings_, kPid, options_, kFirst); }

  FakeSurroundings surroundings_;
  Options options_;
  int count_ = 0;
};

TEST_F(InheritedSocketsTest, ComeToTheirListeners) {
  options_.server.listen = {{.host = "127.0.0.1", .port = pass("listen")},
                            {.host = "127.0.0.1", .port = pass("listen")},
                            {.host = "127.0.0.1", .port = 1}};
  options_.admin = {.enabled = true, .listen = {.host = "127.0.0.1", .port = pass("admin")}};
  const InheritedSockets sockets = found();
  EXPECT_EQ(sockets.fault, "");
  ASSERT_EQ(sockets.listen.size(), 2u);
  EXPECT_EQ(sockets.listen[1].fd, kFirst + 1);
  EXPECT_EQ(sockets.listen[1].address.port, options_.server.listen[1].port);
  ASSERT_EQ(sockets.admin.size(), 1u);
  EXPECT_EQ(sockets.admin[0].fd, kFirst + 2);
  for (int i = 0; i < count_; ++i) EXPECT_EQ(fcntl(kFirst + i, F_GETFD), FD_CLOEXEC);
}

TEST_F(InheritedSocketsTest, OfOneAddressGoRoundTheShards) {
  const std::uint16_t port = pass("listen");
  pass("listen", port);
  const std::uint16_t other = pass("listen");
  options_.server.listen = {{.host = "127.0.0.1", .port = port},
                            {.host = "127.0.0.1", .port = other}};
  const InheritedSockets sockets = found();
  EXPECT_EQ(sockets.fault, "");
  const auto descriptors = [&](std::uint32_t shard) {
    std::vector<int> fds;
    for (const auto& each : sockets.of_shard(shard)) fds.push_back(each.fd);
    return fds;
  };
  EXPECT_EQ(descriptors(0), (std::vector<int>{kFirst, kFirst + 2}));
  EXPECT_EQ(descriptors(1), (std::vector<int>{kFirst + 1, kFirst + 2}));
  EXPECT_EQ(descriptors(2), descriptors(0));
}

TEST_F(InheritedSocketsTest, WithoutAPlaceAreAFault) {
  const std::uint16_t port = pass("listen");
  EXPECT_NE(found().fault.find("no server.listen there"), std::string::npos);
  options_.server.listen = {{.host = "127.0.0.1", .port = port}};
  EXPECT_EQ(found().fault, "");
  surroundings_.variables["LISTEN_FDNAMES"] = "admin";
  EXPECT_NE(found().fault.find("no admin.listen there"), std::string::npos);
  options_.admin.listen = {.host = "127.0.0.1", .port = port};  // and switched off
  EXPECT_NE(found().fault.find("no admin.listen there"), std::string::npos);
  surroundings_.variables["LISTEN_FDNAMES"] = "";
  EXPECT_NE(found().fault.find("no place for that name"), std::string::npos);
  surroundings_.variables["LISTEN_FDNAMES"] = "listen";
  pass("listen", 0, false);
  EXPECT_NE(found().fault.find("no listening TCP socket"), std::string::npos);
}

TEST_F(InheritedSocketsTest, OfAnotherProcessAreNotOurs) {
  pass("listen");
  surroundings_.variables["LISTEN_PID"] = "4712";
  EXPECT_EQ(found().fault, "");
  EXPECT_TRUE(found().listen.empty());
  surroundings_.variables.erase("LISTEN_PID");
  EXPECT_TRUE(found().listen.empty());
}

}  // namespace
}  // namespace leat::control
