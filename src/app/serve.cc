// SPDX-License-Identifier: Apache-2.0
#include "app/serve.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "app/account_keeper.h"
#include "app/health_keeper.h"
#include "app/material.h"
#include "app/shard_thread.h"
#include "control/addresses.h"
#include "control/admin_server.h"
#include "control/catalogue_listing.h"
#include "control/client_key.h"
#include "control/command_line.h"
#include "control/explain.h"
#include "control/inherited_sockets.h"
#include "control/ledger_keeper.h"
#include "control/machine.h"
#include "control/metrics.h"
#include "control/sandbox.h"
#include "control/service_manager.h"
#include "control/turn_watch.h"
#include "leat/version.h"

namespace leat::app {

namespace {

constexpr Duration kLogInterval = milliseconds(200);
constexpr Duration kMemoryInterval = seconds(1);

std::uint64_t random_seed() {
  const auto bytes = control::random_bytes();
  std::uint64_t seed;
  std::memcpy(&seed, bytes.data(), sizeof seed);
  return seed;
}

int refuse(const std::string& why) {
  std::fprintf(stderr, "leat: %s\n", why.c_str());
  return control::kExitConfig;
}

// Those that end us, blocked before any thread starts, so that all of them inherit it: they come
// through a descriptor.
sigset_t set_up_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow is an error of its write
  return signals;
}

// Every connection is a descriptor: as many as we may have.
std::uint64_t raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

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

// The control shard: signals, the admin listener, the shards' log lines and health; and what the
// service manager is told.
class ControlShard final : private io::PollHandler, private shard::MessageHandler {
 public:
  ControlShard(io::Io& io, const gateway::Snapshot& snapshot, std::uint32_t shards, int signal_fd,
               std::uint64_t memory_bytes, const control::Surroundings& surroundings)
      : snapshot_(snapshot),
        options_(snapshot.options()),
        rng_(0),
        shard_(io, rng_, 0),
        signal_fd_(signal_fd),
        health_(shard_, snapshot, shards, shards_),
        accounts_(shard_, snapshot, shards_),
        memory_bytes_(memory_bytes),
        manager_(surroundings, getpid()) {
    shard_.io().poll_start(signal_fd_, POLLIN, *this);
    on_log_timer();
    on_memory_timer();
  }

  const std::atomic<std::uint32_t>& memory_percent() const { return memory_percent_; }
  std::vector<std::unique_ptr<ShardThread>>& shards() { return shards_; }
  void add(std::unique_ptr<ShardThread> thread) {
    shard_.attach_mailbox(thread->outbox(), *this);
    shards_.push_back(std::move(thread));
  }

  // What is wrong, or empty. `address`: where it listens.
  std::string open_admin(std::string& address) {
    address = "off";
    control::AdminServer::Views views;
    views.is_ready = [this] { return !draining_; };
    views.metrics = [this] {
      std::vector<const gateway::Counters*> counters;
      for (const auto& each : shards_) counters.push_back(&each->counters());
      std::vector<const gateway::EndpointCounterTable*> tables;
      for (const auto& each : shards_) tables.push_back(&each->endpoint_counters());
      const policy::Catalogue& catalogue = snapshot_.catalogue();
      return control::metrics_text(counters) +
             control::health_metrics_text(catalogue, health_.desk().board(), shard_.now()) +
             control::endpoint_metrics_text(catalogue, tables);
    };
    views.explain = [this](std::string_view body, std::string_view key) {
      return explain(body, key);
    };
    admin_ = std::make_unique<control::AdminServer>(shard_, std::move(views), accounts_,
                                                    options_.limits);
    if (options_.admin.enabled) {
      const auto listen = io::Address::parse(control::to_string(options_.admin.listen));
      LEAT_CHECK(listen.has_value());
      const auto bound = admin_->listen(*listen);
      if (!bound) return std::string("cannot open the admin listener: ") + bound.error().what;
      address = "http://" + bound->to_string();
    }
    const std::string& socket = options_.admin.socket;
    if (socket.empty()) return {};
    const auto opened = admin_->listen_local(socket);
    return opened ? "" : socket + ": " + opened.error().what;
  }

  HealthKeeper& health() { return health_; }
  AccountKeeper& accounts() { return accounts_; }

  void run() {
    manager_.tell("READY=1\nSTATUS=serving");
    if (manager_.watchdog_interval() > Duration{}) on_watchdog_timer();
    shard_.run();
  }

  // After run(): the end of everything, in order.
  void shut_down(control::LedgerKeeper* ledger) {
    accounts_.stop();
    for (const auto& each : shards_) each->post({shard::Message::Kind::kStop});
    for (const auto& each : shards_) each->join();
    if (ledger != nullptr) ledger->stop();
    write_logs();
    admin_.reset();
    for (int i = 0; i < 3; ++i) shard_.run_turn(shard_.now());
  }

