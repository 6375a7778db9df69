// SPDX-License-Identifier: Apache-2.0
// Goal: shards always have the keys that the store has, with what every level allows, whether they
// heard of changes one by one or read all at once.
// Method: changes to a store in memory, followed by one directory delta by delta and compared with
// another made of a fresh load.
#include "control/key_publisher.h"

#include <gtest/gtest.h>

#include "gateway/configured_keys.h"

namespace leat::control {
namespace {

using gateway::KeyDirectory;
using gateway::KeyFault;

constexpr std::int64_t kNow = 1'795'000'000;
constexpr WallTime kWall{kNow * 1'000'000'000};

policy::Access models(std::vector<std::string> names) {
  policy::Access access;
  access.has_models = true;
  access.models = std::move(names);
  return access;
}

class KeyPublisherTest : public ::testing::Test {
 protected:
  KeyPublisherTest() : store_(std::move(*AccountStore::open(":memory:", kNow))) {
    EXPECT_TRUE(publisher_.load().has_value());
    directory_.apply(publisher_.table().whole());
  }

  KeyRecord made(policy::Access access = {}, policy::AccountId workspace = AccountStore::kFirst) {
    KeyRecord wanted;
    wanted.key.organisation = AccountStore::kFirst;
    wanted.key.workspace = workspace;
    wanted.key.name = "k";
    wanted.key.access = std::move(access);
    return store_->create(wanted, kNow)->record;
  }
  // What a shard finds after it has heard of the changes; the same as one that begins now.
  KeyDirectory::Found found(const KeyDigest& digest) {
    auto delta = publisher_.follow();
    EXPECT_TRUE(delta.has_value());
    directory_.apply(*delta);
    const auto heard = directory_.look_up(digest, policy::KeyScope::kInference, kWall);
    KeyPublisher fresh(*store_, catalogue_);
    EXPECT_TRUE(fresh.load().has_value());
    KeyDirectory read;
    read.apply(fresh.table().whole());
    const auto begun = read.look_up(digest, policy::KeyScope::kInference, kWall);
    EXPECT_EQ(heard.fault, begun.fault);
    EXPECT_EQ(heard.access == nullptr, begun.access == nullptr);
    if (heard.access != nullptr && begun.access != nullptr) {
      EXPECT_EQ(heard.access->stated().models, begun.access->stated().models);
    }
    return heard;
  }

  std::unique_ptr<AccountStore> store_;
  policy::Catalogue catalogue_;
  KeyPublisher publisher_{*store_, catalogue_};
  KeyDirectory directory_;
};

TEST_F(KeyPublisherTest, AKeyIsKnownChangedAndRevoked) {
  KeyRecord record = made();
  EXPECT_EQ(found(record.digest).fault, KeyFault::kNone);
  EXPECT_EQ(found(record.digest).key->id, record.key.id);
  record.key.is_enabled = false;
  record.key.quota.rates.requests_per_minute = 3;
  ASSERT_TRUE(store_->update(record, kNow).has_value());
  EXPECT_EQ(found(record.digest).fault, KeyFault::kDisabled);
  EXPECT_EQ(found(record.digest).key->requests_per_minute, 3u);
  ASSERT_TRUE(store_->remove_key(record.digest).has_value());
  EXPECT_EQ(found(record.digest).fault, KeyFault::kUnknown);
}

// Chunks are those of one table: with two the later would wipe out keys of the other.
TEST_F(KeyPublisherTest, ConfiguredKeysStandBesideTheStoresAndGoBeforeThem) {
  const KeyRecord both = made();
  Options options;
  options.keys.resize(2);
  options.keys[0].sha256 = digest_of("configured");
  options.keys[1].sha256 = both.digest;
  KeyPublisher publisher(*store_, catalogue_, gateway::configured_keys(options, catalogue_));
  ASSERT_TRUE(publisher.load().has_value());
  KeyDirectory shard;
  shard.apply(publisher.table().whole());
  const auto id_of = [&](const KeyDigest& digest) {
    const auto found = shard.look_up(digest, policy::KeyScope::kInference, kWall);
    return found.fault == KeyFault::kNone ? found.key->id : 0;
  };
  EXPECT_EQ(id_of(digest_of("configured")), gateway::kConfiguredKeys);
  EXPECT_EQ(id_of(both.digest), gateway::kConfiguredKeys + 1);
  ASSERT_NE(shard.look_up(both.digest, policy::KeyScope::kInference, kWall).organisation, nullptr);
  // Many more of the store's: the table grows, and the configured ones go along.
  std::vector<KeyDigest> more;
  for (int i = 0; i < 300; ++i) more.push_back(made().digest);
  ASSERT_TRUE(store_->remove_key(both.digest).has_value());
  shard.apply(*publisher.follow());
  for (const KeyDigest& digest : more) EXPECT_NE(id_of(digest), 0u);
  EXPECT_EQ(id_of(digest_of("configured")), gateway::kConfiguredKeys);
  EXPECT_EQ(id_of(both.digest), gateway::kConfiguredKeys + 1);
}

TEST_F(KeyPublisherTest, NothingChangedIsNothingToTell) {
  made();
  EXPECT_FALSE(publisher_.follow()->is_empty());
  EXPECT_TRUE(publisher_.follow()->is_empty());
}

TEST_F(KeyPublisherTest, EachLevelNarrowsTheKeysBelow) {
  const KeyDigest plain = made().digest;
  const KeyDigest narrow = made(models({"a/1", "a/2", "b/1"})).digest;
  EXPECT_EQ(found(plain).access, nullptr);
  EXPECT_TRUE(found(narrow).access->allows_model("b/1"));
  WorkspaceRecord workspace = *store_->workspace(AccountStore::kFirst);
  workspace.workspace.access = models({"a/*"});
  ASSERT_TRUE(store_->update(workspace, kNow).has_value());
  EXPECT_TRUE(found(plain).access->allows_model("a/9"));
  EXPECT_FALSE(found(plain).access->allows_model("b/1"));
  EXPECT_TRUE(found(narrow).access->allows_model("a/2"));
  EXPECT_FALSE(found(narrow).access->allows_model("b/1"));
  policy::Organisation organisation = *store_->organisation(AccountStore::kFirst);
  organisation.access = models({"a/1", "c/1"});
  ASSERT_TRUE(store_->update(organisation, kNow).has_value());
  EXPECT_TRUE(found(narrow).access->allows_model("a/1"));
  EXPECT_FALSE(found(narrow).access->allows_model("a/2"));
  EXPECT_FALSE(found(plain).access->allows_model("c/1"));
  organisation.access = {};
  ASSERT_TRUE(store_->update(organisation, kNow).has_value());
  EXPECT_TRUE(found(narrow).access->allows_model("a/2"));
}

TEST_F(KeyPublisherTest, AccountsAreToldToo) {
  const KeyDigest digest = made().digest;
  ASSERT_TRUE(store_->grant({.organisation = 1, .amount = 5}, kNow).has_value());
  EXPECT_EQ(found(digest).organisation->granted, 5);
  policy::Organisation organisation = *store_->organisation(AccountStore::kFirst);
  organisation.is_prepaid = true;
  organisation.quota.rates.concurrency = 4;
  ASSERT_TRUE(store_->update(organisation, kNow).has_value());
  EXPECT_TRUE(found(digest).organisation->is_prepaid);
  EXPECT_EQ(found(digest).organisation->quota, organisation.quota);
  WorkspaceRecord workspace = *store_->workspace(AccountStore::kFirst);
  workspace.workspace.quota.budgets[policy::BudgetPeriod::kDaily] = 9;
  workspace.workspace.is_enabled = false;
  ASSERT_TRUE(store_->update(workspace, kNow).has_value());
  EXPECT_EQ(found(digest).workspace->quota, workspace.workspace.quota);
  EXPECT_EQ(found(digest).fault, KeyFault::kDisabled);
}

TEST_F(KeyPublisherTest, AWorkspaceComesAndGoes) {
  WorkspaceRecord wanted;
  wanted.workspace.organisation = AccountStore::kFirst;
  wanted.workspace.name = wanted.workspace.slug = "team";
  const auto id = store_->create(wanted, kNow)->workspace.id;
  const KeyDigest digest = made({}, id).digest;
  EXPECT_EQ(found(digest).fault, KeyFault::kNone);
  EXPECT_EQ(found(digest).workspace->id, id);
  ASSERT_TRUE(store_->remove_key(digest).has_value());
  ASSERT_TRUE(store_->remove_workspace(id).has_value());
  EXPECT_EQ(found(digest).fault, KeyFault::kUnknown);
  const auto whole = publisher_.table().whole();
  EXPECT_EQ(whole.accounts.size(), 2u) << "the first workspace and organisation remain";
}

}  // namespace
}  // namespace leat::control
