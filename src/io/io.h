// SPDX-License-Identifier: Apache-2.0
// Io: the seam between a shard and the world. Everything nondeterministic that a shard meets (time,
// bytes, connections, completions) comes through this interface, so that a whole gateway runs
// unchanged over the real ring (io/uring_io.h) or the simulator (tests/simulation/sim_io.h).
//
// One Io belongs to one shard and is used from that shard's thread only; wake() of its Waker is the
// one exception. No call blocks but turn(). Handlers are called from inside turn() only, never from
// inside another call of this interface.
//
// Sockets are named by SocketId: a slot and a generation. After close() a name is dead: every call
// with a dead name does nothing, and completions that arrive late for it are dropped and counted.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "base/block.h"
#include "base/instant.h"
#include "base/result.h"
#include "io/address.h"
#include "io/loose_socket.h"

namespace leat::io {

struct SocketId {
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;  // 0: no socket

  explicit operator bool() const { return generation != 0; }
  bool operator==(const SocketId&) const = default;
};

// What happens to one connected (or connecting) socket. The handler must outlive the socket or be
// exchanged by set_handler(); after close() it is never called again.
class SocketHandler {
 public:
  // Bytes of the peer, writable (they may be decrypted in place), valid until the call returns.
  // Never empty.
  virtual void on_receive(std::span<char> bytes) = 0;
  // Nothing more will be received: error 0 is the peer's FIN, else an errno.
  virtual void on_receive_end(int error) = 0;
  // receive_into(): `count` > 0 bytes are in place; or 0 and error 0 (FIN), or 0 and an errno.
  // One call for each receive_into().
  virtual void on_receive_into(std::size_t count, int error) = 0;
  // on_receive() with `bytes` is next, after those of a few others: asks for the memory that it
  // will need, one access further with each call (`depth` 0, 1, ...). Changes nothing. False: there
  // is nothing further.
  virtual bool foresee(int depth, std::span<const char> bytes) const {
    (void)depth;
    (void)bytes;
    return false;
  }
  // receive_hold(): the first of what is held has come, bytes or an end. Once for each call of it.
  virtual void on_held() {}
  // receive_watch(): nothing more will come than what is unread. At most once for each call of it.
  virtual void on_peer_gone() {}
  // connect() ended: 0, or an errno. One call for each connect().
  virtual void on_connect(int error) = 0;
  // send() could not take everything: `sent` bytes went out; error is EAGAIN when the socket is
  // full, else the failure. Called in the turn that submitted the send, while its bytes are still
  // valid. No call: all was taken.
  virtual void on_send_short(std::size_t sent, int error) = 0;
  // send_block() ended: `sent` bytes went out (all of them when error is 0).
  virtual void on_send_block(std::size_t sent, int error) = 0;
  // release() ended: the connection, whose name is dead from now on; or null: something came, which
  // is delivered next, or is on its way out. One call for each release() that close() did not end.
  virtual void on_released(std::unique_ptr<LooseSocket> socket) { (void)socket; }

 protected:
  ~SocketHandler() = default;
};

class AcceptHandler {
 public:
  // A new connection; set_handler() and receive_start() it, or close() it.
  virtual void on_accept(SocketId socket, const Address& peer) = 0;
  // Accepting stopped (EMFILE and the like): accept_start() again when it makes sense. Io itself
  // never retries, so it never spins.
  virtual void on_accept_end(int error) = 0;

 protected:
  ~AcceptHandler() = default;
};

class PollHandler {
 public:
  // The descriptor is ready (POLLIN...), or negative errno. One call for each poll_start().
  virtual void on_poll(int fd, int events) = 0;

 protected:
  ~PollHandler() = default;
};

class FileHandler {
 public:
  // write_durable() ended. Error 0: all its bytes will be there after a power cut. Else an errno,
  // and any of them may be there or not: nobody should rely on that part of the file again.
  virtual void on_written(int error) = 0;

