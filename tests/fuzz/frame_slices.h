// SPDX-License-Identifier: Apache-2.0
// What the fuzzers of both sides of HTTP/2 have in common: a stream that takes what is written and
// keeps nothing, and the input fed in slices.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "base/instant.h"
#include "net/stream.h"

namespace leat::fuzz {

// What is written goes nowhere.
class Sink final : public net::Stream {
 public:
  char* prepare(std::size_t size) override {
    bytes_.resize(size);
    return bytes_.data();
  }
  void commit(std::size_t) override {}
  void write_block(Block&, std::size_t, std::size_t) override {}
  void pause() override {}
  void resume() override {}
  bool can_receive_into_block() const override { return false; }
  void receive_block(BlockRef, std::size_t, std::size_t) override {}
  std::size_t backlog_bytes() const override { return 0; }
  void finish() override {}
  void abort() override {}

 private:
  std::string bytes_;
};

// Frames are written out every so many bytes: that, unlike the cuts, is seen by the other side.
inline constexpr std::size_t kWriteEvery = 64;

// Feeds slices of `cut` bytes at most until the session is over, which is the result. `write`
// writes frames out, false: it is over; `written` is told after which number of kWriteEvery.
template <class Session, class Write, class Written>
bool feed_slices(Session& session, std::string_view input, std::size_t cut, Write write,
                 Written written) {
  bool is_over = false;
  for (std::size_t at = 0; at < input.size() && !is_over;) {
    const std::size_t until_write = kWriteEvery - at % kWriteEvery;
    const std::size_t size = std::min({cut, until_write, input.size() - at});
    // A slice of exact size on the heap lets the sanitizers see a read past the end.
    const std::unique_ptr<char[]> slice(new char[size]);
    input.copy(slice.get(), size, at);
    is_over = !session.feed({slice.get(), size}, Instant{1}).has_value();
    at += size;
    if (at % kWriteEvery != 0 && at != input.size() && !is_over) continue;
    is_over = !write() || is_over;
    written(at / kWriteEvery, is_over);
  }
  return is_over;
}

}  // namespace leat::fuzz
