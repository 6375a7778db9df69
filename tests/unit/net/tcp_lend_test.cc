// SPDX-License-Identifier: Apache-2.0
// Goal: a stream that a shard has lent goes on at another where it was, TLS and all; it stays where
// it is while anything is under way, or came; whoever forgets a lent one hangs up.
// Method: streams of two shards over Ios that note what each socket is sent, and a server of the
// TLS library in memory.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "base/rng.h"
#include "net/tcp_stream.h"
#include "support/still_io.h"
#include "support/test_certs.h"
#include "support/tls_wire.h"
#include "tls/context.h"

namespace leat::net {
namespace {

struct Loose final : io::LooseSocket {
  explicit Loose(int* count) : lost(count) {}
  ~Loose() override { ++*lost; }
  int* lost;
};

// Of one socket at a time; lets go of it when the test says so.
class NotingIo final : public io::StillIo {
 public:
  io::SocketHandler* handler = nullptr;
  std::string sent;
  int releases = 0;
  int adopts = 0;
  bool is_read = false;

  Result<io::SocketId> connect(const io::Address&, io::SocketHandler& to) override {
    handler = &to;
    return io::SocketId{1, 1};
  }
  void receive_start(io::SocketId) override { is_read = true; }
  void release(io::SocketId) override { ++releases; }
  io::SocketId adopt(std::unique_ptr<io::LooseSocket>, io::SocketHandler& to) override {
    ++adopts;
    handler = &to;
    return {2, 1};
  }
  void send(io::SocketId, std::span<const iovec> segments) override {
    for (const iovec& one : segments) sent.append(static_cast<char*>(one.iov_base), one.iov_len);
  }
};

struct User final : StreamUser {
  void on_open() override { ++opens; }
  void on_bytes(std::span<char> bytes) override { got.append(bytes.data(), bytes.size()); }
  void on_block_bytes(std::size_t) override {}
  void on_end(const Error&) override { ++ends; }
  void on_drained() override {}
  void on_lent(std::unique_ptr<LooseStream> stream) override {
    ++answers;
    lent = std::move(stream);
  }
  int opens = 0;
  int ends = 0;
  int answers = 0;
  std::string got;
  std::unique_ptr<LooseStream> lent;
};

struct Shard {
  NotingIo io;
  Rng rng{1};
  shard::Shard shard{io, rng, 0};
  TcpStreams streams{shard};
  User user;
};

struct Plain final : tls::PlainSink {
  std::string bytes;
  void on_plain(std::span<char> more) override { bytes.append(more.data(), more.size()); }
};

class TcpLend : public testing::Test {
 protected:
  TcpLend() {
    const test::Cert authority = test::make_authority();
    const test::Cert cert = test::make_cert({}, &authority);
    server_context_ =
        std::move(*tls::ServerContext::create(cert.certificate_pem, cert.key_pem, nullptr));
    trusting_ = tls::ClientContext::create(**tls::TrustedRoots::read(authority.certificate_pem));
  }

  Stream& dial(bool with_tls) {
    tls::ClientContext* const context = with_tls ? trusting_.get() : nullptr;
    Stream& stream = **first_.streams.dial({}, context, "localhost", first_.user);
    if (with_tls) server_ = server_context_->new_session({});
    first_.io.handler->on_connect(0);
    for (int i = 0; i < 4; ++i) carry(first_);
    EXPECT_EQ(first_.user.opens, 1);
    return stream;
  }
  // What the shard has written goes to the server, and the server's answers back.
  void carry(Shard& shard) {
    shard.shard.run_turn();
    if (server_ == nullptr) return;
    test::Wire wire;
    std::string sent = std::exchange(shard.io.sent, {});
    if (!sent.empty()) server_->feed(sent, read_, wire);
    if (!wire.bytes.empty()) shard.io.handler->on_receive(wire.bytes);
  }
  // An answer, which makes our session leave the library.
  void answer(Shard& shard, std::string_view text) {
    test::Wire wire;
    ASSERT_TRUE(server_->write({{text}}, wire).has_value());
    shard.io.handler->on_receive(wire.bytes);
  }
  void let_go() { first_.io.handler->on_released(std::make_unique<Loose>(&lost_)); }

