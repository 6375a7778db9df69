// SPDX-License-Identifier: Apache-2.0
#include "net/handshake_queue.h"

#include <cstring>

namespace leat::net {

WaitingHandshake::WaitingHandshake(std::span<const char> bytes)
    : bytes_(Block::allocate(bytes.size())) {
  std::memcpy(bytes_->data(), bytes.data(), bytes.size());
  bytes_->size = bytes.size();
}

bool HandshakeQueue::admit() {
  if (done_ == kStepsPerTurn || !outgoing_.empty() || !accepted_.empty()) return false;
  ++done_;
  shard_.defer(*this);
  return true;
}

void HandshakeQueue::wait(WaitingHandshake& step, bool is_outgoing) {
  (is_outgoing ? outgoing_ : accepted_).push_back(step);
  ++waited_;
  shard_.defer(*this);
}

// The turn's completions are dispatched. What is done here counts for the next one.
void HandshakeQueue::run_deferred() {
  done_ = 0;
  while (done_ < kStepsPerTurn && !(outgoing_.empty() && accepted_.empty())) {
    ++done_;
    const bool is_accepted = outgoing_.empty() || (is_turn_of_accepted_ && !accepted_.empty());
    is_turn_of_accepted_ = !is_accepted;
    (is_accepted ? accepted_ : outgoing_).pop_front()->on_handshake_turn();
  }
  if (done_ > 0) shard_.defer(*this);
}

}  // namespace leat::net
