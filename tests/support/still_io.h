// SPDX-License-Identifier: Apache-2.0
// StillIo: an Io without sockets, for what is tested with streams that are fakes, or with none.
// Only its time moves, and only when the test says so: by hand, or by what each turn takes.
#pragma once

#include "io/io.h"

namespace leat::io {

class StillIo : public Io, private Waker {
 public:
  Instant time{seconds(1).ns};
  // Of the turns to come: how long each takes, and how many completions it brings.
  Duration turn_takes{};
  std::uint64_t turn_brings = 0;

  Instant now() const override { return time; }
  WallTime wall_now() const override { return {time.ns}; }
  Result<ListenerId> listen(const Address&, const ListenOptions&) override { return ListenerId{}; }
  Address listener_address(ListenerId) const override { return {}; }
  void accept_start(ListenerId, AcceptHandler&) override {}
  void accept_stop(ListenerId) override {}
  void listener_close(ListenerId) override {}
  Result<SocketId> connect(const Address&, SocketHandler&) override { return SocketId{}; }
  void set_handler(SocketId, SocketHandler&) override {}
  void close(SocketId) override {}
  void shutdown_send(SocketId) override {}
  void release(SocketId) override {}
  SocketId adopt(std::unique_ptr<LooseSocket>, SocketHandler&) override { return {}; }
  void receive_start(SocketId) override {}
  void receive_stop(SocketId) override {}
  void receive_into(SocketId, BlockRef, std::size_t, std::size_t) override {}
  void send(SocketId, std::span<const iovec>) override {}
  void send_block(SocketId, BlockRef, std::size_t, std::size_t) override {}
  void poll_start(int, unsigned, PollHandler&) override {}
  void poll_stop(int, PollHandler&) override {}
  void write_durable(int, BlockRef, std::size_t, std::size_t, std::uint64_t,
                     FileHandler&) override {}
  void forget(FileHandler&) override {}
  Waker& waker() override { return *this; }
  void turn(const TurnOptions&) override {
    time = time + turn_takes;
    ++stats_.turns;
    stats_.completions += turn_brings;
  }
  const IoStats& stats() const override { return stats_; }

 private:
  void wake() override {}
  IoStats stats_;
};

}  // namespace leat::io
