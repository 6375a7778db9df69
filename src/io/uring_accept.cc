// SPDX-License-Identifier: Apache-2.0
// Connecting, listening, accepting; and polling of descriptors that are not ours.
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

#include "io/steering.h"
#include "io/uring_io.h"

namespace leat::io {

namespace {

int family_of(const Address& address) {
  return address.is_v4 ? AF_INET : AF_INET6;
}

// What the kernel keeps of what it may not send yet. Left alone its buffers grow to megabytes for a
// peer that does not read, and that it does not is known only when they are full (engine.md 2.5).
constexpr int kUnsentBytesMax = 32 * 1024;

bool set_option(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof value) == 0;
}

// Of a listening socket, since those accepted on it inherit them: no connection pays for it.
bool set_inherited_options(int fd) {
  return set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1) &&
         set_option(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, kUnsentBytesMax);
}

Error socket_error(int error, const char* what) {
  const bool is_want = error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
  return {.code = is_want ? Code::kOverloaded : Code::kInvalid, .os_errno = error, .what = what};
}

Result<InheritedListener> open_listener(const Address& address, const ListenOptions& options) {
  const int fd = ::socket(family_of(address), SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return fail(socket_error(errno, "no socket to listen on"));
  SocketAddress local;
  socklen_t length = to_kernel(address, local);
  // V6ONLY, so that [::] and 0.0.0.0 can both be listened on.
  const bool is_set = set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1) &&
                      (!options.reuse_port || set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1)) &&
                      (address.is_v4 || set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1)) &&
                      set_inherited_options(fd);
  if (!is_set || ::bind(fd, &local.any, length) != 0 || ::listen(fd, options.backlog) != 0) {
    const Error error = socket_error(errno, "cannot listen on this address");
    ::close(fd);
    return fail(error);
  }
  length = sizeof local;
  getsockname(fd, &local.any, &length);
  return InheritedListener{.address = from_kernel(local), .fd = fd};
}

// accept(2): the connection died in the queue, or the network did. The next one may be well.
bool is_fault_of_one(int error) {
  return error == ECONNABORTED || error == EINTR || error == EAGAIN || error == EPROTO ||
         error == EHOSTUNREACH || error == ENETDOWN || error == ENETUNREACH;
}

}  // namespace

// ---- Connecting ----

Result<SocketId> UringIo::connect(const Address& address, SocketHandler& handler) {
  const int fd = ::socket(family_of(address), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return fail(socket_error(errno, "no socket for a connection"));
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  const std::uint32_t slot = open_socket(fd);
  Socket& socket = socket_at(slot);
  socket.handler = &handler;
  socket.is_connecting = true;
  ++socket.ops;
  SocketAddress& peer = addresses_.take();
  const socklen_t length = to_kernel(address, peer);
  io_uring_sqe* sqe = ring_.stage();
  io_uring_prep_connect(sqe, fd, &peer.any, length);
  sqe->user_data = encode({Op::kConnect, socket.generation, slot});
  return SocketId{slot, socket.generation};
}

void UringIo::on_connect_completion(std::uint32_t slot, int result) {
  Socket& socket = socket_at(slot);
  socket.is_connecting = false;
  queue_reconcile(slot);
  socket.handler->on_connect(-result);
}

// ---- Listening ----

Result<InheritedListener> InheritedListener::open(const Address& address) {
  return open_listener(address, ListenOptions{});
}

std::optional<InheritedListener> InheritedListener::of(int fd) {
  int is_listening = 0;
  socklen_t size = sizeof is_listening;
  if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &size) != 0 || is_listening == 0) {
    return std::nullopt;
  }
  SocketAddress local{};
  socklen_t length = sizeof local;
  if (getsockname(fd, &local.any, &length) != 0) return std::nullopt;
  if (local.any.sa_family != AF_INET && local.any.sa_family != AF_INET6) return std::nullopt;
  return InheritedListener{.address = from_kernel(local), .fd = fd};
}

Result<ListenerId> UringIo::take_over(const InheritedListener& inherited, int backlog) {
  const int fd = fcntl(inherited.fd, F_DUPFD_CLOEXEC, 0);
  if (fd < 0) return fail(socket_error(errno, "no descriptor to listen on"));
  set_inherited_options(fd);
  ::listen(fd, backlog);  // again: the backlog is ours to choose
  steer_group_of(fd);
  const ListenerId id = keep_listener(fd, inherited.address, {});
  listeners_[id.slot].is_inherited = true;
  return id;
}

Result<ListenerId> UringIo::listen(const Address& address, const ListenOptions& options) {
  for (const InheritedListener& inherited : inherited_) {
    if (inherited.address == address) return take_over(inherited, options.backlog);
  }
  LEAT_TRY(const InheritedListener opened, open_listener(address, options));
  steer_group_of(opened.fd);
  return keep_listener(opened.fd, opened.address, {});
}

// Each shard does it for all: the last to listen finds the group whole. Where nothing is to be
// steered, a process before us may have.
void UringIo::steer_group_of(int fd) {
  const int error = steer(fd, steering_);
  if (error != 0) steering_error_ = error;
}

ListenerId UringIo::keep_listener(int fd, const Address& address, LocalFile file) {
  auto free = std::find_if(listeners_.begin(), listeners_.end(),
                           [](const Listener& l) { return l.fd < 0; });
  if (free == listeners_.end()) free = listeners_.emplace(free);
  free->fd = fd;
  free->address = address;
  free->file = std::move(file);
  free->is_open = true;
  return ListenerId{static_cast<std::uint32_t>(free - listeners_.begin()), free->generation};
}

const UringIo::Listener* UringIo::find(ListenerId id) const {
  if (id.slot >= listeners_.size()) return nullptr;
  const Listener& listener = listeners_[id.slot];
  return listener.is_open && listener.generation == id.generation ? &listener : nullptr;
}

