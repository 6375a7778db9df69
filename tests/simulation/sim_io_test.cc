// SPDX-License-Identifier: Apache-2.0
// Goal: SimIo keeps every promise of io/io.h, so that a shard that is right over SimIo is right
// over the ring; and it notices a caller that breaks the other side of the contract. Method: two
// SimIos of one world talk to each other, each scenario under many seeds with the kernel's and the
// network's harmless faults on; what must hold is what io.h says, nothing about timing.
#include "simulation/sim_io.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <functional>
#include <set>
#include <string>
#include <vector>

namespace leat::sim {
namespace {

constexpr std::uint64_t kSeeds = 60;

// Notes what it hears; a test that wants to react sets the functions.
class Recorder final : public io::SocketHandler {
 public:
  std::string received;
  int ends = 0;
  int end_error = -1;
  int connects = 0;
  int connect_error = -1;
  int intos = 0;
  std::size_t into_count = 0;
  int into_error = -1;
  int blocks_sent = 0;
  std::size_t block_sent = 0;
  int block_error = -1;
  std::unique_ptr<io::LooseSocket> loose;
  int releases = 0;
  std::function<void()> when_received;
  std::function<void()> when_connected;
  std::function<void()> when_into;
  std::function<void(std::size_t, int)> when_short;

  void on_receive(std::span<char> bytes) override {
    EXPECT_FALSE(bytes.empty());
    EXPECT_EQ(ends, 0) << "bytes after the end";
    received.append(bytes.data(), bytes.size());
    if (when_received) when_received();
  }
  void on_receive_end(int error) override {
    ++ends;
    end_error = error;
  }
  void on_released(std::unique_ptr<io::LooseSocket> socket) override {
    ++releases;
    loose = std::move(socket);
  }
  void on_receive_into(std::size_t count, int error) override {
    ++intos;
    into_count = count;
    into_error = error;
    if (when_into) when_into();
  }
  void on_connect(int error) override {
    ++connects;
    connect_error = error;
    if (when_connected) when_connected();
  }
  void on_send_short(std::size_t sent, int error) override {
    if (when_short) when_short(sent, error);
  }
  void on_send_block(std::size_t sent, int error) override {
    ++blocks_sent;
    block_sent = sent;
    block_error = error;
  }
};

// Two shards, one of which listens; `client` and `server` are the two ends of one connection once
// connect() has returned.
class Pair final : public io::AcceptHandler {
 public:
  explicit Pair(std::uint64_t seed, const FaultPlan& faults = FaultPlan())
      : world(seed, faults),
        near(world, io::Address::v4(10, 0, 0, 1, 0)),
        far(world, io::Address::v4(10, 0, 0, 2, 0)) {
    for (SimIo* io : {&near, &far}) {
      io->set_run_turn([io] { io->turn({}); });
      io->start();
    }
  }
  ~Pair() { EXPECT_TRUE(world.violations().empty()) << world.violations().front(); }

  void listen() {
    auto result = far.listen(io::Address::v4(10, 0, 0, 2, 80), {});
    ASSERT_TRUE(result.has_value());
    listener = *result;
    far.accept_start(listener, *this);
  }
  void connect() {
    listen();
    auto result = near.connect(far.listener_address(listener), client);
    ASSERT_TRUE(result.has_value());
    client_id = *result;
    run(seconds(1));
    ASSERT_EQ(client.connects, 1);
    ASSERT_EQ(client.connect_error, 0);
    ASSERT_TRUE(static_cast<bool>(server_id));
  }
  void run(Duration time) { world.run_until(world.now() + time); }

  // Sends all of `text`, the rest of a short send by send_block(), as net does.
  void send_all(SimIo& io, io::SocketId id, Recorder& handler, std::string text_to_send) {
    Sent& sent = sent_.emplace_back();
    sent.text = std::move(text_to_send);
    const std::string& text = sent.text;
    handler.when_short = [&io, id, &text](std::size_t count, int error) {
      ASSERT_EQ(error, EAGAIN);
      BlockRef block = Block::allocate(text.size());
      text.copy(block->data(), text.size());
      io.send_block(id, block, count, text.size() - count);
    };
    const std::size_t half = text.size() / 2;
    sent.segments[0] = {sent.text.data(), half};
    sent.segments[1] = {sent.text.data() + half, text.size() - half};
    io.send(id, sent.segments);
  }
  std::string& last_sent() { return sent_.back().text; }

