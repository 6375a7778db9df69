// SPDX-License-Identifier: Apache-2.0
// Stream: a two-way stream of plain bytes, whatever carries it: TCP, TLS over TCP (tcp_stream.h) or
// an in-process pipe (pipe_stream.h). What is above (HTTP, relay) does not know which.
//
// A stream belongs to one shard. It is used until finish() or abort(); after either, the user is
// never called again and the stream ends and frees itself. Neither call destroys anything at once:
// both are allowed inside any callback.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "base/block.h"
#include "base/instant.h"
#include "base/result.h"

namespace leat::net {

struct LooseStream;

class StreamUser {
 public:
  // An outgoing stream with TLS has its connection and begins the handshake.
  virtual void on_connected() {}
  // The stream is ready: an outgoing one is connected and, with TLS, the peer's name and chain are
  // verified; of an accepted one the TLS handshake is done. Comes before any bytes. An accepted
  // stream without TLS is ready from the start and gets no such call.
  virtual void on_open() = 0;
  // Bytes of the peer, writable, valid until the call returns. Never empty.
  virtual void on_bytes(std::span<char> bytes) = 0;
  // on_bytes() is next, after those of others: as io::SocketHandler::foresee(). `bytes` is empty
  // where nobody has read them yet (TLS).
  virtual bool foresee(int depth, std::span<const char> bytes) const {
    (void)depth;
    (void)bytes;
    return false;
  }
  // receive_block() ended with `count` > 0 bytes in place.
  virtual void on_block_bytes(std::size_t count) = 0;
  // Nothing more will come: Code::kClosed is an end in order (FIN; with TLS, close_notify), all
  // else a failure. The user answers with finish() or abort(), at once or later. Who goes on
  // writing after an end in order is told once more if that fails.
  virtual void on_end(const Error& why) = 0;
  // The backlog that backlog_bytes() showed has shrunk to kBacklogLow or less; comes again while it
  // shrinks and once more at its end. A backlog that never was kBacklogTold or more may go untold.
  virtual void on_drained() = 0;
  // lend() ended: with the stream, and this one is gone as by abort(); or null: something came,
  // which is told next, and all is as it was.
  virtual void on_lent(std::unique_ptr<LooseStream> stream);

 protected:
  ~StreamUser() = default;
};

class Stream {
 public:
  // When a peer that did not read has room again, as on_drained() tells.
  static constexpr std::size_t kBacklogLow = 64 * 1024;
  static constexpr std::size_t kBacklogTold = 4 * 1024;

  virtual ~Stream() = default;

  void set_user(StreamUser& user) { user_ = &user; }

  // Room for `size` bytes to be written in place and sent with this turn; commit() says how many of
  // them count. Never null. No other call on any stream between the two.
  virtual char* prepare(std::size_t size) = 0;
  virtual void commit(std::size_t size) = 0;
  // Copies the bytes; they go out with this turn.
  void write(std::string_view bytes);
  // Sends bytes of the block without copying. REQUIRES: the caller keeps the block until the peer
  // has answered or this stream was aborted.
  virtual void write_block(Block& block, std::size_t offset, std::size_t size) = 0;

  // Stops and resumes on_bytes(). A paused stream does not notice that its peer went away.
  virtual void pause() = 0;
  // As pause(), but on_end() tells that the peer is gone, though what it sent before that is unread
  // (Io::receive_watch()). A stream that cannot watch its peer is paused.
  virtual void pause_watching() { pause(); }
  virtual void resume() = 0;
  // Whether receive_block() can be used on this stream.
  virtual bool can_receive_into_block() const = 0;
  // The next bytes, at most `size`, go straight into the block; on_block_bytes() or on_end() once.
  // on_bytes() resumes after it by resume().
  virtual void receive_block(BlockRef block, std::size_t offset, std::size_t size) = 0;

  // What comes may be left in the kernel for so long, so that one on_bytes() brings more of it;
  // zero: not at all. It is the most that any byte waits, but for the lateness of the loop. Holds
  // until it is called again or the stream is paused. A stream that cannot hold goes on as it is.
  virtual void hold(Duration most) { (void)most; }
  // The same for what is written: it may wait so long to go out, together with what is written
  // meanwhile. Zero: what waits goes out with this turn, as it does with finish(). For streams
  // whose peer is not to be held, since it serves others over the same connection.
  virtual void hold_sends(Duration most) { (void)most; }

  // As Io's of the same names; what has no connection below it does nothing.
  virtual void delay_acks() {}
  virtual bool delays_acks() { return false; }

  // Bytes accepted by write() that the peer has not yet made room for.
  virtual std::size_t backlog_bytes() const = 0;
  // Those, and what was written in this turn, none of which has left yet.
  virtual std::size_t unsent_bytes() const { return backlog_bytes(); }
  // All bytes that were ever written to it, where somebody counts them.
  virtual std::uint64_t bytes_written() const { return 0; }
  // What the TLS handshake agreed on (ALPN), once open: "h2", "http/1.1" or nothing.
  virtual std::string_view protocol() const { return {}; }

  // Lets go of an open stream on which nothing is under way, for another shard to go on with:
  // on_lent() follows, not from inside. REQUIRES: no call but finish() and abort() until then.
  // False: it cannot, or not now, and nothing follows.
  virtual bool lend() { return false; }

  // Sends what was written, says goodbye, and drains what still comes for a moment, so that the
  // peer reads the last bytes before it sees a reset.
  virtual void finish() = 0;
  // Hangs up now; the peer sees it within this turn.
  virtual void abort() = 0;

 protected:
  StreamUser* user_ = nullptr;
};

}  // namespace leat::net
