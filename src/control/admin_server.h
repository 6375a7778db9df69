// SPDX-License-Identifier: Apache-2.0
// AdminServer: the admin listener, on the control shard: GET /healthz (alive), /readyz (taking
// work) and /metrics (Prometheus text, summed over the shards when asked), POST /api/v1/explain
// (what would become of the request that is its body; ?key=NAME says whose), POST /api/v1/reload
// (the operator's: loads the configuration anew; with ?dry_run=true only says what would change),
// the dashboard (GET /, its files and its events under /dashboard), and the management API
// (control/management.h) under /api/v1. Everything else is 404; errors have the shape of /api/v1.
//
// The management API wants a credential: the operator's key or a management key, as a bearer. All
// that is wrong with one has one answer, in one time; who fails too often is not listened to for a
// while. The rest asks for none, which is why it listens on loopback only. On a Unix socket the
// file's mode is the credential: who may open it is the operator.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/pool.h"
#include "control/management_desk.h"
#include "control/reload_result.h"
#include "dialect/errors.h"
#include "gateway/address_table.h"
#include "net/listener.h"
#include "proto/chunked.h"
#include "proto/http1_request.h"

namespace leat::control {

class AdminServer;

// One client of the admin listener; answers one request after the other.
class AdminConn final : public ListNode<AdminConn>,
                        private net::StreamUser,
                        private shard::Deferred {
 public:
  // `is_operator`: whatever it shows.
  AdminConn(AdminServer& server, const io::Address& peer, bool is_operator)
      : server_(server), peer_(peer), is_operator_(is_operator) {}
  net::StreamUser& stream_user() { return *this; }
  void attach(net::Stream& stream);
  void close();

  // What it watches; kNothing: it is sent no frames.
  enum class Watching : std::uint8_t { kNothing, kEverybodys, kOperators };
  Watching watching() const { return watching_; }
  // A request is on its way, or is expected: nothing was asked yet.
  bool owes() const;
  // REQUIRES: it watches. One who has not read the last one is not sent this one.
  void send_event(std::string_view name, std::string_view json);

 private:
  void on_open() override {}
  void on_bytes(std::span<char> bytes) override;
  void on_block_bytes(std::size_t) override {}
  void on_end(const Error&) override { close(); }
  void on_drained() override {}
  void run_deferred() override;

  // The request whose head has come; its body follows.
  struct Request {
    proto::Method method = proto::Method::kOther;
    std::string path;
    std::string query;
    std::string organisation;  // that the operator means, by name; empty: the first
    std::string known_tag;     // If-None-Match
    std::string body;
    // Whose it is, where that is asked. What was shown is not kept.
    std::optional<ManagementActor> actor;
    std::uint64_t body_left = 0;  // of one that is not chunked
    std::optional<proto::ChunkedDecoder> chunked;
    bool has_credential = false;  // one was shown, right or wrong
    bool keep = false;
  };

  void read_requests();
  // Each takes its part off `input_`. False: more must come, or the connection is over.
  bool read_request();
  bool read_head();
  bool read_body();
  bool read_chunked_body();
  void answer_request();
  void answer_explain();
  bool is_management() const;
  void note_credential(const proto::RequestHead& head);
  void ask_management();
  void answer_management(const ManagementAnswer& made);
  bool is_reload() const;
  bool may_manage();
  void ask_reload();
  void answer_reload(const ReloadResult& outcome);
  // The dashboard (admin_dashboard.cc).
  bool is_dashboard() const;
  bool asks_dashboard_data() const;
  void answer_dashboard();
  void answer_asset();
  bool may_look();
  void begin_watching();
  void answer_frame();
  // The key that the query names, empty without one; none: the query is wrong and was answered.
  std::optional<std::string> key_of_query();
  void answer(int status, std::string_view content_type, std::string_view body,
              std::span<const proto::Field> fields = {});
  void answer_error(dialect::ErrorKind kind, const dialect::ErrorDetail& detail,
                    std::string_view allow = {});
  void finish();

  AdminServer& server_;
  net::Stream* stream_ = nullptr;
  std::string input_;
  proto::RequestParser parser_;
  std::optional<Request> request_;
  io::Address peer_;
  bool is_operator_;
  std::uint64_t ticket_ = 0;  // of what was asked of management; 0: no answer is awaited
  // Null but while a reload runs for it: points here, or to nothing once this is gone.
  std::shared_ptr<AdminConn*> reload_;
  bool waits_for_reload_ = false;  // its answer did not come at once
  bool has_answered_ = false;
  bool closed_ = false;
  Watching watching_ = Watching::kNothing;
  std::uint32_t frames_missed_ = 0;  // one after the other
  Timer idle_timer_{timer_callback<&AdminConn::close>, this};
};

class AdminServer final {
 public:
  struct Views {
    std::function<bool()> is_ready;
    std::function<std::string()> metrics;
    // The report on a request's body as JSON, for the key of that name (empty: the first); none:
    // there is no such key.
    std::function<std::optional<std::string>(std::string_view body, std::string_view key)> explain;
    // Loads the configuration anew, or (`is_trial`) says what that would change; answers once, at
    // once or later.
    using Reloaded = std::function<void(const ReloadResult&)>;
    std::function<void(bool is_trial, Reloaded then)> reload;
    // What a watcher is sent first: what was.
    std::function<std::string()> history;
    // One frame, for who asks instead of watching.
    std::function<std::string(bool is_operator)> frame;
  };
  // `desk` and `limits` outlive the server.
  AdminServer(shard::Shard& shard, Views views, ManagementDesk& desk, const Limits& limits);
  // Before the destructor, and some turns of the shard, in which its connections end.
  void close();

