// SPDX-License-Identifier: Apache-2.0
#include "gateway/ticket_exchange.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string_view>

#include "tls/digest.h"

namespace leat::gateway {

namespace {

// For a mailbox that was full.
constexpr Duration kRetryAfter = milliseconds(10);

}  // namespace

// ---- TicketHome --------------------------------------------------------------------------------

void TicketHome::forget(std::uint32_t from) {
  std::erase_if(asks_, [&](const Ask& each) { return each.from == from; });
}

std::optional<std::uint32_t> TicketHome::next_borrower() {
  if (stock_.empty()) return std::nullopt;
  auto place = std::ranges::find_if(asks_, [](const Ask& each) { return each.count > 0; });
  if (place == asks_.end() && stock_.size() > 1) place = asks_.begin();
  if (place == asks_.end()) return std::nullopt;
  const std::uint32_t to = place->from;
  if (place->count <= 1) {
    asks_.erase(place);
  } else {
    --place->count;
  }
  return to;
}

std::optional<TicketHome::Loan> TicketHome::offer(std::uint32_t from, tls::Ticket ticket) {
  forget(from);  // who has one to spare wants none
  if (stock_.size() >= kStockMax) stock_.erase(stock_.begin());
  stock_.push_back(std::move(ticket));
  const auto to = next_borrower();
  if (!to) return std::nullopt;
  Loan loan{*to, std::move(stock_.back())};
  stock_.pop_back();
  return loan;
}

std::vector<tls::Ticket> TicketHome::ask(std::uint32_t from, std::uint32_t count) {
  forget(from);
  asks_.push_back({from, count});
  std::vector<tls::Ticket> lent;
  for (std::uint32_t i = 0; i < count && !stock_.empty(); ++i) {
    lent.push_back(std::move(stock_.back()));
    stock_.pop_back();
  }
  if (count == 0 && stock_.size() > 1) {
    lent.push_back(std::move(stock_.back()));
    stock_.pop_back();
  }
  if (!lent.empty() && lent.size() >= count) {
    asks_.pop_back();
  } else {
    asks_.back().count -= static_cast<std::uint32_t>(lent.size());
  }
  return lent;
}

// ---- TicketExchange ----------------------------------------------------------------------------

TicketExchange::TicketExchange(shard::Shard& shard, PeerMail* peers)
    : shard_(shard),
      peers_(peers),
      shards_(peers != nullptr ? peers->shards() : 1),
      outgoing_(shards_) {}

TicketExchange::~TicketExchange() {
  for (const auto& each : contexts_) {
    if (const auto context = each.lock()) context->set_ticket_sink(nullptr);
  }
}

void TicketExchange::serve(const std::shared_ptr<tls::ClientContext>& context,
                           const std::string& name) {
  if (!tls::ClientContext::has_tickets(name)) return;
  std::erase_if(contexts_, [&](const auto& each) {
    const auto known = each.lock();
    return known == nullptr || known == context;
  });
  contexts_.push_back(context);
  if (shards_ == 1) return;
  context->set_ticket_sink(this);
  if (context->tickets().spare(name) > 0) return;
  const TicketPeer peer{context->scope(), name};
  outgoing(home_of(peer)).asks.push_back({peer, 0});
}

void TicketExchange::on_tickets(tls::ClientContext& context, const std::string& name) {
  changed_.emplace_back(context.weak_from_this(), name);
  shard_.defer(*this);
}

void TicketExchange::run_deferred() {
  const auto changed = std::move(changed_);
  changed_.clear();
  for (const auto& [context, name] : changed) look_at(context, name);
  // What is said to oneself may bring more of it: a ticket to spare, to who asks here.
  while (auto own = std::move(outgoing_[shard_.index()])) hear(*own);
  bool is_any_left = false;
  for (std::uint32_t to = 0; to < shards_; ++to) {
    if (outgoing_[to] == nullptr) continue;
    is_any_left = !peers_->post(shard_.index(), to, outgoing_[to]) || is_any_left;
  }
  unlink();
  if (is_any_left) shard_.wheel().set(timer_, shard_.now() + kRetryAfter);
}

void TicketExchange::on_timer() {
  shard_.defer(*this);
}

void TicketExchange::look_at(const std::weak_ptr<tls::ClientContext>& weak,
                             const std::string& name) {
  const auto context = weak.lock();
  if (context == nullptr) return;
  const TicketPeer peer{context->scope(), name};
  Said& said = said_[peer];
  tls::ClientTickets& tickets = context->tickets();
  if (const std::size_t missing = tickets.missing(name); missing > said.asked) {
    said.asked = static_cast<std::uint32_t>(missing);
    outgoing(home_of(peer)).asks.push_back({peer, said.asked});
    return;
  }
  while (tickets.spare(name) > 1 && may_spare(said)) {
    said.asked = 0;  // and the home hears of it by what is spared
    if (auto ticket = tickets.give(name)) {
      outgoing(home_of(peer)).spare.push_back({peer, std::move(*ticket)});
    }
  }
}

bool TicketExchange::may_spare(Said& said) const {
  if (said.spared == 0 || shard_.now() >= said.period_begin + kPeriod) {
    said.period_begin = shard_.now();
    said.spared = 0;
  }
  if (said.spared >= kSparePerPeriod) return false;
  ++said.spared;
  return true;
}

// ---- Mail --------------------------------------------------------------------------------------

void TicketExchange::take(std::unique_ptr<TicketMail> mail) {
  hear(*mail);
}

void TicketExchange::hear(TicketMail& mail) {
  for (LentTicket& each : mail.spare) hear_spare(mail.from, each);
  for (const TicketAsk& each : mail.asks) hear_ask(mail.from, each);
  for (LentTicket& each : mail.lent) add(each);
}

void TicketExchange::hear_spare(std::uint32_t from, LentTicket& spare) {
  auto loan = home(spare.peer).offer(from, std::move(spare.ticket));
  if (loan) outgoing(loan->to).lent.push_back({spare.peer, std::move(loan->ticket)});
}

void TicketExchange::hear_ask(std::uint32_t from, const TicketAsk& ask) {
  for (tls::Ticket& each : home(ask.peer).ask(from, ask.count)) {
    outgoing(from).lent.push_back({ask.peer, std::move(each)});
  }
}

// To the context that wants it most: of those that may show it one with connections that have none,
// or the newest.
void TicketExchange::add(LentTicket& lent) {
  const auto said = said_.find(lent.peer);
  if (said != said_.end() && said->second.asked > 0) --said->second.asked;
  std::shared_ptr<tls::ClientContext> best;
  for (const auto& each : contexts_) {
    const auto context = each.lock();
    if (context == nullptr || context->scope() != lent.peer.scope) continue;
    if (best == nullptr || best->tickets().missing(lent.peer.name) == 0) best = context;
  }
  if (best == nullptr || !best->tickets().add(lent.peer.name, lent.ticket)) return;
  ++borrowed_;
}

TicketHome& TicketExchange::home(const TicketPeer& peer) {
  const auto found = homes_.find(peer);
  if (found != homes_.end()) return found->second;
  if (homes_.size() >= kHomesMax) homes_.erase(homes_.begin());
  return homes_[peer];
}

std::uint32_t TicketExchange::home_of(const TicketPeer& peer) const {
  const auto digest = tls::sha256(peer.name);
  std::uint32_t hash = 0;
  std::memcpy(&hash, digest.data(), sizeof hash);
  return hash % shards_;
}

TicketMail& TicketExchange::outgoing(std::uint32_t to) {
  shard_.defer(*this);
  auto& mail = outgoing_[to];
  if (mail == nullptr) {
    mail = std::make_unique<TicketMail>();
    mail->from = shard_.index();
  }
  return *mail;
}

std::vector<LentTicket> TicketExchange::give_all() {
  std::vector<LentTicket> all;
  for (auto& [peer, home] : homes_) {
    for (tls::Ticket& each : home.stock()) all.push_back({peer, std::move(each)});
    home.stock().clear();
  }
  for (const auto& each : contexts_) {
    const auto context = each.lock();
    if (context == nullptr) continue;
    for (const std::string& name : context->tickets().names()) {
      while (auto ticket = context->tickets().give(name)) {
        all.push_back({{context->scope(), name}, std::move(*ticket)});
      }
    }
  }
  return all;
}

}  // namespace leat::gateway
