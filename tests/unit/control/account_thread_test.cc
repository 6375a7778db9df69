// SPDX-License-Identifier: Apache-2.0
// Goal: requests are answered in order, each with what shards must hear of it; nothing that was
// posted is lost at the end; a store that cannot be used is told before anything serves.
// Method: the thread with a store in memory; the test waits on the waker, never for a time.
#include "control/account_thread.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "control/json_tree.h"
#include "gateway/configured_keys.h"

namespace leat::control {
namespace {

constexpr WallTime kNow{1'795'000'000'000'000'000};

class CountingWaker final : public io::Waker {
 public:
  void wake() override { woken_.release(); }
  void wait() { woken_.acquire(); }

 private:
  std::counting_semaphore<> woken_{0};
};

class AccountThreadTest : public ::testing::Test {
 protected:
  AccountSetup setup(std::string file = ":memory:") {
    return {.store_file = std::move(file), .catalogue = &catalogue_, .usage = &usage_, .now = kNow};
  }
  static AccountJob job(std::uint64_t ticket, std::string method, std::string path,
                        std::string body = {}) {
    return {.ticket = ticket,
            .method = std::move(method),
            .path = std::move(path),
            .body = std::move(body),
            .actor = {.is_operator = true},
            .now = kNow};
  }
  AccountDone next(AccountThread& thread) {
    waker_.wait();
    auto done = thread.take();
    EXPECT_TRUE(done.has_value());
    return done ? std::move(*done) : AccountDone();
  }

