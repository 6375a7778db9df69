// SPDX-License-Identifier: Apache-2.0
// Goal: a name that does not resolve holds a request no longer than dns_ms_max, its late answer
// hurts nobody, and a name that points inside is not connected to. Method: a connector in simulated
// time, its resolver answers when the test says so.
#include "net/connector.h"

#include <gtest/gtest.h>

#include <optional>

#include "simulation/sim_io.h"
#include "simulation/sim_world.h"

namespace leat::net {
namespace {

class HeldResolver final : public Resolver {
 public:
  void resolve(const std::string&, ResolveRequest& request) override {
    waiting_.push_back(request);
  }
  bool is_asked() const { return !waiting_.empty(); }
  void answer(std::span<const io::Address> addresses) {
    while (ResolveRequest* request = waiting_.pop_front()) request->on_resolved(addresses);
  }

 private:
  IntrusiveList<ResolveRequest, ResolveTag> waiting_;
};

class Sink final : public DialSink {
 public:
  void on_dialed(Dial&, Result<Stream*> stream) override {
    ++calls;
    if (!stream) error = stream.error().code;
  }
  int calls = 0;
  std::optional<Code> error;
};

class ConnectorTest : public testing::Test {
 protected:
  ConnectorTest() {
    io_.set_run_turn([this] { shard_.run_turn(); });
    origin_.host = "provider.example";
    connector_.emplace(shard_, streams_, resolver_, origin_, ConnectLimits{});
    connector_->start(sink_);
    io_.start();
  }
  ~ConnectorTest() override {
    connector_.reset();
    EXPECT_TRUE(world_.violations().empty());
  }
  void pass(Duration time) { world_.run_until(world_.now() + time); }

  sim::World world_{1, sim::FaultPlan{}};
  sim::SimIo io_{world_, io::Address::v4(10, 0, 0, 1, 0)};
  Rng rng_{1};
  shard::Shard shard_{io_, rng_, 0};
  TcpStreams streams_{shard_};
  HeldResolver resolver_;
  Origin origin_;
  Sink sink_;
  std::optional<Connector> connector_;
};

TEST_F(ConnectorTest, GivesANameItsTimeAndNoMore) {
  pass(milliseconds(1'900));
  EXPECT_TRUE(resolver_.is_asked());
  EXPECT_EQ(sink_.calls, 0);
  pass(milliseconds(200));
  EXPECT_EQ(sink_.calls, 1);
  EXPECT_EQ(sink_.error, Code::kTimedOut);
  EXPECT_FALSE(resolver_.is_asked()) << "a late answer would reach a dial that is over";
}

TEST_F(ConnectorTest, RefusesANameThatPointsInside) {
  const io::Address inside[] = {io::Address::v4(127, 0, 0, 1, 0),
                                io::Address::v4(169, 254, 169, 254, 0)};
  resolver_.answer(inside);
  EXPECT_EQ(sink_.calls, 1);
  EXPECT_EQ(sink_.error, Code::kUntrusted);
  pass(seconds(10));
  EXPECT_EQ(sink_.calls, 1);
}

}  // namespace
}  // namespace leat::net
