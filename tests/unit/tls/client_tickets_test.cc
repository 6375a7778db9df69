// SPDX-License-Identifier: Apache-2.0
// Goal: a ticket is in one place: it resumes one session, of the context that has it or of one that
// it was given to; a connection that is never made uses none up; what is missing and what may leave
// are told. Method: two client contexts, as two shards have them, and a server, in memory.
#include "tls/client_tickets.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "support/test_certs.h"
#include "support/tls_wire.h"
#include "tls/context.h"
#include "tls/session.h"

namespace leat::tls {
namespace {

using test::Cert;
using test::Wire;

struct Ignore final : PlainSink {
  void on_plain(std::span<char>) override {}
};

struct Noted final : TicketSink {
  std::vector<std::string> names;
  void on_tickets(ClientContext&, const std::string& name) override { names.push_back(name); }
};

class ClientTicketsTest : public testing::Test {
 protected:
  ClientTicketsTest() : authority_(test::make_authority()) {
    const Cert cert = test::make_cert({}, &authority_);
    const TicketSeed seed{.secret = {7}, .begin = {1000}};
    server_ = std::move(*ServerContext::create(cert.certificate_pem, cert.key_pem, &seed));
    one_ = context();
    two_ = context();
  }
  std::shared_ptr<ClientContext> context(Offer offer = Offer::kHttp1) {
    return ClientContext::create(**TrustedRoots::read(authority_.certificate_pem), offer);
  }
  std::unique_ptr<TlsSession> begin(ClientContext& client) {
    return std::move(*client.new_session("localhost"));
  }
  // A connection from its ClientHello on, and two tickets of it. Whether it was resumed.
  bool connect(std::unique_ptr<TlsSession> client) {
    const auto server = server_->new_session({2000});
    Wire up;
    Wire down;
    Ignore sink;
    EXPECT_TRUE(client->start(up).has_value());
    bool is_written = false;
    while (!up.bytes.empty() || !down.bytes.empty()) {
      std::string bytes = std::exchange(up.bytes, {});
      if (!bytes.empty()) server->feed(bytes, sink, down);
      if (server->state() == SessionState::kOpen && !std::exchange(is_written, true)) {
        const std::string_view pieces[] = {"tickets go along"};
        EXPECT_TRUE(server->write(pieces, down).has_value());
      }
      bytes = std::exchange(down.bytes, {});
      if (!bytes.empty()) client->feed(bytes, sink, up);
    }
    EXPECT_EQ(client->state(), SessionState::kOpen);
    return client->is_resumed();
  }
  bool connect(ClientContext& client) { return connect(begin(client)); }
  static std::size_t spare(ClientContext& client) { return client.tickets().spare("localhost"); }
  static std::size_t missing(ClientContext& client) {
    return client.tickets().missing("localhost");
  }

