// SPDX-License-Identifier: Apache-2.0
// Goal: connections come in with their peer's address and go out with an outcome; running out of
// descriptors harms nobody and does not spin; foreign descriptors are polled once.
// Method: real sockets on loopback, a lowered descriptor limit.
#include <netinet/tcp.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

#include "uring_fixture.h"

namespace leat::io {
namespace {

int option_of(int fd, int name) {
  int value = -1;
  socklen_t length = sizeof value;
  return getsockopt(fd, IPPROTO_TCP, name, &value, &length) == 0 ? value : -1;
}

// What every accepted socket has of its listener.
void expect_inherited_options(int fd) {
  EXPECT_GT(option_of(fd, TCP_NODELAY), 0);
  EXPECT_EQ(option_of(fd, TCP_NOTSENT_LOWAT), 32 * 1024);
}

struct PollRecorder final : PollHandler {
  std::vector<std::pair<int, int>> events;
  void on_poll(int fd, int ready) override { events.emplace_back(fd, ready); }
};

using UringAccept = UringTest;

INSTANTIATE_TEST_SUITE_P(Shapes, UringAccept, testing::ValuesIn(kShapes), shape_name);

TEST_P(UringAccept, TellsThePeersAddress) {
  const Fd theirs = dial();
  ASSERT_TRUE(run_until([&] { return !acceptor.sockets.empty(); }));
  EXPECT_EQ(acceptor.peers[0], local_address(theirs.get()));
  expect_inherited_options(descriptor_to(acceptor.peers[0]));
}

TEST_P(UringAccept, ListensOnIpv6) {
  const Result<ListenerId> made = io->listen(*Address::parse("[::1]:0"), {});
  if (!made) GTEST_SKIP() << "no IPv6 on this machine";
  const Address address = io->listener_address(*made);
  EXPECT_FALSE(address.is_v4);
  EXPECT_NE(address.port, 0);
  io->accept_start(*made, acceptor);
  Recorder handler;
  ASSERT_TRUE(io->connect(address, handler));
  ASSERT_TRUE(run_until([&] { return !handler.connects.empty() && !acceptor.sockets.empty(); }));
  EXPECT_EQ(handler.connects[0], 0);
  EXPECT_TRUE(acceptor.peers[0].is_loopback());
}

TEST_P(UringAccept, RefusesAPortThatIsTaken) {
  const Result<ListenerId> again =
      io->listen(io->listener_address(listener), {.reuse_port = false});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().os_errno, EADDRINUSE);
  EXPECT_TRUE(io->listen(io->listener_address(listener), {.reuse_port = true}));
}

TEST_P(UringAccept, AClosedListenerFreesItsPortAndItsName) {
  const Address address = io->listener_address(listener);
  io->listener_close(listener);
  turn();
  EXPECT_TRUE(io->listen(address, {.reuse_port = false}));
  EXPECT_EQ(io->listener_address(listener).port, 0);
  io->accept_start(listener, acceptor);
  turn();
}

TEST_P(UringAccept, AnInheritedSocketIsAcceptedOnAndOutlivesItsListener) {
  const Fd opened(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::bind(opened.get(), reinterpret_cast<sockaddr*>(&any), sizeof any), 0);
  EXPECT_FALSE(InheritedListener::of(opened.get()));  // it does not listen yet
  ASSERT_EQ(::listen(opened.get(), 8), 0);
  const auto inherited = InheritedListener::of(opened.get());
  ASSERT_TRUE(inherited);
  EXPECT_EQ(inherited->address, local_address(opened.get()));
  UringOptions options = GetParam().options;
  options.inherited = {*inherited};
  open(options);

  const Result<ListenerId> made = io->listen(inherited->address, {.reuse_port = false});
  ASSERT_TRUE(made) << made.error().what;
  EXPECT_EQ(io->listener_address(*made), inherited->address);
  listener = *made;
  io->accept_start(listener, acceptor);
  const Fd client = dial();
  ASSERT_TRUE(run_until([&] { return !acceptor.sockets.empty(); }));
  expect_inherited_options(descriptor_to(acceptor.peers[0]));
  io->listener_close(listener);
  for (int i = 0; i < 5; ++i) turn();
  // Whoever opened it may go on with it.
  const Fd later(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  any = {};
  socklen_t length = sizeof any;
  ASSERT_EQ(::getsockname(opened.get(), reinterpret_cast<sockaddr*>(&any), &length), 0);
  ASSERT_EQ(::connect(later.get(), reinterpret_cast<sockaddr*>(&any), sizeof any), 0);
  const Fd accepted(::accept(opened.get(), nullptr, nullptr));
  EXPECT_GE(accepted.get(), 0);
}

TEST_P(UringAccept, AStoppedListenerHandsOutNothingAndLosesNobody) {
  io->accept_stop(listener);
  const Fd first = dial();  // before the kernel hears of the stop
  turn();
  const Fd second = dial();  // after
  for (int i = 0; i < 5; ++i) turn();
  EXPECT_TRUE(acceptor.sockets.empty());
  io->accept_start(listener, acceptor);
  ASSERT_TRUE(run_until([&] { return acceptor.sockets.size() == 2; }));
}

TEST_P(UringAccept, AListenerLeftToAnotherProcessHandsOutWhatWasAccepted) {
  // Leaves with the first connection, when others that came with it were accepted too.
  class Leaver final : public AcceptHandler {
   public:
    Leaver(UringIo& io, ListenerId listener) : io_(io), listener_(listener) {}
    std::size_t accepted = 0;

   private:
    void on_accept(SocketId, const Address&) override {
      if (++accepted == 1) io_.accept_finish(listener_);
    }
    void on_accept_end(int) override {}
    UringIo& io_;
    ListenerId listener_;
  };
  Leaver leaver(*io, listener);
  io->accept_start(listener, leaver);
  std::vector<Fd> theirs;
  for (int i = 0; i < 3; ++i) theirs.push_back(dial());
  ASSERT_TRUE(run_until([&] { return leaver.accepted == theirs.size(); }));
  const Fd later = dial();  // it waits for the other process
  for (int i = 0; i < 5; ++i) turn();
  EXPECT_EQ(leaver.accepted, theirs.size());
  io->accept_start(listener, acceptor);
  ASSERT_TRUE(run_until([&] { return acceptor.sockets.size() == 1; }));
}

TEST_P(UringAccept, ManyAtOnceAreAllAccepted) {
  std::vector<Fd> theirs;
  for (int i = 0; i < 200; ++i) theirs.push_back(dial());
  ASSERT_TRUE(run_until([&] { return acceptor.sockets.size() == theirs.size(); }));
  EXPECT_EQ(io->stats().sockets_open, theirs.size());
  EXPECT_TRUE(acceptor.ends.empty());
}

TEST_P(UringAccept, WithoutDescriptorsItSaysSoAndWaits) {
  Recorder handler;
  Pair alive = pair(handler);
  io->receive_start(alive.ours);
  std::vector<Fd> waiting;
  waiting.push_back(dial());
  ASSERT_TRUE(run_until([&] { return acceptor.sockets.size() == 2; }));
  waiting.push_back(Fd(::socket(AF_INET, SOCK_STREAM, 0)));
  const rlim_t lowest = static_cast<rlim_t>(waiting.back().get()) + 1;
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  const rlimit tight{lowest, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &tight), 0);
  // An accept keeps the limit that it was armed under.
  io->accept_stop(listener);
  turn();
  io->accept_start(listener, acceptor);
  turn();

  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(io->listener_address(listener).port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(waiting.back().get(), reinterpret_cast<sockaddr*>(&to), sizeof to), 0);
  EXPECT_TRUE(run_until([&] { return !acceptor.ends.empty(); }));
  EXPECT_EQ(acceptor.ends, std::vector<int>{EMFILE});
  // No spin: with the connection still queued, a turn sleeps.
  const std::uint64_t turns = io->stats().turns;
  run_until([] { return false; }, milliseconds(50));
  EXPECT_LE(io->stats().turns - turns, 60U);
  EXPECT_EQ(acceptor.ends.size(), 1U);
  // Connecting fails at once, those who are there live on.
  const Result<SocketId> refused = io->connect(io->listener_address(listener), handler);
  EXPECT_FALSE(refused);
  if (!refused) {
    EXPECT_EQ(refused.error().code, Code::kOverloaded);
  }
  alive.theirs.write("still here");
  EXPECT_TRUE(run_until([&] { return handler.received == "still here"; }));

  setrlimit(RLIMIT_NOFILE, &before);
  io->accept_start(listener, acceptor);
  ASSERT_TRUE(run_until([&] { return acceptor.sockets.size() == 3; }));
}

TEST_P(UringAccept, ConnectsAndTalks) {
  Recorder client;
  Recorder server;
  const Result<SocketId> made = io->connect(io->listener_address(listener), client);
  ASSERT_TRUE(made);
  io->receive_start(*made);  // may be asked for before the connection stands
  ASSERT_TRUE(run_until([&] { return !client.connects.empty() && !acceptor.sockets.empty(); }));
  EXPECT_EQ(client.connects, std::vector<int>{0});
  EXPECT_GT(option_of(descriptor_to(io->listener_address(listener)), TCP_NODELAY), 0);
  io->set_handler(acceptor.sockets[0], server);
  std::string bytes = "good morning";
  const iovec one{bytes.data(), bytes.size()};
  io->send(acceptor.sockets[0], {&one, 1});
  ASSERT_TRUE(run_until([&] { return client.received == "good morning"; }));
}

TEST_P(UringAccept, ConnectTellsARefusal) {
  const Address address = io->listener_address(listener);
  io->listener_close(listener);
  turn();
  Recorder handler;
  ASSERT_TRUE(io->connect(address, handler));
  ASSERT_TRUE(run_until([&] { return !handler.connects.empty(); }));
  EXPECT_EQ(handler.connects, std::vector<int>{ECONNREFUSED});
}

TEST_P(UringAccept, AConnectThatHangsCanBeClosed) {
  // A listener whose queue is full answers no more.
  const Fd deaf(::socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::bind(deaf.get(), reinterpret_cast<sockaddr*>(&at), sizeof at), 0);
  ASSERT_EQ(::listen(deaf.get(), 0), 0);
  const Address address = local_address(deaf.get());
  Recorder handler;
  std::vector<SocketId> sockets;
  for (int i = 0; i < 8; ++i) sockets.push_back(*io->connect(address, handler));
  run_until([] { return false; }, milliseconds(20));
  const std::size_t connected = handler.connects.size();
  ASSERT_LT(connected, sockets.size()) << "the test did not bite";
  for (const SocketId socket : sockets) io->close(socket);
  for (int i = 0; i < 5; ++i) turn();
  EXPECT_EQ(handler.connects.size(), connected);
  EXPECT_EQ(io->stats().sockets_open, 0U);
}

TEST_P(UringAccept, PollsForeignDescriptorsOnce) {
  const Fd event(eventfd(0, EFD_NONBLOCK));
  PollRecorder handler;
  io->poll_start(event.get(), POLLIN, handler);
  turn();
  EXPECT_TRUE(handler.events.empty());
  eventfd_write(event.get(), 1);
  ASSERT_TRUE(run_until([&] { return !handler.events.empty(); }));
  EXPECT_EQ(handler.events[0], std::make_pair(event.get(), POLLIN));
  eventfd_write(event.get(), 1);
  for (int i = 0; i < 5; ++i) turn();
  EXPECT_EQ(handler.events.size(), 1U);
}

TEST_P(UringAccept, AStoppedPollIsSilent) {
  const Fd event(eventfd(0, EFD_NONBLOCK));
  PollRecorder handler;
  PollRecorder other;
  io->poll_start(event.get(), POLLIN, handler);
  io->poll_start(event.get(), POLLIN, other);
  turn();
  eventfd_write(event.get(), 1);  // before the kernel hears of the stop
  io->poll_stop(event.get(), handler);
  ASSERT_TRUE(run_until([&] { return !other.events.empty(); }));
  for (int i = 0; i < 5; ++i) turn();
  EXPECT_TRUE(handler.events.empty());
}

TEST_P(UringAccept, PollOfABadDescriptorIsAnError) {
  PollRecorder handler;
  io->poll_start(1'000'000, POLLIN, handler);
  ASSERT_TRUE(run_until([&] { return !handler.events.empty(); }));
  EXPECT_EQ(handler.events[0].second, -EBADF);
}

}  // namespace
}  // namespace leat::io
