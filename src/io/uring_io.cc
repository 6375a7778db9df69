// SPDX-License-Identifier: Apache-2.0
// Set-up, the turn and the dispatch of completions.
#include "io/uring_io.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>

#include "base/check.h"
#include "base/prefetch.h"
#include "base/uninitialized.h"
#include "io/uring_abi.h"

namespace leat::io {

namespace {

constexpr std::uint32_t kIncrementalBuffers =
    64;  // 4 MiB: consumption is synchronous (engine.md 2.4)
constexpr std::uint32_t kIncrementalBytes = 64 * 1024;
constexpr std::uint32_t kPlainBuffers = 4096;
constexpr std::uint32_t kPlainBytes = 4 * 1024;

// What one reception of a lasting receive brings at most: a TLS record. Whoever sends as fast as it
// can has 33 of them before others have their turn, three times in a call of the kernel: 1.6 MiB.
// Unbounded, it takes all buffers at once, and others find none.
constexpr std::size_t kReceiveMost = 16 * 1024;

// All that is ever staged here; the last only where files are written.
constexpr std::array<std::uint8_t, 11> kOperations{
    IORING_OP_NOP,     IORING_OP_READ,         IORING_OP_POLL_ADD, IORING_OP_ACCEPT,
    IORING_OP_CONNECT, IORING_OP_RECV,         IORING_OP_SEND,     IORING_OP_SENDMSG,
    IORING_OP_TIMEOUT, IORING_OP_ASYNC_CANCEL, IORING_OP_WRITE};

// Completions whose memory is asked for at once: some 20 lines each, and a core has a few hundred.
constexpr unsigned kForeseen = 8;

// What must end at destruction ends in microseconds; this bounds a kernel that thinks otherwise.
constexpr int kDrainRoundsMax = 100;
constexpr Duration kDrainRound = milliseconds(20);

// Turns that bring fewer have left nothing behind, and a shard at rest is not to be woken.
constexpr std::uint64_t kProbedFrom = 8;
constexpr Duration kProbeEach = milliseconds(2);

}  // namespace

Result<std::unique_ptr<UringIo>> UringIo::create(const UringOptions& options) {
  std::unique_ptr<UringIo> io(new UringIo);
  LEAT_TRY_VOID(io->open(options));
  return io;
}

Result<bool> UringIo::open(const UringOptions& options) {
  inherited_ = options.inherited;
  steering_ = options.steering;
  LEAT_TRY(capabilities_, run_preflight());
  LEAT_TRY_VOID(ring_.open({.sq_entries = options.sq_entries,
                            .cq_entries = options.cq_entries,
                            .is_held = options.is_restricted}));
  ring_.set_features({.min_wait = options.min_wait && capabilities_.uses(Feature::kMinWait),
                      .no_iowait = capabilities_.uses(Feature::kNoIowait),
                      .absolute_timer = capabilities_.uses(Feature::kAbsoluteTimer)});
  LEAT_TRY_VOID(open_buffers(options));
  if (capabilities_.uses(Feature::kReceiveCap)) receive_most_ = kReceiveMost;
  if (options.napi_busy_poll_us > 0) napi_error_ = ring_.poll_cards(options.napi_busy_poll_us);
  if (options.is_restricted) {
    const std::span all(kOperations);
    LEAT_TRY(is_restricted_,
             ring_.allow_only(options.writes_files ? all : all.first(all.size() - 1)));
  }
  // Blocking: the ring waits for it by polling, and a non-blocking one would fail its read instead.
  waker_.fd = eventfd(0, EFD_CLOEXEC);
  if (waker_.fd < 0) {
    return fail(
        {.code = Code::kOverloaded, .os_errno = errno, .what = "no descriptor for a waker"});
  }
  refresh_clock();
  return true;
}

Result<bool> UringIo::open_buffers(const UringOptions& options) {
  const bool incremental = options.buffers == UringOptions::Buffers::kIncremental ||
                           (options.buffers == UringOptions::Buffers::kAuto &&
                            capabilities_.uses(Feature::kIncrementalBuffers));
  BufferRing::Options ring_options{
      .mode = incremental ? BufferRing::Mode::kIncremental : BufferRing::Mode::kPlain,
      .buffer_count = incremental ? kIncrementalBuffers : kPlainBuffers,
      .buffer_size = incremental ? kIncrementalBytes : kPlainBytes};
  if (options.buffer_count > 0) ring_options.buffer_count = options.buffer_count;
  if (options.buffer_size > 0) ring_options.buffer_size = options.buffer_size;
  if (incremental || options.huge_pages == HugePages::kReserved) {
    ring_options.huge_pages = options.huge_pages;
  }
  return buffers_.open(ring_.raw(), ring_options);
}

UringIo::~UringIo() {
  LEAT_CHECK(!in_turn_);
  if (waker_.fd >= 0) {
    drain_ring();
    ::close(waker_.fd);
  }
}

void UringIo::stop() {
  LEAT_CHECK(!in_turn_);
  drain_ring();
}

// Ends all that the kernel still does for us: it writes into memory of ours.
void UringIo::drain_ring() {
  // The bytes of a staged send belong to its caller, who may be gone.
  ring_.for_each_staged([](io_uring_sqe& sqe) {
    if (decode(sqe.user_data).op == Op::kSend) io_uring_prep_nop(&sqe);
  });
  ++staging_round_;
  for (std::uint32_t slot = 0; slot < pages_.size() * kPageSockets; ++slot) {
    const Socket& socket = socket_at(slot);
    if (socket.is_open) close({slot, socket.generation});
  }
  for (std::uint32_t slot = 0; slot < listeners_.size(); ++slot) {
    if (listeners_[slot].is_open) listener_close({slot, listeners_[slot].generation});
  }
  for (Poll& poll : polls_) {
    if (poll.is_wanted) poll_stop(poll.fd, *poll.handler);
  }
  for (FileWrite& write : file_writes_) write.handler = nullptr;
  if (waker_.is_armed) waker_.wake_always();
  const auto is_busy = [&] {
    if (waker_.is_armed || probe_.is_armed || ring_.staged() > 0) return true;
    for (std::uint32_t slot = 0; slot < pages_.size() * kPageSockets; ++slot) {
      if (socket_at(slot).ops > 0) return true;
    }
    return std::any_of(listeners_.begin(), listeners_.end(), [](auto& l) { return l.is_armed; }) ||
           std::any_of(polls_.begin(), polls_.end(), [](auto& p) { return p.is_armed; }) ||
           std::any_of(file_writes_.begin(), file_writes_.end(),
                       [](auto& w) { return static_cast<bool>(w.block); });
  };
  for (int round = 0; round < kDrainRoundsMax && is_busy(); ++round) {
    for (const std::uint32_t slot : std::exchange(hangups_, {})) after_submission(slot);
    ring_.submit_and_wait({.count = 1, .deadline = read_monotonic_clock() + kDrainRound});
    dispatch();
    buffers_.publish();
  }
}

// ---- The turn ----

WallTime UringIo::wall_now() const {
  if (wall_turn_ != stats_.turns) {
    timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    wall_now_ = {now.tv_sec * 1'000'000'000 + now.tv_nsec};
    wall_turn_ = stats_.turns;
  }
  return wall_now_;
}

Duration UringIo::cpu_time() const {
  timespec used;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return {used.tv_sec * 1'000'000'000 + used.tv_nsec};
}

void UringIo::refresh_clock() {
  now_ = read_monotonic_clock();
}

void UringIo::turn(const TurnOptions& options) {
  LEAT_CHECK(!in_turn_);
  in_turn_ = true;
  ++stats_.turns;
  const std::uint64_t brought_before = stats_.completions;
  prepare();
  const bool delivered = !hangups_.empty() && submit_hangups() > 0;
  const Ring::Wait wait = wait_for(options, delivered);
  if (delivered) {
    ring_.wait(wait);  // what handlers staged meanwhile belongs to the next turn
  } else {
    submit(&wait);
  }
  waker_.end_sleep();
  refresh_clock();
  dispatch();
  probe(stats_.completions - brought_before);
  pump_all();
  buffers_.publish();
  in_turn_ = false;
}

// `brought`: by this turn.
void UringIo::probe(std::uint64_t brought) {
  if (probe_.is_armed) return;
  if (brought < kProbedFrom && probe_.waited < kProbeEach) {
    probe_.waited = {};
    return;
  }
  probe_.due = now_ + kProbeEach;
  probe_.at = {.tv_sec = probe_.due.ns / 1'000'000'000, .tv_nsec = probe_.due.ns % 1'000'000'000};
  io_uring_sqe* sqe = ring_.stage();
  io_uring_prep_timeout(sqe, &probe_.at, 0, IORING_TIMEOUT_ABS);
  sqe->user_data = encode({Op::kProbe, 0, 0});
  probe_.is_armed = true;
}

Duration UringIo::waiting_time() const {
  return probe_.is_armed ? std::max(probe_.waited, now_ - probe_.due) : probe_.waited;
}

// Brings the kernel's receives in line with what is wanted. After the sends, which are staged
// already: so their shortfalls come first in the completion queue.
void UringIo::prepare() {
  if (!waker_.is_armed) arm_waker();
  batch_.clear();
  batch_.swap(reconcile_);
  for (const std::uint32_t slot : batch_) reconcile(slot);
  rearm_starved();
}

Ring::Wait UringIo::wait_for(const TurnOptions& options, bool must_return) {
  must_return = must_return || options.deadline <= now_ || !pump_.empty() || has_held() ||
                starved_begin_ < starved_.size();
  if (must_return || !waker_.begin_sleep()) return {};
  return {.count = std::max(options.wait_count, 1U),
          .min = std::min(options.min_wait, options.deadline - now_),  // the kernel's goes first
          .deadline = options.deadline};
}

// Submits all; waits if `wait` is given. The round of staging ends.
void UringIo::submit(const Ring::Wait* wait) {
  const Ring::Wait at_once;
  int rc;
  for (;;) {
    rc = wait != nullptr ? ring_.submit_and_wait(*wait) : ring_.submit();
    if (rc != -EAGAIN && rc != -EBUSY) break;
    // The kernel wants its completions reaped, or memory, before it takes more.
    refresh_clock();
    dispatch();
    buffers_.publish();
    ring_.wait({});
    // What handlers did now may be due before the wait, which was agreed on before, would end.
    if (wait != nullptr) wait = &at_once;
  }
  LEAT_CHECK(rc == 0 || rc == -ETIME || rc == -EINTR);
  ++staging_round_;
  messages_.reset();
  addresses_.reset();
}

// Sockets that hang up after a send of this turn: the send must be gone, but the hang-up must not
// wait for whatever ends the turn's wait. Returns how many completions were dispatched.
std::uint64_t UringIo::submit_hangups() {
  const std::size_t count = hangups_.size();
  submit(nullptr);
  refresh_clock();
  const std::uint64_t dispatched = dispatch();
  for (std::size_t i = 0; i < count; ++i) after_submission(hangups_[i]);
  hangups_.erase(hangups_.begin(), hangups_.begin() + static_cast<std::ptrdiff_t>(count));
  return dispatched;
}

// Until queue and overflow list are empty: a send's bytes are valid until the turn returns, so its
// shortfall must not stay behind. This ends: bringing the overflow runs at most some tens of
// receptions more, which a queue of real size holds.
std::uint64_t UringIo::dispatch() {
  std::uint64_t count = dispatch_queued();
  while (ring_.has_overflow()) {
    ++stats_.cq_overflows;
    buffers_.publish();
    ring_.wait({});
    count += dispatch_queued();
  }
  return count;
}

std::uint64_t UringIo::dispatch_queued() {
  io_uring_cq& queue = ring_.raw().cq;
  const unsigned begin = *queue.khead;
  const unsigned end = io_uring_smp_load_acquire(queue.ktail);
  for (unsigned at = begin; at != end;) {
    const unsigned next = at + std::min(end - at, kForeseen);
    if (next - at > 1) foresee(at, next);
    for (; at != next; ++at) dispatch_one(queue.cqes[at & queue.ring_mask]);
  }
  io_uring_smp_store_release(queue.khead, end);
  stats_.completions += end - begin;
  return end - begin;
}

// The memory of receptions `begin` to `end` is asked for, one access after the other of each, but
// of all of them at a time.
void UringIo::foresee(unsigned begin, unsigned end) {
  const io_uring_cq& queue = ring_.raw().cq;
  struct Reception {
    const Socket* socket;
    std::uint32_t generation;
    std::span<const char> bytes;
    const SocketHandler* handler;
  };
  LEAT_UNINITIALIZED std::array<Reception, kForeseen> receptions;
  BufferRing::Ahead ahead(buffers_);
  std::size_t count = 0;
  for (unsigned at = begin; at != end; ++at) {
    const io_uring_cqe& completion = queue.cqes[at & queue.ring_mask];
    const OpTag tag = decode(completion.user_data);
    if ((tag.op != Op::kReceive && tag.op != Op::kDrain) || completion.res <= 0) continue;
    if (tag.slot >= pages_.size() * kPageSockets) continue;
    receptions[count] = {&socket_at(tag.slot), tag.generation, ahead.next(completion), nullptr};
    prefetch(*receptions[count++].socket);
  }
  std::size_t known = 0;
  for (const Reception& each : std::span(receptions).first(count)) {
    if (!each.socket->is_open || each.socket->generation != each.generation) continue;
    receptions[known] = each;
    receptions[known].handler = each.socket->handler;
    prefetch(receptions[known++].handler, kCacheLineBytes);
  }
  for (int depth = 0; known > 0; ++depth) {
    std::size_t further = 0;
    for (const Reception& each : std::span(receptions).first(known)) {
      if (each.handler->foresee(depth, each.bytes)) receptions[further++] = each;
    }
    known = further;
  }
}

void UringIo::dispatch_one(const io_uring_cqe& completion) {
  const OpTag tag = decode(completion.user_data);
  switch (tag.op) {
    case Op::kCancel:
      return;
    case Op::kReceive:
      return on_receive_completion(tag, completion);
    case Op::kReceiveInto:
      if (settle(tag, true)) on_receive_into_completion(tag.slot, completion.res);
      return;
    case Op::kDrain:
      return on_drain_completion(tag, completion);
    case Op::kNotice:
      if (settle(tag, true)) on_notice_completion(tag.slot);
      return;
    case Op::kWatch:
      if (settle(tag, true)) on_watch_completion(tag.slot, completion.res);
      return;
    case Op::kSend:
      if (settle(tag, false)) on_send_completion(tag.slot, completion.res);
      return;
    case Op::kSendBlock:
      if (settle(tag, true)) on_send_block_completion(tag.slot, completion.res);
      return;
    case Op::kConnect:
      if (settle(tag, true)) on_connect_completion(tag.slot, completion.res);
      return;
    case Op::kAccept:
      return on_accept_completion(tag, completion);
    case Op::kPoll:
      return on_poll_completion(tag, completion.res);
    case Op::kFile:
      return on_file_completion(tag, completion.res);
    case Op::kWake:
      waker_.is_armed = false;
      return;
    case Op::kProbe:
      probe_.is_armed = false;
      probe_.waited = std::max(now_ - probe_.due, Duration{});
      return;
  }
  LEAT_UNREACHABLE("a completion of no operation of ours");
}

// Books the completion of a socket's operation; false when the socket is gone meanwhile.
bool UringIo::settle(OpTag tag, bool is_last) {
  if (tag.slot < pages_.size() * kPageSockets) {
    Socket& socket = socket_at(tag.slot);
    if (socket.generation == tag.generation) {
      if (is_last) --socket.ops;
      if (socket.is_releasing && socket.ops == 0) queue_pump(tag.slot);
      if (socket.is_open) return true;
      release_if_idle(tag.slot);
    }
  }
  ++stats_.late_completions;
  return false;
}

void UringIo::stage_cancel(OpTag target) {
  io_uring_sqe* sqe = ring_.stage();
  io_uring_prep_cancel64(sqe, encode(target), 0);
  sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
  sqe->user_data = encode({Op::kCancel, 0, 0});
}

// ---- Waking ----

void UringIo::arm_waker() {
  io_uring_sqe* sqe = ring_.stage();
  io_uring_prep_read(sqe, waker_.fd, &waker_.counter, sizeof waker_.counter, 0);
  sqe->user_data = encode({Op::kWake, 0, 0});
  waker_.is_armed = true;
}

// The exchange orders what the caller wrote before (a message) with what the shard reads after its
// turn: either it sees kWoken and does not sleep, or we see it sleeping and write.
void UringIo::EventWaker::wake() {
  if (state_.exchange(kWoken, std::memory_order_seq_cst) == kSleeping) wake_always();
}

void UringIo::EventWaker::wake_always() {
  const std::uint64_t one = 1;
  // Fails only when the counter is at its end, and then the reader is awake.
  [[maybe_unused]] const ssize_t written = ::write(fd, &one, sizeof one);
}

bool UringIo::EventWaker::begin_sleep() {
  return state_.exchange(kSleeping, std::memory_order_seq_cst) != kWoken;
}

void UringIo::EventWaker::end_sleep() {
  state_.store(kAwake, std::memory_order_seq_cst);
}

}  // namespace leat::io