  World world;
  SimIo near;
  SimIo far;
  Recorder client;
  Recorder server;
  io::ListenerId listener;
  io::SocketId client_id;
  io::SocketId server_id;
  int accepts = 0;
  int accept_ends = 0;

 private:
  struct Sent {
    std::string text;
    iovec segments[2];
  };
  std::deque<Sent> sent_;  // until the world ends, so that every turn finds it

  void on_accept(io::SocketId socket, const io::Address& peer) override {
    ++accepts;
    EXPECT_EQ(peer.ip, io::Address::v4(10, 0, 0, 1, 0).ip);
    server_id = socket;
    far.set_handler(socket, server);
  }
  void on_accept_end(int) override { ++accept_ends; }
};

std::string text_of(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + (i * 7 + i / 26) % 26);
  return text;
}

FaultPlan rough() {
  FaultPlan plan;
  plan.set(Fault::kShortSend, 0.5);
  plan.set(Fault::kNoBuffers, 0.3);
  plan.set(Fault::kSlowTurn, 0.1);
  plan.set(Fault::kTinyBuffers, 0.5);
  return plan;
}

TEST(SimIo, BytesArriveWholeAndInOrder) {
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    Pair pair(seed, rough());
    pair.connect();
    const std::string text = text_of(100'000);
    pair.far.receive_start(pair.server_id);
    pair.send_all(pair.near, pair.client_id, pair.client, text);
    pair.run(seconds(20));
    ASSERT_TRUE(pair.server.received == text) << "seed " << seed;
  }
}

TEST(SimIo, ASendFallsShortOnlyWithTheRestStillValid) {
  std::uint64_t short_sends = 0;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    Pair pair(seed, rough());
    pair.connect();
    pair.send_all(pair.near, pair.client_id, pair.client, text_of(8'000));
    pair.run(seconds(1));
    short_sends += pair.near.stats().short_sends;
  }
  EXPECT_GT(short_sends, kSeeds / 4);
}

TEST(SimIo, AStoppedReceiveKeepsBytesAndHidesTheEnd) {
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    Pair pair(seed);
    pair.connect();
    const std::string text = text_of(500);
    pair.server.when_received = [&pair] { pair.far.receive_stop(pair.server_id); };
    pair.far.receive_start(pair.server_id);
    pair.send_all(pair.near, pair.client_id, pair.client, text);
    pair.near.shutdown_send(pair.client_id);
    pair.run(seconds(1));
    EXPECT_EQ(pair.server.ends, 0);
    const std::size_t before = pair.server.received.size();
    EXPECT_GT(before, 0u);
    pair.server.when_received = nullptr;
    pair.far.receive_start(pair.server_id);
    EXPECT_EQ(pair.server.received.size(), before) << "delivered outside turn()";
    pair.run(seconds(1));
    EXPECT_TRUE(pair.server.received == text);
    EXPECT_EQ(pair.server.ends, 1);
    EXPECT_EQ(pair.server.end_error, 0);
  }
}

// Bytes and the end are where the connection is: kept where anything came first, else at who
// adopts.
TEST(SimIo, AReleasedConnectionLosesNothing) {
  int moved = 0;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    Pair pair(seed, rough());
    pair.connect();
    Recorder after;
    pair.far.receive_start(pair.server_id);
    pair.far.release(pair.server_id);
    const std::string text = text_of(5'000);
    if (seed % 2 == 0) pair.send_all(pair.near, pair.client_id, pair.client, text);
    pair.run(milliseconds(static_cast<std::int64_t>(seed % 8)));
    SimIo& other = pair.near;
    if (pair.server.loose != nullptr) {
      ++moved;
      ASSERT_EQ(pair.server.received, "");
      pair.far.close(pair.server_id);  // its name is dead
      other.receive_start(other.adopt(std::move(pair.server.loose), after));
    }
    if (seed % 2 == 1) pair.send_all(pair.near, pair.client_id, pair.client, text);
    pair.run(seconds(2));
    if (pair.server.loose != nullptr) {
      other.receive_start(other.adopt(std::move(pair.server.loose), after));
    }
    pair.run(seconds(20));
    ASSERT_EQ(pair.server.releases, 1);
    ASSERT_TRUE(pair.server.received + after.received == text) << "seed " << seed;
    ASSERT_TRUE(pair.server.received.empty() || after.received.empty());
  }
  EXPECT_GT(moved, 0);
}

TEST(SimIo, ReceivesIntoTheBlockInOrderAndOncePerCall) {
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    Pair pair(seed, rough());
    pair.connect();
    const std::string text = text_of(30'000);
    BlockRef block = Block::allocate(text.size());
    std::size_t filled = 0;
    pair.server.when_into = [&] {
      filled += pair.server.into_count;
      if (filled == text.size()) return;
      pair.far.receive_into(pair.server_id, block, filled, text.size() - filled);
    };
    // The first bytes come by on_receive(), as with a body whose beginning came with its head.
    pair.server.when_received = [&] {
      filled = pair.server.received.copy(block->data(), text.size());
      if (filled == text.size()) return;
      pair.far.receive_into(pair.server_id, block, filled, text.size() - filled);
    };
    pair.far.receive_start(pair.server_id);
    pair.send_all(pair.near, pair.client_id, pair.client, text);
    pair.run(seconds(20));
    ASSERT_EQ(filled, text.size()) << "seed " << seed;
    EXPECT_EQ(std::string_view(block->data(), filled), text);
  }
}

TEST(SimIo, ReceiveIntoReportsTheEnd) {
  Pair pair(1);
  pair.connect();
  pair.far.receive_into(pair.server_id, Block::allocate(10), 0, 10);
  pair.near.close(pair.client_id);
  pair.run(seconds(1));
  EXPECT_EQ(pair.server.intos, 1);
  EXPECT_EQ(pair.server.into_count, 0u);
  EXPECT_EQ(pair.server.into_error, 0);
}

TEST(SimIo, CloseSendsTheBytesOfThisTurnThenHangsUp) {
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    Pair pair(seed);
    pair.connect();
    const std::string text = text_of(300);
    pair.far.receive_start(pair.server_id);
    pair.send_all(pair.near, pair.client_id, pair.client, text);
    pair.near.close(pair.client_id);
    pair.run(seconds(1));
    EXPECT_TRUE(pair.server.received == text);
    EXPECT_EQ(pair.server.ends, 1);
    EXPECT_EQ(pair.near.stats().sockets_open, 0u);
  }
}

