// SPDX-License-Identifier: Apache-2.0
// Sending. A send of the turn is tried once by the enter that submits it and says nothing when it
// took everything: its bytes are the kernel's when the enter returns (engine.md 2.5). DONTWAIT and
// WAITALL together make the kernel try for all bytes now and report what it took; without either,
// a silent short write or bytes of unknown lifetime would follow.
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <climits>

#include "base/check.h"
#include "base/prefetch.h"
#include "io/uring_io.h"

namespace leat::io {

namespace {

constexpr int kNowOrShort = MSG_NOSIGNAL | MSG_DONTWAIT | MSG_WAITALL;

// A length field of the kernel's is 32 bits and one call moves less than 2 GiB.
constexpr std::size_t kBlockBytesMax = std::size_t{1} << 30;

}  // namespace

void UringIo::send(SocketId id, std::span<const iovec> segments) {
  Socket* socket = find(id);
  if (socket == nullptr || segments.empty()) return;
  LEAT_CHECK(!has_staged_send(*socket) && !socket->outgoing);
  const std::size_t count = std::min<std::size_t>(segments.size(), IOV_MAX);
  io_uring_sqe* sqe = ring_.stage();
  if (count == 1) {
    io_uring_prep_send(sqe, socket->fd, segments[0].iov_base, segments[0].iov_len, kNowOrShort);
  } else {
    msghdr& message = messages_.take();
    message = {};
    message.msg_iov = const_cast<iovec*>(segments.data());
    message.msg_iovlen = count;
    io_uring_prep_sendmsg(sqe, socket->fd, &message, kNowOrShort);
  }
  // More segments than one call takes: its success is a shortfall, too, and must be heard of.
  if (count == segments.size()) sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
  sqe->user_data = encode({Op::kSend, socket->generation, id.slot});
  socket->send_round = staging_round_;
  socket->has_short_rest = false;
  if (socket->half_close) queue_hangup(id.slot);
  ++stats_.sends;
}

void UringIo::foresee_send(SocketId id) const {
  if (id.slot < pages_.size() * kPageSockets) prefetch(socket_at(id.slot));
}

void UringIo::on_send_completion(std::uint32_t slot, int result) {
  Socket& socket = socket_at(slot);
  socket.has_short_rest = true;
  socket.send_round = 0;  // submitted, whatever of its round is not yet
  ++stats_.short_sends;
  if (result >= 0) {
    socket.handler->on_send_short(static_cast<std::size_t>(result), EAGAIN);
  } else {
    socket.handler->on_send_short(0, -result);
  }
}

void UringIo::send_block(SocketId id, BlockRef block, std::size_t offset, std::size_t size) {
  Socket* socket = find(id);
  if (socket == nullptr) return;
  LEAT_CHECK(!has_staged_send(*socket) && !socket->outgoing);
  LEAT_CHECK(size <= kBlockBytesMax && offset + size <= block->capacity());
  io_uring_sqe* sqe = ring_.stage();
  io_uring_prep_send(sqe, socket->fd, block->data() + offset, size, MSG_NOSIGNAL | MSG_WAITALL);
  sqe->user_data = encode({Op::kSendBlock, socket->generation, id.slot});
  socket->outgoing = std::move(block);
  socket->send_size = size;
  socket->has_short_rest = false;
  ++socket->ops;
  ++stats_.sends;
}

void UringIo::on_send_block_completion(std::uint32_t slot, int result) {
  Socket& socket = socket_at(slot);
  const BlockRef block = std::move(socket.outgoing);
  const std::size_t sent = static_cast<std::size_t>(std::max(result, 0));
  int error = result < 0 ? -result : 0;
  // The kernel tells the count and keeps the reason to itself: the peer is gone, or will be found
  // so.
  if (result >= 0 && sent < socket.send_size) error = ECONNRESET;
  if (error == 0) try_half_close(socket);
  socket.handler->on_send_block(sent, error);
}

}  // namespace leat::io