  Plain read_;
  int lost_ = 0;
  std::unique_ptr<tls::ServerContext> server_context_;
  std::unique_ptr<tls::ClientContext> trusting_;
  std::unique_ptr<tls::TlsSession> server_;
  Shard first_;
  Shard second_;
};

TEST_F(TcpLend, APlainOneGoesOnAtAnotherShard) {
  Stream& stream = dial(false);
  ASSERT_TRUE(stream.lend());
  EXPECT_EQ(first_.io.releases, 1);
  EXPECT_EQ(first_.user.answers, 0) << "not from inside";
  let_go();
  ASSERT_NE(first_.user.lent, nullptr);
  EXPECT_EQ(first_.user.lent->tls, nullptr);
  first_.shard.run_turn();
  EXPECT_EQ(first_.streams.live(), 0U);
  Stream& adopted = second_.streams.adopt(std::move(first_.user.lent));
  adopted.set_user(second_.user);
  EXPECT_TRUE(second_.io.is_read);
  adopted.write("question");
  second_.shard.run_turn();
  EXPECT_EQ(second_.io.sent, "question");
  std::string answer = "answer";
  second_.io.handler->on_receive(answer);
  EXPECT_EQ(second_.user.got, "answer");
  EXPECT_EQ(first_.user.got, "");
}

TEST_F(TcpLend, RecordsGoOnWhereTheyWere) {
  Stream& stream = dial(true);
  EXPECT_FALSE(stream.lend()) << "its session is the library's";
  stream.write("one");
  carry(first_);
  answer(first_, "1");
  ASSERT_TRUE(stream.lend());
  let_go();
  ASSERT_NE(first_.user.lent, nullptr);
  trusting_.reset();  // and its context is not needed
  Stream& adopted = second_.streams.adopt(std::move(first_.user.lent));
  adopted.set_user(second_.user);
  adopted.write(" two");
  carry(second_);
  answer(second_, "2");
  EXPECT_EQ(read_.bytes, "one two");
  EXPECT_EQ(first_.user.got, "1");
  EXPECT_EQ(second_.user.got, "2");
  EXPECT_EQ(second_.user.opens, 0);
}

TEST_F(TcpLend, StaysWhileAnythingIsUnderWay) {
  Stream& stream = dial(false);
  stream.write("a request");
  EXPECT_FALSE(stream.lend());
  first_.shard.run_turn();
  stream.hold(milliseconds(5));
  EXPECT_FALSE(stream.lend());
  stream.hold({});
  EXPECT_TRUE(stream.lend());
}

TEST_F(TcpLend, StaysWhereSomethingCame) {
  Stream& stream = dial(false);
  ASSERT_TRUE(stream.lend());
  first_.io.handler->on_released(nullptr);
  EXPECT_EQ(first_.user.answers, 1);
  EXPECT_EQ(first_.user.lent, nullptr);
  std::string stray = "stray";
  first_.io.handler->on_receive(stray);
  EXPECT_EQ(first_.user.got, "stray");
  first_.io.handler->on_receive_end(0);
  EXPECT_EQ(first_.user.ends, 1);
  EXPECT_FALSE(stream.lend()) << "its peer is gone";
}

TEST_F(TcpLend, WhoeverForgetsOneHangsUp) {
  ASSERT_TRUE(dial(false).lend());
  let_go();
  EXPECT_EQ(lost_, 0);
  first_.user.lent.reset();
  EXPECT_EQ(lost_, 1);
}

TEST_F(TcpLend, OneThatIsGivenUpMeanwhileGoesToNobody) {
  Stream& stream = dial(false);
  ASSERT_TRUE(stream.lend());
  stream.finish();
  let_go();
  EXPECT_EQ(first_.user.answers, 0);
  EXPECT_EQ(lost_, 1);
  first_.shard.run_turn();
  EXPECT_EQ(first_.streams.live(), 0U);
}

}  // namespace
}  // namespace leat::net
