// SPDX-License-Identifier: Apache-2.0
// ScriptedIo: an Io of no sockets, whose turns take as long and bring as many completions as a test
// says. For what asks its shard for the time or for how late it is.
#pragma once

#include <string>

#include "io/io.h"

namespace leat::gateway {

class ScriptedIo final : public io::Io, private io::Waker {
 public:
  // Of the turns to come.
  Duration turn_takes = microseconds(100);
  std::uint64_t turn_brings = 0;

  Instant now() const override { return now_; }
  WallTime wall_now() const override { return {now_.ns}; }
  void turn(const io::TurnOptions&) override {
    now_ = now_ + turn_takes;
    ++stats_.turns;
    stats_.completions += turn_brings;
  }
  const io::IoStats& stats() const override { return stats_; }
  io::Waker& waker() override { return *this; }

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

 private:
  void wake() override {}

  Instant now_{seconds(1).ns};
  io::IoStats stats_;
};

}  // namespace leat::gateway
