// SPDX-License-Identifier: Apache-2.0
// KeepingStream: a client's stream that keeps what is written to it. Allocates nothing for writes
// of up to 256 KiB and 1 MiB in all, so that allocations of a relay can be counted over it.
#pragma once

#include <string>

#include "base/check.h"
#include "net/stream.h"

namespace leat::gateway {

class KeepingStream final : public net::Stream {
 public:
  KeepingStream() : room_(256 * 1024, '\0') { kept.reserve(1 << 20); }
  char* prepare(std::size_t size) override {
    if (room_.size() < size) room_.resize(size);
    return room_.data();
  }
  void commit(std::size_t size) override { kept.append(room_.data(), size); }
  void write_block(Block&, std::size_t, std::size_t) override { LEAT_CHECK(false); }
  void pause() override {}
  void resume() override {}
  bool can_receive_into_block() const override { return false; }
  void receive_block(BlockRef, std::size_t, std::size_t) override {}
  std::size_t backlog_bytes() const override { return 0; }
  void finish() override {}
  void abort() override {}

  std::string kept;

 private:
  std::string room_;
};

}  // namespace leat::gateway
