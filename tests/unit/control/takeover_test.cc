// SPDX-License-Identifier: Apache-2.0
// Goal: two processes change places step by step, and whatever becomes of the new one, the old one
// knows whether it is to end or to go on. Method: both ends in one process, the door on a ring, the
// request on a thread, as it waits.
#include "control/takeover.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <utility>

#include "control/conversation_state.h"
#include "io/uring_io.h"

namespace leat::control {
namespace {

class TakeoverTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string path = testing::TempDir() + "leat-takeover-XXXXXX";
    ASSERT_NE(mkdtemp(path.data()), nullptr);
    folder_ = path;
    path_ = folder_ + "/socket";
    auto io = io::UringIo::create({});
    if (!io) GTEST_FAIL() << io.error().what;
    io_ = std::move(*io);
    const io::Address any = io::Address::v4(127, 0, 0, 1, 0);
    listener_ = *io::InheritedListener::open(any);
    passage_ = *io::InheritedListener::open(any);
    auto listening = TakeoverDoor::open(path_);
    ASSERT_TRUE(listening.has_value());
    listening_ = std::move(*listening);
    token_.fill('t');
    open_door();
  }
  void TearDown() override {
    door_.reset();
    turn();
    const OwnedDescriptor one(listener_.fd);
    const OwnedDescriptor other(passage_.fd);
    std::filesystem::remove_all(folder_);
  }

  void open_door() {
    TakeoverSockets sockets;
    sockets.listeners = {listener_.fd};
    sockets.passage = passage_.fd;
    sockets.passed_to = {.address = passage_.address, .token = token_};
    sockets.takeover = listening_.get();
    TakeoverDoor::Actions actions;
    actions.yield = [this] {
      ++yields_;
      if (answers_) {
        door_->tell_yielded({.tickets = std::exchange(tickets_, {}),
                             .limits = std::exchange(carried_, {}),
                             .conversations = conversations_,
                             .before = before_});
      }
    };
    actions.pass_on = [this] { ++passes_; };
    actions.resume = [this] { ++resumes_; };
    door_ = std::make_unique<TakeoverDoor>(*io_, sockets, actions);
  }

  void turn() { io_->turn({.deadline = io_->now() + milliseconds(5)}); }

  // Runs the door while `work` waits for it.
  template <class Work>
  auto beside(Work work) {
    auto done = std::async(std::launch::async, work);
    while (done.wait_for(std::chrono::seconds(0)) != std::future_status::ready) turn();
    turn();
    return done.get();
  }

  std::string folder_;
  std::string path_;
  std::unique_ptr<io::UringIo> io_;
  io::InheritedListener listener_;
  io::InheritedListener passage_;
  OwnedDescriptor listening_;
  gateway::PassageToken token_{};
  std::vector<gateway::LentTicket> tickets_;
  std::unique_ptr<TakeoverDoor> door_;
  bool answers_ = true;
  std::string carried_;
  std::string conversations_;
  std::vector<int> before_;
  int yields_ = 0;
  int passes_ = 0;
  int resumes_ = 0;
};

TEST_F(TakeoverTest, ANewProcessGetsTheSocketsAndThenThePlace) {
  auto request = beside([&] { return TakeoverRequest::connect(path_); });
  ASSERT_TRUE(request.has_value());
  ASSERT_NE(*request, nullptr);
  ASSERT_EQ((*request)->listeners().size(), 1u);
  EXPECT_EQ((*request)->listeners()[0].address, listener_.address);
  EXPECT_NE((*request)->listeners()[0].fd, listener_.fd) << "a descriptor of its own";
  EXPECT_EQ((*request)->passage().address, passage_.address);
  EXPECT_EQ((*request)->token(), token_);
  EXPECT_GE((*request)->takeover(), 0);
  EXPECT_EQ(yields_, 0) << "nothing has changed so far";
  EXPECT_TRUE(beside([&] { return (*request)->yield(); }).has_value());
  EXPECT_EQ(yields_, 1);
  EXPECT_TRUE(beside([&] { return (*request)->ready(); }).has_value());
  request->reset();
  for (int i = 0; i < 3; ++i) turn();
  EXPECT_EQ(passes_, 1);
  EXPECT_EQ(resumes_, 0) << "it is not to go on when the other ends";
}

gateway::LentTicket ticket_of(const std::string& name, std::size_t size) {
  const std::vector<std::uint8_t> bytes(size, static_cast<std::uint8_t>(size % 251));
  gateway::TicketPeer peer{{.roots = {9}, .offer = tls::Offer::kHttp2AndHttp1}, name};
  return {std::move(peer), tls::Ticket(bytes)};
}