  Cert authority_;
  std::unique_ptr<ServerContext> server_;
  std::shared_ptr<ClientContext> one_;
  std::shared_ptr<ClientContext> two_;
};

TEST_F(ClientTicketsTest, OneThatWasGivenResumesThereAndNotHere) {
  EXPECT_FALSE(connect(*one_));
  ASSERT_EQ(spare(*one_), 2u);
  while (const auto ticket = one_->tickets().give("localhost")) {
    EXPECT_TRUE(two_->tickets().add("localhost", *ticket));
  }
  EXPECT_EQ(spare(*two_), 2u);
  EXPECT_EQ(spare(*one_), 0u);
  EXPECT_FALSE(connect(*one_));
  EXPECT_TRUE(connect(*two_));
}

// Shards are threads: what travels is bytes, and each end has a session of its own.
TEST_F(ClientTicketsTest, CrossesThreads) {
  connect(*one_);
  const auto ticket = one_->tickets().give("localhost");
  ASSERT_TRUE(ticket);
  std::thread([&] {
    EXPECT_TRUE(two_->tickets().add("localhost", *ticket));
    EXPECT_TRUE(connect(*two_));
  }).join();
}

TEST_F(ClientTicketsTest, OursAreShownBeforeThoseOfOthers) {
  connect(*one_);
  connect(*two_);
  const auto lent = one_->tickets().give("localhost");
  ASSERT_TRUE(two_->tickets().add("localhost", *lent));
  ASSERT_EQ(spare(*two_), 3u);
  auto session = begin(*two_);
  EXPECT_TRUE(connect(std::move(session)));
  const auto first = two_->tickets().give("localhost");
  ASSERT_TRUE(first);
  EXPECT_TRUE(std::ranges::equal(first->bytes(), lent->bytes())) << "it is still there";
}

TEST_F(ClientTicketsTest, AConnectionThatIsNeverMadeUsesNoneUp) {
  connect(*one_);
  auto never = begin(*one_);
  EXPECT_EQ(spare(*one_), 1u) << "it may need one";
  never.reset();
  EXPECT_EQ(spare(*one_), 2u);
  EXPECT_TRUE(connect(*one_));
}

TEST_F(ClientTicketsTest, OneThatCameMeanwhileIsShown) {
  auto waiting = begin(*two_);
  EXPECT_EQ(missing(*two_), 1u);
  connect(*one_);
  ASSERT_TRUE(two_->tickets().add("localhost", *one_->tickets().give("localhost")));
  EXPECT_EQ(missing(*two_), 0u);
  EXPECT_TRUE(connect(std::move(waiting)));
  EXPECT_EQ(missing(*two_), 0u);
}

TEST_F(ClientTicketsTest, ABurstMissesWhatItHasNot) {
  connect(*one_);
  std::vector<std::unique_ptr<TlsSession>> burst;
  for (int i = 0; i < 5; ++i) burst.push_back(begin(*one_));
  EXPECT_EQ(missing(*one_), 3u);
  EXPECT_FALSE(one_->tickets().give("localhost"));
  burst.clear();
  EXPECT_EQ(missing(*one_), 0u);
}

TEST_F(ClientTicketsTest, FewAreKept) {
  connect(*one_);
  const auto ticket = one_->tickets().give("localhost");
  for (int i = 0; i < 8; ++i) connect(*two_);
  EXPECT_EQ(spare(*two_), ClientTickets::kKeptMax);
  EXPECT_FALSE(two_->tickets().add("localhost", *ticket));
  EXPECT_EQ(spare(*two_), ClientTickets::kKeptMax);
}

TEST_F(ClientTicketsTest, WhatIsNoTicketIsNotTaken) {
  connect(*one_);
  const auto ticket = one_->tickets().give("localhost");
  std::vector<std::uint8_t> bytes(ticket->bytes().begin(), ticket->bytes().end());
  EXPECT_FALSE(two_->tickets().add("localhost", Ticket()));
  bytes.resize(bytes.size() / 2);
  EXPECT_FALSE(two_->tickets().add("localhost", Ticket(bytes)));
  EXPECT_FALSE(connect(*two_));
}

TEST_F(ClientTicketsTest, TheSinkHearsOfWhatBeginsAndOfWhatComes) {
  Noted noted;
  one_->set_ticket_sink(&noted);
  auto session = begin(*one_);
  EXPECT_EQ(noted.names, std::vector<std::string>{"localhost"});
  connect(std::move(session));
  EXPECT_EQ(noted.names.size(), 3u) << "two tickets";
}

TEST_F(ClientTicketsTest, PeersNamedByAddressHaveNone) {
  EXPECT_TRUE(ClientContext::has_tickets("localhost"));
  EXPECT_FALSE(ClientContext::has_tickets("127.0.0.1"));
  EXPECT_FALSE(ClientContext::has_tickets("::1"));
  Noted noted;
  one_->set_ticket_sink(&noted);
  const auto session = one_->new_session("127.0.0.1");
  EXPECT_TRUE(noted.names.empty());
}

// A resumed session is not verified again: whoever trusts others must not show it.
TEST_F(ClientTicketsTest, TheScopeIsWhatIsTrustedAndOffered) {
  EXPECT_EQ(one_->scope(), two_->scope());
  EXPECT_NE(one_->scope(), context(Offer::kHttp2)->scope());
  const Cert other = test::make_authority();
  const auto stranger = ClientContext::create(**TrustedRoots::read(other.certificate_pem));
  EXPECT_NE(one_->scope(), stranger->scope());
}

}  // namespace
}  // namespace leat::tls
