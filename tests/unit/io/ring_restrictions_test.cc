// SPDX-License-Identifier: Apache-2.0
// Goal: whoever takes over the process gets nothing out of its rings that they are not for: no file
// opened, nothing written where nothing is to be. Method: real rings; operations that are allowed
// and others.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <optional>

#include "io/ring.h"
#include "io/uring_io.h"

namespace leat::io {
namespace {

// What a staged operation comes to.
int result_of(Ring& ring) {
  EXPECT_EQ(ring.submit(), 0);
  EXPECT_GE(ring.wait({.count = 1, .deadline = read_monotonic_clock() + seconds(5)}), 0);
  io_uring_cqe* queued = nullptr;
  if (io_uring_peek_cqe(&ring.raw(), &queued) != 0) return -ETIME;
  const int result = queued->res;
  io_uring_cqe_seen(&ring.raw(), queued);
  return result;
}

class RingRestrictions : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(ring_.open({.sq_entries = 4, .cq_entries = 16, .is_held = true}));
    const std::array<std::uint8_t, 1> allowed{IORING_OP_NOP};
    const auto held = ring_.allow_only(allowed);
    ASSERT_TRUE(held);
    ASSERT_TRUE(*held) << "this kernel has no restrictions for rings";
  }
  Ring ring_;
};

TEST_F(RingRestrictions, DoWhatIsAllowed) {
  io_uring_prep_nop(ring_.stage());
  EXPECT_EQ(result_of(ring_), 0);
}

TEST_F(RingRestrictions, RefuseWhatIsNot) {
  io_uring_prep_openat(ring_.stage(), AT_FDCWD, "/", O_PATH | O_CLOEXEC, 0);
  EXPECT_EQ(result_of(ring_), -EACCES);
}

TEST_F(RingRestrictions, CannotBeChanged) {
  const int descriptor = 0;
  EXPECT_EQ(io_uring_register_files(&ring_.raw(), &descriptor, 1), -EACCES);
}

class Written final : public FileHandler {
 public:
  std::optional<int> error;

 private:
  void on_written(int value) override { error = value; }
};

// What a durable write of a ring with these options comes to.
int write_with(const UringOptions& options) {
  auto io = UringIo::create(options);
  EXPECT_TRUE(io);
  EXPECT_TRUE((*io)->is_restricted());
  char name[] = "/tmp/leat-ring-XXXXXX";
  const int fd = mkstemp(name);
  unlink(name);
  BlockRef block = Block::allocate(16);
  block->size = 16;
  Written handler;
  (*io)->write_durable(fd, block, 0, 16, 0, handler);
  for (int i = 0; i < 10 && !handler.error; ++i) {
    (*io)->turn({.deadline = (*io)->now() + seconds(1)});
  }
  close(fd);
  return handler.error.value_or(ETIME);
}

TEST(UringIoRestrictions, FilesAreWrittenOnlyWhereThatIsTheRingsWork) {
  EXPECT_EQ(write_with({}), 0);
  EXPECT_EQ(write_with({.writes_files = false}), EACCES);
}

}  // namespace
}  // namespace leat::io
