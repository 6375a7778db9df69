// SPDX-License-Identifier: Apache-2.0
#include "simulation/scenario_list.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <utility>

#include "simulation/limit_watch.h"
#include "simulation/scenario_ledger.h"
#include "simulation/scenario_overload.h"

namespace leat::sim {

namespace {

constexpr double kShareSlack = 0.03;  // 3 of 100 points
constexpr Duration kWarmUp = seconds(2);
constexpr Duration kMeasuredTime = seconds(10);
// Long enough for an outage's first failures to leave an endpoint's uptime above 95 %, as they do
// of any that has been well for the five minutes that it is taken over.
constexpr Duration kHealthyTime = seconds(40);
constexpr Duration kOutage = seconds(12);
constexpr Duration kBackAfter = seconds(15);
// After a fault: the first-token limit cuts what hangs, and so long later all is as before.
constexpr Duration kSettling = seconds(2);

// What one endpoint costs beside another: alike, a little apart, far apart.
constexpr double kPrices[][3] = {{1, 1, 1}, {1, 1.2, 1.5}, {1, 2, 4}};

ScenarioOptions options_of(std::uint64_t seed, bool verbose) {
  Rng rng(seed);
  ScenarioOptions options{.seed = seed, .verbose = verbose};
  options.shards = 1 + static_cast<std::uint32_t>(rng.below(2));
  const auto& prices = kPrices[rng.below(std::size(kPrices))];
  options.dollars.assign(std::begin(prices), std::end(prices));
  return options;
}

void check_shares(ScenarioWorld& scenario, Window window, const std::vector<bool>& well,
                  const std::string& when) {
  std::string text = "shares " + when + ":";
  for (std::uint32_t i = 0; i < well.size(); ++i) {
    const double is = scenario.share(window, i);
    const double due = scenario.due_share(i, well);
    text += " " + percent(is) + " (due " + percent(due) + ")";
    scenario.require(std::abs(is - due) <= kShareSlack, "share of provider " + std::to_string(i) +
                                                            " " + when + ": " + percent(is) +
                                                            ", due " + percent(due));
  }
  scenario.note(text);
}

// `refused`: retries for which there was no budget, which nobody may be served in spite of; where
// two providers stop within ten seconds that is a few, and never as much as one request in 200.
void check_failures(ScenarioWorld& scenario, Window window, std::uint64_t refused = 0) {
  const std::uint64_t failures = scenario.failures(window);
  scenario.note(std::to_string(scenario.requests(window)) + " requests, " +
                std::to_string(scenario.attempts(window)) + " attempts, " +
                std::to_string(failures) + " failures, " + std::to_string(scenario.broken(window)) +
                " broken after content" +
                (refused > 0 ? ", " + std::to_string(refused) + " retries past the budget" : ""));
  if (failures <= std::min(refused, scenario.requests(window) / 200)) return;
  scenario.show_failures(window);
  scenario.require(false, std::to_string(failures) + " failures that a client saw");
}

void tell(const ScenarioWorld& scenario, ScenarioResult& result) {
  result.violations = scenario.world().violations();
  result.notes = scenario.notes();
  result.simulated_seconds = Duration{scenario.world().now().ns}.seconds();
  result.requests = scenario.load().samples().size();
}

// One of three providers gets into trouble and comes out of it again.
void one_in_trouble(Trouble trouble, std::uint64_t seed, bool verbose, ScenarioResult& result) {
  ScenarioWorld scenario(options_of(seed, verbose));
  const auto victim = static_cast<std::uint32_t>(scenario.rng().below(3));
  std::vector<bool> well(3, true);
  const auto now = [&] { return scenario.world().now(); };
  const Instant began = now();
  scenario.run_for(kWarmUp + kHealthyTime);
  const Window before{began + kWarmUp, now()};
  scenario.providers()[victim]->set_trouble(trouble);
  scenario.run_for(kOutage);
  const Window during{before.to + kFirstTokenLimit + kSettling, now()};
  scenario.providers()[victim]->set_trouble(Trouble::kNone);
  scenario.run_for(kBackAfter);
  const Instant back = now();
  scenario.run_for(kMeasuredTime);
  const Window after{back, now()};
  scenario.finish();

  scenario.note(std::string(trouble_name(trouble)) + ": provider " + std::to_string(victim));
  check_failures(scenario, {began, after.to});
  // Less those that were still waiting when it began.
  const double normal = scenario.first_token({before.from, before.to - kFirstTokenLimit}, 0.99);
  const double later = scenario.first_token(during, 0.99);
  scenario.note("p99 first token: " + milliseconds_of(normal) + " before, " +
                milliseconds_of(scenario.first_token({before.to, during.from}, 0.99)) +
                " in the first " + std::to_string((during.from - before.to).ms()) + " ms, " +
                milliseconds_of(later) + " later");
  scenario.require(later <= 2 * normal, "the p99 of first tokens is not back to normal");
  check_shares(scenario, before, well, "before");
  well[victim] = false;
  check_shares(scenario, during, well, "during");
  well[victim] = true;
  check_shares(scenario, after, well, "after");
  tell(scenario, result);
}

template <Trouble kTrouble>
void one(std::uint64_t seed, bool verbose, ScenarioResult& result) {
  one_in_trouble(kTrouble, seed, verbose, result);
}

// ---- Hedging ------------------------------------------------------------------------------------

struct Onset {
  double late = 0;      // share of the requests, until all is normal without hedges
  double attempts = 0;  // a request, from its beginning to its end
  std::uint64_t hedges = 0;
};

// The share of requests whose first token took more than half of what it may take.
double late_share(const ScenarioWorld& scenario, Window window) {
  constexpr int kSteps = 200;
  int on_time = 0;
  while (on_time < kSteps && scenario.first_token(window, double{1} * on_time / kSteps) <=
                                 kFirstTokenLimit.seconds() / 2) {
    ++on_time;
  }
  return 1 - double{1} * on_time / kSteps;
}

// One of three providers gets into trouble, in a world with hedging or without.
Onset onset_of(Trouble trouble, ScenarioOptions options, bool hedges, ScenarioResult& result) {
  options.hedges = hedges;
  ScenarioWorld scenario(options);
  const auto victim = static_cast<std::uint32_t>(scenario.rng().below(3));
  const Instant began = scenario.world().now();
  scenario.run_for(kWarmUp + kHealthyTime);
  const Instant struck = scenario.world().now();
  const std::uint64_t needless = scenario.hedges();
  scenario.providers()[victim]->set_trouble(trouble);
  scenario.run_for(kOutage);
  const Instant mended = scenario.world().now();
  scenario.providers()[victim]->set_trouble(Trouble::kNone);
  scenario.run_for(kBackAfter);
  const Window all{began, scenario.world().now()};
  scenario.finish();

  const Window outage{struck, mended};
  Onset onset{.late = late_share(scenario, {struck, struck + kFirstTokenLimit}),
              .attempts = static_cast<double>(scenario.attempts(outage)) /
                          static_cast<double>(scenario.requests(outage)),
              .hedges = scenario.hedges()};
  scenario.note(
      std::string(trouble_name(trouble)) + (hedges ? ", hedged: " : ", not hedged: ") +
      percent(onset.late) + " of the first " + milliseconds_of(kFirstTokenLimit.seconds()) +
      " are late, " + std::to_string(onset.attempts) + " attempts a request, " +
      std::to_string(onset.hedges) + " hedges, " + std::to_string(scenario.hedges_won()) + " won");
  check_failures(scenario, all);
  scenario.require(scenario.listened_on(all) == 0, "a loser was not hung up on at once");
  scenario.require(scenario.hedges_won() <= onset.hedges, "more hedges won than sent");
  scenario.require(needless == 0, "hedges although all were well");
  ScenarioResult own;
  tell(scenario, own);
  result.violations.insert(result.violations.end(), own.violations.begin(), own.violations.end());
  result.notes.insert(result.notes.end(), own.notes.begin(), own.notes.end());
  result.simulated_seconds += own.simulated_seconds;
  result.requests += own.requests;
  return onset;
}

// Hedging helps in the first second of an outage, before health has told it, as far as its half of
// the budgets goes; it asks no more than their share and costs no request its retry.
template <Trouble kTrouble>
void hedged(std::uint64_t seed, bool verbose, ScenarioResult& result) {
  constexpr double kFewer = 0.6;
  constexpr double kAttemptsMax = 1.1;  // retry_budget_percent_max
  const ScenarioOptions options = options_of(seed, verbose);
  const Onset without = onset_of(kTrouble, options, false, result);
  const Onset with = onset_of(kTrouble, options, true, result);
  const auto require = [&](bool holds, const char* what) {
    if (!holds) result.violations.push_back(what);
  };
  require(without.hedges == 0, "hedges although they are off");
  require(with.hedges > 0, "no hedge: the scenario tests nothing");
  require(with.late <= kFewer * without.late, "hardly fewer are late than without hedges");
  require(with.attempts <= kAttemptsMax, "more attempts than the budgets allow");
}

// ---- All of them -------------------------------------------------------------------------------

// Of the requests of a second, how many were answered whole.
double goodput(const ScenarioWorld& scenario, Instant from) {
  const Window window{from, from + seconds(1)};
  const std::uint64_t bad = scenario.failures(window) + scenario.broken(window);
  const auto all = static_cast<double>(scenario.requests(window));
  return all == 0 ? 1 : 1 - static_cast<double>(bad) / all;
}

// After the end of an outage: good within 15 s, and from then on for good.
void check_recovery(ScenarioWorld& scenario, Instant end, Instant last) {
  constexpr double kGood = 0.9;
  constexpr Duration kRecovery = seconds(15);
  Instant good_at = kNever;
  double least = 1;
  for (Instant at = end; at + seconds(1) <= last; at = at + milliseconds(100)) {
    const double is = goodput(scenario, at);
    if (is >= kGood && good_at == kNever) good_at = at;
    if (good_at != kNever) least = std::min(least, is);
  }
  scenario.note("goodput of 90 % " +
                (good_at == kNever ? "never" : milliseconds_of((good_at - end).seconds())) +
                " after the outage, at least " + percent(least) + " from then on");
  scenario.require(good_at != kNever && good_at - end <= kRecovery, "no recovery within 15 s");
  scenario.require(least >= kGood, "a second collapse");
}

void all_fail(std::uint64_t seed, bool verbose, ScenarioResult& result) {
  constexpr Duration kMinute = seconds(60);
  constexpr double kAmplificationMax = 1.1;
  ScenarioWorld scenario(options_of(seed, verbose));
  scenario.run_for(kWarmUp + kMeasuredTime);
  const Instant began = scenario.world().now();
  for (const auto& provider : scenario.providers()) provider->set_trouble(Trouble::kFails);
  scenario.run_for(kMinute);
  const Instant end = scenario.world().now();
  for (const auto& provider : scenario.providers()) provider->set_trouble(Trouble::kNone);
  scenario.run_for(seconds(40));
  const Instant last = scenario.world().now();
  scenario.finish();

  const Window outage{began, end};
  const auto attempts = static_cast<double>(scenario.attempts(outage));
  const double amplification = attempts / static_cast<double>(scenario.requests(outage));
  char text[80];
  std::snprintf(text, sizeof text, "attempts are %.3f times the requests", amplification);
  scenario.note(text);
  scenario.require(amplification <= kAmplificationMax, text);
  // A request's second attempt may find its end.
  const Window within{began, end - seconds(1)};
  scenario.require(scenario.failures(within) == scenario.requests(within),
                   "the outage was none: the scenario tests nothing");
  check_recovery(scenario, end, last);
  tell(scenario, result);
}

// ---- One by one --------------------------------------------------------------------------------

std::vector<std::uint32_t> shuffled(Rng& rng, std::uint32_t count) {
  std::vector<std::uint32_t> order;
  for (std::uint32_t i = 0; i < count; ++i) order.push_back(i);
  for (std::uint32_t i = count; i > 1; --i) std::swap(order[i - 1], order[rng.below(i)]);
  return order;
}

// Two or all of three providers are stopped in random order, far enough apart for the retry budget
// of 10 s to hold what each stop costs, and mended in another. No client sees a failure of a
// request that begins while one of them is well: with time enough left there for its second
// attempt, and after a return with time enough for the breaker's probe and a new retry budget.
void one_by_one(std::uint64_t seed, bool verbose, ScenarioResult& result) {
  constexpr Trouble kKinds[] = {Trouble::kDead, Trouble::kHangs, Trouble::kFails,
                                Trouble::kHalfHead};
  constexpr Duration kSecondAttempt = milliseconds(2'500);
  // Where all were out the retries of ten seconds are spent.
  constexpr Duration kReturn = seconds(11);
  constexpr Duration kWindowOfUptime = seconds(305);
  ScenarioOptions options = options_of(seed, verbose);
  options.requests_per_second = 100;
  ScenarioWorld scenario(options);
  const auto now = [&] { return scenario.world().now(); };
  const Instant began = now();
  scenario.run_for(kWarmUp + kMeasuredTime);
  const std::size_t stops = 2 + scenario.rng().below(2);
  std::vector<std::uint32_t> order = shuffled(scenario.rng(), 3);
  order.resize(stops);
  Instant last_stop = began;
  std::uint64_t refused = 0;
  for (const std::uint32_t provider : order) {
    last_stop = now();
    refused = scenario.retries_refused();
    const Trouble kind = kKinds[scenario.rng().below(std::size(kKinds))];
    scenario.providers()[provider]->set_trouble(kind);
    scenario.note(std::string("provider ") + std::to_string(provider) + ": " + trouble_name(kind));
    scenario.run_for(milliseconds(scenario.rng().between(11'000, 15'000)));
  }
  const Instant first_return = now();
  for (const std::uint32_t i : shuffled(scenario.rng(), static_cast<std::uint32_t>(stops))) {
    scenario.providers()[order[i]]->set_trouble(Trouble::kNone);
    scenario.run_for(milliseconds(scenario.rng().between(500, 8'000)));
  }
  // What failed is then older than any uptime that plans look at.
  scenario.run_for(kWindowOfUptime);
  const Instant back = now();
  scenario.run_for(seconds(60));
  const Instant last = now();
  scenario.finish();

  if (stops == 3) {
    check_failures(scenario, {began, last_stop - kSecondAttempt}, refused);
    check_failures(scenario, {first_return + kReturn, last});
  } else {
    check_failures(scenario, {began, last}, scenario.retries_refused());
  }
  check_shares(scenario, {back, last}, {true, true, true}, "at the end");
  tell(scenario, result);
}

// ---- Keys --------------------------------------------------------------------------------------

// One provider with several keys, some of which reach their limit.
void keys(std::uint64_t seed, bool verbose, ScenarioResult& result) {
  // An answer's way back, and the requests that were under way meanwhile.
  constexpr Duration kUnderWay = milliseconds(20);
  constexpr Duration kLimit = seconds(5);
  ScenarioOptions options = options_of(seed, verbose);
  options.dollars = {1};
  options.keys = 4;
  ScenarioWorld scenario(options);
  const Instant began = scenario.world().now();
  scenario.run_for(kWarmUp + kMeasuredTime);
  SteadyProvider& provider = *scenario.providers()[0];
  // Fewer than a request has attempts: one that meets only limited keys may be refused.
  const auto limited = static_cast<std::uint32_t>(1 + scenario.rng().below(2));
  for (std::uint32_t key = 0; key < limited; ++key) provider.limit_key(key, kLimit);
  const Instant limited_at = scenario.world().now();
  scenario.run_for(kLimit + kMeasuredTime);
  const Instant last = scenario.world().now();
  scenario.finish();

  scenario.note(std::to_string(limited) + " of 4 keys are limited");
  check_failures(scenario, {began, last});
  std::vector<std::uint64_t> asked_later(options.keys, 0);
  std::map<std::pair<std::uint32_t, std::uint32_t>, Instant> refused_at;  // by shard and key
  std::uint64_t too_early = 0;
  for (const SteadyProvider::Asked& asked : provider.asked()) {
    scenario.require(asked.key < options.keys, "asked with a key that is none of its own");
    if (asked.at >= limited_at + kLimit + seconds(1)) ++asked_later[asked.key % options.keys];
    const auto known = refused_at.find({asked.shard_host, asked.key});
    const bool is_known = known != refused_at.end() && known->second + kUnderWay < asked.at;
    if (asked.was_limited && is_known) ++too_early;
    if (asked.was_limited) refused_at.try_emplace({asked.shard_host, asked.key}, asked.at);
  }
  scenario.note(std::to_string(refused_at.size()) + " refusals of a shard's key");
  scenario.require(refused_at.size() >= limited, "no key was refused: the scenario tests nothing");
  scenario.require(too_early == 0, "limited keys were asked again before their time, " +
                                       std::to_string(too_early) + " times");
  for (const std::uint64_t count : asked_later) {
    scenario.require(count > 0, "a key is not used any more");
  }
  tell(scenario, result);
}

// ---- Broken streams ----------------------------------------------------------------------------

// One of three providers breaks its streams off behind their first words. Where the model allows it
// no client is left with half an answer, and none is told nothing of the seam; where it does not,
// every one of them is told that its answer broke. That whole answers say all that they are to, and
// nothing twice, is judged by whoever reads them.
void breaks_off(std::uint64_t seed, bool verbose, ScenarioResult& result) {
  ScenarioOptions options = options_of(seed, verbose);
  options.continuation = seed % 2 == 1;
  ScenarioWorld scenario(options);
  const auto victim = static_cast<std::uint32_t>(scenario.rng().below(3));
  const Instant began = scenario.world().now();
  scenario.run_for(kWarmUp + kHealthyTime);
  scenario.providers()[victim]->set_trouble(Trouble::kCuts);
  scenario.run_for(kOutage);
  scenario.providers()[victim]->set_trouble(Trouble::kNone);
  scenario.run_for(kBackAfter);
  const Instant last = scenario.world().now();
  scenario.finish();

  check_failures(scenario, {began, last});
  std::uint64_t cut = 0;
  std::uint64_t carried_on = 0;
  std::uint64_t silent = 0;  // neither carried on nor told
  std::uint64_t uncalled = 0;
  for (const Sample& sample : scenario.load().samples()) {
    cut += sample.was_cut;
    carried_on += sample.seams == 1 && sample.is_whole;
    const bool is_told = options.continuation ? sample.seams == 1 : !sample.is_whole;
    silent += sample.was_cut && !is_told;
    uncalled += sample.seams > (sample.was_cut && options.continuation ? 1U : 0U);
  }
  scenario.note(std::string(options.continuation ? "continuation" : "no continuation") + ": " +
                std::to_string(cut) + " cut, " + std::to_string(carried_on) + " carried on");
  scenario.require(cut > 0, "nothing was cut: the scenario tests nothing");
  scenario.require(silent == 0, std::to_string(silent) + " cut streams that nobody was told of");
  scenario.require(uncalled == 0, std::to_string(uncalled) + " seams that should not be");
  scenario.require(scenario.broken({began, last}) == (options.continuation ? 0 : cut),
                   std::to_string(scenario.broken({began, last})) + " broken streams");
  tell(scenario, result);
}

// ---- Limits ------------------------------------------------------------------------------------

// Far more is asked, of four shards, than the key may use: it gets all that it may, and never more.
// Seeds take turns: requests a minute, to the request; money and places, on machines that falter
// and with a provider that dies for a while.
void limits(std::uint64_t seed, bool verbose, ScenarioResult& result) {
  constexpr std::int64_t kPerMinute = 30;
  constexpr std::int64_t kBudget = 40'000'000;
  constexpr std::int64_t kBoundMax = 2'000'000;  // a request's: 400 bytes and 100 tokens at $4
  const bool is_rate = seed % 2 == 1;
  ScenarioOptions options = options_of(seed, verbose);
  options.shards = 4;
  options.requests_per_second = 60;
  options.limits.output_default_max = 100;
  if (is_rate) {
    options.limits.requests_per_minute_max = kPerMinute;
  } else {
    options.limits.budget_nanodollars_max = kBudget;
    options.limits.concurrency_max = 8;
    for (const Fault fault : {Fault::kSlowTurn, Fault::kNoBuffers, Fault::kFullRings}) {
      options.faults.set(fault, 0.02);
    }
  }
  ScenarioWorld scenario(options);
  LimitWatch watch(scenario.world(), scenario.gateway(), scenario.snapshot());
  watch.start();
  const auto victim = static_cast<std::uint32_t>(scenario.rng().below(3));
  scenario.run_for(seconds(30));
  if (!is_rate) scenario.providers()[victim]->set_trouble(Trouble::kDead);
  scenario.run_for(seconds(20));
  scenario.providers()[victim]->set_trouble(Trouble::kNone);
  scenario.run_for(seconds(135));
  scenario.world().calm();
  scenario.finish();
  watch.check_at_rest();

  std::vector<Instant> asked;
  for (const auto& provider : scenario.providers()) {
    for (const SteadyProvider::Asked& each : provider->asked()) asked.push_back(each.at);
  }
  std::ranges::sort(asked);
  const std::int64_t charged = watch.charged();
  scenario.note(std::to_string(scenario.load().samples().size()) + " requests, " +
                std::to_string(asked.size()) + " asked of providers, charged " +
                std::to_string(charged));
  if (is_rate) {
    // In 185 s: at once, and whenever a minute has passed.
    watch.check_minutes(asked, seconds(1));
    scenario.require(asked.size() == 4 * kPerMinute, "not all that it may was asked");
  } else {
    scenario.require(charged > kBudget - kBoundMax, "money is left that nobody can spend");
  }
  tell(scenario, result);
}

constexpr Scenario kScenarios[] = {
    {"dead", one<Trouble::kDead>},
    {"hangs", one<Trouble::kHangs>},
    {"slow", one<Trouble::kSlow>},
    {"fails", one<Trouble::kFails>},
    {"limited", one<Trouble::kLimited>},
    {"limited-for", one<Trouble::kLimitedFor>},
    {"garbage", one<Trouble::kGarbage>},
    {"half-head", one<Trouble::kHalfHead>},
    {"half-event", one<Trouble::kHalfEvent>},
    {"hedged-hangs", hedged<Trouble::kHangs>},
    {"hedged-slow", hedged<Trouble::kSlow>},
    {"all-fail", all_fail},
    {"one-by-one", one_by_one},
    {"keys", keys},
    {"breaks-off", breaks_off},
    {"limits", limits},
    {"disk-full", disk_full},
    {"disk-slow", disk_slow},
    {"kill-restart", kill_restart},
    {"reloads", reloads},
    {"overload", overload},
};

}  // namespace

std::span<const Scenario> all_scenarios() {
  return kScenarios;
}

}  // namespace leat::sim
