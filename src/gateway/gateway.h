// SPDX-License-Identifier: Apache-2.0
// Gateway: one shard's part of the service. Owns the shard's client connections, exchanges, pools
// to providers and counters, and what the keys of this shard hold at the moment. Everything in it
// is used from the shard's thread only; others read counters() and drain log().
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/pool.h"
#include "gateway/account_question.h"
#include "gateway/address_table.h"
#include "gateway/client_conn.h"
#include "gateway/configuration.h"
#include "gateway/connection_exchange.h"
#include "gateway/content_record.h"
#include "gateway/counters.h"
#include "gateway/deployment.h"
#include "gateway/http2_client_conn.h"
#include "gateway/key_loads.h"
#include "gateway/key_table.h"
#include "gateway/log_ring.h"
#include "gateway/metering.h"
#include "gateway/request_teller.h"
#include "gateway/route_planning.h"
#include "gateway/shard_ledger.h"
#include "gateway/shard_limits.h"
#include "gateway/shard_report.h"
#include "gateway/shedding.h"
#include "gateway/successor.h"
#include "gateway/ticket_exchange.h"
#include "net/listener.h"
#include "net/pipe_stream.h"
#include "proto/http_date.h"
#include "tls/secret_slots.h"

namespace leat::gateway {

class SimulatedProvider;
class Succession;

// What the gateway cannot make itself: TLS contexts and the resolver, one set per shard.
struct GatewayParts {
  // Makes what a configuration needs. What is wrong, or empty. Null: no TLS anywhere.
  std::function<std::string(const Configuration&, DeploymentTls&)> make_tls;
  net::Resolver* resolver = nullptr;
  // Outlive the gateway, so that the last numbers and lines can be read after its end.
  Counters* counters = nullptr;
  // How much of memory_bytes_max the process holds, in percent; written by control. Null: not
  // known.
  const std::atomic<std::uint32_t>* memory_percent = nullptr;
  LogRing* log = nullptr;
  EventRing* events = nullptr;  // of requests that have ended; null: nobody is told
  // What those of them said whose key has its content logged; null: no such log is kept.
  ContentRing* contents = nullptr;
  // The keys to begin with; changes come as messages. Read by the constructor only. Null: none.
  const KeyDelta* keys = nullptr;
  // Tickets that the process before had, to begin with. Taken by the constructor. Null: none.
  TicketMail* tickets = nullptr;
  // Of processes before, to begin with. Read by the constructor only.
  std::span<const HeldConversation> conversations;
  LedgerParts ledger;
  LimitSetup limits;                               // but for `hold`, which follows from the models
  std::uint32_t connections_max = 50'000;          // of clients, this shard's share
  std::uint64_t buffered_bodies_max = 6ull << 30;  // bytes, this shard's share
};

class Gateway final : private shard::MessageHandler {
 public:
  // The parts outlive the gateway, `tls` is what parts.make_tls made of the configuration.
  Gateway(shard::Shard& shard, std::shared_ptr<const Configuration> configuration,
          DeploymentTls tls, const GatewayParts& parts);
  ~Gateway();

  // Binds one of the configured listeners.
  Result<io::Address> listen(const io::Address& address, bool is_tls, bool half_close_allowed);
  // Binds one for the process before this one, whose clients it passes on with that token.
  Result<io::Address> listen_for_predecessor(const io::Address& address, const PassageToken& token);
  // Stops accepting; connections end when their running request has.
  void drain();
  // Another process is to take over (succession.h): accepts no more and keeps what clients ask
  // from here on, until it is told whom to pass it on to, or that it is to go on itself.
  // on_yielded() once no more is taken of limits.
  // `ends_by`: when the last of what runs has ended.
  void yield(Instant ends_by);
  void pass_on(const Successor& successor);
  void resume();
  // Not before the last answers have left: their streams outlive their connections.
  bool is_drained() const {
    return draining_ && client_connections() == 0 && tcp_streams_.live() == 0;
  }
  // Cuts whatever still runs and drops every connection: the end of the grace.
  void shut_down();
  // After shut_down() and a turn: the ledger is closed in order. False: it needs more turns.
  bool finish_ledger();
  // Copies what other layers count into counters().
  void refresh_counters();

