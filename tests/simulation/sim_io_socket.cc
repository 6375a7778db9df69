// SPDX-License-Identifier: Apache-2.0
// SimIo's sockets: connecting, accepting, receiving, sending, hanging up.
#include <algorithm>
#include <cerrno>
#include <cstring>

#include "simulation/sim_io.h"

namespace leat::sim {

namespace {

constexpr std::size_t kReceiveMax = 64 * 1024;
constexpr char kScribble = '\x7e';
constexpr Duration kLateWriteMax = milliseconds(2);
constexpr Duration kStarvedMax = milliseconds(5);

}  // namespace

// ---- Names -------------------------------------------------------------------------------------

SimIo::Socket* SimIo::find(io::SocketId id) {
  if (!id || id.slot >= sockets_.size()) return nullptr;
  Socket& socket = sockets_[id.slot];
  return socket.end != nullptr && socket.generation == id.generation ? &socket : nullptr;
}

Connection* SimIo::connection_of(io::SocketId id) {
  Socket* socket = find(id);
  return socket == nullptr ? nullptr : &socket->end->connection();
}

// The slot freed last is taken first, so that a stale name meets a live socket soon.
SimIo::Socket& SimIo::open_socket() {
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(sockets_.size()));
    sockets_.emplace_back();
  }
  const std::uint32_t slot = free_.back();
  free_.pop_back();
  Socket& socket = sockets_[slot];
  const std::uint32_t generation = socket.generation + 1;
  socket = Socket();
  socket.io = this;
  socket.slot = slot;
  socket.generation = generation;
  return socket;
}

void SimIo::attach(Socket& socket, End& end) {
  socket.end = &end;
  end.set_user(&socket);
  ++stats_.sockets_open;
}

Result<io::SocketId> SimIo::connect(const io::Address& address, io::SocketHandler& handler) {
  if (world_.strikes(Fault::kConnectEmfile)) {
    return fail({Code::kOverloaded, Source::kInternal, Retry::kNever, EMFILE, "no descriptor"});
  }
  io::Address from = host_;
  from.port = next_port_++;
  Socket& socket = open_socket();
  attach(socket, world_.network().connect(from, address, socket).end(0));
  socket.handler = &handler;
  socket.is_connecting = socket.is_outgoing = true;
  return io::SocketId{socket.slot, socket.generation};
}

void SimIo::on_connected(Socket& socket, int error) {
  queue({Op::kConnected, socket.slot, socket.generation, error});
}

void SimIo::set_handler(io::SocketId id, io::SocketHandler& handler) {
  if (Socket* socket = find(id)) socket->handler = &handler;
}

// ---- Listening ---------------------------------------------------------------------------------

Result<io::ListenerId> SimIo::listen(const io::Address& address, const io::ListenOptions& options) {
  Listener& listener = listeners_.emplace_back();
  listener.io = this;
  listener.slot = static_cast<std::uint32_t>(listeners_.size() - 1);
  listener.generation = next_generation_++;
  listener.port = world_.network().listen(address, listener, options.reuse_port);
  if (listener.port == nullptr) {
    return fail({Code::kOverloaded, Source::kInternal, Retry::kNever, EADDRINUSE, "bind"});
  }
  return io::ListenerId{listener.slot, listener.generation};
}

io::Address SimIo::listener_address(io::ListenerId id) const {
  return listeners_[id.slot].port->address();
}

void SimIo::accept_start(io::ListenerId id, io::AcceptHandler& handler) {
  Listener& listener = listeners_[id.slot];
  if (listener.port == nullptr || listener.generation != id.generation) return;
  listener.handler = &handler;
  queue_accept(listener);
}

void SimIo::accept_stop(io::ListenerId id) {
  if (id.slot < listeners_.size()) listeners_[id.slot].handler = nullptr;
}

void SimIo::listener_close(io::ListenerId id) {
  if (!id || id.slot >= listeners_.size()) return;
  Listener& listener = listeners_[id.slot];
  if (listener.port == nullptr || listener.generation != id.generation) return;
  listener.port->close();
  listener.port = nullptr;
  listener.handler = nullptr;
}

// As of the kernel's multishot accept, each who connected makes a completion at once.
void SimIo::queue_accept(Listener& listener) {
  if (listener.handler == nullptr) return;
  for (; listener.queued < listener.port->pending(); ++listener.queued) {
    queue({Op::kAccept, listener.slot, listener.generation, 0});
  }
}

void SimIo::dispatch_accept(const Completion& completion) {
  Listener& listener = listeners_[completion.slot];
  --listener.queued;
  if (listener.handler == nullptr || !listener.port->has_pending()) return;
  io::AcceptHandler* handler = listener.handler;
  if (world_.strikes(Fault::kAcceptEmfile)) {
    listener.handler = nullptr;
    handler->on_accept_end(EMFILE);
    return;
  }
  Connection& connection = listener.port->accept();
  Socket& socket = open_socket();
  attach(socket, connection.end(1));
  handler->on_accept({socket.slot, socket.generation}, connection.from());
}

