// SPDX-License-Identifier: Apache-2.0
#include "app/control_shard.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <utility>

#include "control/addresses.h"
#include "control/client_key.h"
#include "control/explain.h"
#include "control/metrics.h"
#include "gateway/owned_message.h"

namespace leat::app {

namespace {

constexpr Duration kLogInterval = milliseconds(200);
constexpr Duration kMemoryInterval = seconds(1);
// What the admin listener's last clients have, and how often it is seen whether they are served.
constexpr Duration kLastAnswers = seconds(1);
constexpr Duration kLastAnswersLook = milliseconds(10);

// What the process holds in memory; 0 if the kernel does not say.
std::uint64_t resident_bytes() {
  std::FILE* file = std::fopen("/proc/self/statm", "re");
  if (file == nullptr) return 0;
  unsigned long long size = 0;
  unsigned long long resident = 0;
  const int read = std::fscanf(file, "%llu %llu", &size, &resident);
  std::fclose(file);
  return read == 2 ? resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE)) : 0;
}

}  // namespace

ControlShard::ControlShard(const Parts& parts)
    : configurations_(parts.configurations),
      options_(parts.configurations.current().options()),
      rng_(0),
      shard_(parts.io, rng_, 0),
      requests_(shard_, options_, parts.shards),
      signal_fd_(parts.signal_fd),
      conversations_(shard_, options_),
      health_(shard_, conversations_, configurations_.current(), parts.shards, shards_,
              [this](std::uint32_t shard) { return accounts_.is_behind(shard); }),
      accounts_(shard_, configurations_, shards_),
      reloader_(reloader_parts(parts)),
      dashboard_({shard_, configurations_, shards_, health_, rng_}),
      predecessors_(shard_, shards_),
      memory_bytes_(parts.memory_bytes),
      manager_(parts.surroundings, getpid()),
      began_(parts.io.wall_now().unix_seconds()) {
  shard_.io().poll_start(signal_fd_, POLLIN, *this);
  on_log_timer();
  on_memory_timer();
}

Reloader::Parts ControlShard::reloader_parts(const Parts& parts) {
  Reloader::Parts made;
  made.control = &shard_;
  made.configurations = &configurations_;
  made.surroundings = &parts.surroundings;
  made.config_file = parts.config_file;
  made.is_open = [this] { return !draining_; };
  made.shards = parts.shards;
  made.post = [this](std::uint32_t shard, std::unique_ptr<gateway::DeploymentOrder>& order) {
    return shards_[shard]->post(order);
  };
  made.is_behind = [this] { return accounts_.is_behind(); };
  made.make_keys = [this](std::shared_ptr<const control::AccountReload> keys,
                          AccountKeeper::Reloaded then) {
    return accounts_.reload(std::move(keys), std::move(then));
  };
  made.on_served = [this](const LoadedConfiguration& next) {
    health_.change(next);
    requests_.change(next.options());
  };
  return made;
}

void ControlShard::add(std::unique_ptr<ShardThread> thread) {
  shard_.attach_mailbox(thread->outbox(), *this);
  shards_.push_back(std::move(thread));
}

std::string ControlShard::open_admin(std::string& address) {
  address = "off";
  control::AdminServer::Views views;
  views.is_ready = [this] { return !draining_; };
  views.metrics = [this] { return metrics(); };
  views.explain = [this](std::string_view body, std::string_view key) {
    return explain(body, key);
  };
  views.reload = [this](bool is_trial, control::AdminServer::Views::Reloaded then) {
    reloader_.reload(is_trial, [this, then](const control::ReloadResult& outcome) {
      if (outcome.is_applied) dashboard_.change();
      then(outcome);
    });
  };
  views.history = [this] { return dashboard_.history(); };
  views.frame = [this](bool is_operator) { return dashboard_.frame(is_operator); };
  admin_ =
      std::make_unique<control::AdminServer>(shard_, std::move(views), accounts_, options_.limits);
  dashboard_.start(*admin_, [this] { return !draining_; });
  if (options_.admin.enabled) {
    const auto listen = io::Address::parse(control::to_string(options_.admin.listen));
    LEAT_CHECK(listen.has_value());
    const auto bound = admin_->listen(*listen);
    if (!bound) return std::string("cannot open the admin listener: ") + bound.error().what;
    address = "http://" + bound->to_string();
  }
  return open_admin_socket();
}