TEST(SimIo, ACloseWithUnreadBytesResetsThePeer) {
  Pair pair(3);
  pair.connect();
  pair.far.receive_start(pair.server_id);
  pair.send_all(pair.far, pair.server_id, pair.server, "unread");
  pair.run(seconds(1));
  pair.near.close(pair.client_id);
  pair.run(seconds(1));
  EXPECT_EQ(pair.server.ends, 1);
  EXPECT_EQ(pair.server.end_error, ECONNRESET);
}

TEST(SimIo, ADeadNameDoesNothingEvenWhenItsSlotLivesAgain) {
  Pair pair(4);
  pair.connect();
  const io::SocketId dead = pair.client_id;
  pair.near.close(dead);
  Recorder second;
  auto again = pair.near.connect(pair.far.listener_address(pair.listener), second);
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->slot, dead.slot);
  EXPECT_NE(again->generation, dead.generation);
  pair.run(seconds(1));
  pair.near.receive_start(dead);
  pair.near.shutdown_send(dead);
  pair.near.set_handler(dead, pair.client);
  pair.near.close(dead);
  pair.far.receive_start(pair.server_id);
  pair.send_all(pair.near, *again, second, "alive");
  pair.run(seconds(1));
  EXPECT_EQ(pair.server.received, "alive");
  EXPECT_EQ(pair.near.stats().sockets_open, 1u);
}

