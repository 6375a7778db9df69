// SPDX-License-Identifier: Apache-2.0
// Goal: what write_durable() reports written is in the file at its place; what cannot be written is
// reported as such; and nobody who went away is called, while the kernel still reads the bytes.
// Method: the real ring, files in the current folder that have no name, with and without O_DIRECT.
#include <fcntl.h>
#include <sys/resource.h>

#include <csignal>
#include <cstring>

#include "uring_fixture.h"

namespace leat::io {
namespace {

struct Written final : FileHandler {
  std::vector<int> errors;
  std::function<void()> then;
  void on_written(int error) override {
    errors.push_back(error);
    if (then) then();
  }
};

constexpr std::size_t kUnit = 4096;

// A block with an aligned place of `units` in it.
struct Place {
  explicit Place(std::size_t units) : block(Block::allocate((units + 1) * kUnit)) {
    offset = (kUnit - reinterpret_cast<std::uintptr_t>(block->data()) % kUnit) % kUnit;
  }
  char* data() { return block->data() + offset; }
  BlockRef block;
  std::size_t offset = 0;
};

Fd nameless_file(int flags) {
  return Fd(::open(".", O_TMPFILE | O_RDWR | O_CLOEXEC | flags, 0600));
}

class UringFiles : public UringTest {
 protected:
  std::string read_back(const Fd& file, std::size_t position, std::size_t size) {
    // Through a descriptor without O_DIRECT, which asks nothing of the buffer.
    const Fd plain(::open(("/proc/self/fd/" + std::to_string(file.get())).c_str(), O_RDONLY));
    std::string bytes(size, '\0');
    const ssize_t count = ::pread(plain.get(), bytes.data(), size, static_cast<off_t>(position));
    bytes.resize(static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    return bytes;
  }
};

INSTANTIATE_TEST_SUITE_P(Shapes, UringFiles, testing::ValuesIn(kShapes), shape_name);

TEST_P(UringFiles, WhatIsReportedIsThereAtItsPlace) {
  for (const int flags : {0, O_DIRECT}) {
    const Fd file = nameless_file(flags);
    if (file.get() < 0) continue;  // this file system does not do that
    Place place(3);
    const std::string bytes = pattern(3 * kUnit);
    std::memcpy(place.data(), bytes.data(), bytes.size());
    Written first;
    Written second;
    io->write_durable(file.get(), place.block, place.offset, kUnit, 0, first);
    io->write_durable(file.get(), place.block, place.offset + kUnit, 2 * kUnit, 5 * kUnit, second);
    ASSERT_TRUE(run_until([&] { return !first.errors.empty() && !second.errors.empty(); }));
    EXPECT_EQ(first.errors, std::vector<int>{0});
    EXPECT_EQ(second.errors, std::vector<int>{0});
    EXPECT_EQ(read_back(file, 0, kUnit), bytes.substr(0, kUnit));
    EXPECT_EQ(read_back(file, 5 * kUnit, 9 * kUnit), bytes.substr(kUnit));
    EXPECT_TRUE(place.block.is_sole()) << "the block is its owner's again";
  }
}

TEST_P(UringFiles, AWriteMayFollowFromTheReportOfAnother) {
  const Fd file = nameless_file(0);
  ASSERT_GE(file.get(), 0);
  Place place(1);
  std::memset(place.data(), 'x', kUnit);
  Written written;
  std::uint64_t position = 0;
  const auto write = [&] {
    if (position < 20 * kUnit) {
      io->write_durable(file.get(), place.block, place.offset, kUnit, position, written);
    }
    position += kUnit;
  };
  written.then = write;
  write();
  ASSERT_TRUE(run_until([&] { return written.errors.size() == 20; }));
  EXPECT_EQ(read_back(file, 0, 99 * kUnit), std::string(20 * kUnit, 'x'));
}

TEST_P(UringFiles, AnErrorIsReported) {
  const Fd read_only(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  Place place(1);
  Written written;
  io->write_durable(read_only.get(), place.block, place.offset, kUnit, 0, written);
  ASSERT_TRUE(run_until([&] { return !written.errors.empty(); }));
  EXPECT_EQ(written.errors, std::vector<int>{EBADF});
}

// A file may not grow beyond a limit: the kernel takes half a write, and says so.
TEST_P(UringFiles, HalfAWriteIsAFailure) {
  const Fd file = nameless_file(0);
  ASSERT_GE(file.get(), 0);
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const auto old = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit tight{.rlim_cur = kUnit, .rlim_max = before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &tight);
  // The limit of a ring's worker is that of the thread when the ring was made.
  UringTest::open(GetParam().options);
  Place place(2);
  Written written;
  io->write_durable(file.get(), place.block, place.offset, 2 * kUnit, 0, written);
  const bool ended = run_until([&] { return !written.errors.empty(); });
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, old);
  ASSERT_TRUE(ended);
  EXPECT_NE(written.errors.front(), 0);
}

TEST_P(UringFiles, WhoForgetsHearsNothing) {
  const Fd file = nameless_file(0);
  ASSERT_GE(file.get(), 0);
  Place place(1);
  std::memset(place.data(), 'f', kUnit);
  Written kept;
  {
    Written gone;
    io->write_durable(file.get(), place.block, place.offset, kUnit, 0, gone);
    io->write_durable(file.get(), place.block, place.offset, kUnit, kUnit, kept);
    io->forget(gone);
    ASSERT_TRUE(run_until([&] { return !kept.errors.empty() && place.block.is_sole(); }));
    EXPECT_TRUE(gone.errors.empty());
  }
  EXPECT_EQ(read_back(file, 0, 2 * kUnit), std::string(2 * kUnit, 'f')) << "written all the same";
}

TEST_P(UringFiles, AnIoThatEndsLeavesNoWriteBehind) {
  const Fd file = nameless_file(0);
  ASSERT_GE(file.get(), 0);
  Place place(1);
  std::memset(place.data(), 'e', kUnit);
  Written written;
  io->write_durable(file.get(), place.block, place.offset, kUnit, 0, written);
  io.reset();
  EXPECT_TRUE(place.block.is_sole());
  EXPECT_TRUE(written.errors.empty());
  EXPECT_EQ(read_back(file, 0, kUnit), std::string(kUnit, 'e'));
}

}  // namespace
}  // namespace leat::io
