// SPDX-License-Identifier: Apache-2.0
// Leg: one asking of one endpoint by an Exchange: its connection, reply, running stream and time
// limit. A request has one leg at a time, which its attempts use one after the other; two while it
// is hedged. A leg decides nothing: it tells its exchange what happens, and that it happens here.
//
// Belongs to its Exchange. Its members are the exchange's to read and write.
#pragma once

#include <string>

#include "base/block.h"
#include "base/wheel.h"
#include "gateway/own_keys.h"
#include "gateway/relay.h"
#include "gateway/shard_health.h"
#include "net/upstream_pool.h"
#include "policy/ack_delay.h"

namespace leat::gateway {

class Exchange;

class Leg final : public net::ReplyHandler, public net::PoolWaiter, public RelayOwner {
 public:
  enum class State : std::uint8_t {
    kIdle,        // no attempt is under way
    kConnecting,  // for a connection to the endpoint
    kWaiting,     // for its reply's head
    kStreaming,   // events; held until relay.is_committed()
    kCollecting,  // a whole answer
    kPassing,     // the rest of an answer too large to collect
    kFailing,     // the body of an error reply
    kTrailing,  // the client has its end, the provider's is awaited so that the connection is kept
  };

  explicit Leg(Exchange& exchange) : exchange_(exchange) {}
  ~Leg() = default;

  // Nothing is wanted of the endpoint any more: hangs up, or no longer waits for a connection.
  void drop();
  // ... and what it had is of no use. Its timer is stopped.
  void stop(Wheel& wheel);
  // Whether it may still bring the answer.
  bool is_under_way() const { return state != State::kIdle; }
  // Reading events, none of which was content.
  bool is_holding() const { return state == State::kStreaming && !relay.is_committed(); }

  // net::PoolWaiter
  void on_upstream(Result<net::UpstreamCall*> call) override;
  // net::ReplyHandler
  void on_reply_head(const proto::ResponseHead& head) override;
  void on_reply_body(std::string_view bytes) override;
  void on_reply_pause() override;
  bool foresee(int depth) const override;
  void on_reply_end() override;
  void on_reply_failed(const Error& why) override;
  // RelayOwner
  net::Stream& on_commit() override;
  dialect::UsageCost cost_of(const dialect::ChatUsage& usage) override;

 private:
  void on_timer();
  Exchange& here();

  Exchange& exchange_;

 public:
  net::UpstreamCall* upstream = nullptr;  // that has the request
  Relay relay;
  policy::AckWatch acks;                         // of the running stream
  DelayedAcks delayed_acks = DelayedAcks::kOff;  // ... as its provider had it when it began
  BlockRef collected;                           // of an answer or an error reply that is read whole
  HealthAttempt health;                         // endpoint kNoId: none is under way
  policy::EndpointId endpoint = policy::kNoId;  // that is, or was, asked
  OwnKeyRef own_key;                            // that it is, or was, asked with
  std::string model_name;                       // that answers, as answers name it
  Instant started{};                            // of the attempt, or of its request's first byte
  Instant last_progress{};
  Instant stalled_since = kNever;  // the client's backlog is full since
  std::size_t stalled_bytes = 0;   // of that backlog, when it was looked at last
  Timer timer{timer_callback<&Leg::on_timer>, this};
  State state = State::kIdle;
  std::uint8_t note = 0;   // of the attempt, in the exchange's UsageNotes
  bool is_paused = false;  // its reply is not read, for the client's sake
  bool may_pass = false;   // a large answer may go on unseen
};

}  // namespace leat::gateway