 protected:
  ~FileHandler() = default;
};

// Wakes the shard that owns the Io out of turn(). The one thing of Io that any thread may call.
class Waker {
 public:
  virtual void wake() = 0;

 protected:
  ~Waker() = default;
};

struct ListenOptions {
  bool reuse_port = true;  // one listener a shard, balanced by the kernel
  int backlog = 4096;
};

struct ListenerId {
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;
  explicit operator bool() const { return generation != 0; }
  bool operator==(const ListenerId&) const = default;
};

struct TurnOptions {
  Instant deadline = kNever;     // return by then at the latest
  std::uint32_t wait_count = 1;  // return once so many completions are there ...
  Duration min_wait{};  // ... or, after this long, with any (kernel 6.12; 0: return with the first)
};

// Counters of one Io, plain words of its shard.
struct IoStats {
  std::uint64_t turns = 0;
  std::uint64_t completions = 0;
  std::uint64_t receives = 0;
  std::uint64_t sends = 0;
  std::uint64_t short_sends = 0;
  std::uint64_t no_buffers = 0;  // ENOBUFS: a receive ended for want of buffers and was armed again
  std::uint64_t cq_overflows = 0;
  std::uint64_t late_completions = 0;  // for a socket that was closed meanwhile
  std::uint64_t copied_on_pause = 0;   // bytes copied because a receive was stopped or switched
  std::uint64_t sockets_open = 0;
};

class Io {
 public:
  virtual ~Io() = default;

  // Constant between two turns.
  virtual Instant now() const = 0;
  virtual WallTime wall_now() const = 0;

  // ---- Listening ----
  virtual Result<ListenerId> listen(const Address& address, const ListenOptions& options) = 0;
  // Listens on a Unix socket: a file that only its owner may open, removed with the listener. One
  // that a process has left behind is replaced; one that is listened on, or any other file at that
  // path, is not. Peers have the unspecified address. An Io without files has none.
  virtual Result<ListenerId> listen_local(const std::string& path) {
    (void)path;
    return fail({.code = Code::kUnsupported, .what = "no Unix sockets here"});
  }
  virtual Address listener_address(
      ListenerId listener) const = 0;  // with the port the kernel chose
  virtual void accept_start(ListenerId listener, AcceptHandler& handler) = 0;
  virtual void accept_stop(ListenerId listener) = 0;
  // As accept_stop(), for who leaves the listener to another process: a connection that was
  // accepted before the kernel heard of it is still handed out.
  virtual void accept_finish(ListenerId listener) { accept_stop(listener); }
  virtual void listener_close(ListenerId listener) = 0;

  // ---- Connections ----
  // Starts connecting. Fails at once only for want of a descriptor.
  virtual Result<SocketId> connect(const Address& address, SocketHandler& handler) = 0;
  virtual void set_handler(SocketId socket, SocketHandler& handler) = 0;
  // Hangs up so that the peer sees it at once, whatever is still armed (shutdown, cancel, close).
  // Bytes of send() in this turn still go out; a send_block() in flight is cut off.
  virtual void close(SocketId socket) = 0;
  // Half-close after the bytes of this turn's send().
  virtual void shutdown_send(SocketId socket) = 0;
  // Lets go of a connection that nothing moves on, for another Io to adopt: stops the receive and
  // waits for its end, so that no byte is lost; on_released() with one of the coming turns. Nothing
  // is received meanwhile. Where anything came first it is kept, as by receive_start().
  // REQUIRES: no call but close() on this socket until then.
  virtual void release(SocketId socket) = 0;
  // Takes over what another Io of the same kind has let go of, bytes that came meanwhile included;
  // receive_start() it, or close() it.
  virtual SocketId adopt(std::unique_ptr<LooseSocket> socket, SocketHandler& handler) = 0;

