// SPDX-License-Identifier: Apache-2.0
// ScenarioWorld: a whole gateway, a steady load and a few providers of one priced model, in which a
// scenario stops and mends providers at chosen times and then reads off what clients saw. Nothing
// else goes wrong in it, unless the scenario says so: what it measures is routing and limits.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "gateway/snapshot.h"
#include "simulation/load.h"
#include "simulation/sim_gateway.h"
#include "simulation/sim_keeping.h"
#include "simulation/sim_world.h"
#include "simulation/steady_provider.h"

namespace leat::sim {

struct ScenarioOptions {
  std::uint64_t seed = 1;
  std::uint32_t shards = 1;
  std::vector<double> dollars{1, 1.2, 1.5};  // one provider each, for a million tokens
  std::uint32_t keys = 1;                    // of each provider
  double requests_per_second = 500;
  bool continuation = false;  // of broken streams, which all providers can carry on
  bool hedges = false;
  KeyLimits limits;         // of the clients' key
  Duration cost{};          // of each completion: the shards can do so much, and no more
  double modest_share = 0;  // of the requests, which are another key's
  FaultPlan faults;         // of the machine, until the world's calm()
  std::optional<SimKeepingOptions> ledger;  // none: no ledger is kept
  bool verbose = false;
};

// The first-token limit of scenarios, fixed.
inline constexpr Duration kFirstTokenLimit = seconds(1);
// A little more than a provider that is well needs.
inline constexpr Duration kHedgeMin = milliseconds(250);

// From one moment to another; requests belong to it by their start.
struct Window {
  Instant from{};
  Instant to{};
};

class ScenarioWorld {
 public:
  explicit ScenarioWorld(const ScenarioOptions& options);

  void run_for(Duration time) { world_.run_until(world_.now() + time); }
  // Requests a second, from now on.
  void set_rate(double per_second) { load_.set_rate(per_second); }
  // Ends the load, waits for what runs and drains the gateway: nothing may be left.
  void finish();

  // The gateway's process is killed, and starts again on the same files.
  void kill();
  void restart();
  // Another configuration while it serves: these providers, in this order.
  void reload(const std::vector<std::uint32_t>& providers);

  World& world() { return world_; }
  const World& world() const { return world_; }
  const Load& load() const { return load_; }
  SimGateway& gateway() { return *gateway_; }
  const gateway::Snapshot& snapshot() const { return *snapshots_.back(); }
  Rng& rng() { return rng_; }
  // Null: no ledger is kept. Its ends are watched: a strict one has each record before its end.
  SimKeeping* keeping() { return keeping_.get(); }
  std::span<const std::unique_ptr<SteadyProvider>> providers() const { return providers_; }

  // ---- What clients saw ----
  std::uint64_t requests(Window window) const;
  // Requests that got an error or nothing instead of content.
  std::uint64_t failures(Window window) const;
  // Streams that broke after content.
  std::uint64_t broken(Window window) const;
  std::uint64_t attempts(Window window) const;
  // Hedges so far, of all shards, and how many of them were won.
  std::uint64_t hedges() const;
  std::uint64_t hedges_won() const;
  // Attempts so far that no retry budget had room for.
  std::uint64_t retries_refused() const;
  // Requests that had content of one provider while another one's was still awaited.
  std::uint64_t listened_on(Window window) const;
  // Seconds; 0 where nothing was served. `quantile` in [0, 1].
  double first_token(Window window, double quantile) const;
  // Of what was served, how much by this provider: 0..1.
  double share(Window window, std::uint32_t provider) const;
  // ... and what 1/price² gives it among those that are well.
  double due_share(std::uint32_t provider, const std::vector<bool>& well) const;

  // A goal is missed: a violation, with the text as its reason. Notes are the figures.
  void require(bool holds, const std::string& what);
  void note(const std::string& figure) { notes_.push_back(figure); }
  const std::vector<std::string>& notes() const { return notes_; }
  // A few of what clients were told in it, for the reader of a failure.
  void show_failures(Window window);

 private:
  Options make_options(const std::vector<std::uint32_t>& providers) const;
  void make_snapshot(const std::vector<std::uint32_t>& providers);

  const ScenarioOptions scenario_;
  Rng rng_;
  World world_;
  std::vector<std::string> key_texts_;
  std::vector<std::unique_ptr<gateway::Snapshot>> snapshots_;  // the last is the gateway's
  Load load_;
  std::vector<std::unique_ptr<SteadyProvider>> providers_;
  std::unique_ptr<SimKeeping> keeping_;
  std::vector<std::unique_ptr<SimGateway>> killed_;
  std::unique_ptr<SimGateway> gateway_;
  std::vector<std::string> notes_;
};

std::string percent(double share);
std::string milliseconds_of(double seconds);

}  // namespace leat::sim
