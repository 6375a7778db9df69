// SPDX-License-Identifier: Apache-2.0
// SimIo: the Io of one shard in a simulated world. It keeps the promises of io/io.h in the least
// convenient way that they allow - bytes in random slices, sends cut short, completions in any
// order
// - and checks that its caller keeps the other side: a broken REQUIRES is a violation of the world.
//
// turn() cannot block, since other shards live in the same thread: it returns at once, and the
// world runs the shard's next turn when there is something for it (set_run_turn()). To the shard
// that looks like a sleep that ended.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "io/io.h"
#include "simulation/sim_world.h"

namespace leat::sim {

class SimIo final : public io::Io, private io::Waker, private Disk::User {
 public:
  // `host`: the address that its connections come from; the port is chosen for each.
  SimIo(World& world, const io::Address& host);
  ~SimIo() override;

  // What a turn of this shard is; called by the world whenever one is due, from start() on.
  void set_run_turn(std::function<void()> run_turn) { run_turn_ = std::move(run_turn); }
  void start();
  // No turn is run any more.
  void stop() { stopped_ = true; }
  bool is_stopped() const { return stopped_; }
  // Its process is no more: the same, and all of its sockets end.
  void kill();

  // What each completion of a connection that the shard has made keeps the CPU busy for, and others
  // a tenth of that, beside what every turn takes: as requests and streams that are served cost
  // more than refusals. A shard that is asked for more than it can do is late. Nothing unless told.
  void set_cost(Duration each) { cost_ = each; }
  // What comes is never held back for longer than this (receive_hold()): a rule that is watched.
  void set_hold_max(Duration most) { hold_max_ = most; }
  std::uint64_t holds() const { return holds_; }
  // Somebody else has the CPU until then.
  void hold_until(Instant until);

  // A foreign descriptor becomes ready.
  void set_ready(int fd, int events);
  // The connection behind a live name; null if there is none.
  Connection* connection_of(io::SocketId socket);

  Instant now() const override { return now_; }
  WallTime wall_now() const override { return wall_now_; }
  Result<io::ListenerId> listen(const io::Address& address,
                                const io::ListenOptions& options) override;
  io::Address listener_address(io::ListenerId listener) const override;
  void accept_start(io::ListenerId listener, io::AcceptHandler& handler) override;
  void accept_stop(io::ListenerId listener) override;
  void listener_close(io::ListenerId listener) override;
  Result<io::SocketId> connect(const io::Address& address, io::SocketHandler& handler) override;
  void set_handler(io::SocketId socket, io::SocketHandler& handler) override;
  void close(io::SocketId socket) override;
  void shutdown_send(io::SocketId socket) override;
  void release(io::SocketId socket) override;
  io::SocketId adopt(std::unique_ptr<io::LooseSocket> socket, io::SocketHandler& handler) override;
  void receive_start(io::SocketId socket) override;
  void receive_stop(io::SocketId socket) override;
  void receive_into(io::SocketId socket, BlockRef block, std::size_t offset,
                    std::size_t size) override;
  void receive_hold(io::SocketId socket) override;
  void receive_watch(io::SocketId socket) override;
  Duration cpu_time() const override { return cpu_time_; }
  void send(io::SocketId socket, std::span<const iovec> segments) override;
  void send_block(io::SocketId socket, BlockRef block, std::size_t offset,
                  std::size_t size) override;
  void poll_start(int fd, unsigned events, io::PollHandler& handler) override;
  void poll_stop(int fd, io::PollHandler& handler) override;
  void write_durable(int fd, BlockRef block, std::size_t offset, std::size_t size,
                     std::uint64_t position, io::FileHandler& handler) override;
  void forget(io::FileHandler& handler) override;
  io::Waker& waker() override { return *this; }
  void turn(const io::TurnOptions& options) override;
  const io::IoStats& stats() const override { return stats_; }

 private:
  enum class Op : std::uint8_t {
    kConnected,
    kReadable,
    kBlockSent,
    kAccept,
    kPoll,
    kFile,
    kReleased
  };
  // Of a send_block(): it begins with the next turn, is under way, or waits to be reported.
  enum class BlockState : std::uint8_t { kNone, kStaged, kMoving, kEnded };
  // Something that the next turns dispatch. For kAccept the slot is a listener's, for kPoll it is
  // the descriptor, for kFile the write's place in file_writes_.
  struct Completion {
    Op op;
    std::uint32_t slot;
    std::uint32_t generation;
    int result;
  };

  struct Socket final : public EndUser {
    SimIo* io = nullptr;
    std::uint32_t slot = 0;
    std::uint32_t generation = 0;
    End* end = nullptr;  // null: free
    io::SocketHandler* handler = nullptr;
    bool is_connecting = false;
    bool is_outgoing = false;
    bool is_streaming = false;        // receive_start() or receive_hold() is in force
    bool is_holding = false;          // ... the latter
    bool wants_drain = false;         // ... and what has come is to be delivered
    bool is_told = false;             // ... or on_held() was called since
    bool is_watched = false;          // receive_watch() is in force, and nothing was told yet
    Instant held_since = kNever;      // the first of what waits for being asked for came then
    bool has_into = false;            // receive_into() is unanswered
    bool is_readable_queued = false;  // a kReadable completion is queued
    bool is_staged = false;           // send() for the coming turn
    bool is_releasing = false;        // release() is unanswered
    bool half_close = false;          // a FIN after the coming turn's send
    bool has_short_rest = false;      // the last send() fell short and nothing followed yet
    BlockState block_state = BlockState::kNone;
    std::uint64_t seen_turn = 0;    // the last turn that delivered anything
    std::uint64_t seen_before = 0;  // what had been delivered before it
    BlockRef into;
    std::size_t into_offset = 0;
    std::size_t into_size = 0;
    BlockRef outgoing;
    std::size_t outgoing_offset = 0;
    std::size_t outgoing_size = 0;
    std::size_t outgoing_sent = 0;

