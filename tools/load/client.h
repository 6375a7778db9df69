// SPDX-License-Identifier: Apache-2.0
// Client: one connection of leat-load. Sends one request at a time, has the answer checked as it
// comes in, measures it; reconnects when the connection is gone. After a fault it pauses for 10 ms,
// so that a dead server is not hammered.
#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <cstdio>
#include <string>

#include "base/instant.h"
#include "base/rng.h"
#include "load/checker.h"
#include "load/options.h"
#include "load/request.h"
#include "load/results.h"
#include "wire/agenda.h"
#include "wire/http.h"
#include "wire/link.h"
#include "wire/loop.h"

namespace leat::tools {

class Client;

// Hears when a client may take the next request: never from within Client::start.
class ClientOwner {
 public:
  virtual void on_free(Client& client) = 0;

 protected:
  ~ClientOwner() = default;
};

// What the clients of a run share.
struct LoadContext {
  const LoadOptions& options;
  const Url& url;
  sockaddr_in server{};
  SSL_CTX* tls = nullptr;
  RequestForm& form;
  Loop& loop;
  Scratch& scratch;
  Rng& rng;
  Results& results;
  ClientOwner& owner;
  bool in_window = false;
  std::FILE* abort_log = nullptr;
};

struct Job {
  std::uint64_t number = 0;
  Instant start{};        // latencies count from here: in open loop the moment meant, not the real
  bool measured = false;  // open loop: meant to start within the window
};

class Client final : private Watcher {
 public:
  Client(LoadContext& context, std::size_t index) : context_(context), index_(index) {}

  // REQUIRES: free.
  void start(const Job& job);

  bool is_free() const { return state_ == State::kFree; }
  bool is_open() const { return link_.is_open(); }

 private:
  enum class State { kFree, kHead, kBody, kPausing };

  void on_ready() override;
  void on_alarm();
  void connect();
  bool prove_connected();
  void take(std::string_view bytes);
  bool take_head(std::string_view& bytes);
  void take_body(std::string_view bytes);
  void count_words(std::uint64_t words);
  void on_connection_end(Link::Status status);
  void note_right_answer();
  void end_exchange();
  void fail(Fault fault);
  void choose_abort();
  void abort_here();
  void update_watch();
  bool counts() const;
  std::uint64_t since_start(Instant now) const;

  LoadContext& context_;
  std::size_t index_;
  Link link_;
  Alarm alarm_{alarm_callback<&Client::on_alarm>, this};
  State state_ = State::kFree;
  bool connected_ = false;
  bool watches_writing_ = false;

  Job job_;
  std::uint64_t seed_ = 0;
  AbortPhase abort_phase_ = AbortPhase::kNone;
  std::uint64_t abort_at_word_ = 0;
  std::string head_bytes_;
  Head head_;
  Body body_;
  Checker checker_;
  Instant last_word_{};
};

}  // namespace leat::tools