// ---- Receiving ---------------------------------------------------------------------------------

void SimIo::on_news(Socket& socket) {
  if (socket.is_holding && !socket.wants_drain && socket.held_since == kNever) {
    ++holds_;
    socket.held_since = world_.now();
    world_.schedule(world_.now() + hold_max_ + hold_slack_, EventKind::kHoldOver,
                    event_callback<&SimIo::on_hold_over>, this,
                    (static_cast<std::uint64_t>(socket.generation) << 32) | socket.slot);
  }
  queue_readable(socket);
  if (socket.end->error() != 0) pump_block(socket);
}

void SimIo::queue_readable(Socket& socket) {
  if (socket.is_connecting || socket.is_readable_queued) return;
  End& end = *socket.end;
  const bool is_read = socket.is_streaming || socket.has_into;
  const bool has_news = is_read ? !end.readable().empty() || end.at_end() || end.error() != 0
                                : socket.is_watched && end.is_peer_gone();
  if (!has_news || (socket.is_holding && socket.is_told)) return;
  socket.is_readable_queued = true;
  queue({Op::kReadable, socket.slot, socket.generation, 0});
}

void SimIo::receive_start(io::SocketId id) {
  Socket* socket = find(id);
  if (socket == nullptr) return;
  if (socket->is_connecting) return broken("receive_start() before on_connect()");
  socket->is_streaming = true;
  socket->is_holding = socket->is_watched = false;
  socket->held_since = kNever;
  queue_readable(*socket);
}

void SimIo::receive_hold(io::SocketId id) {
  Socket* socket = find(id);
  if (socket == nullptr) return;
  if (socket->is_connecting) return broken("receive_hold() before on_connect()");
  socket->is_streaming = socket->is_holding = true;
  socket->is_watched = false;
  socket->is_told = false;
  const End& end = *socket->end;
  socket->wants_drain = !end.readable().empty() || end.at_end() || end.error() != 0;
  queue_readable(*socket);
}

void SimIo::receive_stop(io::SocketId id) {
  Socket* socket = find(id);
  if (socket == nullptr) return;
  if (socket->is_streaming) stats_.copied_on_pause += socket->end->readable().size();
  socket->is_streaming = socket->is_holding = socket->is_watched = false;
  socket->held_since = kNever;
}

void SimIo::receive_watch(io::SocketId id) {
  Socket* socket = find(id);
  if (socket == nullptr) return;
  receive_stop(id);
  socket->is_watched = true;
  queue_readable(*socket);
}

void SimIo::receive_into(io::SocketId id, BlockRef block, std::size_t offset, std::size_t size) {
  Socket* socket = find(id);
  if (socket == nullptr) return;
  if (socket->is_connecting) return broken("receive_into() before on_connect()");
  if (socket->has_into) return broken("receive_into() while another is under way");
  if (size == 0 || offset + size > block->capacity())
    return broken("receive_into() past the block");
  socket->is_streaming = socket->is_holding = socket->is_watched = false;
  socket->held_since = kNever;
  socket->has_into = true;
  socket->into = std::move(block);
  socket->into_offset = offset;
  socket->into_size = size;
  queue_readable(*socket);
}

// What came so long ago must have been asked for, unless nobody could.
void SimIo::on_hold_over(std::uint64_t name) {
  Socket* socket = find({static_cast<std::uint32_t>(name), static_cast<std::uint32_t>(name >> 32)});
  if (socket == nullptr || stopped_ || world_.now() < busy_until_ + hold_slack_) return;
  if (world_.now() - socket->held_since >= hold_max_ + hold_slack_) {
    broken("bytes are held for longer than they may be");
  }
}

void SimIo::on_retry_receive(std::uint64_t name) {
  Socket* socket = find({static_cast<std::uint32_t>(name), static_cast<std::uint32_t>(name >> 32)});
  if (socket == nullptr) return;
  socket->is_readable_queued = false;
  queue_readable(*socket);
}

void SimIo::note_delivery(Socket& socket) {
  if (socket.seen_turn == stats_.turns) return;
  socket.seen_turn = stats_.turns;
  socket.seen_before = socket.end->incoming().delivered_total;
}

