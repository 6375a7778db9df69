// SPDX-License-Identifier: Apache-2.0
// SimHttp2Client: as SimClient, over HTTP/2 with prior knowledge: it asks several things at once on
// a connection, reads the answers strictly and notes them in the RequestBook. Depending on the
// faults that strike it ends a stream or the whole connection at a bad moment, does not make room
// on one stream or reads nothing at all, is slow, or says goodbye while it still waits.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "simulation/client_request.h"
#include "simulation/http2_peer.h"

namespace leat::sim {

class SimHttp2Client final : private EndUser, private Http2Peer::User {
 public:
  // From a loopback address: no other is believed that it speaks HTTP/2 without TLS.
  SimHttp2Client(World& world, RequestBook& book, const ClientOptions& options);

  void start() { think(); }
  bool is_done() const { return is_done_; }

 private:
  // A request under way.
  // A time in which nothing may be read, of pauses that overlap or follow each other: what is read
  // in a moment between two need not be of every stream.
  struct Unread {
    Instant from{0};
    Instant until{0};
    // One more begins: whether it is longer then than a gateway bears.
    bool pause(Instant now, Duration pause);
  };
  struct Ask {
    RequestRecord* record = nullptr;
    std::string body;                    // that is not sent yet
    std::size_t sent = 0;                // of it, to the peer
    Duration pace{};                     // between its pieces
    std::uint64_t length = UINT64_MAX;   // of the answer, if its head said so
    std::size_t leave_after = SIZE_MAX;  // bytes of it
    bool gives_up_body = false;          // leaves before all of it is sent
    bool expects = false;                // said so, and had no 100 yet
    bool awaits_continue = false;        // ... and does not go on without
    bool has_head = false;
    bool is_over = false;
    Unread unread;
  };

  void on_established() override;
  void on_connect_failed(int error) override;
  void on_readable() override;
  void on_room() override { write_on(); }
  // Http2Peer::User
  void on_head(std::uint32_t id, const net::http2::Fields& fields, bool ends) override;
  void on_data(std::uint32_t id, std::string_view bytes, bool ends) override;
  void on_reset(std::uint32_t id, std::uint32_t code) override;
  void on_goaway(std::uint32_t last, std::uint32_t code) override;
  void on_framed(std::uint32_t id, std::uint64_t bytes, bool ends) override;

  void think();
  void on_think(std::uint64_t number);
  void ask();
  net::http2::Fields head_of(const Ask& ask, bool has_length);
  void draw_faults(std::uint32_t id, Ask& ask);
  void stop_reading(std::uint32_t id, Ask& ask);
  void talk_nonsense();
  void send_piece(std::uint32_t id, Ask& ask);
  void on_piece(std::uint64_t id);
  void on_expect_timeout(std::uint64_t id);
  void note_progress(Ask& ask, bool ends);
  void finish(Ask& ask, RequestRecord::End end);
  void on_leave(std::uint64_t id);
  void leave(std::uint32_t id, Ask& ask);
  void leave_all(bool resets);
  void on_resume_stream(std::uint64_t id);
  void on_resume_reading(std::uint64_t connection);
  void write_on();
  void connection_over();
  Ask* find(std::uint64_t key);
  std::uint64_t key_of(std::uint32_t id) const;
  void complain(const std::string& what) { world_.violation("HTTP/2 client: " + what); }

  World& world_;
  RequestBook& book_;
  ClientOptions options_;
  std::size_t at_once_;
  Connection* connection_ = nullptr;
  std::unique_ptr<Http2Peer> peer_;
  std::map<std::uint32_t, Ask> asks_;  // of the connection
  std::size_t open_ = 0;
  std::uint64_t thought_ = 0;
  bool is_leaving_ = false;   // nothing more is asked on this connection
  bool is_nonsense_ = false;  // ... on which something was said that is no HTTP/2
  bool reads_ = true;
  bool pauses_long_ = false;  // ... for longer than the gateway bears
  Unread unread_;
  bool is_done_ = false;
  std::uint32_t asked_ = 0;
  std::uint32_t connect_failures_ = 0;
};

}  // namespace leat::sim
