// SPDX-License-Identifier: Apache-2.0
// Goal: what was stored is there again, whole, after a restart; nothing half-done is; and a file
// that is not ours to use is refused with words that say why, unharmed. Secrets are not in it.
// Method: stores in memory for what they keep; files in a folder of the test's own for restarts,
// damage, other versions and other processes (a second connection).
#include "control/account_store.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace leat::control {
namespace {

using Kind = StoreFault::Kind;

constexpr std::int64_t kNow = 1'795'000'000;
constexpr std::array<std::uint8_t, 32> kMaster = {1, 2, 3};
constexpr std::string_view kSecret = "sk-proj-0123456789abcdef0123456789";

std::unique_ptr<AccountStore> opened(const std::string& path = ":memory:") {
  auto store = AccountStore::open(path, kNow);
  EXPECT_TRUE(store.has_value()) << store.error().text;
  return store ? std::move(*store) : nullptr;
}

KeyRecord wanted_key(std::string name = "a key") {
  KeyRecord wanted;
  wanted.key.organisation = AccountStore::kFirst;
  wanted.key.workspace = AccountStore::kFirst;
  wanted.key.name = std::move(name);
  return wanted;
}

policy::Quota some_quota() {
  policy::Quota quota;
  quota.rates = {.requests_per_minute = 1,
                 .tokens_per_minute = 2,
                 .tokens_per_day = std::uint64_t{1} << 40,
                 .concurrency = 0};
  quota.budgets[policy::BudgetPeriod::kMonthly] = 5'000'000'001;
  quota.counts_byok = true;
  return quota;
}

policy::Access some_access() {
  policy::Access access;
  access.has_models = true;
  access.models = {"openai/*"};
  access.routing.regions = {"eu"};
  access.routing.zdr = true;
  return access;
}

// A folder that goes with the test.
class Folder {
 public:
  Folder() {
    std::string name = ::testing::TempDir() + "account_store_XXXXXX";
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    path_ = name;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string file() const { return path_ + "/accounts.db"; }
  std::string contents() const {
    std::string all;
    for (const auto& entry : std::filesystem::directory_iterator(path_)) {
      std::ifstream in(entry.path(), std::ios::binary);
      all.append(std::istreambuf_iterator<char>(in), {});
    }
    return all;
  }
  void write(const std::string& bytes) const { std::ofstream(file(), std::ios::binary) << bytes; }

 private:
  std::string path_;
};

TEST(AccountStore, BeginsWithOneOrganisationAndWorkspace) {
  const auto store = opened();
  const auto organisations = *store->organisations();
  ASSERT_EQ(organisations.size(), 1u);
  EXPECT_EQ(organisations[0].id, AccountStore::kFirst);
  EXPECT_TRUE(organisations[0].is_enabled);
  EXPECT_FALSE(organisations[0].is_prepaid);
  EXPECT_EQ(organisations[0].quota, policy::Quota{});
  const auto workspaces = *store->workspaces(0);
  ASSERT_EQ(workspaces.size(), 1u);
  EXPECT_EQ(workspaces[0].workspace.slug, "default");
  EXPECT_EQ(workspaces[0].uuid.size(), 36u);
  EXPECT_EQ(workspaces[0].created_at, kNow);
}

TEST(AccountStore, AKeyIsShownOnceAndFoundByItsDigest) {
  const auto store = opened();
  KeyRecord wanted = wanted_key();
  wanted.creator = "ann";
  wanted.key.expires_at = kNow + 60;
  wanted.key.markup_ppm = -1'000'000;
  wanted.key.output_default_max = 77;
  wanted.key.hold_ms_max = 0;
  wanted.key.logs_content = true;
  wanted.key.quota = some_quota();
  wanted.key.access = some_access();
  const auto created = store->create(wanted, kNow);
  ASSERT_TRUE(created.has_value()) << created.error().text;
  EXPECT_EQ(form_of(created->text), KeyForm::kOurs);
  const auto found = store->key(digest_of(created->text));
  ASSERT_TRUE(found.has_value());
  EXPECT_NE(found->key.id, 0u);
  EXPECT_EQ(found->digest, digest_of(created->text));
  EXPECT_EQ(found->key.name, "a key");
  EXPECT_EQ(found->key.label, label_of(created->text));
  EXPECT_EQ(found->key.scope, policy::KeyScope::kInference);
  EXPECT_TRUE(found->key.is_enabled);
  EXPECT_EQ(found->key.expires_at, kNow + 60);
  EXPECT_EQ(found->key.markup_ppm, -1'000'000);
  EXPECT_EQ(found->key.output_default_max, 77u);
  EXPECT_EQ(found->key.hold_ms_max, 0u) << "which is not none of its own";
  EXPECT_TRUE(found->key.logs_content);
  EXPECT_EQ(found->key.quota, some_quota());
  EXPECT_EQ(found->key.access.models, some_access().models);
  EXPECT_TRUE(found->key.access.routing.zdr);
  EXPECT_EQ(found->creator, "ann");
  EXPECT_EQ(found->workspace_uuid, store->workspaces(0)->front().uuid);
  EXPECT_EQ(found->created_at, kNow);
  EXPECT_EQ(found->updated_at, 0);
  EXPECT_EQ(store->key(digest_of("another")).error().kind, Kind::kNotFound);
}

TEST(AccountStore, AKeyIsChangedAndRemoved) {
  const auto store = opened();
  auto record = store->create(wanted_key(), kNow)->record;
  record.key.name = "other";
  record.key.is_enabled = false;
  record.key.expires_at = kNow + 5;
  EXPECT_EQ(record.key.hold_ms_max, policy::kHoldMsMax);
  record.key.output_default_max = 78;
  record.key.hold_ms_max = 99;
  record.key.logs_content = false;
  record.key.quota = some_quota();
  record.key.access = some_access();
  ASSERT_TRUE(store->update(record, kNow + 9).has_value());
  const auto found = store->key(record.digest);
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->key.name, "other");
  EXPECT_FALSE(found->key.is_enabled);
  EXPECT_EQ(found->key.expires_at, kNow + 5);
  EXPECT_EQ(found->key.output_default_max, 78u);
  EXPECT_EQ(found->key.hold_ms_max, 99u);
  EXPECT_FALSE(found->key.logs_content);
  EXPECT_EQ(found->key.quota, some_quota());
  EXPECT_TRUE(found->key.access.has_models);
  EXPECT_EQ(found->updated_at, kNow + 9);
  ASSERT_TRUE(store->remove_key(record.digest).has_value());
  EXPECT_EQ(store->key(record.digest).error().kind, Kind::kNotFound);
  EXPECT_EQ(store->remove_key(record.digest).error().kind, Kind::kNotFound);
  EXPECT_EQ(store->update(record, kNow).error().kind, Kind::kNotFound);
}

TEST(AccountStore, KeysAreListedNewestFirstByPage) {
  const auto store = opened();
  for (int i = 0; i < 5; ++i) {
    auto record = store->create(wanted_key("key " + std::to_string(i)), kNow)->record;
    record.key.is_enabled = i != 3;
    ASSERT_TRUE(store->update(record, kNow).has_value());
  }
  const auto names = [&](const AccountStore::KeyQuery& query) {
    std::string joined;
    const auto keys = *store->keys(query);
    for (const KeyRecord& record : keys) joined += record.key.name.back();
    return joined;
  };
  EXPECT_EQ(names({}), "4210");
  EXPECT_EQ(names({.with_disabled = true}), "43210");
  EXPECT_EQ(names({.with_disabled = true, .offset = 1, .count_max = 2}), "32");
  EXPECT_EQ(names({.organisation = 1, .workspace = 1}), "4210");
  EXPECT_EQ(names({.organisation = 2}), "");
  EXPECT_EQ(names({.workspace = 2}), "");
}

// A rule of the schema that is broken changes nothing and is told to nobody.
TEST(AccountStore, WhatBreaksARuleLeavesNoTrace) {
  const auto store = opened();
  store->take_changes();
  KeyRecord wanted = wanted_key();
  wanted.key.workspace = 0;
  EXPECT_EQ(store->create(wanted, kNow).error().kind, Kind::kInvalid);
  wanted.key.workspace = 77;
  EXPECT_EQ(store->create(wanted, kNow).error().kind, Kind::kInvalid);
  wanted = wanted_key();
  wanted.key.quota = some_quota();
  wanted.key.quota.budgets[policy::BudgetPeriod::kDaily] = 1;
  EXPECT_EQ(store->create(wanted, kNow).error().kind, Kind::kInvalid);
  wanted = wanted_key("");
  EXPECT_EQ(store->create(wanted, kNow).error().kind, Kind::kInvalid);
  wanted = wanted_key();
  wanted.key.markup_ppm = policy::kMarkupPpmMax + 1;
  EXPECT_EQ(store->create(wanted, kNow).error().kind, Kind::kInvalid);
  EXPECT_TRUE(store->keys({.with_disabled = true})->empty());
  EXPECT_TRUE(store->take_changes().empty());
  wanted = wanted_key();
  wanted.key.workspace = 0;
  wanted.key.scope = policy::KeyScope::kManagement;
  EXPECT_TRUE(store->create(wanted, kNow).has_value());
}

TEST(AccountStore, WorkspacesHaveSlugsOfTheirOwn) {
  const auto store = opened();
  WorkspaceRecord wanted;
  wanted.workspace.organisation = AccountStore::kFirst;
  wanted.workspace.name = "Team";
  wanted.workspace.slug = "team";
  wanted.workspace.quota = some_quota();
  wanted.workspace.quota.budgets[policy::BudgetPeriod::kDaily] = 7;
  const auto made = store->create(wanted, kNow);
  ASSERT_TRUE(made.has_value()) << made.error().text;
  EXPECT_EQ(store->create(wanted, kNow).error().kind, Kind::kTaken);
  const auto by_slug = store->workspace(AccountStore::kFirst, "team");
  const auto by_uuid = store->workspace(AccountStore::kFirst, made->uuid);
  ASSERT_TRUE(by_slug.has_value() && by_uuid.has_value());
  EXPECT_EQ(by_slug->workspace.id, by_uuid->workspace.id);
  EXPECT_EQ(by_slug->workspace.quota, wanted.workspace.quota);
  EXPECT_EQ(store->workspace(2, "team").error().kind, Kind::kNotFound);
  WorkspaceRecord changed = *made;
  changed.workspace.name = "Crew";
  changed.workspace.is_enabled = false;
  changed.description = "who row";
  ASSERT_TRUE(store->update(changed, kNow + 1).has_value());
  const auto found = store->workspace(made->workspace.id);
  EXPECT_EQ(found->workspace.name, "Crew");
  EXPECT_FALSE(found->workspace.is_enabled);
  EXPECT_EQ(found->description, "who row");
  EXPECT_EQ(found->updated_at, kNow + 1);
}

TEST(AccountStore, AWorkspaceGoesWhenItIsEmpty) {
  const auto store = opened();
  WorkspaceRecord wanted;
  wanted.workspace.organisation = AccountStore::kFirst;
  wanted.workspace.name = wanted.workspace.slug = "team";
  const auto id = store->create(wanted, kNow)->workspace.id;
  KeyRecord key = wanted_key();
  key.key.workspace = id;
  const KeyDigest digest = store->create(key, kNow)->record.digest;
  EXPECT_EQ(store->remove_workspace(id).error().kind, Kind::kInUse);
  ASSERT_TRUE(store->remove_key(digest).has_value());
  EXPECT_TRUE(store->remove_workspace(id).has_value());
  EXPECT_EQ(store->remove_workspace(id).error().kind, Kind::kNotFound);
  EXPECT_EQ(store->remove_workspace(AccountStore::kFirst).error().kind, Kind::kInUse);
  // The ledger names what was by its id: it is not another's now.
  wanted.workspace.slug = "next";
  EXPECT_GT(store->create(wanted, kNow)->workspace.id, id);
}

TEST(AccountStore, GrantsAddUp) {
  const auto store = opened();
  ASSERT_TRUE(store->grant({.organisation = 1, .amount = 10'000'000'001}, kNow).has_value());
  ASSERT_TRUE(store->grant({.organisation = 1, .amount = -1, .note = "slip"}, kNow).has_value());
  EXPECT_EQ(store->organisation(1)->granted, 10'000'000'000);
  EXPECT_EQ(store->grants(1)->size(), 2u);
  EXPECT_EQ(store->grants(1)->at(1).note, "slip");
  EXPECT_EQ(store->grant({.organisation = 9, .amount = 1}, kNow).error().kind, Kind::kInvalid);
  EXPECT_EQ(store->grant({.organisation = 1, .amount = 0}, kNow).error().kind, Kind::kInvalid);
}

TEST(AccountStore, OrganisationsAreMadeAndChanged) {
  const auto store = opened();
  policy::Organisation wanted;
  wanted.name = "acme";
  wanted.is_prepaid = true;
  wanted.access = some_access();
  auto made = store->create(wanted, kNow);
  ASSERT_TRUE(made.has_value()) << made.error().text;
  EXPECT_TRUE(made->is_prepaid);
  EXPECT_EQ(store->create(wanted, kNow).error().kind, Kind::kTaken);
  made->is_enabled = false;
  made->quota = some_quota();
  ASSERT_TRUE(store->update(*made, kNow).has_value());
  EXPECT_FALSE(store->organisation(made->id)->is_enabled);
  EXPECT_EQ(store->organisation(made->id)->quota, some_quota());
  EXPECT_EQ(store->organisation(made->id)->access.models, some_access().models);
  EXPECT_EQ(store->organisation(99).error().kind, Kind::kNotFound);
}

TEST(AccountStore, EachChangeIsToldOnce) {
  const auto store = opened();
  store->take_changes();
  const KeyDigest digest = store->create(wanted_key(), kNow)->record.digest;
  store->remove_key(digest);
  store->grant({.organisation = 1, .amount = 1}, kNow);
  const auto changes = store->take_changes();
  ASSERT_EQ(changes.size(), 3u);
  EXPECT_EQ(changes[0].kind, AccountChange::Kind::kKey);
  EXPECT_EQ(changes[0].digest, digest);
  EXPECT_EQ(changes[1].digest, digest);
  EXPECT_EQ(changes[2].kind, AccountChange::Kind::kOrganisation);
  EXPECT_TRUE(store->take_changes().empty());
}

TEST(AccountStore, EveryKeyIsReadForTheFirstTable) {
  const auto store = opened();
  KeyRecord limited = wanted_key("limited");
  limited.key.access = some_access();
  limited.key.quota = some_quota();
  const KeyDigest first = store->create(limited, kNow)->record.digest;
  const KeyDigest second = store->create(wanted_key(), kNow)->record.digest;
  std::vector<KeyDigest> seen;
  ASSERT_TRUE(store
                  ->each_key([&](const policy::Key& key, const KeyDigest& digest) {
                    seen.push_back(digest);
                    EXPECT_EQ(key.organisation, 1u);
                    EXPECT_EQ(key.access.has_models, digest == first);
                    EXPECT_EQ(key.quota == policy::Quota{}, digest == second);
                  })
                  .has_value());
  EXPECT_EQ(seen.size(), 2u);
  EXPECT_GE(store->keys_at_most(), 2u);
  EXPECT_EQ(store->keys_with_access(0), std::vector<KeyDigest>{first});
  EXPECT_EQ(store->keys_with_access(1), std::vector<KeyDigest>{first});
  EXPECT_TRUE(store->keys_with_access(2)->empty());
}

ProviderKeyRecord wanted_provider_key() {
  ProviderKeyRecord wanted;
  wanted.workspace = AccountStore::kFirst;
  wanted.provider = "openai";
  return wanted;
}

std::string unsealed(AccountStore& store, policy::AccountId id,
                     const std::array<std::uint8_t, 32>& master = kMaster) {
  std::array<char, 256> out;
  const auto size = store.unseal_provider_key(id, master, out);
  return size ? std::string(out.data(), *size) : "none";
}

TEST(AccountStore, ProviderKeysOpenWithTheMasterKeyOnly) {
  const auto store = opened();
  ProviderKeyRecord wanted = wanted_provider_key();
  wanted.allowed_models = {"a/b"};
  wanted.is_fallback = true;
  const auto made = store->create(wanted, kSecret, kMaster, kNow);
  ASSERT_TRUE(made.has_value()) << made.error().text;
  EXPECT_EQ(made->label, "...6789");
  EXPECT_EQ(made->allowed_models, wanted.allowed_models);
  EXPECT_FALSE(made->allowed_users.has_value());
  EXPECT_TRUE(made->is_fallback);
  EXPECT_EQ(unsealed(*store, made->id), kSecret);
  EXPECT_EQ(unsealed(*store, made->id, {9}), "none");
  ASSERT_TRUE(store->replace_secret(made->id, "sk-other-key-000000000", kMaster, kNow).has_value());
  EXPECT_EQ(unsealed(*store, made->id), "sk-other-key-000000000");
  EXPECT_EQ(store->provider_key(made->uuid)->label, "...0000");
  // A short one would be half shown.
  EXPECT_EQ(store->create(wanted, "short-key", kMaster, kNow)->label, "...");
  ASSERT_TRUE(store->remove_provider_key(made->id).has_value());
  EXPECT_EQ(unsealed(*store, made->id), "none");
}

TEST(AccountStore, ProviderKeysComeInTheOrderInWhichTheyAreTried) {
  const auto store = opened();
  const auto add = [&](std::string name, bool is_fallback, std::int64_t sort_order) {
    ProviderKeyRecord wanted = wanted_provider_key();
    wanted.name = std::move(name);
    wanted.is_fallback = is_fallback;
    wanted.sort_order = sort_order;
    ASSERT_TRUE(store->create(wanted, kSecret, kMaster, kNow).has_value());
  };
  add("d", true, 0);
  add("c", false, 2);
  add("a", false, 1);
  add("b", false, 1);
  std::string order;
  const auto provider_keys = *store->provider_keys(1);
  for (const ProviderKeyRecord& record : provider_keys) order += record.name;
  EXPECT_EQ(order, "abcd");
}

TEST(AccountStore, ASealedKeyInAnotherRowOpensNothing) {
  const Folder folder;
  policy::AccountId ids[2];
  {
    const auto store = opened(folder.file());
    ids[0] = store->create(wanted_provider_key(), kSecret, kMaster, kNow)->id;
    ids[1] = store->create(wanted_provider_key(), "sk-second-0123456789", kMaster, kNow)->id;
  }
  {
    auto database = SqliteDatabase::open(folder.file());
    (*database)->run(
        "UPDATE provider_keys SET sealed=(SELECT sealed FROM provider_keys WHERE id=1)"
        " WHERE id=2");
    ASSERT_FALSE((*database)->has_fault());
  }
  const auto store = opened(folder.file());
  EXPECT_EQ(unsealed(*store, ids[0]), kSecret);
  EXPECT_EQ(unsealed(*store, ids[1]), "none");
}

TEST(AccountStore, AllIsThereAfterARestartAndNoSecretIs) {
  const Folder folder;
  std::string text;
  {
    const auto store = opened(folder.file());
    text = store->create(wanted_key(), kNow)->text;
    ASSERT_TRUE(store->create(wanted_provider_key(), kSecret, kMaster, kNow).has_value());
    const std::string running = folder.contents();
    EXPECT_EQ(running.find(text), std::string::npos);
    EXPECT_EQ(running.find(kSecret), std::string::npos);
  }
  const std::string bytes = folder.contents();
  EXPECT_EQ(bytes.find(text), std::string::npos);
  EXPECT_EQ(bytes.find(kSecret), std::string::npos);
  const auto mode = std::filesystem::status(folder.file()).permissions();
  EXPECT_EQ(mode & std::filesystem::perms(077), std::filesystem::perms::none);
  const auto store = opened(folder.file());
  EXPECT_TRUE(store->key(digest_of(text)).has_value());
  EXPECT_EQ(store->organisations()->size(), 1u);
  EXPECT_EQ(store->workspaces(0)->size(), 1u);
  EXPECT_EQ(unsealed(*store, 1), kSecret);
}

void expect_refused(const std::string& path, const std::string& phrase) {
  const auto store = AccountStore::open(path, kNow);
  ASSERT_FALSE(store.has_value());
  EXPECT_EQ(store.error().kind, Kind::kUnavailable);
  EXPECT_NE(store.error().text.find(phrase), std::string::npos) << store.error().text;
}

TEST(AccountStore, OneProcessHasItAtATime) {
  const Folder folder;
  {
    const auto store = opened(folder.file());
    expect_refused(folder.file(), "in use by another process");
    EXPECT_TRUE(store->create(wanted_key(), kNow).has_value());
  }
  EXPECT_EQ(opened(folder.file())->keys({})->size(), 1u);
}

TEST(AccountStore, AnOlderFileIsBroughtUpToDateWithAllThatItHas) {
  const Folder folder;
  KeyRecord wanted = wanted_key();
  wanted.key.quota = some_quota();
  const KeyRecord made = opened(folder.file())->create(wanted, kNow)->record;
  {
    auto database = SqliteDatabase::open(folder.file());
    (*database)->run(
        "ALTER TABLE keys DROP COLUMN output_default_max; "
        "ALTER TABLE keys DROP COLUMN log_content; "
        "ALTER TABLE keys DROP COLUMN hold_ms_max; DROP TRIGGER key_leaves; "
        "DROP INDEX keys_by_creator; DROP TABLE former_keys; PRAGMA user_version=1");
    ASSERT_FALSE((*database)->has_fault());
  }
  const auto store = opened(folder.file());
  auto record = store->key(made.digest);
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->key.quota, some_quota());
  EXPECT_EQ(record->key.output_default_max, 0u);
  EXPECT_EQ(record->key.hold_ms_max, policy::kHoldMsMax);
  EXPECT_FALSE(record->key.logs_content);
  EXPECT_EQ(store->organisations()->size(), 1u) << "nothing is made a second time";
  record->key.output_default_max = 5;
  ASSERT_TRUE(store->update(*record, kNow).has_value());
  EXPECT_EQ(store->key(made.digest)->key.output_default_max, 5u);
}

TEST(AccountStore, WhoAskedForAKeyIsKnownWhenItIsGone) {
  const Folder folder;
  const auto store = opened(folder.file());
  std::vector<policy::AccountId> ids;
  std::vector<KeyDigest> digests;
  for (const char* creator : {"anna", "anna", "ben", ""}) {
    KeyRecord wanted = wanted_key();
    wanted.creator = creator;
    const KeyRecord made = store->create(wanted, kNow)->record;
    ids.push_back(made.key.id);
    digests.push_back(made.digest);
  }
  for (const std::size_t gone : {0u, 3u}) {
    ASSERT_TRUE(store->remove_key(digests[gone]).has_value());
  }
  auto annas = *store->keys_of_creator("anna");
  std::ranges::sort(annas);
  EXPECT_EQ(annas, (std::vector<policy::AccountId>{ids[0], ids[1]}));
  EXPECT_EQ(store->keys_of_creator("ben")->size(), 1u);
  EXPECT_TRUE(store->keys_of_creator("")->empty()) << "nobody's are not somebody's";
  EXPECT_TRUE(store->keys_of_creator("Anna")->empty());
}

TEST(AccountStore, ANewerFileIsRefusedAndLeftAsItIs) {
  const Folder folder;
  opened(folder.file()).reset();
  {
    auto database = SqliteDatabase::open(folder.file());
    (*database)->run("PRAGMA user_version=6");
  }
  const std::string before = folder.contents();
  expect_refused(folder.file(), "newer Leat (schema 6, known up to 5)");
  EXPECT_EQ(folder.contents(), before);
}

TEST(AccountStore, AnotherProgramsDatabaseIsRefused) {
  const Folder folder;
  {
    auto database = SqliteDatabase::open(folder.file());
    (*database)->run("CREATE TABLE songs(name TEXT)");
  }
  expect_refused(folder.file(), "another program");
}

TEST(AccountStore, WhatIsNoDatabaseOrADamagedOneIsRefused) {
  const Folder folder;
  folder.write(std::string(8'192, 'x'));
  expect_refused(folder.file(), "damaged or no account store");
  std::filesystem::remove(folder.file());
  {
    const auto store = opened(folder.file());
    for (int i = 0; i < 200; ++i) ASSERT_TRUE(store->create(wanted_key(), kNow).has_value());
  }
  std::string bytes = folder.contents();
  ASSERT_GT(bytes.size(), 40'000u);
  // Every page but the first, which has the schema.
  std::fill(bytes.begin() + 4'096, bytes.end(), '\x55');
  folder.write(bytes);
  expect_refused(folder.file(), "damaged");
}

TEST(AccountStore, AFolderThatIsNotThereIsTold) {
  expect_refused("/nonexistent/accounts.db", "cannot be opened");
}

}  // namespace
}  // namespace leat::control
