// SPDX-License-Identifier: Apache-2.0
// Listener: accepts connections on one address for one shard (SO_REUSEPORT: the kernel spreads
// them). When descriptors run out it stops and tries again later, so that it never spins; at its
// connection limit it closes what comes.
#pragma once

#include "net/tcp_stream.h"

namespace leat::net {

class ConnectionSink {
 public:
  // A new client connection, not yet received from: adopt the socket or close it.
  virtual void on_connection(io::SocketId socket, const io::Address& peer, bool is_tls) = 0;

 protected:
  ~ConnectionSink() = default;
};

class Listener final : private io::AcceptHandler {
 public:
  Listener(shard::Shard& shard, ConnectionSink& sink, bool is_tls)
      : shard_(shard), sink_(sink), is_tls_(is_tls) {}
  ~Listener() { close(); }

  // Binds and starts to accept. The error names what the kernel said.
  Result<void> open(const io::Address& address);
  // The same on a Unix socket (io::Io::listen_local).
  Result<void> open_local(const std::string& path);
  // The address with the port that the kernel chose.
  io::Address address() const { return shard_.io().listener_address(listener_); }
  // Accepts no more and leaves the socket open, for another process to accept from, until close();
  // resume() takes that back.
  void finish();
  void resume();
  void close();

 private:
  void on_accept(io::SocketId socket, const io::Address& peer) override;
  void on_accept_end(int error) override;
  void on_retry();

  shard::Shard& shard_;
  ConnectionSink& sink_;
  bool is_tls_;
  io::ListenerId listener_;
  Timer retry_{timer_callback<&Listener::on_retry>, this};
};

}  // namespace leat::net
