// SPDX-License-Identifier: Apache-2.0
// SimIo's letting go of a connection, and its adopting of one: with a turn of the world's choice, a
// little late, so that bytes may come first.
#include "simulation/sim_io.h"

namespace leat::sim {

namespace {

struct LooseEnd final : io::LooseSocket {
  explicit LooseEnd(End* of) : end(of) {}
  ~LooseEnd() override {
    if (end != nullptr) end->close();
  }
  End* end;
};

}  // namespace

void SimIo::release(io::SocketId id) {
  Socket* socket = find(id);
  if (socket == nullptr) return;
  if (socket->is_connecting) return broken("release() before on_connect()");
  if (socket->is_releasing) return broken("a second release() on one socket");
  socket->is_streaming = socket->is_holding = socket->is_watched = false;
  socket->held_since = kNever;
  socket->is_releasing = true;
  queue({Op::kReleased, socket->slot, socket->generation, 0});
}

void SimIo::dispatch_released(Socket& socket) {
  if (!socket.is_releasing || socket.is_streaming || socket.has_into) {
    return broken("a call between release() and its answer");
  }
  socket.is_releasing = false;
  End& end = *socket.end;
  const bool is_sending = socket.is_staged || socket.half_close || socket.has_short_rest ||
                          socket.block_state != BlockState::kNone;
  const bool is_taken = !end.readable().empty() || end.at_end() || end.error() != 0;
  io::SocketHandler* const handler = socket.handler;
  if (is_sending || is_taken) {
    receive_start({socket.slot, socket.generation});
    return handler->on_released(nullptr);
  }
  end.set_user(nullptr);
  socket.end = nullptr;
  socket.handler = nullptr;
  free_.push_back(socket.slot);
  --stats_.sockets_open;
  handler->on_released(std::make_unique<LooseEnd>(&end));
}

io::SocketId SimIo::adopt(std::unique_ptr<io::LooseSocket> loose, io::SocketHandler& handler) {
  Socket& socket = open_socket();
  attach(socket, *std::exchange(static_cast<LooseEnd&>(*loose).end, nullptr));
  socket.handler = &handler;
  socket.is_outgoing = true;
  return {socket.slot, socket.generation};
}

}  // namespace leat::sim
