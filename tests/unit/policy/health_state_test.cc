// SPDX-License-Identifier: Apache-2.0
// Goal: a restart keeps what is known of every endpoint, aged by the time that passed, and nothing
// of a damaged file. Method: boards of random history written and read; each bit flipped, each
// length cut; other catalogues; clocks that begin anew or go back.
#include "policy/health_state.h"

#include <gtest/gtest.h>

#include <array>

#include "base/rng.h"

namespace leat::policy {
namespace {

constexpr Instant kNow{100'000'000'000'000};
constexpr WallTime kWall{1'790'000'000'000'000'000};
constexpr std::array<std::uint64_t, 3> kIdentities = {11, 22, 33};

void fill(HealthBoard& board, std::uint64_t seed) {
  Rng rng(seed);
  Instant now = kNow - seconds(3'000);
  while (now < kNow) {
    HealthSummary s;
    s.successes = static_cast<std::uint32_t>(rng.below(50));
    s.failures = static_cast<std::uint32_t>(rng.below(9));
    s.first_tokens = s.successes;
    s.rate_limited = static_cast<std::uint32_t>(rng.below(3));
    s.first_token.counts[rng.below(kMeasureBuckets)] = 9;
    s.rate.counts[rng.below(kMeasureBuckets)] = 9;
    board.merge(static_cast<EndpointId>(rng.below(2)), s, now);  // never the third
    now = now + seconds(rng.between(1, 20));
  }
}

void expect_same(const HealthReport& a, const HealthReport& b) {
  EXPECT_EQ(a.latency_s_5m, b.latency_s_5m);
  EXPECT_EQ(a.latency_s_30m, b.latency_s_30m);
  EXPECT_EQ(a.throughput_5m, b.throughput_5m);
  EXPECT_EQ(a.throughput_30m, b.throughput_30m);
  EXPECT_EQ(a.uptime_permille_5m, b.uptime_permille_5m);
  EXPECT_EQ(a.uptime_permille_30m, b.uptime_permille_30m);
  EXPECT_EQ(a.uptime_permille_1d, b.uptime_permille_1d);
  EXPECT_EQ(a.rate_limited_30m, b.rate_limited_30m);
}

TEST(HealthState, WhatIsWrittenIsRead) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    HealthBoard board(3);
    fill(board, seed);
    const auto bytes = write_health(board, kIdentities, kNow, kWall);
    HealthBoard back(3);
    ASSERT_TRUE(read_health(bytes, kIdentities, kNow, kWall, back));
    for (EndpointId id = 0; id < 3; ++id) {
      expect_same(board.report(id, kNow), back.report(id, kNow));
    }
    EXPECT_GT(back.report(0, kNow).uptime_permille_1d, 0);
    EXPECT_EQ(write_health(back, kIdentities, kNow, kWall), bytes);
    board.refresh(kNow);
    back.refresh(kNow);
    EXPECT_EQ(board.first_token_limit(0), back.first_token_limit(0));
  }
}

TEST(HealthState, AnOutageOutlivesTheRestart) {
  HealthBoard board(3);
  HealthSummary s;
  s.failures = 9;
  board.merge(1, s, kNow);
  const auto bytes = write_health(board, kIdentities, kNow, kWall);
  HealthBoard back(3);
  ASSERT_TRUE(read_health(bytes, kIdentities, kNow, kWall, back));
  back.refresh(kNow);
  std::array<EndpointHealth, 3> views;
  back.fill_view(0, 1, views);
  EXPECT_TRUE(views[1].recent_outage);
  EXPECT_FALSE(views[0].recent_outage);
}

TEST(HealthState, AgesByTheTimeThatPassedOnAClockThatBeganAnew) {
  HealthBoard board(3);
  fill(board, 1);
  const auto bytes = write_health(board, kIdentities, kNow, kWall);
  const Instant rebooted{5'000'000'000};
  HealthBoard soon(3);
  ASSERT_TRUE(read_health(bytes, kIdentities, rebooted, kWall, soon));
  EXPECT_NEAR(soon.report(0, rebooted).uptime_permille_30m,
              board.report(0, kNow).uptime_permille_30m, 30);
  HealthBoard later(3);
  const WallTime hour{kWall.unix_ns + seconds(3'600).ns};
  ASSERT_TRUE(read_health(bytes, kIdentities, rebooted, hour, later));
  EXPECT_EQ(later.report(0, rebooted).uptime_permille_30m, EndpointHealth::kUptimeUnknown);
  EXPECT_EQ(later.report(0, rebooted).uptime_permille_1d, board.report(0, kNow).uptime_permille_1d);
  HealthBoard next_day(3);
  const WallTime days{kWall.unix_ns + seconds(3 * 86'400).ns};
  ASSERT_TRUE(read_health(bytes, kIdentities, rebooted, days, next_day));
  EXPECT_EQ(next_day.report(0, rebooted).uptime_permille_1d, EndpointHealth::kUptimeUnknown);
}

TEST(HealthState, AWallClockThatWentBackAgesNothing) {
  HealthBoard board(3);
  fill(board, 1);
  const auto bytes = write_health(board, kIdentities, kNow, kWall);
  HealthBoard back(3);
  const WallTime before{kWall.unix_ns - seconds(86'400).ns};
  ASSERT_TRUE(read_health(bytes, kIdentities, kNow, before, back));
  expect_same(board.report(0, kNow), back.report(0, kNow));
}

TEST(HealthState, AnotherCatalogueKeepsWhatItKnows) {
  HealthBoard board(3);
  fill(board, 1);
  const auto bytes = write_health(board, kIdentities, kNow, kWall);
  const std::array<std::uint64_t, 2> other = {44, 11};
  HealthBoard back(2);
  ASSERT_TRUE(read_health(bytes, other, kNow, kWall, back));
  expect_same(back.report(1, kNow), board.report(0, kNow));
  EXPECT_EQ(back.report(0, kNow).uptime_permille_1d, EndpointHealth::kUptimeUnknown);
}

bool is_refused_and_empty(std::span<const std::uint8_t> bytes) {
  HealthBoard back(3);
  const auto result = read_health(bytes, kIdentities, kNow, kWall, back);
  if (result || result.error().code != Code::kInvalid) return false;
  return write_health(back, kIdentities, kNow, kWall).size() == 8 + 4 + 4 + 8 + 4;
}

TEST(HealthState, NoDamagedByteIsBelieved) {
  HealthBoard board(3);
  HealthSummary s;
  s.successes = s.failures = 3;
  s.rate.counts[5] = 3;
  board.merge(0, s, kNow);
  auto bytes = write_health(board, kIdentities, kNow, kWall);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      bytes[i] ^= static_cast<std::uint8_t>(1 << bit);
      EXPECT_TRUE(is_refused_and_empty(bytes)) << i;
      bytes[i] ^= static_cast<std::uint8_t>(1 << bit);
    }
  }
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_TRUE(is_refused_and_empty(std::span(bytes).first(size))) << size;
  }
  bytes.push_back(0);
  EXPECT_TRUE(is_refused_and_empty(bytes));
}

// A right checksum over wrong contents: another version, counts beyond the end.
TEST(HealthState, ARightChecksumIsNotEnough) {
  HealthBoard board(3);
  HealthSummary s;
  s.successes = 3;
  board.merge(0, s, kNow);
  const auto good = write_health(board, kIdentities, kNow, kWall);
  const auto with = [&](std::size_t at, std::uint8_t value) {
    auto bytes = good;
    bytes[at] = value;
    // CRC-32C bit by bit, as its definition says.
    std::uint32_t crc = ~0u;
    for (std::size_t i = 0; i + 4 < bytes.size(); ++i) {
      crc ^= bytes[i];
      for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78u : 0u);
    }
    for (std::size_t i = 0; i < 4; ++i) {
      bytes[bytes.size() - 4 + i] = static_cast<std::uint8_t>(~crc >> (8 * i));
    }
    return bytes;
  };
  HealthBoard back(3);
  ASSERT_TRUE(read_health(with(8, 1), kIdentities, kNow, kWall, back));  // unchanged
  EXPECT_TRUE(is_refused_and_empty(with(8, 2)));                         // version
  EXPECT_TRUE(is_refused_and_empty(with(12, 2)));                        // endpoints
  EXPECT_TRUE(is_refused_and_empty(with(12, 0)));                        // bytes left over
  EXPECT_TRUE(is_refused_and_empty(with(32, 200)));                      // slots
  EXPECT_TRUE(is_refused_and_empty(with(36, 4)));                        // no such window
  EXPECT_TRUE(is_refused_and_empty(with(44, 0x80)));                     // an age below zero
}

}  // namespace
}  // namespace leat::policy
