// SPDX-License-Identifier: Apache-2.0
// Goal: a grant goes to who asked for it once, and not before the ledger has it: after a power cut
// it would be granted a second time. Method: a shard with a ledger on a simulated disk, which fails
// for a while; at the moment in which a grant goes on its way it is looked for in the files.
#include "gateway/grant_log.h"

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <set>
#include <utility>

#include "gateway/owned_message.h"
#include "simulation/sim_io.h"
#include "simulation/sim_keeping.h"

namespace leat::sim {
namespace {

using gateway::GrantLog;
using gateway::SegmentDelivery;
using gateway::ShardLedger;

// Quantities of which the files have a grant.
class Written final : public ledger::EntryVisitor {
 public:
  void on_entry(const ledger::SegmentHeader&, const ledger::Entry& entry) override {
    if (entry.kind != ledger::FrameKind::kGrant) return;
    const auto grant = ledger::decode_grant(entry.payload);
    ASSERT_TRUE(grant.has_value());
    quantities.insert(grant->quantity);
  }
  std::set<std::uint64_t> quantities;
};

class GrantLogTest : public testing::TestWithParam<std::uint64_t>,
                     private shard::MessageHandler,
                     private GrantLog::Sink {
 protected:
  GrantLogTest() {
    keeping_.start(1);
    keeping_.attach(0, mailbox_, io_.waker());
    shard_.attach_mailbox(mailbox_, *this);
    gateway::LedgerParts parts = keeping_.parts(0);
    parts.options.pending_bytes_max = 128 * 1024;
    ledger_.emplace(shard_, parts);
    Sink& sink = *this;
    log_.emplace(*ledger_, sink);
    io_.set_run_turn([this] { shard_.run_turn(); });
    io_.start();
  }
  ~GrantLogTest() override {
    keeping_.kill();
    io_.stop();
    log_.reset();
    ledger_.reset();
    shard::Message message;
    while (mailbox_.take(message)) gateway::discard(message);
    EXPECT_TRUE(world_.violations().empty());
  }

  void send(int count) {
    for (int i = 0; i < count; ++i) {
      const std::uint64_t quantity = ++sent_;
      const policy::LeaseGrant grant{.quantity = quantity, .granted = 5};
      log_->send(static_cast<policy::ShardIndex>(quantity % 7), grant,
                 {.quantity = quantity, .committed = 9, .period_begin = 1});
    }
    io_.waker().wake();
  }
  void run_for(Duration time) { world_.run_until(world_.now() + time); }
  void expect_each_passed_on_once() {
    EXPECT_EQ(passed_on_.size(), sent_);
    for (const auto& [quantity, times] : passed_on_) EXPECT_EQ(times, 1) << quantity;
  }

  std::uint64_t sent_ = 0;
  std::map<std::uint64_t, int> passed_on_;
  World world_{GetParam(), {}};
  SimKeeping keeping_{world_, {}};

 private:
  void on_message(const shard::Message& message) override {
    ledger_->take(*gateway::owned_of<SegmentDelivery>(message));
  }
  void pass_on(policy::ShardIndex to, const policy::LeaseGrant& grant) override {
    EXPECT_EQ(to, grant.quantity % 7);
    EXPECT_EQ(grant.granted, 5);
    ++passed_on_[grant.quantity];
    if (!known_.contains(grant.quantity)) {
      Written written;
      keeping_.read(written);
      known_ = std::move(written.quantities);
    }
    EXPECT_TRUE(known_.contains(grant.quantity)) << grant.quantity << " is not in the files yet";
  }

  SimIo io_{world_, io::Address::v4(10, 0, 0, 1, 0)};
  Rng rng_{1};
  shard::Shard shard_{io_, rng_, 0};
  shard::Mailbox mailbox_;
  std::optional<ShardLedger> ledger_;
  std::optional<GrantLog> log_;
  std::set<std::uint64_t> known_;
};

TEST_P(GrantLogTest, GoesOnWhenItIsDurable) {
  send(5);
  EXPECT_TRUE(passed_on_.empty());
  run_for(milliseconds(50));
  send(300);
  run_for(milliseconds(200));
  expect_each_passed_on_once();
}

TEST_P(GrantLogTest, WaitsForTheDisk) {
  send(5);
  run_for(milliseconds(50));
  keeping_.set_disk_dead(true);
  for (int i = 0; i < 20; ++i) {
    send(100);
    run_for(milliseconds(1));
  }
  run_for(seconds(1));
  EXPECT_EQ(passed_on_.size(), 5u) << "there is nowhere to write";
  keeping_.set_disk_dead(false);
  run_for(seconds(10));
  expect_each_passed_on_once();
}

// More than the ledger keeps in memory: they are given to it again.
TEST_P(GrantLogTest, IsNotForgottenWhereThereIsNoRoom) {
  keeping_.set_disk_dead(true);
  send(8'000);
  run_for(seconds(1));
  keeping_.set_disk_dead(false);
  run_for(seconds(60));
  expect_each_passed_on_once();
}

INSTANTIATE_TEST_SUITE_P(Seeds, GrantLogTest, testing::Range<std::uint64_t>(1, 6));

}  // namespace
}  // namespace leat::sim
