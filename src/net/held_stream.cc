// SPDX-License-Identifier: Apache-2.0
#include "net/held_stream.h"

#include <algorithm>
#include <cstring>

namespace leat::net {

namespace {

// The end of a stream of events; whole answers are told their size by what is prepared.
constexpr std::size_t kUsualBytes = 1024;

}  // namespace

char* HeldStream::prepare(std::size_t size) {
  const std::size_t held = held_ ? held_->size : 0;
  if (!held_ || held + size > held_->capacity()) {
    const std::size_t grown = held_ ? 2 * held_->capacity() : kUsualBytes;
    BlockRef larger = Block::allocate(std::max(grown, held + size));
    if (held > 0) std::memcpy(larger->data(), held_->data(), held);
    larger->size = held;
    held_ = std::move(larger);
  }
  return held_->data() + held;
}

void HeldStream::pass_on() {
  if (!held_) return;
  const BlockRef held = std::move(held_);
  held_.reset();
  stream_.write({held->data(), held->size});
}

}  // namespace leat::net
