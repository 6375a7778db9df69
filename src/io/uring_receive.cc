// SPDX-License-Identifier: Apache-2.0
// Receiving. Callers say what they want (receive_start, receive_stop, receive_into; receive_hold is
// in uring_hold.cc), the kernel has
// something armed, and reconcile() closes the gap at the start of a turn: so a stop and a start
// between two turns cost nothing, and every end of a multishot receive, whatever its reason (no
// buffers, completion queue full, cancelled), is repaired in one place.
//
// Bytes that arrive while nobody wants them (the kernel was told to stop, but a little later) are
// kept in the socket's stash and pumped, after the completions, to whoever asks next.
#include <linux/socket.h>
#include <sys/poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/check.h"
#include "io/uring_io.h"

namespace leat::io {

namespace {

constexpr std::size_t kStashBytes = 16 * 1024;  // a first stash: about what one reception brings

// A buffer that nobody reads goes on growing while small packets come, up to tcp_rmem's megabytes.
// Bounded, it closes the window at the size that it has, and the peer stops.
void set_bounded(int fd, bool is_bounded) {
  const int value = is_bounded ? SOCK_RCVBUF_LOCK : 0;
  setsockopt(fd, SOL_SOCKET, SO_BUF_LOCK, &value, sizeof value);
}

}  // namespace

void UringIo::receive_start(SocketId id) {
  Socket* socket = find(id);
  if (socket == nullptr) return;
  socket->is_streaming = true;
  socket->is_holding = socket->is_watched = false;
  queue_reconcile(id.slot);
  if (socket->stash || socket->ended) queue_pump(id.slot);
}

void UringIo::receive_stop(SocketId id) {
  Socket* socket = find(id);
  if (socket == nullptr) return;
  socket->is_streaming = false;
  socket->is_holding = socket->is_watched = false;
  queue_reconcile(id.slot);
}

void UringIo::receive_watch(SocketId id) {
  Socket* socket = find(id);
  if (socket == nullptr) return;
  receive_stop(id);
  socket->is_watched = true;
  if (socket->ended) queue_pump(id.slot);
}

void UringIo::receive_into(SocketId id, BlockRef block, std::size_t offset, std::size_t size) {
  Socket* socket = find(id);
  if (socket == nullptr) return;
  LEAT_CHECK(!socket->wants_into);
  LEAT_CHECK(size > 0 && offset + size <= block->capacity());
  socket->is_streaming = false;
  socket->is_holding = socket->is_watched = false;
  socket->wants_into = true;
  socket->into = std::move(block);
  socket->into_offset = offset;
  socket->into_size = size;
  socket->into_filled = 0;
  queue_reconcile(id.slot);
  if (socket->stash || socket->ended) queue_pump(id.slot);
}

// ---- What the kernel has armed ----

void UringIo::queue_reconcile(std::uint32_t slot) {
  if (!std::exchange(socket_at(slot).in_reconcile, true)) reconcile_.push_back(slot);
}

void UringIo::reconcile(std::uint32_t slot) {
  Socket& socket = socket_at(slot);
  socket.in_reconcile = false;
  if (!socket.is_open || socket.is_connecting) return;
  if (socket.is_releasing) return reconcile_release(slot);
  if (socket.is_armed) {
    const bool is_wanted = socket.is_streaming && !socket.is_holding && !socket.wants_into;
    if (!is_wanted && !socket.is_cancelling) {
      stage_cancel({Op::kReceive, socket.generation, slot});
      socket.is_cancelling = true;
      socket.is_bounded = !socket.is_streaming && !socket.wants_into;
      if (socket.is_bounded) set_bounded(socket.fd, true);
    }
    return;
  }
  if (socket.ended) return;
  if (socket.is_bounded && (socket.is_streaming || socket.wants_into)) {
    socket.is_bounded = false;
    set_bounded(socket.fd, false);
  }
  if (socket.wants_into) {
    // With bytes in hand already, the pump answers.
    if (!socket.is_into_armed && !socket.stash) arm_receive_into(slot);
  } else if (socket.is_streaming && !socket.is_starved && !socket.is_drain_armed) {
    socket.is_holding ? arm_held(slot) : arm_receive(slot);
  } else if (socket.is_watched && !socket.is_watch_armed) {
    arm_watch(slot);
  }
}

void UringIo::arm_receive(std::uint32_t slot) {
  Socket& socket = socket_at(slot);
  io_uring_sqe* sqe = ring_.stage();
  io_uring_prep_recv_multishot(sqe, socket.fd, nullptr, receive_most_, 0);
  sqe->flags |= IOSQE_BUFFER_SELECT;
  sqe->buf_group = buffers_.group();
  sqe->user_data = encode({Op::kReceive, socket.generation, slot});
  socket.is_armed = true;
  ++socket.ops;
}

void UringIo::arm_receive_into(std::uint32_t slot) {
  Socket& socket = socket_at(slot);
  io_uring_sqe* sqe = ring_.stage();
  io_uring_prep_recv(sqe, socket.fd, socket.into->data() + socket.into_offset, socket.into_size, 0);
  sqe->user_data = encode({Op::kReceiveInto, socket.generation, slot});
  socket.is_into_armed = true;
  ++socket.ops;
}

// Only for the peer's end: what is unread already would answer a poll for bytes each time. It stays
// armed when the socket is read again, and what it tells then is not asked for.
void UringIo::arm_watch(std::uint32_t slot) {
  Socket& socket = socket_at(slot);
  io_uring_sqe* sqe = ring_.stage();
  io_uring_prep_poll_add(sqe, socket.fd, POLLRDHUP);
  sqe->user_data = encode({Op::kWatch, socket.generation, slot});
  socket.is_watch_armed = true;
  ++socket.ops;
}

void UringIo::on_watch_completion(std::uint32_t slot, int result) {
  Socket& socket = socket_at(slot);
  socket.is_watch_armed = false;
  if (result > 0 && std::exchange(socket.is_watched, false)) socket.handler->on_peer_gone();
}

// Those that found no buffer, in the order of starving, after the buffers came back: an empty ring
// fails a receive at arming even with nothing to receive. Not more at once than there are buffers,
// since the others would starve again.
void UringIo::rearm_starved() {
  std::size_t room = buffers_.buffer_count();
  while (starved_begin_ < starved_.size() && room > 0) {
    const std::uint32_t slot = starved_[starved_begin_++];
    socket_at(slot).is_starved = false;
    reconcile(slot);
    --room;
  }
  if (starved_begin_ == starved_.size()) {
    starved_.clear();
    starved_begin_ = 0;
  }
}

// ---- What came ----

void UringIo::on_receive_completion(OpTag tag, const io_uring_cqe& completion) {
  const bool is_last = (completion.flags & IORING_CQE_F_MORE) == 0;
  const bool has_buffer = (completion.flags & IORING_CQE_F_BUFFER) != 0;
  // Before the question whose it is: the next slice of the buffer begins where this one ends.
  BufferRing::Slice slice;
  if (has_buffer) slice = buffers_.take(completion);
  if (settle(tag, is_last)) {
    if (is_last) {
      Socket& socket = socket_at(tag.slot);
      socket.is_armed = false;
      socket.is_cancelling = false;
      queue_reconcile(tag.slot);
    }
    if (completion.res > 0) {
      ++stats_.receives;
      deliver(tag.slot, slice.bytes);
    } else if (is_last) {
      end_receiving(tag.slot, completion.res);
    }
  }
  if (has_buffer) buffers_.release(slice);
}

void UringIo::deliver(std::uint32_t slot, std::span<char> bytes) {
  Socket& socket = socket_at(slot);
  if (socket.is_streaming && !socket.wants_into && !socket.stash) {
    socket.handler->on_receive(bytes);
    return;
  }
  stats_.copied_on_pause += bytes.size();
  if (socket.wants_into && !socket.stash) {
    const std::size_t count = std::min(bytes.size(), socket.into_size - socket.into_filled);
    std::memcpy(socket.into->data() + socket.into_offset + socket.into_filled, bytes.data(), count);
    socket.into_filled += count;
    bytes = bytes.subspan(count);
  }
  if (!bytes.empty()) keep(socket, bytes);
  if (socket.wants_into || socket.is_streaming) queue_pump(slot);
}

void UringIo::keep(Socket& socket, std::span<const char> bytes) {
  const std::size_t held = socket.stash ? socket.stash->size - socket.stash_begin : 0;
  if (!socket.stash || socket.stash->capacity() - socket.stash->size < bytes.size()) {
    BlockRef larger = Block::allocate(std::max(kStashBytes, 2 * (held + bytes.size())));
    if (held > 0) std::memcpy(larger->data(), socket.stash->data() + socket.stash_begin, held);
    larger->size = held;
    socket.stash = std::move(larger);
    socket.stash_begin = 0;
  }
  std::memcpy(socket.stash->data() + socket.stash->size, bytes.data(), bytes.size());
  socket.stash->size += bytes.size();
}

// A multishot receive ended without bytes.
void UringIo::end_receiving(std::uint32_t slot, int result) {
  Socket& socket = socket_at(slot);
  if (result == -ECANCELED || result == -EINTR) return;  // reconcile() knows whether to arm again
  if (result == -ENOBUFS) {
    ++stats_.no_buffers;
    if (!std::exchange(socket.is_starved, true)) starved_.push_back(slot);
    return;
  }
  socket.ended = true;
  socket.end_error = -result;
  if (socket.wants_into || (socket.is_streaming && socket.stash)) {
    queue_pump(slot);
  } else if (socket.is_streaming) {
    socket.is_streaming = false;
    socket.handler->on_receive_end(socket.end_error);
  } else if (std::exchange(socket.is_watched, false)) {
    socket.handler->on_peer_gone();
  }
}

void UringIo::on_receive_into_completion(std::uint32_t slot, int result) {
  Socket& socket = socket_at(slot);
  socket.is_into_armed = false;
  socket.wants_into = false;
  const BlockRef block = std::move(socket.into);
  queue_reconcile(slot);  // receive_start() may have been called meanwhile
  if (result > 0) {
    ++stats_.receives;
    socket.handler->on_receive_into(static_cast<std::size_t>(result), 0);
    return;
  }
  socket.ended = true;
  socket.end_error = -result;
  if (socket.is_streaming) queue_pump(slot);
  socket.handler->on_receive_into(0, socket.end_error);
}

// ---- What was kept ----

void UringIo::queue_pump(std::uint32_t slot) {
  if (!std::exchange(socket_at(slot).in_pump, true)) pump_.push_back(slot);
}

void UringIo::pump_all() {
  // What handlers ask for now waits for the next turn, which will not sleep.
  batch_.clear();
  batch_.swap(pump_);
  for (const std::uint32_t slot : batch_) pump(slot);
  for (std::uint32_t slot = 0; slot < listeners_.size(); ++slot) pump_held(slot);
}

void UringIo::pump(std::uint32_t slot) {
  Socket& socket = socket_at(slot);
  socket.in_pump = false;
  if (!socket.is_open) return;
  if (socket.is_releasing) return pump_release(slot);
  if (socket.wants_into) {
    if (!socket.is_into_armed) pump_into(slot);
    return;
  }
  if (!socket.is_streaming) {
    if (socket.ended && std::exchange(socket.is_watched, false)) socket.handler->on_peer_gone();
    return;
  }
  if (socket.stash) {
    const std::uint32_t generation = socket.generation;
    const BlockRef block = std::move(socket.stash);
    socket.handler->on_receive(block.bytes().subspan(std::exchange(socket.stash_begin, 0)));
    if (!is_current(slot, generation) || !socket.is_streaming || socket.wants_into) return;
  }
  if (socket.ended) {
    socket.is_streaming = false;
    socket.handler->on_receive_end(socket.end_error);
  }
}

// Answers a receive_into() from what was kept and what came since.
void UringIo::pump_into(std::uint32_t slot) {
  Socket& socket = socket_at(slot);
  if (socket.stash) {
    const std::span<char> kept = socket.stash.bytes().subspan(socket.stash_begin);
    const std::size_t count = std::min(kept.size(), socket.into_size - socket.into_filled);
    std::memcpy(socket.into->data() + socket.into_offset + socket.into_filled, kept.data(), count);
    socket.into_filled += count;
    socket.stash_begin += count;
    if (count == kept.size()) {
      socket.stash.reset();
      socket.stash_begin = 0;
    }
  }
  if (socket.into_filled == 0 && !socket.ended) return;
  socket.wants_into = false;
  const BlockRef block = std::move(socket.into);
  queue_reconcile(slot);
  if (socket.into_filled > 0) {
    socket.handler->on_receive_into(socket.into_filled, 0);
  } else {
    socket.handler->on_receive_into(0, socket.end_error);
  }
}

}  // namespace leat::io