  shard::MessageHandler& message_handler() { return *this; }
  // Told when a configuration was prepared, or could not be; may be null.
  std::function<void(DeploymentReport)> on_prepared;
  // Told when a drain has ended, and when it has yielded; may be null.
  std::function<void()> on_drained;
  std::function<void()> on_yielded;
  // Before that: takes the tickets that this shard needs no more. May be null: they are kept.
  std::function<void(std::unique_ptr<TicketMail>)> on_tickets_left;
  // Takes what the limits stand at, once all shards have yielded; and, as on_health_news, what
  // became of the requests that ended since. May be null.
  std::function<void(std::unique_ptr<policy::CarriedQuantities>)> on_carried;
  std::function<bool(std::unique_ptr<policy::CarriedEnds>&)> on_carried_ends;
  // Takes what the shard has to tell the health board, unless it cannot now: false, and it is asked
  // again later. May be null.
  std::function<bool(std::unique_ptr<HealthNews>&)> on_health_news;
  // Takes what a client asks of its account, unless it cannot now: false, and it is refused. The
  // answer comes as a message. May be null: nobody answers.
  AccountQuestions::Send on_account_question;
  // Takes what control asked for, if it can now; it will ask again. May be null.
  std::function<void(std::unique_ptr<ShardReport>&)> on_report;

  // That requests still end with.
  std::size_t former_deployments() const { return retired_.size(); }
  // What still lives: the simulator's oracle for leaks.
  std::size_t live_objects() const {
    return client_connections() + http2_clients_.live() + exchanges_.live() + tcp_streams_.live() +
           pipe_streams_.live();
  }

  // ---- For ClientConn and Exchange ----
  shard::Shard& shard() { return shard_; }
  // What new requests are decided by; of one that runs, see its own.
  Deployment& deployment() { return *deployment_; }
  // The same, of now.
  const Snapshot& snapshot() const { return deployment_->snapshot(); }
  const Limits& limits() const { return deployment_->limits(); }
  Counters& counters() { return counters_; }
  AddressTable& addresses() { return addresses_; }
  // Whose key it is; where none is asked for, everybody's is anonymous.
  KeyDirectory::Found find_key(const KeyDigest& digest) const;
  // As KeyDirectory::own_key().
  const OwnKey* own_key(std::uint32_t workspace, std::uint32_t id) const {
    return keys_.own_key(workspace, id);
  }
  std::uint64_t ask_account(AccountQuestion question, AccountQuestions::Then then) {
    return account_questions_.ask(std::move(question), on_account_question, std::move(then));
  }
  AccountQuestions& account_questions() { return account_questions_; }
  KeyLoads& key_loads() { return key_loads_; }
  ShardLimits& shard_limits() { return limits_; }
  // What the key's requests meet. REQUIRES: as ShardLimits::account_of.
  policy::AdmissionAccount& account_of(const KeyDirectory::Found& found) {
    return limits_.account_of(found, keys_.version());
  }
  // It has not been forgotten or replaced.
  bool knows_account(std::uint32_t key, const policy::AdmissionAccount* account) {
    return limits_.admission().find(key, keys_.version()) == account;
  }
  RequestTeller& teller() { return teller_; }
  ContentRing* contents() { return parts_.contents; }
  Conversations& conversations() { return conversations_; }
  // Its plan is good until the next request's.
  RoutePlanner& planner() { return *planner_; }
  proto::RequestHead& head_scratch() { return head_scratch_; }
  // For provider keys that come with requests.
  tls::SecretSlots& request_secrets() { return request_secrets_; }
  std::uint64_t& buffered_bytes() { return buffered_bytes_; }
  bool may_buffer(std::uint32_t key, std::uint64_t bytes) const;
  bool memory_is_short(std::uint64_t bytes);
  // What it does not do when it is late or short of memory.
  Shedding& shedding() { return shedding_; }
  // How long an event may wait at present that may wait so long at most.
  Duration hold_time(Duration most) const;
  void note_held(Duration time) { tcp_streams_.hold_stats().note(time); }
  // A time that idle or slow clients have, as it is now.
  Duration idle_time(std::uint32_t ms) { return shedding_.idle_time(limits(), ms); }
  // Null: no other process is to take over.
  Succession* succession() { return succession_.get(); }
  Exchange* new_exchange(Client& client, const Route& route, const RequestKey& key,
                         bool is_sdk_retry);
  void free_exchange(Exchange* exchange);
  void free_connection(ClientConn* connection);
  // The client of that stream, a ClientConn's so far, speaks HTTP/2: `bytes` are its first ones.
  void speak_http2(net::Stream& stream, const io::Address& peer, bool is_tls,
                   std::span<char> bytes);
  void free_http2_connection(Http2ClientConn* connection);
  Http2Client* new_http2_client(Http2ClientConn& connection, net::Http2ServerStream& stream);
  void free_http2_client(Http2Client* client);
  // Null: no records are kept.
  ShardLedger* ledger() { return ledger_.get(); }
  // What an exchange used, once for each that a provider was asked for.
  void count_used(const Metered& metered);
  // Logs a refusal; `key` is 0 where none was shown or known, `bytes` counts the body so far.
  void refused(const char* reason, std::uint32_t key, const io::Address& peer, std::uint64_t bytes);
  // The Date field's value now; valid until the next call.
  std::string_view date();
  // Writes "gen-..." or "req-..." and a NUL, 36 bytes in all at most.
  void new_id(const char* prefix, char (&to)[36]);

