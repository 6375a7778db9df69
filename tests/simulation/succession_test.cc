// SPDX-License-Identifier: Apache-2.0
// Goal: what a limit grants to a request after its shard has yielded is given back and not spent,
// since the process that takes over grants the same limit by then. Method: two shards; requests
// come so late that they wait at the other shard, which is held up, when theirs stops waiting.
#include "gateway/succession.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "gateway/configured_keys.h"
#include "gateway/snapshot.h"
#include "policy/account_quantities.h"
#include "simulation/http_reader.h"
#include "simulation/priced_catalogue.h"
#include "simulation/sim_gateway.h"
#include "tls/digest.h"

namespace leat::sim {
namespace {

constexpr char kClientKey[] = "sk-leat-succession-client";
constexpr std::uint32_t kShards = 2;
constexpr int kClients = 8;
// Of what a shard waits that yields: the requests come whole within it, their grants after it.
constexpr Duration kLate = gateway::Succession::kWaitMax - milliseconds(100);
constexpr Duration kTooLate = gateway::Succession::kWaitMax + milliseconds(50);

class Client final : private EndUser {
 public:
  Client(World& world, const io::Address& gateway, std::uint16_t port)
      : end_(world.network().connect(io::Address::v4(10, 1, 0, 1, port), gateway, *this).end(0)) {}
  ~Client() { end_.close(); }
  void write(std::string_view bytes) { end_.write(bytes); }
  int status() const { return reader_.has_head() ? reader_.status() : 0; }

 private:
  void on_established() override {}
  void on_connect_failed(int) override { ADD_FAILURE() << "not connected"; }
  void on_room() override {}
  void on_readable() override {
    reader_.feed(end_.readable());
    end_.consume(end_.readable().size());
  }
  End& end_;
  HttpReader reader_{HttpReader::Kind::kResponse};
};

// Has a port and says nothing.
class SilentProvider final : private PortUser {
 public:
  SilentProvider(World& world, const io::Address& address)
      : port_(world.network().listen(address, *this, false)) {}
  int asked = 0;

 private:
  void on_pending() override {
    while (port_->has_pending()) {
      port_->accept();
      ++asked;
    }
  }
  Port* port_;
};

Options options_of(const io::Address& provider) {
  Options options;
  options.server.shards = kShards;
  options.keys.push_back({.name = "k", .sha256 = tls::sha256(kClientKey)});
  options.keys.back().limits.concurrency_max = kClients;
  Provider made;
  made.name = made.display_name = "p0";
  made.base_url = {.tls = false,
                   .host = "p0.test",
                   .port = provider.port,
                   .path_prefix = "/v1",
                   .authority = "p0.test:8000"};
  made.allow_private = true;
  options.providers.push_back(std::move(made));
  Model model;
  model.id = model.name = "m0";
  model.endpoints.push_back({0, "up"});
  options.models.push_back(std::move(model));
  return options;
}

std::string request_text() {
  const std::string body = R"({"model":"m0","messages":[{"role":"user","content":"hello"}]})";
  return std::string("POST /v1/chat/completions HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer ") +
         kClientKey +
         "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

class SuccessionTest : public testing::TestWithParam<std::uint64_t> {
 protected:
  SuccessionTest() { gateway_.listen(gateway_address_, false); }
  SimShard& shard(std::uint32_t index) { return *gateway_.shards()[index]; }
  void run_for(Duration time) { world_.run_until(world_.now() + time); }

  const io::Address gateway_address_ = io::Address::v4(10, 0, 0, 1, 8080);
  const io::Address provider_address_ = io::Address::v4(10, 2, 0, 1, 8000);
  World world_{GetParam(), {}};
  const Options options_ = options_of(provider_address_);
  SilentProvider provider_{world_, provider_address_};
  gateway::Snapshot snapshot_{
      options_,
      std::make_shared<const gateway::RoutedCatalogue>(priced_catalogue(options_, {{3.0}})),
      std::vector<std::vector<std::string_view>>{{"sk-up"}}};
  SimGateway gateway_{world_, snapshot_, std::vector{provider_address_}};
};

TEST_P(SuccessionTest, WhatIsGrantedTooLateIsGivenBack) {
  const auto quantity =
      policy::quantity_id(policy::AccountLevel::kKey, gateway::kConfiguredKeys,
                          policy::LimitClass::kConcurrency, policy::BudgetPeriod::kNone, false);
  const std::uint32_t home = policy::home_of(quantity, kShards);
  const std::uint32_t other = 1 - home;
  const std::string request = request_text();
  const std::size_t first = request.size() - 10;
  std::vector<std::unique_ptr<Client>> clients;
  std::vector<Client*> others;
  for (std::uint16_t i = 0; i < kClients; ++i) {
    const std::uint64_t before = shard(other).counters.connections_accepted.get();
    clients.push_back(std::make_unique<Client>(world_, gateway_address_, 30'000 + i));
    run_for(milliseconds(20));
    clients.back()->write(std::string_view(request).substr(0, first));
    if (shard(other).counters.connections_accepted.get() != before) {
      others.push_back(clients.back().get());
    }
  }
  ASSERT_FALSE(others.empty());
  run_for(milliseconds(100));

  bool has_yielded = false;
  shard(other).gateway->on_yielded = [&] { has_yielded = true; };
  const Instant yielded = world_.now();
  ASSERT_TRUE(shard(other).mailbox.post({.kind = shard::Message::Kind::kYield}));
  shard(other).io.waker().wake();
  run_for(kLate);
  shard(home).io.hold_until(yielded + kTooLate);
  for (Client* client : others) client->write(std::string_view(request).substr(first));
  run_for(kTooLate - kLate - milliseconds(1));
  EXPECT_TRUE(has_yielded);
  for (const Client* client : others) EXPECT_EQ(client->status(), 0) << "its home has not answered";
  run_for(seconds(2));

  for (const Client* client : others) EXPECT_EQ(client->status(), 503);
  EXPECT_EQ(provider_.asked, 0);
  EXPECT_FALSE(shard(other).gateway->shard_limits().has_ends()) << "the successor never knew it";
  // Should it go on itself, its home hears of all.
  const auto outstanding = [&] {
    const policy::QuantityHome* at = shard(home).gateway->shard_limits().homes().find(quantity);
    return at == nullptr ? 0 : at->outstanding();
  };
  EXPECT_GT(outstanding(), 0);
  ASSERT_TRUE(shard(other).mailbox.post({.kind = shard::Message::Kind::kResume}));
  shard(other).io.waker().wake();
  run_for(milliseconds(100));
  EXPECT_EQ(outstanding(), 0);
}

INSTANTIATE_TEST_SUITE_P(Seeds, SuccessionTest, testing::Range<std::uint64_t>(1, 21));

}  // namespace
}  // namespace leat::sim
