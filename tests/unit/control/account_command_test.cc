// SPDX-License-Identifier: Apache-2.0
// Goal: an operator makes, finds, disables and deletes keys from a terminal, sees a key once, and
// is told what is wrong with a word that helps; nothing happens to a store that Leat is using.
// Method: whole command lines, as the shell gives them, on a store file of the test's own.
#include "control/account_command.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "control/account_store.h"
#include "control/command_line.h"
#include "fake_surroundings.h"

namespace leat::control {
namespace {

constexpr WallTime kNow{1'795'000'000'000'000'000};

class AccountCommandTest : public ::testing::Test {
 protected:
  AccountCommandTest() {
    folder_ = ::testing::TempDir() + "account_command_XXXXXX";
    EXPECT_NE(mkdtemp(folder_.data()), nullptr);
  }
  ~AccountCommandTest() override { std::filesystem::remove_all(folder_); }
  std::string store() const { return folder_ + "/accounts.db"; }

  AccountOutcome run(std::vector<std::string> words) {
    words.insert(words.begin(), "leat");
    words.push_back("--store");
    words.push_back(store());
    std::vector<const char*> arguments;
    for (const std::string& word : words) arguments.push_back(word.c_str());
    const Command command =
        parse_command_line(static_cast<int>(arguments.size()), arguments.data());
    EXPECT_EQ(command.kind, Command::Kind::kAccounts) << command.text;
    return run_account_command(command.accounts, FakeSurroundings(), kNow);
  }
  // The hash of the one key that list shows.
  std::string listed_hash() { return run({"keys", "list", "--all"}).output.substr(0, 64); }

  std::string folder_;
};

std::string key_in(const std::string& output) {
  const std::size_t at = output.find("\nsk-leat-v1-") + 1;
  return output.substr(at, output.find('\n', at) - at);
}

TEST_F(AccountCommandTest, AKeyIsMadeAndFoundAgain) {
  const AccountOutcome made =
      run({"keys", "create", "ci", "--limit", "5.5", "--reset", "daily", "--requests-per-minute",
           "3", "--model", "openai/*", "--model", "a/b", "--expires", "2027-01-01T00:00:00Z",
           "--markup-ppm", "-5", "--output-default=77", "--hold=7"});
  ASSERT_EQ(made.status, 0) << made.messages;
  const std::string text = key_in(made.output);
  ASSERT_EQ(form_of(text), KeyForm::kOurs) << made.output;
  {
    const auto opened = AccountStore::open(store(), 1);
    const auto record = (*opened)->key(digest_of(text));
    ASSERT_TRUE(record.has_value());
    EXPECT_EQ(record->key.name, "ci");
    EXPECT_EQ(record->key.quota.budgets[policy::BudgetPeriod::kDaily], 5'500'000'000);
    EXPECT_EQ(record->key.quota.rates.requests_per_minute, 3u);
    EXPECT_EQ(record->key.access.models, (std::vector<std::string>{"openai/*", "a/b"}));
    EXPECT_EQ(record->key.expires_at, 1'798'761'600);
    EXPECT_EQ(record->key.markup_ppm, -5);
    EXPECT_EQ(record->key.output_default_max, 77u);
    EXPECT_EQ(record->key.hold_ms_max, 7u);
  }
  const AccountOutcome listed = run({"keys", "list"});
  EXPECT_NE(listed.output.find("ci\n"), std::string::npos) << listed.output;
  EXPECT_NE(listed.output.find("$5.5 daily"), std::string::npos) << listed.output;
  EXPECT_EQ(listed.output.find(text), std::string::npos);
  const AccountOutcome shown = run({"keys", "show", listed_hash()});
  EXPECT_NE(shown.output.find("openai/*, a/b"), std::string::npos) << shown.output;
  EXPECT_EQ(shown.output.find(text), std::string::npos);
}

TEST_F(AccountCommandTest, AKeyIsDisabledEnabledAndDeleted) {
  ASSERT_EQ(run({"keys", "create", "k", "--management"}).status, 0);
  const std::string hash = listed_hash();
  EXPECT_EQ(run({"keys", "disable", hash}).status, 0);
  EXPECT_EQ(run({"keys", "list"}).output, "no keys\n");
  EXPECT_NE(run({"keys", "list", "--all"}).output.find("disabled"), std::string::npos);
  EXPECT_EQ(run({"keys", "enable", hash}).status, 0);
  EXPECT_NE(run({"keys", "list"}).output.find("management"), std::string::npos);
  EXPECT_EQ(run({"keys", "delete", hash}).output, "deleted\n");
  EXPECT_EQ(run({"keys", "delete", hash}).status, kExitRefused);
  EXPECT_EQ(run({"keys", "list", "--all"}).output, "no keys\n");
}

TEST_F(AccountCommandTest, CreditIsGranted) {
  EXPECT_EQ(run({"credits", "grant", "100.25", "--note", "May"}).status, 0);
  EXPECT_EQ(run({"credits", "show", "--json"}).output,
            "{\"data\":{\"total_credits\":100.25,\"total_usage\":0}}\n");
  EXPECT_EQ(run({"credits", "grant", "much"}).status, kExitRefused);
  EXPECT_NE(run({"credits", "prepaid", "on"}).output.find("yes"), std::string::npos);
  EXPECT_NE(run({"credits", "prepaid", "off"}).output.find("no"), std::string::npos);
}

TEST_F(AccountCommandTest, WhatIsWrongIsTold) {
  const auto expect_told = [this](std::vector<std::string> words, const std::string& phrase) {
    const AccountOutcome outcome = run(std::move(words));
    EXPECT_EQ(outcome.status, kExitRefused);
    EXPECT_TRUE(outcome.output.empty());
    EXPECT_NE(outcome.messages.find(phrase), std::string::npos) << outcome.messages;
  };
  expect_told({"keys", "create", "k", "--limit", "lots"}, "`limit`");
  expect_told({"keys", "create", "k", "--reset", "hourly"}, "`limit_reset`");
  expect_told({"keys", "create", "k", "--workspace", "none"}, "no such workspace");
  expect_told({"keys", "show", "0123"}, "no such key");
  expect_told({"keys", "list", "--organisation", "none"}, "no such organisation");
  EXPECT_EQ(run({"keys", "list", "--all"}).output, "no keys\n");
}

TEST_F(AccountCommandTest, AStoreInUseIsLeftAlone) {
  const auto opened = AccountStore::open(store(), 1);
  ASSERT_TRUE(opened.has_value());
  const AccountOutcome outcome = run({"keys", "create", "k"});
  EXPECT_EQ(outcome.status, kExitNoInput);
  EXPECT_NE(outcome.messages.find("in use by another process"), std::string::npos);
  EXPECT_TRUE((*opened)->keys({.with_disabled = true})->empty());
}

}  // namespace
}  // namespace leat::control
