// SPDX-License-Identifier: Apache-2.0
// What it costs to admit and settle a request of a key with four limits and money, from leases
// (aim: well under 300 ns), with its workspace's and organisation's limits too; and to bound and
// charge it.
#include <benchmark/benchmark.h>

#include "base/check.h"
#include "policy/admission.h"
#include "policy/catalogue_builder.h"
#include "policy/charge.h"
#include "policy/quantity_homes.h"

namespace leat::policy {
namespace {

constexpr Instant kBegin{1'000'000'000'000};

class Ticket final : public AdmissionTicket {
  void admission_decided() override {}
};

// One shard whose home answers at its next turn.
class Shard final : public LeaseLink, public GrantLink {
 public:
  void send(ShardIndex, const LeaseAsk& ask) override { asks_.push_back(ask); }
  void send(ShardIndex, const LeaseReturn& back) override { returns_.push_back(back); }
  void send(ShardIndex, const LeaseGrant& grant) override { grants_.push_back(grant); }
  void send(ShardIndex, const LeaseRecall& recall) override { admission.hear(recall, now); }

  void turn() {
    for (const LeaseReturn& back : returns_) homes.hear(back, moment(), *this);
    for (const LeaseAsk& ask : asks_) homes.hear(ask, moment(), *this);
    returns_.clear();
    asks_.clear();
    for (const LeaseGrant& grant : grants_) admission.hear(grant, now);
    grants_.clear();
  }
  bool is_quiet() const { return asks_.empty() && returns_.empty(); }
  Moment moment() const { return {now, WallTime{1'700'000'000'000'000'000 + now.ns}}; }

  Instant now = kBegin;
  Admission admission{0, 1, 1, *this};
  QuantityHomes homes{{.shards = 1}};

 private:
  std::vector<LeaseAsk> asks_;
  std::vector<LeaseReturn> returns_;
  std::vector<LeaseGrant> grants_;
};

Quota quota() {
  Quota made;
  made.rates = {.requests_per_minute = 100'000'000'000,
                .tokens_per_minute = 100'000'000'000'000,
                .tokens_per_day = 1'000'000'000'000'000,
                .concurrency = 1'000'000};
  made.budgets[BudgetPeriod::kMonthly] = 1'000'000'000'000'000'000;
  return made;
}

// `range`: of how many levels (key, workspace, organisation) each has four limits and a budget.
void BM_Admission_AdmitAndSettle(benchmark::State& state) {
  Key key{.id = 1, .workspace = 1, .organisation = 1, .quota = quota()};
  Workspace workspace{.id = 1, .organisation = 1};
  Organisation organisation{.id = 1};
  if (state.range(0) > 1) workspace.quota = quota();
  if (state.range(0) > 2) organisation.quota = quota();
  const auto quantities = quantities_of(key, &workspace, organisation, 1);
  LEAT_CHECK(quantities.size() == static_cast<std::size_t>(state.range(0)) * 5);
  Shard shard;
  shard.admission.set_account(1, 1, quantities);
  const AdmissionAmounts bound{.tokens = 2'000, .money = 1'000'000};
  const AdmissionAmounts used{.tokens = 700, .money = 300'000};
  Ticket ticket;
  std::int64_t waited = 0;
  for (auto _ : state) {
    shard.now = shard.now + microseconds(10);
    AdmissionAccount* account = shard.admission.find(1, 1);
    if (shard.admission.admit(*account, bound, ticket, shard.now) == AdmissionState::kWaiting) {
      ++waited;
      while (!ticket.is_admitted()) {
        LEAT_CHECK(ticket.state() == AdmissionState::kWaiting);
        shard.turn();
      }
    }
    shard.admission.settle(ticket, used, shard.now);
    if (!shard.is_quiet()) shard.turn();
  }
  state.counters["waited"] = static_cast<double>(waited);
}
BENCHMARK(BM_Admission_AdmitAndSettle)->Arg(1)->Arg(2)->Arg(3);

struct Priced {
  Catalogue catalogue;
  std::vector<Candidate> candidates;
};

Priced priced(std::size_t endpoints) {
  CatalogueBuilder builder;
  LEAT_CHECK(builder.add_model({.id = "a/m"}).has_value());
  Priced made;
  for (std::size_t i = 0; i < endpoints; ++i) {
    const std::string slug = "p" + std::to_string(i);
    LEAT_CHECK(builder.add_provider({.slug = slug}).has_value());
    EndpointSpec spec;
    spec.model = "a/m";
    spec.provider = slug;
    spec.tag = slug;
    spec.upstream_model = "m";
    spec.facts.context = 128'000;
    spec.facts.prices[PriceClass::kPrompt] = static_cast<Picodollars>(1'000'000 + i);
    spec.facts.prices[PriceClass::kCompletion] = 4'000'000;
    LEAT_CHECK(builder.add_endpoint(spec).has_value());
    made.candidates.push_back({.endpoint = static_cast<EndpointId>(i)});
  }
  made.catalogue = std::move(*builder.finish());
  return made;
}

void BM_Charge_BoundOfPlan(benchmark::State& state) {
  const Priced made = priced(static_cast<std::size_t>(state.range(0)));
  const ChargeDemand demand{.text_bytes = 1'000, .output_cap = 500};
  LEAT_CHECK(bound_of(made.catalogue, made.candidates, demand, {}, {}).money >= 3'000'000);
  for (auto _ : state) {
    benchmark::DoNotOptimize(bound_of(made.catalogue, made.candidates, demand, {}, {}));
  }
}
BENCHMARK(BM_Charge_BoundOfPlan)->Arg(1)->Arg(8);

void BM_Charge_ChargeOf(benchmark::State& state) {
  Prices prices;
  prices[PriceClass::kPrompt] = 1'000'000;
  prices[PriceClass::kCompletion] = 4'000'000;
  const ChargeUsage usage{.prompt = 300, .cached = 100, .completion = 200, .reasoning = 50};
  LEAT_CHECK(charge_of(prices, usage, {}, false, kMoneyMax).charged == 1'100'000);
  for (auto _ : state) {
    benchmark::DoNotOptimize(charge_of(prices, usage, {.markup_ppm = 50'000}, false, kMoneyMax));
  }
}
BENCHMARK(BM_Charge_ChargeOf);

}  // namespace
}  // namespace leat::policy

BENCHMARK_MAIN();