    void on_established() override { io->on_connected(*this, 0); }
    void on_connect_failed(int error) override { io->on_connected(*this, error); }
    void on_readable() override { io->on_news(*this); }
    void on_room() override { io->pump_block(*this); }
  };
  struct Listener final : public PortUser {
    SimIo* io = nullptr;
    std::uint32_t slot = 0;
    std::uint32_t generation = 0;
    Port* port = nullptr;                  // null: closed
    io::AcceptHandler* handler = nullptr;  // null: not accepting
    std::size_t queued = 0;                // completions
    void on_pending() override { io->queue_accept(*this); }
  };
  struct Poll {
    io::PollHandler* handler;
    std::uint32_t generation;
    int ready = 0;  // events that came, not yet dispatched
  };
  struct Staged {
    io::SocketId socket;
    std::span<const iovec> given;  // the caller's array, to see that it stays as it was
    std::vector<iovec> segments;
    std::uint64_t digest;
    std::uint64_t seen_before;  // see Direction::Mark
    std::uint64_t seen_after;
    std::size_t sent = 0;
    int error = 0;
  };
  struct FileWrite {
    io::FileHandler* handler;  // null: nobody wants to hear of it
    int fd;
    BlockRef block;  // null: ended
    std::size_t offset;
    std::size_t size;
    std::uint64_t position;
    std::string bytes;         // as they were given
    std::uint64_t number = 0;  // the disk's; 0: not submitted
  };
  // Memory that the kernel may still write after the socket's close().
  struct LateWrite {
    BlockRef block;
    std::size_t offset;
    std::size_t size;
  };

  // ---- Turn (sim_io.cc) ----
  void wake() override;
  void schedule_turn(Instant when);
  // Something was staged between two turns: the next one is due.
  void stir() {
    if (slept_) schedule_turn(world_.now());
  }
  void on_turn_due(std::uint64_t number);
  void plan_turn();
  bool may_harvest(const io::TurnOptions& options);
  void submit();
  void report_short_send();
  void dispatch();
  void dispatch_one(const Completion& completion);
  void dispatch_poll(const Completion& completion);
  void queue(const Completion& completion);
  void broken(const char* rule);

  // ---- Files (sim_io_file.cc) ----
  void submit_files();
  void on_disk(std::uint64_t write, int error) override;
  void dispatch_file(const Completion& completion);

  // ---- Letting go (sim_io_release.cc) ----
  void dispatch_released(Socket& socket);

  // ---- Sockets (sim_io_socket.cc) ----
  Socket* find(io::SocketId id);
  Socket& open_socket();
  void attach(Socket& socket, End& end);
  void on_news(Socket& socket);
  void on_connected(Socket& socket, int error);
  void queue_readable(Socket& socket);
  void on_hold_over(std::uint64_t slot_and_generation);
  void on_retry_receive(std::uint64_t slot_and_generation);
  void note_delivery(Socket& socket);
  void deliver(Socket& socket);
  void deliver_into(Socket& socket);
  void dispatch_accept(const Completion& completion);
  void queue_accept(Listener& listener);
  void submit_send(Staged& staged, bool may_fall_short);
  void submit_now(Socket& socket);
  void after_submission(Socket& socket);
  void try_half_close(Socket& socket);
  void pump_block(Socket& socket);
  void end_block(Socket& socket, int error);
  void leave_late_write(Socket& socket);
  void on_late_write(std::uint64_t index);
  std::uint64_t digest(const std::vector<iovec>& segments) const;

  World& world_;
  io::Address host_;
  std::uint16_t next_port_ = 1'024;
  std::function<void()> run_turn_;
  Instant now_;
  WallTime wall_now_;
  io::IoStats stats_;
  bool in_turn_ = false;
  bool stopped_ = false;
  bool slept_ = false;         // the last turn found nothing to do
  bool waited_batch_ = false;  // ... because it waits for a batch to fill
  bool woken_ = false;
  Instant sleeps_until_ = kNever;
  Duration cost_{};
  Duration hold_max_ = seconds(3600);
  // What turns may be late by, and what may starve for, beside the time that something is held.
  Duration hold_slack_ = milliseconds(12);
  std::uint64_t holds_ = 0;        // how often something was held back
  Duration spent_{};               // in the turn under way
  Duration cpu_time_{};            // in all turns, by cost_
  Instant busy_until_{};           // no turn before that
  std::uint64_t turn_number_ = 0;  // of the turn that is scheduled; older events are stale
  Instant turn_at_ = kNever;

  std::deque<Socket> sockets_;  // grows; sockets do not move
  std::vector<std::uint32_t> free_;
  std::deque<Listener> listeners_;
  std::map<int, Poll> polls_;
  std::uint32_t next_generation_ = 1;
  std::vector<Completion> ready_;
  std::vector<Staged> staged_;             // for the coming turn
  std::vector<Staged> short_sends_;        // of this one
  std::vector<io::SocketId> after_sends_;  // have something to do once the sends are submitted
  std::deque<LateWrite> late_writes_;
  std::deque<FileWrite> file_writes_;  // grows: each is kept, so that its place is its name
  std::size_t files_submitted_ = 0;
  std::vector<char> scratch_;
};

}  // namespace leat::sim
