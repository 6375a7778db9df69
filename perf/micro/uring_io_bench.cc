// SPDX-License-Identifier: Apache-2.0
// What a message costs through UringIo: one receive and one send, with the kernel's TCP work, over
// loopback. `streams` connections pass a 250-byte ball (the size of a streamed event) to and fro,
// so the larger figure shows what batching a turn saves. The plain system calls beside it are the
// same work without a ring: the difference is UringIo's own. Items are messages.
//
// Loopback charges the receiver's TCP work to the sender: compare, do not quote.
#include <arpa/inet.h>
#include <benchmark/benchmark.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "io/uring_io.h"

namespace leat::io {
namespace {

constexpr std::size_t kBallBytes = 250;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "uring_io_bench: %s\n", what);
  std::exit(1);
}

// Sends back what it gets: like a connection of the gateway, once a turn.
class Player final : public SocketHandler {
 public:
  Player(Io& io, std::vector<Player*>& to_send) : io_(io), to_send_(to_send) {}
  SocketId socket;

  void serve(std::string_view ball) { take(ball); }
  // Before the turn. Returns false for a part of a ball, whose rest is to come.
  bool hit() {
    if (filled_ < kBallBytes) return false;
    require(filled_ == kBallBytes, "the ball grew");
    segment_ = {memory_.data(), filled_};
    io_.send(socket, {&segment_, 1});
    filled_ = 0;
    return true;
  }
  // What was in hand last.
  std::string_view ball() const { return {memory_.data(), kBallBytes}; }

  void on_receive(std::span<char> bytes) override { take({bytes.data(), bytes.size()}); }
  void on_receive_end(int) override { require(false, "a player left"); }
  void on_receive_into(std::size_t, int) override {}
  void on_connect(int error) override { require(error == 0, "cannot connect"); }
  void on_send_short(std::size_t, int) override { require(false, "a short send"); }
  void on_send_block(std::size_t, int) override {}

 private:
  void take(std::string_view bytes) {
    require(filled_ + bytes.size() <= memory_.size(), "the ball grew");
    bytes.copy(memory_.data() + filled_, bytes.size());
    filled_ += bytes.size();
    to_send_.push_back(this);
  }
  Io& io_;
  std::vector<Player*>& to_send_;
  std::array<char, 1024> memory_{};
  std::size_t filled_ = 0;
  iovec segment_{};
};

class Court final : public AcceptHandler {
 public:
  Court(std::size_t streams, const UringOptions& options) {
    auto made = UringIo::create(options);
    require(made.has_value(), "no io_uring here");
    io_ = std::move(*made);
    const auto listener = io_->listen(Address::v4(127, 0, 0, 1, 0), {});
    require(listener.has_value(), "cannot listen");
    io_->accept_start(*listener, *this);
    for (std::size_t i = 0; i < streams; ++i) {
      Player& player = add();
      const auto socket = io_->connect(io_->listener_address(*listener), player);
      require(socket.has_value(), "no descriptor");
      player.socket = *socket;
    }
    while (players_.size() < 2 * streams) io_->turn({});
    io_->turn({.deadline = io_->now()});
    ball_.assign(kBallBytes, 'b');
    for (auto& player : players_) io_->receive_start(player->socket);
    for (std::size_t i = 0; i < streams; ++i) players_[i]->serve(ball_);
  }
  void on_accept(SocketId socket, const Address&) override {
    Player& player = add();
    player.socket = socket;
    io_->set_handler(socket, player);
  }
  void on_accept_end(int) override { require(false, "accepting ended"); }

  void turn() {
    for (Player* player : to_send_) messages_ += player->hit() ? 1 : 0;
    to_send_.clear();
    io_->turn({});
  }
  std::uint64_t messages() const { return messages_; }
  // The reference: after many passes each player holds the very ball that was served.
  void check() const {
    for (const auto& player : players_) require(player->ball() == ball_, "a ball was damaged");
  }

 private:
  Player& add() { return *players_.emplace_back(std::make_unique<Player>(*io_, to_send_)); }
  std::uint64_t messages_ = 0;
  std::string ball_;
  std::vector<Player*> to_send_;
  std::vector<std::unique_ptr<Player>> players_;
  std::unique_ptr<UringIo> io_;  // gone before the players
};

void play(benchmark::State& state, const UringOptions& options) {
  Court court(static_cast<std::size_t>(state.range(0)), options);
  for (int i = 0; i < 100; ++i) court.turn();
  court.check();
  const std::uint64_t before = court.messages();
  for (auto _ : state) court.turn();
  state.SetItemsProcessed(static_cast<std::int64_t>(court.messages() - before));
}

void BM_UringPingPong(benchmark::State& state) {
  play(state, {});
}
BENCHMARK(BM_UringPingPong)->ArgName("streams")->Arg(1)->Arg(64)->Arg(400);

void BM_UringPingPongPlainBuffers(benchmark::State& state) {
  play(state, {.buffers = UringOptions::Buffers::kPlain});
}
BENCHMARK(BM_UringPingPongPlainBuffers)->ArgName("streams")->Arg(64);

// The same messages by recv(2) and send(2) on sockets known to be readable.
void BM_PlainCalls(benchmark::State& state) {
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof at;
  require(::bind(listener, reinterpret_cast<sockaddr*>(&at), sizeof at) == 0 &&
              ::listen(listener, 1024) == 0 &&
              ::getsockname(listener, reinterpret_cast<sockaddr*>(&at), &length) == 0,
          "cannot listen");
  std::vector<std::array<int, 2>> pairs(static_cast<std::size_t>(state.range(0)));
  const int one = 1;
  for (auto& pair : pairs) {
    pair[0] = ::socket(AF_INET, SOCK_STREAM, 0);
    require(::connect(pair[0], reinterpret_cast<sockaddr*>(&at), sizeof at) == 0, "cannot connect");
    pair[1] = ::accept(listener, nullptr, nullptr);
    for (const int fd : pair) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  }
  std::array<char, kBallBytes> ball{};
  std::int64_t messages = 0;
  for (auto _ : state) {
    for (auto& pair : pairs) {
      ::send(pair[0], ball.data(), ball.size(), MSG_NOSIGNAL);
      require(::recv(pair[1], ball.data(), ball.size(), 0) == kBallBytes, "a ball was damaged");
      ++messages;
    }
  }
  state.SetItemsProcessed(messages);
  for (auto& pair : pairs) {
    for (const int fd : pair) ::close(fd);
  }
  ::close(listener);
}
BENCHMARK(BM_PlainCalls)->ArgName("streams")->Arg(64);

}  // namespace
}  // namespace leat::io

BENCHMARK_MAIN();