 private:
  // One for each listener, so that a connection knows where it came from.
  class Door;

  void accept(io::SocketId socket, const io::Address& peer, const Door& door);
  Result<io::Address> open_door(std::unique_ptr<Door> door, const io::Address& address);
  std::size_t client_connections() const { return connections_.live() + http2_connections_.live(); }
  void on_message(const shard::Message& message) override;
  DialParts dial_parts();
  void take(std::unique_ptr<DeploymentOrder> order);
  std::string prepare(std::shared_ptr<const Configuration> configuration);
  void serve_prepared(const KeyDelta& keys);
  void free_idle_deployments();
  template <class Visit>
  void each_upstream(Visit visit);
  void exchange_tickets();
  void exchange_connections();
  void drain_http2();
  void drain_pools();
  void refresh_pools();
  void note_drained();
  void note_yielded();
  void leave_tickets();
  void carry();
  bool tell_ends();
  void on_ends_timer();
  std::unique_ptr<ShardReport> report();
  void refresh_holdings();
  void mind_core();
  void refresh_core();
  void on_refresh();
  void tell_health();
  void on_health_timer();
  void apply(const HealthUpdate& update);

  shard::Shard& shard_;
  GatewayParts parts_;
  Counters& counters_;
  LogRing& log_;
  RequestTeller teller_;
  AddressTable addresses_;
  TicketExchange tickets_;
  ConnectionExchange connections_lent_;  // outlives the pools
  net::TcpStreams tcp_streams_;
  net::PipeStreams pipe_streams_;
  std::unique_ptr<SimulatedProvider> simulated_;
  std::unique_ptr<Deployment> deployment_;
  std::unique_ptr<Deployment> prepared_;              // may be the next one; null: none is to be
  std::vector<std::unique_ptr<Deployment>> retired_;  // that requests still end with
  net::PoolStats pools_before_;                       // of connections to providers that are gone
  KeyDirectory keys_;
  KeyRow anonymous_;
  tls::SecretSlots request_secrets_;
  AccountQuestions account_questions_;
  KeyLoads key_loads_;
  Shedding shedding_;
  ShardLimits limits_;
  Conversations conversations_;
  std::unique_ptr<RoutePlanner> planner_;
  std::unique_ptr<HealthNews> untold_;  // the mailbox was full
  std::unique_ptr<ShardLedger> ledger_;
  bool ledger_finishing_ = false;
  Pool<ClientConn> connections_;
  Pool<Http2ClientConn> http2_connections_;
  Pool<Http2Client> http2_clients_;
  Pool<Exchange> exchanges_;
  IntrusiveList<ClientConn, ClientConn> open_;
  IntrusiveList<Http2ClientConn, Http2ClientConn> open_http2_;
  IntrusiveList<Exchange, Exchange> running_;
  std::vector<std::unique_ptr<Door>> doors_;
  std::unique_ptr<Succession> succession_;
  proto::RequestHead head_scratch_;
  std::uint64_t buffered_bytes_ = 0;
  std::int64_t date_second_ = -1;  // Unix; what date_ says
  char date_[proto::kHttpDateBytes];
  bool draining_ = false;
  bool drained_told_ = false;
  Timer yield_timer_{timer_callback<&Gateway::note_yielded>, this};
  Timer carry_timer_{timer_callback<&Gateway::carry>, this};
  Timer ends_timer_{timer_callback<&Gateway::on_ends_timer>, this};
  Timer refresh_timer_{timer_callback<&Gateway::on_refresh>, this};
  Timer health_timer_{timer_callback<&Gateway::on_health_timer>, this};
};

}  // namespace leat::gateway
