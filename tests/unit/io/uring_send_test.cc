// SPDX-License-Identifier: Apache-2.0
// Goal: what send() was given is on the wire when turn() returns, or the caller was told in that
// turn how much is not; blocks go out whole; a half-close never overtakes bytes.
// Method: real sockets on loopback; a peer that reads late makes every send fall short.
#include <numeric>

#include "uring_fixture.h"

namespace leat::io {
namespace {

class UringSend : public UringTest {
 protected:
  static iovec segment(std::string& bytes) { return {bytes.data(), bytes.size()}; }
  void send(SocketId socket, std::string& bytes) {
    const iovec one = segment(bytes);
    io->send(socket, {&one, 1});
    turn();
  }
  static BlockRef block_of(std::string_view bytes) {
    BlockRef block = Block::allocate(bytes.size());
    bytes.copy(block->data(), bytes.size());
    return block;
  }
};

constexpr std::size_t kTooMuch = 16 * 1024 * 1024;  // more than a loopback socket buffers

INSTANTIATE_TEST_SUITE_P(Shapes, UringSend, testing::ValuesIn(kShapes), shape_name);

TEST_P(UringSend, BytesAreConsumedWhenTheTurnReturns) {
  Recorder handler;
  Pair pair = this->pair(handler);
  std::string bytes = "of the turn";
  send(pair.ours, bytes);
  bytes.assign(bytes.size(), 'x');
  std::string got;
  ASSERT_TRUE(pair.theirs.wait_readable(seconds(5)));
  pair.theirs.read(got);
  EXPECT_EQ(got, "of the turn");
  EXPECT_TRUE(handler.order.empty()) << "nothing to tell of a send that took everything";
}

TEST_P(UringSend, SegmentsGoOutInOrder) {
  Recorder handler;
  Pair pair = this->pair(handler);
  std::string a = "one ";
  std::string b = "two ";
  std::string c = "three";
  const iovec segments[] = {segment(a), segment(b), segment(c)};
  io->send(pair.ours, segments);
  io->close(pair.ours);
  EXPECT_EQ(read_all(pair.theirs), "one two three");
}

TEST_P(UringSend, AShortfallIsToldInTheSameTurn) {
  Recorder handler;
  Pair pair = this->pair(handler);
  std::string a = pattern(1000, 1);
  std::string b = pattern(kTooMuch, 2);
  const iovec segments[] = {segment(a), segment(b)};
  io->send(pair.ours, segments);
  EXPECT_TRUE(handler.order.empty());
  turn();
  ASSERT_EQ(handler.short_sends.size(), 1U);
  const auto [sent, error] = handler.short_sends[0];
  EXPECT_EQ(error, EAGAIN);
  EXPECT_GT(sent, 0U);
  EXPECT_LT(sent, a.size() + b.size());
  // What the peer's kernel takes meanwhile makes room for more. Full is when nothing is taken, and
  // that is said too.
  const std::string all = a + b;
  std::size_t gone = sent;
  while (handler.short_sends.back().first != 0) {
    std::string more = all.substr(gone, 64 * 1024);
    const std::size_t told = handler.short_sends.size();
    send(pair.ours, more);
    gone += handler.short_sends.size() == told ? more.size() : handler.short_sends.back().first;
    ASSERT_LT(gone, all.size());
  }
  EXPECT_EQ(handler.short_sends.back(), std::make_pair(std::size_t{0}, EAGAIN));
  const std::size_t told = handler.short_sends.size();
  io->send_block(pair.ours, block_of(std::string_view(all).substr(gone)), 0, all.size() - gone);
  std::string got;
  ASSERT_TRUE(run_until([&] {
    while (pair.theirs.read(got) > 0) {
    }
    return !handler.blocks.empty() && got.size() >= all.size();
  }));
  EXPECT_EQ(handler.blocks[0], std::make_pair(all.size() - gone, 0));
  EXPECT_TRUE(got == all);
  EXPECT_EQ(handler.short_sends.size(), told);
  EXPECT_EQ(io->stats().short_sends, told);
}

TEST_P(UringSend, AShortfallComesBeforeOtherEventsOfTheTurn) {
  Recorder handler;
  Pair pair = this->pair(handler);
  io->receive_start(pair.ours);
  turn();
  std::string bytes = pattern(kTooMuch);
  send(pair.ours, bytes);
  handler.order.clear();
  for (int i = 0; i < 10; ++i) {
    pair.theirs.write("news");
    send(pair.ours, bytes);
    ASSERT_TRUE(run_until([&] { return handler.order.size() >= 2; }));
    EXPECT_EQ(handler.order, (std::vector<char>{'s', 'r'}));
    handler.order.clear();
  }
}

// More of them than a small completion queue holds.
TEST_P(UringSend, ManyShortfallsAreAllToldInTheirTurn) {
  std::vector<Recorder> handlers(40);
  std::vector<Pair> pairs;
  const int small = 8 * 1024;
  for (Recorder& handler : handlers) {
    pairs.push_back(pair(handler, small));
    setsockopt(descriptor_to(acceptor.peers.back()), SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
  }
  std::string bytes = pattern(kTooMuch);
  const iovec one = segment(bytes);
  for (const Pair& pair : pairs) io->send(pair.ours, {&one, 1});
  turn();
  for (const Recorder& handler : handlers) EXPECT_EQ(handler.short_sends.size(), 1U);
}

TEST_P(UringSend, MoreSegmentsThanOneCallTakes) {
  Recorder handler;
  Pair pair = this->pair(handler);
  std::string bytes = pattern(3000);
  std::vector<iovec> segments;
  for (char& byte : bytes) segments.push_back({&byte, 1});
  io->send(pair.ours, segments);
  turn();
  ASSERT_EQ(handler.short_sends.size(), 1U);
  const std::size_t sent = handler.short_sends[0].first;
  EXPECT_GT(sent, 0U);
  io->send(pair.ours, std::span(segments).subspan(sent, 1024));
  io->close(pair.ours);
  EXPECT_EQ(read_all(pair.theirs), bytes.substr(0, sent + 1024));
}

TEST_P(UringSend, ToAPeerThatIsGone) {
  Recorder handler;
  Pair pair = this->pair(handler);
  pair.theirs.reset();
  std::string bytes = "anybody?";
  send(pair.ours, bytes);
  ASSERT_EQ(handler.short_sends.size(), 1U);
  EXPECT_EQ(handler.short_sends[0].first, 0U);
  EXPECT_TRUE(handler.short_sends[0].second == ECONNRESET ||
              handler.short_sends[0].second == EPIPE);
}

TEST_P(UringSend, ABlockWhosePeerGoesAwayEndsWithTheFault) {
  Recorder handler;
  Pair pair = this->pair(handler);
  io->send_block(pair.ours, Block::allocate(kTooMuch), 0, kTooMuch);
  turn();
  EXPECT_TRUE(handler.blocks.empty());
  pair.theirs.reset();
  ASSERT_TRUE(run_until([&] { return !handler.blocks.empty(); }));
  EXPECT_NE(handler.blocks[0].second, 0);
  EXPECT_LT(handler.blocks[0].first, kTooMuch);
}

TEST_P(UringSend, HalfCloseFollowsTheBytesOfTheTurn) {
  Recorder handler;
  Pair pair = this->pair(handler);
  io->receive_start(pair.ours);
  std::string bytes = "the last of it";
  const iovec one = segment(bytes);
  io->send(pair.ours, {&one, 1});
  io->shutdown_send(pair.ours);
  EXPECT_EQ(read_all(pair.theirs), "the last of it");
  // The other direction lives on.
  pair.theirs.write("an answer");
  ASSERT_TRUE(run_until([&] { return handler.received == "an answer"; }));
  EXPECT_EQ(handler.ends, 0);
}

TEST_P(UringSend, HalfCloseWaitsForTheRestOfAShortfall) {
  Recorder handler;
  Pair pair = this->pair(handler);
  std::string bytes = pattern(kTooMuch);
  const iovec one = segment(bytes);
  io->send(pair.ours, {&one, 1});
  io->shutdown_send(pair.ours);
  turn();
  ASSERT_EQ(handler.short_sends.size(), 1U);
  const std::size_t sent = handler.short_sends[0].first;
  const std::size_t rest = bytes.size() - sent;
  io->send_block(pair.ours, block_of(std::string_view(bytes).substr(sent)), 0, rest);
  EXPECT_TRUE(read_all(pair.theirs) == bytes);
  ASSERT_EQ(handler.blocks.size(), 1U);
  EXPECT_EQ(handler.blocks[0], std::make_pair(rest, 0));
}

TEST_P(UringSend, HalfCloseWithNothingToSendGoesOutAtOnce) {
  Recorder handler;
  Pair pair = this->pair(handler);
  io->receive_start(pair.ours);
  turn();
  io->shutdown_send(pair.ours);
  EXPECT_TRUE(pair.theirs.wait_readable(seconds(5))) << "before any turn";
  std::string none;
  EXPECT_EQ(pair.theirs.read(none), 0);
}

// Both ends on one ring, every send of a size that falls short sooner or later: the way the gateway
// sends, at 50 MB.
TEST_P(UringSend, FiftyMegabytesArriveInOrder) {
  const bool tiny = GetParam().options.buffer_count == 4;
  const std::string sent = pattern(tiny ? 10'000'000 : 50'000'000);
  Recorder client;
  Recorder server;
  const Result<SocketId> made = io->connect(io->listener_address(listener), client);
  ASSERT_TRUE(made);
  ASSERT_TRUE(run_until([&] { return !client.connects.empty() && !acceptor.sockets.empty(); }));
  ASSERT_EQ(client.connects[0], 0);
  const int small = 64 * 1024;
  setsockopt(descriptor_to(io->listener_address(listener)), SOL_SOCKET, SO_SNDBUF, &small,
             sizeof small);
  io->set_handler(acceptor.sockets[0], server);
  io->receive_start(acceptor.sockets[0]);
  std::size_t at = 0;
  std::size_t checked = 0;
  std::size_t blocks = 0;
  Rng rng(5);
  ASSERT_TRUE(run_until(
      [&] {
        EXPECT_EQ(sent.compare(checked, server.received.size(), server.received), 0);
        checked += server.received.size();
        server.received.clear();
        if (blocks > client.blocks.size()) return false;  // one at a time
        if (at == sent.size()) {
          if (server.ends == 0) io->shutdown_send(*made);
          return server.ends > 0;
        }
        const std::size_t size = std::min<std::size_t>(rng.below(1'000'000) + 1, sent.size() - at);
        std::vector<iovec> segments;
        for (std::size_t from = at; from < at + size; from += 50'000) {
          const std::size_t length = std::min<std::size_t>(50'000, at + size - from);
          segments.push_back({const_cast<char*>(sent.data()) + from, length});
        }
        const std::size_t shorts = client.short_sends.size();
        io->send(*made, segments);
        turn();
        std::size_t taken = size;
        if (client.short_sends.size() > shorts) {
          EXPECT_EQ(client.short_sends.size(), shorts + 1);
          EXPECT_EQ(client.short_sends.back().second, EAGAIN);
          taken = client.short_sends.back().first;
          const BlockRef rest = block_of(std::string_view(sent).substr(at + taken, size - taken));
          io->send_block(*made, rest, 0, size - taken);
          ++blocks;
        }
        at += size;
        return false;
      },
      seconds(60)));
  EXPECT_EQ(checked, sent.size());
  EXPECT_GT(client.short_sends.size(), 0U) << "the test did not bite";
  for (const auto& [size, error] : client.blocks) EXPECT_EQ(error, 0);
}

}  // namespace
}  // namespace leat::io
