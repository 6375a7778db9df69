// SPDX-License-Identifier: Apache-2.0
#include "gateway/connection_exchange.h"

#include <algorithm>

namespace leat::gateway {

ConnectionExchange::ConnectionExchange(shard::Shard& shard, PeerMail* peers,
                                       net::TcpStreams& streams)
    : shard_(shard),
      peers_(peers),
      streams_(streams),
      shards_(peers != nullptr ? peers->shards() : 1),
      outgoing_(shards_) {}

void ConnectionExchange::serve(std::vector<Served> pools) {
  if (shards_ == 1) return;
  served_ = std::move(pools);
  for (const Served& each : served_) each.pool->set_peers(this);
}

void ConnectionExchange::on_missed(net::UpstreamPool& pool) {
  const ConnectionPeer* const peer = peer_of(pool);
  if (peer == nullptr) return;  // of a configuration that is gone
  const std::uint32_t self = shard_.index();
  outgoing((self + 1) % shards_).asks.push_back({*peer, self});
}

void ConnectionExchange::on_lent(net::UpstreamPool& pool, std::uint32_t to,
                                 std::unique_ptr<net::LooseStream> stream) {
  const ConnectionPeer* const peer = peer_of(pool);
  if (peer != nullptr) outgoing(to).lent.push_back({*peer, std::move(stream)});
}

void ConnectionExchange::take(std::unique_ptr<ConnectionMail> mail) {
  for (LentConnection& each : mail->lent) hear(each);
  for (ConnectionAsk& each : mail->asks) hear(each);
}

void ConnectionExchange::hear(ConnectionAsk& ask) {
  net::UpstreamPool* const pool = pool_of(ask.peer);
  if (pool != nullptr && pool->lend(ask.asker)) return;
  const std::uint32_t next = (shard_.index() + 1) % shards_;
  if (next != ask.asker) outgoing(next).asks.push_back(std::move(ask));
}

void ConnectionExchange::hear(LentConnection& lent) {
  net::UpstreamPool* const pool = pool_of(lent.peer);
  if (pool != nullptr) pool->take_lent(streams_.adopt(std::move(lent.stream)));
}

// Asks are worth nothing later, and a connection that finds no way is hung up on: who was to have
// it has a dial under way.
void ConnectionExchange::run_deferred() {
  unlink();
  for (std::uint32_t to = 0; to < shards_; ++to) {
    if (outgoing_[to] == nullptr) continue;
    peers_->post(shard_.index(), to, outgoing_[to]);
    outgoing_[to].reset();
  }
}

const ConnectionPeer* ConnectionExchange::peer_of(const net::UpstreamPool& pool) const {
  const auto found =
      std::ranges::find_if(served_, [&](const Served& each) { return each.pool == &pool; });
  return found != served_.end() ? &found->peer : nullptr;
}

net::UpstreamPool* ConnectionExchange::pool_of(const ConnectionPeer& peer) const {
  const auto found =
      std::ranges::find_if(served_, [&](const Served& each) { return each.peer == peer; });
  return found != served_.end() ? found->pool : nullptr;
}

ConnectionMail& ConnectionExchange::outgoing(std::uint32_t to) {
  shard_.defer(*this);
  auto& mail = outgoing_[to];
  if (mail == nullptr) mail = std::make_unique<ConnectionMail>();
  return *mail;
}

}  // namespace leat::gateway
