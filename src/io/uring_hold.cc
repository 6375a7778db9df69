// SPDX-License-Identifier: Apache-2.0
// Holding back: what comes stays in the socket until it is asked for. A poll tells that the first
// of it is there, and one receive then takes all that has come meanwhile; between the two the
// kernel does nothing for us but to keep the bytes. A low-water mark (SO_RCVLOWAT, engine.md 5)
// would not even tell of the first, so that a bound on the time could only be kept by asking at
// fixed times: that merges rate x time events, and this merges one more.
#include <sys/poll.h>

#include <cerrno>

#include "io/uring_io.h"

namespace leat::io {

void UringIo::receive_hold(SocketId id) {
  Socket* socket = find(id);
  if (socket == nullptr) return;
  socket->is_streaming = true;
  socket->is_holding = true;
  socket->is_watched = false;
  socket->wants_drain = true;
  queue_reconcile(id.slot);
  if (socket->stash || socket->ended) queue_pump(id.slot);
}

// The receive first: a poll beside bytes that are there already would tell of those.
void UringIo::arm_held(std::uint32_t slot) {
  Socket& socket = socket_at(slot);
  io_uring_sqe* sqe;
  if (socket.wants_drain) {
    sqe = ring_.stage();
    io_uring_prep_recv(sqe, socket.fd, nullptr, 0, MSG_DONTWAIT);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = buffers_.group();
    sqe->user_data = encode({Op::kDrain, socket.generation, slot});
    socket.is_drain_armed = true;
  } else {
    if (socket.is_notice_armed || socket.is_told) return;
    sqe = ring_.stage();
    io_uring_prep_poll_add(sqe, socket.fd, POLLIN | POLLRDHUP);
    sqe->user_data = encode({Op::kNotice, socket.generation, slot});
    socket.is_notice_armed = true;
  }
  ++socket.ops;
}

void UringIo::on_drain_completion(OpTag tag, const io_uring_cqe& completion) {
  const bool has_buffer = (completion.flags & IORING_CQE_F_BUFFER) != 0;
  BufferRing::Slice slice;
  if (has_buffer) slice = buffers_.take(completion);
  if (settle(tag, true)) {
    Socket& socket = socket_at(tag.slot);
    socket.is_drain_armed = false;
    socket.is_told = false;
    queue_reconcile(tag.slot);
    const bool is_more_there = (completion.flags & IORING_CQE_F_SOCK_NONEMPTY) != 0;
    if (completion.res > 0) {
      socket.wants_drain = is_more_there;
      ++stats_.receives;
      deliver(tag.slot, slice.bytes);
    } else if (completion.res == -EAGAIN) {
      socket.wants_drain = false;
    } else {
      end_receiving(tag.slot, completion.res);  // for want of a buffer it is asked again
    }
  }
  if (has_buffer) buffers_.release(slice);
}

void UringIo::on_notice_completion(std::uint32_t slot) {
  Socket& socket = socket_at(slot);
  socket.is_notice_armed = false;
  queue_reconcile(slot);
  if (!socket.is_holding || socket.wants_drain) return;  // what it tells of is asked for already
  socket.is_told = true;
  socket.handler->on_held();
}

}  // namespace leat::io
