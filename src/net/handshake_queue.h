// SPDX-License-Identifier: Apache-2.0
// HandshakeQueue: when TLS handshakes of a shard do their dear work. A full handshake costs up to a
// millisecond of asymmetric cryptography, and a hundred that begin in one turn would stop every
// running stream for as long as all of them take. So each turn does one such step, and what else
// was received of handshakes waits in here for the turns that follow, first come, first served;
// those of our own connections and those of clients by turns, so that neither kind waits for all of
// the other. Time limits are not touched: who waited too long ends as if it had been slow itself.
//
// One for the streams of a shard.
#pragma once

#include <cstdint>
#include <span>

#include "base/block.h"
#include "base/intrusive_list.h"
#include "shard/shard.h"

namespace leat::net {

// What was received for the step that waits. Destroying it withdraws it.
class WaitingHandshake : public ListNode<WaitingHandshake> {
 public:
  // Copies the bytes.
  explicit WaitingHandshake(std::span<const char> bytes);
  // Its turn has come; called once. The queue does not look at it any more.
  virtual void on_handshake_turn() = 0;
  std::span<char> bytes() const { return bytes_.bytes(); }

 protected:
  ~WaitingHandshake() = default;

 private:
  BlockRef bytes_;
};

class HandshakeQueue : private shard::Deferred {
 public:
  static constexpr std::uint32_t kStepsPerTurn = 1;

  explicit HandshakeQueue(shard::Shard& shard) : shard_(shard) {}

  // Whether a step may be done at once; if so it is counted.
  bool admit();
  void wait(WaitingHandshake& step, bool is_outgoing);

  std::uint64_t waited() const { return waited_; }  // so far

 private:
  void run_deferred() override;

  shard::Shard& shard_;
  IntrusiveList<WaitingHandshake, WaitingHandshake> outgoing_;
  IntrusiveList<WaitingHandshake, WaitingHandshake> accepted_;
  std::uint32_t done_ = 0;            // in this turn
  bool is_turn_of_accepted_ = false;  // where both kinds wait
  std::uint64_t waited_ = 0;
};

}  // namespace leat::net
