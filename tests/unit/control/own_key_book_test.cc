// SPDX-License-Identifier: Apache-2.0
// Goal: shards have the provider keys that workspaces brought as the store has them, opened, in the
// order in which they are used; one that is changed, disabled or removed is gone from them with the
// next delta, and its memory with the last who has it; one that does not open shuts nobody in who
// wanted no shared capacity, and is told. Method: a store in memory, a publisher, and one directory
// that follows it delta by delta.
#include "control/own_key_book.h"

#include <gtest/gtest.h>

#include "control/key_publisher.h"
#include "policy/catalogue_builder.h"

namespace leat::control {
namespace {

constexpr std::int64_t kNow = 1'795'000'000;
constexpr std::array<std::uint8_t, 32> kMaster{1, 2, 3};
constexpr std::array<std::uint8_t, 32> kOtherMaster{3, 2, 1};

policy::Catalogue one_provider() {
  policy::CatalogueBuilder builder;
  EXPECT_TRUE(builder.add_provider({.slug = "openai"}));
  return std::move(*builder.finish());
}

class OwnKeyBookTest : public testing::Test {
 protected:
  using Edit = std::function<void(ProviderKeyRecord&)>;
  OwnKeyBookTest()
      : store_(std::move(*AccountStore::open(":memory:", kNow))), catalogue_(one_provider()) {
    restart(tls::AeadKey(kMaster));
  }

  void restart(std::optional<tls::AeadKey> master) {
    publisher_.emplace(*store_, catalogue_, std::vector<gateway::KeyEntry>(), master);
    EXPECT_TRUE(publisher_->load().has_value());
    directory_ = {};
    directory_.apply(publisher_->table().whole());
  }
  ProviderKeyRecord bring(std::string_view secret, const Edit& edit = {}) {
    ProviderKeyRecord wanted;
    wanted.workspace = AccountStore::kFirst;
    wanted.provider = "openai";
    if (edit) edit(wanted);
    return *store_->create(wanted, secret, tls::AeadKey(kMaster), kNow);
  }
  KeyRecord client(std::string creator) {
    KeyRecord wanted;
    wanted.key.organisation = wanted.key.workspace = AccountStore::kFirst;
    wanted.key.name = "k";
    wanted.creator = std::move(creator);
    return store_->create(wanted, kNow)->record;
  }
  // After the shard has heard of all changes; null: none of that id.
  const gateway::OwnKey* heard(const ProviderKeyRecord& record) {
    auto delta = publisher_->follow();
    EXPECT_TRUE(delta.has_value());
    directory_.apply(*delta);
    return directory_.own_key(AccountStore::kFirst, static_cast<std::uint32_t>(record.id));
  }
  // Whether a client may use it, once its shard has heard of all.
  bool is_for(const ProviderKeyRecord& record, const KeyRecord& key) {
    const gateway::OwnKey* const own = heard(record);
    return own != nullptr && own->allows_key(key.digest);
  }

