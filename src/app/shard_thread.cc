// SPDX-License-Identifier: Apache-2.0
#include "app/shard_thread.h"

#include <pthread.h>
#include <sched.h>

#include <map>
#include <utility>

#include "control/sandbox.h"
#include "gateway/owned_message.h"
#include "net/ares_resolver.h"
#include "tls/context.h"

namespace leat::app {

namespace {

tls::Offer offer_of(ProviderProtocol protocol) {
  if (protocol == ProviderProtocol::kHttp2) return tls::Offer::kHttp2;
  if (protocol == ProviderProtocol::kAuto) return tls::Offer::kHttp2AndHttp1;
  return tls::Offer::kHttp1;
}

constexpr int kLastTurns = 3;
// A disk that does not answer in this time keeps no process from ending: what was not durable
// stands in the open table.
constexpr Duration kLedgerGrace = seconds(5);
// Of each mailbox, for what must arrive however full it is: drain, stop, drained.
constexpr std::size_t kSparePlaces = 8;

// False: full, and it is the caller's again.
template <class Owned>
bool post_owned(shard::Mailbox& mailbox, std::unique_ptr<Owned>& owned) {
  const shard::Message message = gateway::message_of(std::move(owned));
  if (mailbox.post(message, kSparePlaces)) return true;
  owned.reset(reinterpret_cast<Owned*>(message.value));
  return false;
}

}  // namespace

ShardThread::ShardThread(const ShardSetup& setup, io::Waker& control_waker)
    : setup_(setup), control_waker_(control_waker) {
  std::promise<ShardStarted> started;
  std::future<ShardStarted> result = started.get_future();
  thread_ = std::thread([this, &started] { run(started); });
  started_ = result.get();
}

ShardThread::~ShardThread() {
  join();
  // Nobody reads or writes these any more.
  shard::Message message;
  while (inbox_.take(message)) gateway::discard(message);
  while (outbox_.take(message)) gateway::discard(message);
}

void ShardThread::join() {
  if (thread_.joinable()) thread_.join();
}

void ShardThread::post(const shard::Message& message) {
  if (inbox_.post(message)) waker_->wake();
}

template <class Owned>
bool ShardThread::post_and_wake(std::unique_ptr<Owned>& owned) {
  if (!post_owned(inbox_, owned)) return false;
  waker_->wake();
  return true;
}

bool ShardThread::post(std::unique_ptr<gateway::HealthUpdate>& update) {
  return post_and_wake(update);
}

bool ShardThread::post(std::unique_ptr<gateway::KeyDelta>& delta) {
  return post_and_wake(delta);
}

bool ShardThread::post(std::unique_ptr<gateway::AccountReply>& reply) {
  return post_and_wake(reply);
}

bool ShardThread::post(std::unique_ptr<gateway::LateSettlements>& late) {
  return post_and_wake(late);
}

bool ShardThread::post(std::unique_ptr<gateway::Successor>& successor) {
  return post_and_wake(successor);
}

bool ShardThread::post(std::unique_ptr<policy::CarriedEnds>& ends) {
  return post_and_wake(ends);
}

bool ShardThread::post(std::unique_ptr<gateway::DeploymentOrder>& order) {
  return post_and_wake(order);
}

void ShardThread::ask_report() {
  if (inbox_.post({shard::Message::Kind::kReportQuestion}, kSparePlaces)) waker_->wake();
}

// Whether it is: a core that is not ours to have costs speed, not correctness, and is told at
// start.
bool ShardThread::pin() {
  if (setup_.core < 0) return false;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<std::size_t>(setup_.core), &set);
  return pthread_setaffinity_np(pthread_self(), sizeof set, &set) == 0;
}