void SimIo::deliver(Socket& socket) {
  End& end = *socket.end;
  if (socket.is_holding && !socket.wants_drain) {
    socket.is_told = true;
    return socket.handler->on_held();
  }
  Rng& rng = world_.rng();
  const std::string_view readable = end.readable();
  if (readable.empty()) {
    if (!end.at_end() && end.error() == 0) return;
    socket.is_streaming = false;
    socket.held_since = kNever;
    socket.handler->on_receive_end(end.error());
    return;
  }
  if (world_.strikes(Fault::kNoBuffers)) {
    ++stats_.no_buffers;
    socket.is_readable_queued = true;
    world_.schedule(world_.now() + nanoseconds(rng.between(0, kStarvedMax.ns)),
                    EventKind::kRetryReceive, event_callback<&SimIo::on_retry_receive>, this,
                    (static_cast<std::uint64_t>(socket.generation) << 32) | socket.slot);
    return;
  }
  std::size_t size = std::min(readable.size(), kReceiveMax);
  if (rng.chance(0.6)) size = static_cast<std::size_t>(rng.below(size)) + 1;
  scratch_.assign(readable.begin(), readable.begin() + static_cast<std::ptrdiff_t>(size));
  note_delivery(socket);
  end.consume(size);
  socket.held_since = kNever;
  socket.wants_drain = !end.readable().empty();
  queue_readable(socket);
  ++stats_.receives;
  std::vector<char> bytes;
  bytes.swap(scratch_);
  for (int depth = 0; socket.handler->foresee(depth, bytes);) ++depth;
  socket.handler->on_receive(bytes);
  // Whoever kept a view of it reads this.
  std::memset(bytes.data(), kScribble, bytes.size());
  scratch_.swap(bytes);
}

void SimIo::deliver_into(Socket& socket) {
  End& end = *socket.end;
  const std::string_view readable = end.readable();
  if (readable.empty() && !end.at_end() && end.error() == 0) return;
  const BlockRef block = std::move(socket.into);
  socket.has_into = false;
  if (readable.empty()) return socket.handler->on_receive_into(0, end.error());
  const std::size_t most = std::min(readable.size(), socket.into_size);
  const std::size_t size =
      world_.rng().chance(0.5) ? most : static_cast<std::size_t>(world_.rng().below(most)) + 1;
  std::memcpy(block->data() + socket.into_offset, readable.data(), size);
  end.consume(size);
  ++stats_.receives;
  queue_readable(socket);  // receive_start() may have been called meanwhile
  socket.handler->on_receive_into(size, 0);
}

// ---- Sending -----------------------------------------------------------------------------------

std::uint64_t SimIo::digest(const std::vector<iovec>& segments) const {
  std::uint64_t sum = 0;
  for (const iovec& segment : segments) {
    sum = sum * 31 + Trace::digest({static_cast<const char*>(segment.iov_base), segment.iov_len});
  }
  return sum;
}

void SimIo::send(io::SocketId id, std::span<const iovec> segments) {
  Socket* socket = find(id);
  if (socket == nullptr) return;
  if (socket->is_connecting) return broken("send() before on_connect()");
  if (socket->is_staged || socket->block_state != BlockState::kNone)
    return broken("a second send on one socket");
  for (const Staged& unanswered : short_sends_) {
    if (unanswered.socket == id) return broken("send() while the last one is under way");
  }
  socket->is_staged = true;
  socket->has_short_rest = false;
  Staged& staged = staged_.emplace_back();
  staged.socket = id;
  staged.given = segments;
  staged.segments.assign(segments.begin(), segments.end());
  staged.digest = digest(staged.segments);
  staged.seen_after = socket->end->incoming().delivered_total;
  staged.seen_before = socket->seen_turn == stats_.turns ? socket->seen_before : staged.seen_after;
  stir();
}

void SimIo::submit_send(Staged& staged, bool may_fall_short) {
  Socket& socket = *find(staged.socket);
  socket.is_staged = false;
  ++stats_.sends;
  const bool same_array = std::equal(staged.given.begin(), staged.given.end(),
                                     staged.segments.begin(), [](const iovec& a, const iovec& b) {
                                       return a.iov_base == b.iov_base && a.iov_len == b.iov_len;
                                     });
  if (!same_array || digest(staged.segments) != staged.digest) {
    return broken("what was given to send() changed before the turn that submits it");
  }
  End& end = *socket.end;
  if (!end.can_write()) {
    staged.error = end.error() != 0 ? end.error() : EPIPE;
    return;
  }
  std::size_t total = 0;
  for (const iovec& segment : staged.segments) total += segment.iov_len;
  std::size_t limit = std::min(total, end.room());
  if (may_fall_short && limit > 0 && world_.strikes(Fault::kShortSend)) {
    limit = static_cast<std::size_t>(world_.rng().below(limit));
  }
  end.outgoing().marks.push_back({end.outgoing().written_total, staged.seen_before,
                                  staged.seen_after, now_, end.outgoing().unblocked_at});
  for (const iovec& segment : staged.segments) {
    const std::size_t size = std::min(segment.iov_len, limit - staged.sent);
    if (size > 0) end.write({static_cast<const char*>(segment.iov_base), size});
    staged.sent += size;
  }
  if (staged.sent == total) return;
  staged.error = EAGAIN;
  socket.has_short_rest = true;
}

