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

}  // namespace
}  // namespace leat::gateway