  CountingWaker waker_;
  policy::Catalogue catalogue_;
  NoUsage usage_;
};

std::string member(const AccountDone& done, std::string_view object, std::string_view key) {
  std::string why;
  const auto value = parse_json(done.answer.body, why);
  const JsonValue* data = value && !object.empty() ? value->find(object) : &*value;
  return data == nullptr ? std::string() : std::string(data->text_of(key));
}

TEST_F(AccountThreadTest, AKeyIsInForceWithTheAnswerAndGoneWithTheNext) {
  auto thread = AccountThread::start(setup(), waker_);
  ASSERT_TRUE(thread.has_value()) << thread.error().text;
  gateway::KeyDirectory shard;
  shard.apply((*thread)->first());
  ASSERT_TRUE((*thread)->post(job(7, "POST", "/keys", R"({"name":"k"})")));
  const AccountDone made = next(**thread);
  EXPECT_EQ(made.ticket, 7u);
  EXPECT_EQ(made.answer.status, 201);
  EXPECT_TRUE(made.fault.empty());
  const KeyDigest digest = digest_of(member(made, "", "key"));
  EXPECT_EQ(shard.find(digest), nullptr);
  shard.apply(made.delta);
  EXPECT_EQ(shard.look_up(digest, policy::KeyScope::kInference, kNow).fault,
            gateway::KeyFault::kNone);
  ASSERT_TRUE((*thread)->post(job(8, "DELETE", "/keys/" + member(made, "data", "hash"))));
  shard.apply(next(**thread).delta);
  EXPECT_EQ(shard.find(digest), nullptr);
}

TEST_F(AccountThreadTest, AnswersComeInOrderAndTooManyAreRefused) {
  auto thread = AccountThread::start(setup(), waker_);
  ASSERT_TRUE(thread.has_value());
  for (std::uint64_t round = 0; round < 3; ++round) {
    for (std::uint64_t i = 0; i < AccountThread::kJobsMax; ++i) {
      ASSERT_TRUE((*thread)->post(job(i, "GET", "/keys")));
    }
    // Answered or not: what was not taken has its place.
    EXPECT_FALSE((*thread)->post(job(99, "GET", "/keys")));
    for (std::uint64_t i = 0; i < AccountThread::kJobsMax; ++i) {
      const AccountDone done = next(**thread);
      EXPECT_EQ(done.ticket, i);
      EXPECT_EQ(done.answer.status, 200);
      EXPECT_TRUE(done.delta.is_empty());
    }
    EXPECT_FALSE((*thread)->take().has_value());
  }
}

TEST_F(AccountThreadTest, AKeyOfTheConfigurationHasItsPlaceAndMayAskAboutItself) {
  Options options;
  options.keys.push_back({.name = "dev", .sha256 = digest_of("sk-dev")});
  AccountSetup wanted = setup();
  wanted.options = &options;
  auto thread = AccountThread::start(wanted, waker_);
  ASSERT_TRUE(thread.has_value()) << thread.error().text;
  gateway::KeyDirectory shard;
  shard.apply((*thread)->first());
  const auto found = shard.look_up(digest_of("sk-dev"), policy::KeyScope::kInference, kNow);
  ASSERT_EQ(found.fault, gateway::KeyFault::kNone);
  const auto asked = [&](std::string path) {
    AccountJob question = job(1, "GET", std::move(path));
    question.actor = {.organisation = found.key->organisation, .key = digest_of("sk-dev")};
    EXPECT_TRUE((*thread)->post(question));
    return next(**thread);
  };
  const AccountDone key = asked("/key");
  EXPECT_EQ(key.answer.status, 200);
  EXPECT_EQ(member(key, "data", "label"), "dev");
  EXPECT_EQ(asked("/credits").answer.body, R"({"data":{"total_credits":0,"total_usage":0}})");
  // It is not the store's to list or change.
  EXPECT_EQ(asked("/keys").answer.body, R"({"data":[]})");
}

TEST_F(AccountThreadTest, AnotherConfigurationBringsAllKeysAnew) {
  Options first;
  first.keys.push_back({.name = "dev", .sha256 = digest_of("sk-dev")});
  AccountSetup wanted = setup();
  wanted.options = &first;
  auto thread = AccountThread::start(wanted, waker_);
  ASSERT_TRUE(thread.has_value()) << thread.error().text;
  gateway::KeyDirectory shard;
  shard.apply((*thread)->first());
  ASSERT_TRUE((*thread)->post(job(1, "POST", "/keys", R"({"name":"stored"})")));
  const AccountDone made = next(**thread);
  ASSERT_EQ(made.answer.status, 201) << made.answer.body;
  shard.apply(made.delta);
  const std::string stored = member(made, "", "key");

  Options second;
  second.keys.push_back({.name = "ops", .sha256 = digest_of("sk-ops")});
  gateway::keep_places(first, second);
  auto reload = std::make_shared<AccountReload>();
  reload->catalogue = &catalogue_;
  reload->options = &second;
  ASSERT_TRUE((*thread)->post({.ticket = 2, .reload = reload, .now = kNow}));
  const AccountDone done = next(**thread);
  EXPECT_TRUE(done.is_reload);
  EXPECT_EQ(done.fault, "");
  EXPECT_GT(done.delta.version, shard.version());
  shard.apply(done.delta);
  const auto fault_of = [&](const std::string& key) {
    return shard.look_up(digest_of(key), policy::KeyScope::kInference, kNow).fault;
  };
  EXPECT_EQ(fault_of("sk-dev"), gateway::KeyFault::kUnknown);
  EXPECT_EQ(fault_of("sk-ops"), gateway::KeyFault::kNone);
  EXPECT_EQ(fault_of(stored), gateway::KeyFault::kNone) << "the store's keys stay";
  // The new one may ask about itself, the former one may not.
  AccountJob question = job(3, "GET", "/key");
  question.actor = {.organisation = gateway::kConfiguredOrganisation, .key = digest_of("sk-ops")};
  ASSERT_TRUE((*thread)->post(question));
  EXPECT_EQ(member(next(**thread), "data", "label"), "ops");
}

TEST_F(AccountThreadTest, WhatWasPostedIsDoneBeforeTheEndAndThereAtTheNextStart) {
  std::string folder = ::testing::TempDir() + "account_thread_XXXXXX";
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  const std::string file = folder + "/accounts.db";
  {
    auto thread = AccountThread::start(setup(file), waker_);
    ASSERT_TRUE(thread.has_value());
    for (int i = 0; i < 5; ++i) {
      ASSERT_TRUE((*thread)->post(job(0, "POST", "/keys", R"({"name":"k"})")));
    }
    const auto second = AccountThread::start(setup(file), waker_);
    EXPECT_FALSE(second.has_value());
  }
  {
    const auto thread = AccountThread::start(setup(file), waker_);
    ASSERT_TRUE(thread.has_value());
    std::size_t keys = 0;
    for (const auto& chunk : (*thread)->first().chunks) keys += chunk.chunk->used;
    EXPECT_EQ(keys, 5u);
    EXPECT_EQ((*thread)->first().accounts.size(), 2u);
  }
  std::filesystem::remove_all(folder);
}

TEST_F(AccountThreadTest, AStoreThatCannotBeUsedIsTold) {
  const auto thread = AccountThread::start(setup("/nonexistent/accounts.db"), waker_);
  ASSERT_FALSE(thread.has_value());
  EXPECT_EQ(thread.error().kind, StoreFault::Kind::kUnavailable);
}

}  // namespace
}  // namespace leat::control
