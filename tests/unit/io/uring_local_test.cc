// SPDX-License-Identifier: Apache-2.0
// Goal: only its owner opens a Unix socket that we listen on; what a dead process left is replaced,
// and nothing else ever is; the file goes with the listener.
// Method: the real ring and sockets in a folder of the test's own; the other side is the blocking
// exchange of command lines, on a thread.
#include <sys/stat.h>
#include <sys/un.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "io/local_exchange.h"
#include "uring_fixture.h"

namespace leat::io {
namespace {

class UringLocal : public UringTest {
 protected:
  void SetUp() override {
    UringTest::SetUp();
    folder_ = testing::TempDir() + "uring_local_XXXXXX";
    ASSERT_NE(mkdtemp(folder_.data()), nullptr);
    path_ = folder_ + "/socket";
  }
  void TearDown() override {
    UringTest::TearDown();
    std::filesystem::remove_all(folder_);
  }

  // As a process leaves one behind that was killed.
  void leave_stale() {
    const Fd fd(::socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof address.sun_path - 1);
    ASSERT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(::listen(fd.get(), 1), 0);
  }

  std::string folder_;
  std::string path_;
};

INSTANTIATE_TEST_SUITE_P(Shapes, UringLocal, testing::ValuesIn(kShapes), shape_name);

TEST_P(UringLocal, CarriesBytesBothWaysAndItsFileIsItsOwnersAlone) {
  const mode_t mask = umask(0);
  const auto made = io->listen_local(path_);
  umask(mask);
  ASSERT_TRUE(made) << made.error().what;
  struct stat file;
  ASSERT_EQ(lstat(path_.c_str(), &file), 0);
  EXPECT_TRUE(S_ISSOCK(file.st_mode));
  EXPECT_EQ(file.st_mode & 0777, 0600u);
  io->accept_start(*made, acceptor);
  std::string got;
  std::thread client([&] { got = exchange_locally(path_, "ping", 100, seconds(5)).value_or(""); });
  EXPECT_TRUE(run_until([&] { return !acceptor.sockets.empty(); }));
  EXPECT_EQ(acceptor.peers.at(0), Address{});
  Recorder handler;
  io->set_handler(acceptor.sockets.at(0), handler);
  io->receive_start(acceptor.sockets.at(0));
  EXPECT_TRUE(run_until([&] { return handler.received == "ping"; }));
  const iovec answer{const_cast<char*>("pong"), 4};
  io->send(acceptor.sockets.at(0), {&answer, 1});
  turn();
  io->close(acceptor.sockets.at(0));
  turn();
  client.join();
  EXPECT_EQ(got, "pong");
}

TEST_P(UringLocal, TheFileGoesWithTheListenerUnlessItIsAnothersByThen) {
  const auto first = io->listen_local(path_);
  ASSERT_TRUE(first);
  io->listener_close(*first);
  EXPECT_FALSE(std::filesystem::exists(path_));
  const auto second = io->listen_local(path_);
  ASSERT_TRUE(second);
  std::filesystem::remove(path_);
  std::ofstream(path_) << "kept";
  io->listener_close(*second);
  EXPECT_TRUE(std::filesystem::exists(path_));
}

TEST_P(UringLocal, WhatADeadProcessLeftIsReplacedAndNothingElse) {
  leave_stale();
  const auto made = io->listen_local(path_);
  ASSERT_TRUE(made) << made.error().what;
  const auto again = io->listen_local(path_);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().os_errno, EADDRINUSE);
  EXPECT_TRUE(std::filesystem::is_socket(path_));
  const std::string other = folder_ + "/notes";
  std::ofstream(other) << "kept";
  const auto refused = io->listen_local(other);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().os_errno, EEXIST);
  EXPECT_EQ(std::filesystem::file_size(other), 4u);
  // A link is not what it points to.
  const std::string link = folder_ + "/link";
  std::filesystem::create_symlink(path_, link);
  EXPECT_FALSE(io->listen_local(link));
  EXPECT_TRUE(std::filesystem::is_symlink(link));
  EXPECT_FALSE(io->listen_local(folder_ + "/none/socket"));
  EXPECT_FALSE(io->listen_local(folder_ + "/" + std::string(108, 's')));
}

TEST_P(UringLocal, WhoAsksIsToldThatNobodyListens) {
  for (const char* what : {"nothing there", "stale"}) {
    const auto got = exchange_locally(path_, "x", 100, seconds(5));
    ASSERT_FALSE(got) << what;
    EXPECT_EQ(got.error().code, Code::kRefused) << what;
    if (std::string_view(what) == "nothing there") leave_stale();
  }
  const auto made = io->listen_local(folder_ + "/silent");
  ASSERT_TRUE(made);
  const auto late = exchange_locally(folder_ + "/silent", "x", 100, milliseconds(20));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Code::kTimedOut);
}

}  // namespace
}  // namespace leat::io