TEST_F(TakeoverTest, TicketsComeAlong) {
  tickets_.push_back(ticket_of("one.example", 2'000));
  tickets_.push_back(ticket_of("too.long", gateway::kLentBytesMax));
  tickets_.push_back(ticket_of("two.example", 10'000));
  auto request = beside([&] { return TakeoverRequest::connect(path_); });
  ASSERT_TRUE(request && *request);
  ASSERT_TRUE(beside([&] { return (*request)->yield(); }).has_value());
  const auto came = (*request)->take_tickets();
  ASSERT_EQ(came.size(), 2u);
  for (const auto& [got, sent] : {std::pair(&came[0], ticket_of("one.example", 2'000)),
                                  std::pair(&came[1], ticket_of("two.example", 10'000))}) {
    EXPECT_EQ(got->peer, sent.peer);
    EXPECT_TRUE(std::ranges::equal(got->ticket.bytes(), sent.ticket.bytes()));
  }
  EXPECT_TRUE(beside([&] { return (*request)->ready(); }).has_value());
}

// More than the socket has room for: the rest is dropped, the takeover goes on.
TEST_F(TakeoverTest, TooManyTicketsKeepNobodyUp) {
  for (int i = 0; i < 2'000; ++i) tickets_.push_back(ticket_of("one.example", 5'000));
  auto request = beside([&] { return TakeoverRequest::connect(path_); });
  ASSERT_TRUE(request && *request);
  ASSERT_TRUE(beside([&] { return (*request)->yield(); }).has_value());
  EXPECT_FALSE((*request)->take_tickets().empty());
  EXPECT_TRUE(beside([&] { return (*request)->ready(); }).has_value());
}

TEST_F(TakeoverTest, ConversationsComeAlong) {
  // Larger than any message; and the socket is full of what comes after.
  conversations_.assign(1 << 20, 'c');
  for (int i = 0; i < 2'000; ++i) tickets_.push_back(ticket_of("one.example", 5'000));
  auto request = beside([&] { return TakeoverRequest::connect(path_); });
  ASSERT_TRUE(request && *request);
  ASSERT_TRUE(beside([&] { return (*request)->yield(); }).has_value());
  EXPECT_EQ((*request)->conversations(), std::string(1 << 20, 'c'));
  EXPECT_FALSE((*request)->take_tickets().empty());
  EXPECT_TRUE(beside([&] { return (*request)->ready(); }).has_value());
}

TEST_F(TakeoverTest, MoreConversationsThanAreKeptAreNotRead) {
  conversations_.assign(kConversationStateBytesMax + 1, 'c');
  auto request = beside([&] { return TakeoverRequest::connect(path_); });
  ASSERT_TRUE(request && *request);
  ASSERT_TRUE(beside([&] { return (*request)->yield(); }).has_value());
  EXPECT_EQ((*request)->conversations(), "");
  EXPECT_TRUE(beside([&] { return (*request)->ready(); }).has_value());
}

// Word by word, as of processes of earlier versions: which start ...
TEST_F(TakeoverTest, AnEarlierVersionThatStartsHearsOfNothingThatItDoesNotKnow) {
  conversations_ = "conversations";
  const auto hear = [&](std::string_view hello) {
    const OwnedDescriptor peer(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    std::ranges::copy(path_, address.sun_path);
    EXPECT_EQ(::connect(peer.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
              0);
    std::vector<std::string> heard;
    for (const std::string_view words : {hello, std::string_view("yield")}) {
      EXPECT_GT(::send(peer.get(), words.data(), words.size(), 0), 0);
      std::array<char, 256> room;
      const auto got = ::recv(peer.get(), room.data(), room.size(), 0);
      heard.emplace_back(room.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    }
    return heard;
  };
  for (const std::string_view hello : {"leat takeover 1", "leat takeover 2"}) {
    tickets_.clear();
    if (hello.ends_with("1")) tickets_.push_back(ticket_of("one.example", 2'000));
    const auto answers = beside([&] { return hear(hello); });
    EXPECT_EQ(answers[0], "leat takeover 1" + std::string(token_.begin(), token_.end()));
    EXPECT_EQ(answers[1], "yielded");
    for (int i = 0; i < 3; ++i) turn();
  }
  EXPECT_EQ(resumes_, 2);
}

// ... and which serves: it knows no other hello than its own.
TEST_F(TakeoverTest, AnEarlierVersionThatServesIsAskedInItsWords) {
  door_.reset();
  turn();
  const auto serve = [&] {
    std::vector<std::string> heard;
    while (heard.size() < 3) {
      pollfd ready{.fd = listening_.get(), .events = POLLIN, .revents = 0};
      if (::poll(&ready, 1, 5'000) != 1) break;
      const OwnedDescriptor peer(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      std::array<char, 256> room;
      const auto got = ::recv(peer.get(), room.data(), room.size(), 0);
      heard.emplace_back(room.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    }
    return heard;
  };
  auto serving = std::async(std::launch::async, serve);
  EXPECT_FALSE(TakeoverRequest::connect(path_).has_value()) << "this one gives no sockets";
  EXPECT_EQ(serving.get(),
            (std::vector<std::string>{"leat takeover 3", "leat takeover 2", "leat takeover 1"}));
}

TEST_F(TakeoverTest, WhatLimitsStandAtGoesWithItAndWhatEndsLater) {
  // Larger than any message.
  carried_.assign(1 << 20, 'c');
  int former[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, former), 0);
  const OwnedDescriptor of_former(former[0]);
  OwnedDescriptor ours(former[1]);
  before_ = {ours.get()};
  auto request = beside([&] { return TakeoverRequest::connect(path_); });
  ASSERT_TRUE(request && *request);
  ASSERT_TRUE(beside([&] { return (*request)->yield(); }).has_value());
  EXPECT_EQ((*request)->carried(), std::string(1 << 20, 'c'));
  ASSERT_TRUE(beside([&] { return (*request)->ready(); }).has_value());
  ours = OwnedDescriptor();
  EXPECT_TRUE(door_->tell("ended here"));
  ASSERT_EQ(::send(of_former.get(), "ended there", 11, 0), 11);

  auto sockets = (*request)->take_finishing();
  request->reset();
  ASSERT_EQ(sockets.size(), 2u);
  char words[32];
  EXPECT_EQ(std::string(words, ::recv(sockets[0].get(), words, sizeof words, 0)), "ended there");
  EXPECT_EQ(std::string(words, ::recv(sockets[1].get(), words, sizeof words, 0)), "ended here");
  // Who does not read is told later; who has gone, nothing.
  int told = 0;
  while (told < 10'000 && door_->tell("more")) ++told;
  EXPECT_LT(told, 10'000);
  sockets.clear();
  for (int i = 0; i < 3; ++i) turn();
  EXPECT_TRUE(door_->tell("more"));
  EXPECT_EQ(resumes_, 0);
}

TEST_F(TakeoverTest, WhoGoesBeforeItIsReadyHasTheOldOneGoOn) {
  {
    auto request = beside([&] { return TakeoverRequest::connect(path_); });
    ASSERT_TRUE(request && *request);
    ASSERT_TRUE(beside([&] { return (*request)->yield(); }).has_value());
  }
  for (int i = 0; i < 3; ++i) turn();
  EXPECT_EQ(resumes_, 1);
  EXPECT_EQ(passes_, 0);
  // The next one may try.
  auto next = beside([&] { return TakeoverRequest::connect(path_); });
  ASSERT_TRUE(next && *next);
  EXPECT_TRUE(beside([&] { return (*next)->yield(); }).has_value());
  EXPECT_EQ(yields_, 2);
}

TEST_F(TakeoverTest, WhoIsNotReadyInTimeIsHungUpOn) {
  auto request = beside([&] { return TakeoverRequest::connect(path_); });
  ASSERT_TRUE(request && *request);
  ASSERT_TRUE(beside([&] { return (*request)->yield(); }).has_value());
  door_->give_up();
  EXPECT_EQ(resumes_, 1);
  EXPECT_FALSE(beside([&] { return (*request)->ready(); }).has_value());
  for (int i = 0; i < 3; ++i) turn();
  EXPECT_EQ(resumes_, 1);
  EXPECT_EQ(passes_, 0);
}

TEST_F(TakeoverTest, OneAtATime) {
  auto first = beside([&] { return TakeoverRequest::connect(path_); });
  ASSERT_TRUE(first && *first);
  EXPECT_FALSE(beside([&] { return TakeoverRequest::connect(path_); }).has_value());
  EXPECT_TRUE(beside([&] { return (*first)->yield(); }).has_value());
}

TEST_F(TakeoverTest, WhatIsNoMessageEndsTheConversation) {
  auto request = beside([&] { return TakeoverRequest::connect(path_); });
  ASSERT_TRUE(request && *request);
  EXPECT_FALSE(beside([&] {
                 return (*request)->ready();  // it was not asked to yield
               }).has_value());
  EXPECT_EQ(yields_, 0);
  EXPECT_EQ(passes_, 0);
  EXPECT_EQ(resumes_, 0);
}

TEST_F(TakeoverTest, WhereNobodyListensNobodyIsTakenOverFrom) {
  const auto nowhere = TakeoverRequest::connect(folder_ + "/none");
  ASSERT_TRUE(nowhere.has_value());
  EXPECT_EQ(*nowhere, nullptr);
  // A socket that was left behind is made anew.
  door_.reset();
  turn();
  listening_ = OwnedDescriptor();
  const auto left = TakeoverRequest::connect(path_);
  ASSERT_TRUE(left.has_value());
  EXPECT_EQ(*left, nullptr);
  auto again = TakeoverDoor::open(path_);
  ASSERT_TRUE(again.has_value()) << again.error().what;
  listening_ = std::move(*again);
  open_door();
  EXPECT_TRUE(beside([&] { return TakeoverRequest::connect(path_); }).has_value());
}

}  // namespace
}  // namespace leat::control
