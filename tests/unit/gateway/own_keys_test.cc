// SPDX-License-Identifier: Apache-2.0
// Goal: a request may use those own keys of its workspace whose filters let it; and what a provider
// says of one is remembered of that one alone, at that endpoint alone or wherever it is used, until
// its time is over or its secret is another. Method: rules of small lists; states one statement at
// a time.
#include "gateway/own_keys.h"

#include <gtest/gtest.h>

#include "gateway/key_table.h"
#include "gateway/own_key_states.h"
#include "policy/catalogue_builder.h"
#include "tls/digest.h"

namespace leat::gateway {
namespace {

constexpr Instant kNow = Instant{} + seconds(1'000);

class OwnKeyRules : public testing::Test {
 protected:
  OwnKeyRules() {
    policy::CatalogueBuilder builder;
    EXPECT_TRUE(builder.add_provider({.slug = "p"}));
    for (const char* id : {"acme/one", "acme/two", "other/one"}) {
      EXPECT_TRUE(builder.add_model({.id = id}));
      policy::EndpointSpec spec;
      spec.model = id;
      spec.provider = spec.tag = "p";
      spec.upstream_model = "m";
      spec.has_data_policy = true;
      spec.facts.prices[policy::PriceClass::kPrompt] = 1;
      spec.facts.prices[policy::PriceClass::kCompletion] = 1;
      const auto added = builder.add_endpoint(spec);
      EXPECT_TRUE(added) << text_of(added.error().fault);
    }
    catalogue_ = std::move(*builder.finish());
    for (const char* id : {"acme/one", "other/one"}) models_.push_back(catalogue_.resolve(id));
  }

  OwnKey& own(std::uint32_t id) {
    OwnKey& key = keys_.emplace_back();
    key.id = id;
    key.provider = catalogue_.find_provider("p");
    key.secret = slots_.put("sk-0123456789");
    return key;
  }
  std::span<const policy::OwnKeyRule> rules() {
    return own_key_rules(keys_, client_, catalogue_, models_, room_);
  }

  policy::Catalogue catalogue_;
  std::vector<policy::ModelRef> models_;
  tls::SecretSlots slots_;
  OwnKeys keys_;
  KeyDigest client_ = tls::sha256("client");
  std::array<policy::OwnKeyRule, policy::kOwnKeysMax> room_;
};

TEST_F(OwnKeyRules, SayWhatAKeyIsFor) {
  own(7).is_fallback = true;
  own(3).is_required = true;
  keys_[1].secret = nullptr;
  const auto made = rules();
  ASSERT_EQ(made.size(), 2u);
  EXPECT_EQ(made[0].id, 7u);
  EXPECT_EQ(made[0].provider, catalogue_.find_provider("p"));
  EXPECT_EQ(made[0].models, 0b11u);
  EXPECT_TRUE(made[0].is_fallback && made[0].is_readable && !made[0].is_required);
  EXPECT_TRUE(!made[1].is_fallback && !made[1].is_readable && made[1].is_required);
}

TEST_F(OwnKeyRules, LeaveOutWhatIsForOthers) {
  own(1).keys = {tls::sha256("another client")};
  own(2).keys = {tls::sha256("another client"), client_};
  own(3).keys.emplace();
  ASSERT_EQ(rules().size(), 1u);
  EXPECT_EQ(rules()[0].id, 2u);
}

TEST_F(OwnKeyRules, AreForTheModelsThatTheyName) {
  own(1).access = {.has_models = true, .models = {"acme/*"}};
  own(2).access = {.has_models = true, .models = {"other/one"}};
  own(3).access = {.has_models = true, .models = {"acme/two"}};
  ASSERT_EQ(rules().size(), 2u) << "a key for none of the request's models is of no use";
  EXPECT_EQ(rules()[0].models, 0b01u);
  EXPECT_EQ(rules()[1].models, 0b10u);
}

TEST_F(OwnKeyRules, NeverAreMoreThanThereIsRoomFor) {
  for (std::uint32_t id = 1; id <= policy::kOwnKeysMax + 5; ++id) own(id);
  EXPECT_EQ(rules().size(), policy::kOwnKeysMax);
}

TEST_F(OwnKeyRules, ADirectoryFindsTheKeysOfAWorkspaceAsTheyAreNow) {
  own(4).revision = 9;
  KeyTable table;
  AccountRow row{.id = 5, .organisation = 1, .is_workspace = true};
  row.own_keys = std::make_shared<const OwnKeys>(keys_);
  KeyDirectory directory;
  directory.apply(table.put(row));
  ASSERT_NE(directory.own_key(5, 4), nullptr);
  EXPECT_EQ(directory.own_key(5, 4)->revision, 9u);
  EXPECT_EQ(directory.own_key(5, 3), nullptr);
  EXPECT_EQ(directory.own_key(6, 4), nullptr);
  const char* const place = keys_[0].secret->view().data();
  keys_.clear();
  row.own_keys = nullptr;
  directory.apply(table.put(row));
  EXPECT_EQ(directory.own_key(5, 4), nullptr);
  EXPECT_EQ(*place, 0) << "the last who had it has wiped it";
}

TEST(OwnKeyStates, ARefusedKeyRestsEverywhereAndThenNoMore) {
  OwnKeyStates states;
  const OwnKeyRef key{.id = 1, .revision = 1};
  EXPECT_FALSE(states.is_resting(key, kNow));
  states.rest(key, kNow);
  EXPECT_TRUE(states.is_resting(key, kNow + kOwnKeyRest - nanoseconds(1)));
  EXPECT_FALSE(states.is_resting(key, kNow + kOwnKeyRest));
  EXPECT_FALSE(states.is_resting({.id = 2, .revision = 1}, kNow));
  EXPECT_EQ(states.limited_until(key, 0), Instant{0}) << "which is no limit";
}

TEST(OwnKeyStates, ALimitIsThatOfOneEndpoint) {
  OwnKeyStates states;
  const OwnKeyRef key{.id = 1, .revision = 1};
  policy::RateNotice notice;
  notice.retry_after = seconds(30);
  states.note_reply(key, 7, 429, notice, kNow);
  EXPECT_EQ(states.limited_until(key, 7), kNow + seconds(30));
  EXPECT_EQ(states.limited_until(key, 8), Instant{0});
  EXPECT_EQ(states.limited_until({.id = 2, .revision = 1}, 7), Instant{0});
  EXPECT_FALSE(states.is_resting(key, kNow));
}

TEST(OwnKeyStates, AnotherSecretBeginsAnew) {
  OwnKeyStates states;
  const OwnKeyRef old{.id = 1, .revision = 1};
  const OwnKeyRef changed{.id = 1, .revision = 2};
  states.rest(old, kNow);
  EXPECT_FALSE(states.is_resting(changed, kNow));
  states.rest(changed, kNow);
  states.rest(old, kNow + seconds(30));
  EXPECT_FALSE(states.is_resting(changed, kNow + kOwnKeyRest)) << "what is heard late is not of it";
}

TEST(OwnKeyStates, GoOnUnderAnotherCatalogue) {
  OwnKeyStates before;
  policy::RateNotice notice;
  notice.retry_after = seconds(60);
  const Instant now{1'000'000'000};
  before.rest({.id = 1, .revision = 2}, now);
  before.note_reply({.id = 3, .revision = 1}, 7, 429, notice, now);
  before.note_reply({.id = 3, .revision = 1}, 8, 429, notice, now);
  OwnKeyStates states;
  states.keep(before, [](policy::EndpointId id) { return id == 7 ? 70u : policy::kNoId; });
  EXPECT_TRUE(states.is_resting({.id = 1, .revision = 2}, now));
  EXPECT_FALSE(states.is_resting({.id = 1, .revision = 3}, now));
  EXPECT_GT(states.limited_until({.id = 3, .revision = 1}, 70), now);
  EXPECT_LE(states.limited_until({.id = 3, .revision = 1}, 8), now);
  EXPECT_EQ(states.size(), 2u);
}

TEST(OwnKeyStates, AreBounded) {
  OwnKeyStates states;
  for (std::uint32_t id = 1; id <= OwnKeyStates::kStatesMax + 10; ++id) {
    states.rest({.id = id, .revision = 1}, kNow);
  }
  EXPECT_EQ(states.size(), OwnKeyStates::kStatesMax);
  const Instant later = kNow + kOwnKeyRest;
  states.rest({.id = 99'999, .revision = 1}, later);
  EXPECT_EQ(states.size(), 1u) << "those that say nothing any more make room";
  EXPECT_TRUE(states.is_resting({.id = 99'999, .revision = 1}, later));
}

}  // namespace
}  // namespace leat::gateway
