// SPDX-License-Identifier: Apache-2.0
#include "simulation/simulation.h"

#include <algorithm>
#include <memory>
#include <string>

#include "base/check.h"
#include "gateway/snapshot.h"
#include "simulation/http2_plan.h"
#include "simulation/ledger_plan.h"
#include "simulation/limit_watch.h"
#include "simulation/oracle.h"
#include "simulation/priced_catalogue.h"
#include "simulation/record_oracle.h"
#include "simulation/sim_client.h"
#include "simulation/sim_gateway.h"
#include "simulation/sim_http2_client.h"
#include "simulation/sim_provider.h"
#include "tls/digest.h"

namespace leat::sim {

namespace {

constexpr char kClientKey[] = "sk-leat-simulated-client";
constexpr char kProviderKey[] = "sk-up-simulated-provider";
// Longer than every time limit of a request together; who still waits then waits for ever.
constexpr Duration kPatience = seconds(4'000);
// A drain ends what is idle at once; what lingers, within a stalled client's time.
constexpr Duration kDrainPatience = seconds(200);
constexpr std::uint32_t kBodyBytesOdd = 30'000;
// So many retries fit the budget's floor, whatever else was asked.
constexpr std::uint64_t kRetriesSure = 10;
// Leases that nobody uses have returned, and all that was spent is told.
constexpr Duration kLeasesReturn = seconds(4);
// What a request takes from its admission to its provider, where nothing delays it.
constexpr Duration kAskedWithin = seconds(1);
constexpr std::uint64_t kEventsMax = 3'000'000;
// Who asks many things at once asks more.
constexpr std::uint32_t kMoreAsks = 3;

io::Address gateway_address() {
  return io::Address::v4(10, 0, 0, 1, 8080);
}
io::Address provider_address(std::uint32_t index) {
  return io::Address::v4(10, 2, 0, static_cast<std::uint8_t>(index + 1), 8000);
}

// One of them is at a host whose words are known (policy/provider_facts.h).
std::string provider_host(std::uint32_t index) {
  if (index == 1) return "api.deepseek.com";
  return "p" + std::to_string(index) + ".test";
}

// Limits so tight that ordinary requests meet them.
void make_odd(Rng& rng, Options& options) {
  Limits& limits = options.limits;
  if (rng.chance(0.3)) limits.streams_per_key_max = static_cast<std::uint32_t>(rng.between(1, 4));
  if (rng.chance(0.3)) limits.body_bytes_max = kBodyBytesOdd;
  if (rng.chance(0.5)) limits.collected_answer_bytes_max = 500;
  if (rng.chance(0.3)) limits.held_bytes_max = 200;
  if (rng.chance(0.3)) limits.continuation_text_bytes_max = 200;
  if (rng.chance(0.5)) {
    limits.attempts_per_request_max = static_cast<std::uint32_t>(rng.between(1, 3));
  }
  if (rng.chance(0.3)) limits.keep_alive_idle_ms_max = 1'000;
  if (rng.chance(0.3)) limits.pipelined_requests_max = 1;
  if (rng.chance(0.3)) limits.client_buffer_bytes_max = 20'000;
  for (Provider& provider : options.providers) {
    if (rng.chance(0.3)) provider.connections_max = 2;
    if (rng.chance(0.3)) provider.idle_connections_max = static_cast<std::uint32_t>(rng.below(2));
    if (rng.chance(0.3)) provider.idle_ms_max = static_cast<std::uint32_t>(rng.between(1, 2'000));
    provider.warm_connections = std::min(provider.warm_connections, provider.idle_connections_max);
    if (rng.chance(0.2)) provider.retry_ambiguous = false;
  }
  for (Model& model : options.models) {
    if (rng.chance(0.3))
      model.first_byte_ms_max = static_cast<std::uint32_t>(rng.between(20, 3'000));
    if (rng.chance(0.3))
      model.chunk_gap_ms_max = static_cast<std::uint32_t>(rng.between(20, 3'000));
    if (rng.chance(0.3)) model.request_ms_max = static_cast<std::uint32_t>(rng.between(20, 9'000));
  }
}

// Limits of the key that are met by a few requests.
void make_limited(Rng& rng, KeyLimits& limits) {
  const auto draw = [&](std::int64_t most) {
    return static_cast<std::uint64_t>(rng.between(1, most));
  };
  if (rng.chance(0.5)) limits.requests_per_minute_max = draw(12);
  if (rng.chance(0.3)) limits.tokens_per_minute_max = draw(400'000);
  if (rng.chance(0.3)) limits.tokens_per_day_max = draw(400'000);
  if (rng.chance(0.4)) limits.concurrency_max = draw(4);
  if (rng.chance(0.6)) limits.budget_nanodollars_max = rng.between(1, 2'000'000'000);
  if (rng.chance(0.6)) limits.output_default_max = static_cast<std::uint32_t>(draw(2'000));
  if (rng.chance(0.3)) limits.markup_ppm = rng.between(-1'000'000, 1'000'000);
}

bool has_limits(const KeyLimits& limits) {
  return limits.requests_per_minute_max != KeyLimits::kUnlimited ||
         limits.tokens_per_minute_max != KeyLimits::kUnlimited ||
         limits.tokens_per_day_max != KeyLimits::kUnlimited ||
         limits.concurrency_max != KeyLimits::kUnlimited ||
         limits.budget_nanodollars_max != KeyLimits::kNoBudget;
}

// Streams are asked of a second provider soon, and of some models.
void make_hedged(Rng& rng, Options& options) {
  options.routing.hedge = true;
  options.routing.hedge_ms_min = static_cast<std::uint32_t>(rng.between(1, 1'500));
  for (Model& model : options.models) {
    model.hedge = rng.chance(0.8);
    // Known times are not to shorten the limits.
    model.first_byte_ms_min = model.first_byte_ms_max;
  }
}

// Events of streams wait for others, whatever the load.
void make_holding(Rng& rng, Options& options) {
  options.hold.mode = HoldMode::kAlways;
  options.hold.ms_max = static_cast<std::uint32_t>(rng.between(0, HoldOptions::kMsMax));
  for (Model& model : options.models) {
    model.hold_ms_max = options.hold.ms_max;
    if (rng.chance(0.3)) model.hold_ms_max = static_cast<std::uint32_t>(rng.between(0, 60));
  }
  if (rng.chance(0.3)) {
    options.keys.front().hold_ms_max = static_cast<std::uint32_t>(rng.between(0, 60));
  }
}

Options make_options(Rng& rng, std::uint32_t providers, const FaultPlan& faults,
                     const Http2Plan& http2) {
  Options options;
  options.server.shards = rng.chance(0.4) ? 2 : 1;
  options.keys.push_back({.name = "simulated", .sha256 = tls::sha256(kClientKey)});
  for (std::uint32_t i = 0; i < providers; ++i) {
    Provider provider;
    provider.name = provider.display_name = "p" + std::to_string(i);
    provider.base_url = {.tls = false,
                         .host = provider_host(i),
                         .port = provider_address(i).port,
                         .path_prefix = "/v1",
                         .authority = provider_host(i) + ":8000"};
    provider.allow_private = true;
    if (http2.providers[i]) provider.protocol = ProviderProtocol::kHttp2;
    // What was refused was not executed, and is asked again whatever else may not be.
    if (http2.only_refusals) provider.retry_ambiguous = false;
    if (rng.chance(0.2)) provider.warm_connections = 2;
    options.providers.push_back(std::move(provider));
  }
  const std::uint32_t models = 3;
  for (std::uint32_t i = 0; i < models; ++i) {
    Model model;
    model.id = model.name = "m" + std::to_string(i);
    const std::uint32_t first = static_cast<std::uint32_t>(rng.below(providers));
    const std::uint32_t count = 1 + static_cast<std::uint32_t>(rng.below(providers));
    for (std::uint32_t j = 0; j < count; ++j) {
      const std::uint32_t provider_index = (first + j) % providers;
      model.endpoints.push_back({provider_index, "up-" + std::to_string(provider_index)});
    }
    model.first_byte_ms_max = options.limits.first_byte_ms_max;
    model.chunk_gap_ms_max = options.limits.chunk_gap_ms_max;
    model.request_ms_max = options.limits.request_ms_max;
    model.continuation = rng.chance(0.4);
    options.models.push_back(std::move(model));
  }
  if (faults.of(Fault::kOddLimits) > 0) make_odd(rng, options);
  if (rng.chance(0.4)) make_hedged(rng, options);
  if (rng.chance(0.4)) make_holding(rng, options);
  if (rng.chance(0.4)) {
    make_limited(rng, options.keys.front().limits);
    options.server.shards = static_cast<std::uint32_t>(rng.between(1, 4));
  }
  return options;
}

class Simulation {
 public:
  Simulation(std::uint64_t seed, bool verbose, bool all_http2);
  SimulationResult run();

 private:
  std::vector<std::vector<double>> make_prices();
  std::vector<bool> draw_carrying_on();
  void make_gateway();
  void make_clients();
  bool run_while(Duration patience, bool (Simulation::*is_busy)());
  bool clients_are_busy();
  bool gateway_is_busy();
  bool ledgers_are_busy() { return !gateway_->finish_ledgers(); }
  bool is_down() { return gateway_ == nullptr; }
  void follow_ledger_plan();
  void kill();
  void restart(std::uint64_t) { make_gateway(); }
  void mend_disk(std::uint64_t);
  std::uint64_t begun() const;
  void tell_to_drain(std::uint64_t);
  void drain();
  void check_minutes();
  void check_held(const SimShard& shard);
  void check_nothing_is_left();
  std::vector<bool> may_be_left_out() const;
  OracleOptions oracle() const;
  SimulationResult result() const;

  Rng rng_;
  const Http2Plan http2_;
  const FaultPlan faults_;
  World world_;
  RequestBook book_;
  std::vector<std::unique_ptr<SimProvider>> providers_;
  const Options options_;
  const bool half_close_allowed_;
  const bool is_limited_;
  const LedgerPlan ledger_;
  std::unique_ptr<SimKeeping> keeping_;  // null: no ledger is kept
  std::unique_ptr<RecordOracle> records_;
  std::unique_ptr<gateway::Snapshot> snapshot_;
  std::vector<std::unique_ptr<SimGateway>> killed_;
  std::unique_ptr<SimGateway> gateway_;        // null: it was killed, and starts again soon
  std::uint64_t started_at_ = 0;               // by events
  std::uint64_t begun_without_ = kNotNoticed;  // requests, when the shards knew of no disk
  static constexpr std::uint64_t kNotNoticed = UINT64_MAX;
  bool is_ending_ = false;
  std::vector<std::unique_ptr<LimitWatch>> limits_;  // of each gateway, the last one of this
  std::vector<std::unique_ptr<SimClient>> clients_;
  std::vector<std::unique_ptr<SimHttp2Client>> http2_clients_;
};

Simulation::Simulation(std::uint64_t seed, bool verbose, bool all_http2)
    : rng_(seed ^ 0x5eed'0000'0000'0000),
      http2_(draw_http2_plan(seed, all_http2)),
      faults_(http2_.only_stalls     ? stalls_only()
              : http2_.only_refusals ? refusals_only()
                                     : FaultPlan::draw(rng_)),
      world_(seed, faults_),
      options_(make_options(rng_, static_cast<std::uint32_t>(rng_.between(1, 3)), faults_, http2_)),
      half_close_allowed_(faults_.of(Fault::kClientHalfCloses) > 0),
      is_limited_(has_limits(options_.keys.front().limits)),
      ledger_(draw_ledger_plan(seed, faults_)) {
  world_.verbose = verbose;
  for (std::size_t i = 0; i < kFaultCount; ++i) {
    const auto fault = static_cast<Fault>(i);
    if (faults_.of(fault) > 0) world_.say("may strike: %s", fault_name(fault));
  }
  for (std::uint32_t i = 0; i < options_.providers.size(); ++i) {
    providers_.push_back(std::make_unique<SimProvider>(world_, book_, i, provider_address(i)));
    providers_.back()->speaks_http2 = http2_.providers[i];
    providers_.back()->bearer = std::string("Bearer ") + kProviderKey;
  }
  const std::vector<std::vector<std::string_view>> bearers(options_.providers.size(),
                                                           {kProviderKey});
  const auto prices = make_prices();
  auto routed = std::make_shared<const gateway::RoutedCatalogue>(
      priced_catalogue(options_, prices, draw_carrying_on()));
  snapshot_ = std::make_unique<gateway::Snapshot>(options_, std::move(routed), bearers);
  if (faults_.of(Fault::kOddLimits) > 0) world_.count(Fault::kOddLimits);
  if (ledger_.is_kept) {
    keeping_ = std::make_unique<SimKeeping>(world_, ledger_.keeping);
    records_ = std::make_unique<RecordOracle>(world_, *keeping_);
    book_.on_finished = [this](const RequestRecord& request) { records_->on_finished(request); };
  }
  make_gateway();
  make_clients();
  if (world_.strikes(Fault::kDrainEarly)) {
    world_.schedule(world_.now() + milliseconds(rng_.between(0, 60'000)), EventKind::kActor,
                    event_callback<&Simulation::tell_to_drain>, this);
  }
}

// Of the endpoints of each model; some models have none, and are asked for in the file's order.
std::vector<std::vector<double>> Simulation::make_prices() {
  std::vector<std::vector<double>> prices;
  for (const Model& model : options_.models) {
    auto& of_model = prices.emplace_back();
    if (rng_.chance(0.5)) continue;
    for (std::size_t i = 0; i < model.endpoints.size(); ++i) {
      of_model.push_back(static_cast<double>(rng_.between(1, 12)));
    }
  }
  return prices;
}

// Which providers carry a broken answer on.
std::vector<bool> Simulation::draw_carrying_on() {
  std::vector<bool> carrying_on;
  for (const auto& provider : providers_) {
    provider->carries_on = rng_.chance(0.7);
    carrying_on.push_back(provider->carries_on);
  }
  return carrying_on;
}

void Simulation::make_gateway() {
  std::vector<io::Address> providers;
  for (std::uint32_t i = 0; i < options_.providers.size(); ++i) {
    providers.push_back(provider_address(i));
  }
  gateway_ = std::make_unique<SimGateway>(world_, *snapshot_, providers, keeping_.get());
  started_at_ = world_.events_run();
  gateway_->listen(gateway_address(), half_close_allowed_);
  limits_.push_back(std::make_unique<LimitWatch>(world_, *gateway_, *snapshot_));
  limits_.back()->start();
  if (options_.routing.hedge) {
    gateway_->remember_first_tokens(milliseconds(rng_.between(1, 1'000)));
  }
}

void Simulation::make_clients() {
  const auto count = static_cast<std::uint32_t>(rng_.between(1, 6));
  for (std::uint32_t i = 0; i < count; ++i) {
    ClientOptions options;
    options.from = io::Address::v4(10, 1, 0, static_cast<std::uint8_t>(i + 1), 30'000);
    options.gateway = gateway_address();
    options.key = kClientKey;
    options.models = static_cast<std::uint32_t>(options_.models.size());
    if (options_.limits.body_bytes_max == kBodyBytesOdd) options.body_bytes_max = kBodyBytesOdd;
    options.half_close_allowed = half_close_allowed_;
    options.asks = static_cast<std::uint32_t>(rng_.between(1, 6));
    if (http2_.clients[i]) {
      options.from = io::Address::v4(127, 0, 0, static_cast<std::uint8_t>(i + 1), 30'000);
      options.asks *= kMoreAsks;
      http2_clients_.push_back(std::make_unique<SimHttp2Client>(world_, book_, options));
      http2_clients_.back()->start();
      continue;
    }
    clients_.push_back(std::make_unique<SimClient>(world_, book_, options));
    clients_.back()->start();
  }
}

bool Simulation::clients_are_busy() {
  for (const auto& client : clients_) {
    if (!client->is_done()) return true;
  }
  for (const auto& client : http2_clients_) {
    if (!client->is_done()) return true;
  }
  return false;
}

bool Simulation::gateway_is_busy() {
  for (const auto& shard : gateway_->shards()) {
    if (!shard->gateway->is_drained() || shard->gateway->live_objects() > 0 ||
        shard->io.stats().sockets_open > 0) {
      return true;
    }
    for (std::uint32_t i = 0; i < options_.providers.size(); ++i) {
      if (shard->gateway->deployment().upstreams()[i]->pool->open_count() > 0) return true;
    }
  }
  return false;
}

// False: patience ran out.
bool Simulation::run_while(Duration patience, bool (Simulation::*is_busy)()) {
  const Instant latest = world_.now() + patience;
  for (std::uint64_t i = 0; (this->*is_busy)(); ++i) {
    if (!world_.run_next(latest) || world_.events_run() > kEventsMax) return false;
    if (ledger_.is_kept && gateway_ != nullptr && !is_ending_) follow_ledger_plan();
  }
  return true;
}

// ---- What becomes of the process and its disk --------------------------------------------------

void Simulation::follow_ledger_plan() {
  const std::uint64_t age = world_.events_run() - started_at_;
  if (killed_.size() < ledger_.kills.size() && age >= ledger_.kills[killed_.size()]) return kill();
  if (age == ledger_.dies_at) {
    world_.say("the disk takes nothing more");
    keeping_->set_disk_dead(true);
    if (ledger_.mends_after != LedgerPlan::kForEver) {
      world_.schedule(world_.now() + ledger_.mends_after, EventKind::kActor,
                      event_callback<&Simulation::mend_disk>, this);
    }
  }
  if (!keeping_->is_disk_dead() || begun_without_ != kNotNoticed) return;
  const auto knows = [](const std::unique_ptr<SimShard>& shard) {
    return !shard->gateway->ledger()->admits();
  };
  if (std::ranges::all_of(gateway_->shards(), knows)) begun_without_ = begun();
}

// Requests that a provider was asked for.
std::uint64_t Simulation::begun() const {
  std::uint64_t count = 0;
  for (const auto& shard : gateway_->shards()) {
    const gateway::Counters& counters = shard->counters;
    count += counters.attempts.get() - counters.retries.get() - counters.hedges.get();
  }
  return count;
}

void Simulation::mend_disk(std::uint64_t) {
  world_.say("the disk is well again");
  if (begun_without_ != kNotNoticed && begun_without_ != begun()) {
    world_.violation("something began without a disk to record it");
  }
  begun_without_ = kNotNoticed;
  keeping_->set_disk_dead(false);
}

void Simulation::kill() {
  world_.say("the gateway is killed");
  gateway_->kill();
  killed_.push_back(std::move(gateway_));
  world_.schedule(world_.now() + ledger_.restart_after, EventKind::kActor,
                  event_callback<&Simulation::restart>, this);
}

// ---- The end -----------------------------------------------------------------------------------

void Simulation::tell_to_drain(std::uint64_t) {
  if (gateway_ != nullptr) gateway_->tell_to_drain();
}

void Simulation::drain() {
  is_ending_ = true;
  if (!run_while(kDrainPatience, &Simulation::is_down)) world_.violation("it did not start again");
  tell_to_drain(0);
  // Where a half-close is allowed, who leaves by a FIN is not seen to: its request runs its time.
  const Duration patience = half_close_allowed_ ? kPatience : kDrainPatience;
  if (!run_while(patience, &Simulation::gateway_is_busy)) {
    world_.violation("the gateway does not come to rest");
  }
  world_.run_until(world_.now() + kLeasesReturn);
  limits_.back()->check_at_rest();
  const OracleOptions excuses = oracle_options(faults_);
  // What a killed one had counted is not known to the next.
  if (excuses.must_serve && excuses.is_prompt && killed_.empty()) check_minutes();
  if (!run_while(kDrainPatience, &Simulation::ledgers_are_busy)) {
    world_.violation("a ledger does not come to its end");
  }
  if (begun_without_ != kNotNoticed && begun_without_ != begun()) {
    world_.violation("something began without a disk to record it");
  }
}

void Simulation::check_minutes() {
  std::vector<Instant> asked;
  for (const auto& [nonce, record] : book_.all()) {
    if (record.status == 200 && !record.executions.empty()) {
      asked.push_back(record.executions.front().asked_at);
    }
  }
  std::ranges::sort(asked);
  limits_.back()->check_minutes(asked, kAskedWithin);
}

// What was held back of what came is watched by SimIo as it is; what was held of what goes out, by
// the gateway's own account.
void Simulation::check_held(const SimShard& shard) {
  if (faults_.of(Fault::kSlowTurn) > 0) return;
  const auto& bounds = net::HoldStats::kBounds;
  for (std::size_t i = 1; i <= bounds.size(); ++i) {
    if (bounds[i - 1] < shard.hold_max || shard.counters.held_by_time[i].get() == 0) continue;
    world_.violation("events were held for longer than they may be");
  }
}

void Simulation::check_nothing_is_left() {
  for (const auto& shard : gateway_->shards()) {
    const std::string name = "shard " + std::to_string(shard->shard.index());
    if (shard->gateway->live_objects() != 0) world_.violation(name + ": objects are left");
    if (shard->io.stats().sockets_open != 0) world_.violation(name + ": sockets are left");
    for (std::uint32_t i = 0; i < options_.providers.size(); ++i) {
      if (shard->gateway->deployment().upstreams()[i]->pool->open_count() != 0) {
        world_.violation(name + ": upstream connections are left");
      }
    }
    if (!shard->gateway->key_loads().is_empty() || shard->gateway->buffered_bytes() != 0) {
      world_.violation(name + ": a key is still charged for something");
    }
    if (shard->counters.requests_open.get() != 0 || shard->counters.connections_open.get() != 0) {
      world_.violation(name + ": counters of what is open are not back at 0");
    }
    // Every request that a provider was asked for is settled, and once.
    const gateway::Counters& counters = shard->counters;
    const std::uint64_t asked =
        counters.attempts.get() - counters.retries.get() - counters.hedges.get();
    if (counters.settled.get() != asked) world_.violation(name + ": not settled once");
    check_held(*shard);
    shard->io.stop();
  }
}

SimulationResult Simulation::run() {
  if (!run_while(kPatience, &Simulation::clients_are_busy)) {
    world_.violation("a client waits for ever");
  }
  world_.calm();
  drain();
  check_nothing_is_left();
  const OracleOptions options = oracle();
  for (const auto& [nonce, record] : book_.all()) check_request(world_, record, options);
  if (records_ != nullptr) records_->judge(book_);
  return result();
}

// Which providers some plan may have done without: a breaker of one of its endpoints opened, or it
// said that it is limited.
std::vector<bool> Simulation::may_be_left_out() const {
  std::vector<bool> may_be(options_.providers.size(), false);
  const policy::Catalogue& catalogue = snapshot_->catalogue();
  for (policy::EndpointId id = 0; id < catalogue.endpoints().size(); ++id) {
    if (!gateway_->was_ejected(id)) continue;
    may_be[snapshot_->connection_of(catalogue.endpoint(id))] = true;
  }
  for (const auto& [nonce, record] : book_.all()) {
    for (const Execution& execution : record.executions) {
      const int status = execution.status;
      if (status == 429 || status == 503 || status == 529) may_be[execution.provider] = true;
    }
  }
  return may_be;
}

OracleOptions Simulation::oracle() const {
  OracleOptions oracle = oracle_options(faults_);
  std::uint64_t attempts = 0;
  std::uint64_t retries = 0;
  for (const auto& shard : gateway_->shards()) {
    attempts += shard->counters.attempts.get();
    retries += shard->counters.retries.get() + shard->counters.hedges.get();
  }
  std::uint64_t executions = 0;
  for (const auto& [nonce, record] : book_.all()) executions += record.executions.size();
  const bool has_bounds = faults_.of(Fault::kOddLimits) > 0 || faults_.of(Fault::kDrainEarly) > 0 ||
                          retries >= kRetriesSure;
  oracle.must_move_on = attempts == executions && !has_bounds;
  for (const Model& model : options_.models) {
    auto& providers = oracle.providers_of_model.emplace_back();
    for (const auto& endpoint : model.endpoints) providers.push_back(endpoint.provider);
    oracle.may_carry_on.push_back(model.continuation);
  }
  oracle.may_be_left_out = may_be_left_out();
  oracle.are_hedged = options_.routing.hedge;
  // A limit is an excuse.
  if (is_limited_) oracle.must_serve = false;
  if (keeping_ != nullptr) {
    oracle.may_lack_record = !records_->is_sound();
    if (!keeping_->was_always_sound() || !killed_.empty()) oracle.must_serve = false;
    if (!killed_.empty()) oracle.must_move_on = oracle.must_flow = false;
  }
  return oracle;
}

SimulationResult Simulation::result() const {
  SimulationResult result;
  result.violations = world_.violations();
  result.trace = world_.trace_value();
  result.simulated_seconds = static_cast<double>(world_.now().ns) * 1e-9 - 1;
  result.events = world_.events_run();
  result.fault_counts = world_.fault_counts();
  for (const auto& [nonce, record] : book_.all()) {
    ++result.requests;
    result.executions += record.executions.size();
    result.streams_asked += record.is_stream;
    const auto is_stream = [](const Execution& execution) { return execution.is_stream; };
    result.streams_served +=
        static_cast<std::uint64_t>(std::ranges::count_if(record.executions, is_stream));
    const bool answered = record.status == 200 && record.end == RequestRecord::End::kWhole;
    result.answered += answered;
    result.carried_on += record.body.find(": leat-continued") != std::string::npos;
    const auto& executions = record.executions;
    result.rescued += answered && !executions.empty() &&
                      executions.front().provider != executions.back().provider;
  }
  if (keeping_ != nullptr) {
    result.records = records_->records();
    result.recovered = keeping_->recovered_count();
    result.kills = killed_.size();
  }
  for (const auto& shard : gateway_->shards()) {
    result.hedges += shard->counters.hedges.get();
    result.hedges_won += shard->counters.hedges_won.get();
    result.holds += shard->io.holds();
    result.borrowed += shard->counters.pool_borrowed.get();
  }
  return result;
}

}  // namespace

SimulationResult run_simulation(std::uint64_t seed, bool verbose, bool all_http2) {
  return Simulation(seed, verbose, all_http2).run();
}

}  // namespace leat::sim
