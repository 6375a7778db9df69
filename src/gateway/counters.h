// SPDX-License-Identifier: Apache-2.0
// Counters of one shard's gateway: written by the shard alone, read by whoever scrapes. Relaxed
// atomic words, never read-modify-write: a scrape may be a moment old, and costs the shard nothing.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "dialect/errors.h"
#include "ledger/commit_times.h"
#include "net/hold_stats.h"
#include "policy/shed_ladder.h"
#include "proto/http_fault.h"
#include "shard/turn_stats.h"

namespace leat::gateway {

class Counter {
 public:
  void add(std::uint64_t n = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  void subtract(std::uint64_t n = 1) {
    value_.store(value_.load(std::memory_order_relaxed) - n, std::memory_order_relaxed);
  }
  void set(std::uint64_t n) { value_.store(n, std::memory_order_relaxed); }
  std::uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

struct Counters {
  // Clients
  Counter connections_accepted;
  Counter connections_open;
  Counter connections_refused;  // at a limit, closed before a byte was read
  Counter requests;             // heads that were complete and well formed
  Counter requests_open;        // chat requests being served
  Counter streams_completed;
  Counter answers_completed;
  Counter client_gone;                        // the client left before its answer was whole
  std::array<Counter, 6> responses_by_class;  // [2]: 2xx, ...
  std::array<Counter, dialect::kErrorKindCount> refused_by_kind;
  std::array<Counter, proto::kHttpFaultCount> refused_by_fault;

  Counter http2_connections;  // of clients, since the start
  Counter http2_connections_open;
  Counter http2_requests;  // heads, good or bad
  Counter http2_floods;    // connections ended for too many frames that bring nothing
  Counter http2_breaches;  // ... for another breach of the protocol

  // Upstream
  Counter attempts;
  Counter retries;  // attempts beyond the first, after a failure
  Counter hedges;   // ... beside one that waited
  Counter hedges_won;
  Counter retry_budget_exhausted;
  Counter upstream_failures;
  Counter ambiguous;          // written, and no reply came
  Counter streams_cut;        // failed after the first content event, for the client too
  Counter streams_continued;  // so they would have, but another endpoint carried them on

  // Tokens and bytes
  Counter events_relayed;
  Counter prompt_tokens;
  Counter completion_tokens;
  Counter usage_missing;    // exchanges whose tokens we estimated, as the provider did not say
  Counter usage_clamped;    // ... whose provider said more than can be
  Counter answers_insured;  // that nobody pays for, since nothing came
  Counter settled;          // exchanges that a provider was asked for, whatever came of it
  Counter charged_nanodollars;
  Counter cost_nanodollars;           // by the providers' lists
  Counter provider_cost_nanodollars;  // as the providers say, where they do
  Counter shortfall_nanodollars;      // asked by providers beyond reservations
  // Overload
  std::array<Counter, policy::kShedSteps> shed_at_step;  // 1: the shard is on it now
  std::array<Counter, policy::kShedSteps> shed_climbs;   // how often it was taken from below
  Counter shed_greedy;  // requests refused of keys with a fair share
  Counter shed_all;     // ... of whoever asked
  Counter turn_lag_us;  // how late turns are at present
  Counter body_bytes;
  Counter body_bytes_copied;  // of request bodies, in user space
  Counter log_lines_dropped;
  Counter request_events;          // told of ended requests, to logs and traces
  Counter request_events_dropped;  // ... for which there was no room

  // Mirrors of what others count, refreshed once in a while by the shard
  Counter io_turns;
  Counter io_completions;
  Counter io_short_sends;
  Counter io_no_buffers;
  Counter io_cq_overflows;
  Counter io_late_completions;
  Counter io_sockets_open;
  // Turns by shard::TurnStats' bounds
  std::array<Counter, shard::TurnStats::kCompletionBounds.size() + 1> turns_by_completions;
  std::array<Counter, shard::TurnStats::kLateBounds.size() + 1> turns_by_lateness;
  Counter turns_late_us;
  Counter core_permille;  // how much of its core the shard uses
  Counter hold_us;        // how long events of streams may wait at present
  // How long they did, by net::HoldStats' bounds
  std::array<Counter, net::HoldStats::kBounds.size() + 1> held_by_time;
  Counter held_us;  // all of them together
  // Bytes that the shard holds, by what for
  Counter memory_bodies;       // of requests
  Counter memory_connections;  // of clients
  Counter memory_exchanges;    // requests under way, but for their bodies
  Counter pool_idle;
  Counter pool_open;
  Counter pool_http2_connections;  // of those
  Counter pool_http2_streams;      // requests on them
  Counter ack_delay_rests;
  Counter handshakes_waited;    // steps of TLS handshakes, for a turn that has room for their work
  Counter provider_handshakes;  // of TLS, that ended well
  Counter provider_handshakes_resumed;  // of those
  Counter tickets_borrowed;             // from other shards
  Counter pool_borrowed;                // connections, from other shards
  Counter pool_dialed;
  Counter pool_expected;  // of those, since so many were used lately
  Counter pool_dial_failures;
  Counter pool_reused;
  Counter pool_stray_bytes;
  Counter ledger_entries;  // durable
  Counter ledger_bytes;
  Counter ledger_commits;
  Counter ledger_failed_writes;
  Counter ledger_late;       // of which an answer was told that they are not durable
  Counter ledger_dropped;    // that stand in the open table only
  Counter ledger_open;       // requests in the open table
  Counter ledger_commit_us;  // of all commits together
  std::array<Counter, ledger::kCommitTimeBounds.size() + 1> ledger_commits_by_time;
  Counter ledger_waiting;  // records that are not durable yet
  Counter lease_asks;
  Counter lease_returns;
  Counter lease_grants;
  Counter lease_recalls;
  Counter lease_homes;         // quantities that are counted here
  Counter events_so_far;       // events_relayed and those of streams that still run
  Counter ledger_unavailable;  // 1: nothing may begin
};

}  // namespace leat::gateway
