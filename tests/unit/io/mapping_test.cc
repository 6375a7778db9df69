// SPDX-License-Identifier: Apache-2.0
// Goal: memory with huge pages is where it was asked for, whatever the machine has of them, and all
// of it is given back. Method: this process's own account of its memory (smaps).
#include "io/mapping.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <memory>
#include <string>

#include "base/result.h"
#include "io/uring_io.h"

namespace leat::io {
namespace {

constexpr std::size_t kMiB = 1024 * 1024;

// Of /proc/self/smaps_rollup, in bytes.
std::uint64_t field_of(const std::string& key) {
  std::ifstream file("/proc/self/smaps_rollup");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(key)) return std::stoull(line.substr(key.size())) * 1024;
  }
  return 0;
}

std::uint64_t huge_bytes() {
  return field_of("AnonHugePages:") + field_of("Private_Hugetlb:");
}

std::string line_of(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// To whoever asks, or to all.
bool gives_transparent_pages(bool only_if_asked = false) {
  const std::string line = line_of("/sys/kernel/mm/transparent_hugepage/enabled");
  return line.find("[madvise]") != std::string::npos ||
         (!only_if_asked && line.find("[always]") != std::string::npos);
}

// Where there is no io_uring; any other fault is ours.
bool is_forbidden(const Result<std::unique_ptr<UringIo>>& io) {
  return !io && io.error().code == Code::kUnsupported;
}

class MappingOf : public testing::TestWithParam<HugePages> {};

INSTANTIATE_TEST_SUITE_P(Kinds, MappingOf,
                         testing::Values(HugePages::kUnasked, HugePages::kTransparent,
                                         HugePages::kReserved));

TEST_P(MappingOf, IsZeroedAndWritable) {
  for (const std::size_t size : {std::size_t{4096}, 2 * kMiB, 3 * kMiB, 5 * kMiB}) {
    const Mapping mapping = Mapping::take(size, GetParam());
    ASSERT_TRUE(mapping);
    char* bytes = static_cast<char*>(mapping.get());
    EXPECT_EQ(std::count(bytes, bytes + size, 0), static_cast<std::ptrdiff_t>(size));
    std::fill(bytes, bytes + size, 'x');
    EXPECT_EQ(bytes[size - 1], 'x');
    if (GetParam() != HugePages::kUnasked) {
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(bytes) % (2 * kMiB), 0u);
    }
  }
}

TEST_P(MappingOf, IsGivenBackWhole) {
  { const Mapping first = Mapping::take(8 * kMiB, GetParam()); }
  const std::uint64_t before = field_of("Rss:");
  for (int i = 0; i < 64; ++i) {
    const Mapping mapping = Mapping::take(8 * kMiB, GetParam());
    std::fill_n(static_cast<char*>(mapping.get()), 8 * kMiB, 'x');
  }
  EXPECT_LT(field_of("Rss:"), before + 16 * kMiB);
}

TEST(Mapping, TransparentPagesAreThere) {
  if (!gives_transparent_pages()) GTEST_SKIP() << "this kernel gives none";
  const std::uint64_t before = huge_bytes();
  const Mapping mapping = Mapping::take(4 * kMiB, HugePages::kTransparent);
  // A machine whose memory is in pieces may have fewer.
  EXPECT_GT(huge_bytes(), before);
}

TEST(Mapping, ARingReceivesIntoThem) {
  if (!gives_transparent_pages()) GTEST_SKIP() << "this kernel gives none";
  const std::uint64_t before = huge_bytes();
  const auto plain = UringIo::create(
      {.buffers = UringOptions::Buffers::kPlain, .huge_pages = HugePages::kTransparent});
  if (is_forbidden(plain)) GTEST_SKIP() << plain.error().what;
  ASSERT_TRUE(plain);
  if (gives_transparent_pages(true)) {
    EXPECT_EQ(huge_bytes(), before);  // seldom used all
  }
  const auto incremental = UringIo::create({.huge_pages = HugePages::kTransparent});
  ASSERT_TRUE(incremental);
  if ((*incremental)->buffer_mode() == BufferRing::Mode::kIncremental) {
    EXPECT_GT(huge_bytes(), before);
  }
}

TEST(Napi, IsInForceOrRefusedWithAReason) {
  const auto io = UringIo::create({.napi_busy_poll_us = 20});
  if (is_forbidden(io)) GTEST_SKIP() << io.error().what;
  ASSERT_TRUE(io);
  EXPECT_EQ((*io)->napi_error() == 0, (*io)->capabilities().uses(Feature::kNapi));
  // The ring works either way.
  const Instant begin = (*io)->now();
  (*io)->turn({.deadline = begin + milliseconds(1)});
  EXPECT_GE((*io)->now() - begin, milliseconds(1));
}

}  // namespace
}  // namespace leat::io
