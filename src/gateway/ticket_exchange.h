// SPDX-License-Identifier: Apache-2.0
// TicketExchange: TLS tickets of providers, lent across shards, so that a provider whom one shard
// knows costs no other a full handshake. Each provider has a home among the shards, by hash:
//
//     a connection begins without a ticket  --ask-->    home, which remembers who asks
//     tickets came, more than are needed    --spare-->  home, which lends or keeps a few
//     home                                  --lent-->   who asked, mostly while TCP connects
//
// A shard keeps one ticket for its own next connection. At the start it has none and says so: of
// what its home has beyond a first one it gets one. Nobody waits for an answer: a connection that
// has no ticket by its ClientHello makes a full handshake. Owned by the shard's Gateway.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/instant.h"
#include "gateway/peer_mail.h"
#include "gateway/ticket_mail.h"
#include "shard/shard.h"
#include "tls/context.h"

namespace leat::gateway {

// What a home knows of one provider's tickets.
class TicketHome {
 public:
  // Of all shards; a ticket weighs 1 to 5 KiB, by the provider's certificates.
  static constexpr std::size_t kStockMax = 16;

  struct Loan {
    std::uint32_t to = 0;
    tls::Ticket ticket;
  };
  // What is lent now that a shard spares this one. Connections that have begun come before those to
  // come, for which one is kept back, since nobody knows where the next one begins.
  std::optional<Loan> offer(std::uint32_t from, tls::Ticket ticket);
  // What there is for who asks; the rest of the ask is remembered.
  std::vector<tls::Ticket> ask(std::uint32_t from, std::uint32_t count);
  std::vector<tls::Ticket>& stock() { return stock_; }

 private:
  struct Ask {
    std::uint32_t from = 0;
    std::uint32_t count = 0;
  };
  std::optional<std::uint32_t> next_borrower();
  void forget(std::uint32_t from);

  std::vector<tls::Ticket> stock_;  // the newest last
  std::vector<Ask> asks_;           // who waits longest first; a count of 0: for one to come
};

class TicketExchange final : private tls::TicketSink, private shard::Deferred {
 public:
  // More than a deployment has providers: what is forgotten costs full handshakes.
  static constexpr std::size_t kHomesMax = 1'024;
  // A provider whose every handshake brings two tickets need not be heard of each time.
  static constexpr std::uint32_t kSparePerPeriod = 8;
  static constexpr Duration kPeriod = seconds(10);

  // `peers`: null, or of one shard: nothing is lent. Outlives the exchange.
  TicketExchange(shard::Shard& shard, PeerMail* peers);
  TicketExchange(const TicketExchange&) = delete;
  TicketExchange& operator=(const TicketExchange&) = delete;
  ~TicketExchange();

  // Connections to `name` are made with that context from here on.
  void serve(const std::shared_ptr<tls::ClientContext>& context, const std::string& name);
  // What other shards say.
  void take(std::unique_ptr<TicketMail> mail);
  // All that is there, to be used elsewhere.
  std::vector<LentTicket> give_all();

  // Tickets that came from other shards, ever.
  std::uint64_t borrowed() const { return borrowed_; }

 private:
  // What this shard has said of one provider lately.
  struct Said {
    std::uint32_t asked = 0;
    std::uint32_t spared = 0;
    Instant period_begin{};
  };

  void on_tickets(tls::ClientContext& context, const std::string& name) override;
  void run_deferred() override;
  void look_at(const std::weak_ptr<tls::ClientContext>& context, const std::string& name);
  bool may_spare(Said& said) const;
  void hear(TicketMail& mail);
  void hear_spare(std::uint32_t from, LentTicket& spare);
  void hear_ask(std::uint32_t from, const TicketAsk& ask);
  void add(LentTicket& lent);
  TicketHome& home(const TicketPeer& peer);
  std::uint32_t home_of(const TicketPeer& peer) const;
  TicketMail& outgoing(std::uint32_t to);
  void on_timer();

  shard::Shard& shard_;
  PeerMail* peers_;
  const std::uint32_t shards_;
  std::vector<std::weak_ptr<tls::ClientContext>> contexts_;  // the newest last
  std::map<TicketPeer, Said> said_;
  std::map<TicketPeer, TicketHome> homes_;
  // Of whom something is new this turn.
  std::vector<std::pair<std::weak_ptr<tls::ClientContext>, std::string>> changed_;
  std::vector<std::unique_ptr<TicketMail>> outgoing_;  // by shard; null: there is nothing to say
  std::uint64_t borrowed_ = 0;
  Timer timer_{timer_callback<&TicketExchange::on_timer>, this};
};

}  // namespace leat::gateway
