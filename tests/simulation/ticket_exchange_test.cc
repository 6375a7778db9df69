// SPDX-License-Identifier: Apache-2.0
// Goal: a provider whom one shard knows costs the others no full handshake; a ticket is in one
// place, used once and only where the same roots are trusted; what is kept and said is bounded; a
// full mailbox loses nothing. Method: several TicketExchanges, each in a shard's loop of its own,
// in simulated time; handshakes with one server, in memory.
#include "gateway/ticket_exchange.h"

#include <gtest/gtest.h>

#include <iterator>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "gateway/owned_message.h"
#include "simulation/sim_io.h"
#include "support/test_certs.h"
#include "support/tls_wire.h"

namespace leat::sim {
namespace {

using gateway::LentTicket;
using gateway::PeerMail;
using gateway::TicketExchange;
using gateway::TicketHome;

const std::string kName = "localhost";

struct Ignore final : tls::PlainSink {
  void on_plain(std::span<char>) override {}
};

// A provider that gives `tickets` with each handshake: two as most do, or none.
class TlsServer {
 public:
  TlsServer() : authority_(test::make_authority()) {
    const test::Cert cert = test::make_cert({}, &authority_);
    context_ = std::move(*tls::ServerContext::create(cert.certificate_pem, cert.key_pem, &seed_));
  }
  std::shared_ptr<tls::ClientContext> new_client() const {
    return tls::ClientContext::create(**tls::TrustedRoots::read(authority_.certificate_pem));
  }
  // The rest of a connection from the ClientHello on. Whether it was resumed.
  bool connect(tls::TlsSession& client) {
    const auto server = context_->new_session({2000});
    test::Wire up;
    test::Wire down;
    Ignore sink;
    EXPECT_TRUE(client.start(up).has_value());
    bool is_written = false;
    while (!up.bytes.empty() || !down.bytes.empty()) {
      std::string bytes = std::exchange(up.bytes, {});
      if (!bytes.empty()) server->feed(bytes, sink, down);
      if (server->state() == tls::SessionState::kOpen && !std::exchange(is_written, true)) {
        const std::string_view pieces[] = {"tickets go along"};
        EXPECT_TRUE(server->write(pieces, down).has_value());
      }
      bytes = std::exchange(down.bytes, {});
      if (!bytes.empty()) client.feed(bytes, sink, up);
    }
    if (!client.is_resumed()) ++full;
    return client.is_resumed();
  }
  int full = 0;

 private:
  const tls::TicketSeed seed_{.secret = {7}, .begin = {1000}};
  test::Cert authority_;
  std::unique_ptr<tls::ServerContext> context_;
};

class TicketShard : private shard::MessageHandler {
 public:
  TicketShard(World& world, std::uint32_t index, PeerMail& peers,
              std::shared_ptr<tls::ClientContext> client)
      : io_(world, io::Address::v4(10, 0, 0, static_cast<std::uint8_t>(index + 1), 0)),
        rng_(index),
        shard_(io_, rng_, index),
        exchange_(shard_, &peers),
        client_(std::move(client)) {
    peers.attach(shard_, *this);
    io_.set_run_turn([this] { shard_.run_turn(); });
    exchange_.serve(client_, kName);
  }
  void start(PeerMail& peers) {
    io_.start();
    peers.open(shard_.index(), io_.waker());
  }
  void stop() { io_.stop(); }
  TicketExchange& exchange() { return exchange_; }
  shard::Shard& shard() { return shard_; }
  std::unique_ptr<tls::TlsSession> begin() {
    io_.waker().wake();  // the turn that this call stands for
    return std::move(*client_->new_session(kName));
  }
  bool connect(TlsServer& server, std::unique_ptr<tls::TlsSession> begun = nullptr) {
    if (begun == nullptr) begun = begin();
    const bool is_resumed = server.connect(*begun);
    io_.waker().wake();
    return is_resumed;
  }
  std::size_t spare() { return client_->tickets().spare(kName); }
  std::uint64_t mails() const { return mails_; }

 private:
  void on_message(const shard::Message& message) override {
    ++mails_;
    exchange_.take(gateway::owned_of<gateway::TicketMail>(message));
  }
  SimIo io_;
  Rng rng_;
  shard::Shard shard_;
  TicketExchange exchange_;
  std::shared_ptr<tls::ClientContext> client_;
  std::uint64_t mails_ = 0;
};

class TicketExchangeTest : public testing::Test {
 protected:
  void make(std::uint32_t shards) {
    peers_ = std::make_unique<PeerMail>(shards);
    for (std::uint32_t i = 0; i < shards; ++i) {
      shards_.push_back(std::make_unique<TicketShard>(world_, i, *peers_, server_.new_client()));
    }
    for (const auto& each : shards_) each->start(*peers_);
    run();
  }
  void TearDown() override {
    for (const auto& each : shards_) each->stop();
    EXPECT_TRUE(world_.violations().empty());
  }
  // Longer than mail takes, shorter than any period.
  void run() { world_.run_until(world_.now() + milliseconds(50)); }
  std::size_t borrowed() const {
    std::size_t sum = 0;
    for (const auto& each : shards_) sum += each->exchange().borrowed();
    return sum;
  }
  std::vector<LentTicket> all_tickets() {
    std::vector<LentTicket> all;
    for (const auto& each : shards_)
      std::ranges::move(each->exchange().give_all(), std::back_inserter(all));
    return all;
  }

