// SPDX-License-Identifier: Apache-2.0
// SendHold: what a stream wrote and may wait to send (Stream::hold_sends), from one turn to
// another. Turns give back the memory that bytes are written in, so what waits is copied, once,
// into a block that the stream keeps while it holds.
//
// A member of its stream.
#pragma once

#include "base/block.h"
#include "base/wheel.h"
#include "net/segments.h"

namespace leat::net {

class SendHold {
 public:
  // More goes out at once: it is no stream of tokens, or has waited for enough.
  static constexpr std::size_t kBytesMax = 4 * 1024;

  SendHold(Timer::Callback callback, void* owner) : timer(callback, owner) {}

  // Takes what was written, at the end of a turn, as far as all of it may wait. False: it is to be
  // sent, behind what waits already.
  bool keep(const SegmentList& written);
  bool is_empty() const { return !kept_ || kept_->size == 0; }
  // Puts what waits in front of what was written since.
  void give_back(shard::TurnArena& arena, SegmentList& written);

  Timer timer;             // at `due`, while something waits
  Duration most{};         // of what is written next; zero: nothing may wait
  Instant since = kNever;  // when the first of what waits was written
  Instant due = kNever;    // when it is to go out

 private:
  BlockRef kept_;
};

}  // namespace leat::net
