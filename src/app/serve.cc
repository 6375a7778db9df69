// SPDX-License-Identifier: Apache-2.0
#include "app/serve.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <optional>
#include <utility>

#include "app/configurations.h"
#include "app/control_shard.h"
#include "app/huge_pages.h"
#include "app/material.h"
#include "control/addresses.h"
#include "control/carried_limits.h"
#include "control/command_line.h"
#include "control/content_files.h"
#include "control/inherited_sockets.h"
#include "control/ledger_keeper.h"
#include "control/machine.h"
#include "control/placement.h"
#include "control/sandbox.h"
#include "control/takeover.h"
#include "leat/version.h"

namespace leat::app {

namespace {

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
  sigaddset(&signals, SIGUSR1);
  sigaddset(&signals, SIGHUP);
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

// All that runs, in the order in which it is made: what comes later uses what came before.
class Service {
 public:
  Service(const Options& options, std::shared_ptr<const gateway::RoutedCatalogue> routed,
          const ConfigSource& source, const control::Surroundings& surroundings,
          const sigset_t& signals)
      : options_(options),
        routed_(std::move(routed)),
        source_(source),
        surroundings_(surroundings),
        signals_(signals) {}
  ~Service() {
    if (signal_fd_ >= 0) close(signal_fd_);
  }
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  // Reads what is needed of this machine, and enters the sandbox. What is wrong, or empty.
  std::string load();
  // After load(): starts everything. What is wrong, or empty: then nothing runs any more.
  std::string start();
  // After start(), until a signal has ended it.
  void run();

 private:
  std::string find_listeners();
  void choose_steering();
  std::string start_ledger();
  ShardSetup shard_setup();
  std::vector<gateway::TicketMail> share_out_tickets();
  std::string start_shards();
  std::string take_over();
  void tell_start(const std::string& admin) const;

