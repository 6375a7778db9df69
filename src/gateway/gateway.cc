// SPDX-License-Identifier: Apache-2.0
#include "gateway/gateway.h"

#include <algorithm>
#include <cstdio>
#include <optional>
#include <string>

#include "gateway/configured_keys.h"
#include "gateway/owned_message.h"
#include "gateway/simulated_provider.h"
#include "gateway/succession.h"

namespace leat::gateway {

namespace {

// How old the mirrored counters may be when they are scraped.
constexpr Duration kRefreshInterval = seconds(1);
// How often a shard that yields looks whether all that it took in was admitted.
constexpr Duration kYieldInterval = milliseconds(2);
// How often it tells its successor which requests have ended.
constexpr Duration kEndsInterval = milliseconds(20);

LimitSetup limit_setup(LimitSetup setup, const Snapshot& snapshot) {
  setup.hold = snapshot.request_max() + kSettleTime;
  return setup;
}

}  // namespace

class Gateway::Door final : private net::ConnectionSink {
 public:
  struct Manners {
    bool is_tls = false;
    bool half_close_allowed = false;
    // Of what the process before passes on; none: clients come by themselves.
    std::optional<PassageToken> passed_by;
  };
  Door(Gateway& gateway, const Manners& manners)
      : gateway_(gateway), manners_(manners), listener_(gateway.shard_, *this, manners.is_tls) {}
  net::Listener& listener() { return listener_; }
  const Manners& manners() const { return manners_; }

