// SPDX-License-Identifier: Apache-2.0
// Goal: another configuration is served by all shards or by none, whatever fails on the way, and
// whoever asked is told what became of it. Method: shards, accounts and health as the test plays
// them, one step at a time; files that exist in the test only; time that moves when it says so.
#include "app/reloader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "app/material.h"
#include "control/config.h"
#include "gateway/owned_message.h"
#include "support/still_io.h"
#include "unit/control/fake_surroundings.h"

namespace leat::app {
namespace {

using gateway::DeploymentOrder;
using Step = DeploymentOrder::Step;

constexpr std::uint32_t kShards = 3;
constexpr const char* kFile = "/etc/leat/leat.toml";

std::string text_of(std::string_view model, std::string_view port = "8080",
                    std::string_view more = "") {
  return "[server]\nlisten = [\"127.0.0.1:" + std::string(port) +
         "\"]\n[auth]\nmode = \"off\"\n[providers.one]\nformat = \"simulated\"\n" +
         std::string(more) + "[[models]]\nid = \"leat/" + std::string(model) +
         "\"\nendpoints = [{ provider = \"one\", model = \"m\" }]\n";
}

class ReloaderTest : public testing::Test {
 protected:
  ReloaderTest() {
    write(text_of("first"));
    const control::Config config = control::load_config(kFile, files_);
    EXPECT_TRUE(config.ok()) << (config.ok() ? "" : config.faults[0].to_string());
    auto material = std::make_unique<Material>();
    EXPECT_EQ(material->load(config.options, files_), "");
    configurations_.emplace(std::make_shared<LoadedConfiguration>(
        config.options, config.catalogue, std::move(material), io_.wall_now(), kShards, nullptr));
    make(kFile);
  }

  void make(const std::string& file) {
    Reloader::Parts parts;
    parts.control = &shard_;
    parts.configurations = &*configurations_;
    parts.surroundings = &files_;
    parts.config_file = file;
    parts.is_open = [this] { return is_open_; };
    parts.shards = kShards;
    parts.post = [this](std::uint32_t shard, std::unique_ptr<DeploymentOrder>& order) {
      if (shard == full_) return false;
      orders_.emplace_back(shard, std::move(order));
      return true;
    };
    parts.is_behind = [this] { return is_behind_; };
    parts.make_keys = [this](std::shared_ptr<const control::AccountReload> keys,
                             std::function<void(const std::string&)> then) {
      if (!takes_keys_) return false;
      keys_ = std::move(keys);
      keys_made_ = std::move(then);
      return true;
    };
    parts.on_served = [this](const LoadedConfiguration& next) {
      served_.push_back(next.generation());
    };
    reloader_ = std::make_unique<Reloader>(std::move(parts));
  }

  void write(std::string text) { files_.files[kFile] = std::move(text); }

  // The places of its outcomes, by the order of asking.
  std::size_t reload(bool is_trial = false) {
    const std::size_t place = outcomes_.size();
    outcomes_.emplace_back();
    reloader_->reload(is_trial, [this, place](const control::ReloadResult& outcome) {
      EXPECT_FALSE(outcomes_[place]) << "told twice";
      outcomes_[place] = outcome;
    });
    return place;
  }
  bool is_over(std::size_t place) const { return outcomes_[place].has_value(); }
  const control::ReloadResult& outcome(std::size_t place) const { return *outcomes_[place]; }

  // Who was told to do that since the last question, in order.
  std::vector<std::uint32_t> told(Step step) {
    std::vector<std::uint32_t> shards;
    for (const auto& [shard, order] : orders_) {
      if (order->step != step) continue;
      shards.push_back(shard);
      if (step == Step::kPrepare) attempt_ = order->attempt;
    }
    std::erase_if(orders_, [&](const auto& each) { return each.second->step == step; });
    return shards;
  }
  void answer(std::uint32_t shard, const std::string& fault = "") {
    auto report = std::make_unique<gateway::DeploymentReport>();
    *report = {.shard = shard, .attempt = attempt_, .fault = fault};
    reloader_->take(gateway::message_of(std::move(report)));
  }
  // All shards have prepared it; the keys are next.
  void prepare_all() {
    ASSERT_EQ(told(Step::kPrepare), std::vector<std::uint32_t>{0});
    answer(0);
    ASSERT_EQ(told(Step::kPrepare), (std::vector<std::uint32_t>{1, 2}));
    answer(1);
    answer(2);
    ASSERT_NE(keys_, nullptr);
  }
  void expect_nothing_changed(std::size_t place, int status) {
    ASSERT_TRUE(is_over(place));
    EXPECT_EQ(outcome(place).status, status);
    EXPECT_FALSE(outcome(place).is_applied);
    EXPECT_FALSE(outcome(place).message.empty());
    EXPECT_EQ(outcome(place).generation, 1u);
    EXPECT_EQ(configurations_->current().generation(), 1u);
    EXPECT_TRUE(served_.empty());
    EXPECT_EQ(reloader_->applied_count(), 0u);
  }
  // As all would be told after one that was given up.
  void expect_forgotten() {
    EXPECT_EQ(told(Step::kForget), (std::vector<std::uint32_t>{0, 1, 2}));
    EXPECT_TRUE(told(Step::kPrepare).empty());
  }
  void expect_that_the_next_one_works() {
    orders_.clear();
    write(text_of("next"));
    const std::size_t next = reload();
    prepare_all();
    keys_made_("");
    ASSERT_TRUE(is_over(next));
    EXPECT_TRUE(outcome(next).is_applied);
    EXPECT_TRUE(configurations_->current().catalogue().find_model("leat/next") != policy::kNoId);
  }
  bool names(const control::ReloadResult& outcome, std::string_view what) const {
    return std::any_of(outcome.changes.begin(), outcome.changes.end(),
                       [&](const auto& each) { return each.what.find(what) != std::string::npos; });
  }