void ShardThread::run(std::promise<ShardStarted>& started) {
  pthread_setname_np(pthread_self(), ("leat-" + std::to_string(setup_.index)).c_str());
  ShardStarted result;
  result.place.is_pinned = pin();
  result.fault = set_up();
  for (std::size_t i = 0; result.fault.empty() && i < setup_.listen.size(); ++i) {
    const Listener& listener = setup_.configuration->snapshot->options().server.listen[i];
    const auto bound =
        gateway_->listen(setup_.listen[i], listener.tls, listener.half_close_allowed);
    if (bound) {
      result.bound.push_back(*bound);
    } else {
      result.fault = "cannot listen on " + setup_.listen[i].to_string() + ": " + bound.error().what;
    }
  }
  if (result.fault.empty() && setup_.passage) {
    const auto bound =
        gateway_->listen_for_predecessor(setup_.passage->address, setup_.passage->token);
    if (!bound) result.fault = std::string("no place for passed clients: ") + bound.error().what;
  }
  if (io_ != nullptr) {
    result.place.steering_error = io_->steering_error();
    result.place.napi_error = io_->napi_error();
  }
  const control::SandboxLayers sandbox = control::enter_sandbox(
      control::SandboxRole::kShard, control::shard_sandbox_paths(), *setup_.surroundings);
  const bool is_required =
      setup_.configuration->snapshot->options().server.hardening == Hardening::kRequire;
  if (result.fault.empty() && is_required && !sandbox.missing().empty()) {
    result.fault = "server.hardening is \"require\", and a shard misses: " + sandbox.missing();
  }
  // From here on the gateway knows for how long which configuration is of use.
  setup_.configuration.reset();
  const bool serves = result.fault.empty();
  if (!serves) tear_down();
  started.set_value(std::move(result));  // `started` may be gone from here on
  if (!serves) return;
  setup_.limits.peers->open(setup_.index, *waker_);
  shard_->run();
  tear_down();
}

// What is wrong, or empty.
std::string ShardThread::set_up() {
  auto io = io::UringIo::create({.writes_files = setup_.ledger != nullptr,
                                 .inherited = setup_.inherited,
                                 .huge_pages = setup_.huge_pages,
                                 .steering = setup_.steering,
                                 .napi_busy_poll_us = setup_.napi_busy_poll_us});
  if (!io) return io.error().what;
  io_ = std::move(*io);
  waker_ = &io_->waker();
  rng_ = std::make_unique<Rng>(setup_.seed);
  shard_ = std::make_unique<shard::Shard>(*io_, *rng_, setup_.index);
  const Limits& limits = setup_.configuration->snapshot->limits();
  auto resolver =
      net::AresResolver::create(*shard_, {.entries_max = limits.dns_cache_entries_max,
                                          .addresses_max = limits.dns_addresses_max,
                                          .ttl_min = seconds(limits.dns_ttl_s_min),
                                          .ttl_max = seconds(limits.dns_ttl_s_max),
                                          .stale_max = seconds(limits.dns_stale_s_max)});
  if (!resolver) return resolver.error().what;
  resolver_ = std::move(*resolver);

  gateway::GatewayParts parts;
  parts.resolver = resolver_.get();
  parts.counters = &counters_;
  parts.log = &log_;
  parts.events = setup_.events;
  parts.contents = setup_.contents;
  parts.keys = setup_.keys;
  parts.tickets = setup_.provider_tickets;
  parts.conversations = setup_.conversations;
  parts.limits = setup_.limits;
  parts.memory_percent = setup_.memory_percent;
  parts.connections_max = setup_.connections_max;
  parts.buffered_bodies_max = setup_.buffered_bodies_max;
  if (setup_.ledger != nullptr) {
    setup_.ledger->desk(setup_.index).attach(*waker_);
    parts.ledger = setup_.ledger->parts(setup_.index);
  }
  parts.make_tls = [this](const gateway::Configuration& configuration,
                          gateway::DeploymentTls& tls) { return make_tls(configuration, tls); };
  gateway::DeploymentTls tls;
  if (std::string fault = make_tls(*setup_.configuration, tls); !fault.empty()) return fault;
  gateway_ =
      std::make_unique<gateway::Gateway>(*shard_, setup_.configuration, std::move(tls), parts);
  listen_to_gateway();
  shard_->attach_mailbox(inbox_, gateway_->message_handler());
  if (setup_.ledger != nullptr) {
    shard_->attach_mailbox(setup_.ledger->desk(setup_.index).deliveries(),
                           gateway_->message_handler());
  }
  setup_.limits.peers->attach(*shard_, gateway_->message_handler());
  return {};
}

