// SPDX-License-Identifier: Apache-2.0
#include "control/metrics.h"

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "base/check.h"
#include "control/endpoint_sums.h"
#include "control/metrics_text.h"
#include "leat/version.h"
#include "policy/terms.h"

namespace leat::control {

namespace {

using gateway::Counter;
using gateway::Counters;

struct Row {
  const char* name;
  const char* help;
  MetricKind kind;
  Counter Counters::*member;
};

constexpr MetricKind kCount = MetricKind::kCounter;
constexpr MetricKind kGauge = MetricKind::kGauge;

constexpr Row kRows[] = {
    {"leat_connections_accepted_total", "Client connections accepted.", kCount,
     &Counters::connections_accepted},
    {"leat_connections_open", "Client connections open now.", kGauge, &Counters::connections_open},
    {"leat_connections_refused_total", "Client connections closed unread at a limit.", kCount,
     &Counters::connections_refused},
    {"leat_http2_connections_total", "Client connections that speak HTTP/2.", kCount,
     &Counters::http2_connections},
    {"leat_http2_connections_open", "Client connections that speak HTTP/2, open now.", kGauge,
     &Counters::http2_connections_open},
    {"leat_http2_requests_total", "Requests over HTTP/2, whatever came of them.", kCount,
     &Counters::http2_requests},
    {"leat_http2_floods_total",
     "Client connections ended for a flood of resets or of frames that bring nothing.", kCount,
     &Counters::http2_floods},
    {"leat_http2_breaches_total", "Client connections ended for a breach of HTTP/2.", kCount,
     &Counters::http2_breaches},
    {"leat_requests_total", "Request heads that were complete and well formed.", kCount,
     &Counters::requests},
    {"leat_requests_open", "Chat requests being served now.", kGauge, &Counters::requests_open},
    {"leat_streams_completed_total", "Streamed answers that ended in order.", kCount,
     &Counters::streams_completed},
    {"leat_answers_completed_total", "Answers in one piece that were sent whole.", kCount,
     &Counters::answers_completed},
    {"leat_client_gone_total", "Requests whose client left before the answer was whole.", kCount,
     &Counters::client_gone},
    {"leat_attempts_total", "Attempts at providers.", kCount, &Counters::attempts},
    {"leat_retries_total", "Attempts beyond a request's first, after a failure.", kCount,
     &Counters::retries},
    {"leat_hedges_total", "Attempts beside one that waited for its first token.", kCount,
     &Counters::hedges},
    {"leat_hedges_won_total", "... that had the first token.", kCount, &Counters::hedges_won},
    {"leat_retry_budget_exhausted_total", "Attempts not made for want of retry budget.", kCount,
     &Counters::retry_budget_exhausted},
    {"leat_upstream_failures_total", "Attempts that failed.", kCount, &Counters::upstream_failures},
    {"leat_ambiguous_total", "Attempts that were written and got no reply.", kCount,
     &Counters::ambiguous},
    {"leat_streams_cut_total", "Streams that broke after their first content.", kCount,
     &Counters::streams_cut},
    {"leat_streams_continued_total",
     "Streams that broke after their first content and were carried on by another endpoint.",
     kCount, &Counters::streams_continued},
    {"leat_events_relayed_total", "Stream events passed on.", kCount, &Counters::events_relayed},
    {"leat_stream_events_total",
     "Stream events passed on, those of streams that still run included.", kCount,
     &Counters::events_so_far},
    {"leat_prompt_tokens_total", "Prompt tokens of settled exchanges.", kCount,
     &Counters::prompt_tokens},
    {"leat_completion_tokens_total", "Completion tokens of settled exchanges.", kCount,
     &Counters::completion_tokens},
    {"leat_usage_missing_total", "Exchanges whose tokens were estimated.", kCount,
     &Counters::usage_missing},
    {"leat_usage_clamped_total", "Exchanges whose provider counted more than can be.", kCount,
     &Counters::usage_clamped},
    {"leat_answers_insured_total", "Exchanges that nobody pays for, since nothing came.", kCount,
     &Counters::answers_insured},
    {"leat_exchanges_settled_total", "Exchanges that a provider was asked for.", kCount,
     &Counters::settled},
    {"leat_cost_nanodollars_total", "Asked by providers, by their lists.", kCount,
     &Counters::cost_nanodollars},
    {"leat_provider_cost_nanodollars_total", "Asked by providers, as some say themselves.", kCount,
     &Counters::provider_cost_nanodollars},
    {"leat_charged_nanodollars_total", "Charged to client keys.", kCount,
     &Counters::charged_nanodollars},
    {"leat_shortfall_nanodollars_total", "Asked by providers beyond reservations.", kCount,
     &Counters::shortfall_nanodollars},
    {"leat_body_bytes_total", "Bytes of request bodies.", kCount, &Counters::body_bytes},
    {"leat_body_bytes_copied_total", "Bytes of request bodies copied in user space.", kCount,
     &Counters::body_bytes_copied},
    {"leat_log_lines_dropped_total", "Log lines dropped because the sink was slow.", kCount,
     &Counters::log_lines_dropped},
    {"leat_request_events_total", "Ended requests that logs and traces were told of.", kCount,
     &Counters::request_events},
    {"leat_request_events_dropped_total", "... for which there was no room on the way there.",
     kCount, &Counters::request_events_dropped},
    {"leat_io_turns_total", "Turns of the loop.", kCount, &Counters::io_turns},
    {"leat_io_completions_total", "Completions of the ring.", kCount, &Counters::io_completions},
    {"leat_io_short_sends_total", "Sends that the socket did not take whole.", kCount,
     &Counters::io_short_sends},
    {"leat_io_no_buffers_total", "Receives that ended for want of buffers.", kCount,
     &Counters::io_no_buffers},
    {"leat_io_cq_overflows_total", "Overflows of the completion queue.", kCount,
     &Counters::io_cq_overflows},
    {"leat_io_late_completions_total", "Completions for sockets closed meanwhile.", kCount,
     &Counters::io_late_completions},
    {"leat_io_sockets_open", "Sockets open now.", kGauge, &Counters::io_sockets_open},
    {"leat_pool_idle", "Idle connections to providers.", kGauge, &Counters::pool_idle},
    {"leat_pool_open", "Open connections to providers.", kGauge, &Counters::pool_open},
    {"leat_pool_http2_connections", "Open connections to providers that speak HTTP/2.", kGauge,
     &Counters::pool_http2_connections},
    {"leat_pool_http2_streams", "Requests under way on those.", kGauge,
     &Counters::pool_http2_streams},
    {"leat_ack_delay_rests_total",
     "Providers that were found to wait for acknowledgements, or to send too seldom.", kCount,
     &Counters::ack_delay_rests},
    {"leat_handshakes_waited_total",
     "TLS handshakes that waited for a turn with room for their cryptography.", kCount,
     &Counters::handshakes_waited},
    {"leat_provider_handshakes_total", "TLS handshakes with providers that ended well.", kCount,
     &Counters::provider_handshakes},
    {"leat_provider_handshakes_resumed_total",
     "... that resumed an earlier session: no certificate was sent and verified.", kCount,
     &Counters::provider_handshakes_resumed},
    {"leat_tickets_borrowed_total",
     "Tickets of providers, by which to resume, that a shard has from another or from the process "
     "before.",
     kCount, &Counters::tickets_borrowed},
    {"leat_connections_borrowed_total",
     "Idle connections of providers that a shard has from another, where it would have dialed.",
     kCount, &Counters::pool_borrowed},
    {"leat_pool_dialed_total", "Connections to providers begun.", kCount, &Counters::pool_dialed},
    {"leat_pool_expected_total",
     "... in place of one that had ended, since so many were used at once lately.", kCount,
     &Counters::pool_expected},
    {"leat_pool_dial_failures_total", "Connections to providers that failed to open.", kCount,
     &Counters::pool_dial_failures},
    {"leat_pool_reused_total", "Requests served on a connection that was there.", kCount,
     &Counters::pool_reused},
    {"leat_upstream_stray_bytes_total", "Connections dropped for bytes that nobody asked for.",
     kCount, &Counters::pool_stray_bytes},
    {"leat_ledger_entries_total", "Entries of the ledger that are durable.", kCount,
     &Counters::ledger_entries},
    {"leat_ledger_bytes_total", "Bytes written by commits of the ledger.", kCount,
     &Counters::ledger_bytes},
    {"leat_ledger_commits_total", "Commits of the ledger.", kCount, &Counters::ledger_commits},
    {"leat_ledger_failed_writes_total", "Commits that failed; the segment is not used again.",
     kCount, &Counters::ledger_failed_writes},
    {"leat_ledger_late_total", "Records that were not durable when their answer was to end.",
     kCount, &Counters::ledger_late},
    {"leat_ledger_dropped_total", "Records for which there was no room; the next start finds them.",
     kCount, &Counters::ledger_dropped},
    {"leat_ledger_open_requests", "Requests under way that will have a record.", kGauge,
     &Counters::ledger_open},
    {"leat_ledger_waiting", "Records that are not durable yet.", kGauge, &Counters::ledger_waiting},
    {"leat_lease_asks_total", "Leases of limits and budgets asked of other shards.", kCount,
     &Counters::lease_asks},
    {"leat_lease_grants_total", "Leases granted to other shards.", kCount, &Counters::lease_grants},
    {"leat_lease_returns_total", "Leases given back, whole or in part.", kCount,
     &Counters::lease_returns},
    {"leat_lease_recalls_total", "Leases that were asked back.", kCount, &Counters::lease_recalls},
    {"leat_lease_homes", "Limits and budgets whose truth is held.", kGauge, &Counters::lease_homes},
    {"leat_ledger_unavailable", "Shards on which nothing may begin, for want of a record.", kGauge,
     &Counters::ledger_unavailable},
};

std::uint64_t breaker_number(policy::BreakerState breaker) {
  switch (breaker) {
    case policy::BreakerState::kClosed:
      return 0;
    case policy::BreakerState::kHalfOpen:
    case policy::BreakerState::kProbe:
      return 1;
    case policy::BreakerState::kOpen:
      return 2;
  }
  LEAT_UNREACHABLE("a breaker's state without a number");
}

// The ladder of shedding: where the shards are, how often each step was taken, who was refused.
void shedding_metrics(MetricsText& text, std::span<const Counters* const> shards) {
  const auto by_step = [&](const char* name, const char* help, MetricKind kind,
                           const auto& counters_of) {
    text.family(name, help, kind);
    for (std::size_t i = kind == kGauge ? 0 : 1; i < policy::kShedSteps; ++i) {
      std::uint64_t sum = 0;
      for (const Counters* shard : shards) sum += counters_of(*shard)[i].get();
      text.sample({{"step", policy::name_of(static_cast<policy::ShedStep>(i))}}, sum);
    }
  };
  by_step(
      "leat_shed_shards", "Shards at each step of shedding load.", kGauge,
      [](const Counters& shard) -> const auto& { return shard.shed_at_step; });
  by_step(
      "leat_shed_steps_total", "Steps of shedding taken, coming from below.", kCount,
      [](const Counters& shard) -> const auto& { return shard.shed_climbs; });
  std::uint64_t greedy = 0;
  std::uint64_t all = 0;
  for (const Counters* shard : shards) {
    greedy += shard->shed_greedy.get();
    all += shard->shed_all.get();
  }
  text.family("leat_shed_requests_total",
              "Requests refused by a late shard: of keys with a fair share of what ran, or anyway.",
              kCount);
  text.sample({{"who", "greedy"}}, greedy);
  text.sample({{"who", "all"}}, all);
  text.family("leat_turn_lag_seconds", "How late all of a shard's last turns were at least.",
              kGauge);
  for (std::size_t i = 0; i < shards.size(); ++i) {
    const std::string shard = std::to_string(i);
    text.sample({{"shard", shard}}, static_cast<double>(shards[i]->turn_lag_us.get()) * 1e-6);
  }
}

std::uint64_t total_of(std::span<const Counters* const> shards, Counter Counters::*member) {
  std::uint64_t sum = 0;
  for (const Counters* shard : shards) sum += (shard->*member).get();
  return sum;
}

// Counts by bound, summed over the shards: `member` is an array with one more than `bounds`.
template <class Array, class Bounds>
void turn_histogram(MetricsText& text, std::span<const Counters* const> shards,
                    Array Counters::*member, const Bounds& bounds, const auto& value_of,
                    double sum) {
  std::vector<Bucket> buckets;
  std::uint64_t count = 0;
  for (std::size_t i = 0; i <= bounds.size(); ++i) {
    for (const Counters* shard : shards) count += (shard->*member)[i].get();
    if (i < bounds.size()) buckets.push_back({value_of(bounds[i]), count});
  }
  text.histogram({}, buckets, sum, count);
}

void turn_metrics(MetricsText& text, std::span<const Counters* const> shards) {
  text.family("leat_io_turn_completions", "Completions that a turn of the loop brought.",
              MetricKind::kHistogram);
  turn_histogram(
      text, shards, &Counters::turns_by_completions, shard::TurnStats::kCompletionBounds,
      [](std::uint64_t bound) { return static_cast<double>(bound); },
      static_cast<double>(total_of(shards, &Counters::io_completions)));
  text.family("leat_turn_late_seconds", "How late turns of the loop ended.",
              MetricKind::kHistogram);
  turn_histogram(
      text, shards, &Counters::turns_by_lateness, shard::TurnStats::kLateBounds,
      [](Duration bound) { return static_cast<double>(bound.us()) / 1e6; },
      static_cast<double>(total_of(shards, &Counters::turns_late_us)) / 1e6);
  text.family("leat_ledger_commit_seconds", "Time that commits of the ledger took.",
              MetricKind::kHistogram);
  turn_histogram(
      text, shards, &Counters::ledger_commits_by_time, ledger::kCommitTimeBounds,
      [](Duration bound) { return static_cast<double>(bound.us()) / 1e6; },
      static_cast<double>(total_of(shards, &Counters::ledger_commit_us)) / 1e6);
}

// How busy cores are, and what events wait for that.
void core_metrics(MetricsText& text, std::span<const Counters* const> shards) {
  text.family("leat_core_busy_ratio", "Share of its core that a shard uses.", kGauge);
  const auto each_shard = [&](Counter Counters::*member, double unit) {
    for (std::size_t i = 0; i < shards.size(); ++i) {
      const std::string shard = std::to_string(i);
      text.sample({{"shard", shard}}, static_cast<double>((shards[i]->*member).get()) / unit);
    }
  };
  each_shard(&Counters::core_permille, 1e3);
  text.family("leat_shard_connections_accepted_total", "Client connections that a shard accepted.",
              kCount);
  each_shard(&Counters::connections_accepted, 1);
  text.family("leat_hold_seconds", "How long events of streams may wait for others now.", kGauge);
  each_shard(&Counters::hold_us, 1e6);
  text.family("leat_held_seconds", "How long received events waited for others, the longest each.",
              MetricKind::kHistogram);
  turn_histogram(
      text, shards, &Counters::held_by_time, net::HoldStats::kBounds,
      [](Duration bound) { return static_cast<double>(bound.us()) / 1e6; },
      static_cast<double>(total_of(shards, &Counters::held_us)) / 1e6);
}

void memory_metrics(MetricsText& text, std::span<const Counters* const> shards) {
  text.family("leat_memory_bytes", "Memory that requests and their clients hold, by purpose.",
              kGauge);
  text.sample({{"purpose", "request_bodies"}}, total_of(shards, &Counters::memory_bodies));
  text.sample({{"purpose", "connections"}}, total_of(shards, &Counters::memory_connections));
  text.sample({{"purpose", "requests"}}, total_of(shards, &Counters::memory_exchanges));
}

}  // namespace

std::map<std::string_view, std::uint64_t> refusals_by_reason(
    std::span<const Counters* const> shards) {
  std::map<std::string_view, std::uint64_t> reasons;
  for (const Counters* shard : shards) {
    for (std::size_t i = 0; i < shard->refused_by_kind.size(); ++i) {
      reasons[dialect::error_row(static_cast<dialect::ErrorKind>(i)).error_type] +=
          shard->refused_by_kind[i].get();
    }
    for (std::size_t i = 1; i < shard->refused_by_fault.size(); ++i) {
      reasons[proto::fault_info(static_cast<proto::HttpFault>(i)).name] +=
          shard->refused_by_fault[i].get();
    }
  }
  return reasons;
}

std::string metrics_text(std::span<const Counters* const> shards) {
  MetricsText text;
  for (const Row& row : kRows) {
    std::uint64_t sum = 0;
    for (const Counters* shard : shards) sum += (shard->*row.member).get();
    text.family(row.name, row.help, row.kind);
    text.sample({}, sum);
  }
  text.family("leat_responses_total", "Answers by class of status.", kCount);
  static constexpr const char* kClasses[] = {"", "1xx", "2xx", "3xx", "4xx", "5xx"};
  for (std::size_t i = 1; i < std::size(kClasses); ++i) {
    std::uint64_t sum = 0;
    for (const Counters* shard : shards) sum += shard->responses_by_class[i].get();
    text.sample({{"class", kClasses[i]}}, sum);
  }
  shedding_metrics(text, shards);
  turn_metrics(text, shards);
  core_metrics(text, shards);
  memory_metrics(text, shards);
  text.family("leat_reject_total", "Requests refused, by reason.", kCount);
  for (const auto& [reason, count] : refusals_by_reason(shards)) {
    text.sample({{"reason", reason}}, count);
  }
  return text.text();
}

std::string process_metrics_text(const ProcessFacts& facts) {
  MetricsText text;
  text.family("leat_build_info", "1, with the version.", kGauge);
  text.sample({{"version", kVersion}}, std::uint64_t{1});
  text.family("process_start_time_seconds", "When the process began, as Unix time.", kGauge);
  text.sample({}, static_cast<std::uint64_t>(facts.began));
  text.family("process_resident_memory_bytes", "Memory that the process holds.", kGauge);
  text.sample({}, facts.resident_bytes);
  text.family("leat_memory_max_bytes", "Memory that the process may hold.", kGauge);
  text.sample({}, facts.memory_max);
  return text.text();
}

std::string reload_metrics_text(const ReloadFacts& facts) {
  MetricsText text;
  text.family("leat_config_generation", "The configuration that is served by, counted from 1.",
              kGauge);
  text.sample({}, std::uint64_t{facts.generation});
  text.family("leat_config_reloads_total", "Requests to load the configuration anew.",
              MetricKind::kCounter);
  text.sample({{"result", "applied"}}, facts.applied);
  text.sample({{"result", "refused"}}, facts.refused);
  text.family("leat_config_former", "Former configurations that requests still end with.", kGauge);
  text.sample({}, std::uint64_t{facts.former});
  return text.text();
}

std::string health_metrics_text(const policy::Catalogue& catalogue,
                                const policy::HealthBoard& board, Instant now) {
  MetricsText text;
  const auto each = [&](const auto& sample) {
    for (const policy::EndpointId id : board.known()) {
      const policy::Endpoint& endpoint = catalogue.endpoint(id);
      const std::string model = model_name_of(catalogue, endpoint);
      const Label labels[] = {{"model", model}, {"endpoint", endpoint.tag}};
      sample(id, Labels(labels));
    }
  };
  text.family("leat_endpoint_breaker",
              "Whether an endpoint is asked: 0 as usual, 1 by one request that finds out, 2 not.",
              kGauge);
  each([&](policy::EndpointId id, Labels labels) {
    text.sample(labels, breaker_number(board.views()[id].breaker));
  });
  text.family("leat_endpoint_uptime_5m",
              "Share of attempts that an endpoint answered well, where there were a hundred.",
              kGauge);
  each([&](policy::EndpointId id, Labels labels) {
    const std::int16_t permille = board.views()[id].uptime_permille;
    if (permille != policy::EndpointHealth::kUptimeUnknown) text.sample(labels, permille / 1e3);
  });
  text.family("leat_endpoint_waiting", "Attempts that wait for their first token.", kGauge);
  each([&](policy::EndpointId id, Labels labels) {
    text.sample(labels, std::uint64_t{board.report(id, now).waiting});
  });
  return text.text();
}

namespace {

using gateway::EndpointCounterTable;
using gateway::TimeHistogram;

struct EndpointSeries {
  std::string model;
  std::string endpoint;
  EndpointSum sum;
};

std::vector<EndpointSeries> series_of(const policy::Catalogue& catalogue,
                                      std::span<const EndpointCounterTable* const> shards,
                                      std::size_t endpoints_max) {
  std::vector<std::pair<std::uint64_t, policy::EndpointId>> asked;
  std::vector<EndpointSum> sums(catalogue.endpoints().size());
  for (policy::EndpointId id = 0; id < sums.size(); ++id) {
    sums[id] = sum_of(shards, id);
    if (const std::uint64_t count = sums[id].asked(); count > 0) asked.emplace_back(count, id);
  }
  std::ranges::sort(asked, std::greater());
  std::vector<EndpointSeries> series;
  for (const auto& [count, id] : asked) {
    if (series.size() < endpoints_max) {
      const policy::Endpoint& endpoint = catalogue.endpoint(id);
      series.push_back({model_name_of(catalogue, endpoint), std::string(endpoint.tag), sums[id]});
      continue;
    }
    if (series.size() == endpoints_max) series.push_back({"other", "other", {}});
    series.back().sum.add(sums[id]);
  }
  return series;
}

// By model, the most answered first; beyond `models_max` the rest together as "other".
std::vector<std::pair<std::string, EndpointSum>> models_of(
    const policy::Catalogue& catalogue, std::span<const EndpointCounterTable* const> shards,
    std::size_t models_max) {
  std::map<std::string, EndpointSum> by_name;
  for (policy::EndpointId id = 0; id < catalogue.endpoints().size(); ++id) {
    const EndpointSum sum = sum_of(shards, id);
    if (sum.request_answer.count() == 0) continue;
    by_name[model_name_of(catalogue, catalogue.endpoint(id))].add(sum);
  }
  std::vector<std::pair<std::string, EndpointSum>> models(by_name.begin(), by_name.end());
  std::ranges::stable_sort(models, std::greater(),
                           [](const auto& model) { return model.second.request_answer.count(); });
  if (models.size() > models_max) {
    EndpointSum other;
    for (std::size_t i = models_max; i < models.size(); ++i) other.add(models[i].second);
    models.resize(models_max);
    models.emplace_back("other", other);
  }
  return models;
}

void write_times(MetricsText& text, Labels labels, const EndpointSum::Times& times) {
  std::array<Bucket, TimeHistogram::kBounds.size()> buckets;
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    count += times.counts[i];
    buckets[i] = {static_cast<double>(TimeHistogram::kBounds[i].us()) / 1e6, count};
  }
  text.histogram(labels, buckets, static_cast<double>(times.sum_us) / 1e6,
                 count + times.counts.back());
}

struct SumRow {
  const char* name;
  const char* help;
  std::uint64_t EndpointSum::*member;
};
constexpr SumRow kEndpointRows[] = {
    {"leat_endpoint_prompt_tokens_total", "Prompt tokens of requests that an endpoint answered.",
     &EndpointSum::prompt_tokens},
    {"leat_endpoint_completion_tokens_total", "Completion tokens of an endpoint's answers.",
     &EndpointSum::completion_tokens},
    {"leat_endpoint_cost_nanodollars_total", "What an endpoint's answers cost by its list.",
     &EndpointSum::cost},
    {"leat_endpoint_charged_nanodollars_total", "What clients were charged for them.",
     &EndpointSum::charged},
    {"leat_endpoint_acks_delayed_total",
     "Streams of an endpoint whose events were acknowledged two at a time.",
     &EndpointSum::acks_delayed},
};

}  // namespace