  control::FakeSurroundings files_;
  io::StillIo io_;
  Rng rng_{1};
  shard::Shard shard_{io_, rng_, 0};
  std::optional<Configurations> configurations_;
  bool is_open_ = true;
  bool is_behind_ = false;
  bool takes_keys_ = true;
  std::uint32_t full_ = kShards;  // has no room for an order
  std::vector<std::pair<std::uint32_t, std::unique_ptr<DeploymentOrder>>> orders_;
  std::uint64_t attempt_ = 0;
  std::shared_ptr<const control::AccountReload> keys_;
  std::function<void(const std::string&)> keys_made_;
  std::vector<std::uint32_t> served_;  // generations
  std::vector<std::optional<control::ReloadResult>> outcomes_;
  std::unique_ptr<Reloader> reloader_;
};

TEST_F(ReloaderTest, AGoodOneIsPreparedByOneShardThenByAllAndThenServed) {
  write(text_of("second"));
  const std::size_t asked = reload();
  EXPECT_FALSE(is_over(asked));
  ASSERT_EQ(orders_.size(), 1u);
  ASSERT_NE(orders_[0].second->configuration, nullptr);
  EXPECT_EQ(orders_[0].second->configuration->generation, 2u);
  prepare_all();
  // Not before there are keys for it.
  EXPECT_FALSE(is_over(asked));
  EXPECT_EQ(configurations_->current().generation(), 1u);
  EXPECT_TRUE(keys_->catalogue->find_model("leat/second") != policy::kNoId);
  keys_made_("");
  ASSERT_TRUE(is_over(asked));
  EXPECT_EQ(outcome(asked).status, 200);
  EXPECT_TRUE(outcome(asked).is_applied);
  EXPECT_EQ(outcome(asked).generation, 2u);
  EXPECT_TRUE(names(outcome(asked), "leat/second"));
  EXPECT_EQ(configurations_->current().generation(), 2u);
  EXPECT_EQ(served_, std::vector<std::uint32_t>{2});
  EXPECT_EQ(reloader_->applied_count(), 1u);
  EXPECT_EQ(reloader_->refused_count(), 0u);
  expect_that_the_next_one_works();
}

TEST_F(ReloaderTest, OneWithFaultsKeepsTheFormer) {
  write(text_of("second") + "unheard_of = 1\n");
  const std::size_t asked = reload();
  expect_nothing_changed(asked, 422);
  ASSERT_EQ(outcome(asked).faults.size(), 1u);
  EXPECT_TRUE(outcome(asked).faults[0].starts_with(std::string(kFile) + ":"));
  EXPECT_TRUE(orders_.empty());
  EXPECT_EQ(reloader_->refused_count(), 1u);
  files_.files.erase(kFile);
  expect_nothing_changed(reload(), 422);
  EXPECT_EQ(reloader_->refused_count(), 2u);
  expect_that_the_next_one_works();
}

TEST_F(ReloaderTest, WhatCannotChangeLiveIsNamed) {
  write(text_of("second", "8099"));
  const std::size_t asked = reload();
  expect_nothing_changed(asked, 422);
  EXPECT_EQ(outcome(asked).fixed, std::vector<std::string>{"server.listen"});
  EXPECT_NE(outcome(asked).message.find("server.listen"), std::string::npos);
  EXPECT_TRUE(orders_.empty());
}

TEST_F(ReloaderTest, ATrialTellsWhatWouldChangeAndChangesNothing) {
  write(text_of("second"));
  const std::size_t asked = reload(true);
  ASSERT_TRUE(is_over(asked));
  EXPECT_EQ(outcome(asked).status, 200);
  EXPECT_FALSE(outcome(asked).is_applied);
  EXPECT_EQ(outcome(asked).generation, 1u);
  EXPECT_TRUE(names(outcome(asked), "leat/second"));
  EXPECT_TRUE(orders_.empty());
  EXPECT_EQ(configurations_->current().generation(), 1u);
  EXPECT_EQ(reloader_->applied_count() + reloader_->refused_count(), 0u);
}

TEST_F(ReloaderTest, TheSecondOfTwoAtOnceIsToldSo) {
  write(text_of("second"));
  const std::size_t first = reload();
  expect_nothing_changed(reload(), 409);
  expect_nothing_changed(reload(true), 409);
  prepare_all();
  expect_nothing_changed(reload(), 409);  // while the keys are made, too
  EXPECT_FALSE(is_over(first));
  keys_made_("");
  ASSERT_TRUE(is_over(first));
  EXPECT_TRUE(outcome(first).is_applied);
  EXPECT_EQ(served_, std::vector<std::uint32_t>{2});
}

TEST_F(ReloaderTest, WhileAShardIsBehindNoneIsBegun) {
  is_behind_ = true;
  expect_nothing_changed(reload(), 409);
  is_behind_ = false;
  expect_that_the_next_one_works();
}

TEST_F(ReloaderTest, WhatTheFirstShardCannotServeNoOtherIsAskedFor) {
  write(text_of("second"));
  const std::size_t asked = reload();
  ASSERT_EQ(told(Step::kPrepare), std::vector<std::uint32_t>{0});
  answer(0, "no memory for it");
  expect_nothing_changed(asked, 422);
  EXPECT_EQ(outcome(asked).message, "no memory for it");
  expect_forgotten();
  expect_that_the_next_one_works();
}

TEST_F(ReloaderTest, WhatAnyShardCannotServeNoneServes) {
  write(text_of("second"));
  const std::size_t asked = reload();
  told(Step::kPrepare);
  answer(0);
  told(Step::kPrepare);
  answer(2);
  answer(1, "no memory for it");
  expect_nothing_changed(asked, 422);
  EXPECT_EQ(keys_, nullptr);
  expect_forgotten();
  expect_that_the_next_one_works();
}

TEST_F(ReloaderTest, AShardWithoutRoomEndsIt) {
  write(text_of("second"));
  full_ = 1;
  const std::size_t asked = reload();
  told(Step::kPrepare);
  answer(0);
  expect_nothing_changed(asked, 422);
  EXPECT_EQ(told(Step::kForget), (std::vector<std::uint32_t>{0, 2}));
  EXPECT_TRUE(told(Step::kPrepare).empty());
  full_ = kShards;
  expect_that_the_next_one_works();
}

TEST_F(ReloaderTest, WithoutKeysItIsNotServed) {
  write(text_of("second"));
  const std::size_t refused = reload();
  prepare_all();
  keys_made_("the store is broken");
  expect_nothing_changed(refused, 422);
  EXPECT_EQ(outcome(refused).message, "the store is broken");
  expect_forgotten();
  takes_keys_ = false;
  const std::size_t busy = reload();
  prepare_all();
  expect_nothing_changed(busy, 422);
  expect_forgotten();
  takes_keys_ = true;
  expect_that_the_next_one_works();
}

TEST_F(ReloaderTest, AShardThatDoesNotAnswerIsNotWaitedForAndItsLateAnswerDoesNotCount) {
  write(text_of("second"));
  const std::size_t asked = reload();
  told(Step::kPrepare);
  answer(0);
  told(Step::kPrepare);
  answer(1);
  const std::uint64_t given_up = attempt_;
  io_.time = io_.time + seconds(19);
  shard_.run_turn();
  EXPECT_FALSE(is_over(asked));
  io_.time = io_.time + seconds(2);
  shard_.run_turn();
  expect_nothing_changed(asked, 422);
  expect_forgotten();
  const std::size_t next = reload();
  ASSERT_EQ(told(Step::kPrepare), std::vector<std::uint32_t>{0});
  const std::uint64_t current = std::exchange(attempt_, given_up);
  answer(2);
  EXPECT_TRUE(told(Step::kPrepare).empty());
  attempt_ = current;
  answer(0);
  EXPECT_EQ(told(Step::kPrepare), (std::vector<std::uint32_t>{1, 2}));
  EXPECT_FALSE(is_over(next));
}

TEST_F(ReloaderTest, FormerOnesGoOnceNobodyHoldsThem) {
  expect_that_the_next_one_works();
  orders_.clear();
  keys_.reset();
  write(text_of("third"));
  auto held = Configurations::for_shards(configurations_->share());
  reload();
  prepare_all();
  keys_made_("");
  orders_.clear();
  keys_.reset();
  EXPECT_EQ(configurations_->kept_count(), 1u);
  io_.time = io_.time + seconds(2);
  shard_.run_turn();
  EXPECT_EQ(configurations_->kept_count(), 1u);
  held.reset();
  io_.time = io_.time + seconds(2);
  shard_.run_turn();
  EXPECT_EQ(configurations_->kept_count(), 0u);
}

TEST_F(ReloaderTest, NothingIsLoadedWithoutAFileOrAtTheEnd) {
  is_open_ = false;
  expect_nothing_changed(reload(), 503);
  is_open_ = true;
  make("");
  expect_nothing_changed(reload(), 422);
}

}  // namespace
}  // namespace leat::app
