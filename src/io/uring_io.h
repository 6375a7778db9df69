// SPDX-License-Identifier: Apache-2.0
// UringIo: the Io of production, one io_uring per shard. Made on the thread of its shard and used
// there only (the kernel enforces it). One system call a turn submits what was staged and waits.
//
// In each turn the handlers are called in this order: on_send_short() of this turn's sends, then
// completions as the kernel posted them, then bytes that were kept while a receive was stopped.
// What a handler stages is submitted by the next turn.
//
//   socket:  open --close()--> closing --last completion of its operations--> free
//            (named)           (name dead, peer hung up on)                    (slot reusable)
//
// Receiving is kept as what is wanted (streaming, receive_into) against what is armed in the
// kernel; a turn begins by bringing the second in line with the first (uring_receive.cc).
#pragma once

#include <netinet/in.h>

#include <array>
#include <atomic>
#include <deque>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "io/buffer_ring.h"
#include "io/inherited_listener.h"
#include "io/io.h"
#include "io/ops.h"
#include "io/preflight.h"
#include "io/ring.h"
#include "io/sockaddr.h"
#include "io/stage_pool.h"

namespace leat::io {

struct UringOptions {
  enum class Buffers : std::uint8_t { kAuto, kIncremental, kPlain };

  std::uint32_t sq_entries = 4096;  // more operations in one turn cost a second system call
  // Multishot receives end when this queue is full, so it is large: 16 bytes each (engine.md 2.1).
  std::uint32_t cq_entries = 65536;
  Buffers buffers = Buffers::kAuto;  // auto: incremental where preflight trusts it
  std::uint32_t buffer_count = 0;    // 0: 64 incremental ones, or 4096 plain ones
  std::uint32_t buffer_size = 0;     // 0: 64 KiB incremental, 4 KiB plain
  bool min_wait = true;              // heed TurnOptions::min_wait where the kernel does
  // Whether the kernel is told which operations this ring will ever ask for, and refuses others.
  bool is_restricted = true;
  bool writes_files = true;  // write_durable() is among them
  // listen() at one of these addresses accepts there, and leaves the socket open at its end.
  std::vector<InheritedListener> inherited;
  // Of the memory that receives fill; of plain buffers, which are many and seldom used all,
  // reserved ones only.
  HugePages huge_pages = HugePages::kUnasked;
  // The core of each listener of an address, in the order of listen(): who comes is steered by it
  // (io/steering.h). Empty: by the kernel's hash.
  std::vector<std::uint32_t> steering;
  // How long turn() asks the network cards for packets before it sleeps; 0: not at all.
  std::uint32_t napi_busy_poll_us = 0;
};

class UringIo final : public Io {
 public:
  // Errors: kUnsupported where io_uring is forbidden or too old, kOverloaded for want of
  // descriptors or memory.
  static Result<std::unique_ptr<UringIo>> create(const UringOptions& options);
  // Hangs up on everybody; no handler is called.
  ~UringIo();
  // Ends all that the kernel does for this Io, on the thread that made it: no other may enter the
  // ring. What is left may then be destroyed anywhere; the waker can be woken until then.
  void stop();

  const Capabilities& capabilities() const { return capabilities_; }
  BufferRing::Mode buffer_mode() const { return buffers_.mode(); }
  // The kernel refuses what this Io never asks for.
  bool is_restricted() const { return is_restricted_; }
  // What became of UringOptions: 0, or why the kernel refused, an errno.
  int napi_error() const { return napi_error_; }
  // The same of the listeners so far.
  int steering_error() const { return steering_error_; }

  Instant now() const override { return now_; }
  WallTime wall_now() const override;
  Result<ListenerId> listen(const Address& address, const ListenOptions& options) override;
  Result<ListenerId> listen_local(const std::string& path) override;
  Address listener_address(ListenerId listener) const override;
  void accept_start(ListenerId listener, AcceptHandler& handler) override;
  void accept_stop(ListenerId listener) override;
  void accept_finish(ListenerId listener) override;
  void listener_close(ListenerId listener) override;
  Result<SocketId> connect(const Address& address, SocketHandler& handler) override;
  void set_handler(SocketId socket, SocketHandler& handler) override;
  void close(SocketId socket) override;
  void shutdown_send(SocketId socket) override;
  void release(SocketId socket) override;
  SocketId adopt(std::unique_ptr<LooseSocket> socket, SocketHandler& handler) override;
  void receive_start(SocketId socket) override;
  void receive_stop(SocketId socket) override;
  void receive_watch(SocketId socket) override;
  void receive_into(SocketId socket, BlockRef block, std::size_t offset, std::size_t size) override;
  void receive_hold(SocketId socket) override;
  void delay_acks(SocketId socket) override;
  bool delays_acks(SocketId socket) override;
  void send(SocketId socket, std::span<const iovec> segments) override;
  void foresee_send(SocketId socket) const override;
  void send_block(SocketId socket, BlockRef block, std::size_t offset, std::size_t size) override;
  void poll_start(int fd, unsigned events, PollHandler& handler) override;
  void poll_stop(int fd, PollHandler& handler) override;
  void write_durable(int fd, BlockRef block, std::size_t offset, std::size_t size,
                     std::uint64_t position, FileHandler& handler) override;
  void forget(FileHandler& handler) override;
  Waker& waker() override { return waker_; }
  void turn(const TurnOptions& options) override;
  Duration waiting_time() const override;
  Duration cpu_time() const override;
  const IoStats& stats() const override { return stats_; }

