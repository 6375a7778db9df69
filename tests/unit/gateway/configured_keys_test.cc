// SPDX-License-Identifier: Apache-2.0
// Goal: keys of the configuration open the gateway as keys of the store do, and are called by their
// names. Method: a directory filled from options is asked for digests that are and are not there.
#include "gateway/configured_keys.h"

#include <gtest/gtest.h>

#include "gateway/key_loads.h"

namespace leat::gateway {
namespace {

KeyDigest digest(std::uint8_t byte) {
  KeyDigest made;
  made.fill(byte);
  return made;
}

class ConfiguredKeysTest : public testing::Test {
 protected:
  ConfiguredKeysTest() {
    options_.keys.push_back({.name = "web", .sha256 = digest(1), .secret = {}, .routing = {}});
    options_.keys.push_back({.name = "batch", .sha256 = digest(2), .secret = {}, .routing = {}});
    options_.keys.back().routing.zdr = true;
    directory_.apply(configured_delta(options_, catalogue_));
  }
  KeyDirectory::Found find(std::uint8_t byte) const {
    return directory_.look_up(digest(byte), policy::KeyScope::kInference, {});
  }

  Options options_;
  policy::Catalogue catalogue_;
  KeyDirectory directory_;
};

TEST_F(ConfiguredKeysTest, OpenWithTheirOwnCeilings) {
  const auto web = find(1);
  ASSERT_EQ(web.fault, KeyFault::kNone);
  EXPECT_EQ(web.access, nullptr) << "nothing was stated: everything is allowed";
  const auto batch = find(2);
  ASSERT_EQ(batch.fault, KeyFault::kNone);
  ASSERT_NE(batch.access, nullptr);
  EXPECT_TRUE(batch.access->ceilings().zdr);
  EXPECT_NE(web.key->id, batch.key->id);
  EXPECT_EQ(find(3).fault, KeyFault::kUnknown);
}

TEST_F(ConfiguredKeysTest, HaveTheLimitsThatTheyState) {
  KeyLimits& limits = options_.keys.front().limits;
  limits = {.requests_per_minute_max = 3,
            .tokens_per_minute_max = 4,
            .tokens_per_day_max = 5,
            .concurrency_max = 6,
            .budget_nanodollars_max = 7,
            .budget_period = BudgetPeriod::kWeekly,
            .output_default_max = 8,
            .markup_ppm = -9};
  options_.keys.front().log_content = true;
  directory_.apply(configured_delta(options_, catalogue_));
  const KeyRow& web = *find(1).key;
  EXPECT_TRUE(web.logs_content);
  EXPECT_EQ(web.requests_per_minute, 3u);
  EXPECT_EQ(web.tokens_per_minute, 4u);
  EXPECT_EQ(web.tokens_per_day, 5u);
  EXPECT_EQ(web.concurrency, 6u);
  EXPECT_EQ(web.budget, 7);
  EXPECT_EQ(web.period, BudgetPeriod::kWeekly);
  EXPECT_EQ(web.markup_ppm, -9);
  EXPECT_EQ(web.output_default_max, 8u);
  const KeyRow& batch = *find(2).key;
  EXPECT_EQ(batch.quota(), policy::Quota()) << "what is not stated is not limited";
  EXPECT_EQ(batch.output_default_max, 0u);
  EXPECT_FALSE(batch.logs_content);
}

TEST_F(ConfiguredKeysTest, ServeInferenceAndNothingElse) {
  const auto found = directory_.look_up(digest(1), policy::KeyScope::kManagement, {});
  EXPECT_EQ(found.fault, KeyFault::kScope);
}

TEST_F(ConfiguredKeysTest, AreCalledByTheirNames) {
  KeyName room;
  EXPECT_EQ(key_name(options_, find(2).key->id, room), "batch");
  EXPECT_EQ(key_name(options_, kAnonymousKey, room), "anonymous");
  EXPECT_EQ(key_name(options_, 0, room), "-");
  EXPECT_EQ(key_name(options_, 17, room), "#17");
  EXPECT_EQ(key_name(options_, kConfiguredKeys + 2, room), "#2147483650") << "there is no third";
}

// A key's number is what its limits are counted by: it may not become another's.
TEST_F(ConfiguredKeysTest, KeepTheirPlacesOverAReload) {
  const auto number_of = [](const Options& options, std::uint8_t byte) {
    KeyDirectory directory;
    directory.apply(configured_delta(options, policy::Catalogue()));
    const KeyRow* const row = directory.find(digest(byte));
    return row == nullptr ? 0 : row->id;
  };
  const std::uint32_t web = number_of(options_, 1);
  const std::uint32_t batch = number_of(options_, 2);
  Options second;  // "web" is gone, "batch" has another secret, and somebody is new
  second.keys.push_back({.name = "new", .sha256 = digest(3)});
  second.keys.push_back({.name = "batch", .sha256 = digest(4)});
  keep_places(options_, second);
  EXPECT_EQ(number_of(second, 4), batch);
  EXPECT_EQ(number_of(second, 2), 0u) << "the former secret opens nothing";
  EXPECT_EQ(number_of(second, 1), 0u) << "nor does who is gone";
  const std::uint32_t fresh = number_of(second, 3);
  EXPECT_NE(fresh, web);
  EXPECT_NE(fresh, batch);
  KeyName room;
  EXPECT_EQ(key_name(second, web, room), "web") << "what it began is recorded by its name";
  Options third;
  third.keys.push_back({.name = "web", .sha256 = digest(5)});
  keep_places(second, third);
  EXPECT_EQ(number_of(third, 5), web) << "who comes back has used what it has used";
  EXPECT_EQ(number_of(third, 3), 0u);
}

TEST(KeyLoads, HoldsAKeyWhileItHasARequest) {
  KeyLoads loads;
  KeyLoad& first = loads.begin(7);
  KeyLoad& second = loads.begin(7);
  EXPECT_EQ(&first, &second);
  first.buffered_bytes = 100;
  for (std::uint32_t key = 100; key < 1'000; ++key) loads.begin(key);
  EXPECT_EQ(&first, &loads.begin(7)) << "a load stays where it is";
  EXPECT_EQ(loads.of(7).requests, 3u);
  EXPECT_EQ(loads.of(7).buffered_bytes, 100u);
  EXPECT_EQ(loads.of(8).requests, 0u);
  loads.end(first);
  loads.end(first);
  first.buffered_bytes = 0;
  loads.end(first);
  for (std::uint32_t key = 100; key < 1'000; ++key) {
    KeyLoad& load = loads.begin(key);
    loads.end(load);
    loads.end(load);
  }
  EXPECT_TRUE(loads.is_empty());
}

}  // namespace
}  // namespace leat::gateway