 private:
  void on_poll(int fd, int) override {
    signalfd_siginfo info;
    if (read(fd, &info, sizeof info) == sizeof info) start_drain();
    shard_.io().poll_start(signal_fd_, POLLIN, *this);
  }

  // A second signal ends the grace at once.
  void start_drain() {
    if (draining_) return shard_.stop();
    draining_ = true;
    manager_.tell("STOPPING=1\nSTATUS=running requests finish");
    std::printf("leat: draining, at most %u s\n", options_.server.drain_grace_ms / 1000);
    std::fflush(stdout);
    for (const auto& each : shards_) each->post({shard::Message::Kind::kDrain});
    shard_.wheel().set(grace_timer_, shard_.now() + milliseconds(options_.server.drain_grace_ms));
  }

  void on_message(const shard::Message& message) override {
    if (message.kind == shard::Message::Kind::kHealthNews) return health_.take(message);
    if (message.kind == shard::Message::Kind::kAccountQuestion) return accounts_.take(message);
    if (message.kind == shard::Message::Kind::kDrained && ++drained_ == shards_.size()) {
      shard_.stop();
    }
  }

  // With what all shards together know of the endpoints.
  std::optional<std::string> explain(std::string_view body, std::string_view key_name) {
    const auto key = control::find_key_named(options_, key_name);
    if (!key) return std::nullopt;
    const control::ExplainInput input{.snapshot = snapshot_,
                                      .key = *key,
                                      .health = health_.desk().view(shard_.now()),
                                      .now = shard_.now(),
                                      .wall = shard_.io().wall_now()};
    return control::explanation_json(control::explain(body, input, rng_));
  }

  void on_grace_over() { shard_.stop(); }

  void on_log_timer() {
    write_logs();
    shard_.wheel().set(log_timer_, shard_.now() + kLogInterval);
  }

  void on_memory_timer() {
    memory_percent_.store(static_cast<std::uint32_t>(resident_bytes() * 100 / memory_bytes_),
                          std::memory_order_relaxed);
    shard_.wheel().set(memory_timer_, shard_.now() + kMemoryInterval);
  }

  // Silent as soon as one shard is stuck: its clients are better served by a restart.
  void on_watchdog_timer() {
    std::vector<std::uint64_t> turns;
    for (const auto& each : shards_) turns.push_back(each->counters().io_turns.get());
    if (turn_watch_.all_moved(std::move(turns))) manager_.tell("WATCHDOG=1");
    shard_.wheel().set(watchdog_timer_, shard_.now() + manager_.watchdog_interval());
  }

  void write_logs() {
    for (const auto& each : shards_) {
      each->log().drain([](std::string_view line) {
        std::fprintf(stderr, "%.*s\n", static_cast<int>(line.size()), line.data());
      });
    }
  }