UringIo::Listener* UringIo::find(ListenerId id) {
  return const_cast<Listener*>(std::as_const(*this).find(id));
}

Address UringIo::listener_address(ListenerId id) const {
  const Listener* listener = find(id);
  return listener == nullptr ? Address{} : listener->address;
}

void UringIo::accept_start(ListenerId id, AcceptHandler& handler) {
  Listener* listener = find(id);
  if (listener == nullptr) return;
  listener->handler = &handler;
  listener->is_accepting = true;
  listener->is_finishing = false;
  if (!listener->is_armed) arm_accept(id.slot);
}

void UringIo::accept_stop(ListenerId id) {
  Listener* listener = find(id);
  if (listener == nullptr) return;
  listener->is_accepting = false;
  if (listener->is_armed && !std::exchange(listener->is_cancelling, true)) {
    stage_cancel({Op::kAccept, listener->generation, id.slot});
  }
}

void UringIo::accept_finish(ListenerId id) {
  Listener* listener = find(id);
  if (listener == nullptr) return;
  listener->is_finishing = true;
  accept_stop(id);
}

void UringIo::listener_close(ListenerId id) {
  Listener* listener = find(id);
  if (listener == nullptr) return;
  accept_stop(id);
  listener->is_open = false;
  remove(listener->file);
  // The armed accept holds the file: without this the port stays taken until the next turn. It
  // would end an inherited one for everybody.
  if (!listener->is_inherited) ::shutdown(listener->fd, SHUT_RDWR);
  release_if_idle(*listener);
}

void UringIo::release_if_idle(Listener& listener) {
  if (listener.is_open || listener.is_armed || listener.fd < 0) return;
  ::close(listener.fd);
  for (const int fd : listener.held) ::close(fd);
  listener = Listener{.generation = next_generation(listener.generation)};
}

// ---- Accepting ----

void UringIo::arm_accept(std::uint32_t slot) {
  Listener& listener = listeners_[slot];
  io_uring_sqe* sqe = ring_.stage();
  io_uring_prep_multishot_accept(sqe, listener.fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  sqe->user_data = encode({Op::kAccept, listener.generation, slot});
  listener.is_armed = true;
}

void UringIo::on_accept_completion(OpTag tag, const io_uring_cqe& completion) {
  Listener& listener = listeners_[tag.slot];
  const bool is_last = (completion.flags & IORING_CQE_F_MORE) == 0;
  if (is_last) listener.is_armed = listener.is_cancelling = false;
  if (completion.res >= 0) {
    if (listener.is_open && (listener.is_accepting || listener.is_finishing)) {
      hand_over(tag.slot, completion.res);
    } else {
      listener.held.push_back(completion.res);
    }
  } else if (is_last && listener.is_open && listener.is_accepting && completion.res != -ECANCELED &&
             !is_fault_of_one(-completion.res)) {
    listener.is_accepting = false;
    listener.handler->on_accept_end(-completion.res);
  }
  if (!is_last || listener.is_armed) return;
  if (!listener.is_open) {
    release_if_idle(listener);
  } else if (listener.is_accepting) {
    arm_accept(tag.slot);  // ended because the completion queue was full, or by a stop taken back
  }
}

void UringIo::hand_over(std::uint32_t slot, int fd) {
  SocketAddress peer;
  socklen_t length = sizeof peer;
  // A multishot accept cannot report it: its one place would be overwritten by the next connection.
  if (getpeername(fd, &peer.any, &length) != 0) {  // reset before we came to it
    ::close(fd);
    return;
  }
  const std::uint32_t socket = open_socket(fd);
  const std::uint32_t generation = socket_at(socket).generation;
  listeners_[slot].handler->on_accept({socket, generation}, from_kernel(peer));
}

bool UringIo::has_held() const {
  return std::any_of(listeners_.begin(), listeners_.end(), [](const Listener& listener) {
    return listener.is_accepting && !listener.held.empty();
  });
}

// Connections that came between accept_stop() and the kernel's hearing of it.
void UringIo::pump_held(std::uint32_t slot) {
  Listener& listener = listeners_[slot];
  while (listener.is_open && listener.is_accepting && !listener.held.empty()) {
    const int fd = listener.held.front();
    listener.held.erase(listener.held.begin());
    hand_over(slot, fd);
  }
}

// ---- Foreign descriptors ----

void UringIo::poll_start(int fd, unsigned events, PollHandler& handler) {
  auto free = std::find_if(polls_.begin(), polls_.end(),
                           [](const Poll& poll) { return !poll.is_wanted && !poll.is_armed; });
  if (free == polls_.end()) free = polls_.emplace(free);
  *free = {.handler = &handler,
           .fd = fd,
           .generation = next_generation(free->generation),
           .is_wanted = true,
           .is_armed = true};
  io_uring_sqe* sqe = ring_.stage();
  io_uring_prep_poll_add(sqe, fd, events);
  sqe->user_data =
      encode({Op::kPoll, free->generation, static_cast<std::uint32_t>(free - polls_.begin())});
}

void UringIo::poll_stop(int fd, PollHandler& handler) {
  for (std::uint32_t slot = 0; slot < polls_.size(); ++slot) {
    Poll& poll = polls_[slot];
    if (!poll.is_wanted || poll.fd != fd || poll.handler != &handler) continue;
    poll.is_wanted = false;
    stage_cancel({Op::kPoll, poll.generation, slot});
  }
}

void UringIo::on_poll_completion(OpTag tag, int result) {
  Poll& poll = polls_[tag.slot];
  poll.is_armed = false;
  if (std::exchange(poll.is_wanted, false)) poll.handler->on_poll(poll.fd, result);
}

}  // namespace leat::io
