// SPDX-License-Identifier: Apache-2.0
// Goal: lines reach their file whole and in order; a file that takes nothing holds nobody up, what
// is dropped is counted, and told as soon as it goes on; a file that was moved away is left.
// Method: files, and a pipe that nobody reads for a while.
#include "control/line_sink.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

namespace leat::control {
namespace {

class Sink : public testing::Test {
 protected:
  Sink() {
    std::signal(SIGPIPE, SIG_IGN);  // as the service does: a reader may leave first
    char name[] = "/tmp/leat-sink-XXXXXX";
    folder_ = mkdtemp(name);
  }
  ~Sink() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name) const { return folder_ + "/" + name; }
  static std::string text_of(const std::string& path) {
    std::ostringstream out;
    out << std::ifstream(path).rdbuf();
    return out.str();
  }
  static std::unique_ptr<LineSink> opened(const std::string& path, std::size_t bytes) {
    std::string fault;
    auto sink = LineSink::open(
        {.path = path,
         .gap = [](std::uint64_t lines) { return "gap " + std::to_string(lines) + "\n"; },
         .waiting_bytes_max = bytes},
        fault);
    EXPECT_EQ(fault, "");
    return sink;
  }
  // What the gaps add up to.
  static std::uint64_t missing_in(const std::string& text) {
    std::istringstream lines(text);
    std::uint64_t sum = 0;
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with("gap ")) sum += std::stoull(line.substr(4));
    }
    return sum;
  }
  template <class Condition>
  static bool until(Condition condition) {
    const auto latest = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!condition() && std::chrono::steady_clock::now() < latest) std::this_thread::yield();
    return condition();
  }

  std::string folder_;
};

TEST_F(Sink, LinesReachTheFileInOrderBehindWhatItHad) {
  std::string expected = "of yesterday\n";
  std::ofstream(path("log")) << expected;
  std::filesystem::permissions(path("log"), std::filesystem::perms(0600));
  {
    const auto sink = opened(path("log"), 1 << 20);
    for (int i = 0; i < 1'000; ++i) {
      const std::string line = "line " + std::to_string(i) + "\n";
      sink->push(line);
      expected += line;
    }
  }
  EXPECT_EQ(text_of(path("log")), expected);
  EXPECT_EQ(std::filesystem::status(path("log")).permissions(), std::filesystem::perms(0600));
}

TEST_F(Sink, ANewFileIsNotForEverybody) {
  opened(path("log"), 1 << 20);
  const auto others = std::filesystem::perms::others_all | std::filesystem::perms::group_write;
  EXPECT_EQ(std::filesystem::status(path("log")).permissions() & others,
            std::filesystem::perms::none);
}

TEST_F(Sink, AFileThatWasMovedAwayIsLeft) {
  const auto sink = opened(path("log"), 1 << 20);
  sink->push("before\n");
  ASSERT_TRUE(until([&] { return sink->written() == 1; }));
  std::filesystem::rename(path("log"), path("log.1"));
  sink->reopen();
  ASSERT_TRUE(until([&] { return std::filesystem::exists(path("log")); }));
  sink->push("after\n");
  ASSERT_TRUE(until([&] { return sink->written() == 2; }));
  EXPECT_EQ(text_of(path("log.1")), "before\n");
  EXPECT_EQ(text_of(path("log")), "after\n");
}

TEST_F(Sink, AFolderThatIsNotThereIsAFault) {
  std::string fault;
  EXPECT_EQ(LineSink::open({.path = path("no/log"), .gap = {}}, fault), nullptr);
  EXPECT_NE(fault.find("cannot open"), std::string::npos);
}

TEST_F(Sink, APipeThatNobodyReadsHoldsNobodyUp) {
  ASSERT_EQ(mkfifo(path("pipe").c_str(), 0600), 0);
  const int reader = open(path("pipe").c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
  ASSERT_GE(reader, 0);
  constexpr int kLines = 20'000;
  std::string read;
  char buffer[4'096];
  const auto read_some = [&] {
    const ssize_t size = ::read(reader, buffer, sizeof buffer);
    if (size > 0) read.append(buffer, static_cast<std::size_t>(size));
    return size > 0;
  };
  {
    const auto sink = opened(path("pipe"), 64 * 1024);
    const std::string line(99, 'x');
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < kLines; ++i) sink->push(line + "\n");
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
    const std::uint64_t dropped = sink->dropped();
    EXPECT_GT(dropped, kLines / 2u);
    EXPECT_LT(dropped, static_cast<std::uint64_t>(kLines));
    ASSERT_TRUE(until([&] {
      read_some();
      return missing_in(read) == dropped;
    })) << missing_in(read);
    EXPECT_EQ(sink->written() + sink->dropped(), static_cast<std::uint64_t>(kLines));
    sink->push("goes on\n");
    ASSERT_TRUE(until([&] {
      read_some();
      return read.ends_with("\ngoes on\n");
    }));
  }
  std::istringstream lines(read);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_TRUE(line == std::string(99, 'x') || line.starts_with("gap ") || line == "goes on");
  }
  close(reader);
}

TEST_F(Sink, ItsEndWaitsForNobody) {
  ASSERT_EQ(mkfifo(path("pipe").c_str(), 0600), 0);
  const int reader = open(path("pipe").c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
  const auto begin = std::chrono::steady_clock::now();
  {
    const auto sink = opened(path("pipe"), 1 << 20);
    for (int i = 0; i < 2'000; ++i) sink->push(std::string(199, 'x') + "\n");
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
  close(reader);
}

}  // namespace
}  // namespace leat::control