// What is wrong, or empty. One context for all providers with the same roots that are offered the
// same protocols.
std::string ShardThread::make_tls(const gateway::Configuration& configuration,
                                  gateway::DeploymentTls& tls) {
  const gateway::TlsMaterial& material = *configuration.tls;
  const ServerOptions& server = configuration.snapshot->options().server;
  const tls::Records records = server.own_tls_records ? tls::Records::kOwn : tls::Records::kLibrary;
  if (!material.certificate_pem.empty()) {
    auto context = tls::ServerContext::create(material.certificate_pem, material.key_pem,
                                              setup_.tickets, records, server.http2);
    if (!context) return std::string("server.tls: ") + context.error().what;
    tls.server = std::move(*context);
  }
  using Kind = std::pair<const tls::TrustedRoots*, tls::Offer>;
  std::map<Kind, std::shared_ptr<tls::ClientContext>> made;
  const auto& providers = configuration.snapshot->options().providers;
  for (std::size_t i = 0; i < material.provider_roots.size(); ++i) {
    const tls::TrustedRoots* roots = material.provider_roots[i];
    const tls::Offer offer = offer_of(providers[i].protocol);
    auto* context = roots != nullptr ? &made[{roots, offer}] : nullptr;
    if (context != nullptr && *context == nullptr) {
      *context = tls::ClientContext::create(*roots, offer, records);
    }
    tls.providers.push_back(context != nullptr ? *context : nullptr);
  }
  return {};
}

// What the shard has to say goes to control.
void ShardThread::listen_to_gateway() {
  gateway_->on_drained = [this] {
    if (outbox_.post({shard::Message::Kind::kDrained, setup_.index})) control_waker_.wake();
  };
  gateway_->on_yielded = [this] {
    if (outbox_.post({shard::Message::Kind::kYielded, setup_.index})) control_waker_.wake();
  };
  gateway_->on_tickets_left = [this](std::unique_ptr<gateway::TicketMail> mail) {
    (void)post_owned(outbox_, mail);  // what finds no room is lost, and costs full handshakes
  };
  gateway_->on_carried = [this](std::unique_ptr<policy::CarriedQuantities> carried) {
    const auto message = gateway::message_of(std::move(carried));
    // Without it the takeover is given up after a while.
    if (!outbox_.post(message)) return gateway::discard(message);
    control_waker_.wake();
  };
  gateway_->on_carried_ends = [this](std::unique_ptr<policy::CarriedEnds>& ends) {
    if (!post_owned(outbox_, ends)) return false;
    control_waker_.wake();
    return true;
  };
  // Found by the desk's next tick: no reason to wake it.
  gateway_->on_health_news = [this](std::unique_ptr<gateway::HealthNews>& news) {
    return post_owned(outbox_, news);
  };
  gateway_->on_account_question = [this](std::unique_ptr<gateway::AccountQuestion>& question) {
    if (!post_owned(outbox_, question)) return false;
    control_waker_.wake();
    return true;
  };
  gateway_->on_prepared = [this](gateway::DeploymentReport report) {
    const auto message =
        gateway::message_of(std::make_unique<gateway::DeploymentReport>(std::move(report)));
    // Without it the reload is given up after a while.
    if (!outbox_.post(message)) return gateway::discard(message);
    control_waker_.wake();
  };
  gateway_->on_report = [this](std::unique_ptr<gateway::ShardReport>& report) {
    if (post_owned(outbox_, report)) control_waker_.wake();
  };
}

// In the reverse order of making; on this thread, since the ring belongs to it.
void ShardThread::tear_down() {
  if (gateway_ != nullptr) {
    gateway_->shut_down();
    // What was cut is freed, and its hang-ups leave, with the next turns.
    for (int i = 0; i < kLastTurns; ++i) shard_->run_turn(shard_->now());
    const Instant latest = shard_->now() + kLedgerGrace;
    while (!gateway_->finish_ledger() && shard_->now() < latest) shard_->run_turn(latest);
  }
  gateway_.reset();
  resolver_.reset();
  shard_.reset();
  rng_.reset();
  // The waker stays for whoever posts a last message; ~ShardThread() closes it. The ring's work
  // ends here, on the thread that it belongs to.
  if (io_ != nullptr) io_->stop();
}

}  // namespace leat::app