 private:
  void on_connection(io::SocketId socket, const io::Address& peer, bool) override {
    gateway_.accept(socket, peer, *this);
  }
  Gateway& gateway_;
  const Manners manners_;
  net::Listener listener_;
};

Gateway::Gateway(shard::Shard& shard, std::shared_ptr<const Configuration> configuration,
                 DeploymentTls tls, const GatewayParts& parts)
    : shard_(shard),
      parts_(parts),
      counters_(*parts.counters),
      log_(*parts.log),
      teller_(parts.events, configuration->snapshot->options().trace, counters_, shard.index()),
      addresses_(configuration->snapshot->limits()),
      tickets_(shard, parts.limits.peers),
      connections_lent_(shard, parts.limits.peers, tcp_streams_),
      tcp_streams_(shard),
      pipe_streams_(shard),
      simulated_(std::make_unique<SimulatedProvider>(shard, pipe_streams_)),
      deployment_(std::make_unique<Deployment>(dial_parts(), std::move(configuration),
                                               std::move(tls), nullptr)),
      shedding_(shard, counters_, parts.memory_percent,
                parts.limits.peers != nullptr ? parts.limits.peers->shards() : 1),
      limits_(shard, limit_setup(parts.limits, snapshot())),
      conversations_(snapshot().options().routing.sticky_conversations_max),
      planner_(std::make_unique<RoutePlanner>()) {
  if (parts.keys != nullptr) keys_.apply(*parts.keys);
  conversations_.apply(parts.conversations, shard.now());
  if (parts.ledger.keeping != nullptr) {
    ledger_ = std::make_unique<ShardLedger>(shard, parts.ledger);
    limits_.keep_grants(*ledger_);
  }
  anonymous_.id = kAnonymousKey;
  anonymous_.organisation = kConfiguredOrganisation;
  exchange_tickets();
  exchange_connections();
  if (parts.tickets != nullptr) {
    tickets_.take(std::make_unique<TicketMail>(std::move(*parts.tickets)));
  }
  for (const auto& upstream : deployment_->upstreams()) upstream->pool->keep_warm();
  mind_core();
  tcp_streams_.on_none_left = [this] { note_drained(); };
  on_refresh();
  shard_.wheel().set(health_timer_, shard_.now() + kHealthInterval);
}

Gateway::~Gateway() {
  LEAT_CHECK(client_connections() == 0 && exchanges_.live() == 0);
}

// ---- Clients -----------------------------------------------------------------------------------

Result<io::Address> Gateway::listen(const io::Address& address, bool is_tls,
                                    bool half_close_allowed) {
  return open_door(
      std::make_unique<Door>(
          *this, Door::Manners{.is_tls = is_tls, .half_close_allowed = half_close_allowed}),
      address);
}

Result<io::Address> Gateway::listen_for_predecessor(const io::Address& address,
                                                    const PassageToken& token) {
  return open_door(std::make_unique<Door>(*this, Door::Manners{.passed_by = token}), address);
}

Result<io::Address> Gateway::open_door(std::unique_ptr<Door> door, const io::Address& address) {
  LEAT_TRY_VOID(door->listener().open(address));
  const io::Address bound = door->listener().address();
  doors_.push_back(std::move(door));
  return bound;
}

void Gateway::accept(io::SocketId socket, const io::Address& peer, const Door& door) {
  counters_.connections_accepted.add();
  if (client_connections() >= parts_.connections_max || !shedding_.accepts(limits()) ||
      !addresses_.try_enter(peer, shard_.now())) {
    counters_.connections_refused.add();
    shard_.io().close(socket);
    return;
  }
  const Door::Manners& manners = door.manners();
  const bool may_speak_http2 = snapshot().options().server.http2 && !manners.passed_by;
  ClientConn* connection = connections_.create(
      *this, peer,
      ClientConn::Manners{.half_close_allowed = manners.half_close_allowed,
                          .knows_http2 = may_speak_http2 && !manners.is_tls && peer.is_loopback(),
                          .passed_by = manners.passed_by ? &*manners.passed_by : nullptr});
  open_.push_back(*connection);
  connection->attach(
      tcp_streams_.adopt(socket, manners.is_tls ? deployment_->server_tls() : nullptr,
                         connection->stream_user()),
      manners.is_tls);
}

void Gateway::free_connection(ClientConn* connection) {
  connections_.destroy(connection);
  note_drained();
}

void Gateway::speak_http2(net::Stream& stream, const io::Address& peer, bool is_tls,
                          std::span<char> bytes) {
  Http2ClientConn* connection = http2_connections_.create(*this, stream, peer, is_tls);
  open_http2_.push_back(*connection);
  // Before any request is read: it may be that none is taken any more.
  if (succession_ != nullptr) {
    connection->yield();
  } else if (draining_) {
    connection->drain();
  }
  connection->begin(bytes);
}

void Gateway::free_http2_connection(Http2ClientConn* connection) {
  http2_connections_.destroy(connection);
  note_drained();
}

Http2Client* Gateway::new_http2_client(Http2ClientConn& connection,
                                       net::Http2ServerStream& stream) {
  return http2_clients_.create(*this, connection, stream);
}

void Gateway::free_http2_client(Http2Client* client) {
  http2_clients_.destroy(client);
}

KeyDirectory::Found Gateway::find_key(const KeyDigest& digest) const {
  if (snapshot().options().auth_mode == AuthMode::kOff) {
    return {.fault = KeyFault::kNone, .key = &anonymous_};
  }
  return keys_.look_up(digest, policy::KeyScope::kInference, shard_.io().wall_now());
}

Exchange* Gateway::new_exchange(Client& client, const Route& route, const RequestKey& key,
                                bool is_sdk_retry) {
  Exchange* exchange = exchanges_.create(*this, client, route, key, is_sdk_retry);
  running_.push_back(*exchange);
  return exchange;
}

void Gateway::free_exchange(Exchange* exchange) {
  exchanges_.destroy(exchange);
}

bool Gateway::may_buffer(std::uint32_t key, std::uint64_t bytes) const {
  const std::uint64_t held = key_loads_.of(key).buffered_bytes;
  return held + bytes <= limits().buffered_body_bytes_per_key_max;
}

bool Gateway::memory_is_short(std::uint64_t bytes) {
  return buffered_bytes_ + bytes > parts_.buffered_bodies_max ||
         shedding_.is_memory_short(limits());
}

Duration Gateway::hold_time(Duration most) const {
  switch (deployment_->snapshot().options().hold.mode) {
    case HoldMode::kOff:
      return {};
    case HoldMode::kAuto:
      return nanoseconds(
          static_cast<std::int64_t>(shard_.core().level() * static_cast<double>(most.ns)));
    case HoldMode::kAlways:
      return most;
  }
  return {};
}

std::string_view Gateway::date() {
  const std::int64_t second = shard_.io().wall_now().unix_seconds();
  if (second != date_second_) proto::write_http_date(second, date_);
  date_second_ = second;
  return {date_, sizeof date_};
}

// ---- Draining ----------------------------------------------------------------------------------

void Gateway::drain() {
  if (draining_) return;
  draining_ = true;
  doors_.clear();
  drain_pools();
  IntrusiveList<ClientConn, ClientConn> all;
  all.take_all(open_);
  while (ClientConn* connection = all.pop_front()) {
    open_.push_back(*connection);
    connection->drain();
  }
  drain_http2();
  note_drained();
}

void Gateway::drain_http2() {
  for (Http2ClientConn* each = open_http2_.first(); each != nullptr;
       each = open_http2_.after(*each)) {
    each->drain();
  }
}

// ---- Leaving the work to another process -------------------------------------------------------

void Gateway::yield(Instant ends_by) {
  if (succession_ != nullptr || draining_) return;
  succession_ = std::make_unique<Succession>(shard_, tcp_streams_, *parts_.resolver, ends_by);
  for (const auto& door : doors_) door->listener().finish();
  for (ClientConn* each = open_.first(); each != nullptr; each = open_.after(*each)) each->yield();
  for (Http2ClientConn* each = open_http2_.first(); each != nullptr;
       each = open_http2_.after(*each)) {
    each->yield();
  }
  note_yielded();
}

void Gateway::note_yielded() {
  bool is_any_before = false;
  for (Exchange* each = running_.first(); each != nullptr; each = running_.after(*each)) {
    is_any_before = is_any_before || each->is_before_admission();
  }
  const bool has_left = limits_.leave() && !is_any_before;
  if (!has_left && succession_->waits()) {
    return shard_.wheel().set(yield_timer_, shard_.now() + kYieldInterval);
  }
  succession_->set_yielded();
  leave_tickets();
  tell_health();  // control leaves it to the other process
  limits_.freeze(succession_->ends_by());
  if (on_yielded) on_yielded();
}

// Who takes over has more use for them: what runs here has its connections.
void Gateway::leave_tickets() {
  if (!on_tickets_left) return;
  auto mail = std::make_unique<TicketMail>();
  mail->from = shard_.index();
  mail->lent = tickets_.give_all();
  if (!mail->lent.empty()) on_tickets_left(std::move(mail));
}

// After the mailboxes of this turn: what other shards gave back before they yielded is in them.
void Gateway::carry() {
  if (succession_ == nullptr || !on_carried) return;
  on_carried(std::make_unique<policy::CarriedQuantities>(limits_.carry()));
  on_ends_timer();
}

// False: what is left is told later.
bool Gateway::tell_ends() {
  if (succession_ == nullptr || !on_carried_ends || !limits_.has_ends()) return true;
  auto ends = std::make_unique<policy::CarriedEnds>(limits_.take_ends());
  if (on_carried_ends(ends)) return true;
  limits_.put_back(std::move(*ends));
  return false;
}

void Gateway::on_ends_timer() {
  (void)tell_ends();
  if (succession_ == nullptr) return;
  shard_.wheel().set(ends_timer_, shard_.now() + kEndsInterval);
  note_drained();
}

void Gateway::pass_on(const Successor& successor) {
  if (succession_ == nullptr) return;
  succession_->set_successor(successor);
  limits_.pass_on();
  drain();
  for (ClientConn* each = open_.first(); each != nullptr; each = open_.after(*each)) {
    each->pass_on_kept();
  }
}

void Gateway::resume() {
  if (succession_ == nullptr || succession_->has_successor()) return;
  for (Timer* each : {&yield_timer_, &carry_timer_, &ends_timer_}) shard_.wheel().cancel(*each);
  succession_.reset();
  limits_.resume();
  for (const auto& door : doors_) door->listener().resume();
  for (ClientConn* each = open_.first(); each != nullptr; each = open_.after(*each)) {
    each->resume();
  }
}

void Gateway::shut_down() {
  draining_ = true;
  doors_.clear();
  drain_pools();
  while (ClientConn* connection = open_.pop_front()) connection->cut();
  while (Http2ClientConn* connection = open_http2_.pop_front()) connection->cut();
  // Those whose client has its answer and whose provider's end is still awaited.
  while (Exchange* exchange = running_.pop_front()) exchange->abandon();
  tell_health();  // for the next start
  tcp_streams_.abort_ending();
}

bool Gateway::finish_ledger() {
  if (ledger_ == nullptr) return true;
  if (!std::exchange(ledger_finishing_, true)) ledger_->finish();
  return ledger_->is_finished();
}

void Gateway::note_drained() {
  if (drained_told_ || !is_drained() || !on_drained || !tell_ends()) return;
  drained_told_ = true;
  on_drained();
}

void Gateway::on_message(const shard::Message& message) {
  switch (message.kind) {
    case shard::Message::Kind::kDrain:
      return drain();
    case shard::Message::Kind::kStop:
      shut_down();
      return shard_.stop();
    case shard::Message::Kind::kYield:
      return yield(Instant{static_cast<std::int64_t>(message.value)});
    case shard::Message::Kind::kCarry:
      return shard_.wheel().set(carry_timer_, shard_.now());
    case shard::Message::Kind::kCarriedEnds:
      return limits_.settle_carried(*owned_of<policy::CarriedEnds>(message));
    case shard::Message::Kind::kResume:
      return resume();
    case shard::Message::Kind::kSuccessor:
      return pass_on(*owned_of<Successor>(message));
    case shard::Message::Kind::kHealthUpdate:
      return apply(*owned_of<HealthUpdate>(message));
    case shard::Message::Kind::kKeyDelta: {
      const auto delta = owned_of<KeyDelta>(message);
      limits_.begin_with(delta->used);
      return keys_.apply(*delta);
    }
    case shard::Message::Kind::kLateSettlements:
      return limits_.settle_late(*owned_of<LateSettlements>(message));
    case shard::Message::Kind::kSegment:
      return ledger_->take(*owned_of<SegmentDelivery>(message));
    case shard::Message::Kind::kLeaseMail:
      return limits_.take(owned_of<LeaseMail>(message));
    case shard::Message::Kind::kTicketMail:
      return tickets_.take(owned_of<TicketMail>(message));
    case shard::Message::Kind::kConnectionMail:
      return connections_lent_.take(owned_of<ConnectionMail>(message));
    case shard::Message::Kind::kAccountReply:
      return account_questions_.take(*owned_of<AccountReply>(message));
    case shard::Message::Kind::kDeployment:
      return take(owned_of<DeploymentOrder>(message));
    case shard::Message::Kind::kReportQuestion:
      if (on_report) {
        auto made = report();
        on_report(made);
      }
      return;
    case shard::Message::Kind::kDrained:
    case shard::Message::Kind::kDeploymentReport:
    case shard::Message::Kind::kYielded:
    case shard::Message::Kind::kCarried:
    case shard::Message::Kind::kShardReport:
    case shard::Message::Kind::kAccountQuestion:
    case shard::Message::Kind::kHealthNews:
      return;
  }
}

// ---- Bookkeeping -------------------------------------------------------------------------------

void Gateway::count_used(const Metered& metered) {
  const dialect::ChatUsage& usage = metered.measured.usage;
  counters_.prompt_tokens.add(static_cast<std::uint64_t>(usage.prompt));
  counters_.completion_tokens.add(static_cast<std::uint64_t>(usage.completion));
  if (metered.measured.is_estimated) counters_.usage_missing.add();
  if (metered.measured.is_clamped || metered.charge.is_corrected) counters_.usage_clamped.add();
  if (metered.charge.is_insured) counters_.answers_insured.add();
  counters_.settled.add();
  counters_.cost_nanodollars.add(static_cast<std::uint64_t>(metered.charge.upstream));
  if (usage.provider_cost > 0) {
    counters_.provider_cost_nanodollars.add(static_cast<std::uint64_t>(usage.provider_cost));
  }
  counters_.charged_nanodollars.add(static_cast<std::uint64_t>(metered.charge.charged));
  counters_.shortfall_nanodollars.add(static_cast<std::uint64_t>(metered.charge.shortfall));
}

void Gateway::refused(const char* reason, std::uint32_t key, const io::Address& peer,
                      std::uint64_t bytes) {
  // One line for each refusal, of ids and numbers only (threats-and-faults.md 3.4).
  char line[LogRing::kLineBytesMax];
  KeyName room;
  const std::string name(key_name(snapshot().options(), key, room));
  const std::string address = peer.to_string();  // its port tells an operator nothing
  const int size =
      std::snprintf(line, sizeof line, "refused reason=%s key=%s ip=%.*s bytes=%llu shard=%u",
                    reason, name.c_str(), static_cast<int>(address.rfind(':')), address.c_str(),
                    static_cast<unsigned long long>(bytes), shard_.index());
  const auto shown =
      static_cast<std::size_t>(std::clamp(size, 0, static_cast<int>(sizeof line) - 1));
  if (!log_.push({line, shown})) counters_.log_lines_dropped.add();
}

void Gateway::new_id(const char* prefix, char (&to)[36]) {
  static constexpr char kDigits[] = "0123456789abcdefghijklmnopqrstuv";
  std::size_t at = 0;
  while (*prefix != '\0') to[at++] = *prefix++;
  std::uint64_t bits = static_cast<std::uint64_t>(shard_.io().wall_now().unix_seconds());
  for (int i = 30; i >= 0; i -= 5) to[at++] = kDigits[bits >> i & 31];
  to[at++] = '-';
  bits = shard_.rng().next();
  for (int i = 0; i < 12; ++i) to[at++] = kDigits[bits >> (i * 5) & 31];
  bits = shard_.rng().next();
  for (int i = 0; i < 8; ++i) to[at++] = kDigits[bits >> (i * 5) & 31];
  to[at] = '\0';
}

void Gateway::on_refresh() {
  shedding_.step(limits());  // nobody may have asked
  refresh_counters();
  free_idle_deployments();
  shard_.wheel().set(refresh_timer_, shard_.now() + kRefreshInterval);
}

void Gateway::tell_health() {
  if (!on_health_news) return;
  if (untold_ == nullptr) {
    untold_ = deployment_->health().take_news(shard_.now());
    untold_->generation = deployment_->generation();
    conversations_.take_news(untold_->conversations);
    if (untold_->is_empty()) untold_.reset();
  }
  if (untold_ != nullptr && on_health_news(untold_)) untold_.reset();
}

void Gateway::on_health_timer() {
  tell_health();
  shard_.wheel().set(health_timer_, shard_.now() + kHealthInterval);
}

void Gateway::apply(const HealthUpdate& update) {
  if (update.generation == deployment_->generation()) deployment_->health().apply(update);
  conversations_.apply(update.conversations, shard_.now());
}

// When the core is busy, by the options that serve now.
void Gateway::mind_core() {
  shard_.core().set_threshold(snapshot().options().hold.busy_percent / 100.0);
}

// How busy the core is, and what events wait for that.
void Gateway::refresh_core() {
  const auto permille = [](double share) { return static_cast<std::uint64_t>(share * 1'000); };
  counters_.core_permille.set(permille(shard_.core().share()));
  const Duration wait = hold_time(milliseconds(snapshot().options().hold.ms_max));
  counters_.hold_us.set(static_cast<std::uint64_t>(wait.us()));
  const net::HoldStats& held = tcp_streams_.hold_stats();
  for (std::size_t i = 0; i < counters_.held_by_time.size(); ++i) {
    counters_.held_by_time[i].set(held.held.counts[i]);
  }
  counters_.held_us.set(held.held_us);
}

void Gateway::refresh_counters() {
  const io::IoStats& io = shard_.io().stats();
  counters_.io_turns.set(io.turns);
  counters_.io_completions.set(io.completions);
  counters_.io_short_sends.set(io.short_sends);
  counters_.io_no_buffers.set(io.no_buffers);
  counters_.io_cq_overflows.set(io.cq_overflows);
  counters_.io_late_completions.set(io.late_completions);
  counters_.io_sockets_open.set(io.sockets_open);
  const shard::TurnStats& turns = shard_.turn_stats();
  for (std::size_t i = 0; i < counters_.turns_by_completions.size(); ++i) {
    counters_.turns_by_completions[i].set(turns.completions.counts[i]);
  }
  for (std::size_t i = 0; i < counters_.turns_by_lateness.size(); ++i) {
    counters_.turns_by_lateness[i].set(turns.late.counts[i]);
  }
  counters_.turns_late_us.set(turns.late_us);
  counters_.handshakes_waited.set(tcp_streams_.handshakes().waited());
  counters_.provider_handshakes.set(tcp_streams_.handshakes_made());
  counters_.provider_handshakes_resumed.set(tcp_streams_.handshakes_resumed());
  counters_.tickets_borrowed.set(tickets_.borrowed());
  refresh_core();
  refresh_holdings();
  refresh_pools();
  const ShardLimits::Said& said = limits_.said();
  counters_.lease_asks.set(said.asks);
  counters_.lease_returns.set(said.returns);
  counters_.lease_grants.set(said.grants);
  counters_.lease_recalls.set(said.recalls);
  counters_.lease_homes.set(limits_.homes_count());
  if (ledger_ == nullptr) return;
  const ledger::LedgerStats& kept = ledger_->stats();
  counters_.ledger_entries.set(kept.entries);
  counters_.ledger_bytes.set(kept.bytes);
  counters_.ledger_commits.set(kept.commits);
  counters_.ledger_failed_writes.set(kept.failed_writes);
  counters_.ledger_late.set(kept.entries_late);
  counters_.ledger_dropped.set(kept.entries_dropped);
  counters_.ledger_open.set(ledger_->open_count());
  counters_.ledger_unavailable.set(ledger_->admits() ? 0 : 1);
  counters_.ledger_commit_us.set(static_cast<std::uint64_t>(kept.commit_time.us()));
  for (std::size_t i = 0; i < counters_.ledger_commits_by_time.size(); ++i) {
    counters_.ledger_commits_by_time[i].set(kept.commit_times.counts[i]);
  }
  counters_.ledger_waiting.set(ledger_->waiting_count());
}

}  // namespace leat::gateway