  const gateway::Snapshot& snapshot_;
  const Options& options_;
  Rng rng_;
  shard::Shard shard_;
  int signal_fd_;
  std::vector<std::unique_ptr<ShardThread>> shards_;
  HealthKeeper health_;
  AccountKeeper accounts_;
  std::unique_ptr<control::AdminServer> admin_;
  std::size_t drained_ = 0;
  bool draining_ = false;
  std::uint64_t memory_bytes_;
  std::atomic<std::uint32_t> memory_percent_{0};
  const control::ServiceManager manager_;
  control::TurnWatch turn_watch_;
  Timer watchdog_timer_{timer_callback<&ControlShard::on_watchdog_timer>, this};
  Timer memory_timer_{timer_callback<&ControlShard::on_memory_timer>, this};
  Timer grace_timer_{timer_callback<&ControlShard::on_grace_over>, this};
  Timer log_timer_{timer_callback<&ControlShard::on_log_timer>, this};
};

// Starts the shards one by one: a port that the kernel chose for the first is the others' too.
// What went wrong, or empty.
std::string start_shards(const Options& options, ShardSetup setup, std::uint32_t count,
                         const control::InheritedSockets& inherited, ControlShard& control,
                         io::Waker& waker, Instant now) {
  for (const Listener& listener : options.server.listen) {
    const auto address = io::Address::parse(
        control::to_string(Listener{.host = listener.host, .port = listener.port}));
    if (!address) return "cannot read the address of a listener";
    setup.listen.push_back(*address);
  }
  const tls::TicketSeed tickets{.secret = control::random_bytes(), .begin = now};
  setup.tickets = &tickets;
  for (std::uint32_t i = 0; i < count; ++i) {
    setup.index = i;
    setup.inherited = inherited.of_shard(i);
    setup.core = i < options.server.pin.size() ? static_cast<int>(options.server.pin[i]) : -1;
    setup.seed = random_seed();
    auto thread = std::make_unique<ShardThread>(setup, waker);
    if (!thread->started().fault.empty()) return thread->started().fault;
    setup.listen = thread->started().bound;
    control.add(std::move(thread));
  }
  return {};
}

// What a shard may hold of what the process may.
void share_out(const Limits& limits, std::uint64_t descriptors, std::uint64_t memory,
               std::uint32_t shards, ShardSetup& setup) {
  const std::uint64_t connections = limits.connections_max != 0
                                        ? limits.connections_max
                                        : std::min<std::uint64_t>(descriptors / 2, 50'000);
  setup.connections_max = static_cast<std::uint32_t>((connections + shards - 1) / shards);
  setup.buffered_bodies_max = memory / 100 * limits.buffered_body_memory_percent_max / shards;
}

void print_addresses(const Options& options, const std::vector<io::Address>& bound,
                     const std::string& admin, std::uint32_t shards) {
  for (std::size_t i = 0; i < bound.size(); ++i) {
    std::printf("leat: serving on %s://%s\n", options.server.listen[i].tls ? "https" : "http",
                bound[i].to_string().c_str());
  }
  std::printf("leat: admin on %s\n", admin.c_str());
  if (!options.admin.socket.empty()) {
    std::printf("leat: admin socket at %s\n", options.admin.socket.c_str());
  }
  std::printf("leat: %s, %u shard%s, ready\n", kVersion, shards, shards == 1 ? "" : "s");
  std::fflush(stdout);
}

}  // namespace

int serve(const Options& options, std::shared_ptr<const gateway::RoutedCatalogue> routed,
          const control::Surroundings& surroundings) {
  const sigset_t signals = set_up_signals();
  prctl(PR_SET_DUMPABLE, 0);  // keys and prompts belong in no core file
  const std::uint64_t descriptors = raise_descriptor_limit();
  const control::MachineFacts machine = control::read_machine_facts();

  Material material;
  if (const std::string fault = material.load(options, surroundings); !fault.empty()) {
    return refuse(fault);
  }
  const auto inherited = control::inherited_sockets(surroundings, getpid(), options);
  if (!inherited.fault.empty()) return refuse(inherited.fault);
  // Before there are threads: all of them are in it.
  const auto sandbox = control::enter_sandbox(control::SandboxRole::kProcess,
                                              control::sandbox_paths(options), surroundings);
  auto io = io::UringIo::create({.inherited = inherited.admin});
  if (!io) return refuse(io.error().what);
  const control::CatalogueListing listings(routed, (*io)->wall_now().unix_seconds());
  const gateway::Snapshot snapshot(options, std::move(routed), material.bearers());
  const std::uint32_t shards =
      options.server.shards != 0 ? options.server.shards : std::max(machine.cores_usable, 1U);
  ShardSetup setup;
  const std::uint64_t memory = options.limits.memory_bytes_max != 0
                                   ? options.limits.memory_bytes_max
                                   : machine.usable_memory();
  share_out(options.limits, descriptors, memory, shards, setup);
  setup.snapshot = &snapshot;
  setup.listings = &listings;
  gateway::PeerMail peers(shards);
  setup.limits.peers = &peers;
  setup.tls = &material.tls();
  setup.surroundings = &surroundings;

  std::string ledger_fault;
  const auto ledger = control::LedgerKeeper::start(options, shards, ledger_fault);
  if (!ledger_fault.empty()) return refuse(ledger_fault);
  setup.ledger = ledger.get();

  const int signal_fd = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
  ControlShard control(**io, snapshot, shards, signal_fd, memory, surroundings);
  setup.memory_percent = &control.memory_percent();
  control.health().load(surroundings);
  if (const std::string fault = control.accounts().start(material.accounts(), ledger.get());
      !fault.empty()) {
    return refuse(fault);
  }
  setup.limits.restored = control.accounts().restored();
  setup.keys = &control.accounts().first();
  if (const std::string fault =
          start_shards(options, setup, shards, inherited, control, (*io)->waker(), (*io)->now());
      !fault.empty()) {
    control.shut_down(ledger.get());
    return refuse(fault);
  }
  control.health().begin();
  std::string admin;
  if (const std::string fault = control.open_admin(admin); !fault.empty()) {
    control.shut_down(ledger.get());
    return refuse(fault);
  }
  std::printf("leat: hardening: %s, keys %slocked in memory\n", sandbox.text().c_str(),
              material.is_locked() ? "" : "NOT ");
  print_addresses(options, control.shards().front()->started().bound, admin, shards);
  control.run();
  control.shut_down(ledger.get());
  control.health().save();
  close(signal_fd);
  return 0;
}

}  // namespace leat::app