std::string model_metrics_text(const policy::Catalogue& catalogue,
                               std::span<const EndpointCounterTable* const> shards,
                               std::size_t models_max) {
  const auto models = models_of(catalogue, shards, models_max);
  MetricsText text;
  const auto each = [&](EndpointSum::Times EndpointSum::*times) {
    for (const auto& [name, sum] : models) {
      const Label labels[] = {{"model", name}};
      write_times(text, labels, sum.*times);
    }
  };
  text.family("leat_request_first_token_seconds",
              "From a request to the first token of its answer, failed attempts included.",
              MetricKind::kHistogram);
  each(&EndpointSum::request_first_token);
  text.family("leat_request_answer_seconds",
              "From a request to the end of its answer, failed attempts included.",
              MetricKind::kHistogram);
  each(&EndpointSum::request_answer);
  return text.text();
}

std::string endpoint_metrics_text(const policy::Catalogue& catalogue,
                                  std::span<const EndpointCounterTable* const> shards,
                                  std::size_t endpoints_max) {
  const std::vector<EndpointSeries> series = series_of(catalogue, shards, endpoints_max);
  MetricsText text;
  const auto each = [&](const auto& sample) {
    for (const EndpointSeries& one : series) {
      const Label labels[] = {{"model", one.model}, {"endpoint", one.endpoint}};
      sample(one.sum, Labels(labels));
    }
  };
  text.family("leat_endpoint_attempts_total", "Attempts at an endpoint that ended, by outcome.",
              kCount);
  for (const EndpointSeries& one : series) {
    for (std::size_t i = 0; i < one.sum.attempts.size(); ++i) {
      if (one.sum.attempts[i] == 0) continue;
      const auto outcome = ledger::attempt_outcome_name(static_cast<ledger::AttemptOutcome>(i));
      text.sample({{"model", one.model}, {"endpoint", one.endpoint}, {"outcome", outcome}},
                  one.sum.attempts[i]);
    }
  }
  text.family("leat_endpoint_first_token_seconds",
              "From an attempt's beginning to its first token.", MetricKind::kHistogram);
  each([&](const EndpointSum& sum, Labels labels) { write_times(text, labels, sum.first_token); });
  text.family("leat_endpoint_answer_seconds", "From an attempt's beginning to its answer's end.",
              MetricKind::kHistogram);
  each([&](const EndpointSum& sum, Labels labels) { write_times(text, labels, sum.answer); });
  for (const SumRow& row : kEndpointRows) {
    text.family(row.name, row.help, kCount);
    each([&](const EndpointSum& sum, Labels labels) { text.sample(labels, sum.*row.member); });
  }
  return text.text();
}

}  // namespace leat::control
