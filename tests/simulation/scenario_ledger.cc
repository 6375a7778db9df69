// SPDX-License-Identifier: Apache-2.0
#include "simulation/scenario_ledger.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "simulation/record_oracle.h"

namespace leat::sim {

namespace {

constexpr Duration kUsualTime = seconds(4);
constexpr Duration kFullTime = seconds(12);
constexpr Duration kSlowTime = seconds(6);
constexpr Duration kDownTime = milliseconds(700);
// After a fault, until all is as before.
constexpr Duration kSettling = seconds(2);

ScenarioOptions options_of(std::uint64_t seed, bool verbose) {
  ScenarioOptions options{.seed = seed, .verbose = verbose};
  options.shards = 1 + static_cast<std::uint32_t>(seed % 2);
  options.requests_per_second = 60;
  options.ledger = SimKeepingOptions{.open_requests_max = 1'024};
  return options;
}

struct Count {
  std::uint64_t whole = 0;
  std::uint64_t recovered = 0;  // written by a start
  std::uint64_t cut_off = 0;    // asked of a provider, and no record of their own
};

// Each request that a provider was asked for has one record or was cut off by a kill and has one
// of a start; nobody else has any.
Count check_records(ScenarioWorld& scenario) {
  Count count;
  std::map<std::string, std::uint64_t> records;
  std::set<std::string> ids;
  for (const KeptRecord& record : read_records(*scenario.keeping())) {
    scenario.require(ids.insert(record.generation_id).second, "an id stands twice");
    if (record.flags.is_recovered) {
      ++count.recovered;
    } else {
      ++records[record.nonce];
    }
  }
  std::uint64_t own = 0;
  std::uint64_t number = 0;
  for (const Sample& sample : scenario.load().samples()) {
    const std::string title = title_of(number++);
    const auto found = records.find(title);
    const std::uint64_t of_it = found == records.end() ? 0 : found->second;
    own += of_it;
    count.whole += sample.is_whole;
    scenario.require(of_it <= 1, title + " has more than one record");
    scenario.require(!sample.is_whole || of_it == 1, title + " is whole and not recorded");
    count.cut_off += sample.attempts > 0 && of_it == 0;
  }
  std::uint64_t all = 0;
  for (const auto& [title, of_it] : records) all += of_it;
  scenario.require(own == all, "records of nobody's requests");
  scenario.require(count.cut_off <= count.recovered,
                   std::to_string(count.cut_off) + " requests were cut off, " +
                       std::to_string(count.recovered) + " are recorded as such");
  scenario.require(scenario.keeping()->open_count() == 0, "something stays open");
  scenario.note(std::to_string(count.whole) + " whole answers, " + std::to_string(all) +
                " records, " + std::to_string(count.recovered) + " of what was cut off");
  return count;
}

void tell(const ScenarioWorld& scenario, ScenarioResult& result) {
  result.violations = scenario.world().violations();
  result.notes = scenario.notes();
  result.simulated_seconds = Duration{scenario.world().now().ns}.seconds();
  result.requests = scenario.load().samples().size();
}

}  // namespace

void disk_full(std::uint64_t seed, bool verbose, ScenarioResult& result) {
  ScenarioOptions options = options_of(seed, verbose);
  ScenarioWorld scenario(options);
  const auto now = [&] { return scenario.world().now(); };
  const Instant began = now();
  scenario.run_for(kUsualTime);
  scenario.keeping()->set_disk_full(true);
  const Instant full = now();
  scenario.run_for(kFullTime);
  scenario.keeping()->set_disk_full(false);
  const Instant mended = now();
  scenario.run_for(kSettling + kUsualTime);
  const Instant last = now();
  scenario.finish();

  std::uint64_t refused = 0;
  for (const Sample& sample : scenario.load().samples()) {
    if (!sample.has_failed()) continue;
    const bool is_due = sample.status == 503 && sample.should_retry == "true" &&
                        sample.refusal.find(kNoRecord) != std::string::npos;
    scenario.require(is_due, "a failure that is no refusal with advice: " + sample.refusal);
    scenario.require(sample.attempts == 0, "refused after a provider was asked");
    ++refused;
  }
  scenario.note(std::to_string(refused) + " refused");
  scenario.require(refused > 0, "nothing was refused: the scenario tests nothing");
  scenario.require(scenario.failures({began, full}) == 0, "refused while there was room");
  scenario.require(scenario.failures({mended + kSettling, last}) == 0, "refused for ever");
  scenario.require(scenario.broken({began, last}) == 0, "streams broke that had begun");
  check_records(scenario);
  tell(scenario, result);
}

void disk_slow(std::uint64_t seed, bool verbose, ScenarioResult& result) {
  ScenarioOptions options = options_of(seed, verbose);
  options.faults.set(Fault::kDiskSlow, 1);
  ScenarioWorld scenario(options);
  const Instant began = scenario.world().now();
  scenario.run_for(kSlowTime);
  scenario.world().calm();
  const Instant calm = scenario.world().now();
  scenario.run_for(kSettling + kUsualTime);
  const Instant last = scenario.world().now();
  scenario.finish();

  const Window slow{began, calm};
  std::vector<Duration> waits;
  for (const Sample& sample : scenario.load().samples()) {
    if (sample.started < calm && sample.is_whole)
      waits.push_back(sample.ended - sample.first_token);
  }
  std::ranges::sort(waits);
  const double usual = waits.empty() ? 0 : waits[waits.size() / 2].seconds();
  scenario.note("from the first token to the end " + milliseconds_of(usual) +
                ", to the first token " + milliseconds_of(scenario.first_token(slow, 0.99)));
  scenario.require(usual > 0.5, "ends do not wait for their records");
  scenario.require(scenario.first_token(slow, 0.99) < 0.3, "first tokens wait for the disk");
  scenario.require(scenario.failures({began, last}) == 0, "refused because the disk is slow");
  scenario.require(scenario.broken({began, last}) == 0, "broken because the disk is slow");
  check_records(scenario);
  tell(scenario, result);
}

void kill_restart(std::uint64_t seed, bool verbose, ScenarioResult& result) {
  ScenarioWorld scenario(options_of(seed, verbose));
  const auto now = [&] { return scenario.world().now(); };
  const Instant began = now();
  scenario.run_for(kUsualTime + milliseconds(scenario.rng().between(0, 300)));
  const Instant killed = now();
  scenario.kill();
  scenario.run_for(kDownTime);
  scenario.restart();
  // In the middle of writing down what was cut off, for some seeds.
  scenario.run_for(microseconds(scenario.rng().between(0, 1'500)));
  scenario.kill();
  scenario.run_for(kDownTime);
  scenario.restart();
  const Instant back = now();
  scenario.run_for(kSettling + kUsualTime);
  const Instant last = now();
  scenario.finish();

  scenario.require(scenario.failures({began, killed - seconds(1)}) == 0, "failures before");
  scenario.require(scenario.failures({back + kSettling, last}) == 0, "failures after");
  scenario.require(!scenario.keeping()->is_recovering(), "not all was recovered");
  scenario.require(scenario.keeping()->recovery_time_max() < seconds(60), "recovered too late");
  const Count count = check_records(scenario);
  scenario.require(count.recovered > 0, "nothing was cut off: the scenario tests nothing");
  tell(scenario, result);
}

void reloads(std::uint64_t seed, bool verbose, ScenarioResult& result) {
  constexpr int kReloads = 12;
  const std::vector<std::vector<std::uint32_t>> choices = {{0, 1, 2}, {2, 1, 0}, {1, 2},
                                                           {0},       {2, 0},    {1, 0, 2}};
  ScenarioWorld scenario(options_of(seed, verbose));
  const auto now = [&] { return scenario.world().now(); };
  struct Period {
    Window window;
    std::vector<std::uint32_t> providers;
  };
  std::vector<Period> periods;
  const Instant began = now();
  scenario.run_for(kUsualTime);
  for (int i = 0; i < kReloads; ++i) {
    const auto& providers = choices[scenario.rng().below(choices.size())];
    scenario.reload(providers);
    const Instant from = now();
    // Shorter than a stream, now and then.
    scenario.run_for(milliseconds(scenario.rng().between(20, 1'500)));
    periods.push_back({{from, now()}, providers});
  }
  scenario.run_for(kUsualTime);
  periods.back().window.to = now();
  scenario.finish();

  scenario.require(scenario.failures({began, now()}) == 0, "a request failed");
  scenario.require(scenario.broken({began, now()}) == 0, "a stream broke");
  // A request is decided when its body has come: one of the first milliseconds may be from before,
  // one of the last for what comes next.
  constexpr Duration kOnTheWay = milliseconds(20);
  for (const Period& period : periods) {
    for (std::uint32_t i = 0; i < 3; ++i) {
      if (std::ranges::find(period.providers, i) != period.providers.end()) continue;
      const Window after{period.window.from + kOnTheWay, period.window.to - kOnTheWay};
      scenario.require(scenario.share(after, i) == 0, "asked who is not there any more");
    }
  }
  scenario.require(scenario.share({began, now()}, 2) > 0, "one provider is never asked");
  for (const auto& shard : scenario.gateway().shards()) {
    scenario.require(shard->gateway->former_deployments() == 0, "a deployment is left");
  }
  check_records(scenario);
  tell(scenario, result);
}

}  // namespace leat::sim
