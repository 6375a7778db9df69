// SPDX-License-Identifier: Apache-2.0
// Letting go of a connection and adopting one. What the kernel still does for us on the socket is
// cancelled and its end awaited: a receive that is armed might take bytes that its new owner
// would miss. What came before is kept (uring_receive.cc), and then it is not let go of.
#include <unistd.h>

#include <utility>

#include "base/check.h"
#include "io/uring_io.h"

namespace leat::io {

namespace {

struct LooseDescriptor final : LooseSocket {
  explicit LooseDescriptor(int descriptor) : fd(descriptor) {}
  // Nothing is armed on it, so that this hangs up at once.
  ~LooseDescriptor() override {
    if (fd >= 0) ::close(fd);
  }
  int fd;
};

}  // namespace

void UringIo::release(SocketId id) {
  Socket* socket = find(id);
  if (socket == nullptr) return;
  LEAT_CHECK(!socket->is_releasing);
  socket->is_releasing = true;
  socket->is_streaming = false;
  socket->is_holding = socket->is_watched = false;
  queue_reconcile(id.slot);
  queue_pump(id.slot);
}

void UringIo::reconcile_release(std::uint32_t slot) {
  Socket& socket = socket_at(slot);
  const auto cancel = [&](bool is_armed, Op op) {
    if (is_armed) stage_cancel({op, socket.generation, slot});
  };
  cancel(socket.is_armed && !std::exchange(socket.is_cancelling, true), Op::kReceive);
  cancel(socket.is_drain_armed, Op::kDrain);
  cancel(socket.is_notice_armed, Op::kNotice);
  cancel(socket.is_watch_armed, Op::kWatch);
}

// When nothing is armed any more: to its handler, or back to what it was.
void UringIo::pump_release(std::uint32_t slot) {
  Socket& socket = socket_at(slot);
  const bool is_sending =
      has_staged_send(socket) || socket.outgoing || socket.has_short_rest || socket.half_close;
  const bool is_taken = socket.stash || socket.ended || socket.wants_into || socket.is_connecting ||
                        socket.is_bounded;
  if (!is_sending && !is_taken && socket.ops > 0) return;
  socket.is_releasing = false;
  SocketHandler* const handler = socket.handler;
  if (is_sending || is_taken) {
    receive_start({slot, socket.generation});
    return handler->on_released(nullptr);
  }
  auto loose = std::make_unique<LooseDescriptor>(socket.fd);
  socket.is_open = false;
  --stats_.sockets_open;
  free_slot(slot);
  handler->on_released(std::move(loose));
}

SocketId UringIo::adopt(std::unique_ptr<LooseSocket> socket, SocketHandler& handler) {
  LEAT_CHECK(socket != nullptr);
  // Of another UringIo, as the caller promises.
  const int fd = std::exchange(static_cast<LooseDescriptor&>(*socket).fd, -1);
  const std::uint32_t slot = open_socket(fd);
  socket_at(slot).handler = &handler;
  return {slot, socket_at(slot).generation};
}

}  // namespace leat::io