  std::unique_ptr<AccountStore> store_;
  policy::Catalogue catalogue_;
  std::optional<KeyPublisher> publisher_;
  gateway::KeyDirectory directory_;
};

TEST_F(OwnKeyBookTest, AKeyIsOpenedChangedAndGone) {
  ProviderKeyRecord record = bring("sk-first-0123456789");
  const gateway::OwnKey* own = heard(record);
  ASSERT_NE(own, nullptr);
  EXPECT_EQ(own->secret->view(), "sk-first-0123456789");
  EXPECT_EQ(own->provider, catalogue_.find_provider("openai"));
  EXPECT_TRUE(!own->is_fallback && !own->is_required && !own->access.has_models && !own->keys);
  const std::uint32_t revision = own->revision;
  const char* const place = own->secret->view().data();

  EXPECT_TRUE(store_->replace_secret(record.id, "sk-second-01234567", tls::AeadKey(kMaster), kNow));
  own = heard(record);
  EXPECT_EQ(own->secret->view(), "sk-second-01234567");
  EXPECT_GT(own->revision, revision);
  EXPECT_EQ(*place, 0) << "nobody has the old one";

  record.is_enabled = false;
  EXPECT_TRUE(store_->update(record, kNow).has_value());
  EXPECT_EQ(heard(record), nullptr);
  record.is_enabled = true;
  EXPECT_TRUE(store_->update(record, kNow).has_value());
  ASSERT_NE(heard(record), nullptr);
  EXPECT_TRUE(store_->remove_provider_key(record.id).has_value());
  EXPECT_EQ(heard(record), nullptr);
  EXPECT_EQ(publisher_->take_fault(), "");
}

TEST_F(OwnKeyBookTest, WhoBeginsNowHasThemToo) {
  const ProviderKeyRecord record = bring("sk-first-0123456789");
  restart(tls::AeadKey(kMaster));
  ASSERT_NE(heard(record), nullptr);
  EXPECT_EQ(heard(record)->secret->view(), "sk-first-0123456789");
}

TEST_F(OwnKeyBookTest, AnotherKeysChangeLeavesThisOneAsItIs) {
  const ProviderKeyRecord record = bring("sk-first-0123456789");
  const std::uint32_t revision = heard(record)->revision;
  ProviderKeyRecord other = bring("sk-second-01234567");
  EXPECT_EQ(heard(record)->revision, revision);
  EXPECT_NE(heard(other)->revision, revision);
}

TEST_F(OwnKeyBookTest, TheyAreInTheOrderInWhichTheyAreUsed) {
  bring("sk-a-0123456789", [](auto& r) { r.sort_order = 2; });
  bring("sk-b-0123456789", [](auto& r) { r.is_fallback = true; });
  const auto last = bring("sk-c-0123456789", [](auto& r) { r.sort_order = 1; });
  heard(last);
  const gateway::KeyDelta whole = publisher_->table().whole();
  std::string order;
  for (const auto& account : whole.accounts) {
    if (account->own_keys == nullptr) continue;
    for (const auto& key : *account->own_keys) order += key.secret->view().substr(3, 1);
  }
  EXPECT_EQ(order, "cab");
}

TEST_F(OwnKeyBookTest, WhatItIsForIsKept) {
  const KeyRecord mine = client("anna");
  const KeyRecord other = client("otto");
  const auto record = bring("sk-a-0123456789", [&](ProviderKeyRecord& r) {
    r.is_required = true;
    r.allowed_models = {"acme/*"};
    r.allowed_key_hashes.emplace();
    for (const std::uint8_t byte : mine.digest) {
      if (r.allowed_key_hashes->empty()) r.allowed_key_hashes->emplace_back();
      constexpr char kHex[] = "0123456789abcdef";
      r.allowed_key_hashes->back() += {kHex[byte >> 4], kHex[byte & 15]};
    }
  });
  EXPECT_TRUE(is_for(record, mine));
  EXPECT_FALSE(is_for(record, other));
  EXPECT_TRUE(heard(record)->is_required);
  EXPECT_EQ(heard(record)->access.models, std::vector<std::string>{"acme/*"});
}

TEST_F(OwnKeyBookTest, PeopleAreKnownByTheKeysThatTheyMade) {
  const KeyRecord annas = client("anna");
  const auto record = bring("sk-a-0123456789", [](auto& r) { r.allowed_users = {"otto"}; });
  EXPECT_FALSE(is_for(record, annas));
  const KeyRecord ottos = client("otto");
  EXPECT_TRUE(is_for(record, ottos)) << "made after it was brought";
  EXPECT_FALSE(is_for(record, client("")));
}

TEST_F(OwnKeyBookTest, WhatDoesNotOpenIsToldAndUsedByNobody) {
  const auto record = bring("sk-a-0123456789", [](auto& r) { r.is_required = true; });
  for (const bool has_master : {true, false}) {
    restart(has_master ? std::optional(tls::AeadKey(kOtherMaster)) : std::nullopt);
    const gateway::OwnKey* const own = heard(record);
    ASSERT_NE(own, nullptr) << "what it requires holds";
    EXPECT_EQ(own->secret, nullptr);
    EXPECT_TRUE(own->is_required);
    const std::string fault = publisher_->take_fault();
    EXPECT_NE(fault.find(record.uuid), std::string::npos) << fault;
    EXPECT_EQ(publisher_->take_fault(), "");
  }
}

}  // namespace
}  // namespace leat::control