  const Options& options_;
  std::shared_ptr<const gateway::RoutedCatalogue> routed_;
  const ConfigSource& source_;
  const control::Surroundings& surroundings_;
  const sigset_t signals_;
  const std::uint64_t descriptors_ = raise_descriptor_limit();
  const control::MachineFacts machine_ = control::read_machine_facts();
  const std::uint32_t shards_ =
      options_.server.shards != 0 ? options_.server.shards : std::max(machine_.cores_usable, 1U);
  const std::uint64_t memory_ = options_.limits.memory_bytes_max != 0
                                    ? options_.limits.memory_bytes_max
                                    : machine_.usable_memory();
  control::InheritedSockets inherited_;
  std::unique_ptr<control::TakeoverRequest> request_;  // null: nobody is taken over from
  policy::CarriedQuantities carried_;                  // what limits stand at with it
  // Of who takes over from us, and of clients of processes before.
  control::OwnedDescriptor takeover_;
  std::optional<io::InheritedListener> passage_;
  gateway::PassageToken passage_token_{};
  control::SandboxLayers sandbox_;
  control::SteeringChoice steering_;
  std::unique_ptr<io::UringIo> io_;
  std::optional<Configurations> configurations_;
  // For the life of the process, so that sessions outlive a change of certificates.
  tls::TicketSeed tickets_;
  gateway::PeerMail peers_{shards_};
  std::unique_ptr<control::LedgerKeeper> ledger_;  // null: no records are kept
  int signal_fd_ = -1;
  std::unique_ptr<ControlShard> control_;
};

std::string Service::load() {
  auto material = std::make_unique<Material>();
  if (std::string fault = material->load(options_, surroundings_); !fault.empty()) return fault;
  if (std::string fault = find_listeners(); !fault.empty()) return fault;
  choose_steering();
  if (const std::string& folder = options_.content_log.folder; !folder.empty()) {
    // The sandbox takes in only what is there.
    const std::string fault = control::prepare_content_folder(folder);
    if (!fault.empty()) return "content_log.folder: " + fault;
  }
  // Before there are threads: all of them are in it.
  sandbox_ = control::enter_sandbox(control::SandboxRole::kProcess,
                                    control::sandbox_paths(options_, source_.files), surroundings_);
  auto io = io::UringIo::create({.writes_files = false, .inherited = inherited_.admin});
  if (!io) return io.error().what;
  io_ = std::move(*io);
  if (options_.server.hardening == Hardening::kRequire) {
    const std::string missing =
        control::missing_hardening(sandbox_, material->is_locked(), io_->is_restricted());
    if (!missing.empty()) return "server.hardening is \"require\", and this is missing: " + missing;
  }
  configurations_.emplace(std::make_shared<const LoadedConfiguration>(
      options_, routed_, std::move(material), io_->wall_now(), shards_, nullptr));
  return {};
}

// Those of the process that we take over from, those of the service manager, or our own.
std::string Service::find_listeners() {
  const std::string& path = options_.server.takeover_socket;
  if (!path.empty()) {
    auto request = control::TakeoverRequest::connect(path);
    if (!request) return path + ": " + request.error().what;
    request_ = std::move(*request);
  }
  inherited_ = request_ != nullptr
                   ? control::taken_sockets(request_->listeners(), options_, shards_)
                   : control::inherited_sockets(surroundings_, getpid(), options_);
  if (!inherited_.fault.empty() || path.empty()) return inherited_.fault;
  if (std::string fault = control::open_listeners(options_, shards_, inherited_); !fault.empty()) {
    return fault;
  }
  if (request_ != nullptr) {
    passage_ = request_->passage();
    passage_token_ = request_->token();
    return {};
  }
  const auto passage = io::InheritedListener::open(io::Address::v4(127, 0, 0, 1, 0));
  auto opened = control::TakeoverDoor::open(path);
  if (!passage || !opened) return path + ": " + (passage ? opened.error() : passage.error()).what;
  passage_ = *passage;
  const auto token = control::random_bytes();
  std::copy(token.begin(), token.end(), passage_token_.begin());
  takeover_ = std::move(*opened);
  return {};
}

// After find_listeners(), and before the sandbox, which keeps the network cards from our eyes.
void Service::choose_steering() {
  const ServerOptions& server = options_.server;
  const bool is_open = server.steering == Steering::kAuto && server.pin.size() > 1;
  steering_ =
      control::choose_steering(server, is_open ? control::read_topology() : control::Topology{});
  if (!steering_.by_core) return;
  // A listener that several shards share has no core.
  for (const io::InheritedListener& each : inherited_.listen) {
    const auto count =
        std::ranges::count(inherited_.listen, each.address, &io::InheritedListener::address);
    if (static_cast<std::uint32_t>(count) != shards_) {
      steering_ = {false, "there are fewer sockets than shards at " + each.address.to_string()};
      return;
    }
  }
}

std::string Service::start() {
  if (request_ != nullptr) {
    if (const auto yielded = request_->yield(); !yielded) return yielded.error().what;
    auto carried = control::read_carried_quantities(request_->carried());
    if (!carried) std::printf("leat: what rates stand at is not known: they begin anew\n");
    carried_ = std::move(carried).value_or(policy::CarriedQuantities{});
  }
  if (std::string fault = start_ledger(); !fault.empty()) return fault;
  std::string fault = start_shards();
  std::string admin;
  if (fault.empty()) {
    control_->health().begin();
    control_->conversations().begin();
    fault = control_->open_admin(admin);
  }
  if (fault.empty() && !options_.server.takeover_socket.empty()) fault = take_over();
  if (!fault.empty()) {
    control_->shut_down(ledger_.get());
    return fault;
  }
  tell_start(admin);
  return {};
}

// From here on we serve, and another may take over from us. What is wrong, or empty.
std::string Service::take_over() {
  if (request_ != nullptr) {
    if (const auto told = request_->ready(); !told) return told.error().what;
    control_->predecessors().hear(request_->take_finishing());
    std::printf("leat: took over from the process that served\n");
  }
  control::TakeoverSockets sockets;
  for (const auto& each : inherited_.listen) sockets.listeners.push_back(each.fd);
  for (const auto& each : inherited_.admin) sockets.listeners.push_back(each.fd);
  sockets.passage = passage_->fd;
  sockets.passed_to = {.address = passage_->address, .token = passage_token_};
  sockets.takeover = request_ != nullptr ? request_->takeover() : takeover_.get();
  control_->open_takeover(ledger_.get(), sockets);
  return {};
}

// The ledger and those that read it: health and accounts.
std::string Service::start_ledger() {
  std::string fault;
  ledger_ = control::LedgerKeeper::start(options_, shards_, fault);
  if (!fault.empty()) return fault;
  signal_fd_ = signalfd(-1, &signals_, SFD_NONBLOCK | SFD_CLOEXEC);
  control_ = std::make_unique<ControlShard>(ControlShard::Parts{.io = *io_,
                                                                .configurations = *configurations_,
                                                                .shards = shards_,
                                                                .signal_fd = signal_fd_,
                                                                .memory_bytes = memory_,
                                                                .surroundings = surroundings_,
                                                                .config_file = source_.file});
  const Material& material = configurations_->first().material();
  fault = control_->requests().start(options_, material.trace_roots(), material.trace_secret());
  if (!fault.empty()) return fault;
  control_->health().load(surroundings_);
  control_->conversations().load(surroundings_,
                                 request_ != nullptr ? request_->conversations() : "");
  return control_->accounts().start(material.accounts(), ledger_.get());
}

// What all shards have in common.
ShardSetup Service::shard_setup() {
  ShardSetup setup;
  share_out(options_.limits, descriptors_, memory_, shards_, setup);
  setup.configuration = Configurations::for_shards(configurations_->share());
  setup.limits.peers = &peers_;
  setup.limits.restored = control_->accounts().restored();
  setup.limits.carried = carried_;
  setup.keys = &control_->accounts().first();
  setup.conversations = control_->conversations().first();
  setup.surroundings = &surroundings_;
  setup.ledger = ledger_.get();
  setup.memory_percent = &control_->memory_percent();
  if (steering_.by_core) setup.steering = options_.server.pin;
  setup.huge_pages = pages_of_rings(options_.server.huge_pages);
  setup.napi_busy_poll_us = options_.server.napi_busy_poll_us;
  return setup;
}

// What the process before left, by shard.
std::vector<gateway::TicketMail> Service::share_out_tickets() {
  std::vector<gateway::TicketMail> shares(shards_);
  if (request_ == nullptr) return shares;
  std::size_t next = 0;
  for (gateway::LentTicket& each : request_->take_tickets()) {
    shares[next++ % shards_].lent.push_back(std::move(each));
  }
  return shares;
}

// One by one: a port that the kernel chose for the first is the others' too.
std::string Service::start_shards() {
  ShardSetup setup = shard_setup();
  for (const Listener& listener : options_.server.listen) {
    const auto address = io::Address::parse(
        control::to_string(Listener{.host = listener.host, .port = listener.port}));
    if (!address) return "cannot read the address of a listener";
    setup.listen.push_back(*address);
  }
  tickets_ = {.secret = control::random_bytes(), .begin = io_->now()};
  setup.tickets = &tickets_;
  if (passage_) setup.passage = {.address = passage_->address, .token = passage_token_};
  auto provider_tickets = share_out_tickets();
  for (std::uint32_t i = 0; i < shards_; ++i) {
    setup.index = i;
    setup.provider_tickets = &provider_tickets[i];
    setup.events = control_->requests().ring(i);
    setup.contents = control_->requests().contents(i);
    setup.inherited = inherited_.of_shard(i);
    if (passage_) setup.inherited.push_back(*passage_);
    setup.core = i < options_.server.pin.size() ? static_cast<int>(options_.server.pin[i]) : -1;
    setup.seed = random_seed();
    auto thread = std::make_unique<ShardThread>(setup, io_->waker());
    if (!thread->started().fault.empty()) return thread->started().fault;
    setup.listen = thread->started().bound;
    control_->add(std::move(thread));
  }
  return {};
}

void Service::tell_start(const std::string& admin) const {
  std::printf("leat: hardening: %s, rings %srestricted, keys %slocked in memory\n",
              sandbox_.text().c_str(), io_->is_restricted() ? "" : "NOT ",
              configurations_->first().material().is_locked() ? "" : "NOT ");
  std::vector<control::ShardPlace> places;
  for (const auto& shard : control_->shards()) places.push_back(shard->started().place);
  const auto huge = control::huge_page_bytes();
  std::printf("leat: %s\n",
              control::placement_line(options_.server, steering_, places, huge).c_str());
  const auto logged = std::ranges::count_if(options_.keys, &ClientKey::log_content);
  const bool has_store = !options_.accounts.store_file.empty();
  const std::string& folder = options_.content_log.folder;
  if (!folder.empty() && (logged > 0 || has_store)) {
    std::printf("leat: content of %td key%s%s is logged in %s\n", logged, logged == 1 ? "" : "s",
                has_store ? ", and of those of the accounts that say so," : "", folder.c_str());
  }
  print_addresses(options_, control_->shards().front()->started().bound, admin, shards_);
}

void Service::run() {
  control_->run();
  control_->shut_down(ledger_.get());
  if (control_->is_retired()) return;
  control_->health().save();
  control_->conversations().save();
}

}  // namespace

int serve(const Options& options, std::shared_ptr<const gateway::RoutedCatalogue> routed,
          const ConfigSource& source, const control::Surroundings& surroundings) {
  const sigset_t signals = set_up_signals();
  prctl(PR_SET_DUMPABLE, 0);  // keys and prompts belong in no core file
  ask_for_huge_pages(options.server.huge_pages);
  Service service(options, std::move(routed), source, surroundings, signals);
  if (const std::string fault = service.load(); !fault.empty()) return refuse(fault);
  if (const std::string fault = service.start(); !fault.empty()) return refuse(fault);
  service.run();
  return 0;
}

}  // namespace leat::app
