// SPDX-License-Identifier: Apache-2.0
// AdminServer: the admin listener, on the control shard: GET /healthz (alive), /readyz (taking
// work) and /metrics (Prometheus text, summed over the shards when asked). Everything else is 404.
// It has no credential of its own and listens on loopback only.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/pool.h"
#include "net/listener.h"
#include "proto/http1_request.h"

namespace leat::control {

class AdminServer;

// One client of the admin listener; answers one request after the other.
class AdminConn final : public ListNode<AdminConn>,
                        private net::StreamUser,
                        private shard::Deferred {
 public:
  explicit AdminConn(AdminServer& server) : server_(server) {}
  net::StreamUser& stream_user() { return *this; }
  void attach(net::Stream& stream);
  void close();

 private:
  void on_open() override {}
  void on_bytes(std::span<char> bytes) override;
  void on_block_bytes(std::size_t) override {}
  void on_end(const Error&) override { close(); }
  void on_drained() override {}
  void run_deferred() override;

  bool read_request();
  void answer(int status, std::string_view content_type, std::string_view body, bool keep);
  void finish();

  AdminServer& server_;
  net::Stream* stream_ = nullptr;
  std::string input_;
  proto::RequestParser parser_;
  bool closed_ = false;
  Timer idle_timer_{timer_callback<&AdminConn::close>, this};
};

class AdminServer final : private net::ConnectionSink {
 public:
  struct Views {
    std::function<bool()> is_ready;
    std::function<std::string()> metrics;
  };
  AdminServer(shard::Shard& shard, Views views);
  ~AdminServer();

  Result<io::Address> listen(const io::Address& address);

  // ---- For AdminConn ----
  shard::Shard& shard() { return shard_; }
  const Views& views() const { return views_; }
  void free(AdminConn* conn) { conns_.destroy(conn); }

 private:
  // More clients than any monitoring has.
  static constexpr std::size_t kConnectionsMax = 64;
  void on_connection(io::SocketId socket, const io::Address& peer, bool is_tls) override;

  shard::Shard& shard_;
  Views views_;
  net::TcpStreams streams_;
  net::Listener listener_;
  Pool<AdminConn> conns_;
  IntrusiveList<AdminConn, AdminConn> open_;
};

}  // namespace leat::control
