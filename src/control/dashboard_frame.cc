// SPDX-License-Identifier: Apache-2.0
#include "control/dashboard_frame.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/check.h"
#include "control/endpoint_sums.h"
#include "control/listed_health.h"
#include "control/listing_json.h"
#include "control/metrics.h"
#include "leat/version.h"

namespace leat::control {
namespace {

using gateway::Counter;
using gateway::Counters;

struct Row {
  const char* name;  // that of its series, without leat_ and _total
  Counter Counters::*member;
};
constexpr Row kRows[] = {
    {"requests", &Counters::requests},
    {"requests_open", &Counters::requests_open},
    {"connections_open", &Counters::connections_open},
    {"streams_completed", &Counters::streams_completed},
    {"answers_completed", &Counters::answers_completed},
    {"client_gone", &Counters::client_gone},
    {"attempts", &Counters::attempts},
    {"retries", &Counters::retries},
    {"hedges", &Counters::hedges},
    {"hedges_won", &Counters::hedges_won},
    {"upstream_failures", &Counters::upstream_failures},
    {"streams_cut", &Counters::streams_cut},
    {"streams_continued", &Counters::streams_continued},
    {"stream_events", &Counters::events_so_far},
    {"prompt_tokens", &Counters::prompt_tokens},
    {"completion_tokens", &Counters::completion_tokens},
    {"exchanges_settled", &Counters::settled},
    {"pool_idle", &Counters::pool_idle},
    {"pool_open", &Counters::pool_open},
    {"io_turns", &Counters::io_turns},
    {"io_completions", &Counters::io_completions},
    {"io_cq_overflows", &Counters::io_cq_overflows},
    {"io_no_buffers", &Counters::io_no_buffers},
    {"ledger_entries", &Counters::ledger_entries},
    {"ledger_open_requests", &Counters::ledger_open},
    {"ledger_unavailable", &Counters::ledger_unavailable},
};
constexpr Row kMoneyRows[] = {
    {"charged_nanodollars", &Counters::charged_nanodollars},
    {"cost_nanodollars", &Counters::cost_nanodollars},
    {"shortfall_nanodollars", &Counters::shortfall_nanodollars},
};

std::string_view name_of(policy::OutcomeClass outcome) {
  switch (outcome) {
    case policy::OutcomeClass::kSuccess:
      return "success";
    case policy::OutcomeClass::kFailure:
      return "failure";
    case policy::OutcomeClass::kRateLimited:
      return "rate_limited";
    case policy::OutcomeClass::kRegion:
      return "region";
    case policy::OutcomeClass::kNotCounted:
      return "not_counted";
  }
  LEAT_UNREACHABLE("an outcome without a name");
}

class FrameWriter {
 public:
  FrameWriter(const FrameInput& input, FrameReader reader)
      : input_(input), is_operator_(reader == FrameReader::kOperator) {}

  std::string write() {
    put(R"({{"at":{},"version":"{}","uptime_s":{},"ready":{},"shards":{},"operator":{})",
        input_.wall.unix_ns / 1'000'000, kVersion, (input_.now - input_.began).ns / 1'000'000'000,
        input_.is_ready, input_.shards.size(), is_operator_);
    rows("counters", kRows);
    if (is_operator_) rows("money", kMoneyRows);
    cores();
    rates();
    classes();
    refusals();
    first_token();
    endpoints();
    if (is_operator_) running();
    out_ += '}';
    return std::move(out_);
  }

 private:
  template <class... Args>
  void put(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(out_), format, std::forward<Args>(args)...);
  }

  std::uint64_t sum(Counter Counters::*member) const {
    std::uint64_t sum = 0;
    for (const Counters* shard : input_.shards) sum += (shard->*member).get();
    return sum;
  }

  void rows(const char* name, std::span<const Row> rows) {
    put(R"(,"{}":{{)", name);
    for (const Row& row : rows) {
      put(R"({}"{}":{})", &row == rows.data() ? "" : ",", row.name, sum(row.member));
    }
    out_ += '}';
  }

  // By shard: how much of its core it uses, how late it is, how long events wait for that.
  void cores() {
    out_ += R"(,"cores":[)";
    for (const Counters* const& shard : input_.shards) {
      put(R"({}{{"busy":{:.3f},"late_ms":{:.3f},"hold_ms":{:.3f}}})",
          &shard == input_.shards.data() ? "" : ",",
          static_cast<double>(shard->core_permille.get()) / 1e3,
          static_cast<double>(shard->turn_lag_us.get()) / 1e3,
          static_cast<double>(shard->hold_us.get()) / 1e3);
    }
    out_ += ']';
  }

