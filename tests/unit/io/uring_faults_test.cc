// SPDX-License-Identifier: Apache-2.0
// Goal: a kernel that refuses, interrupts or cuts short what is submitted costs time, never bytes
// (F24): no operation is lost or done twice, shortfalls are still told in their turn.
// Method: faults between UringIo and the kernel's io_uring_enter(2); two-way transfers over
// loopback with a turn's send on every connection.
#include "enter_faults.h"
#include "uring_fixture.h"

namespace leat::io {
namespace {

class UringFaults : public UringTest {
 protected:
  void TearDown() override { enter_faults() = {}; }
};

INSTANTIATE_TEST_SUITE_P(Shapes, UringFaults, testing::ValuesIn(kShapes), shape_name);

// Sends a text in pieces of its own choice, as a connection of the gateway does: one send a turn,
// the rest of a shortfall by a block.
class Talker final : public SocketHandler {
 public:
  Talker(Io& io, std::string text) : io_(io), text_(std::move(text)) {}
  SocketId socket;
  std::string received;
  bool ended = false;
  bool connected = false;

  void flush(Rng& rng) {
    staged_ = 0;
    // Reads in fits and starts, so that the other side's sends fall short.
    if (rng.chance(0.2)) {
      reading_ = !reading_;
      if (reading_) io_.receive_start(socket);
      if (!reading_) io_.receive_stop(socket);
    }
    if (!connected || blocked_) return;
    if (at_ == text_.size()) {
      if (!std::exchange(finished_, true)) io_.shutdown_send(socket);
      return;
    }
    staged_ = std::min<std::size_t>(rng.below(200'000) + 2, text_.size() - at_);
    const std::size_t half = staged_ / 2;
    segments_ = {iovec{text_.data() + at_, half}, iovec{text_.data() + at_ + half, staged_ - half}};
    io_.send(socket, segments_);
    at_ += staged_;
  }
  void on_receive(std::span<char> bytes) override { received.append(bytes.data(), bytes.size()); }
  void on_receive_end(int error) override {
    EXPECT_EQ(error, 0);
    ended = true;
  }
  void on_receive_into(std::size_t, int) override {}
  void on_connect(int error) override {
    EXPECT_EQ(error, 0);
    connected = true;
  }
  void on_send_short(std::size_t sent, int error) override {
    EXPECT_EQ(error, EAGAIN);
    ASSERT_LT(sent, staged_) << "told after its turn";
    const std::size_t rest = std::exchange(staged_, 0) - sent;
    BlockRef block = Block::allocate(rest);
    text_.copy(block->data(), rest, at_ - rest);
    io_.send_block(socket, std::move(block), 0, rest);
    blocked_ = true;
  }
  void on_send_block(std::size_t, int error) override {
    EXPECT_EQ(error, 0);
    blocked_ = false;
  }

 private:
  Io& io_;
  std::string text_;
  std::size_t at_ = 0;
  std::size_t staged_ = 0;
  bool reading_ = true;
  bool blocked_ = false;
  bool finished_ = false;
  std::array<iovec, 2> segments_{};
};

TEST_P(UringFaults, CostTimeAndNoBytes) {
  constexpr std::size_t kPairs = 12;
  enter_faults() = {.refused = 200, .cut_short = 300, .interrupted = 100};
  std::vector<std::unique_ptr<Talker>> talkers;
  std::vector<std::string> texts;
  const auto add = [&] {
    texts.push_back(pattern(6'000'000, texts.size() + 1));
    return talkers.emplace_back(std::make_unique<Talker>(*io, texts.back())).get();
  };
  for (std::size_t i = 0; i < kPairs; ++i) {
    Talker* client = add();
    client->socket = *io->connect(io->listener_address(listener), *client);
    io->receive_start(client->socket);
    // One at a time, so that we know who meets whom.
    ASSERT_TRUE(run_until([&] { return acceptor.sockets.size() == i + 1; }));
    Talker* server = add();
    server->socket = acceptor.sockets.back();
    server->connected = true;
    const int small = 8 * 1024;
    setsockopt(descriptor_to(acceptor.peers.back()), SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    io->set_handler(server->socket, *server);
    io->receive_start(server->socket);
  }
  Rng rng(3);
  ASSERT_TRUE(run_until([&] {
    for (const auto& talker : talkers) talker->flush(rng);
    return std::all_of(talkers.begin(), talkers.end(), [](const auto& t) { return t->ended; });
  }));
  for (std::size_t i = 0; i < talkers.size(); ++i) {
    EXPECT_TRUE(talkers[i]->received == texts[i ^ 1]) << i;
  }
  EXPECT_GT(enter_faults().injected, 100U) << "the test did not bite";
  EXPECT_GT(io->stats().short_sends, 30U) << "the test did not bite";
}

// What handlers did while the kernel refused may be due at once: the deadline was agreed on before.
TEST_P(UringFaults, ARefusedTurnThatServedSomebodyDoesNotSleep) {
  enter_faults() = {};
  Recorder handler;
  const Pair one = pair(handler);
  io->receive_start(one.ours);
  io->turn({.deadline = io->now()});
  one.theirs.write("x");
  const iovec answer{const_cast<char*>("y"), 1};
  io->send(one.ours, {&answer, 1});
  enter_faults().refused_next = 2;
  const Instant before = io->now();
  io->turn({.deadline = before + seconds(20)});
  EXPECT_EQ(enter_faults().refused_next, 0U) << "the test did not bite";
  EXPECT_EQ(handler.received, "x");
  io->turn({.deadline = io->now()});
  EXPECT_LT(io->now(), before + seconds(10));
}

TEST_P(UringFaults, HangingUpStillFollowsTheBytes) {
  enter_faults() = {.refused = 200, .cut_short = 300, .interrupted = 100};
  for (int round = 0; round < 30; ++round) {
    std::vector<Recorder> handlers(6);
    std::vector<Pair> pairs;
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < handlers.size(); ++i) {
      pairs.push_back(pair(handlers[i]));
      io->receive_start(pairs[i].ours);
      texts.push_back("last words " + std::to_string(i));
    }
    for (std::size_t i = 0; i < handlers.size(); ++i) {
      const iovec one{texts[i].data(), texts[i].size()};
      io->send(pairs[i].ours, {&one, 1});
      io->close(pairs[i].ours);
    }
    for (std::size_t i = 0; i < handlers.size(); ++i) {
      EXPECT_EQ(read_all(pairs[i].theirs), texts[i]);
      EXPECT_TRUE(handlers[i].order.empty());
    }
  }
}

}  // namespace
}  // namespace leat::io
