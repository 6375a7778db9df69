// SPDX-License-Identifier: Apache-2.0
// Ring: one io_uring as UringIo uses it: staging of operations without a limit, and one system call
// that submits all of them and waits. Made on the thread that uses it and used by no other
// (SINGLE_ISSUER). Never interprets a completion. Private to io.
#pragma once

#include <liburing.h>

#include <cstdint>
#include <span>
#include <vector>

#include "base/instant.h"
#include "base/result.h"

namespace leat::io {

class Ring {
 public:
  struct Options {
    std::uint32_t sq_entries = 0;
    std::uint32_t cq_entries = 0;
    // Nothing may be submitted before allow_only().
    bool is_held = false;
  };
  // What enter() may use; each is set by preflight once it proved itself.
  struct Features {
    bool min_wait = false;
    bool no_iowait = false;
    bool absolute_timer = false;
  };
  struct Wait {
    std::uint32_t count = 0;  // 0: take what is there and return
    Duration min{};           // Features::min_wait
    Instant deadline = kNever;
  };

  Ring() = default;
  ~Ring();
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  // kUnsupported where io_uring is forbidden or too old for us (before 6.1).
  Result<bool> open(const Options& options);
  // After open() with is_held: from here on the kernel refuses (EACCES) every operation that is not
  // one of these IORING_OP_*, and every further registration, whoever holds the descriptor. False:
  // the kernel has no restrictions for rings, and this one works without.
  Result<bool> allow_only(std::span<const std::uint8_t> operations);
  // From here on a wait first asks the network cards of this ring's sockets for packets, so long,
  // before it sleeps. 0, or an errno: the kernel cannot (6.9). Before allow_only().
  int poll_cards(std::uint32_t us);
  void set_features(const Features& features) { features_ = features; }
  const Features& features() const { return features_; }
  // IORING_FEAT_* bits that the kernel reported.
  std::uint32_t kernel_features() const { return ring_.features; }
  bool is_fd_registered() const { return fd_registered_; }
  io_uring& raw() { return ring_; }

  // The next operation, to be filled at once: the pointer is good until the next stage().
  // Operations are submitted in the order of staging. Never null: what does not fit the submission
  // queue waits in memory for room.
  io_uring_sqe* stage();
  std::uint32_t staged() const;
  // Visits what is staged, to change it.
  template <class Visitor>
  void for_each_staged(Visitor visit) {
    for (unsigned at = *ring_.sq.khead; at != ring_.sq.sqe_tail; ++at) {
      visit(ring_.sq.sqes[at & ring_.sq.ring_mask]);
    }
    for (std::size_t i = backlog_begin_; i < backlog_.size(); ++i) visit(backlog_[i]);
  }

  // Submits all that is staged; completions of what ended at once are in the completion queue (or
  // its overflow list) then. 0, or -EAGAIN/-EBUSY when the kernel wants completions reaped (or has
  // no memory) first: call again.
  int submit();
  // The same, and waits. 0, or -ETIME, -EINTR, -EAGAIN, -EBUSY.
  int submit_and_wait(const Wait& wait);
  // Waits without submitting anything.
  int wait(const Wait& wait) { return enter(0, &wait); }

  // The kernel keeps completions that found the queue full: wait() with count 0 brings them.
  bool has_overflow() const { return io_uring_cq_has_overflow(&ring_); }

 private:
  int enter(std::uint32_t submit_count, const Wait* wait);
  std::uint32_t refill();
  std::uint32_t queued() const { return ring_.sq.sqe_tail - *ring_.sq.khead; }

  io_uring ring_{};
  Features features_;
  bool open_ = false;
  bool fd_registered_ = false;
  std::vector<io_uring_sqe> backlog_;  // what did not fit the submission queue, in order
  std::size_t backlog_begin_ = 0;
};

// The monotonic clock, read now.
Instant read_monotonic_clock();

}  // namespace leat::io
