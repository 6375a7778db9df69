// SPDX-License-Identifier: Apache-2.0
// The table of sockets, and hanging up. close(2) alone hangs up on nobody while a receive is armed:
// the operation holds the file, and the peer waits for a FIN that never comes
// (threats-and-faults.md 1.1). So: shutdown(2) at once, cancel, and close(2) after the last
// completion. Not IORING_OP_SHUTDOWN, which always takes a detour through a kernel thread.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utility>

#include "base/check.h"
#include "io/uring_io.h"

namespace leat::io {

UringIo::Socket* UringIo::find(SocketId id) {
  if (id.slot >= pages_.size() * kPageSockets) return nullptr;
  Socket& socket = socket_at(id.slot);
  return socket.is_open && socket.generation == id.generation ? &socket : nullptr;
}

// After a call of a handler, which may have closed the socket.
bool UringIo::is_current(std::uint32_t slot, std::uint32_t generation) {
  return find(SocketId{slot, generation}) != nullptr;
}

// Takes a slot for a descriptor, which it owns from now on.
std::uint32_t UringIo::open_socket(int fd) {
  if (free_slots_.empty()) {
    const auto first = static_cast<std::uint32_t>(pages_.size() * kPageSockets);
    pages_.push_back(std::make_unique<Page>());
    for (std::uint32_t i = kPageSockets; i-- > 0;) free_slots_.push_back(first + i);
  }
  const std::uint32_t slot = free_slots_.back();
  free_slots_.pop_back();
  Socket& socket = socket_at(slot);
  socket.fd = fd;
  socket.is_open = true;
  ++stats_.sockets_open;
  return slot;
}

void UringIo::set_handler(SocketId id, SocketHandler& handler) {
  if (Socket* socket = find(id)) socket->handler = &handler;
}

void UringIo::delay_acks(SocketId id) {
  const Socket* socket = find(id);
  if (socket == nullptr) return;
  const int quick = 0;
  setsockopt(socket->fd, IPPROTO_TCP, TCP_QUICKACK, &quick, sizeof quick);
}

bool UringIo::delays_acks(SocketId id) {
  const Socket* socket = find(id);
  if (socket == nullptr) return false;
  int quick = 1;
  socklen_t size = sizeof quick;
  return getsockopt(socket->fd, IPPROTO_TCP, TCP_QUICKACK, &quick, &size) == 0 && quick == 0;
}

void UringIo::close(SocketId id) {
  Socket* socket = find(id);
  if (socket == nullptr) return;
  socket->is_open = false;
  socket->handler = nullptr;
  socket->stash.reset();
  --stats_.sockets_open;
  if (has_staged_send(*socket)) {
    queue_hangup(id.slot);
  } else if (!socket->in_hangups) {
    hang_up(id.slot);
  }
}

void UringIo::shutdown_send(SocketId id) {
  Socket* socket = find(id);
  if (socket == nullptr) return;
  socket->half_close = true;
  if (has_staged_send(*socket)) {
    queue_hangup(id.slot);
  } else {
    try_half_close(*socket);
  }
}

// A shortfall puts the half-close off until its rest went out by another send.
void UringIo::try_half_close(Socket& socket) {
  if (!socket.half_close || socket.outgoing || socket.has_short_rest) return;
  ::shutdown(socket.fd, SHUT_WR);
  socket.half_close = false;
}

void UringIo::queue_hangup(std::uint32_t slot) {
  if (std::exchange(socket_at(slot).in_hangups, true)) return;
  hangups_.push_back(slot);
}

void UringIo::after_submission(std::uint32_t slot) {
  Socket& socket = socket_at(slot);
  if (has_staged_send(socket)) {  // a new one, by a handler
    hangups_.push_back(slot);
    return;
  }
  socket.in_hangups = false;
  if (socket.is_open) {
    try_half_close(socket);
  } else {
    hang_up(slot);
  }
}

void UringIo::hang_up(std::uint32_t slot) {
  Socket& socket = socket_at(slot);
  if (socket.ops > 0) {
    ::shutdown(socket.fd, SHUT_RDWR);
    const auto cancel = [&](bool is_armed, Op op) {
      if (is_armed) stage_cancel({op, socket.generation, slot});
    };
    cancel(socket.is_armed && !socket.is_cancelling, Op::kReceive);
    cancel(socket.is_into_armed, Op::kReceiveInto);
    cancel(socket.is_drain_armed, Op::kDrain);
    cancel(socket.is_notice_armed, Op::kNotice);
    cancel(socket.is_watch_armed, Op::kWatch);
    cancel(static_cast<bool>(socket.outgoing), Op::kSendBlock);
    cancel(socket.is_connecting, Op::kConnect);
  }
  release_if_idle(slot);
}

// The slot is free again once nothing of the kernel can name it any more.
void UringIo::release_if_idle(std::uint32_t slot) {
  Socket& socket = socket_at(slot);
  if (socket.is_open || socket.ops > 0 || socket.in_hangups) return;
  LEAT_CHECK(socket.fd >= 0);
  ::close(socket.fd);
  free_slot(slot);
}

void UringIo::free_slot(std::uint32_t slot) {
  Socket& socket = socket_at(slot);
  // A slot may still be listed somewhere; whoever comes to it there asks the socket what to do.
  Socket fresh;
  fresh.generation = next_generation(socket.generation);
  fresh.in_reconcile = socket.in_reconcile;
  fresh.in_pump = socket.in_pump;
  fresh.is_starved = socket.is_starved;
  socket = std::move(fresh);
  free_slots_.push_back(slot);
}

}  // namespace leat::io