  // ---- Receiving ----
  // Arms a lasting receive into Io's own buffers: on_receive() until the end or receive_stop().
  virtual void receive_start(SocketId socket) = 0;
  // Stops on_receive() at once. Bytes that the kernel had already handed over are kept and
  // delivered first by the next receive_start() or receive_into(). No end is reported while
  // stopped, so a stopped socket is blind to its peer's going away.
  virtual void receive_stop(SocketId socket) = 0;
  // As receive_stop(), but on_peer_gone() tells of the peer's FIN or reset, though what it sent
  // before that is unread. A FIN behind more than the kernel keeps for who does not read (some ten
  // KiB) is not seen: the peer cannot send it. An Io that cannot watch goes on as receive_stop().
  virtual void receive_watch(SocketId socket) { receive_stop(socket); }
  // Receives at most `size` bytes once, straight into the block at `offset` (which Io keeps alive
  // meanwhile). Implies receive_stop(). REQUIRES: none other in flight on this socket.
  virtual void receive_into(SocketId socket, BlockRef block, std::size_t offset,
                            std::size_t size) = 0;

  // In place of receive_start(): what has come is delivered with the coming turn, and what comes
  // from then on is left in the kernel until this, or receive_start(), is called again; on_held()
  // tells when there is something. So a receive brings what many packets brought. The time that
  // it is held for is the caller's to keep. An Io that cannot hold goes on as receive_start().
  virtual void receive_hold(SocketId socket) { receive_start(socket); }

  // From here on the kernel may acknowledge two small segments at once, and one after 40 ms. Once
  // it had to wait so long it leaves off by itself, which delays_acks() tells; both are a system
  // call each. An Io whose peers see no acknowledgements has nothing to delay.
  virtual void delay_acks(SocketId socket) { (void)socket; }
  virtual bool delays_acks(SocketId socket) {
    (void)socket;
    return false;
  }

  // ---- Sending ----
  // One send of all segments, submitted by the next turn(). The array and the bytes must stay valid
  // until that turn() returns; then they are consumed, unless on_send_short() said otherwise.
  // REQUIRES: at most one send() or send_block() on a socket at a time.
  virtual void send(SocketId socket, std::span<const iovec> segments) = 0;
  // send() is near: asks for the memory that it will need. Changes nothing.
  virtual void foresee_send(SocketId socket) const { (void)socket; }
  // Sends bytes [offset, offset + size) of the block, waiting for room as needed; on_send_block()
  // at the end. Io keeps the block alive.
  virtual void send_block(SocketId socket, BlockRef block, std::size_t offset,
                          std::size_t size) = 0;

  // ---- Foreign descriptors (resolver, signals) ----
  virtual void poll_start(int fd, unsigned events, PollHandler& handler) = 0;
  virtual void poll_stop(int fd, PollHandler& handler) = 0;

  // ---- Files ----
  // Writes bytes [offset, offset + size) of the block to `position` of the file, durably; one
  // on_written() for each. The descriptor is its caller's, who opened it (a shard opens nothing)
  // and keeps it open until then; Io keeps the block alive, and its bytes must stay as they are.
  // Writes are not ordered among each other. Opened with O_DIRECT, all numbers and the address are
  // multiples of 4096.
  virtual void write_durable(int fd, BlockRef block, std::size_t offset, std::size_t size,
                             std::uint64_t position, FileHandler& handler) = 0;
  // The handler hears of none of its writes any more. What is under way goes on.
  virtual void forget(FileHandler& handler) = 0;

  // ---- The turn ----
  virtual Waker& waker() = 0;
  // Submits what was staged, waits, and calls the handlers of all completions.
  virtual void turn(const TurnOptions& options) = 0;

  // How long what this turn brought had waited to be brought, as far as that is measured: once
  // turns bring much. It may be many turns, where each brings only some of what is there.
  virtual Duration waiting_time() const { return {}; }

  // What the thread of the turns has had of its core so far, the kernel's work for it included;
  // asks the system at each call. Zero where nobody counts.
  virtual Duration cpu_time() const { return {}; }

  virtual const IoStats& stats() const = 0;
};

}  // namespace leat::io
