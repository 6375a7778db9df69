// SPDX-License-Identifier: Apache-2.0
// Takeover: how a new process takes the place of one that serves, over a Unix socket (SEQPACKET)
// whose path is server.takeover_socket. Both ends: TakeoverDoor of the one that serves, on its
// control shard; TakeoverRequest of the one that starts, which may wait. Only the same user, or
// root, is listened to.
//
//   new                                     old
//   hello              -------------------> here are my listening sockets, and the token
//   (reads, checks, prepares)
//   yield              -------------------> its shards yield (gateway/succession.h), its accounts
//                                           rest, the ledger's folder is free: conversations, TLS
//                                           tickets of providers, then "yielded" with what limits
//                                           stand at, and sockets of those before it
//   (opens ledger and accounts, starts)
//   ready              -------------------> "go": passes clients on, finishes what runs, ends
//   (serves)           <------------------- what it finishes (control/carried_limits.h)
//
// Who is taken over from while those before it still finish gives its ends of their sockets away:
// whoever serves hears of all that is still running anywhere.
//
// Clients are passed on by a listener on loopback that goes from process to process like the
// others, and by a token that all of them know (gateway/successor.h): so whoever serves takes what
// comes from any of those before.
//
// Tickets are secrets, and cross in memory only. A process of an earlier version knows of none, or
// of no conversations: it hangs up on today's hello, and is asked again by its own.
//
// If the new one goes away before it is ready, the old one goes on as if nothing had been.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "gateway/successor.h"
#include "gateway/ticket_mail.h"
#include "io/inherited_listener.h"
#include "io/io.h"

namespace leat::control {

// A descriptor that is closed at the end.
class OwnedDescriptor {
 public:
  explicit OwnedDescriptor(int fd = -1) : fd_(fd) {}
  OwnedDescriptor(OwnedDescriptor&& other) noexcept;
  OwnedDescriptor& operator=(OwnedDescriptor&& other) noexcept;
  ~OwnedDescriptor();
  int get() const { return fd_; }

 private:
  int fd_;
};

// What is given away: the sockets of our listeners; where clients are passed on, which has one too;
// and that by which another takes over.
struct TakeoverSockets {
  std::vector<int> listeners;
  int passage = -1;
  gateway::Successor passed_to;
  int takeover = -1;
};

// What a process that yields leaves to the one that takes over.
struct LeftBehind {
  std::vector<gateway::LentTicket> tickets;
  std::string limits;         // what they stand at, as bytes (control/carried_limits.h)
  std::string conversations;  // as bytes (control/conversation_state.h); empty: none are left
  std::vector<int> before;    // sockets of processes before us, which stay ours
};

class TakeoverDoor final : private io::PollHandler {
 public:
  // What is to be done for who takes over. Called on the control shard.
  struct Actions {
    // To say when it is done by tell_yielded().
    std::function<void()> yield;
    std::function<void()> pass_on;
    std::function<void()> resume;
  };
  // The descriptors outlive it.
  TakeoverDoor(io::Io& io, TakeoverSockets sockets, Actions actions);
  ~TakeoverDoor();

  // The socket at that path, which is ours alone.
  static Result<OwnedDescriptor> open(const std::string& path);

  // Tickets go as far as the other takes them; the rest is dropped.
  void tell_yielded(LeftBehind left);
  // After pass_on(). False: it does not read at present.
  bool tell(std::string_view message);
  // It took too long: hangs up on it, as if it had gone.
  void give_up();

 private:
  void on_poll(int fd, int events) override;
  void admit();
  void read_message();
  void tell_conversations(std::string_view bytes);
  void hang_up();

  io::Io& io_;
  const TakeoverSockets sockets_;
  const Actions actions_;
  OwnedDescriptor peer_;
  bool has_yielded_ = false;  // was asked to, by this peer
  bool takes_tickets_ = false;
  bool takes_conversations_ = false;
  bool is_over_ = false;  // a successor is there: nobody else takes over
};

class TakeoverRequest {
 public:
  // Null: nobody listens there, so nobody is to be taken over from. An error: somebody does, and
  // it is not one that may be.
  static Result<std::unique_ptr<TakeoverRequest>> connect(const std::string& path);

  // Of the other's listeners. The descriptors are the request's.
  const std::vector<io::InheritedListener>& listeners() const { return listeners_; }
  const io::InheritedListener& passage() const { return passage_; }
  const gateway::PassageToken& token() const { return token_; }
  int takeover() const { return takeover_.get(); }

  // Waits until it has yielded; ready() tells it that we serve, and waits until it knows. Errors:
  // it has gone, takes too long, or goes on itself; then we must not.
  Result<bool> yield();
  Result<bool> ready();
  // After yield(): what came with it. Of limits what they stand at, as bytes; empty: that is not
  // known.
  std::vector<gateway::LentTicket> take_tickets() { return std::move(tickets_); }
  const std::string& carried() const { return carried_; }
  // As bytes; empty: it left none, and may never have heard of any.
  const std::string& conversations() const { return conversations_; }
  // After ready(): where this process and those before it tell what they finish, until they end.
  std::vector<OwnedDescriptor> take_finishing();

 private:
  explicit TakeoverRequest(OwnedDescriptor peer) : peer_(std::move(peer)) {}
  static Result<OwnedDescriptor> reach(const std::string& path);
  Result<bool> receive_sockets(std::string_view hello);
  struct Answer {
    std::string words;
    std::vector<OwnedDescriptor> descriptors;
  };
  Result<Answer> hear();
  // Says `words` and waits for what is said to that.
  Result<Answer> ask(std::string_view words);
  Result<bool> ask(std::string_view words, std::string_view wanted, Answer& answer);
  bool take_ticket(Answer& answer);
  bool take_conversations(Answer& answer);

  OwnedDescriptor peer_;
  std::vector<OwnedDescriptor> sockets_;
  std::vector<io::InheritedListener> listeners_;
  io::InheritedListener passage_;
  gateway::PassageToken token_{};
  OwnedDescriptor takeover_;
  std::vector<gateway::LentTicket> tickets_;
  std::string carried_;
  std::string conversations_;
  std::vector<OwnedDescriptor> before_;
};

}  // namespace leat::control