  World world_{1, {}};
  TlsServer server_;
  std::unique_ptr<PeerMail> peers_;
  std::vector<std::unique_ptr<TicketShard>> shards_;
};

TEST_F(TicketExchangeTest, OneFullHandshakeServesAllShards) {
  make(8);
  for (const auto& each : shards_) {
    auto session = each->begin();
    run();  // TCP connects
    each->connect(server_, std::move(session));
    run();
  }
  EXPECT_EQ(server_.full, 1);
  EXPECT_GE(borrowed(), 7u);
}

// As when TCP connects at once: who has heard of the provider has one already.
TEST_F(TicketExchangeTest, WhoMayNeedOneHasItBefore) {
  make(4);
  for (int i = 0; i < 5; ++i) {
    shards_[0]->connect(server_);
    run();
  }
  for (const auto& each : shards_) EXPECT_TRUE(each->connect(server_));
}

// Without a word to anyone: its next connection may be the first of all.
TEST_F(TicketExchangeTest, WhoHasTicketsKeepsOneForItself) {
  make(3);
  for (const auto& each : shards_) {
    each->connect(server_);
    run();
    EXPECT_EQ(each->spare(), 1u);
  }
}

TEST_F(TicketExchangeTest, WithoutPeersNothingIsLent) {
  make(1);
  EXPECT_FALSE(shards_[0]->connect(server_));
  run();
  EXPECT_EQ(shards_[0]->spare(), 2u);
  EXPECT_TRUE(shards_[0]->connect(server_));
}

// Who begins a connection asks, and has it by the time that TCP has connected.
TEST_F(TicketExchangeTest, WhatIsAskedForComesWhileTcpConnects) {
  make(3);
  for (int i = 0; i < 4; ++i) shards_[0]->connect(server_);
  run();
  std::vector<std::unique_ptr<tls::TlsSession>> burst;
  for (int i = 0; i < 4; ++i) burst.push_back(shards_[1]->begin());
  run();
  for (auto& each : burst) EXPECT_TRUE(shards_[1]->connect(server_, std::move(each)));
  EXPECT_EQ(server_.full, 1);
}

TEST_F(TicketExchangeTest, NoTicketIsInTwoPlaces) {
  make(4);
  for (int i = 0; i < 3; ++i) {
    for (const auto& each : shards_) each->connect(server_);
    run();
  }
  std::set<std::vector<std::uint8_t>> seen;
  const auto all = all_tickets();
  EXPECT_GT(all.size(), 4u);
  for (const LentTicket& each : all) {
    const auto bytes = each.ticket.bytes();
    EXPECT_TRUE(seen.emplace(bytes.begin(), bytes.end()).second);
  }
  EXPECT_TRUE(all_tickets().empty()) << "they were given away";
}

TEST_F(TicketExchangeTest, WhatOneProcessLeavesServesTheNext) {
  make(2);
  for (int i = 0; i < 3; ++i) shards_[0]->connect(server_);
  run();
  auto next = std::make_unique<gateway::TicketMail>();
  for (const LentTicket& each : all_tickets()) {
    const auto written = gateway::write_lent(each);
    ASSERT_TRUE(written);
    auto read = gateway::read_lent(written->bytes());
    ASSERT_TRUE(read);
    EXPECT_EQ(read->peer, each.peer);
    next->lent.push_back(std::move(*read));
  }
  EXPECT_FALSE(shards_[0]->connect(server_)) << "it has left them all";
  shards_[1]->exchange().take(std::move(next));
  EXPECT_TRUE(shards_[1]->connect(server_));
}

TEST(LentTicket, WhatIsNoneIsNotRead) {
  const std::vector<std::uint8_t> bytes(100, 0);
  LentTicket lent{{.scope = {}, .name = "name"}, tls::Ticket(bytes)};
  const auto written = gateway::write_lent(lent);
  for (std::size_t size = 0; size < 38; ++size) {
    EXPECT_FALSE(gateway::read_lent(written->bytes().first(size))) << size;
  }
  std::vector<std::uint8_t> odd(written->bytes().begin(), written->bytes().end());
  odd[32] = 3;  // no offer
  EXPECT_FALSE(gateway::read_lent(odd));
  lent.peer.name.assign(256, 'n');
  EXPECT_FALSE(gateway::write_lent(lent));
}

TEST_F(TicketExchangeTest, WhoTrustsOthersGetsNone) {
  make(2);
  TlsServer stranger;
  const auto client = stranger.new_client();
  shards_[1]->exchange().serve(client, kName);
  for (int i = 0; i < 4; ++i) shards_[0]->connect(server_);
  run();
  EXPECT_EQ(client->tickets().spare(kName), 0u);
  EXPECT_EQ(shards_[1]->spare(), 1u);
}

// Each handshake brings a ticket more than it uses.
TEST_F(TicketExchangeTest, SaysLittleOfAProviderThatGivesMany) {
  make(2);
  for (int i = 0; i < 100; ++i) {
    for (const auto& each : shards_) each->connect(server_);
    run();
  }
  EXPECT_LE(shards_[0]->mails() + shards_[1]->mails(), 2 * TicketExchange::kSparePerPeriod + 4);
  EXPECT_LE(all_tickets().size(), 2 * tls::ClientTickets::kKeptMax + TicketHome::kStockMax);
}

TEST_F(TicketExchangeTest, AFullMailboxLosesNothing) {
  make(2);
  // Two that are not read yet, of which one comes to be the home's.
  for (std::uint32_t from : {0u, 1u}) {
    std::unique_ptr<gateway::TicketMail> mail;
    do {
      mail = std::make_unique<gateway::TicketMail>();
    } while (peers_->post(from, 1 - from, mail));
  }
  shards_[0]->connect(server_);
  auto session = shards_[1]->begin();
  run();
  EXPECT_TRUE(shards_[1]->connect(server_, std::move(session)));
}

tls::Ticket ticket(std::uint8_t number) {
  return tls::Ticket(std::span<const std::uint8_t>(&number, 1));
}

// Lent by offer(): whom, or -1.
int offer(TicketHome& home, std::uint32_t from, std::uint8_t number = 0) {
  const auto loan = home.offer(from, ticket(number));
  return loan ? static_cast<int>(loan->to) : -1;
}

TEST(TicketHome, LendsToWhoWaitsLongest) {
  TicketHome home;
  for (const auto& [from, count] : {std::pair{3u, 1u}, {1u, 2u}, {2u, 1u}}) {
    EXPECT_TRUE(home.ask(from, count).empty());
  }
  EXPECT_EQ(offer(home, 2), 3) << "and who spares one asks no more";
  EXPECT_EQ(offer(home, 0), 1);
  EXPECT_EQ(offer(home, 0), 1);
  EXPECT_EQ(offer(home, 0), -1);
  EXPECT_EQ(home.stock().size(), 1u);
}

TEST(TicketHome, KeepsOneBackForAConnectionThatHasBegun) {
  TicketHome home;
  EXPECT_TRUE(home.ask(1, 0).empty());
  EXPECT_TRUE(home.ask(2, 0).empty());
  EXPECT_EQ(offer(home, 0), -1);
  EXPECT_EQ(offer(home, 0), 1);
  EXPECT_EQ(home.ask(3, 1).size(), 1u);
  EXPECT_EQ(offer(home, 0), -1);
  EXPECT_EQ(offer(home, 0), 2);
  EXPECT_EQ(offer(home, 0), -1) << "nobody wants one any more";
  EXPECT_EQ(home.ask(2, 0).size(), 1u);
  EXPECT_EQ(home.ask(1, 0).size(), 0u);
}

TEST(TicketHome, AnAskReplacesTheOneBefore) {
  TicketHome home;
  EXPECT_TRUE(home.ask(1, 3).empty());
  EXPECT_TRUE(home.ask(1, 1).empty());
  EXPECT_EQ(offer(home, 0), 1);
  EXPECT_EQ(offer(home, 0), -1);
  EXPECT_EQ(home.ask(2, 3).size(), 1u);
  EXPECT_EQ(offer(home, 0), 2);
  EXPECT_EQ(offer(home, 0), 2);
  EXPECT_EQ(offer(home, 0), -1);
}

TEST(TicketHome, KeepsFewAndLendsTheNewest) {
  TicketHome home;
  for (std::uint8_t i = 0; i < 20; ++i) EXPECT_EQ(offer(home, 0, i), -1);
  EXPECT_EQ(home.stock().size(), TicketHome::kStockMax);
  const auto lent = home.ask(1, 1);
  ASSERT_EQ(lent.size(), 1u);
  EXPECT_EQ(lent[0].bytes()[0], 19);
  EXPECT_EQ(offer(home, 0), -1) << "all that it asked for is lent";
}

}  // namespace
}  // namespace leat::sim
