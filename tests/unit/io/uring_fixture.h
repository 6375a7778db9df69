// SPDX-License-Identifier: Apache-2.0
// What the tests of UringIo share: an Io of a given shape, a listener on loopback, plain sockets of
// the kernel as the other side (so that what a peer sees is seen by a peer), and handlers that
// write down what they are told.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "io/ring.h"
#include "io/sockaddr.h"
#include "io/uring_io.h"

namespace leat::io {

inline Address local_address(int fd) {
  SocketAddress address;
  socklen_t length = sizeof address;
  getsockname(fd, &address.any, &length);
  return from_kernel(address);
}

// The descriptor in this process whose other end is `peer`.
inline int descriptor_to(const Address& peer) {
  for (int fd = 3; fd < 1024; ++fd) {
    SocketAddress address;
    socklen_t length = sizeof address;
    if (getpeername(fd, &address.any, &length) == 0 && from_kernel(address) == peer) return fd;
  }
  return -1;
}

// A descriptor of the other side.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd() { close(); }
  int get() const { return fd_; }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  // Resets the connection instead of ending it.
  void reset() {
    const linger hard{.l_onoff = 1, .l_linger = 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close();
  }
  void write(std::string_view bytes) const {
    ASSERT_EQ(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  // What is there now; appends to `into`. 0: FIN; -1: nothing yet (EAGAIN) or an error.
  ssize_t read(std::string& into, std::size_t most = 64 * 1024) const {
    std::vector<char> buffer(most);
    const ssize_t count = ::recv(fd_, buffer.data(), most, MSG_DONTWAIT);
    if (count > 0) into.append(buffer.data(), static_cast<std::size_t>(count));
    return count;
  }
  // Waits until there is something to read, or FIN, or an error.
  bool wait_readable(Duration limit) const {
    pollfd poll_fd{.fd = fd_, .events = POLLIN};
    return ::poll(&poll_fd, 1, static_cast<int>(limit.ms())) == 1;
  }

 private:
  int fd_ = -1;
};

struct Recorder final : SocketHandler {
  std::string received;
  int ends = 0;
  int end_error = -1;
  std::vector<std::pair<std::size_t, int>> into;
  std::vector<int> connects;
  std::vector<std::pair<std::size_t, int>> short_sends;
  std::vector<std::pair<std::size_t, int>> blocks;
  int gone = 0;
  std::unique_ptr<LooseSocket> loose;
  std::vector<char> order;         // one letter an event: r e i c s b g l
  std::function<void()> on_event;  // after each of them

  void on_receive(std::span<char> bytes) override {
    EXPECT_FALSE(bytes.empty());
    EXPECT_EQ(ends, 0) << "bytes after the end";
    received.append(bytes.data(), bytes.size());
    note('r');
  }
  void on_receive_end(int error) override {
    ++ends;
    end_error = error;
    note('e');
  }
  void on_receive_into(std::size_t count, int error) override {
    into.emplace_back(count, error);
    note('i');
  }
  void on_connect(int error) override {
    connects.push_back(error);
    note('c');
  }
  void on_send_short(std::size_t sent, int error) override {
    short_sends.emplace_back(sent, error);
    note('s');
  }
  void on_send_block(std::size_t sent, int error) override {
    blocks.emplace_back(sent, error);
    note('b');
  }
  void on_peer_gone() override {
    ++gone;
    note('g');
  }
  void on_released(std::unique_ptr<LooseSocket> socket) override {
    loose = std::move(socket);
    note('l');
  }

 private:
  void note(char event) {
    order.push_back(event);
    if (on_event) on_event();
  }
};

struct Acceptor final : AcceptHandler {
  std::vector<SocketId> sockets;
  std::vector<Address> peers;
  std::vector<int> ends;

  void on_accept(SocketId socket, const Address& peer) override {
    sockets.push_back(socket);
    peers.push_back(peer);
  }
  void on_accept_end(int error) override { ends.push_back(error); }
};

struct Shape {
  const char* name;
  UringOptions options;
};

inline const Shape kShapes[] = {
    {"Default", {}},
    {"Plain", {.buffers = UringOptions::Buffers::kPlain}},
    {"TinyIncremental",
     {.sq_entries = 4,
      .cq_entries = 8,
      .buffers = UringOptions::Buffers::kIncremental,
      .buffer_count = 4,
      .buffer_size = 2048}},
    {"TinyPlain",
     {.sq_entries = 4,
      .cq_entries = 8,
      .buffers = UringOptions::Buffers::kPlain,
      .buffer_count = 4,
      .buffer_size = 512}},
};

class UringTest : public testing::TestWithParam<Shape> {
 protected:
  void SetUp() override { open(GetParam().options); }
  void open(const UringOptions& options) {
    Result<std::unique_ptr<UringIo>> made = UringIo::create(options);
    if (!made && made.error().code == Code::kUnsupported) GTEST_SKIP() << made.error().what;
    ASSERT_TRUE(made) << made.error().what;
    io = std::move(*made);
    if (options.buffers == UringOptions::Buffers::kIncremental &&
        !io->capabilities().uses(Feature::kIncrementalBuffers)) {
      GTEST_SKIP() << io->capabilities()[Feature::kIncrementalBuffers].why;
    }
    Result<ListenerId> made_listener = io->listen(Address::v4(127, 0, 0, 1, 0), {});
    ASSERT_TRUE(made_listener) << made_listener.error().what;
    listener = *made_listener;
    io->accept_start(listener, acceptor);
    turn();
  }

  // Turns that do not wait.
  void turn() { io->turn({.deadline = io->now()}); }
  // Turns until `done`; false if that takes longer than any sane machine needs.
  bool run_until(const std::function<bool()>& done, Duration limit = seconds(20)) {
    const Instant end = read_monotonic_clock() + limit;
    while (!done()) {
      const Instant now = read_monotonic_clock();
      if (now >= end) return false;
      io->turn({.deadline = now + milliseconds(1)});
    }
    return true;
  }
  // A connection of a peer: its end, not accepted yet.
  Fd dial(int receive_bytes = 0) {
    Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_GE(fd.get(), 0);
    if (receive_bytes > 0) {
      setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
    }
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(io->listener_address(listener).port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&to), sizeof to), 0);
    return fd;
  }
  struct Pair {
    SocketId ours;
    Fd theirs;
  };
  Pair pair(SocketHandler& handler, int receive_bytes = 0) {
    const std::size_t before = acceptor.sockets.size();
    Fd theirs = dial(receive_bytes);
    EXPECT_TRUE(run_until([&] { return acceptor.sockets.size() > before; }));
    const SocketId ours = acceptor.sockets.back();
    io->set_handler(ours, handler);
    return {ours, std::move(theirs)};
  }
  // What the peer reads until FIN, turning meanwhile.
  std::string read_all(const Fd& theirs) {
    std::string bytes;
    bool ended = false;
    EXPECT_TRUE(run_until([&] {
      ssize_t count;
      while ((count = theirs.read(bytes)) > 0) {
      }
      ended = count == 0;
      return ended;
    }));
    return bytes;
  }

  Acceptor acceptor;
  ListenerId listener;
  std::unique_ptr<UringIo> io;  // gone before the handlers
};

// Bytes whose order and completeness show.
inline std::string pattern(std::size_t size, std::uint64_t seed = 1) {
  std::string bytes(size, '\0');
  std::uint64_t state = seed * 0x9e3779b97f4a7c15ULL;
  for (std::size_t i = 0; i < size; ++i) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    bytes[i] = static_cast<char>(state >> 56);
  }
  return bytes;
}

inline std::string shape_name(const testing::TestParamInfo<Shape>& info) {
  return info.param.name;
}

}  // namespace leat::io
