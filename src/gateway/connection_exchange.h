// SPDX-License-Identifier: Apache-2.0
// ConnectionExchange: idle connections to providers, lent across shards, so that one that lies
// unused on one shard spares another a handshake. An ask goes round:
//
//     a shard dials   --ask-->  the next one, which lends, or --ask--> the one after it, ...
//     who has one to spare  --lent-->  who asked
//
// Nobody waits for an answer: the dial goes on, and the first of the two serves (upstream_pool.h).
// An ask that comes back, or finds a mailbox full, is over. Owned by the shard's Gateway.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "gateway/connection_mail.h"
#include "gateway/peer_mail.h"
#include "net/tcp_stream.h"
#include "net/upstream_pool.h"
#include "shard/shard.h"

namespace leat::gateway {

class ConnectionExchange final : private net::PoolPeers, private shard::Deferred {
 public:
  // `peers`: null, or of one shard: nothing is lent. Both outlive the exchange's use.
  ConnectionExchange(shard::Shard& shard, PeerMail* peers, net::TcpStreams& streams);
  ConnectionExchange(const ConnectionExchange&) = delete;
  ConnectionExchange& operator=(const ConnectionExchange&) = delete;

  // The pools of a shard from here on, and whose they are; the exchange outlives all pools that it
  // was ever given.
  struct Served {
    ConnectionPeer peer;
    net::UpstreamPool* pool = nullptr;
  };
  void serve(std::vector<Served> pools);
  // What other shards say.
  void take(std::unique_ptr<ConnectionMail> mail);

 private:
  void on_missed(net::UpstreamPool& pool) override;
  void on_lent(net::UpstreamPool& pool, std::uint32_t to,
               std::unique_ptr<net::LooseStream> stream) override;
  void run_deferred() override;
  void hear(ConnectionAsk& ask);
  void hear(LentConnection& lent);
  const ConnectionPeer* peer_of(const net::UpstreamPool& pool) const;
  net::UpstreamPool* pool_of(const ConnectionPeer& peer) const;
  ConnectionMail& outgoing(std::uint32_t to);

  shard::Shard& shard_;
  PeerMail* peers_;
  net::TcpStreams& streams_;
  const std::uint32_t shards_;
  std::vector<Served> served_;
  std::vector<std::unique_ptr<ConnectionMail>> outgoing_;  // by shard; null: nothing to say
};

}  // namespace leat::gateway
