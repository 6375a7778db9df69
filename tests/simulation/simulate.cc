// SPDX-License-Identifier: Apache-2.0
// simulate: runs simulated worlds, one for each seed, and says which broke a rule.
//
//   simulate --seeds A..B [--trace] [--verbose]    seeds A to B, both included
//   simulate --seed N [--trace] [--verbose]        one seed
//   simulate --fresh                               one seed from the clock
//
// --http2: every provider and most clients speak HTTP/2; else those of some worlds do.
//
// Ends with status 1 and the command that replays the first failure if any seed failed, with 64 if
// it does not understand its arguments.
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "simulation/simulation.h"

namespace {

using leat::sim::SimulationResult;

// Of so many seeds one is run twice, to see that its trace is the same.
constexpr std::uint64_t kReplayEvery = 50;
constexpr std::uint64_t kFailuresShownMax = 10;
constexpr unsigned kSecondsPerSeedMax = 120;  // of wall time; one takes milliseconds
// So many seeds must have shown a request that a second provider saved.
constexpr std::uint64_t kSeedsForCoverage = 300;

struct Arguments {
  std::uint64_t first = 0;
  std::uint64_t end = 0;
  bool trace = false;
  bool verbose = false;
  bool all_http2 = false;
  bool good = false;
};

Arguments parse(int count, char** words) {
  Arguments arguments;
  for (int i = 1; i < count; ++i) {
    const std::string_view word = words[i];
    const char* value = i + 1 < count ? words[i + 1] : "";
    char* rest = nullptr;
    if (word == "--seeds") {
      arguments.first = std::strtoull(value, &rest, 10);
      if (std::strncmp(rest, "..", 2) != 0) return {};
      arguments.end = std::strtoull(rest + 2, nullptr, 10) + 1;
      ++i;
    } else if (word == "--seed") {
      arguments.first = std::strtoull(value, nullptr, 10);
      arguments.end = arguments.first + 1;
      ++i;
    } else if (word == "--fresh") {
      const auto now = std::chrono::system_clock::now().time_since_epoch();
      arguments.first = static_cast<std::uint64_t>(now.count()) % 1'000'000'000'000;
      arguments.end = arguments.first + 1;
      std::printf("fresh seed %llu\n", static_cast<unsigned long long>(arguments.first));
    } else if (word == "--trace") {
      arguments.trace = true;
    } else if (word == "--http2") {
      arguments.all_http2 = true;
    } else if (word == "--verbose") {
      arguments.verbose = true;
    } else {
      return {};
    }
  }
  arguments.good = arguments.end > arguments.first;
  return arguments;
}

struct Totals {
  SimulationResult sum;
  std::uint64_t seeds = 0;
  std::uint64_t failed = 0;
  std::uint64_t first_failed = 0;
  std::uint64_t replayed = 0;
};

// For the handler below, which may touch nothing else.
volatile std::sig_atomic_t seed_high = 0;
volatile std::sig_atomic_t seed_low = 0;
const char* program_name = "simulate";
const char* kind_of_worlds = "";  // as an argument

// The program breaks in the middle of a seed, or hangs in one: say which, then die of it.
void on_fatal_signal(int signal) {
  const auto seed = (static_cast<unsigned long long>(seed_high) << 24) |
                    static_cast<unsigned long long>(seed_low);
  char line[256];
  const int size = std::snprintf(
      line, sizeof line, "%s in seed %llu; replay it with\n  %s%s --seed %llu --verbose\n",
      signal == SIGALRM ? "hangs" : "breaks", seed, program_name, kind_of_worlds, seed);
  if (write(STDOUT_FILENO, line, static_cast<std::size_t>(size)) < 0) _exit(2);
  std::signal(signal, SIG_DFL);
  raise(signal);
}

void add(Totals& totals, const SimulationResult& result) {
  ++totals.seeds;
  totals.sum.simulated_seconds += result.simulated_seconds;
  totals.sum.events += result.events;
  totals.sum.requests += result.requests;
  totals.sum.executions += result.executions;
  totals.sum.answered += result.answered;
  totals.sum.rescued += result.rescued;
  totals.sum.carried_on += result.carried_on;
  totals.sum.hedges += result.hedges;
  totals.sum.hedges_won += result.hedges_won;
  totals.sum.holds += result.holds;
  totals.sum.borrowed += result.borrowed;
  totals.sum.records += result.records;
  totals.sum.kills += result.kills;
  totals.sum.recovered += result.recovered;
  totals.sum.streams_asked += result.streams_asked;
  totals.sum.streams_served += result.streams_served;
  for (std::size_t i = 0; i < leat::sim::kFaultCount; ++i) {
    totals.sum.fault_counts[i] += result.fault_counts[i];
  }
}

void run_seed(std::uint64_t seed, const Arguments& arguments, Totals& totals) {
  seed_high = static_cast<std::sig_atomic_t>(seed >> 24);
  seed_low = static_cast<std::sig_atomic_t>(seed & 0xff'ffff);
  alarm(kSecondsPerSeedMax);
  SimulationResult result = leat::sim::run_simulation(seed, arguments.verbose, arguments.all_http2);
  if (arguments.trace) {
    std::printf("seed %llu trace %016llx\n", static_cast<unsigned long long>(seed),
                static_cast<unsigned long long>(result.trace));
  }
  if (seed % kReplayEvery == 0 || arguments.end - arguments.first == 1) {
    ++totals.replayed;
    const SimulationResult again = leat::sim::run_simulation(seed, false, arguments.all_http2);
    if (again.trace != result.trace) result.violations.push_back("two runs, two traces");
  }
  add(totals, result);
  if (result.violations.empty()) return;
  if (totals.failed++ == 0) totals.first_failed = seed;
  if (totals.failed > kFailuresShownMax) return;
  std::printf("seed %llu failed:\n", static_cast<unsigned long long>(seed));
  for (const std::string& violation : result.violations) std::printf("  %s\n", violation.c_str());
}

void report(const Totals& totals, double seconds, const char* program) {
  const double count = static_cast<double>(totals.seeds);
  std::printf("%llu seeds in %.1f s: %.0f seeds/s, %.1f simulated hours, %llu events\n",
              static_cast<unsigned long long>(totals.seeds), seconds, count / seconds,
              totals.sum.simulated_seconds / 3600,
              static_cast<unsigned long long>(totals.sum.events));
  std::printf(
      "%llu requests, %llu asked of providers, %llu answered whole (%llu by a later one), %llu "
      "hedged (%llu won), %llu carried on, held back %llu times, %llu connections borrowed; %llu "
      "seeds run twice\n",
      static_cast<unsigned long long>(totals.sum.requests),
      static_cast<unsigned long long>(totals.sum.executions),
      static_cast<unsigned long long>(totals.sum.answered),
      static_cast<unsigned long long>(totals.sum.rescued),
      static_cast<unsigned long long>(totals.sum.hedges),
      static_cast<unsigned long long>(totals.sum.hedges_won),
      static_cast<unsigned long long>(totals.sum.carried_on),
      static_cast<unsigned long long>(totals.sum.holds),
      static_cast<unsigned long long>(totals.sum.borrowed),
      static_cast<unsigned long long>(totals.replayed));
  std::printf("%llu records, %llu gateways killed, %llu requests recovered\n",
              static_cast<unsigned long long>(totals.sum.records),
              static_cast<unsigned long long>(totals.sum.kills),
              static_cast<unsigned long long>(totals.sum.recovered));
  std::printf("over HTTP/2: %llu requests of clients, %llu asked of providers\n",
              static_cast<unsigned long long>(totals.sum.streams_asked),
              static_cast<unsigned long long>(totals.sum.streams_served));
  std::printf("faults:");
  for (std::size_t i = 0; i < leat::sim::kFaultCount; ++i) {
    std::printf("%s %s %llu", i == 0 ? "" : ",", fault_name(static_cast<leat::sim::Fault>(i)),
                static_cast<unsigned long long>(totals.sum.fault_counts[i]));
  }
  std::printf("\n");
  if (totals.failed == 0) return;
  std::printf("%llu seeds failed; replay the first with\n  %s%s --seed %llu --verbose\n",
              static_cast<unsigned long long>(totals.failed), program, kind_of_worlds,
              static_cast<unsigned long long>(totals.first_failed));
}

bool covers_http2(const SimulationResult& sum) {
  const auto struck = [&](leat::sim::Fault fault) {
    return sum.fault_counts[static_cast<std::size_t>(fault)] > 0;
  };
  return sum.streams_asked > 0 && sum.streams_served > 0 &&
         struck(leat::sim::Fault::kProviderRefusesStream) &&
         struck(leat::sim::Fault::kProviderGoesAway);
}

}  // namespace

int main(int count, char** words) {
  const Arguments arguments = parse(count, words);
  if (!arguments.good) {
    std::fprintf(stderr,
                 "usage: %s --seeds A..B | --seed N | --fresh  [--http2] [--trace] [--verbose]\n",
                 words[0]);
    return 64;
  }
  program_name = words[0];
  if (arguments.all_http2) kind_of_worlds = " --http2";
  for (const int signal : {SIGABRT, SIGSEGV, SIGALRM}) std::signal(signal, on_fatal_signal);
  Totals totals;
  const auto begin = std::chrono::steady_clock::now();
  for (std::uint64_t seed = arguments.first; seed < arguments.end; ++seed) {
    run_seed(seed, arguments, totals);
  }
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin;
  report(totals, time.count(), words[0]);
  if (totals.seeds >= kSeedsForCoverage && totals.sum.rescued == 0) {
    std::printf("no request was saved by a second provider: failover does not work\n");
    return 1;
  }
  if (totals.seeds >= kSeedsForCoverage && totals.sum.carried_on == 0) {
    std::printf("no stream was carried on by a second provider: continuation does not work\n");
    return 1;
  }
  // Both ends of it, or the worlds no longer try it.
  const bool both = totals.sum.hedges_won > 0 && totals.sum.hedges_won < totals.sum.hedges;
  if (totals.seeds >= kSeedsForCoverage && !both) {
    std::printf("no hedge was won, or none was lost\n");
    return 1;
  }
  if (totals.seeds >= kSeedsForCoverage && totals.sum.holds == 0) {
    std::printf("nothing was held back\n");
    return 1;
  }
  if (totals.seeds >= kSeedsForCoverage && totals.sum.borrowed == 0) {
    std::printf("no shard lent a connection to another\n");
    return 1;
  }
  if (totals.seeds >= kSeedsForCoverage && (totals.sum.records == 0 || totals.sum.recovered == 0)) {
    std::printf("no record was written, or none after a kill\n");
    return 1;
  }
  if (totals.seeds >= kSeedsForCoverage && !covers_http2(totals.sum)) {
    std::printf("nobody spoke HTTP/2, or no stream was refused, or no provider went away\n");
    return 1;
  }
  return totals.failed == 0 ? 0 : 1;
}