// What is wrong, or empty.
std::string ControlShard::open_admin_socket() {
  const std::string& socket = options_.admin.socket;
  if (socket.empty()) return {};
  const auto opened = admin_->listen_local(socket);
  return opened ? "" : socket + ": " + opened.error().what;
}

void ControlShard::open_takeover(control::LedgerKeeper* ledger,
                                 const control::TakeoverSockets& sockets) {
  Retirement::Parts parts;
  parts.control = &shard_;
  parts.threads = &shards_;
  parts.accounts = &accounts_;
  parts.before = &predecessors_;
  parts.grace = milliseconds(options_.server.drain_grace_ms);
  parts.ledger = ledger;
  parts.leave = [this] {
    health_.save();
    health_.leave();
    conversations_.leave();
    admin_->leave();
  };
  parts.conversations = [this] { return conversations_.state(); };
  parts.return_to_work = [this] {
    health_.return_to_work();
    conversations_.return_to_work();
    admin_->resume();
    if (const std::string fault = open_admin_socket(); !fault.empty()) {
      std::fprintf(stderr, "leat: %s\n", fault.c_str());
    }
  };
  parts.retire = [this] { retire(); };
  retirement_ = std::make_unique<Retirement>(std::move(parts), sockets);
}

void ControlShard::run() {
  manager_.tell("READY=1\nSTATUS=serving");
  if (manager_.watchdog_interval() > Duration{}) on_watchdog_timer();
  shard_.run();
}

void ControlShard::shut_down(control::LedgerKeeper* ledger) {
  if (retirement_ != nullptr) retirement_->stop();
  predecessors_.stop();
  reloader_.stop();
  accounts_.stop();
  for (const auto& each : shards_) each->post({shard::Message::Kind::kStop});
  for (const auto& each : shards_) each->join();
  if (ledger != nullptr) ledger->stop();
  write_logs();
  requests_.stop();
  dashboard_.stop();
  if (admin_ != nullptr) admin_->close();
  for (int i = 0; i < 3; ++i) shard_.run_turn(shard_.now());
  admin_.reset();
}

void ControlShard::on_poll(int fd, int) {
  signalfd_siginfo info;
  if (read(fd, &info, sizeof info) == sizeof info) {
    if (info.ssi_signo == SIGUSR1) {
      requests_.reopen();
    } else if (info.ssi_signo == SIGHUP) {
      reload();
    } else {
      start_drain();
    }
  }
  shard_.io().poll_start(signal_fd_, POLLIN, *this);
}

void ControlShard::on_message(const shard::Message& message) {
  if (message.kind == shard::Message::Kind::kHealthNews) return health_.take(message);
  if (message.kind == shard::Message::Kind::kAccountQuestion) return accounts_.take(message);
  if (message.kind == shard::Message::Kind::kShardReport) return dashboard_.take(message);
  if (message.kind == shard::Message::Kind::kDeploymentReport) return reloader_.take(message);
  if (message.kind == shard::Message::Kind::kTicketMail) return retirement_->take(message);
  if (message.kind == shard::Message::Kind::kYielded) return retirement_->note_yielded();
  if (message.kind == shard::Message::Kind::kCarried) {
    return retirement_->take(gateway::owned_of<policy::CarriedQuantities>(message));
  }
  if (message.kind == shard::Message::Kind::kCarriedEnds) {
    return retirement_->take(gateway::owned_of<policy::CarriedEnds>(message));
  }
  if (message.kind == shard::Message::Kind::kDrained && ++drained_ == shards_.size()) {
    answers_until_ = shard_.now() + kLastAnswers;
    on_last_answers();
  }
}

