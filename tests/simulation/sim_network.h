// SPDX-License-Identifier: Apache-2.0
// Network: the simulated one. Ports (listening sockets) with a backlog, and connections between two
// Ends, each the kernel's view of one socket: bounded buffers, bytes that arrive late and in
// pieces, FIN, RST, stalls. Both SimIo and the simulated clients and providers sit on Ends.
//
//   write() -> in flight --latency, jitter, slices--> readable() -> consume()
//              '------- together never above the capacity --------'
//
// A connection lives as long as its world. Nothing here calls an EndUser from inside a call of
// that user: everything happens in events.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/instant.h"
#include "io/address.h"

namespace leat::sim {

class World;
class Connection;

// What one end's owner hears. None is called after End::close().
class EndUser {
 public:
  virtual void on_established() = 0;  // of an outgoing connection
  virtual void on_connect_failed(int error) = 0;
  virtual void on_readable() = 0;  // bytes, a FIN, or an error: look at the End
  virtual void on_room() = 0;      // after write() took less than it was given

 protected:
  ~EndUser() = default;
};

class PortUser {
 public:
  virtual void on_pending() = 0;  // the backlog is no longer empty

 protected:
  ~PortUser() = default;
};

// One direction of a connection: bytes from the end of the same index to the other.
struct Direction {
  // A write by SimIo: where it began, and how much of the other direction the gateway had been
  // shown before and after the turn that led to it (tests whether it wrote on a connection that it
  // knew to be unclean).
  struct Mark {
    std::uint64_t offset;
    std::uint64_t seen_before;
    std::uint64_t seen_after;
    Instant at;
    Instant unblocked_at;  // when its way last became free again
  };

  std::vector<char> bytes;  // [head, arrived): readable; [arrived, size): in flight
  std::size_t head = 0;
  std::size_t arrived = 0;
  std::size_t capacity = 64 * 1024;
  std::uint64_t written_total = 0;
  std::uint64_t delivered_total = 0;  // shown to the reading program
  Duration latency{};
  Instant last_arrival{};  // arrivals keep their order
  Instant stalled_until{};
  Duration longest_stall{};
  bool wants_room = false;  // the writer was cut short
  // What of it had been shown when its reader stopped to serve: half-closed, closed or reset.
  std::uint64_t delivered_before_end = UINT64_MAX;
  bool fin_sent = false;
  bool fin_arrived = false;
  std::vector<Mark> marks;
  Instant unblocked_at{};  // the writer had been cut short, and heard of room

  // The mark of the write that brought this byte. REQUIRES: SimIo wrote it.
  const Mark& mark_of(std::uint64_t offset) const;
  // When so many bytes of it had arrived; kNever: they have not.
  Instant arrived_at(std::uint64_t total) const;
  std::vector<std::pair<std::uint64_t, Instant>> arrivals;  // totals, each with its time
};

class End {
 public:
  void set_user(EndUser* user) { user_ = user; }
  Connection& connection() { return *connection_; }
  End& other();

  // ---- Writing ----
  std::size_t room() const;
  // Takes what there is room for and says how much; on_room() follows if that was not all.
  // REQUIRES: is_open().
  std::size_t write(std::string_view bytes);
  void ask_for_room() { outgoing_->wants_room = true; }
  bool can_write() const { return is_open() && !outgoing_->fin_sent && error_ == 0; }
  // A FIN behind what was written.
  void shutdown();

  // ---- Reading ----
  std::string_view readable() const;
  void consume(std::size_t count);
  // The peer's FIN was reached: nothing is readable any more.
  bool at_end() const { return incoming_->fin_arrived && readable().empty(); }
  int error() const { return error_; }
  // The peer's FIN has come, whatever is readable before it, or the connection is broken.
  bool is_peer_gone() const { return incoming_->fin_arrived || error_ != 0; }

  // ---- Ending ----
  // As close(2): a FIN, or a reset if there are bytes that nobody read.
  void close();
  // A reset, now. `overtakes`: bytes in flight are lost.
  void reset(bool overtakes);
  bool is_open() const { return is_open_; }
  Instant closed_at() const { return closed_at_; }
  // When it sent its FIN; kNever: it has not.
  Instant shut_at() const { return shut_at_; }
  // When this end first learnt that its peer is gone (FIN or RST); kNever: not yet.
  Instant peer_gone_at() const { return peer_gone_at_; }

  Direction& outgoing() { return *outgoing_; }
  Direction& incoming() { return *incoming_; }

 private:
  friend class Connection;
  friend class Network;
  Connection* connection_ = nullptr;
  Direction* outgoing_ = nullptr;
  Direction* incoming_ = nullptr;
  EndUser* user_ = nullptr;
  int error_ = 0;
  bool is_open_ = true;
  Instant closed_at_ = kNever;
  Instant shut_at_ = kNever;
  Instant peer_gone_at_ = kNever;
};

class Connection {
 public:
  Connection(World& world, std::uint32_t id, const io::Address& from, const io::Address& to);
  std::uint32_t id() const { return id_; }
  const io::Address& from() const { return from_; }
  const io::Address& to() const { return to_; }
  // The network itself broke it, or both ends would have lived on.
  bool was_broken() const { return was_broken_; }
  // Something else than its two programs ends it.
  void lose() { was_broken_ = true; }
  // 0: who connected; 1: who accepted.
  End& end(int index) { return ends_[index]; }

 private:
  friend class End;
  friend class Network;
  int index_of(const End& end) const { return &end == &ends_[0] ? 0 : 1; }
  void send_segments(int from, std::size_t size);
  Instant arrival(Direction& direction, Duration extra);
  void on_syn(std::uint64_t);
  void on_syn_answer(std::uint64_t error);
  void on_arrive(std::uint64_t argument);
  void on_fin(std::uint64_t from);
  void on_break(std::uint64_t from);
  void on_reset(std::uint64_t from);
  void on_room(std::uint64_t writer);
  void tell_readable(End& end);

  World& world_;
  std::uint32_t id_;
  io::Address from_;
  io::Address to_;
  bool was_broken_ = false;
  Direction directions_[2];
  End ends_[2];
};

// A listening socket.
class Port {
 public:
  Port(const io::Address& address, PortUser& user, bool shares)
      : address_(address), user_(&user), shares_(shares) {}
  const io::Address& address() const { return address_; }
  bool has_pending() const { return !backlog_.empty(); }
  std::size_t pending() const { return backlog_.size(); }
  Connection& accept();
  // What waits in the backlog is reset.
  void close();

 private:
  friend class Connection;
  friend class Network;
  io::Address address_;
  PortUser* user_;  // null: closed
  bool shares_;
  std::deque<Connection*> backlog_;
};

class Network {
 public:
  explicit Network(World& world) : world_(world) {}

  // Null: the address is in use. Port 0: any free one. `shares`: as SO_REUSEPORT.
  Port* listen(io::Address address, PortUser& user, bool shares);
  // Starts a connection; the user's end is end(0).
  Connection& connect(const io::Address& from, const io::Address& to, EndUser& user);

  // Delays of one direction between any two machines.
  Duration latency_min = microseconds(20);
  Duration latency_max = microseconds(400);

 private:
  friend class Connection;
  Port* choose_port(const io::Address& to);
  World& world_;
  std::vector<std::unique_ptr<Port>> ports_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::uint16_t next_port_ = 40'000;
};

}  // namespace leat::sim
