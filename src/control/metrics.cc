// SPDX-License-Identifier: Apache-2.0
#include "control/metrics.h"

#include <map>

#include "base/check.h"
#include "control/metrics_text.h"
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
    {"leat_pool_dialed_total", "Connections to providers begun.", kCount, &Counters::pool_dialed},
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
    {"leat_ledger_unavailable", "Shards on which nothing may begin, for want of a record.", kGauge,
     &Counters::ledger_unavailable},
};

// A variant has endpoints of its own under the same tags.
std::string model_of(const policy::Catalogue& catalogue, const policy::Endpoint& endpoint) {
  std::string model(catalogue.model(endpoint.model).id);
  if (endpoint.variant) model.append(":").append(policy::name_of(*endpoint.variant));
  return model;
}

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

}  // namespace

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
  // Several faults share a reason: summed by reason.
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
  text.family("leat_reject_total", "Requests refused, by reason.", kCount);
  for (const auto& [reason, count] : reasons) text.sample({{"reason", reason}}, count);
  return text.text();
}

std::string health_metrics_text(const policy::Catalogue& catalogue,
                                const policy::HealthBoard& board, Instant now) {
  MetricsText text;
  const auto each = [&](const auto& sample) {
    for (const policy::EndpointId id : board.known()) {
      const policy::Endpoint& endpoint = catalogue.endpoint(id);
      const std::string model = model_of(catalogue, endpoint);
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

}  // namespace leat::control