 private:
  struct Socket {
    SocketHandler* handler = nullptr;
    int fd = -1;
    std::uint32_t generation = 1;
    std::uint32_t ops = 0;  // staged or in flight, each of which posts one last completion
    int end_error = 0;      // with `ended`
    bool is_open = false;   // named by a SocketId
    bool is_connecting = false;
    bool is_armed = false;         // a multishot receive is staged or in flight
    bool is_cancelling = false;    // ... and its cancellation, too
    bool is_streaming = false;     // receive_start() or receive_hold() is in force
    bool is_holding = false;       // ... the latter
    bool wants_drain = false;      // ... and what has come is to be delivered
    bool is_drain_armed = false;   // the receive that does so is staged or in flight
    bool is_notice_armed = false;  // the poll that tells what comes next is
    bool is_told = false;          // on_held() was called since the last drain
    bool is_watched = false;       // receive_watch() is in force, and nothing was told yet
    bool is_watch_armed = false;   // the poll for it is staged or in flight
    bool is_bounded = false;       // its buffer in the kernel does not grow: nobody reads it
    bool is_starved = false;       // waits in starved_ to be armed again
    bool wants_into = false;       // a receive_into() is not answered yet
    bool is_into_armed = false;    // ... and is staged or in flight
    bool ended = false;            // FIN or error was seen; sticky
    bool in_reconcile = false;     // is in reconcile_
    bool in_pump = false;          // is in pump_
    bool in_hangups = false;       // is in hangups_: close or half-close follows this turn's send
    bool is_releasing = false;     // release() is not answered yet
    bool half_close = false;       // shutdown_send() is due once nothing is left to send
    bool has_short_rest = false;   // the last send() fell short and nothing followed yet
    std::uint64_t send_round = 0;  // staging_round_ of the last send()
    std::size_t send_size = 0;     // bytes of the send_block() in flight
    BlockRef outgoing;             // its block
    BlockRef into;                 // receive_into()'s block
    std::size_t into_offset = 0;
    std::size_t into_size = 0;
    std::size_t into_filled = 0;
    BlockRef stash;  // bytes that came while nobody wanted them
    std::size_t stash_begin = 0;
  };
  // Of a Unix socket, as it was made: whoever put another file there keeps it.
  struct LocalFile {
    std::string path;  // empty: none
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
  };
  struct Listener {
    AcceptHandler* handler = nullptr;
    int fd = -1;
    std::uint32_t generation = 1;
    Address address;
    LocalFile file;  // of a Unix socket
    bool is_open = false;
    bool is_inherited = false;  // others accept there too, or will
    bool is_accepting = false;  // accept_start() holds
    bool is_armed = false;
    bool is_cancelling = false;
    bool is_finishing = false;  // what is accepted still is handed out
    std::vector<int> held;      // accepted by the kernel after accept_stop()
  };
  struct Poll {
    PollHandler* handler = nullptr;
    int fd = -1;
    std::uint32_t generation = 1;
    bool is_wanted = false;
    bool is_armed = false;
  };
  struct FileWrite {
    FileHandler* handler = nullptr;  // null: nobody wants to hear of it
    BlockRef block;                  // null: free
    std::size_t size = 0;
    std::uint32_t generation = 1;
  };
  // Wakes turn() through an eventfd, at most one write a sleep.
  class EventWaker final : public Waker {
   public:
    void wake() override;
    void wake_always();
    // The shard's side. begin_sleep(): false when a wake came since the last turn.
    bool begin_sleep();
    void end_sleep();
    int fd = -1;
    std::uint64_t counter = 0;  // what the ring reads the eventfd into
    bool is_armed = false;

   private:
    enum State : std::uint32_t { kAwake, kSleeping, kWoken };
    alignas(64) std::atomic<std::uint32_t> state_{kAwake};
  };

  UringIo() = default;
  Result<bool> open(const UringOptions& options);
  Result<bool> open_buffers(const UringOptions& options);
  void drain_ring();

  // ---- Turn (uring_io.cc) ----
  void prepare();
  Ring::Wait wait_for(const TurnOptions& options, bool must_return);
  void submit(const Ring::Wait* wait);
  std::uint64_t submit_hangups();
  std::uint64_t dispatch();
  std::uint64_t dispatch_queued();
  void foresee(unsigned begin, unsigned end);
  void dispatch_one(const io_uring_cqe& completion);
  bool settle(OpTag tag, bool is_last);
  void refresh_clock();
  void stage_cancel(OpTag target);
  void arm_waker();
  void probe(std::uint64_t brought);

