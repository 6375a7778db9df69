// SPDX-License-Identifier: Apache-2.0
// StillIo: an Io without sockets, for tests whose streams are fakes. Only its time moves, and only
// when the test says so.
#pragma once

#include "io/io.h"

namespace leat::net {

class StillIo : public io::Io, private io::Waker {
 public:
  Instant time{seconds(1).ns};

  Instant now() const override { return time; }
  WallTime wall_now() const override { return {}; }
  Result<io::ListenerId> listen(const io::Address&, const io::ListenOptions&) override {
    return io::ListenerId{};
  }
  io::Address listener_address(io::ListenerId) const override { return {}; }
  void accept_start(io::ListenerId, io::AcceptHandler&) override {}
  void accept_stop(io::ListenerId) override {}
  void listener_close(io::ListenerId) override {}
  Result<io::SocketId> connect(const io::Address&, io::SocketHandler&) override {
    return io::SocketId{};
  }
  void set_handler(io::SocketId, io::SocketHandler&) override {}
  void close(io::SocketId) override {}
  void shutdown_send(io::SocketId) override {}
  void receive_start(io::SocketId) override {}
  void receive_stop(io::SocketId) override {}
  void receive_into(io::SocketId, BlockRef, std::size_t, std::size_t) override {}
  void send(io::SocketId, std::span<const iovec>) override {}
  void send_block(io::SocketId, BlockRef, std::size_t, std::size_t) override {}
  void poll_start(int, unsigned, io::PollHandler&) override {}
  void poll_stop(int, io::PollHandler&) override {}
  void write_durable(int, BlockRef, std::size_t, std::size_t, std::uint64_t,
                     io::FileHandler&) override {}
  void forget(io::FileHandler&) override {}
  io::Waker& waker() override { return *this; }
  void turn(const io::TurnOptions&) override {}
  const io::IoStats& stats() const override { return stats_; }

 private:
  void wake() override {}
  io::IoStats stats_;
};

}  // namespace leat::net
