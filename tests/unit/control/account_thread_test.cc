// SPDX-License-Identifier: Apache-2.0
// Goal: requests are answered in order, each with what shards must hear of it; nothing that was
// posted is lost at the end; a store that cannot be used is told before anything serves.
// Method: the thread with a store in memory; the test waits on the waker, never for a time.
#include "control/account_thread.h"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <atomic>
#include <filesystem>

#include "control/json_tree.h"
#include "control/sqlite.h"
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

// A disk whose databases cannot be read while `is_broken`, for what SQLite opens from here on; it
// breaks by itself with the next change that is safe, if it is told to.
class BreakableDisk {
 public:
  BreakableDisk() {
    real_ = sqlite3_vfs_find(nullptr);
    vfs_ = *real_;
    vfs_.zName = "breakable";
    vfs_.xOpen = [](sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out) {
      const int done = real_->xOpen(real_, name, file, flags, out);
      if (done != SQLITE_OK) return done;
      if ((flags & SQLITE_OPEN_MAIN_DB) != 0) wrap_database(*file);
      if ((flags & SQLITE_OPEN_WAL) != 0) wrap_log(*file);
      return done;
    };
    sqlite3_vfs_register(&vfs_, 1);
  }
  ~BreakableDisk() {
    is_broken = breaks_after_commit = false;
    sqlite3_vfs_register(real_, 1);
    sqlite3_vfs_unregister(&vfs_);
  }
  static inline std::atomic<bool> is_broken = false;
  static inline std::atomic<bool> breaks_after_commit = false;

 private:
  static void wrap_database(sqlite3_file& file) {
    read_ = file.pMethods->xRead;
    database_ = *file.pMethods;
    database_.xRead = [](sqlite3_file* of, void* to, int size, sqlite3_int64 at) {
      return is_broken ? SQLITE_IOERR_READ : read_(of, to, size, at);
    };
    file.pMethods = &database_;
  }
  static void wrap_log(sqlite3_file& file) {
    sync_ = file.pMethods->xSync;
    log_ = *file.pMethods;
    log_.xSync = [](sqlite3_file* of, int flags) {
      if (breaks_after_commit) is_broken = true;
      return sync_(of, flags);
    };
    file.pMethods = &log_;
  }

  sqlite3_vfs vfs_;
  static inline sqlite3_vfs* real_;
  static inline sqlite3_io_methods database_;
  static inline sqlite3_io_methods log_;
  static inline int (*read_)(sqlite3_file*, void*, int, sqlite3_int64);
  static inline int (*sync_)(sqlite3_file*, int);
};

// A store of more keys than SQLite holds in memory; a folder that goes with the test.
class LargeStore {
 public:
  LargeStore() {
    std::string name = ::testing::TempDir() + "account_thread_XXXXXX";
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    EXPECT_TRUE(AccountStore::open(file(), kNow.unix_seconds()).has_value());
    const auto database = SqliteDatabase::open(file());
    (*database)->run(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<40000) "
        "INSERT INTO keys(digest,organisation,workspace,name,label,scope,created_at) "
        "SELECT randomblob(32),1,1,'key '||i,'sk-leat-v1-abc...xyz',0,1790000000 FROM n");
    EXPECT_FALSE((*database)->has_fault());
  }
  ~LargeStore() { std::filesystem::remove_all(folder_); }
  std::string file() const { return folder_ + "/accounts.db"; }

 private:
  std::string folder_;
};

TEST_F(AccountThreadTest, WhatAStoreCannotTellIsToldOnceItCan) {
  const BreakableDisk disk;
  const LargeStore store;
  auto thread = AccountThread::start(setup(store.file()), waker_);
  ASSERT_TRUE(thread.has_value()) << thread.error().text;
  const auto ask = [&](AccountJob wanted) {
    EXPECT_TRUE((*thread)->post(std::move(wanted)));
    return next(**thread);
  };
  AccountJob list = job(1, "GET", "/keys");
  list.query = "offset=20000";
  const AccountJob follow{.ticket = 3, .is_follow = true, .now = kNow};
  ASSERT_EQ(ask(list).answer.status, 200);
  disk.breaks_after_commit = true;
  const AccountDone changed = ask(job(2, "PATCH", "/workspaces/default", R"({"name":"new"})"));
  EXPECT_TRUE(changed.delta.is_empty());
  EXPECT_NE(changed.fault.find("out of date"), std::string::npos) << changed.fault;
  EXPECT_EQ(ask(list).answer.status, 500) << "no list that is shorter than it should be";
  const AccountDone still = ask(follow);
  EXPECT_TRUE(still.delta.is_empty());
  EXPECT_EQ(still.fault, "") << "it was told once";
  disk.breaks_after_commit = disk.is_broken = false;
  const AccountDone mended = ask(follow);
  EXPECT_EQ(mended.fault, "");
  ASSERT_FALSE(mended.delta.chunks.empty());
  EXPECT_EQ(mended.delta.chunks.size(), mended.delta.chunk_count) << "all keys";
  EXPECT_TRUE(ask(follow).delta.is_empty());
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