// Nothing is left but who asked, or is about to ask, the admin listener.
void ControlShard::on_last_answers() {
  if (shard_.now() >= answers_until_ || admin_ == nullptr || !admin_->owes()) return shard_.stop();
  shard_.wheel().set(answers_timer_, shard_.now() + kLastAnswersLook);
}

void ControlShard::reload() {
  reloader_.reload(false, [this](const control::ReloadResult& outcome) {
    if (outcome.is_applied) dashboard_.change();
    std::fprintf(stderr, "leat: %s", control::result_text(outcome).c_str());
  });
}

// A second signal ends the grace at once.
void ControlShard::start_drain() {
  if (std::exchange(is_signalled_, true)) return shard_.stop();
  if (draining_) return;
  draining_ = true;
  manager_.tell("STOPPING=1\nSTATUS=running requests finish");
  std::printf("leat: draining, at most %u s\n", options_.server.drain_grace_ms / 1000);
  std::fflush(stdout);
  for (const auto& each : shards_) each->post({shard::Message::Kind::kDrain});
  begin_grace();
}

void ControlShard::begin_grace() {
  shard_.wheel().set(grace_timer_, shard_.now() + milliseconds(options_.server.drain_grace_ms));
}

// Another process serves: what runs here ends, within the grace.
void ControlShard::retire() {
  draining_ = true;
  manager_.tell("STOPPING=1\nSTATUS=another process has taken over; running requests finish");
  std::printf("leat: another process has taken over; what runs finishes, at most %u s\n",
              options_.server.drain_grace_ms / 1000);
  std::fflush(stdout);
  begin_grace();
}

std::string ControlShard::metrics() {
  std::vector<const gateway::Counters*> counters;
  for (const auto& each : shards_) counters.push_back(&each->counters());
  const LoadedConfiguration& configuration = configurations_.current();
  const auto tables = configuration.tables();
  const policy::Catalogue& catalogue = configuration.catalogue();
  const control::ReloadFacts reloads{.generation = configuration.generation(),
                                     .applied = reloader_.applied_count(),
                                     .refused = reloader_.refused_count(),
                                     .former = configurations_.kept_count()};
  const control::ProcessFacts process{
      .resident_bytes = resident_bytes(), .memory_max = memory_bytes_, .began = began_};
  return control::metrics_text(counters) + control::process_metrics_text(process) +
         control::reload_metrics_text(reloads) +
         control::health_metrics_text(catalogue, health_.desk().board(), shard_.now()) +
         control::endpoint_metrics_text(catalogue, tables) +
         control::model_metrics_text(catalogue, tables) + requests_.metrics();
}

// With what all shards together know of the endpoints.
std::optional<std::string> ControlShard::explain(std::string_view body, std::string_view key_name) {
  const auto key = control::find_key_named(configurations_.current().options(), key_name);
  if (!key) return std::nullopt;
  const control::ExplainInput input{.snapshot = configurations_.current().snapshot(),
                                    .key = *key,
                                    .health = health_.desk().view(shard_.now()),
                                    .now = shard_.now(),
                                    .wall = shard_.io().wall_now()};
  return control::explanation_json(control::explain(body, input, rng_));
}

void ControlShard::on_log_timer() {
  write_logs();
  shard_.wheel().set(log_timer_, shard_.now() + kLogInterval);
}

void ControlShard::on_memory_timer() {
  memory_percent_.store(static_cast<std::uint32_t>(resident_bytes() * 100 / memory_bytes_),
                        std::memory_order_relaxed);
  shard_.wheel().set(memory_timer_, shard_.now() + kMemoryInterval);
}

// Silent as soon as one shard is stuck: its clients are better served by a restart.
void ControlShard::on_watchdog_timer() {
  std::vector<std::uint64_t> turns;
  for (const auto& each : shards_) turns.push_back(each->counters().io_turns.get());
  if (turn_watch_.all_moved(std::move(turns))) manager_.tell("WATCHDOG=1");
  shard_.wheel().set(watchdog_timer_, shard_.now() + manager_.watchdog_interval());
}

void ControlShard::write_logs() {
  for (const auto& each : shards_) requests_.take_log(each->log());
}

}  // namespace leat::app
