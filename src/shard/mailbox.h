// SPDX-License-Identifier: Apache-2.0
// Mailbox: messages from one thread to one shard. A ring with one writer and one reader (SPSC):
// the writer owns `tail_`, the reader owns `head_`, each publishes with release and reads the
// other's with acquire; there is no lock and no read-modify-write. A full mailbox refuses; the
// writer decides what that means. The writer wakes the reader through its io::Waker, once per
// batch.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace leat::shard {

struct Message {
  enum class Kind : std::uint8_t {
    kDrain,    // take no new work; end when what runs has ended
    kStop,     // end now
    kDrained,  // (to control) nothing runs any more on the shard named in `value`
    // Another process is to take over (gateway/succession.h); what runs ends by then, in ns.
    kYield,
    kYielded,  // (to control) the shard named in `value` has yielded
    kCarry,    // ... and so has every other: what do limits stand at?
    kResume,   // ... but does not
    // `value` is a pointer that the taker owns; gateway/owned_message.h.
    kSuccessor,         // ... and is there
    kCarried,           // (to control) what limits stand at
    kCarriedEnds,       // what has ended meanwhile: to control, and from there to the successor's
    kHealthNews,        // (to control) what a shard saw of endpoints
    kHealthUpdate,      // what has changed in the health of endpoints
    kKeyDelta,          // what has changed in the client keys
    kLateSettlements,   // what another process has settled of what it had begun
    kSegment,           // a segment for the shard's ledger
    kAccountQuestion,   // (to control) what a client asks of its own account
    kAccountReply,      // what control says to that
    kDeployment,        // another configuration, in steps
    kDeploymentReport,  // (to control) whether it could be made
    kReportQuestion,    // what runs on the shard?
    kShardReport,       // (to control) the answer to that
    kLeaseMail,         // (between data shards) asks, returns, grants and recalls of leases
    kTicketMail,        // (between data shards) TLS tickets of providers
    kConnectionMail,    // (between data shards) idle connections to providers
  };
  Kind kind = Kind::kDrain;
  std::uint64_t value = 0;
};

class Mailbox {
 public:
  // Writer's side. False: full, or that but for `spare` places, which are kept for messages that
  // must not be refused.
  bool post(const Message& message, std::size_t spare = 0) {
    const std::size_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - head_.load(std::memory_order_acquire) >= kCapacity - spare) return false;
    ring_[tail % kCapacity] = message;
    tail_.store(tail + 1, std::memory_order_release);
    return true;
  }
  // Reader's side. False: empty.
  bool take(Message& message) {
    const std::size_t head = head_.load(std::memory_order_relaxed);
    if (head == tail_.load(std::memory_order_acquire)) return false;
    message = ring_[head % kCapacity];
    head_.store(head + 1, std::memory_order_release);
    return true;
  }

 private:
  static constexpr std::size_t kCapacity = 128;
  std::array<Message, kCapacity> ring_;
  alignas(64) std::atomic<std::size_t> head_{0};
  alignas(64) std::atomic<std::size_t> tail_{0};
};

}  // namespace leat::shard