  // ---- Sockets (uring_sockets.cc) ----
  Socket& socket_at(std::uint32_t slot) {
    return (*pages_[slot / kPageSockets])[slot % kPageSockets];
  }
  const Socket& socket_at(std::uint32_t slot) const {
    return (*pages_[slot / kPageSockets])[slot % kPageSockets];
  }
  Socket* find(SocketId id);
  bool is_current(std::uint32_t slot, std::uint32_t generation);
  std::uint32_t open_socket(int fd);
  ListenerId keep_listener(int fd, const Address& address, LocalFile file);
  Result<ListenerId> take_over(const InheritedListener& inherited, int backlog);
  void steer_group_of(int fd);
  static void remove(const LocalFile& file);
  void hang_up(std::uint32_t slot);
  void release_if_idle(std::uint32_t slot);
  void free_slot(std::uint32_t slot);
  void after_submission(std::uint32_t slot);
  void try_half_close(Socket& socket);
  bool has_staged_send(const Socket& socket) const { return socket.send_round == staging_round_; }
  void queue_hangup(std::uint32_t slot);

  // ---- Receiving (uring_receive.cc) ----
  void queue_reconcile(std::uint32_t slot);
  void queue_pump(std::uint32_t slot);
  void reconcile(std::uint32_t slot);
  void arm_receive(std::uint32_t slot);
  void arm_receive_into(std::uint32_t slot);
  void arm_watch(std::uint32_t slot);
  void on_watch_completion(std::uint32_t slot, int result);
  void rearm_starved();
  void pump_all();
  void pump(std::uint32_t slot);
  void pump_into(std::uint32_t slot);
  void on_receive_completion(OpTag tag, const io_uring_cqe& completion);
  void deliver(std::uint32_t slot, std::span<char> bytes);
  void keep(Socket& socket, std::span<const char> bytes);
  void end_receiving(std::uint32_t slot, int result);
  void on_receive_into_completion(std::uint32_t slot, int result);

  // ---- Holding back (uring_hold.cc) ----
  void arm_held(std::uint32_t slot);
  void on_drain_completion(OpTag tag, const io_uring_cqe& completion);
  void on_notice_completion(std::uint32_t slot);

  // ---- Letting go (uring_release.cc) ----
  void reconcile_release(std::uint32_t slot);
  void pump_release(std::uint32_t slot);

  // ---- Sending (uring_send.cc) ----
  void on_send_completion(std::uint32_t slot, int result);
  void on_send_block_completion(std::uint32_t slot, int result);

  // ---- Connecting, listening, polling (uring_accept.cc) ----
  void on_connect_completion(std::uint32_t slot, int result);
  Listener* find(ListenerId id);
  const Listener* find(ListenerId id) const;
  void arm_accept(std::uint32_t slot);
  void release_if_idle(Listener& listener);
  void on_accept_completion(OpTag tag, const io_uring_cqe& completion);
  bool has_held() const;
  void pump_held(std::uint32_t slot);
  void hand_over(std::uint32_t slot, int fd);
  void on_poll_completion(OpTag tag, int result);

  // ---- Files (uring_files.cc) ----
  void on_file_completion(OpTag tag, int result);

  static constexpr std::uint32_t kPageSockets = 256;
  using Page = std::array<Socket, kPageSockets>;

  // Destroyed last to first: the ring must be gone before the buffers that it fills.
  BufferRing buffers_;
  Ring ring_;
  bool is_restricted_ = false;
  std::size_t receive_most_ = 0;  // bytes of one reception; 0: as many as a buffer has room for
  int napi_error_ = 0;
  int steering_error_ = 0;
  std::vector<std::uint32_t> steering_;
  Capabilities capabilities_;
  IoStats stats_;
  Instant now_;
  mutable WallTime wall_now_;
  mutable std::uint64_t wall_turn_ = UINT64_MAX;  // turn in which wall_now_ was read
  bool in_turn_ = false;
  // Counts submissions: a send of the current round is staged, one of an older round is gone.
  std::uint64_t staging_round_ = 1;

  std::vector<std::unique_ptr<Page>> pages_;  // grows; sockets do not move
  std::vector<std::uint32_t> free_slots_;
  std::deque<Listener> listeners_;  // grows; listeners do not move
  std::vector<InheritedListener> inherited_;
  std::deque<Poll> polls_;
  std::vector<FileWrite> file_writes_;
  // Slots with something to do; a flag in the socket says that it is listed. Swapped with their
  // `_batch_` to run, so that what runs may list again.
  std::vector<std::uint32_t> reconcile_;
  std::vector<std::uint32_t> pump_;
  std::vector<std::uint32_t> hangups_;
  std::vector<std::uint32_t> batch_;
  std::vector<std::uint32_t> starved_;  // in the order of starving
  std::size_t starved_begin_ = 0;
  StagePool<msghdr> messages_;          // of staged sends, until they are submitted
  StagePool<SocketAddress> addresses_;  // of staged connects
  EventWaker waker_;
  // A timer like any other operation: it ends in time, and is brought when its turn has come. The
  // kernel brings only so many completions at once, so that turns may be short and yet behind.
  struct Probe {
    __kernel_timespec at{};  // read when it is submitted
    Instant due{};
    Duration waited{};  // of the last one
    bool is_armed = false;
  };
  Probe probe_;
};

}  // namespace leat::io