  Result<io::Address> listen(const io::Address& address);
  Result<void> listen_local(const std::string& path);
  // Another process answers from here on, at that path and, once it is ready, at the address that
  // both have; requests under way go on. listen_local() and resume() take that back.
  void leave();
  void resume() { network_.listener.resume(); }
  // Someone waits for an answer, or is about to ask.
  bool owes();

  struct Watchers {
    std::size_t everybodys = 0;
    std::size_t operators = 0;
    std::size_t count() const { return everybodys + operators; }
  };
  Watchers watchers();
  // To each watcher the frame that it may see.
  void send_frames(std::string_view everybodys, std::string_view operators);

  // ---- For AdminConn ----
  static constexpr std::size_t kWatchersMax = 16;
  shard::Shard& shard() { return shard_; }
  const Views& views() const { return views_; }
  ManagementDesk& desk() { return desk_; }
  gateway::AddressTable& addresses() { return addresses_; }
  const Limits& limits() const { return limits_; }
  void free(AdminConn* conn) { conns_.destroy(conn); }

 private:
  // More clients than any monitoring has.
  static constexpr std::size_t kConnectionsMax = 64;
  // One for each way in.
  class Door final : private net::ConnectionSink {
   public:
    Door(AdminServer& server, bool is_operator)
        : listener(server.shard_, *this, /*is_tls=*/false),
          server_(server),
          is_operator_(is_operator) {}
    net::Listener listener;

   private:
    void on_connection(io::SocketId socket, const io::Address& peer, bool) override {
      server_.accept(socket, peer, is_operator_);
    }
    AdminServer& server_;
    bool is_operator_;
  };
  void accept(io::SocketId socket, const io::Address& peer, bool is_operator);

  shard::Shard& shard_;
  Views views_;
  ManagementDesk& desk_;
  const Limits limits_;
  gateway::AddressTable addresses_;
  net::TcpStreams streams_;
  Door network_{*this, false};
  Door local_{*this, true};
  Pool<AdminConn> conns_;
  IntrusiveList<AdminConn, AdminConn> open_;
};

}  // namespace leat::control
