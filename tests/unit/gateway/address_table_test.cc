// SPDX-License-Identifier: Apache-2.0
// Goal: one address cannot take all connections or guess keys without end, and private addresses
// are exempt unless told. Method: walks through each limit.
#include "gateway/address_table.h"

#include <gtest/gtest.h>

namespace leat::gateway {
namespace {

const io::Address kPublic = io::Address::v4(203, 0, 113, 7, 40000);
const io::Address kLoopback = io::Address::v4(127, 0, 0, 1, 40000);

Limits small_limits() {
  Limits limits;
  limits.connections_per_address_max = 4;
  limits.connections_before_key_per_address_max = 2;
  limits.failed_auth_per_minute_max = 3;
  limits.failed_auth_block_ms = 60'000;
  return limits;
}

TEST(AddressTable, LimitsConnectionsWithoutAKey) {
  const Limits limits = small_limits();
  AddressTable table(limits);
  EXPECT_TRUE(table.try_enter(kPublic, Instant{}));
  EXPECT_TRUE(table.try_enter(kPublic, Instant{}));
  EXPECT_FALSE(table.try_enter(kPublic, Instant{}));
  table.showed_good_key(kPublic);
  EXPECT_TRUE(table.try_enter(kPublic, Instant{}));
  table.left(kPublic, false);
  EXPECT_TRUE(table.try_enter(kPublic, Instant{}));
}

TEST(AddressTable, LimitsAllConnectionsOfAnAddress) {
  const Limits limits = small_limits();
  AddressTable table(limits);
  for (int i = 0; i < 4; ++i) {
    EXPECT_TRUE(table.try_enter(kPublic, Instant{}));
    table.showed_good_key(kPublic);
  }
  EXPECT_FALSE(table.try_enter(kPublic, Instant{}));
  table.left(kPublic, true);
  EXPECT_TRUE(table.try_enter(kPublic, Instant{}));
}

TEST(AddressTable, BlocksAfterTooManyFailedKeysAndForgives) {
  const Limits limits = small_limits();
  AddressTable table(limits);
  const Instant now = Instant{} + seconds(1000);
  for (int i = 0; i < 3; ++i) table.key_failed(kPublic, now);
  EXPECT_FALSE(table.is_blocked(kPublic, now));
  table.key_failed(kPublic, now);
  EXPECT_TRUE(table.is_blocked(kPublic, now));
  EXPECT_TRUE(table.is_blocked(kPublic, now + seconds(59)));
  EXPECT_FALSE(table.is_blocked(kPublic, now + seconds(60)));
}

TEST(AddressTable, AConnectionThatLeavesDoesNotTakeTheBlockWithIt) {
  const Limits limits = small_limits();
  AddressTable table(limits);
  const Instant now = Instant{} + seconds(1000);
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(table.try_enter(kPublic, now));
    table.key_failed(kPublic, now);
    table.left(kPublic, false);
  }
  EXPECT_TRUE(table.is_blocked(kPublic, now + seconds(59)));
}

TEST(AddressTable, FailuresOfAnOldMinuteDoNotCount) {
  const Limits limits = small_limits();
  AddressTable table(limits);
  for (int i = 0; i < 40; ++i) {
    table.key_failed(kPublic, Instant{} + seconds(30 * i));
  }
  EXPECT_FALSE(table.is_blocked(kPublic, Instant{} + seconds(30 * 40)));
}

TEST(AddressTable, PrivateAddressesAreExemptUnlessTold) {
  Limits limits = small_limits();
  {
    AddressTable table(limits);
    for (int i = 0; i < 100; ++i) EXPECT_TRUE(table.try_enter(kLoopback, Instant{}));
    for (int i = 0; i < 100; ++i) table.key_failed(kLoopback, Instant{});
    EXPECT_FALSE(table.is_blocked(kLoopback, Instant{}));
  }
  limits.limit_private_addresses = true;
  AddressTable table(limits);
  EXPECT_TRUE(table.try_enter(kLoopback, Instant{}));
  EXPECT_TRUE(table.try_enter(kLoopback, Instant{}));
  EXPECT_FALSE(table.try_enter(kLoopback, Instant{}));
}

TEST(AddressTable, AnIpv6NetworkIsOneAddress) {
  const Limits limits = small_limits();
  AddressTable table(limits);
  const io::Address one = *io::Address::parse("[2001:db8:1:2::1]:1");
  const io::Address same = *io::Address::parse("[2001:db8:1:2:ffff::9]:2");
  const io::Address other = *io::Address::parse("[2001:db8:1:3::1]:1");
  const Instant now = Instant{} + seconds(1000);
  EXPECT_TRUE(table.try_enter(one, now));
  EXPECT_TRUE(table.try_enter(same, now));
  EXPECT_FALSE(table.try_enter(one, now));
  EXPECT_FALSE(table.try_enter(same, now));
  EXPECT_TRUE(table.try_enter(other, now));
  table.showed_good_key(same);
  EXPECT_TRUE(table.try_enter(one, now));
  for (int i = 0; i < 4; ++i) table.key_failed(i % 2 == 0 ? one : same, now);
  EXPECT_TRUE(table.is_blocked(same, now));
  EXPECT_FALSE(table.is_blocked(other, now));
}

TEST(AddressTable, Ipv4NeighboursAreTwoAddresses) {
  const Limits limits = small_limits();
  AddressTable table(limits);
  const io::Address neighbour = io::Address::v4(203, 0, 113, 8, 40000);
  EXPECT_TRUE(table.try_enter(kPublic, Instant{}));
  EXPECT_TRUE(table.try_enter(kPublic, Instant{}));
  EXPECT_FALSE(table.try_enter(kPublic, Instant{}));
  EXPECT_TRUE(table.try_enter(neighbour, Instant{}));
}

io::Address number(int i) {
  return io::Address::v4(203, static_cast<std::uint8_t>(i >> 16), static_cast<std::uint8_t>(i >> 8),
                         static_cast<std::uint8_t>(i), 1);
}

TEST(AddressTable, StaysWithinItsSizeHoweverManyAddressesGuessKeys) {
  const Limits limits = small_limits();
  AddressTable table(limits, 100);
  const Instant now = Instant{} + seconds(1000);
  for (int i = 0; i < 5'000; ++i) {
    ASSERT_TRUE(table.try_enter(number(i), now));
    table.key_failed(number(i), now);
    table.left(number(i), false);
    ASSERT_LE(table.size(), 100u);
  }
}

TEST(AddressTable, ForgetsTheIdleBeforeTheBlocked) {
  const Limits limits = small_limits();
  AddressTable table(limits, 100);
  const Instant now = Instant{} + seconds(1000);
  for (int i = 0; i < 99; ++i) table.key_failed(number(i), now - seconds(100));
  for (int i = 0; i < 4; ++i) table.key_failed(kPublic, now);
  for (int i = 1'000; i < 1'100; ++i) {
    table.key_failed(number(i), now);
    ASSERT_LE(table.size(), 100u);
  }
  EXPECT_TRUE(table.is_blocked(kPublic, now));
}

TEST(AddressTable, WhoHoldsAConnectionIsNeverForgotten) {
  const Limits limits = small_limits();
  AddressTable table(limits, 100);
  for (int i = 0; i < 300; ++i) {
    ASSERT_TRUE(table.try_enter(number(i), Instant{}));
    ASSERT_TRUE(table.try_enter(number(i), Instant{}));
  }
  for (int i = 0; i < 300; ++i) EXPECT_FALSE(table.try_enter(number(i), Instant{})) << i;
  for (int i = 0; i < 300; ++i) {
    table.left(number(i), false);
    table.left(number(i), false);
  }
  EXPECT_EQ(table.size(), 0u);
}

}  // namespace
}  // namespace leat::gateway