TEST(SimIo, NoHandlerIsCalledAfterClose) {
  std::uint64_t late = 0;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    Pair pair(seed);
    pair.connect();
    pair.far.receive_start(pair.server_id);
    pair.server.when_received = [&pair] {
      pair.far.close(pair.server_id);
      pair.server.when_received = [] { ADD_FAILURE() << "called after close()"; };
    };
    pair.send_all(pair.near, pair.client_id, pair.client, text_of(5'000));
    pair.near.close(pair.client_id);
    pair.run(seconds(1));
    EXPECT_EQ(pair.server.ends, 0);
    late += pair.far.stats().late_completions;
  }
  EXPECT_GT(late, 0u);
}

TEST(SimIo, SendBlockWaitsForRoomAndTellsHowMuchWentOut) {
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    FaultPlan plan;
    plan.set(Fault::kTinyBuffers, 1);
    Pair pair(seed, plan);
    pair.connect();
    const std::string text = text_of(20'000);
    BlockRef block = Block::allocate(text.size());
    text.copy(block->data(), text.size());
    pair.near.send_block(pair.client_id, block, 0, text.size());
    block.reset();
    pair.run(seconds(5));
    EXPECT_EQ(pair.client.blocks_sent, 0) << "nobody reads yet";
    pair.far.receive_start(pair.server_id);
    pair.run(seconds(20));
    EXPECT_EQ(pair.client.blocks_sent, 1);
    EXPECT_EQ(pair.client.block_sent, text.size());
    EXPECT_EQ(pair.client.block_error, 0);
    EXPECT_TRUE(pair.server.received == text);
  }
}

TEST(SimIo, AResetEndsABlockUnderWay) {
  FaultPlan plan;
  plan.set(Fault::kTinyBuffers, 1);
  Pair pair(5, plan);
  pair.connect();
  pair.near.send_block(pair.client_id, Block::allocate(100'000), 0, 100'000);
  pair.run(seconds(1));
  pair.far.close(pair.server_id);
  pair.run(seconds(1));
  EXPECT_EQ(pair.client.blocks_sent, 1);
  EXPECT_EQ(pair.client.block_error, ECONNRESET);
  EXPECT_LT(pair.client.block_sent, 100'000u);
}

TEST(SimIo, ConnectIsRefusedWhereNobodyListensAndTimesOutInTheVoid) {
  Pair refused(6);
  ASSERT_TRUE(refused.near.connect(io::Address::v4(10, 9, 9, 9, 1), refused.client).has_value());
  refused.run(seconds(1));
  EXPECT_EQ(refused.client.connects, 1);
  EXPECT_EQ(refused.client.connect_error, ECONNREFUSED);

  FaultPlan plan;
  plan.set(Fault::kConnectBlackholed, 1);
  Pair lost(6, plan);
  lost.listen();
  ASSERT_TRUE(lost.near.connect(lost.far.listener_address(lost.listener), lost.client).has_value());
  lost.run(seconds(100));
  EXPECT_EQ(lost.client.connects, 0);
  lost.run(seconds(100));
  EXPECT_EQ(lost.client.connect_error, ETIMEDOUT);
}

TEST(SimIo, AcceptingStopsAtEmfileAndGoesOnWhenStartedAgain) {
  FaultPlan plan;
  plan.set(Fault::kAcceptEmfile, 1);
  Pair pair(7, plan);
  pair.listen();
  auto id = pair.near.connect(pair.far.listener_address(pair.listener), pair.client);
  ASSERT_TRUE(id.has_value());
  pair.run(seconds(1));
  EXPECT_EQ(pair.accept_ends, 1);
  const std::uint64_t turns = pair.far.stats().turns;
  pair.run(seconds(10));
  EXPECT_EQ(pair.far.stats().turns, turns) << "it spins";
  pair.world.calm();
  pair.far.accept_start(pair.listener, pair);
  pair.run(seconds(1));
  EXPECT_EQ(pair.accepts, 1);
}

TEST(SimIo, AnAddressIsSharedOnlyByThoseWhoAgree) {
  Pair pair(8);
  pair.listen();
  const io::Address address = pair.far.listener_address(pair.listener);
  EXPECT_TRUE(pair.near.listen(address, {.reuse_port = true}).has_value());
  EXPECT_FALSE(pair.near.listen(address, {.reuse_port = false}).has_value());
}

TEST(SimIo, SleepsUntilTheDeadlineAndHoldsTheClockBetweenTurns) {
  World world(9, FaultPlan());
  SimIo io(world, io::Address::v4(10, 0, 0, 1, 0));
  const Instant deadline = world.now() + milliseconds(70);
  std::vector<Instant> turns;
  io.set_run_turn([&] {
    const Instant before = io.now();
    EXPECT_TRUE(turns.empty() || before == turns.back());
    io.turn({.deadline = turns.size() < 2 ? deadline : kNever});
    turns.push_back(io.now());
  });
  io.start();
  world.run_until(world.now() + seconds(10));
  ASSERT_GE(turns.size(), 2u);
  ASSERT_LE(turns.size(), 4u);
  EXPECT_EQ(turns[1], deadline);
}

TEST(SimIo, WakeEndsASleep) {
  World world(10, FaultPlan());
  SimIo io(world, io::Address::v4(10, 0, 0, 1, 0));
  int turns = 0;
  io.set_run_turn([&] {
    io.turn({});
    ++turns;
  });
  io.start();
  world.run_until(world.now() + seconds(1));
  const int before = turns;
  io.waker().wake();
  world.run_until(world.now() + seconds(1));
  EXPECT_GT(turns, before);
}

class PollRecorder final : public io::PollHandler {
 public:
  int calls = 0;
  int events = 0;
  void on_poll(int, int seen) override {
    ++calls;
    events = seen;
  }
};

TEST(SimIo, PollsOnceForEachStart) {
  World world(11, FaultPlan());
  SimIo io(world, io::Address::v4(10, 0, 0, 1, 0));
  io.set_run_turn([&] { io.turn({}); });
  io.start();
  PollRecorder poll;
  io.poll_start(5, 1, poll);
  io.set_ready(5, 1);
  io.set_ready(5, 1);
  world.run_until(world.now() + seconds(1));
  EXPECT_EQ(poll.calls, 1);
  EXPECT_EQ(poll.events, 1);
  io.poll_start(5, 1, poll);
  io.set_ready(5, 1);
  io.poll_stop(5, poll);
  world.run_until(world.now() + seconds(1));
  EXPECT_EQ(poll.calls, 1);
}

// ---- The caller's side -------------------------------------------------------------------------

// Runs `misuse` on a fresh connection and says what the world calls it.
std::string broken_rule(const std::function<void(Pair&)>& misuse) {
  World* world = nullptr;
  std::string rule;
  {
    auto pair = std::make_unique<Pair>(12);
    pair->connect();
    world = &pair->world;
    misuse(*pair);
    pair->run(seconds(1));
    if (!world->violations().empty()) rule = world->violations().front();
    world->forget_violations();
  }
  return rule;
}

TEST(SimIo, NoticesTwoSendsAtATime) {
  EXPECT_NE(broken_rule([](Pair& pair) {
              pair.send_all(pair.near, pair.client_id, pair.client, "one");
              pair.send_all(pair.near, pair.client_id, pair.client, "two");
            }),
            "");
  EXPECT_NE(broken_rule([](Pair& pair) {
              pair.near.send_block(pair.client_id, Block::allocate(8), 0, 8);
              pair.send_all(pair.near, pair.client_id, pair.client, "two");
            }),
            "");
}

TEST(SimIo, NoticesBytesThatChangeBeforeTheyAreSent) {
  EXPECT_NE(broken_rule([](Pair& pair) {
              pair.send_all(pair.near, pair.client_id, pair.client, "these bytes");
              pair.last_sent()[0] = 'T';
            }),
            "");
}

TEST(SimIo, NoticesUseBeforeTheConnectionIsThere) {
  EXPECT_NE(broken_rule([](Pair& pair) {
              Recorder other;
              auto id = pair.near.connect(io::Address::v4(10, 0, 0, 2, 80), other);
              pair.near.receive_start(*id);
              pair.near.close(*id);
            }),
            "");
}

TEST(SimIo, NoticesTwoReceivesIntoAtATime) {
  EXPECT_NE(broken_rule([](Pair& pair) {
              pair.near.receive_into(pair.client_id, Block::allocate(8), 0, 8);
              pair.near.receive_into(pair.client_id, Block::allocate(8), 0, 8);
            }),
            "");
}

// ---- Files -------------------------------------------------------------------------------------

constexpr std::size_t kUnit = 4096;

class Writer final : public io::FileHandler {
 public:
  explicit Writer(std::size_t units) : block(Block::allocate((units + 1) * kUnit)) {
    offset = (kUnit - reinterpret_cast<std::uintptr_t>(block->data()) % kUnit) % kUnit;
    std::fill_n(block->data(), (units + 1) * kUnit, 'w');
  }
  void on_written(int error) override { errors.push_back(error); }
  BlockRef block;
  std::size_t offset = 0;
  std::vector<int> errors;
};

TEST(SimIo, AWriteIsInItsFileOnceItIsReported) {
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    Pair pair(seed);
    const int file = pair.world.disk().create(4 * kUnit);
    Writer writer(2);
    pair.near.write_durable(file, writer.block, writer.offset, 2 * kUnit, kUnit, writer);
    while (writer.errors.empty()) ASSERT_TRUE(pair.world.run_next());
    EXPECT_EQ(writer.errors, std::vector<int>{0});
    EXPECT_EQ(pair.world.disk().bytes(file),
              std::string(kUnit, '\0') + std::string(2 * kUnit, 'w') + std::string(kUnit, '\0'));
    // Beyond the end, and to no file.
    pair.near.write_durable(file, writer.block, writer.offset, 2 * kUnit, 3 * kUnit, writer);
    pair.near.write_durable(7, writer.block, writer.offset, kUnit, 0, writer);
    pair.run(seconds(1));
    std::sort(writer.errors.begin(), writer.errors.end());
    EXPECT_EQ(writer.errors, (std::vector<int>{0, EBADF, ENOSPC}));
  }
}

// Over many seeds: nothing, everything and something; always whole sectors.
TEST(SimIo, ACrashLeavesAnySectorsOfAWriteUnderWay) {
  std::set<std::size_t> counts;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    Pair pair(seed);
    const int file = pair.world.disk().create(kUnit);
    Writer writer(1);
    pair.near.write_durable(file, writer.block, writer.offset, kUnit, 0, writer);
    pair.run(microseconds(200));
    if (pair.world.disk().writes_ended() > 0) continue;
    pair.world.disk().crash();
    pair.run(seconds(1));
    EXPECT_TRUE(writer.errors.empty()) << "nobody is left to hear of it";
    const std::string& bytes = pair.world.disk().bytes(file);
    std::size_t written = 0;
    for (std::size_t at = 0; at < kUnit; at += 512) {
      const auto count = std::count(bytes.data() + at, bytes.data() + at + 512, 'w');
      ASSERT_TRUE(count == 0 || count == 512);
      if (count == 512) ++written;
    }
    counts.insert(written);
  }
  EXPECT_GE(counts.size(), 5u);
}

TEST(SimIo, WhoForgetsItsWritesHearsNothing) {
  Pair pair(1);
  const int file = pair.world.disk().create(kUnit);
  Writer writer(1);
  pair.near.write_durable(file, writer.block, writer.offset, kUnit, 0, writer);
  pair.near.forget(writer);
  pair.run(seconds(1));
  EXPECT_TRUE(writer.errors.empty());
  EXPECT_EQ(pair.world.disk().bytes(file), std::string(kUnit, 'w'));
}

TEST(SimIo, NoticesWritesThatADirectFileRefusesAndBytesThatChange) {
  const auto rule = [](std::size_t shift, std::size_t size, std::uint64_t position, bool changes) {
    return broken_rule([&](Pair& pair) {
      const int file = pair.world.disk().create(4 * kUnit);
      Writer writer(2);
      pair.near.write_durable(file, writer.block, writer.offset + shift, size, position, writer);
      pair.run(microseconds(50));
      if (changes) writer.block->data()[writer.offset] = 'x';
      pair.run(seconds(1));
      pair.near.forget(writer);
    });
  };
  EXPECT_EQ(rule(0, kUnit, kUnit, false), "");
  EXPECT_NE(rule(512, kUnit, 0, false), "");
  EXPECT_NE(rule(0, 512, 0, false), "");
  EXPECT_NE(rule(0, kUnit, 512, false), "");
  EXPECT_NE(rule(0, 0, 0, false), "");
  EXPECT_NE(rule(0, kUnit, 0, true), "");
}

// ---- Determinism -------------------------------------------------------------------------------

std::uint64_t trace_of(std::uint64_t seed) {
  Pair pair(seed, rough());
  pair.connect();
  const std::string text = text_of(20'000);
  pair.far.receive_start(pair.server_id);
  pair.send_all(pair.near, pair.client_id, pair.client, text);
  pair.run(seconds(5));
  return pair.world.trace().value();
}

TEST(SimIo, OneSeedIsOneTrace) {
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) EXPECT_EQ(trace_of(seed), trace_of(seed));
  EXPECT_NE(trace_of(1), trace_of(2));
}

}  // namespace
}  // namespace leat::sim
