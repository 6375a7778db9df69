// SPDX-License-Identifier: Apache-2.0
// SimClient: a client of the simulated world, on the network itself (not over Io). It asks a few
// things, one after the other or pipelined, on connections that it keeps as long as it may, reads
// the answers strictly and notes them in the RequestBook. Depending on the faults that strike it is
// slow, goes away at a bad moment, stops reading or talks nonsense.
//
//   connecting -> thinking -> asking -> awaiting answers -> thinking ... -> done
//        ^                                    | connection over
//        '------------------------------------'
#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "simulation/client_request.h"
#include "simulation/http_reader.h"
#include "simulation/sim_world.h"

namespace leat::sim {

class SimClient final : private EndUser {
 public:
  SimClient(World& world, RequestBook& book, const ClientOptions& options)
      : world_(world), book_(book), options_(options) {}

  void start();
  bool is_done() const { return is_done_; }

 private:
  struct Piece {
    Duration before{};
    std::string bytes;
    RequestRecord* completes = nullptr;  // the request whose last bytes these are
  };
  // How it means to go away.
  enum class Leave : std::uint8_t { kNot, kInHead, kWaiting, kStreaming };

  void on_established() override;
  void on_connect_failed(int error) override;
  void on_readable() override;
  void on_room() override { write_on(); }

  void think();
  void connect(std::uint64_t);
  void ask(std::uint64_t);
  void add_request(bool is_last);
  void add_garbage();
  bool is_behind_refused() const;
  std::string head_of(const RequestRecord& record, std::size_t size, bool chunked, bool expects);
  void add_pieces(const std::string& bytes, RequestRecord* completes, bool slow);
  void write_on();
  void on_piece(std::uint64_t number);
  void send_body();
  void on_expect_timeout(std::uint64_t asks);
  void read_answers();
  void note_progress();
  void take_answer();
  void connection_over();
  void on_leave(std::uint64_t asks);
  void leave();
  void on_resume_reading(std::uint64_t);
  void complain(const std::string& what) { world_.violation("client: " + what); }

  World& world_;
  RequestBook& book_;
  ClientOptions options_;
  Connection* connection_ = nullptr;
  HttpReader reader_{HttpReader::Kind::kResponse};
  std::deque<RequestRecord*> awaited_;
  std::deque<Piece> pieces_;
  std::string unwritten_;
  RequestRecord* completing_ = nullptr;  // with the last of unwritten_
  std::uint64_t piece_number_ = 0;
  bool piece_is_due_ = false;  // an event will add the next piece
  std::string held_body_;      // until 100 Continue
  RequestRecord* held_record_ = nullptr;
  RequestRecord* expecting_ = nullptr;  // said so, and had no 100 yet
  Leave leave_ = Leave::kNot;
  std::size_t leave_after_bytes_ = 0;
  bool is_half_closed_ = false;
  bool half_closes_ = false;  // once all is sent
  bool reads_ = true;
  bool is_done_ = false;
  std::uint32_t asked_ = 0;
  std::uint32_t connect_failures_ = 0;
};

}  // namespace leat::sim
