// SPDX-License-Identifier: Apache-2.0
// Goal: a shard finds exactly the keys that there are, as they are after every change, whoever
// shares the table; a key opens only what all above it allow; and a million keys fit the memory
// that they may take.
// Method: the table against an ordinary map through seeded random changes, each told to two
// directories, one of which hears of them late and at once; verdicts one condition at a time.
#include "gateway/key_table.h"

#include <gtest/gtest.h>

#include <map>

#include "base/rng.h"
#include "tls/digest.h"

namespace leat::gateway {
namespace {

constexpr WallTime kNow{1'795'000'000'000'000'000};

KeyDigest digest_of(std::uint64_t number) {
  return tls::sha256("key " + std::to_string(number));
}

KeyEntry entry(std::uint64_t number, std::uint32_t id) {
  KeyEntry made;
  made.row.digest = digest_of(number);
  made.row.id = id;
  return made;
}

// A shard that has heard all so far.
KeyDirectory directory_of(const KeyTable& table) {
  KeyDirectory directory;
  directory.apply(table.whole());
  return directory;
}

TEST(KeyTable, AnEmptyOneKnowsNobody) {
  const KeyDirectory directory;
  EXPECT_EQ(directory.find(digest_of(1)), nullptr);
  EXPECT_EQ(directory.find(KeyDigest{}), nullptr);
  EXPECT_EQ(directory_of(KeyTable()).find(digest_of(1)), nullptr);
}

TEST(KeyTable, OnlyTheWholeDigestFinds) {
  KeyTable table;
  table.put(entry(1, 7));
  const KeyDirectory directory = directory_of(table);
  ASSERT_NE(directory.find(digest_of(1)), nullptr);
  EXPECT_EQ(directory.find(digest_of(1))->id, 7u);
  for (std::size_t byte = 0; byte < 32; ++byte) {
    KeyDigest near = digest_of(1);
    near[byte] ^= 1;
    EXPECT_EQ(directory.find(near), nullptr) << byte;
  }
}

// A directory that hears of each change, and one whose mailbox is full for a while.
TEST(KeyTable, DirectoriesFollowEveryChange) {
  Rng rng(11);
  KeyTable table;
  std::map<std::uint64_t, std::uint32_t> wanted;
  KeyDirectory prompt;
  KeyDirectory late;
  KeyDelta pending;
  const auto check = [&](const KeyDirectory& directory, int step) {
    for (std::uint64_t number = 0; number < 400; ++number) {
      const KeyRow* row = directory.find(digest_of(number));
      const auto found = wanted.find(number);
      ASSERT_EQ(row != nullptr, found != wanted.end()) << step << " " << number;
      if (row != nullptr) {
        ASSERT_EQ(row->id, found->second) << step << " " << number;
      }
    }
  };
  for (int step = 0; step < 3'000; ++step) {
    const std::uint64_t number = rng.below(400);
    KeyDelta delta;
    if (rng.below(3) == 0) {
      delta = table.remove(digest_of(number));
      wanted.erase(number);
    } else {
      const auto id = static_cast<std::uint32_t>(step + 1);
      delta = table.put(entry(number, id));
      wanted[number] = id;
    }
    const std::uint32_t before = prompt.version();
    prompt.apply(delta);
    EXPECT_NE(prompt.version(), before) << "what is made of rows is made anew";
    pending.append(delta);
    ASSERT_EQ(table.size(), wanted.size());
    if (step % 100 != 0) continue;
    late.apply(pending);
    pending = {};
    EXPECT_EQ(late.version(), prompt.version()) << "two shards must not call one table two names";
    check(prompt, step);
    check(late, step);
  }
}

TEST(KeyTable, GrowsWithItsKeysAndIsTheSameWhenMadeAtOnce) {
  constexpr std::uint32_t kKeys = 20'000;
  std::vector<KeyEntry> entries;
  KeyTable grown;
  KeyDirectory follower;
  std::size_t chunks_told_max = 0;
  for (std::uint32_t i = 1; i <= kKeys; ++i) {
    entries.push_back(entry(i, i));
    const KeyDelta delta = grown.put(entries.back());
    follower.apply(delta);
    chunks_told_max = std::max(chunks_told_max, delta.chunks.size());
  }
  entries.push_back(entry(5, 99'999));  // again, the later counts
  KeyTable made;
  made.assign(entries);
  EXPECT_EQ(made.size(), kKeys);
  EXPECT_EQ(grown.size(), kKeys);
  EXPECT_GT(chunks_told_max, 100u);
  const KeyDirectory whole = directory_of(made);
  for (std::uint32_t i = 1; i <= kKeys; ++i) {
    ASSERT_NE(follower.find(digest_of(i)), nullptr) << i;
    EXPECT_EQ(follower.find(digest_of(i))->id, i);
    ASSERT_NE(whole.find(digest_of(i)), nullptr) << i;
    EXPECT_EQ(whole.find(digest_of(i))->id, i == 5 ? 99'999 : i);
  }
  EXPECT_EQ(whole.find(digest_of(0)), nullptr);
}

// A change copies one chunk, whatever the number of keys.
// What is made of rows holds for a version: two tables with one would be taken for each other.
TEST(KeyTable, ATableThatIsMadeAnewHasVersionsOfItsOwn) {
  KeyTable table;
  table.assign({});
  const std::uint32_t before = table.whole().version;
  table.put(AccountRow{.id = 7, .organisation = 7});
  table.clear();
  EXPECT_GT(table.whole().version, before);
  EXPECT_TRUE(table.whole().accounts.empty());
  EXPECT_EQ(table.size(), 0u);
}

TEST(KeyTable, AChangeIsSmall) {
  std::vector<KeyEntry> entries;
  for (std::uint32_t i = 1; i <= 50'000; ++i) entries.push_back(entry(i, i));
  KeyTable table;
  table.assign(entries);
  const KeyDelta delta = table.put(entry(60'000, 60'000));
  ASSERT_EQ(delta.chunks.size(), 1u);
  EXPECT_LE(delta.chunks[0].chunk->slots.size() * sizeof(KeyRow), 32u << 10);
}

// On a node of 64 shards.
TEST(KeyTable, AMillionKeysTakeAtMostTwoHundredBytesEach) {
  constexpr std::uint32_t kKeys = 1'000'000;
  std::vector<KeyEntry> entries(kKeys);
  Rng rng(5);
  for (std::uint32_t i = 0; i < kKeys; ++i) {
    for (std::uint8_t& byte : entries[i].row.digest) byte = static_cast<std::uint8_t>(rng.next());
    entries[i].row.id = i + 1;
  }
  KeyTable table;
  table.assign(entries);
  ASSERT_EQ(table.size(), kKeys);
  const std::size_t bytes = table.bytes() + 64 * directory_of(table).bytes();
  EXPECT_LE(bytes / kKeys, 200u);
}

TEST(KeyTable, ARowSaysWhatItsKeyDoes) {
  policy::Key key;
  key.id = 3;
  key.workspace = 4;
  key.organisation = 5;
  key.is_enabled = false;
  key.scope = policy::KeyScope::kManagement;
  key.expires_at = 1'800'000'000;
  key.markup_ppm = -50'000;
  key.output_default_max = policy::kOutputDefaultMax;
  key.quota.rates = {.requests_per_minute = 6,
                     .tokens_per_minute = std::uint64_t{1} << 40,
                     .tokens_per_day = 8,
                     .concurrency = 0};
  key.quota.budgets[policy::BudgetPeriod::kWeekly] = 9;
  key.quota.counts_byok = true;
  const KeyRow row = entry_of(key, digest_of(3), nullptr).row;
  EXPECT_EQ(row.digest, digest_of(3));
  EXPECT_EQ(row.id, 3u);
  EXPECT_EQ(row.workspace, 4u);
  EXPECT_EQ(row.organisation, 5u);
  EXPECT_FALSE(row.is_enabled);
  EXPECT_EQ(row.scope, policy::KeyScope::kManagement);
  EXPECT_EQ(row.expires_at, 1'800'000'000u);
  EXPECT_EQ(row.markup_ppm, -50'000);
  EXPECT_EQ(row.output_default_max, policy::kOutputDefaultMax);
  EXPECT_EQ(row.quota(), key.quota);
  key.quota = {};
  key.expires_at = -1;
  EXPECT_EQ(entry_of(key, digest_of(3), nullptr).row.quota(), policy::Quota{});
  EXPECT_EQ(entry_of(key, digest_of(3), nullptr).row.expires_at, 1u);
  key.expires_at = INT64_MAX;
  EXPECT_EQ(entry_of(key, digest_of(3), nullptr).row.expires_at, UINT32_MAX);
}

// A key of workspace 2 of organisation 1, which all is well with.
class KeyVerdict : public ::testing::Test {
 protected:
  KeyVerdict() {
    row_.row.workspace = 2;
    row_.row.organisation = 1;
    tell();
  }
  void tell() {
    directory_.apply(table_.put(row_));
    directory_.apply(table_.put(workspace_));
    directory_.apply(table_.put(organisation_));
  }
  KeyDirectory::Found found(WallTime now = kNow) const {
    return directory_.look_up(row_.row.digest, policy::KeyScope::kInference, now);
  }

  KeyTable table_;
  KeyDirectory directory_;
  KeyEntry row_ = entry(1, 9);
  AccountRow workspace_{.id = 2, .organisation = 1, .is_workspace = true};
  AccountRow organisation_{.id = 1, .organisation = 1};
};

TEST_F(KeyVerdict, AllIsWell) {
  EXPECT_EQ(found().fault, KeyFault::kNone);
  EXPECT_EQ(found().workspace->id, 2u);
  EXPECT_TRUE(found().workspace->is_workspace);
  EXPECT_EQ(found().organisation->id, 1u);
  EXPECT_EQ(found().access, nullptr);
  EXPECT_EQ(directory_.look_up(digest_of(2), policy::KeyScope::kInference, kNow).fault,
            KeyFault::kUnknown);
}

TEST_F(KeyVerdict, ARevokedKeyIsGoneAtOnce) {
  directory_.apply(table_.remove(row_.row.digest));
  EXPECT_EQ(found().fault, KeyFault::kUnknown);
  EXPECT_EQ(found().key, nullptr);
}

TEST_F(KeyVerdict, EveryLevelCanBeDisabled) {
  row_.row.is_enabled = false;
  tell();
  EXPECT_EQ(found().fault, KeyFault::kDisabled);
  row_.row.is_enabled = true;
  workspace_.is_enabled = false;
  tell();
  EXPECT_EQ(found().fault, KeyFault::kDisabled);
  workspace_.is_enabled = true;
  organisation_.is_enabled = false;
  tell();
  EXPECT_EQ(found().fault, KeyFault::kDisabled);
  organisation_.is_enabled = true;
  tell();
  EXPECT_EQ(found().fault, KeyFault::kNone);
}

TEST_F(KeyVerdict, AKeyOfNobodyIsDisabled) {
  workspace_.is_removed = true;
  tell();
  EXPECT_EQ(found().fault, KeyFault::kDisabled);
  EXPECT_EQ(found().workspace, nullptr);
  row_.row.workspace = 0;
  tell();
  EXPECT_EQ(found().fault, KeyFault::kNone);
  organisation_.is_removed = true;
  tell();
  EXPECT_EQ(found().fault, KeyFault::kDisabled);
  EXPECT_FALSE(table_.whole().chunks.empty());
  EXPECT_TRUE(table_.whole().accounts.empty());
}

TEST_F(KeyVerdict, AKeyExpiresWithItsSecond) {
  row_.row.expires_at = static_cast<std::uint32_t>(kNow.unix_seconds());
  tell();
  EXPECT_EQ(found().fault, KeyFault::kExpired);
  EXPECT_EQ(found({kNow.unix_ns - 1}).fault, KeyFault::kNone);
}

TEST_F(KeyVerdict, AKeyServesOneScope) {
  EXPECT_EQ(directory_.look_up(row_.row.digest, policy::KeyScope::kManagement, kNow).fault,
            KeyFault::kScope);
  row_.row.scope = policy::KeyScope::kManagement;
  tell();
  EXPECT_EQ(found().fault, KeyFault::kScope);
}

// Each is made with what stands above it, so the nearest says it all.
TEST_F(KeyVerdict, TheNearestAccessCounts) {
  const auto access = [](std::string model) {
    policy::Access stated;
    stated.has_models = true;
    stated.models = {std::move(model)};
    return resolve_access(stated, policy::Catalogue());
  };
  organisation_.access = access("of/organisation");
  workspace_.access = access("of/workspace");
  row_.access = access("of/key");
  tell();
  ASSERT_NE(found().access, nullptr);
  EXPECT_TRUE(found().access->allows_model("of/key"));
  row_.access = nullptr;
  tell();
  ASSERT_NE(found().access, nullptr);
  EXPECT_TRUE(found().access->allows_model("of/workspace"));
  row_.row.workspace = 0;
  tell();
  ASSERT_NE(found().access, nullptr);
  EXPECT_TRUE(found().access->allows_model("of/organisation"));
}

TEST(KeyAccess, UnknownNamesOpenNothing) {
  const policy::Catalogue catalogue;
  EXPECT_EQ(resolve_access({}, catalogue), nullptr);
  policy::Access access;
  access.routing.regions = {"nowhere"};
  const auto nowhere = resolve_access(access, catalogue);
  ASSERT_NE(nowhere, nullptr);
  EXPECT_TRUE(nowhere->ceilings().has_only);
  EXPECT_TRUE(nowhere->ceilings().only.empty());
  access = {};
  access.routing.has_only = true;
  access.routing.only = {"gone"};
  const auto gone = resolve_access(access, catalogue);
  ASSERT_NE(gone, nullptr);
  EXPECT_TRUE(gone->ceilings().has_only);
  ASSERT_EQ(gone->ceilings().only.size(), 1u);
  EXPECT_FALSE(gone->ceilings().only[0].known());
  access = {};
  access.routing.zdr = true;
  access.routing.deny_data_collection = true;
  const auto strict = resolve_access(access, catalogue);
  ASSERT_NE(strict, nullptr);
  EXPECT_TRUE(strict->ceilings().zdr);
  EXPECT_TRUE(strict->ceilings().deny_data_collection);
}

}  // namespace
}  // namespace leat::gateway
