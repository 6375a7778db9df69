// SPDX-License-Identifier: Apache-2.0
// HeldStream: the end of an answer that may not leave yet. Keeps what is written to it until it is
// passed on to the stream that it stands for; all else goes to that stream at once. Belongs to the
// connection of that stream, and so to its shard.
#pragma once

#include "net/stream.h"

namespace leat::net {

class HeldStream final : public Stream {
 public:
  // `stream` outlives it.
  explicit HeldStream(Stream& stream) : stream_(stream) {}

  // What was written goes on, or nowhere; either way nothing is held any more.
  void pass_on();
  void drop() { held_.reset(); }

  char* prepare(std::size_t size) override;
  void commit(std::size_t size) override { held_->size += size; }
  void write_block(Block& block, std::size_t offset, std::size_t size) override {
    write({block.data() + offset, size});
  }
  void pause() override { stream_.pause(); }
  void pause_watching() override { stream_.pause_watching(); }
  void resume() override { stream_.resume(); }
  bool can_receive_into_block() const override { return stream_.can_receive_into_block(); }
  void receive_block(BlockRef block, std::size_t offset, std::size_t size) override {
    stream_.receive_block(std::move(block), offset, size);
  }
  void hold_sends(Duration most) override { stream_.hold_sends(most); }
  std::size_t backlog_bytes() const override { return stream_.backlog_bytes(); }
  std::uint64_t bytes_written() const override { return stream_.bytes_written(); }
  void finish() override { stream_.finish(); }
  void abort() override { stream_.abort(); }

 private:
  Stream& stream_;
  BlockRef held_;
};

}  // namespace leat::net
