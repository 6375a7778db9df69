// SPDX-License-Identifier: Apache-2.0
#include "io/preflight.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <vector>

#include "io/buffer_ring.h"
#include "io/ring.h"
#include "io/uring_abi.h"

namespace leat::io {

namespace {

constexpr std::uint32_t kSlotBytes = 64;  // of the small buffers that the probes fill
constexpr Duration kPatience = milliseconds(100);

constexpr Capability kWorks = {.offered = true, .used = true, .why = "tried, works"};

constexpr Capability absent(const char* why) {
  return {.why = why};
}
constexpr Capability broken(const char* why) {
  return {.offered = true, .why = why};
}

// Two ends of a stream that never leaves this process.
class Pipe {
 public:
  Pipe() {
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends_.data()) != 0) {
      ends_ = {-1, -1};
    }
  }
  ~Pipe() {
    for (const int fd : ends_) {
      if (fd >= 0) ::close(fd);
    }
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  int near() const { return ends_[0]; }
  bool write(std::string_view bytes) {
    return ::write(ends_[1], bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size());
  }

 private:
  std::array<int, 2> ends_{};
};

// One ring with a buffer ring and an armed multishot receive.
class ReceiveProbe {
 public:
  // `most`: what one reception may bring; 0: all that is there.
  bool open(BufferRing::Mode mode, std::uint32_t buffer_count, std::size_t most = 0) {
    if (!ring_.open({.sq_entries = 4, .cq_entries = 16})) return false;
    const BufferRing::Options options{
        .mode = mode, .buffer_count = buffer_count, .buffer_size = kSlotBytes};
    if (!buffers_.open(ring_.raw(), options)) return false;
    io_uring_sqe* sqe = ring_.stage();
    io_uring_prep_recv_multishot(sqe, pipe_.near(), nullptr, most, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    return ring_.submit() == 0;
  }
  bool write(std::string_view bytes) { return pipe_.write(bytes); }
  // The next completion; res -ETIME if none comes.
  io_uring_cqe next() {
    io_uring_cqe* queued = nullptr;
    if (io_uring_cq_ready(&ring_.raw()) == 0) {
      ring_.wait({.count = 1, .deadline = read_monotonic_clock() + kPatience});
    }
    io_uring_cqe result{.res = -ETIME};
    if (io_uring_peek_cqe(&ring_.raw(), &queued) == 0) {
      result.user_data = queued->user_data;
      result.res = queued->res;
      result.flags = queued->flags;
      io_uring_cqe_seen(&ring_.raw(), queued);
    }
    return result;
  }
  // Whether a completion brings exactly `bytes`, with these flags among the two in question.
  bool brings(std::string_view bytes, std::uint32_t flags) {
    const io_uring_cqe completion = next();
    constexpr std::uint32_t kAsked = IORING_CQE_F_MORE | abi::kCqeBufferMore;
    if (completion.res != static_cast<int>(bytes.size()) ||
        (completion.flags & IORING_CQE_F_BUFFER) == 0 || (completion.flags & kAsked) != flags) {
      return false;
    }
    return std::ranges::equal(buffers_.take(completion).bytes, bytes);
  }
  bool ends_without_buffers() {
    const io_uring_cqe completion = next();
    return completion.res == -ENOBUFS && (completion.flags & IORING_CQE_F_MORE) == 0;
  }

 private:
  BufferRing buffers_;  // outlives the ring
  Ring ring_;
  Pipe pipe_;
};

Capability try_multishot_receive() {
  ReceiveProbe probe;
  if (!probe.open(BufferRing::Mode::kPlain, 2)) return absent("no buffer rings (kernel 5.19)");
  const bool works = probe.write("one") && probe.brings("one", IORING_CQE_F_MORE) &&
                     probe.write("and two") && probe.brings("and two", IORING_CQE_F_MORE) &&
                     probe.write("three") && probe.ends_without_buffers();
  return works ? kWorks : absent("multishot receive does not behave (kernel 6.0)");
}

// Without it a flood is delivered by whole buffers, 32 of them a turn.
Capability try_receive_cap() {
  ReceiveProbe probe;
  if (!probe.open(BufferRing::Mode::kPlain, 4, 4)) return absent("no buffer rings (kernel 5.19)");
  const bool works = probe.write("more than four") && probe.brings("more", IORING_CQE_F_MORE) &&
                     probe.brings(" tha", IORING_CQE_F_MORE);
  return works ? kWorks : absent("receptions have no bound (kernel 6.16 does better)");
}

// What the pages of the kernel promise about filling a buffer slice by slice (engine.md 2.4): the
// second reception begins where the first ended, and an overfill fills exactly.
Capability try_incremental_buffers() {
  ReceiveProbe probe;
  if (!probe.open(BufferRing::Mode::kIncremental, 1)) {
    return absent("the kernel has no incremental buffer rings (6.12)");
  }
  constexpr std::uint32_t kBoth = IORING_CQE_F_MORE | abi::kCqeBufferMore;
  const std::string_view first = "the first slice";
  const std::string_view second = "the second";
  const std::array<char, kSlotBytes> filler{};
  const std::string_view rest(filler.data(), kSlotBytes - first.size() - second.size());
  const bool works = probe.write(first) && probe.brings(first, kBoth) && probe.write(second) &&
                     probe.brings(second, kBoth) && probe.write({filler.data(), filler.size()}) &&
                     probe.brings(rest, IORING_CQE_F_MORE) && probe.ends_without_buffers();
  return works ? kWorks
               : broken("incremental buffers do not fill as documented: plain ones are used");
}

// A send that took everything says nothing, a short one says how much, a refused one says so.
Capability try_silent_send() {
  Pipe pipe;
  Ring ring;
  if (!ring.open({.sq_entries = 4, .cq_entries = 16})) return absent("no ring");
  const std::vector<char> bytes(4 * 1024 * 1024);  // more than a socket takes
  const auto send = [&](std::size_t size) {
    io_uring_sqe* sqe = ring.stage();
    io_uring_prep_send(sqe, pipe.near(), bytes.data(), size,
                       MSG_NOSIGNAL | MSG_DONTWAIT | MSG_WAITALL);
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    io_uring_cqe* completion = nullptr;
    if (ring.submit() != 0 || io_uring_peek_cqe(&ring.raw(), &completion) != 0) return 0;
    const int result = completion->res;
    io_uring_cqe_seen(&ring.raw(), completion);
    return result;
  };
  const int taken = send(16);
  const int part = send(bytes.size());
  const int refused = send(bytes.size());
  const bool works =
      taken == 0 && part > 0 && part < static_cast<int>(bytes.size()) && refused == -EAGAIN;
  return works ? kWorks
               : absent("sends without completions do not report shortfalls (kernel 5.19)");
}

// A completion that comes after the shortest wait must end the wait; kernels before the stable
// releases of December 2025 slept until the deadline (engine.md 2.2).
Capability try_min_wait() {
  Ring ring;
  if (!ring.open({.sq_entries = 4, .cq_entries = 16})) return absent("no ring");
  if ((ring.kernel_features() & abi::kFeatureMinTimeout) == 0) {
    return absent("the kernel cannot wait for a batch (6.12)");
  }
  ring.set_features({.min_wait = true});
  const int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
  if (timer < 0) return broken("no descriptor to try it with");
  io_uring_sqe* sqe = ring.stage();
  io_uring_prep_poll_add(sqe, timer, POLLIN);
  ring.submit();
  const itimerspec late{.it_value = {.tv_nsec = microseconds(500).ns}};
  timerfd_settime(timer, 0, &late, nullptr);
  const Instant begin = read_monotonic_clock();
  ring.wait({.count = 2, .min = microseconds(100), .deadline = begin + kPatience});
  const bool woke = io_uring_cq_ready(&ring.raw()) == 1 &&
                    read_monotonic_clock() - begin < kPatience - milliseconds(20);
  ::close(timer);
  return woke ? kWorks
              : broken("a late completion does not end the wait (fixed in 6.19 and stable)");
}

Capability try_no_iowait() {
  Ring ring;
  if (!ring.open({.sq_entries = 4, .cq_entries = 16})) return absent("no ring");
  if ((ring.kernel_features() & abi::kFeatureNoIowait) == 0) {
    return absent("an idle shard is shown as waiting for a disk (kernel 6.15 does better)");
  }
  ring.set_features({.no_iowait = true});
  const bool works = ring.wait({}) == 0;
  return works ? kWorks : broken("refused when used");
}

Capability try_absolute_timer() {
  Ring ring;
  if (!ring.open({.sq_entries = 4, .cq_entries = 16})) return absent("no ring");
  ring.set_features({.absolute_timer = true});
  const Instant deadline = read_monotonic_clock() + microseconds(100);
  const int rc = ring.wait({.count = 1, .deadline = deadline});
  if (rc == -EINVAL) return absent("timeouts are relative (kernel 6.12 does better)");
  const Instant end = read_monotonic_clock();
  const bool works = rc == -ETIME && end >= deadline && end < deadline + kPatience;
  return works ? kWorks : broken("a wait did not end at its time");
}

Capability try_registered_ring() {
  Ring ring;
  if (!ring.open({.sq_entries = 4, .cq_entries = 16})) return absent("no ring");
  return ring.is_fd_registered() ? kWorks : absent("each wait looks its descriptor up");
}

Capability try_restrictions() {
  Ring ring;
  if (!ring.open({.sq_entries = 4, .cq_entries = 16, .is_held = true})) return absent("no ring");
  const std::array<std::uint8_t, 1> allowed{IORING_OP_NOP};
  const auto held = ring.allow_only(allowed);
  if (!held || !*held) return absent("the kernel has none for rings (5.10)");
  io_uring_prep_nop(ring.stage());
  io_uring_prep_openat(ring.stage(), AT_FDCWD, "/", O_PATH | O_CLOEXEC, 0);
  int results[2] = {-ETIME, -ETIME};
  for (int& result : results) {
    if (ring.submit() != 0 ||
        ring.wait({.count = 1, .deadline = read_monotonic_clock() + kPatience}) < 0)
      break;
    io_uring_cqe* queued = nullptr;
    if (io_uring_peek_cqe(&ring.raw(), &queued) != 0) break;
    result = queued->res;
    io_uring_cqe_seen(&ring.raw(), queued);
  }
  if (results[1] >= 0) ::close(results[1]);
  return results[0] == 0 && results[1] == -EACCES ? kWorks : broken("it did what is forbidden");
}

Capability try_napi() {
  Ring ring;
  if (!ring.open({.sq_entries = 4, .cq_entries = 16})) return absent("no ring");
  const int error = ring.poll_cards(1);
  if (error == 0) return kWorks;
  return absent("no busy polling of network cards (kernel 6.9, CONFIG_NET_RX_BUSY_POLL)");
}

}  // namespace

Result<Capabilities> run_preflight() {
  // The reason why there is none is the ring's to tell.
  Ring ring;
  LEAT_TRY_VOID(ring.open({.sq_entries = 4, .cq_entries = 16}));

  Capabilities result;
  const auto set = [&](Feature feature, const char* name, Capability capability) {
    capability.name = name;
    result.features[static_cast<std::size_t>(feature)] = capability;
  };
  set(Feature::kRegisteredRing, "registered ring", try_registered_ring());
  set(Feature::kMultishotReceive, "multishot receive", try_multishot_receive());
  set(Feature::kIncrementalBuffers, "incremental buffers", try_incremental_buffers());
  set(Feature::kSilentSend, "silent send", try_silent_send());
  set(Feature::kMinWait, "batch wait", try_min_wait());
  set(Feature::kNoIowait, "no iowait", try_no_iowait());
  set(Feature::kAbsoluteTimer, "absolute timer", try_absolute_timer());
  set(Feature::kRestrictions, "restricted ring", try_restrictions());
  set(Feature::kReceiveCap, "receive cap", try_receive_cap());
  set(Feature::kNapi, "NAPI busy polling", try_napi());
  if (!result.uses(Feature::kMultishotReceive) || !result.uses(Feature::kSilentSend)) {
    return fail({.code = Code::kUnsupported,
                 .what = "the kernel's io_uring lacks multishot receive or silent send: 6.1 or "
                         "newer is needed"});
  }
  return result;
}

}  // namespace leat::io
