// SPDX-License-Identifier: Apache-2.0
// PipeStream: a Stream that ends in the same shard. A pair of them is a connection without a
// socket: what one end writes, the other's user receives when the turn's sends are flushed, in
// place, with no copy. The built-in simulated provider is reached this way, so that it takes the
// same path through the gateway as any other.
#pragma once

#include <memory>

#include "base/pool.h"
#include "net/backlog.h"
#include "net/segments.h"
#include "net/stream.h"
#include "shard/shard.h"

namespace leat::net {

class PipeStreams;

class PipeStream final : public Stream,
                         public ListNode<PipeStream>,
                         private shard::Flushable,
                         private shard::Deferred {
 public:
  char* prepare(std::size_t size) override;
  void commit(std::size_t size) override;
  void write_block(Block& block, std::size_t offset, std::size_t size) override;
  void pause() override { paused_ = true; }
  void resume() override;
  bool can_receive_into_block() const override { return false; }
  void receive_block(BlockRef block, std::size_t offset, std::size_t size) override;
  std::size_t backlog_bytes() const override;
  void finish() override;
  void abort() override;

 private:
  friend class PipeStreams;
  template <class T, std::size_t>
  friend class leat::Pool;

  explicit PipeStream(PipeStreams& owner) : owner_(owner) {}
  ~PipeStream() = default;

  void flush() override;
  void run_deferred() override;
  void deliver(const char* data, std::size_t size);
  void end_other(Code code);
  void close_own_end();

  PipeStreams& owner_;
  PipeStream* other_ = nullptr;  // null: that end is gone
  SegmentList segments_;         // written since the last flush
  Backlog held_;                 // arrived while paused, to be delivered first
  bool paused_ = false;
  bool closed_ = false;     // finish() or abort() was called
  bool finishing_ = false;  // finish(): tell the other end after the last bytes
  bool open_pending_ = false;
  bool end_pending_ = false;
  Code end_code_ = Code::kClosed;
};

class PipeStreams {
 public:
  explicit PipeStreams(shard::Shard& shard) : shard_(shard) {}
  // Ends that are left outlive their users.
  ~PipeStreams();

  struct Pair {
    PipeStream* client;  // its user gets on_open() in this turn or the next
    PipeStream* server;
  };
  Pair connect(StreamUser& client_user, StreamUser& server_user);

  std::size_t live() const { return pool_.live(); }

 private:
  friend class PipeStream;
  shard::Shard& shard_;
  Pool<PipeStream> pool_;
  IntrusiveList<PipeStream, PipeStream> all_;
  char* prepared_ = nullptr;
  std::size_t prepared_bytes_ = 0;
};

}  // namespace leat::net
