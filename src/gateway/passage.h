// SPDX-License-Identifier: Apache-2.0
// Passage: a client's connection passed on to the successor of this process: every byte of the
// client goes there, every byte from there to the client, as they are. Part of its ClientConn, used
// on its shard. Holds back whichever side sends faster than the other reads.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "net/connector.h"
#include "net/stream.h"

namespace leat::gateway {

class Passage final : private net::DialSink, private net::StreamUser {
 public:
  enum class End : std::uint8_t {
    kNotReached,  // nothing was passed
    kWhole,       // the successor has closed
    kBroken,      // anything else
  };
  class User {
   public:
    // Nothing more will pass. Called once; the passage may be destroyed in a later turn's work.
    virtual void on_passage_over(End end) = 0;

   protected:
    ~User() = default;
  };

  // `client` is paused until the successor is reached. REQUIRES: it outlives the passage.
  Passage(User& user, net::Stream& client) : user_(user), client_(client) {}
  ~Passage();
  Passage(const Passage&) = delete;
  Passage& operator=(const Passage&) = delete;

  // `first` goes before anything else; `dialer` outlives the passage.
  void start(net::Dialer& dialer, std::string first);
  // What the client says next.
  void write(std::string_view bytes);
  // The client reads again.
  void client_drained();

 private:
  void on_dialed(net::Dial& dial, Result<net::Stream*> stream) override;
  void on_open() override {}
  void on_bytes(std::span<char> bytes) override;
  void on_block_bytes(std::size_t) override {}
  void on_end(const Error& why) override;
  void on_drained() override;

  User& user_;
  net::Stream& client_;
  std::unique_ptr<net::Dial> dial_;
  net::Stream* stream_ = nullptr;  // the successor's; null: not reached, or over
  std::string first_;
  bool is_client_paused_ = false;
  bool is_successor_paused_ = false;
};

}  // namespace leat::gateway
