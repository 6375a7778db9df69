// SPDX-License-Identifier: Apache-2.0
#include "simulation/scenario_world.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <numeric>

#include "base/check.h"
#include "simulation/priced_catalogue.h"
#include "simulation/record_oracle.h"
#include "tls/digest.h"

namespace leat::sim {

namespace {

constexpr char kClientKey[] = "sk-leat-scenario-client";
constexpr std::uint32_t kNoLimit = 100'000;
// Of a shard whose completions cost something, against one in life: its turns take as much longer.
constexpr std::uint32_t kSlowness = 8;
constexpr char kModestKey[] = "sk-leat-scenario-modest";
constexpr Duration kEndPatience = seconds(30);
constexpr std::size_t kFailuresShown = 3;

io::Address gateway_address() {
  return io::Address::v4(10, 0, 0, 1, 8080);
}
io::Address provider_address(std::size_t index) {
  return io::Address::v4(10, 2, 0, static_cast<std::uint8_t>(index + 1), 8000);
}
std::string name_of(std::size_t index) {
  return "p" + std::to_string(index);
}
std::string key_of(std::size_t provider, std::size_t key) {
  return "sk-up-" + std::to_string(provider) + "-" + std::to_string(key);
}

bool is_in(Window window, const Sample& sample) {
  return window.from <= sample.started && sample.started < window.to;
}

template <class Predicate>
std::uint64_t count_in(const std::deque<Sample>& samples, Window window, Predicate counts) {
  std::uint64_t count = 0;
  for (const Sample& sample : samples) count += is_in(window, sample) && counts(sample);
  return count;
}

}  // namespace

std::string percent(double share) {
  char text[24];
  std::snprintf(text, sizeof text, "%.1f %%", share * 100);
  return text;
}

std::string milliseconds_of(double seconds) {
  char text[24];
  std::snprintf(text, sizeof text, "%.0f ms", seconds * 1e3);
  return text;
}

Options ScenarioWorld::make_options(const std::vector<std::uint32_t>& providers) const {
  Options options;
  options.server.shards = scenario_.shards;
  // It is the CPU that is to be short.
  if (scenario_.cost > Duration{}) {
    options.limits.streams_per_key_max = kNoLimit;
    options.hold.mode = HoldMode::kOff;  // it makes room, after a while
    options.limits.late_shrink_timeouts_ms *= kSlowness;
    options.limits.late_no_keep_alive_ms *= kSlowness;
    options.limits.late_refuse_ms *= kSlowness;
    options.limits.late_stop_accept_ms *= kSlowness;
  }
  options.keys.push_back({.name = "scenario", .sha256 = tls::sha256(kClientKey)});
  options.keys.back().limits = scenario_.limits;
  options.keys.push_back({.name = "modest", .sha256 = tls::sha256(kModestKey)});
  Model model;
  model.id = model.name = "m0";
  for (const std::uint32_t i : providers) {
    Provider provider;
    provider.name = provider.display_name = name_of(i);
    provider.base_url = {.tls = false,
                         .host = name_of(i) + ".test",
                         .port = provider_address(i).port,
                         .path_prefix = "/v1",
                         .authority = name_of(i) + ".test:8000"};
    provider.allow_private = true;
    model.endpoints.push_back({static_cast<std::uint32_t>(options.providers.size()), "up"});
    if (scenario_.cost > Duration{}) provider.connections_max = kNoLimit;
    options.providers.push_back(std::move(provider));
  }
  const auto limit = static_cast<std::uint32_t>(kFirstTokenLimit.ms());
  model.first_byte_ms_min = model.first_byte_ms_max = limit;
  model.chunk_gap_ms_max = 5'000;
  model.request_ms_max = 60'000;
  model.continuation = scenario_.continuation;
  options.routing.hedge = model.hedge = scenario_.hedges;
  options.routing.hedge_ms_min = static_cast<std::uint32_t>(kHedgeMin.ms());
  options.models.push_back(std::move(model));
  return options;
}

ScenarioWorld::ScenarioWorld(const ScenarioOptions& options)
    : scenario_(options),
      rng_(options.seed ^ 0x5ce0'0000'0000'0000),
      world_(options.seed, options.faults),
      load_(world_, {.gateway = gateway_address(),
                     .key = kClientKey,
                     .per_second = options.requests_per_second,
                     .modest_key = kModestKey,
                     .modest_share = options.modest_share}) {
  world_.verbose = options.verbose;
  for (std::uint32_t i = 0; i < options.dollars.size(); ++i) {
    providers_.push_back(std::make_unique<SteadyProvider>(world_, load_, i, provider_address(i)));
    providers_.back()->carries_on = true;
    for (std::uint32_t key = 0; key < options.keys; ++key) {
      providers_.back()->keys.push_back(key_of(i, key));
    }
  }
  std::vector<std::uint32_t> all(providers_.size());
  std::iota(all.begin(), all.end(), 0);
  make_snapshot(all);
  if (options.ledger) {
    keeping_ = std::make_unique<SimKeeping>(world_, *options.ledger);
    load_.on_whole = [this](const std::string& title) {
      const bool is_strict = keeping_->options().mode == ledger::LedgerMode::kStrict;
      require(!is_strict || has_record(*keeping_, title), title + " ended before its record");
    };
  }
  restart();
  load_.start();
}

void ScenarioWorld::make_snapshot(const std::vector<std::uint32_t>& providers) {
  const Options options = make_options(providers);
  std::vector<std::vector<std::string_view>> bearers;
  std::vector<double> dollars;
  for (const std::uint32_t each : providers) {
    bearers.emplace_back(providers_[each]->keys.begin(), providers_[each]->keys.end());
    dollars.push_back(scenario_.dollars[each]);
  }
  auto routed = std::make_shared<const gateway::RoutedCatalogue>(
      priced_catalogue(options, {dollars}, std::vector<bool>(providers.size(), true)));
  snapshots_.push_back(std::make_unique<gateway::Snapshot>(options, std::move(routed), bearers));
}

void ScenarioWorld::reload(const std::vector<std::uint32_t>& providers) {
  make_snapshot(providers);
  gateway_->reload(*snapshots_.back(), static_cast<std::uint32_t>(snapshots_.size()));
}

void ScenarioWorld::restart() {
  std::vector<io::Address> addresses;
  for (std::uint32_t i = 0; i < providers_.size(); ++i) addresses.push_back(provider_address(i));
  gateway_ = std::make_unique<SimGateway>(world_, snapshot(), addresses, keeping_.get());
  for (const auto& shard : gateway_->shards()) shard->io.set_cost(scenario_.cost);
  gateway_->listen(gateway_address(), false);
}

void ScenarioWorld::kill() {
  gateway_->kill();
  killed_.push_back(std::move(gateway_));
}

void ScenarioWorld::finish() {
  load_.stop();
  const Instant latest = world_.now() + kEndPatience;
  while (load_.open_requests() > 0 && world_.run_next(latest)) {
  }
  require(load_.open_requests() == 0, "a client waits for ever");
  load_.hang_up();
  gateway_->tell_to_drain();
  world_.run_until(world_.now() + kEndPatience);
  for (const auto& shard : gateway_->shards()) {
    require(shard->gateway->is_drained() && shard->gateway->live_objects() == 0,
            "the gateway does not come to rest");
  }
  const Instant closed = world_.now() + kEndPatience;
  while (!gateway_->finish_ledgers() && world_.run_next(closed)) {
  }
  require(gateway_->finish_ledgers(), "a ledger does not come to its end");
  for (const auto& shard : gateway_->shards()) {
    shard->io.stop();
  }
}

std::uint64_t ScenarioWorld::requests(Window window) const {
  return count_in(load_.samples(), window, [](const Sample&) { return true; });
}

std::uint64_t ScenarioWorld::failures(Window window) const {
  return count_in(load_.samples(), window, [](const Sample& s) { return s.has_failed(); });
}

std::uint64_t ScenarioWorld::broken(Window window) const {
  return count_in(load_.samples(), window, [](const Sample& s) {
    return s.ended != kNever && s.first_token != kNever && !s.is_whole;
  });
}

std::uint64_t ScenarioWorld::attempts(Window window) const {
  std::uint64_t sum = 0;
  for (const Sample& sample : load_.samples()) sum += is_in(window, sample) ? sample.attempts : 0;
  return sum;
}

std::uint64_t ScenarioWorld::hedges() const {
  std::uint64_t sum = 0;
  for (const auto& shard : gateway_->shards()) sum += shard->counters.hedges.get();
  return sum;
}

std::uint64_t ScenarioWorld::retries_refused() const {
  std::uint64_t sum = 0;
  for (const auto& shard : gateway_->shards()) sum += shard->counters.retry_budget_exhausted.get();
  return sum;
}

std::uint64_t ScenarioWorld::hedges_won() const {
  std::uint64_t sum = 0;
  for (const auto& shard : gateway_->shards()) sum += shard->counters.hedges_won.get();
  return sum;
}

std::uint64_t ScenarioWorld::listened_on(Window window) const {
  std::map<const Sample*, std::uint32_t> kept;
  for (const auto& provider : providers_) {
    for (const SteadyProvider::Asked& asked : provider->asked()) {
      // The client's first token came later than the gateway's.
      const bool is_kept = asked.connection->end(0).closed_at() > asked.sample->first_token;
      if (is_kept && is_in(window, *asked.sample)) ++kept[asked.sample];
    }
  }
  return static_cast<std::uint64_t>(
      std::ranges::count_if(kept, [](const auto& each) { return each.second > 1; }));
}

double ScenarioWorld::first_token(Window window, double quantile) const {
  std::vector<Duration> times;
  for (const Sample& sample : load_.samples()) {
    if (is_in(window, sample) && sample.first_token != kNever) {
      times.push_back(sample.first_token - sample.started);
    }
  }
  if (times.empty()) return 0;
  const auto rank = std::min(
      times.size() - 1, static_cast<std::size_t>(quantile * static_cast<double>(times.size())));
  std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(rank), times.end());
  return times[rank].seconds();
}

double ScenarioWorld::share(Window window, std::uint32_t provider) const {
  const auto served = [](const Sample& s) { return s.served_by != Sample::kNobody; };
  const std::uint64_t all = count_in(load_.samples(), window, served);
  const std::uint64_t own =
      count_in(load_.samples(), window, [&](const Sample& s) { return s.served_by == provider; });
  return all == 0 ? 0 : static_cast<double>(own) / static_cast<double>(all);
}

double ScenarioWorld::due_share(std::uint32_t provider, const std::vector<bool>& well) const {
  double all = 0;
  for (std::size_t i = 0; i < well.size(); ++i) {
    if (well[i]) all += 1 / (scenario_.dollars[i] * scenario_.dollars[i]);
  }
  const double price = scenario_.dollars[provider];
  return well[provider] ? 1 / (price * price) / all : 0;
}

void ScenarioWorld::require(bool holds, const std::string& what) {
  if (!holds) world_.violation(what);
}

void ScenarioWorld::show_failures(Window window) {
  std::size_t shown = 0;
  for (const Sample& sample : load_.samples()) {
    if (!is_in(window, sample) || !sample.has_failed() || shown == kFailuresShown) continue;
    ++shown;
    char text[160];
    std::snprintf(text, sizeof text, "at %.3f s after %.3f s and %u attempts: %d: ",
                  Duration{sample.started.ns}.seconds(), (sample.ended - sample.started).seconds(),
                  sample.attempts, sample.status);
    note(text + sample.refusal);
  }
}

}  // namespace leat::sim