  void rates() {
    const DashboardRates& of = input_.rates;
    put(R"(,"rates":{{"requests":{:.2f},"refused":{:.2f},"events":{:.2f},)"
        R"("completion_tokens":{:.2f},"failures":{:.2f}}})",
        of.requests, of.refused, of.events, of.completion_tokens, of.failures);
  }

  void classes() {
    out_ += R"(,"responses":{)";
    for (std::size_t i = 1; i < std::tuple_size_v<decltype(Counters::responses_by_class)>; ++i) {
      std::uint64_t sum = 0;
      for (const Counters* shard : input_.shards) sum += shard->responses_by_class[i].get();
      put(R"({}"{}xx":{})", i == 1 ? "" : ",", i, sum);
    }
    out_ += '}';
  }

  // Those that were met.
  void refusals() {
    out_ += R"(,"refusals":{)";
    const char* comma = "";
    for (const auto& [reason, count] : refusals_by_reason(input_.shards)) {
      if (count == 0) continue;
      put(R"({}"{}":{})", comma, reason, count);
      comma = ",";
    }
    out_ += '}';
  }

  // In milliseconds; null: nothing is known.
  void percentiles(const char* name, const policy::Percentiles& seconds) {
    if (seconds[0] == 0) return put(R"(,"{}":null)", name);
    put(R"(,"{}":{{"p50":{:.1f},"p75":{:.1f},"p90":{:.1f},"p99":{:.1f}}})", name, seconds[0] * 1e3,
        seconds[1] * 1e3, seconds[2] * 1e3, seconds[3] * 1e3);
  }

  // Of all endpoints together.
  void first_token() {
    policy::Distributions five;
    policy::Distributions thirty;
    for (const policy::EndpointId id : input_.board.known()) {
      five.merge(input_.board.windows(id).five_minutes.sum(input_.now));
      thirty.merge(input_.board.windows(id).half_hour.sum(input_.now));
    }
    percentiles("first_token_ms_5m", policy::first_token_percentiles(five));
    percentiles("first_token_ms_30m", policy::first_token_percentiles(thirty));
  }

  struct Shown {
    policy::EndpointId id = policy::kNoId;
    EndpointSum sum;
  };
  // Those that were asked or that something is known of; the busiest first.
  std::vector<Shown> shown() const {
    std::vector<Shown> all;
    std::vector<bool> is_known(input_.catalogue.endpoints().size());
    for (const policy::EndpointId id : input_.board.known()) is_known[id] = true;
    for (policy::EndpointId id = 0; id < input_.catalogue.endpoints().size(); ++id) {
      Shown one{id, sum_of(input_.endpoints, id)};
      if (is_known[id] || one.sum.asked() > 0) all.push_back(one);
    }
    std::ranges::stable_sort(all, std::greater(), [](const Shown& one) { return one.sum.asked(); });
    if (all.size() > kFrameEndpointsMax) all.resize(kFrameEndpointsMax);
    return all;
  }

  void endpoints() {
    const std::vector<Shown> all = shown();
    collect_outcomes();
    reports_.resize(input_.catalogue.endpoints().size());
    for (const Shown& one : all) reports_[one.id] = input_.board.report(one.id, input_.now);
    out_ += R"(,"endpoints":[)";
    const char* comma = "";
    for (const Shown& one : all) {
      out_ += comma;
      endpoint(one);
      comma = ",";
    }
    out_ += ']';
  }

  void number(const char* name, std::optional<double> value) {
    if (!value) return put(R"(,"{}":null)", name);
    put(R"(,"{}":{:.4g})", name, *value);
  }