void SimIo::send_block(io::SocketId id, BlockRef block, std::size_t offset, std::size_t size) {
  Socket* socket = find(id);
  if (socket == nullptr) return;
  if (socket->is_connecting) return broken("send_block() before on_connect()");
  if (socket->is_staged || socket->block_state != BlockState::kNone)
    return broken("a second send on one socket");
  if (offset + size > block->capacity()) return broken("send_block() past the block");
  socket->block_state = BlockState::kStaged;
  socket->has_short_rest = false;
  after_sends_.push_back(id);
  stir();
  socket->outgoing = std::move(block);
  socket->outgoing_offset = offset;
  socket->outgoing_size = size;
  socket->outgoing_sent = 0;
}

void SimIo::pump_block(Socket& socket) {
  if (socket.block_state != BlockState::kMoving) return;
  End& end = *socket.end;
  if (!end.can_write()) return end_block(socket, end.error() != 0 ? end.error() : EPIPE);
  const std::size_t left = socket.outgoing_size - socket.outgoing_sent;
  std::size_t size = std::min(left, end.room());
  if (size > 1 && world_.rng().chance(0.3)) {
    size = static_cast<std::size_t>(world_.rng().below(size)) + 1;
  }
  const char* data = socket.outgoing->data() + socket.outgoing_offset + socket.outgoing_sent;
  socket.outgoing_sent += end.write({data, size});
  if (socket.outgoing_sent == socket.outgoing_size) return end_block(socket, 0);
  end.ask_for_room();
}

void SimIo::end_block(Socket& socket, int error) {
  socket.block_state = BlockState::kEnded;
  queue({Op::kBlockSent, socket.slot, socket.generation, error});
}

// What waits for this turn's sends: blocks begin, half-closes happen.
void SimIo::after_submission(Socket& socket) {
  if (socket.block_state == BlockState::kStaged) {
    socket.block_state = BlockState::kMoving;
    pump_block(socket);
  }
  try_half_close(socket);
}

void SimIo::try_half_close(Socket& socket) {
  const bool is_sending =
      socket.is_staged || socket.has_short_rest || socket.block_state != BlockState::kNone;
  if (!socket.half_close || is_sending) return;
  socket.half_close = false;
  socket.end->shutdown();
}

// ---- Hanging up --------------------------------------------------------------------------------

void SimIo::submit_now(Socket& socket) {
  const io::SocketId id{socket.slot, socket.generation};
  for (std::size_t i = 0; i < staged_.size(); ++i) {
    if (!(staged_[i].socket == id)) continue;
    submit_send(staged_[i], false);
    staged_.erase(staged_.begin() + static_cast<std::ptrdiff_t>(i));
    return;
  }
}

void SimIo::shutdown_send(io::SocketId id) {
  Socket* socket = find(id);
  if (socket == nullptr) return;
  socket->half_close = true;
  if (socket->is_staged) after_sends_.push_back(id);
  try_half_close(*socket);
}

void SimIo::close(io::SocketId id) {
  Socket* socket = find(id);
  if (socket == nullptr) return;
  if (socket->is_staged) submit_now(*socket);
  if (socket->has_into) leave_late_write(*socket);
  socket->end->close();
  socket->end = nullptr;
  socket->handler = nullptr;
  socket->into.reset();
  socket->outgoing.reset();
  free_.push_back(socket->slot);
  --stats_.sockets_open;
}

void SimIo::kill() {
  stop();
  for (Listener& listener : listeners_) {
    if (listener.port != nullptr) listener.port->close();
    listener.port = nullptr;
    listener.handler = nullptr;
  }
  for (Socket& socket : sockets_) {
    if (socket.end == nullptr) continue;
    socket.end->connection().lose();
    if (world_.rng().chance(0.5)) {
      socket.end->close();
    } else {
      socket.end->reset(true);
    }
    socket.end = nullptr;
    --stats_.sockets_open;
  }
}

// A receive that was under way may still land, until its cancellation has gone through.
void SimIo::leave_late_write(Socket& socket) {
  late_writes_.push_back({std::move(socket.into), socket.into_offset, socket.into_size});
  world_.schedule(world_.now() + nanoseconds(world_.rng().between(0, kLateWriteMax.ns)),
                  EventKind::kLateWrite, event_callback<&SimIo::on_late_write>, this,
                  late_writes_.size() - 1);
}

void SimIo::on_late_write(std::uint64_t index) {
  LateWrite& late = late_writes_[index];
  std::memset(late.block->data() + late.offset, kScribble, late.size);
  late.block.reset();
}

}  // namespace leat::sim
