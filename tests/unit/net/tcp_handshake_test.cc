// SPDX-License-Identifier: Apache-2.0
// Goal: clients that greet all at once are answered one a turn, in the order in which they came,
// and every one is; who waits is not read meanwhile, and who is given up costs nobody a turn.
// Method: accepted streams with TLS over an Io that notes what each socket is sent, and clients of
// the TLS library in memory.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/rng.h"
#include "net/tcp_stream.h"
#include "support/still_io.h"
#include "support/test_certs.h"
#include "support/tls_wire.h"
#include "tls/context.h"

namespace leat::net {
namespace {

class NotingIo final : public io::StillIo {
 public:
  struct Socket {
    io::SocketHandler* handler = nullptr;
    std::string sent;
    bool is_read = false;
  };
  std::map<std::uint32_t, Socket> sockets;

  void set_handler(io::SocketId id, io::SocketHandler& to) override {
    sockets[id.slot].handler = &to;
  }
  void receive_start(io::SocketId id) override { sockets[id.slot].is_read = true; }
  void receive_stop(io::SocketId id) override { sockets[id.slot].is_read = false; }
  void send(io::SocketId id, std::span<const iovec> segments) override {
    for (const iovec& one : segments) {
      sockets[id.slot].sent.append(static_cast<char*>(one.iov_base), one.iov_len);
    }
  }
};

struct User final : StreamUser {
  void on_open() override { is_open = true; }
  void on_bytes(std::span<char> bytes) override { got.append(bytes.data(), bytes.size()); }
  void on_block_bytes(std::size_t) override {}
  void on_end(const Error&) override {}
  void on_drained() override {}
  bool is_open = false;
  std::string got;
};

struct Nothing final : tls::PlainSink {
  void on_plain(std::span<char>) override {}
};

class TcpHandshake : public testing::Test {
 protected:
  static constexpr std::uint32_t kClients = 5;

  TcpHandshake() {
    const test::Cert authority = test::make_authority();
    const test::Cert cert = test::make_cert({}, &authority);
    server_ = std::move(*tls::ServerContext::create(cert.certificate_pem, cert.key_pem, nullptr));
    trusting_ = tls::ClientContext::create(**tls::TrustedRoots::read(authority.certificate_pem));
    for (std::uint32_t slot = 0; slot < kClients; ++slot) {
      clients_.push_back(std::move(*trusting_->new_session("localhost")));
      streams_.push_back(&owner_.adopt({slot, 1}, server_.get(), users_[slot]));
    }
  }

  void receive(std::uint32_t slot, std::string bytes) {
    io_.sockets[slot].handler->on_receive(bytes);
  }
  void greet_all() {
    for (std::uint32_t slot = 0; slot < kClients; ++slot) {
      test::Wire wire;
      ASSERT_TRUE(clients_[slot]->start(wire).has_value());
      receive(slot, wire.bytes);
    }
  }
  std::vector<std::uint32_t> answered() const {
    std::vector<std::uint32_t> slots;
    for (const auto& [slot, socket] : io_.sockets) {
      if (!socket.sent.empty()) slots.push_back(slot);
    }
    return slots;
  }

  NotingIo io_;
  Rng rng_{1};
  shard::Shard shard_{io_, rng_, 0};
  std::unique_ptr<tls::ServerContext> server_;
  std::unique_ptr<tls::ClientContext> trusting_;
  User users_[kClients];
  TcpStreams owner_{shard_};
  std::vector<std::unique_ptr<tls::TlsSession>> clients_;
  std::vector<TcpStream*> streams_;
};

TEST_F(TcpHandshake, ThoseThatComeAtOnceAreAnsweredOneATurnAndInOrder) {
  greet_all();
  EXPECT_TRUE(io_.sockets[0].is_read) << "its step was done";
  for (std::uint32_t slot = 1; slot < kClients; ++slot) {
    EXPECT_FALSE(io_.sockets[slot].is_read) << "what follows stays with the kernel: " << slot;
  }
  std::vector<std::uint32_t> expected;
  for (std::uint32_t slot = 0; slot < kClients; ++slot) {
    shard_.run_turn();
    expected.push_back(slot);
    EXPECT_EQ(answered(), expected);
  }
  EXPECT_EQ(owner_.handshakes().waited(), kClients - 1);
  for (const auto& [slot, socket] : io_.sockets) EXPECT_TRUE(socket.is_read) << slot;
}

TEST_F(TcpHandshake, AllOfThemEndWellAndWhatFollowsTheAnswerDoesNotWait) {
  greet_all();
  for (std::uint32_t turn = 0; turn < kClients; ++turn) shard_.run_turn();
  Nothing sink;
  for (std::uint32_t slot = 0; slot < kClients; ++slot) {
    test::Wire wire;
    std::string flight = std::exchange(io_.sockets[slot].sent, {});
    EXPECT_EQ(clients_[slot]->feed(flight, sink, wire), tls::SessionState::kOpen);
    const std::string_view hello[] = {"hello"};
    ASSERT_TRUE(clients_[slot]->write(hello, wire).has_value());
    receive(slot, wire.bytes);
    EXPECT_TRUE(users_[slot].is_open) << slot;
    EXPECT_EQ(users_[slot].got, "hello") << slot;
  }
}

TEST_F(TcpHandshake, OneThatIsGivenUpCostsNoTurn) {
  greet_all();
  streams_[1]->abort();
  shard_.run_turn();
  shard_.run_turn();
  EXPECT_EQ(answered(), (std::vector<std::uint32_t>{0, 2}));
}

TEST_F(TcpHandshake, NorDoesOneThatIsToEnd) {
  greet_all();
  streams_[1]->finish();
  shard_.run_turn();
  shard_.run_turn();
  EXPECT_FALSE(io_.sockets[2].sent.empty());
}

}  // namespace
}  // namespace leat::net