  void endpoint(const Shown& one) {
    const policy::Endpoint& endpoint = input_.catalogue.endpoint(one.id);
    const policy::HealthReport& report = reports_[one.id];
    const ListedHealth health = listed_health({input_.board.views(), reports_, input_.now}, one.id);
    put(R"({{"id":{},"model":{},"endpoint":{},"provider":{},"status":{},"waiting":{})", one.id,
        json_text(model_name_of(input_.catalogue, endpoint)), json_text(endpoint.tag),
        json_text(input_.catalogue.provider(endpoint.provider).name),
        static_cast<int>(health.status), report.waiting);
    number("uptime_5m", health.uptime_percent_5m);
    number("uptime_30m", health.uptime_percent_30m);
    number("uptime_1d", health.uptime_percent_1d);
    percentiles("first_token_ms", report.latency_s_30m);
    number("tokens_per_second", health.tokens_per_second_30m
                                    ? std::optional(health.tokens_per_second_30m->p50)
                                    : std::nullopt);
    const auto planned = input_.planned_shares.find(one.id);
    number("planned_share",
           planned != input_.planned_shares.end() ? std::optional(planned->second) : std::nullopt);
    const policy::Distributions five = input_.board.windows(one.id).five_minutes.sum(input_.now);
    put(R"(,"attempts_5m":{})", five.counts.counted() + five.rate_limited);
    attempts(one.sum);
    outcomes(one.id);
    put(R"(,"prompt_tokens":{},"completion_tokens":{})", one.sum.prompt_tokens,
        one.sum.completion_tokens);
    if (is_operator_) {
      put(R"(,"cost_nanodollars":{},"charged_nanodollars":{})", one.sum.cost, one.sum.charged);
    }
    out_ += '}';
  }

  // Of each endpoint the newest first, whichever shard saw it.
  void collect_outcomes() {
    for (const gateway::ShardReport* report : input_.reports) {
      for (const gateway::EndpointOutcome& one : report->outcomes) {
        outcomes_[one.endpoint].push_back(&one);
      }
    }
    for (auto& [endpoint, list] : outcomes_) {
      std::ranges::stable_sort(list, {}, [](const auto* one) { return one->age.ns; });
      if (list.size() > kFrameOutcomesMax) list.resize(kFrameOutcomesMax);
    }
  }

  void outcomes(policy::EndpointId endpoint) {
    out_ += R"(,"outcomes":[)";
    const char* comma = "";
    for (const gateway::EndpointOutcome* one : outcomes_[endpoint]) {
      put(R"({}{{"outcome":"{}","status":{},"age_s":{})", comma, name_of(one->outcome.outcome),
          one->outcome.status, one->age.ns / 1'000'000'000);
      if (one->outcome.first_token != policy::Outcome::kNoToken) {
        put(R"(,"first_token_ms":{:.1f})",
            static_cast<double>(one->outcome.first_token.us()) / 1e3);
      }
      out_ += '}';
      comma = ",";
    }
    out_ += ']';
  }

  // Where nobody answered yet nothing is said, which is not the same as that nothing runs.
  void running() {
    if (input_.reports.empty()) return;
    std::vector<const gateway::RunningRequest*> all;
    for (const gateway::ShardReport* report : input_.reports) {
      for (const gateway::RunningRequest& one : report->running) all.push_back(&one);
    }
    std::ranges::stable_sort(all, std::greater(), [](const auto* one) { return one->age.ns; });
    if (all.size() > kFrameRunningMax) all.resize(kFrameRunningMax);
    out_ += R"(,"running":[)";
    const char* comma = "";
    for (const gateway::RunningRequest* one : all) {
      const bool is_asked = one->endpoint < input_.catalogue.endpoints().size();
      put(R"({}{{"id":{},"key":{},"model":{},"endpoint":{},"stage":"{}","age_ms":{},)"
          R"("attempts":{},"events":{}}})",
          comma, json_text(one->id), json_text(one->key), json_text(one->model),
          is_asked ? json_text(input_.catalogue.endpoint(one->endpoint).tag) : "null", one->stage,
          one->age.ms(), one->attempts, one->events);
      comma = ",";
    }
    out_ += ']';
  }

  void attempts(const EndpointSum& sum) {
    out_ += R"(,"attempts":{)";
    const char* comma = "";
    for (std::size_t i = 0; i < sum.attempts.size(); ++i) {
      if (sum.attempts[i] == 0) continue;
      put(R"({}"{}":{})", comma,
          ledger::attempt_outcome_name(static_cast<ledger::AttemptOutcome>(i)), sum.attempts[i]);
      comma = ",";
    }
    out_ += '}';
  }

  const FrameInput& input_;
  bool is_operator_;
  std::map<policy::EndpointId, std::vector<const gateway::EndpointOutcome*>> outcomes_;
  std::vector<policy::HealthReport> reports_;  // by endpoint; of those that are shown
  std::string out_;
};

}  // namespace

std::string dashboard_frame(const FrameInput& input, FrameReader reader) {
  return FrameWriter(input, reader).write();
}

}  // namespace leat::control
